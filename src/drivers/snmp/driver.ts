/**
 * Light and dark on one VLAN switch: read, decide, set tied to the switch's own lock, read again, then see that
 * it is really forwarded. Where an agent objects to the order or to the way a row is made, the other is tried from
 * a restored state. A SET without an answer is never repeated: the lock is moved, so that it cannot land late,
 * and then what is there decides.
 */
import { type Clock, sleep } from '../../kernel/clock.ts';
import type { Counters } from '../../model/octets.ts';
import {
  type ApplyContext,
  type ApplyReport,
  type Capabilities,
  type ChangeKind,
  type Connect,
  type DeviceView,
  type Driver,
  Split,
  type WatchEvent,
} from '../driver.ts';
import type { Tell } from '../events.ts';
import { asFault, DeviceFault } from '../fault.ts';
import { ownedBy, ownerOf, sameCircuit, samePlacement } from '../owner.ts';
import type { ObservedConnect } from '../port.ts';
import type { SnmpDialect } from './dialect.ts';
import { numberOf, readCounters, readLldp, readPortsOf } from './inventory.ts';
import { after, type Lock, lockBind } from './lock.ts';
import { Oid } from './oids.ts';
import { NO_PORT, type Scene, SwitchReader } from './reader.ts';
import { type Credentials, SnmpRefusal, SnmpSession } from './session.ts';
import { showStep } from './show.ts';
import {
  type Decision,
  decideDark,
  decideLight,
  decideRestore,
  type Image,
  type Step,
  sendingTo,
  type Way,
  type Wish,
} from './vlan.ts';
import { SwitchWatch } from './watch.ts';
import { nextWay, other } from './ways.ts';

export interface SnmpDriverOptions {
  readonly device: string;
  readonly host: string;
  readonly port?: number;
  readonly credentials: Credentials;
  /** Where ports without a circuit belong; 1 unless the operator has another. */
  readonly idleVlan?: number;
  /** VLANs that we may use between two untagged ports. */
  readonly internalVlans?: readonly [number, number];
  readonly getMs?: number;
  readonly setMs?: number;
  readonly pollMs?: number;
  readonly watchMs?: number;
}

const POLL_MS = 200;
const LONGEST_SETTLE_MS = 60_000;
const INTERNAL: readonly [number, number] = [3_900, 4_094];

export class SnmpDriver implements Driver {
  readonly device: string;
  readonly protocol = 'snmp';
  readonly dialect: string;
  readonly #options: SnmpDriverOptions;
  readonly #clock: Clock;
  readonly #session: SnmpSession;
  readonly #reader: SwitchReader;
  readonly #watch: SwitchWatch;
  #way: Way;

