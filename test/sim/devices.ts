/**
 * Emulated switches. They outlive the broker, answer late, fail now and then with or without having done what
 * was asked, fall silent for a while, and forget everything in a reboot. They refuse an older epoch and light
 * whose deadline has passed, as a driver would, but nothing else: two circuits on one label are for the
 * checkers to find.
 */
import type {
  DeviceReport,
  Devices,
  LightContext,
  ObservedConnect,
} from '../../src/broker/devices/devicePorts.ts';
import type { Clock, InstantMs } from '../../src/kernel/clock.ts';
import type { seededRandom } from '../../src/kernel/random.ts';
import type { Hop, Segment } from '../../src/model/circuit.ts';
import { hopKey } from '../../src/model/desired.ts';
import type { SimClock } from './clock.ts';
import type { Owner } from './gate.ts';

export type Dice = ReturnType<typeof seededRandom>;

/** One circuit's cross-connect, with the versions that want it. */
export interface Lit {
  readonly hop: Hop;
  readonly circuit: LightContext['circuit'];
  readonly versions: Set<number>;
  mbps: number;
}

export interface DeviceFaults {
  /** How often an order fails. */
  readonly fails: number;
  readonly slow: number;
  /** How often an order is long under way before the device has it. */
  readonly astray: number;
}

interface Order {
  readonly kind: 'light' | 'dark';
  readonly hops: readonly Hop[];
  readonly context: LightContext;
}

type Answer = 'applied' | 'already' | 'rejected' | 'unknown';

/** An order that got no answer is given up after this long. */
const TIMEOUT_MS = 5_000;
const ASTRAY_MS = 20_000;

export class SimDevice {
  readonly name: string;
  readonly lit = new Map<string, Lit>();
  mutedUntil = 0;
  /** Versions of circuits that shone here before a reboot, until each is ordered again. */
  readonly forgotten = new Set<string>();
  /** The last order for each version of a circuit, and whether it was answered. */
  readonly told = new Map<
    string,
    { readonly kind: Order['kind']; readonly at: InstantMs; answered: boolean }
  >();
  #fence = 0;
  #tail: Promise<unknown> = Promise.resolve();
  readonly #clock: SimClock;
  readonly #looseFence: boolean;

  /** `looseFence` is a fault to be planted: the epoch is looked at before an order waits for its turn, not after. */
  constructor(name: string, clock: SimClock, looseFence = false) {
    this.name = name;
    this.#clock = clock;
    this.#looseFence = looseFence;
  }

  get muted(): boolean {
    return this.#clock.now() < this.mutedUntil;
  }

  reboot(): void {
    for (const { circuit, versions } of this.lit.values())
      for (const version of versions) this.forgotten.add(`${circuit} v${version}`);
    this.lit.clear();
  }

  /** Orders are carried out one after another, in the order in which they reach the device. */
  async order(order: Order, dice: Dice, faults: DeviceFaults, watch: Clock): Promise<Answer> {
    const wasOld = this.#looseFence ? this.#isOld(order) : undefined;
    if (dice.chance(faults.astray)) await this.#clock.sleep(dice.int(ASTRAY_MS));
    const told = { kind: order.kind, at: watch.now(), answered: false };
    this.told.set(`${order.context.circuit} v${order.context.version}`, told);
    const done = this.#tail.then(async () => {
      const answer = await this.#carryOut(order, dice, faults, watch, wasOld);
      told.answered = answer === 'applied' || answer === 'already';
      return answer;
    });
    this.#tail = done.catch(() => undefined);
    return done;
  }

  async #carryOut(
    order: Order,
    dice: Dice,
    faults: DeviceFaults,
    watch: Clock,
    wasOld: boolean | undefined,
  ): Promise<Answer> {
    const { context, kind } = order;
    await this.#clock.sleep(dice.chance(faults.slow) ? 1_000 + dice.int(4_000) : 10 + dice.int(300));
    if (this.muted) {
      await this.#clock.sleep(TIMEOUT_MS);
      return 'unknown';
    }
    const fails = dice.chance(faults.fails);
    const applies = !fails || dice.chance(0.5);
    if (wasOld ?? this.#isOld(order)) return 'rejected';
    this.#fence = Math.max(this.#fence, context.fence);
    if (kind === 'light' && watch.now() >= context.deadline) return 'rejected';
    const answer = applies ? this.#apply(order) : 'unknown';
    if (fails) {
      await this.#clock.sleep(TIMEOUT_MS);
      return 'unknown';
    }
    return answer;
  }

  #isOld({ context }: Order): boolean {
    return context.fence < this.#fence;
  }

  #apply({ kind, hops, context }: Order): Answer {
    let changed = false;
    this.forgotten.delete(`${context.circuit} v${context.version}`);
    for (const hop of hops) {
      const key = `${hopKey(hop)} ${context.circuit}`;
      const known = this.lit.get(key);
      if (kind === 'light') {
        if (known?.versions.has(context.version) === true && known.mbps === context.mbps) continue;
        const lit = known ?? { hop, circuit: context.circuit, versions: new Set<number>(), mbps: 0 };
        lit.versions.add(context.version);
        lit.mbps = context.mbps;
        this.lit.set(key, lit);
        changed = true;
      } else if (known?.versions.delete(context.version) === true) {
        if (known.versions.size === 0) this.lit.delete(key);
        changed = true;
      }
    }
    return changed ? 'applied' : 'already';
  }
}

