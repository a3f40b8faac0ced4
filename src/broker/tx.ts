/**
 * One decision under way: what it reads is the book, what it changes it changes there at once, and what it
 * wants stored it collects here. A decision may be run again from the start after it was undone, so it must
 * depend on nothing but the book, the clock and its own arguments.
 */
import type { PolicySet } from '../aaa/policySet.ts';
import { schemaSha256 } from '../aaa/schema.ts';
import { invariant } from '../kernel/assert.ts';
import type { InstantMs } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import type { CircuitId, WebhookId } from '../kernel/ids.ts';
import type { Circuit } from '../model/circuit.ts';
import type { Effect } from '../model/effects.ts';
import type { CircuitEvent } from '../model/events.ts';
import { allowed, step } from '../model/lifecycle.ts';
import type { Posting, ProjectRecord, QuotaRecord, UsageRecord } from './aaa/accountRecords.ts';
import type { PolicyActivation, PolicyRecord } from './aaa/policyPorts.ts';
import { announce, describeStep, snapshot } from './announce.ts';
import type { AuditEntry, CheckpointRow, Cosignature, Witnessed } from './audit/auditPorts.ts';
import { entryOf } from './audit/decisionEntry.ts';
import type { Book, Undo } from './book.ts';
import type { OctetRecord } from './devices/octetRecords.ts';
import { type Ground, groundOf } from './ground.ts';
import type {
  DecisionRecord,
  DomainRecord,
  EffectRecord,
  EventRecord,
  IdempotencyRecord,
  PublicType,
  SeriesRecord,
  SetRecord,
  Standing,
  TopologyRecord,
  WebhookRecord,
} from './ports.ts';
import { TokenWrites } from './tokens/tokenRecords.ts';

/** Sequence numbers of the log and the outbox: given out here, taken back by an undo. */
export interface Sequences {
  event: number;
  effect: number;
}

/** Told of every step, in its transaction. */
export type OnStep = (tx: Tx, before: Circuit, after: Circuit) => void;

export class Tx {
  readonly book: Book;
  readonly now: InstantMs;
  readonly epoch: number;
  readonly undo: Undo[] = [];
  /** The last state of each circuit that changed, and whether its row is new. */
  readonly circuits = new Map<CircuitId, { circuit: Circuit; isNew: boolean }>();
  readonly events: EventRecord[] = [];
  readonly effects: EffectRecord[] = [];
  readonly effectsDone: number[] = [];
  readonly decisions: DecisionRecord[] = [];
  /** For the audit log; numbered when the group is formed, in the order of the queue. */
  readonly records: AuditEntry[] = [];
  readonly checkpoints: CheckpointRow[] = [];
  readonly erasures: string[] = [];
  readonly cosignatures: Cosignature[] = [];
  readonly witnessed: Witnessed[] = [];
  readonly idempotency: IdempotencyRecord[] = [];
  readonly series: SeriesRecord[] = [];
  readonly sets: SetRecord[] = [];
  readonly webhooks: WebhookRecord[] = [];
  readonly webhooksGone: WebhookId[] = [];
  readonly transfers: Posting[] = [];
  readonly usage: UsageRecord[] = [];
  readonly octets: OctetRecord[] = [];
  readonly projects: ProjectRecord[] = [];
  readonly quotas: QuotaRecord[] = [];
  readonly quotasGone: string[] = [];
  readonly domains: DomainRecord[] = [];
  readonly standings: Standing[] = [];
  readonly tokens = new TokenWrites();
  readonly policies: PolicyRecord[] = [];
  readonly activations: PolicyActivation[] = [];
  topology: TopologyRecord | undefined;
  /** Frees room and takes none: passes when the store is full. */
  reduces = false;
  /** It will be taken back whatever comes out: nothing in it is ever stored. */
  isPreview = false;
  readonly #sequences: Sequences;

  readonly #onStep: OnStep;

