/**
 * BER as SNMP uses it (X.690 cut down by RFC 3417 section 8): definite lengths, one-octet tags. Reads what comes
 * from outside, so every length is checked against what is there. The wire form of the emulated agents and of
 * what our sessions look at before they trust a datagram; requests themselves are written by net-snmp.
 */

export const Tag = {
  Integer: 0x02,
  OctetString: 0x04,
  Null: 0x05,
  Oid: 0x06,
  Sequence: 0x30,
  IpAddress: 0x40,
  Counter32: 0x41,
  Gauge32: 0x42,
  TimeTicks: 0x43,
  Opaque: 0x44,
  Counter64: 0x46,
  NoSuchObject: 0x80,
  NoSuchInstance: 0x81,
  EndOfMibView: 0x82,
} as const;

export class BerError extends Error {
  override readonly name = 'BerError';
}

/** A value as it travels. Numbers for integers up to 32 bits, bigint for Counter64, dotted text for OIDs. */
export type Value =
  | {
      readonly tag: 0x02 | 0x41 | 0x42 | 0x43;
      readonly value: number;
    }
  | { readonly tag: 0x04 | 0x40 | 0x44; readonly value: Buffer }
  | { readonly tag: 0x06; readonly value: string }
  | { readonly tag: 0x46; readonly value: bigint }
  | { readonly tag: 0x05 | 0x80 | 0x81 | 0x82; readonly value: null };

export const integer = (value: number): Value => ({ tag: Tag.Integer, value });
export const gauge = (value: number): Value => ({ tag: Tag.Gauge32, value });
export const octets = (value: Buffer | string): Value => ({
  tag: Tag.OctetString,
  value: typeof value === 'string' ? Buffer.from(value, 'utf8') : value,
});
export const oidValue = (value: string): Value => ({ tag: Tag.Oid, value });
export const ticks = (value: number): Value => ({ tag: Tag.TimeTicks, value });
export const counter64 = (value: bigint): Value => ({ tag: Tag.Counter64, value });
export const NO_SUCH_OBJECT: Value = { tag: Tag.NoSuchObject, value: null };
export const NO_SUCH_INSTANCE: Value = { tag: Tag.NoSuchInstance, value: null };
export const END_OF_MIB: Value = { tag: Tag.EndOfMibView, value: null };

export const isException = (value: Value): boolean =>
  value.tag === Tag.NoSuchObject || value.tag === Tag.NoSuchInstance || value.tag === Tag.EndOfMibView;

