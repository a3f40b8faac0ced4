/**
 * The broker's Devices: all devices of a path at once, each device one order at a time, all or nothing for
 * light. What went through on one device is taken back when another fails, and the taking back is looked at;
 * where that fails the ports are quarantined. A device that does not answer is left alone for a while and delays
 * nobody else. No protocol here, no sockets; time from the clock, so that a simulation runs this very code.
 */
import { type Clock, type InstantMs, instant } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import type { Hop, Segment } from '../model/circuit.ts';
import type { Counters } from '../model/octets.ts';
import type { OutOfReach } from '../topology/network.ts';
import type { ApplyReport, ChangeKind, Driver, PortState } from './driver.ts';
import type { Tell } from './events.ts';
import { asFault } from './fault.ts';
import { Inspector } from './inspector.ts';
import { Journal } from './journal.ts';
import type {
  DeviceReport,
  Devices,
  ElementReport,
  Inspection,
  LightContext,
  ObservedConnect,
  Outcome,
} from './port.ts';
import { Quarantine } from './quarantine.ts';
import { broken, byDevice, connectOf, elementReport, portsOf, summary } from './report.ts';
import { SILENCE, Unit } from './unit.ts';

export interface ExecutorOptions {
  readonly drivers: readonly Driver[];
  readonly clock: Clock;
  readonly random: Random;
  readonly tell: Tell;
  /** Does the lease that an order carries still hold? Asked right before each write. */
  readonly stillMaster?: (fence: number) => boolean | Promise<boolean>;
}

/** What one device did for one order, over all its hops. */
interface Done {
  readonly unit: Unit | undefined;
  readonly hops: readonly Hop[];
  readonly outcome: Outcome;
  readonly retry: boolean;
  readonly detail: string;
  readonly report: ElementReport;
  readonly undos: readonly (() => Promise<boolean>)[];
  readonly replaced: number | undefined;
}

/** A release carries no deadline of its own: it is given this long to come to an end. */
const DARK_MS = 60_000;

export class Executor implements Devices {
  readonly #options: ExecutorOptions;
  readonly #units = new Map<string, Unit>();
  readonly #quarantine: Quarantine;
  readonly #journal = new Journal();
  /** What can be asked of the devices besides. */
  readonly inspection: Inspection;
  /** How to bring back the placement that a newer one of the same circuit took the place of. */
  readonly #replaced = new Map<
    string,
    { version: number; older: number; undos: readonly (() => Promise<boolean>)[] }
  >();
  readonly #stopWatching: (() => void)[] = [];
  #highestFence = 0;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#quarantine = new Quarantine(options.clock, options.tell);
    for (const driver of options.drivers) {
      const { clock, random, tell } = options;
      this.#units.set(driver.device, new Unit(driver, clock, random, tell));
    }
    this.inspection = new Inspector(this.#units, this.#quarantine, this.#journal);
  }

