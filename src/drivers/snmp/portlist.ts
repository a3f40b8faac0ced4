/**
 * PortList (RFC 4363): a bit per bridge port, the first octet's most significant bit being port 1. How long the
 * list is, is the agent's own choice (24 ports come as 4, 10 or 12 octets), so what is written back has the
 * length that was read. Some agents send a list of numbers in ASCII instead; that is recognised and refused.
 */
import { DeviceFault } from '../fault.ts';

export function readPorts(bytes: Uint8Array): Set<number> {
  const ports = new Set<number>();
  for (const [i, byte] of bytes.entries()) {
    for (let bit = 0; bit < 8; bit++) if ((byte & (0x80 >> bit)) !== 0) ports.add(i * 8 + bit + 1);
  }
  return ports;
}

export function writePorts(ports: Iterable<number>, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (const port of ports) {
    if (port < 1 || port > length * 8) {
      throw new DeviceFault('unsupported', `port ${port} is beyond a port list of ${length} octets`);
    }
    const at = (port - 1) >> 3;
    bytes[at] = (bytes[at] as number) | (0x80 >> ((port - 1) & 7));
  }
  return bytes;
}

/**
 * Is this a list of numbers in ASCII? A bitmap can be made of such octets too, so the highest port decides: a
 * bitmap has room for it.
 */
export function looksLikeText(bytes: Uint8Array, highestPort: number): boolean {
  if (bytes.length === 0) return false;
  for (const byte of bytes)
    if (!((byte >= 0x30 && byte <= 0x39) || byte === 0x2c || byte === 0x20)) return false;
  return bytes.includes(0x2c) || bytes.length * 8 < highestPort;
}
