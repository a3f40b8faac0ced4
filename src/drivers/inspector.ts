/**
 * What the executor's devices can be asked beyond light and dark: how they are, what an order would send, what was
 * sent and answered, what is really set, and who their neighbours are. Changes nothing on any device.
 */
import type { Segment } from '../model/circuit.ts';
import type { TopologyDocument } from '../topology/document.ts';
import { applyDiff, compareTopology, findLinks } from './discovery.ts';
import type { ChangeKind, DeviceView } from './driver.ts';
import { asFault } from './fault.ts';
import type { Journal } from './journal.ts';
import type {
  DeviceOrder,
  DeviceState,
  Discovery,
  Inspection,
  LightContext,
  ObservedConnect,
  PlannedCommands,
} from './port.ts';
import type { Quarantine } from './quarantine.ts';
import { byDevice, connectOf } from './report.ts';
import type { Unit } from './unit.ts';

export class Inspector implements Inspection {
  readonly #units: ReadonlyMap<string, Unit>;
  readonly #quarantine: Quarantine;
  readonly #journal: Journal;

  constructor(units: ReadonlyMap<string, Unit>, quarantine: Quarantine, journal: Journal) {
    this.#units = units;
    this.#quarantine = quarantine;
    this.#journal = journal;
  }

  state(device: string): DeviceState | undefined {
    const unit = this.#units.get(device);
    if (unit === undefined) return undefined;
    const { driver, line, breaker, setups, lastSeen } = unit;
    const setupMs = setups.expectedMs;
    return {
      device,
      protocol: driver.protocol,
      dialect: driver.dialect,
      breaker,
      waiting: line.length,
      quarantine: this.#quarantine
        .list()
        .filter((entry) => entry.device === device)
        .map(({ ports, circuit }) => ({ ports, circuit })),
      capabilities: driver.capabilities,
      ...(lastSeen === undefined ? {} : { lastSeen }),
      ...(setupMs === undefined ? {} : { setupMs }),
    };
  }

  plan(
    kind: ChangeKind,
    segment: Segment,
    context: Pick<LightContext, 'circuit' | 'version' | 'mbps' | 'fence'>,
  ): Promise<readonly PlannedCommands[]> {
    return Promise.all(
      [...byDevice(segment)].map(async ([device, hops]): Promise<PlannedCommands> => {
        const unit = this.#units.get(device);
        if (unit === undefined) return { device, commands: [], error: 'no such device' };
        try {
          const commands: string[] = [];
          for (const hop of hops)
            commands.push(...(await unit.ask(() => unit.driver.plan(kind, connectOf(hop, context)))));
          return { device, commands };
        } catch (error) {
          return { device, commands: [], error: asFault(error).message };
        }
      }),
    );
  }

  orders(circuit: string): readonly DeviceOrder[] {
    return this.#journal.of(circuit);
  }

  async read(device: string): Promise<readonly ObservedConnect[]> {
    const unit = this.#units.get(device);
    if (unit === undefined) throw new Error(`no element ${device} is configured`);
    unit.seen = await unit.ask(() => unit.driver.read());
    return unit.seen;
  }

  async discover(running: TopologyDocument): Promise<Discovery> {
    const views: DeviceView[] = [];
    const unreachable: { device: string; error: string }[] = [];
    await Promise.all(
      [...this.#units.values()].map(async (unit) => {
        try {
          views.push(await unit.ask(() => unit.driver.discover()));
        } catch (error) {
          unreachable.push({ device: unit.driver.device, error: asFault(error).message });
        }
      }),
    );
    // In one order, whoever answered first.
    views.sort((a, b) => (a.device < b.device ? -1 : 1));
    const asked = views.map((view) => view.device);
    // A device without a protocol for neighbours says nothing about what is there or not.
    const telling = views.filter((view) => view.neighbours.length > 0).map((view) => view.device);
    const diff = compareTopology(running, findLinks(views), telling);
    return { asked, unreachable, ...diff, proposed: applyDiff(running, diff) };
  }
}