  constructor(options: SnmpDriverOptions, dialect: SnmpDialect, clock: Clock, tell: Tell) {
    this.device = options.device;
    this.dialect = dialect.name;
    this.#options = options;
    this.#way = { order: dialect.order, style: dialect.style };
    this.#clock = clock;
    this.#session = new SnmpSession({ ...options, port: options.port ?? 161 }, clock, tell);
    this.#reader = new SwitchReader(
      this.#session,
      {
        device: options.device,
        dialect,
        internalVlans: options.internalVlans ?? INTERNAL,
        onReboot: () => this.#watch.say({ type: 'rebooted' }),
      },
      tell,
    );
    this.#watch = new SwitchWatch(this.#session, this.#reader, clock, options);
  }

  get capabilities(): Capabilities {
    return {
      layer: 'ethernet',
      labels: 'vlan',
      swapsLabels: false,
      rateLimit: 'none',
      atomicBatch: true,
      fence: this.#reader.hasLock ? 'lock' : 'none',
      events: false,
    };
  }

  async connect(): Promise<void> {
    await this.#reader.known();
  }

  async close(): Promise<void> {
    this.#watch.close();
    this.#session.close();
  }

  get #idle(): number {
    return this.#options.idleVlan ?? 1;
  }

  #decide(kind: ChangeKind, { image, wish }: Scene, way: Way): Decision {
    return kind === 'light'
      ? decideLight(image, wish, way, this.#idle)
      : decideDark(image, wish, way, this.#idle);
  }

  async plan(kind: ChangeKind, connect: Connect): Promise<readonly string[]> {
    const decision = this.#decide(kind, await this.#reader.scene(connect), this.#way);
    if (decision.type === 'rejected') throw new DeviceFault('conflict', `${this.device}: ${decision.detail}`);
    return decision.type === 'steps' ? decision.steps.map(showStep) : [];
  }

  async apply(kind: ChangeKind, connect: Connect, context: ApplyContext): Promise<ApplyReport> {
    const split = new Split(() => this.#clock.now());
    let before: Scene;
    let decision: Decision;
    try {
      before = await split.time('protocol_ms', () => this.#reader.scene(connect));
      decision = this.#decide(kind, before, this.#way);
    } catch (error) {
      return split.failed('rejected', asFault(error));
    }
    if (decision.type === 'rejected') {
      return split.report('rejected', decision.retry, `${this.device}: ${decision.detail}`);
    }
    if (decision.type === 'already' && kind === 'dark') return split.report('already', false, 'not there');
    const undo = (): Promise<boolean> => this.#restore(before, context.stillMaster);
    // A release is never undone: to light what was to be dark is no repair.
    const more = kind === 'light' ? { undo, ...replacedBy(before) } : {};
    try {
      const trouble =
        decision.type === 'steps'
          ? await split.time('protocol_ms', () => this.#carryOut(kind, connect, before, context, split))
          : undefined;
      const missed = await this.#verify(kind, connect, before.wish, context, split);
      if (missed === undefined) {
        return decision.type === 'already'
          ? split.report('already', false, 'there already')
          : split.report('applied', false, kind === 'light' ? 'set' : 'removed', more);
      }
      const why = trouble ?? new DeviceFault('refused', `${this.device}: ${missed}`);
      if (kind === 'dark') return split.failed('rejected', why);
      return (await split.time('protocol_ms', undo))
        ? split.failed('rejected', why)
        : split.failed('unknown', why, more);
    } catch (error) {
      return split.failed('unknown', asFault(error), more);
    }
  }

  /** Tries the ways there are, each from the state before; returns the last trouble, nothing when it went through. */
  async #carryOut(
    kind: ChangeKind,
    connect: Connect,
    before: Scene,
    context: ApplyContext,
    split: Split,
  ): Promise<DeviceFault | undefined> {
    let way = this.#way;
    let scene = before;
    const tried = new Set<string>();
    let looked = false;
    for (;;) {
      tried.add(`${way.order} ${way.style}`);
      const decision = this.#decide(kind, scene, way);
      if (decision.type === 'already') return undefined;
      if (decision.type === 'rejected') return new DeviceFault('conflict', decision.detail);
      const trouble = await this.#run(decision.steps, scene.image, context.stillMaster, split.commands);
      if (trouble === undefined) {
        this.#way = way;
        return undefined;
      }
      // The lock's own refusal says that another writer came between, not that the agent wants it otherwise.
      const { lock } = await this.#reader.known();
      const stale = trouble instanceof SnmpRefusal && lock !== undefined && trouble.oid === lock;
      const next = stale ? undefined : nextWay(way, trouble, tried);
      if (next === undefined) {
        if (!trouble.sent || looked) return trouble;
        // No answer: nothing of it can land any more once the lock has moved; then look and do what is left.
        looked = true;
        await this.#moveLock();
      } else {
        if (trouble.sent) await this.#moveLock();
        if (!(await this.#restore(before, context.stillMaster))) return trouble;
        way = next;
      }
      scene = await this.#reader.scene(connect, before.wish.vlan);
    }
  }

  /** Sends the steps one by one, each tied to the lock. The first trouble ends it. */
  async #run(
    steps: readonly Step[],
    image: Image,
    stillMaster: ApplyContext['stillMaster'],
    sent: string[],
  ): Promise<DeviceFault | undefined> {
    try {
      // The lock was read with what the steps were decided on: nobody can have come between unnoticed.
      const { lock } = await this.#reader.known();
      let held =
        lock === undefined || image.lock === undefined ? undefined : { oid: lock, value: image.lock };
      for (const step of steps) {
        // The order matters: first the lock, then the lease, then the write. A master that came between moves both.
        if (!(await stillMaster())) {
          return new DeviceFault('fenced', `${this.device}: the lease has passed to another broker`);
        }
        sent.push(showStep(step));
        await this.#session.set([...(held === undefined ? [] : [lockBind(held)]), ...step.varbinds]);
        if (held !== undefined) held = { ...held, value: after(held.value) };
      }
      return undefined;
    } catch (error) {
      return asFault(error);
    }
  }

  async #readLock(): Promise<Lock | undefined> {
    const { lock } = await this.#reader.known();
    if (lock === undefined) return undefined;
    const value = numberOf((await this.#session.get([lock]))[0]);
    return value === undefined ? undefined : { oid: lock, value };
  }

  /** Any SET that still carries the old value fails as a whole from here on. */
  async #moveLock(): Promise<void> {
    const lock = await this.#readLock();
    if (lock === undefined) return;
    try {
      await this.#session.set([lockBind(lock)]);
    } catch (error) {
      // Somebody moved it meanwhile: that is as good.
      if (!(error instanceof SnmpRefusal)) throw error;
    }
  }

  /** What was wanted is there, and is forwarded; or what is missing. */
  async #verify(
    kind: ChangeKind,
    connect: Connect,
    wish: Wish,
    context: ApplyContext,
    split: Split,
  ): Promise<string | undefined> {
    const scene = await split.time('verify_ms', () => this.#reader.scene(connect, wish.vlan));
    const row = scene.image.rows.get(wish.vlan);
    const owner = row === undefined ? undefined : ownerOf(row.name);
    if (kind === 'dark') {
      return owner !== undefined && samePlacement(owner, connect.owner) ? 'still there' : undefined;
    }
    if (decideLight(scene.image, { ...wish }, this.#way, this.#idle).type !== 'already') {
      return 'not there after the request';
    }
    const facts = await this.#reader.known();
    if (!facts.current) return undefined;
    const giveUp = Math.min(context.deadline, this.#clock.now() + LONGEST_SETTLE_MS);
    for (;;) {
      if (await split.time('verify_ms', () => this.#reader.forwards(facts, wish))) return undefined;
      if (!(await split.time('verify_ms', () => this.#reader.stillSet(facts, wish)))) return 'gone again';
      if (this.#clock.now() >= giveUp) return 'set, but not forwarded in time';
      await split.time('settle_ms', () => sleep(this.#clock, this.#options.pollMs ?? POLL_MS));
    }
  }

  async #restore(before: Scene, stillMaster: ApplyContext['stillMaster']): Promise<boolean> {
    const { wish } = before;
    try {
      for (const way of [this.#way, { ...this.#way, order: other(this.#way.order) }]) {
        const now = await this.#reader.again(before);
        const steps = decideRestore(before.image, now, wish, way);
        if (steps === undefined) return false;
        if (steps.length === 0) return true;
        await this.#run(steps, now, stillMaster, []);
      }
      const now = await this.#reader.again(before);
      return decideRestore(before.image, now, wish, this.#way)?.length === 0;
    } catch {
      return false;
    }
  }

  async read(): Promise<readonly ObservedConnect[]> {
    const facts = await this.#reader.known();
    const image = await this.#reader.table(facts);
    return [...image.rows].flatMap(([vlan, row]) => {
      const owner = ownerOf(row.name);
      const members = [...row.egress];
      if (owner === undefined) {
        // A VLAN of others with more or fewer ports is no cross-connect, and none of our business.
        if (members.length !== 2 || vlan === this.#idle) return [];
      } else if (members.length < 2) {
        // What a release left that was broken off is still ours, and must be seen to be cleaned up.
        members.push(...sendingTo(image, vlan).filter((port) => !row.egress.has(port)));
      }
      const end = (port: number | undefined): { port: string; label: number } => ({
        port: port === undefined ? NO_PORT : (facts.nameOf.get(port) ?? `${port}`),
        label: port !== undefined && row.untagged.has(port) ? 0 : vlan,
      });
      const [a, z] = members.length < 2 ? [] : members;
      return [{ device: this.device, in: end(a), out: end(z), ...ownedBy(owner) }];
    });
  }

  async discover(): Promise<DeviceView> {
    const facts = await this.#reader.known();
    const [ports, lldp, connects, [boots]] = await Promise.all([
      readPortsOf(this.#session, facts),
      readLldp(this.#session),
      this.read(),
      this.#session.get([Oid.snmpEngineBoots]),
    ]);
    return {
      device: this.device,
      identity: lldp.identities[0] ?? this.device,
      ports,
      neighbours: lldp.neighbours,
      connects,
      bootId: `${numberOf(boots) ?? ''}`,
    };
  }

  /** Octets through a port, for accounting; undefined where the switch has no 64-bit counters. */
  async counters(port: string): Promise<Counters | undefined> {
    const facts = await this.#reader.known();
    const ifIndex = facts.ifIndexOf.get(facts.portOf.get(port) ?? 0);
    return ifIndex === undefined ? undefined : readCounters(this.#session, ifIndex);
  }

  watch(listener: (event: WatchEvent) => void): () => void {
    return this.#watch.add(listener);
  }

  hear(datagram: Buffer, address: string): boolean {
    return this.#watch.hear(datagram, address);
  }

  poll(): Promise<void> {
    return this.#watch.poll();
  }
}

/** The older placement whose row stood there. */
function replacedBy({ image, wish }: Scene): { replaced?: number } {
  const versions = [...image.rows.values()]
    .map((row) => ({ row, owner: ownerOf(row.name) }))
    .filter(
      ({ owner }) =>
        owner !== undefined && sameCircuit(owner, wish.owner) && owner.version < wish.owner.version,
    )
    .filter(({ row }) => image.rows.get(wish.vlan) === row || wish.untagged.some((p) => row.egress.has(p)))
    .map(({ owner }) => owner?.version ?? 0);
  return versions.length === 0 ? {} : { replaced: Math.max(...versions) };
}
