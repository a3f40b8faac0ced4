/**
 * The election: takes the lease, serves a term while it lasts, stands by when another instance has it, and
 * tries again for ever. Who is in office decides; everybody else answers NOT_LEADER.
 */
import { type Cancel, every } from '../kernel/clock.ts';
import { BrokerError, textOf } from '../kernel/errors.ts';
import { seedPolicy } from './aaa/policy.ts';
import { AuditMismatch } from './audit/auditStart.ts';
import type { BrokerPorts } from './brokerPorts.ts';
import type { Readiness } from './calls.ts';
import { PortWatch } from './devices/portStates.ts';
import { type EventRecord, StoreError, type TopologyRecord } from './ports.ts';
import { Term } from './term.ts';

/** A leader that has not renewed for so long is replaced. */
const LEASE_TTL_MS = 6_000;

export class Office {
  readonly #ports: BrokerPorts;
  readonly #ttl: number;
  readonly #events: (records: readonly EventRecord[]) => void;
  #term: Term | undefined;
  #role: Readiness['role'] = 'STARTING';
  #leader: string | undefined;
  /** Why this instance will not serve until somebody has looked and started it again. */
  #refusal: string | undefined;
  #storeState: 'OK' | 'UNAVAILABLE' = 'OK';
  #stopKeeping: Cancel = () => {};
  /** Outlives terms: what devices have told is as true for the next. */
  readonly #portWatch = new PortWatch();
  /** One question about the lease at a time, however slow the store. */
  #asking = false;

  constructor(ports: BrokerPorts, events: (records: readonly EventRecord[]) => void) {
    this.#ports = ports;
    this.#ttl = ports.leaseTtlMs ?? LEASE_TTL_MS;
    this.#events = events;
  }

  async start(): Promise<void> {
    await this.#campaign();
    this.#stopKeeping = every(this.#ports.clock, Math.floor(this.#ttl / 3), () => void this.#keep());
  }

  /** Finishes what is queued, gives the lease back, and leaves the rest to whoever comes next. */
  async stop(): Promise<void> {
    this.#role = 'STOPPING';
    this.#stopKeeping();
    const term = this.#term;
    if (term === undefined) return;
    term.writer.close(stopping());
    term.end();
    await term.writer.drained();
    this.#term = undefined;
    await this.#ports.store.releaseLease(this.#ports.holder, term.epoch);
    this.#ports.log.info({ event: 'broker.stopped', domain: this.#ports.domain, reason: 'asked to' });
  }

  get term(): Term | undefined {
    return this.#term;
  }