  constructor(book: Book, now: InstantMs, epoch: number, sequences: Sequences, onStep: OnStep = () => {}) {
    this.#onStep = onStep;
    this.book = book;
    this.now = now;
    this.epoch = epoch;
    this.#sequences = sequences;
    const before = { ...sequences };
    this.undo.push(() => Object.assign(sequences, before));
  }

  get addsNoAudit(): boolean {
    return (
      this.records.length === 0 &&
      this.checkpoints.length === 0 &&
      this.cosignatures.length === 0 &&
      this.witnessed.length === 0
    );
  }

  get isEmpty(): boolean {
    return (
      this.circuits.size === 0 &&
      this.events.length === 0 &&
      this.effectsDone.length === 0 &&
      this.addsNoAudit &&
      this.idempotency.length === 0 &&
      this.series.length === 0 &&
      this.sets.length === 0 &&
      this.webhooks.length === 0 &&
      this.webhooksGone.length === 0 &&
      this.transfers.length === 0 &&
      this.projects.length === 0 &&
      this.quotas.length === 0 &&
      this.quotasGone.length === 0 &&
      this.octets.length === 0 &&
      this.domains.length === 0 &&
      this.standings.length === 0 &&
      this.tokens.isEmpty &&
      this.policies.length === 0 &&
      this.activations.length === 0 &&
      this.topology === undefined
    );
  }

  /** What planning may know, as this decision sees it. */
  get ground(): Ground {
    return groundOf(this.book, this.now);
  }

  /** The last line of the log so far. */
  get lastEvent(): number {
    return this.#sequences.event;
  }

  /** A decision and its record; `more` is what the record says beyond the decision (token, holder, reason). */
  decided(decision: DecisionRecord, more: Partial<AuditEntry> = {}): void {
    this.decisions.push(decision);
    this.record({ ...entryOf(decision), ...more });
  }

  /** One line of the audit log, durable together with everything else that this transaction does. */
  record(entry: AuditEntry): void {
    this.records.push(entry);
  }

  create(circuit: Circuit): void {
    invariant(!this.book.circuits.has(circuit.id), 'a circuit is created once');
    this.book.put(circuit, this.undo);
    this.circuits.set(circuit.id, { circuit, isNew: true });
    this.#log('circuit.created', circuit, { type: 'created', circuit });
  }

  /** Applies an event; the only way in which a circuit changes. Undefined: nothing happened. */
  apply(id: CircuitId, asked: CircuitEvent, decisionId = ''): Circuit | undefined {
    const before = this.mustGet(id);
    const event = decisionId === '' ? asked : { ...asked, decisionId };
    const result = step(before, event);
    if (result.kind === 'unchanged') return undefined;
    if (result.kind === 'refused') {
      throw new BrokerError(result.code, result.detail, { allowed_actions: allowed(before) });
    }
    const after = result.circuit;
    this.book.put(after, this.undo);
    this.book.accounts.follow(this, before, event, after);
    this.circuits.set(id, { circuit: after, isNew: this.circuits.get(id)?.isNew ?? false });
    this.#log(announce(before, event, after), after, event, describeStep(before, event, after));
    for (const effect of result.effects) this.#enqueue(after, effect, decisionId);
    this.#onStep(this, before, after);
    return after;
  }

  mustGet(id: CircuitId): Circuit {
    const circuit = this.book.circuits.get(id);
    if (circuit === undefined) throw new BrokerError('NOT_FOUND', `there is no live circuit ${id}`);
    return circuit;
  }

  setTopology(record: TopologyRecord): void {
    this.book.setTopology(record, this.undo);
    this.topology = record;
    this.#sequences.event++;
    this.events.push({
      seq: this.#sequences.event,
      type: 'topology.changed',
      time: this.now,
      project: '',
      owner: '',
      revision: record.version,
      epoch: this.epoch,
      data: { version: record.version },
    });
  }

