/**
 * A device that is none: cross-connects kept in this process's memory, by port and label. It is named as such
 * wherever it shows, lights nothing, and forgets everything when the process ends, so that a restart has to
 * bring back what should shine. It refuses what a real element refuses: a port and label that another
 * circuit has, the whole of a port beside single labels, orders from an older epoch. Delays and failures
 * come from a seed.
 */

import type {
  DeviceReport,
  Devices,
  ElementReport,
  LightContext,
  ObservedConnect,
} from '../broker/devices/devicePorts.ts';
import type {
  DeviceOrder,
  DeviceState,
  Discovery,
  Inspection,
  PlannedCommands,
} from '../broker/devices/inspection.ts';
import { type Clock, sleep } from '../kernel/clock.ts';
import type { CircuitId } from '../kernel/ids.ts';
import type { Random } from '../kernel/random.ts';
import type { Attachment, Hop, Segment } from '../model/circuit.ts';
import { type Label, UNTAGGED } from '../model/label.ts';
import { SetupTimes } from './setupTimes.ts';

interface MemoryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The longest that one order takes; each draws its own time below it. */
  readonly delayMs?: number;
  /** The shortest. */
  readonly leastDelayMs?: number;
  /** The share of orders that fail and are worth a retry. */
  readonly failureRatio?: number;
}

/** A cross-connect, and the versions of one circuit that want it; none means that it is not ours. */
interface Entry {
  readonly device: string;
  readonly hop: Hop;
  readonly circuit?: CircuitId;
  readonly versions: Set<number>;
}

type Outcome = ElementReport['outcome'];

export class MemoryDevices implements Devices {
  readonly #options: MemoryOptions;
  readonly #connects = new Map<string, Entry>();
  /** What is taken on a port: by `device port`, then by label. A label may serve several versions of one circuit. */
  readonly #taken = new Map<string, Map<Label, Set<Entry>>>();
  /** Orders for one device follow each other, as they would on its one management session. */
  readonly #queues = new Map<string, Promise<unknown>>();
  readonly #setups = new SetupTimes();
  #fence = 0;

  constructor(options: MemoryOptions) {
    this.#options = options;
  }

  async light(segment: Segment, context: LightContext): Promise<DeviceReport> {
    const { clock } = this.#options;
    const begun = clock.now();
    const report = await this.#order(segment, context, () => {
      if (clock.now() >= context.deadline) return refused('the deadline has passed', true);
      const clash = segment.hops
        .map((hop) => this.#clash(hop, context.circuit))
        .find((text) => text !== undefined);
      if (clash !== undefined) return refused(clash, false);
      return done(segment, (hop) => this.#connect(hop, context));
    });
    if (report.ok) this.#setups.note(clock.now() - begun);
    return report;
  }

  setupMs(): number | undefined {
    return this.#setups.expectedMs;
  }

  dark(segment: Segment, context: LightContext): Promise<DeviceReport> {
    return this.#order(segment, context, () => done(segment, (hop) => this.#disconnect(hop, context)));
  }

  async observe(): Promise<readonly ObservedConnect[]> {
    return [...this.#connects.values()].flatMap(({ hop, circuit, versions }) =>
      circuit === undefined
        ? [hop]
        : [...versions].map((version) => ({ ...hop, owner: { circuit, version } })),
    );
  }

  /** A cross-connect that somebody else has made on the element by hand. */
  plant(hop: Hop): void {
    this.#add({ device: hop.device, hop, versions: new Set() });
  }

  /** The element loses its table, as after a reboot without a saved configuration. */
  forget(): void {
    this.#connects.clear();
    this.#taken.clear();
  }