  /** The term in office, or the refusal that says who is. */
  now(): Term {
    if (this.#term !== undefined) return this.#term;
    if (this.#role === 'STOPPING') throw stopping();
    if (this.#refusal !== undefined) throw new BrokerError('NOT_LEADER', this.#refusal);
    const detail =
      this.#leader === undefined ? 'this instance is not in office' : `${this.#leader} is in office`;
    throw new BrokerError('NOT_LEADER', detail, { retry_after_s: Math.ceil(this.#ttl / 1000) });
  }

  /** Something may have changed on a device: compare now, not at the next round. */
  devicesChanged(): void {
    this.#term?.compareNow();
  }
  /** A device has fallen silent, or answers again. */
  lookWhoAnswers(): void {
    this.#term?.lookWhoAnswers();
  }
  /** A device tells of its ports: has each light? */
  portStates(device: string, ports: readonly { readonly name: string; readonly up: boolean }[]): void {
    this.#portWatch.note(device, ports);
    this.#follow(device, new Set(ports.map(({ name }) => name)));
  }
  #follow(device: string, ports: ReadonlySet<string>): void {
    this.#term?.portStates(this.#portWatch.known, device, ports).catch((error: unknown) => {
      this.#ports.log.warn({ event: 'settle.failed', error: `ports of ${device}: ${textOf(error)}` });
    });
  }

  readiness(): Readiness {
    const term = this.#term;
    const store = term?.writer.full === true ? 'FULL' : this.#storeState;
    return {
      ready: this.#role === 'LEADER' && store !== 'UNAVAILABLE',
      role: this.#role,
      epoch: term?.epoch ?? 0,
      store,
      clock: this.#ports.clock.now(),
      liveCircuits: term?.book.circuits.size ?? 0,
      effectsWaiting: term?.lanes.waiting ?? 0,
      ...(this.#refusal === undefined ? {} : { refusal: this.#refusal }),
      ...(term === undefined ? {} : { policy: policyOf(term) }),
      ...(this.#leader === undefined ? {} : { leader: this.#leader }),
    };
  }

  async #campaign(): Promise<void> {
    const { store, holder, log } = this.#ports;
    const answer = await store.acquireLease(holder, this.#ttl);
    if (!answer.held) {
      if (this.#leader !== answer.leader) log.info({ event: 'lease.standby', holder, leader: answer.leader });
      this.#leader = answer.leader;
      this.#role = 'STANDBY';
      return;
    }
    this.#leader = holder;
    log.info({ event: 'lease.acquired', holder, epoch: answer.epoch });
    await this.#begin(answer.epoch);
  }

  async #begin(epoch: number): Promise<void> {
    const { store, clock, log, domain } = this.#ports;
    const began = clock.now();
    const stored = await store.topology();
    const topology: TopologyRecord = stored ?? {
      version: 1,
      time: clock.now(),
      document: this.#ports.seedTopology,
    };
    let term: Term;
    try {
      term = await Term.begin(epoch, topology, this.#ports, {
        events: this.#events,
        lost: (error) => this.#lost(error, epoch),
      });
    } catch (error) {
      if (!(error instanceof AuditMismatch)) throw error;
      await this.#refuse(error.message, epoch);
      return;
    }
    if (stored === undefined) await term.writer.submit((tx) => tx.setTopology(topology));
    const ring = term.tokens?.ring;
    if (ring?.incomplete === true) await term.writer.submit((tx) => ring.make(tx));
    if (term.book.rules.activation === undefined)
      await term.writer.submit((tx) => seedPolicy(tx, this.#ports.random, this.#ports.policy.seed));
    // Asked to stop while the store was being read: nobody is to find a term that has no end.
    if (this.#role === 'STOPPING') {
      term.end();
      await store.releaseLease(this.#ports.holder, epoch);
      return;
    }
    this.#term = term;
    this.#role = 'LEADER';
    term.run();
    for (const [device, ports] of this.#portWatch.known) this.#follow(device, new Set(ports.keys()));
    log.info({
      event: 'broker.started',
      domain,
      epoch,
      circuits: term.book.circuits.size,
      ms: clock.now() - began,
    });
  }

  /** The log is not to be added to: the process stays, to say why, and leaves the lease to others. */
  async #refuse(refusal: string, epoch: number): Promise<void> {
    const { store, holder, log } = this.#ports;
    this.#refusal = refusal;
    this.#role = 'STANDBY';
    this.#leader = undefined;
    log.error({ event: 'audit.refused', detail: refusal });
    await store.releaseLease(holder, epoch);
  }

  async #keep(): Promise<void> {
    if (this.#refusal !== undefined) return;
    if (this.#role === 'STOPPING' || this.#asking) return;
    this.#asking = true;
    const { store, holder, log } = this.#ports;
    const epoch = this.#term?.epoch ?? 0;
    try {
      if (this.#term === undefined) await this.#campaign();
      else if (!(await store.renewLease(holder, epoch, this.#ttl))) {
        this.#lost(new StoreError('FENCED', 'the lease lapsed and was taken'), epoch);
      }
      this.#storeState = 'OK';
    } catch (error) {
      this.#storeState = 'UNAVAILABLE';
      log.error({
        event: 'lease.lost',
        holder,
        epoch,
        detail: textOf(error),
      });
    } finally {
      this.#asking = false;
    }
  }

  #lost(error: StoreError, epoch: number): void {
    if (this.#term?.epoch !== epoch || this.#role === 'STOPPING') return;
    this.#term.writer.close(
      new BrokerError('NOT_LEADER', 'this instance lost its lease', { retry_after_s: 2 }),
    );
    this.#term.end();
    this.#term = undefined;
    this.#role = 'STANDBY';
    this.#leader = undefined;
    this.#ports.log.error({ event: 'lease.lost', holder: this.#ports.holder, epoch, detail: error.message });
    this.#ports.onLost?.(error);
  }
}

function policyOf({ book: { rules } }: Term): NonNullable<Readiness['policy']> {
  const { policyId, policies } = rules;
  return {
    state: policies.closed === undefined ? 'IN_FORCE' : 'CLOSED',
    ...(policyId === undefined ? {} : { id: policyId }),
    ...(policies.closed === undefined ? {} : { detail: policies.closed }),
  };
}

const stopping = (): BrokerError =>
  new BrokerError('STOPPING', 'the broker is stopping', { retry_after_s: 5 });