/** One process's way to the devices of its domain. */
export class SimDevices implements Devices {
  /** Circuits with orders that no answer has come to yet; the next order waits for it. */
  readonly underWay = new Map<string, number>();
  /** When the last order for a circuit came back, however it went. */
  readonly lastBack = new Map<string, InstantMs>();
  readonly #devices: ReadonlyMap<string, SimDevice>;
  readonly #owner: Owner;
  readonly #watch: Clock;
  readonly #dice: Dice;
  readonly #faults: () => DeviceFaults;
  readonly #setupMs: number;
  readonly #note: (text: string) => void;
  readonly #asked: (order: Order) => void;

  constructor(
    devices: ReadonlyMap<string, SimDevice>,
    owner: Owner,
    watch: Clock,
    dice: Dice,
    faults: () => DeviceFaults,
    setupMs: number,
    note: (text: string) => void,
    asked: (order: Order) => void,
  ) {
    this.#devices = devices;
    this.#owner = owner;
    this.#watch = watch;
    this.#dice = dice;
    this.#faults = faults;
    this.#setupMs = setupMs;
    this.#note = note;
    this.#asked = asked;
  }

  setupMs(): number {
    return this.#setupMs;
  }
  light(segment: Segment, context: LightContext): Promise<DeviceReport> {
    return this.#order('light', segment, context);
  }
  dark(segment: Segment, context: LightContext): Promise<DeviceReport> {
    return this.#order('dark', segment, context);
  }

  async observe(): Promise<readonly ObservedConnect[]> {
    const found: ObservedConnect[] = [];
    for (const device of this.#devices.values()) {
      if (device.muted) throw new Error(`${device.name} does not answer`);
      for (const { hop, circuit, versions } of device.lit.values())
        for (const version of versions) found.push({ ...hop, owner: { circuit, version } });
    }
    return found;
  }

  async #order(kind: 'light' | 'dark', segment: Segment, context: LightContext): Promise<DeviceReport> {
    if (!this.#owner.alive) return new Promise(() => {});
    this.#asked({ kind, hops: segment.hops, context });
    const names = [...new Set(segment.hops.map((hop) => hop.device))];
    this.underWay.set(context.circuit, (this.underWay.get(context.circuit) ?? 0) + 1);
    const answers = await Promise.all(
      names.map(async (name) => {
        const device = this.#devices.get(name);
        if (device === undefined) return 'rejected' as const;
        const hops = segment.hops.filter((hop) => hop.device === name);
        return device.order({ kind, hops, context }, this.#dice, this.#faults(), this.#watch);
      }),
    );
    this.underWay.set(context.circuit, (this.underWay.get(context.circuit) ?? 1) - 1);
    this.lastBack.set(context.circuit, this.#watch.now());
    this.#note(`${this.#owner.name} ${kind} ${context.circuit} v${context.version} ${answers.join(' ')}`);
    if (!this.#owner.alive) return new Promise(() => {});
    const ok = answers.every((answer) => answer === 'applied' || answer === 'already');
    return {
      ok,
      retry: !ok,
      detail: ok ? 'as asked' : 'a device did not do it',
      elements: names.map((device, i) => ({
        device,
        outcome: answers[i] as Answer,
        queue_ms: 0,
        protocol_ms: 0,
        settle_ms: 0,
        verify_ms: 0,
      })),
    };
  }
}