  async #order(
    segment: Segment,
    context: LightContext,
    act: () => { readonly report: DeviceReport },
  ): Promise<DeviceReport> {
    const devices = [...new Set(segment.hops.map((hop) => hop.device))].sort();
    const before = Promise.all(devices.map((device) => this.#queues.get(device)));
    const answer = before.then(async () => {
      // Chance is drawn when the order's turn comes, so that a seed gives the same run.
      const { random, failureRatio = 0, delayMs = 0, leastDelayMs = 0 } = this.#options;
      const wait = leastDelayMs + (delayMs > leastDelayMs ? random.int(delayMs - leastDelayMs) : 0);
      const fails = failureRatio > 0 && random.int(1_000_000) < failureRatio * 1_000_000;
      if (wait > 0) await sleep(this.#options.clock, wait);
      if (context.fence < this.#fence)
        return refused(`epoch ${context.fence} has been succeeded by ${this.#fence}`, false).report;
      this.#fence = context.fence;
      return fails ? refused('the memory device was told to fail now and then', true).report : act().report;
    });
    for (const device of devices) this.#queues.set(device, answer);
    return answer;
  }

  /** Why `circuit` may not have this cross-connect, or undefined. */
  #clash(hop: Hop, circuit: CircuitId): string | undefined {
    for (const side of [hop.in, hop.out]) {
      for (const [label, entries] of this.#taken.get(portKey(hop.device, side)) ?? []) {
        const meets = label === side.label || label === UNTAGGED || side.label === UNTAGGED;
        if (!meets) continue;
        for (const entry of entries) {
          if (entry.circuit === circuit) continue;
          const owner = entry.circuit ?? 'somebody else';
          return `${hop.device} port ${side.port} label ${side.label} is taken by ${owner}`;
        }
      }
    }
    return undefined;
  }

  #connect(hop: Hop, { circuit, version }: LightContext): Outcome {
    const known = this.#connects.get(hopKey(hop, circuit));
    if (known === undefined) {
      this.#add({ device: hop.device, hop, circuit, versions: new Set([version]) });
      return 'applied';
    }
    if (known.versions.has(version)) return 'already';
    known.versions.add(version);
    return 'applied';
  }

  #disconnect(hop: Hop, { circuit, version }: LightContext): Outcome {
    const key = hopKey(hop, circuit);
    const known = this.#connects.get(key);
    if (known === undefined || !known.versions.delete(version)) return 'already';
    if (known.versions.size > 0) return 'applied';
    this.#connects.delete(key);
    for (const side of [hop.in, hop.out]) {
      const labels = this.#taken.get(portKey(hop.device, side));
      const entries = labels?.get(side.label);
      entries?.delete(known);
      if (entries?.size === 0) labels?.delete(side.label);
    }
    return 'applied';
  }

  #add(entry: Entry): void {
    const { hop, circuit } = entry;
    this.#connects.set(hopKey(hop, circuit), entry);
    for (const side of [hop.in, hop.out]) {
      const key = portKey(hop.device, side);
      const labels = this.#taken.get(key) ?? new Map<Label, Set<Entry>>();
      this.#taken.set(key, labels);
      const entries = labels.get(side.label) ?? new Set<Entry>();
      labels.set(side.label, entries);
      entries.add(entry);
    }
  }
}

/** Says of every device that it is in memory, so that nobody takes it for more. No commands: nothing is sent. */
export function memoryInspection(devices: MemoryDevices): Inspection {
  return {
    state: (device): DeviceState => ({
      device,
      protocol: 'memory',
      dialect: 'memory',
      breaker: 'CLOSED',
      waiting: 0,
      quarantine: [],
    }),
    plan: (): Promise<readonly PlannedCommands[]> => Promise.resolve([]),
    orders: (): readonly DeviceOrder[] => [],
    read: async (device) => (await devices.observe()).filter((connect) => connect.device === device),
    // It has no neighbours to tell of: the network is as it is written.
    discover: (running): Promise<Discovery> =>
      Promise.resolve({
        asked: [],
        unreachable: [],
        add: [],
        remove: [],
        capacity: [],
        unplaced: [],
        doubts: [],
        proposed: running,
      }),
  };
}

const portKey = (device: string, side: Attachment): string => `${device} ${side.port}`;

/** A cross-connect has no direction: A to Z is Z to A. Versions of one circuit share it. */
function hopKey(hop: Hop, circuit: CircuitId | undefined): string {
  const [one, two] = [`${hop.in.port} ${hop.in.label}`, `${hop.out.port} ${hop.out.label}`].sort();
  return `${hop.device} ${one} ${two} ${circuit ?? ''}`;
}

const element = (device: string, outcome: Outcome): ElementReport => ({
  device,
  outcome,
  queue_ms: 0,
  protocol_ms: 0,
  settle_ms: 0,
  verify_ms: 0,
});

function refused(detail: string, retry: boolean): { readonly report: DeviceReport } {
  return { report: { ok: false, retry, detail, elements: [] } };
}

function done(segment: Segment, act: (hop: Hop) => Outcome): { readonly report: DeviceReport } {
  const outcomes = new Map<string, Outcome>();
  for (const hop of segment.hops) {
    const outcome = act(hop);
    // A device is only "already" there when all its cross-connects were.
    if (outcomes.get(hop.device) !== 'applied') outcomes.set(hop.device, outcome);
  }
  const elements = [...outcomes].map(([device, outcome]) => element(device, outcome));
  return { report: { ok: true, retry: false, detail: 'kept in memory', elements } };
}