  /** Warms all sessions; a device that is not there yet is met again with its first order. */
  async connect(): Promise<void> {
    await Promise.allSettled(
      [...this.#units.values()].map(async (unit) => {
        try {
          await unit.ask(() => unit.driver.connect());
        } catch (error) {
          const { device } = unit.driver;
          this.#options.tell({ event: 'device.unreachable', device, error: asFault(error).message });
        }
      }),
    );
  }

  async light(segment: Segment, context: LightContext): Promise<DeviceReport> {
    const done = await this.#everywhere('light', segment, context, context.deadline);
    this.#journal.note('light', context.circuit, context.version, this.#options.clock.now(), done);
    const failed = done.filter(({ outcome }) => outcome === 'rejected' || outcome === 'unknown');
    if (failed.length === 0) {
      for (const one of done) this.#remember(one, context);
      return summary(true, false, 'set and read back', done);
    }
    const stuck = await this.#takeBack(done, context);
    const detail = [...failed, ...stuck].map((one) => one.detail).join('; ');
    return summary(false, failed.some((one) => one.retry) || stuck.length > 0, detail, done);
  }

  async dark(segment: Segment, context: LightContext): Promise<DeviceReport> {
    const deadline = instant(Math.max(context.deadline, this.#options.clock.now() + DARK_MS));
    const done = await this.#everywhere('dark', segment, context, deadline);
    this.#journal.note('dark', context.circuit, context.version, this.#options.clock.now(), done);
    const failed = done.filter(({ outcome }) => outcome === 'rejected' || outcome === 'unknown');
    if (failed.length === 0) return summary(true, false, 'removed and read back', done);
    return summary(
      false,
      failed.some((one) => one.retry),
      failed.map((one) => one.detail).join('; '),
      done,
    );
  }

  /**
   * What is set everywhere. A device that cannot be read is reported as it was seen last: that nobody can see
   * its cross-connects does not put them out.
   */
  async observe(): Promise<readonly ObservedConnect[]> {
    const views = await Promise.all(
      [...this.#units.values()].map(async (unit) => {
        try {
          unit.seen = await unit.ask(() => unit.driver.read());
        } catch (error) {
          const { device } = unit.driver;
          this.#options.tell({ event: 'device.unreachable', device, error: asFault(error).message });
        }
        return unit.seen ?? [];
      }),
    );
    return views.flat();
  }

  /** Calls when a device has restarted, or was changed by somebody else: look again; and tells of its ports. */
  watch(
    listener: (device: string) => void,
    ports: (device: string, ports: readonly PortState[]) => void = () => {},
  ): void {
    const { tell } = this.#options;
    for (const { driver } of this.#units.values()) {
      const { device } = driver;
      const stop = driver.watch((event) => {
        if (event.type === 'ports') {
          ports(device, event.ports);
          return;
        }
        const foreign = event.type === 'rebooted' || event.foreign;
        // Our own changes are no news.
        if (!foreign) return;
        if (event.type === 'rebooted') tell({ event: 'device.rebooted', device, detail: 'it has restarted' });
        else tell({ event: 'device.changed', device, detail: event.detail, foreign });
        listener(device);
      });
      this.#stopWatching.push(stop);
    }
  }

  /** How long a path takes to be set: as long as the slowest of its devices. */
  setupMs(segment: Segment): number | undefined {
    const known = segment.hops.flatMap(({ device }) => this.#units.get(device)?.setups.expectedMs ?? []);
    return known.length === 0 ? undefined : Math.max(...known);
  }

  quarantined(): ReturnType<Quarantine['list']> {
    return this.#quarantine.list();
  }

  async counters(device: string, port: string): Promise<Counters | undefined> {
    const unit = this.#units.get(device);
    if (unit?.driver.counters === undefined) return undefined;
    // Who does not answer is counted by the orders that it does not answer, and by observe().
    return unit.ask(async () => unit.driver.counters?.(port)).catch(() => undefined);
  }

  outOfReach(): readonly OutOfReach[] {
    const silent = [...this.#units.values()].filter(({ breaker }) => breaker === 'OPEN');
    return [
      ...silent.map(({ driver: { device } }) => ({ device })),
      ...this.#quarantine.list().map(({ device, ports }) => ({ device, ports })),
    ];
  }

  async close(): Promise<void> {
    for (const stop of this.#stopWatching) stop();
    this.#quarantine.close();
    await Promise.allSettled(this.#options.drivers.map((driver) => driver.close()));
  }

  async #everywhere(
    kind: ChangeKind,
    segment: Segment,
    context: LightContext,
    deadline: InstantMs,
  ): Promise<readonly Done[]> {
    this.#highestFence = Math.max(this.#highestFence, context.fence);
    return Promise.all(
      [...byDevice(segment)].map(([device, hops]) => this.#onDevice(kind, device, hops, context, deadline)),
    );
  }

  async #onDevice(
    kind: ChangeKind,
    device: string,
    hops: readonly Hop[],
    context: LightContext,
    deadline: InstantMs,
  ): Promise<Done> {
    const unit = this.#units.get(device);
    const refuse = (retry: boolean, detail: string, queueMs = 0): Done => ({
      unit,
      hops,
      outcome: 'rejected',
      retry,
      detail: `${device}: ${detail}`,
      report: elementReport(device, 'rejected', queueMs, []),
      undos: [],
      replaced: undefined,
    });
    if (unit === undefined) return refuse(false, 'no such device');
    const { clock } = this.#options;
    const queuedAt = clock.now();
    const turn = unit.line.run(async () => {
      const queueMs = clock.now() - queuedAt;
      if (clock.now() >= deadline) return refuse(true, 'its turn came too late', queueMs);
      if (kind === 'light' && this.#quarantine.holds(device, portsOf(hops), context.circuit)) {
        return refuse(true, 'a port is in quarantine', queueMs);
      }
      if (!unit.enter()) return refuse(true, 'it has not answered lately', queueMs);
      return this.#carryOut(kind, unit, hops, context, deadline, queueMs);
    });
    return turn ?? refuse(true, 'too much is waiting for it');
  }

  /** One device's hops one after another; the first that fails ends it and takes the earlier ones back. */
  async #carryOut(
    kind: ChangeKind,
    unit: Unit,
    hops: readonly Hop[],
    context: LightContext,
    deadline: InstantMs,
    queueMs: number,
  ): Promise<Done> {
    const { clock } = this.#options;
    const { device } = unit.driver;
    const begun = clock.now();
    const reports: ApplyReport[] = [];
    const stillMaster = (): boolean | Promise<boolean> =>
      context.fence >= this.#highestFence && (this.#options.stillMaster?.(context.fence) ?? true);
    for (const hop of hops) {
      const older = kind === 'dark' ? await this.#bringBack(unit, context) : undefined;
      const report =
        older ??
        (await unit.driver
          .apply(kind, connectOf(hop, context), { deadline, stillMaster })
          .catch((error: unknown): ApplyReport => broken(asFault(error).message)));
      reports.push(report);
      if (report.outcome === 'rejected' || report.outcome === 'unknown') break;
    }
    if (reports.some(({ fault }) => fault !== undefined && SILENCE.has(fault))) unit.silent();
    else unit.answered();
    const last = reports.at(-1) ?? broken('no hop');
    const outcome: Outcome = reports.some((r) => r.outcome === 'unknown')
      ? 'unknown'
      : last.outcome === 'rejected'
        ? 'rejected'
        : reports.some((r) => r.outcome === 'applied')
          ? 'applied'
          : 'already';
    if (kind === 'light' && outcome === 'applied') unit.setups.note(clock.now() - begun);
    if (kind === 'light' && outcome !== 'unknown')
      this.#quarantine.lift(device, portsOf(hops), context.circuit);
    return {
      unit,
      hops,
      outcome,
      retry: last.retry,
      detail: last.detail,
      report: elementReport(device, outcome, queueMs, reports),
      undos: reports.flatMap(({ undo }) => (undo === undefined ? [] : [undo])).toReversed(),
      replaced: reports.find(({ replaced }) => replaced !== undefined)?.replaced,
    };
  }

  /**
   * Takes back what this order did, on all devices at once and after what waits there. Where it cannot be seen to
   * have worked, the ports are closed to others and looked at again later.
   */
  async #takeBack(
    done: readonly Done[],
    context: LightContext,
  ): Promise<readonly { readonly detail: string }[]> {
    const stuck: { detail: string }[] = [];
    await Promise.all(
      done.map(async ({ unit, undos, hops, outcome }) => {
        if (unit === undefined || undos.length === 0) return;
        const { device, capabilities } = unit.driver;
        const back = async (): Promise<boolean> => {
          let all = true;
          for (const undo of undos) all = (await undo().catch(() => false)) && all;
          return all;
        };
        const heal = (): Promise<boolean> => unit.line.run(back) ?? Promise.resolve(false);
        const ok = await heal();
        // Without a lock an order that got no answer may land yet: look a second time, later.
        const mayLand = outcome === 'unknown' && capabilities.fence === 'none';
        if (ok && !mayLand) return;
        if (!ok) {
          this.#options.tell({ event: 'device.rollback_failed', device, circuit: context.circuit });
          stuck.push({ detail: `${device}: could not be put back` });
        }
        const why = ok ? 'an order may land late' : 'not put back';
        this.#quarantine.add(device, portsOf(hops), context.circuit, why, heal);
      }),
    );
    return stuck;
  }

  /** A newer placement that took an older one's place can be taken back without darkness, as long as we know how. */
  #remember({ unit, replaced, undos }: Done, { circuit, version }: LightContext): void {
    if (unit === undefined || replaced === undefined || undos.length === 0) return;
    this.#replaced.set(`${unit.driver.device} ${circuit}`, { version, older: replaced, undos });
  }

  async #bringBack(unit: Unit, { circuit, version }: LightContext): Promise<ApplyReport | undefined> {
    const key = `${unit.driver.device} ${circuit}`;
    const known = this.#replaced.get(key);
    if (known === undefined) return undefined;
    if (known.version !== version) {
      // The older one is released: there is no way back to it.
      if (known.older === version) this.#replaced.delete(key);
      return undefined;
    }
    this.#replaced.delete(key);
    const before = this.#options.clock.now();
    for (const undo of known.undos) if (!(await undo().catch(() => false))) return undefined;
    return {
      outcome: 'applied',
      retry: false,
      detail: `placement ${known.older} is in its place again`,
      protocol_ms: this.#options.clock.now() - before,
      settle_ms: 0,
      verify_ms: 0,
      commands: [],
    };
  }
}