export class BerReader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }
  get offset(): number {
    return this.#at;
  }
  peek(): number {
    if (this.#at >= this.#end) throw new BerError('ends too early');
    return this.#bytes[this.#at] as number;
  }

  /** Steps over one element and returns where its contents lie. */
  #element(tag: number | undefined): { tag: number; start: number; end: number } {
    const found = this.peek();
    if (tag !== undefined && found !== tag) throw new BerError(`tag ${found} instead of ${tag}`);
    let at = this.#at + 1;
    let length = this.#bytes[at] ?? 0x100;
    if (at >= this.#end) throw new BerError('ends too early');
    at += 1;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > 4 || at + count > this.#end) throw new BerError('length not understood');
      length = this.#bytes.readUIntBE(at, count);
      at += count;
    }
    if (length > this.#end - at) throw new BerError('ends too early');
    this.#at = at + length;
    return { tag: found, start: at, end: at + length };
  }

  sequence(tag: number = Tag.Sequence): BerReader {
    const { start, end } = this.#element(tag);
    return new BerReader(this.#bytes, start, end);
  }

  octets(tag: number = Tag.OctetString): Buffer {
    const { start, end } = this.#element(tag);
    return this.#bytes.subarray(start, end);
  }

  integer(tag: number = Tag.Integer): number {
    const { start, end } = this.#element(tag);
    const length = end - start;
    // Unsigned types of 32 bits take a fifth octet for their sign.
    if (length < 1 || length > 5) throw new BerError('integer of an odd size');
    return this.#bytes.readIntBE(start, length);
  }

  oid(): string {
    const { start, end } = this.#element(Tag.Oid);
    if (start === end) throw new BerError('empty OID');
    const parts: number[] = [];
    let sub = 0;
    for (let i = start; i < end; i++) {
      const byte = this.#bytes[i] as number;
      if (sub > 0x1ffffff) throw new BerError('OID part too large');
      sub = sub * 128 + (byte & 0x7f);
      if ((byte & 0x80) !== 0) {
        if (i === end - 1) throw new BerError('OID ends too early');
        continue;
      }
      if (parts.length === 0) {
        const first = Math.min(2, Math.floor(sub / 40));
        parts.push(first, sub - first * 40);
      } else parts.push(sub);
      if (parts.length > 128) throw new BerError('OID too long');
      sub = 0;
    }
    return parts.join('.');
  }

  value(): Value {
    const tag = this.peek();
    switch (tag) {
      case Tag.Integer:
      case Tag.Counter32:
      case Tag.Gauge32:
      case Tag.TimeTicks: {
        const value = this.integer(tag);
        if (tag !== Tag.Integer && (value < 0 || value > 0xffffffff)) {
          // Some agents leave the sign octet out.
          return { tag, value: value >>> 0 };
        }
        return { tag, value };
      }
      case Tag.OctetString:
      case Tag.IpAddress:
      case Tag.Opaque:
        return { tag, value: Buffer.from(this.octets(tag)) };
      case Tag.Oid:
        return { tag, value: this.oid() };
      case Tag.Counter64: {
        const bytes = this.octets(tag);
        if (bytes.length < 1 || bytes.length > 9) throw new BerError('Counter64 of an odd size');
        return { tag, value: BigInt(`0x${bytes.toString('hex')}`) };
      }
      case Tag.Null:
      case Tag.NoSuchObject:
      case Tag.NoSuchInstance:
      case Tag.EndOfMibView:
        this.octets(tag);
        return { tag, value: null };
      default:
        throw new BerError(`tag ${tag} not understood`);
    }
  }
}

/** One element around its contents. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of contents) length += part.length;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : length < 0x10000
          ? [tag, 0x82, length >> 8, length & 0xff]
          : [tag, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff];
  return Buffer.concat([Buffer.from(head), ...contents], head.length + length);
}

/** Two's complement in the fewest octets. */
export function writeInteger(value: number, tag: number = Tag.Integer): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const byte = ((rest % 256) + 256) % 256;
    bytes.unshift(byte);
    rest = Math.floor(rest / 256);
    if ((rest === 0 && byte < 0x80) || (rest === -1 && byte >= 0x80)) break;
  }
  return element(tag, Buffer.from(bytes));
}

export function writeOid(oid: string): Buffer {
  const parts = oid.split('.').map(Number);
  if (parts.length < 2 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 0xffffffff)) {
    throw new BerError('not an OID');
  }
  const [first = 0, second = 0, ...rest] = parts;
  const bytes: number[] = [];
  for (const part of [first * 40 + second, ...rest]) {
    const groups = [part % 128];
    for (let left = Math.floor(part / 128); left > 0; left = Math.floor(left / 128)) {
      groups.unshift((left % 128) | 0x80);
    }
    bytes.push(...groups);
  }
  return element(Tag.Oid, Buffer.from(bytes));
}

export function writeValue(value: Value): Buffer {
  switch (value.tag) {
    case Tag.Integer:
    case Tag.Counter32:
    case Tag.Gauge32:
    case Tag.TimeTicks:
      return writeInteger(value.value, value.tag);
    case Tag.OctetString:
    case Tag.IpAddress:
    case Tag.Opaque:
      return element(value.tag, value.value);
    case Tag.Oid:
      return writeOid(value.value);
    case Tag.Counter64: {
      const hex = value.value.toString(16);
      const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
      return element(value.tag, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
    }
    default:
      return element(value.tag);
  }
}

/** The order of OIDs, part by part. */
export function compareOids(a: readonly number[], b: readonly number[]): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const d = (a[i] as number) - (b[i] as number);
    if (d !== 0) return d;
  }
  return a.length - b.length;
}

export const oidParts = (oid: string): number[] => oid.split('.').map(Number);
