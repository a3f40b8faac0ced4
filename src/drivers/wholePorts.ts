/**
 * An element that switches whole ports, seen from a topology that tells circuits apart by labels. Such an element
 * carries one circuit at a time on a port, so its links have exactly one label in the topology; that label is
 * translated here into "the whole port" on the way down, and back on the way up. Nothing else is changed.
 */
import { textOf } from '../kernel/errors.ts';
import type { Attachment } from '../model/circuit.ts';
import { type Label, UNTAGGED } from '../model/label.ts';
import type { Connect, Driver } from './driver.ts';
import { DeviceFault } from './fault.ts';
import type { ObservedConnect } from './port.ts';

export function wholePorts(driver: Driver, label: Label): Driver {
  const down = (side: Attachment): Attachment => {
    if (side.label !== label) {
      const detail = `${driver.device}: links of an element that switches whole ports have label ${label} only, not ${side.label}`;
      throw new DeviceFault('unsupported', detail);
    }
    return { port: side.port, label: UNTAGGED };
  };
  const order = (connect: Connect): Connect => ({
    ...connect,
    in: down(connect.in),
    out: down(connect.out),
  });
  const up = (side: Attachment): Attachment => (side.label === UNTAGGED ? { port: side.port, label } : side);
  const seen = (connect: ObservedConnect): ObservedConnect => ({
    ...connect,
    in: up(connect.in),
    out: up(connect.out),
  });
  return {
    device: driver.device,
    protocol: driver.protocol,
    dialect: driver.dialect,
    get capabilities() {
      return driver.capabilities;
    },
    connect: () => driver.connect(),
    read: async () => (await driver.read()).map(seen),
    plan: async (kind, connect) => driver.plan(kind, order(connect)),
    // What cannot be ordered was not sent: the executor is told so, instead of "nobody knows".
    async apply(kind, connect, context) {
      let translated: Connect;
      try {
        translated = order(connect);
      } catch (error) {
        const detail = textOf(error);
        const parts = { protocol_ms: 0, settle_ms: 0, verify_ms: 0, commands: [] };
        return { outcome: 'rejected', retry: false, detail, fault: 'unsupported', ...parts };
      }
      return driver.apply(kind, translated, context);
    },
    async discover() {
      const view = await driver.discover();
      return { ...view, connects: view.connects.map(seen) };
    },
    counters: async (port) => driver.counters?.(port),
    watch: (listener) => driver.watch(listener),
    hear: (datagram, address) => driver.hear?.(datagram, address) ?? false,
    close: () => driver.close(),
  };
}