  setProject(project: ProjectRecord): void {
    this.undo.push(this.book.accounts.setProject(project));
    this.projects.push(project);
  }
  setQuota(quota: QuotaRecord): void {
    this.undo.push(this.book.accounts.setQuota(quota.id, quota));
    this.quotas.push(quota);
  }
  dropQuota(id: string): void {
    this.undo.push(this.book.accounts.setQuota(id, undefined));
    this.quotasGone.push(id);
  }

  /** What another domain says of itself, in the place of what it said before. */
  setDomain(record: DomainRecord): void {
    this.book.setDomain(record, this.undo);
    this.domains.push(record);
  }

  setStanding(standing: Standing): void {
    this.book.setStanding(standing, this.undo);
    this.standings.push(standing);
  }

  setWebhook(hook: WebhookRecord): void {
    this.book.setWebhook(hook, this.undo);
    this.webhooks.push(hook);
  }
  dropWebhook(id: WebhookId): void {
    this.book.dropWebhook(id, this.undo);
    this.webhooksGone.push(id);
  }

  activate(activation: PolicyActivation, set: PolicySet): void {
    this.book.rules.activate(activation, set, this.undo);
    this.activations.push(activation);
    this.record({
      op: 'policy.change',
      actor: activation.author,
      policy_set_sha256: set.sha256,
      schema_sha256: schemaSha256,
      effect: activation.policyId,
    });
  }

  /** Takes everything back, newest first. */
  rollback(): void {
    for (let i = this.undo.length - 1; i >= 0; i--) (this.undo[i] as Undo)();
    this.undo.length = 0;
  }

  /** Allowed, and refused for another reason: the decisions are kept and say so, and so does the refusal. */
  refuse(problem: BrokerError): BrokerError {
    this.reset();
    const last = this.decisions.at(-1);
    if (last === undefined) return problem;
    if (last.effect === 'ALLOW') {
      this.decisions.splice(-1, 1, { ...last, refused: problem.code });
      const at = this.records.findIndex((record) => record.decision_id === last.id);
      const record = this.records[at];
      if (record !== undefined) this.records[at] = { ...record, effect: `refused: ${problem.code}` };
    }
    if (problem.details.decision_id !== undefined) return problem;
    const details = { ...problem.details, decision_id: last.id };
    return new BrokerError(problem.code, problem.message, details, { cause: problem.cause });
  }

  /** Takes everything back but the decisions that were recorded, so that a refusal can be stored by itself. */
  reset(): void {
    this.rollback();
    this.circuits.clear();
    const decided = this.records.filter((record) => record.op === 'decision');
    this.records.splice(0, this.records.length, ...decided);
    for (const list of [
      this.events,
      this.effects,
      this.effectsDone,
      this.idempotency,
      this.series,
      this.sets,
      this.webhooks,
      this.webhooksGone,
      this.transfers,
      this.usage,
      this.octets,
      this.projects,
      this.quotas,
      this.quotasGone,
      this.domains,
      this.standings,
      this.policies,
      this.activations,
    ]) {
      list.length = 0;
    }
    this.tokens.clear();
    this.topology = undefined;
  }

  #log(
    type: PublicType,
    circuit: Circuit,
    input: NonNullable<EventRecord['input']>,
    data: EventRecord['data'] = snapshot(circuit),
  ): void {
    this.#sequences.event++;
    this.events.push({
      seq: this.#sequences.event,
      type,
      time: this.now,
      circuitId: circuit.id,
      project: circuit.request.project,
      owner: circuit.owner,
      revision: circuit.revision,
      epoch: this.epoch,
      data,
      input,
    });
  }

  #enqueue(circuit: Circuit, effect: Effect, decisionId: string): void {
    this.#sequences.effect++;
    this.effects.push({
      seq: this.#sequences.effect,
      circuitId: circuit.id,
      effect,
      time: this.now,
      decisionId: decisionId !== '' ? decisionId : (circuit.decisionIds.at(-1) ?? ''),
    });
  }
}
