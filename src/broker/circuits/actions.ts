/**
 * What each use case decides inside the writer: the rules that stand between a caller's wish and an event of
 * the lifecycle. Every function here may be run again after an undo, so it looks only at the transaction.
 */

import type { DecidedAction, Facts } from '../../aaa/decide.ts';
import { NEVER } from '../../kernel/clock.ts';
import { BrokerError, toProblem } from '../../kernel/errors.ts';
import { type CircuitId, newId } from '../../kernel/ids.ts';
import type { Random } from '../../kernel/random.ts';
import { type Circuit, type CircuitRequest, isFinal, type Segment } from '../../model/circuit.ts';
import type { HomeEvent } from '../../model/events.ts';
import { allowed } from '../../model/lifecycle.ts';
import type { Principal } from '../../model/principal.ts';
import { occurrences } from '../../model/recurrence.ts';
import { plusSeconds, type Window } from '../../model/window.ts';
import { factsOf, factsOfCircuit } from '../aaa/facts.ts';
import type { Call, CircuitAction, CircuitChange, RecurrenceAsk } from '../calls.ts';
import { HORIZON_S } from '../limits.ts';
import type { SeriesRecord } from '../ports.ts';
import type { Term } from '../term.ts';
import { type Unlocked, unlock } from '../tokens/padlock.ts';
import type { Tx } from '../tx.ts';
import { StoredRefusal } from '../writer.ts';
import { applyChange } from './change.ts';
import { changeTo } from './changeTo.ts';
import type { Slot } from './plan.ts';
import { admit, LATE_START_MS } from './request.ts';
import { anotherWay } from './restore.ts';

/** A hold lasts at most a day; longer ones would be bookings without an owner. */
export const LONGEST_HOLD_S = 86_400;

export function create(
  tx: Tx,
  term: Term,
  random: Random,
  call: Call,
  request: CircuitRequest,
): Circuit | StoredRefusal {
  const admitted = admit(tx, term.authoriser, random, { ...call, request });
  return 'denied' in admitted ? new StoredRefusal(admitted.denied) : admitted.circuit;
}

export function createSeries(
  tx: Tx,
  term: Term,
  random: Random,
  call: Call,
  request: CircuitRequest,
  recurrence: RecurrenceAsk,
): SeriesRecord | StoredRefusal {
  const windows = occurrences(recurrence).filter(({ start }) => start >= tx.now - LATE_START_MS);
  if (windows.length === 0) {
    throw new BrokerError('START_IN_PAST', 'the last time that the rule names has passed', {
      errors: [{ pointer: '/schedule/not_before_time', detail: 'every occurrence lies in the past' }],
    });
  }
  const last = windows.at(-1);
  if (last !== undefined && last.end > plusSeconds(tx.now, HORIZON_S))
    throw invalid('/schedule/rrule', 'reaches more than ten years ahead');
  const id = newId('ser', tx.now, random);
  const decision = term.authoriser.ask(tx, {
    ...call,
    action: 'series.create',
    project: request.project,
    facts: {
      ...factsOf(tx, 'series.create', request, { slot: firstOf(request, windows) }),
      occurrences: windows.length,
    },
  });
  if (decision.denied !== undefined) return new StoredRefusal(decision.denied);
  const placed = windows.map(({ start, end }, i): SeriesRecord['occurrences'][number] => {
    // A client_ref names one circuit; in a series the occurrence's number goes with it.
    const clientRef = request.clientRef === undefined ? {} : { clientRef: `${request.clientRef}#${i + 1}` };
    const one: CircuitRequest = { ...request, ...clientRef, schedule: { type: 'FIXED', start, end } };
    try {
      const admitted = admit(tx, term.authoriser, random, { ...call, request: one, seriesId: id });
      if ('denied' in admitted) return { start, problem: { ...toProblem(admitted.denied) } };
      return { start, circuitId: admitted.circuit.id };
    } catch (error) {
      if (!(error instanceof BrokerError) || error.status === 400 || error.status === 422) throw error;
      return { start, problem: { ...toProblem(error) } };
    }
  });
  if (placed.every((occurrence) => occurrence.circuitId === undefined)) {
    throw new BrokerError('NO_FEASIBLE_SLOT', `none of the ${placed.length} occurrences has a place`, {
      proof: 'BUDGET_SPENT',
    });
  }
  const series: SeriesRecord = {
    id,
    project: request.project,
    owner: call.principal.id,
    revision: 1,
    createTime: tx.now,
    cancelled: false,
    recurrence,
    occurrences: placed,
  };
  tx.series.push(series);
  return series;
}

export function act(
  tx: Tx,
  term: Term,
  call: Call,
  stored: Circuit,
  action: CircuitAction,
  revision: number | undefined,
): Circuit | StoredRefusal {
  const circuit = liveOr(tx, stored);
  const key = unlock(tx, term, call, circuit, action.type);
  if (key instanceof StoredRefusal || key.present) return key instanceof StoredRefusal ? key : circuit;
  checkRevision(circuit, revision);
  if (action.type === 'cancel' && circuit.state === 'CANCELLED') return circuit;
  if (circuit.state === 'HOLD_EXPIRED' && (action.type === 'commit' || action.type === 'extend-hold')) {
    throw new BrokerError('HOLD_EXPIRED', 'the hold ran out', { allowed_actions: [] });
  }
  if (isFinal(circuit.state))
    throw new BrokerError('WRONG_STATE', `the circuit is ${circuit.state}`, { allowed_actions: [] });
  const denied = ask(tx, term, call, circuit, `circuit.${action.type}`, key);
  if (denied !== undefined) return denied;
  key.use();
  const decisionId = tx.decisions.at(-1)?.id ?? '';
  if (action.type === 'reroute') return reroute(tx, circuit, decisionId);
  return tx.apply(circuit.id, eventOf(tx, action), decisionId) ?? circuit;
}

/** Takes the best road there is now, over several domains the best way; the same one leaves everything as it is. */
function reroute(tx: Tx, circuit: Circuit, decisionId: string): Circuit {
  const { current } = circuit;
  if (current === undefined)
    throw new BrokerError('WRONG_STATE', 'it has no road yet', { allowed_actions: allowed(circuit) });
  const segments = tx.book.without(circuit, () => anotherWay(tx.ground, circuit));
  if (segments === undefined)
    throw new BrokerError('NO_FEASIBLE_SLOT', 'there is no other road with enough room', {
      proof: 'BUDGET_SPENT',
    });
  if (wayOf(segments) === wayOf(current.segments)) return circuit;
  changeTo(tx, circuit, { ...current, segments }, { cause: 'REROUTE' }, decisionId);
  return tx.mustGet(circuit.id);
}

/** Which domains, from where to where, and our own links; how the others go on inside is their business. */
const wayOf = (segments: readonly Segment[]): string =>
  JSON.stringify(
    segments.map(({ domain, local, a, z, links }) => [domain, a.port, z.port, local ? links : []]),
  );

function eventOf(tx: Tx, action: Exclude<CircuitAction, { type: 'reroute' }>): HomeEvent {
  const at = tx.now;
  switch (action.type) {
    case 'release':
    case 'cancel':
      return { type: action.type, detail: action.detail, at };
    case 'extend-hold':
      return { type: 'extend-hold', until: plusSeconds(at, Math.min(action.holdS, LONGEST_HOLD_S)), at };
    default:
      return { type: action.type, at };
  }
}

export function change(
  tx: Tx,
  term: Term,
  call: Call,
  stored: Circuit,
  wish: CircuitChange,
  revision: number | undefined,
): Circuit | StoredRefusal {
  const circuit = liveOr(tx, stored);
  const key = unlock(tx, term, call, circuit, extendsOnly(wish) ? 'extend' : 'modify', wish);
  if (key instanceof StoredRefusal || key.present) return key instanceof StoredRefusal ? key : circuit;
  checkRevision(circuit, revision);
  if (isFinal(circuit.state))
    throw new BrokerError('WRONG_STATE', `the circuit is ${circuit.state}`, { allowed_actions: [] });
  const denied = ask(tx, term, call, circuit, 'circuit.modify', key, wishedSlot(circuit, wish));
  if (denied !== undefined) return denied;
  key.use();
  const changed = applyChange(tx, circuit, wish, tx.decisions.at(-1)?.id ?? '');
  key.renew();
  return changed;
}

const extendsOnly = (wish: CircuitChange): boolean => wish.laterOnly === true || wish.extendS !== undefined;

/** Cancels what is left of a series; what has run or has begun stays as it is. */
export function cancelSeries(
  tx: Tx,
  term: Term,
  call: Call,
  series: SeriesRecord,
  revision: number | undefined,
): SeriesRecord | StoredRefusal {
  if (revision !== undefined && revision !== series.revision) throw stale(series.revision);
  if (series.cancelled) return series;
  const decision = term.authoriser.ask(tx, {
    ...call,
    action: 'series.cancel',
    project: series.project,
    facts: { occurrences: series.occurrences.length },
  });
  if (decision.denied !== undefined) return new StoredRefusal(decision.denied);
  for (const { circuitId } of series.occurrences) {
    const circuit = circuitId === undefined ? undefined : tx.book.circuits.get(circuitId);
    if (circuit === undefined || isFinal(circuit.state) || hasBegun(circuit)) continue;
    tx.apply(circuit.id, { type: 'cancel', detail: 'its series was cancelled', at: tx.now }, decision.id);
  }
  const next: SeriesRecord = { ...series, cancelled: true, revision: series.revision + 1 };
  tx.series.push(next);
  return next;
}

const hasBegun = ({ state }: Circuit): boolean =>
  state === 'PROVISIONING' || state === 'ACTIVE' || state === 'RELEASING';

function ask(
  tx: Tx,
  term: Term,
  call: Call,
  circuit: Circuit,
  action: `circuit.${CircuitAction['type'] | 'modify'}`,
  key: Extract<Unlocked, { present: false }>,
  change: Partial<Slot> = {},
): StoredRefusal | undefined {
  return term.authoriser.refusal(tx, {
    ...call,
    action,
    project: circuit.request.project,
    circuitId: circuit.id,
    facts: { ...factsOfVerb(tx, action, circuit, call.principal, change), ...key.facts },
    ...key.question,
  });
}

/** What the rules are told of a verb on a circuit. */
export const factsOfVerb = (
  tx: Tx,
  action: DecidedAction,
  circuit: Circuit,
  who: Principal,
  change: Partial<Slot> = {},
): Facts => ({ ...factsOfCircuit(tx, action, circuit, change), owner: circuit.owner === who.id });

/** The slot as it would be after the change. */
export function wishedSlot({ current }: Circuit, wish: CircuitChange): Partial<Slot> {
  const { mbps, end, extendS = 0 } = wish;
  if (current === undefined) return mbps === undefined ? {} : { mbps };
  const { window } = current;
  const until =
    end === 'NEVER' ? NEVER : (end ?? (window.end === NEVER ? NEVER : plusSeconds(window.end, extendS)));
  return { mbps: mbps ?? current.mbps, window: { start: window.start, end: until } };
}

/** The first of a series stands for all; each is asked about by itself when it is booked. */
const firstOf = ({ mbps }: CircuitRequest, [window]: readonly Window[]): Slot | undefined =>
  window === undefined ? undefined : { window, mbps };

/** The circuit as the writer knows it; one that has ended and was forgotten, as the store does. */
const liveOr = (tx: Tx, stored: Circuit): Circuit => tx.book.circuits.get(stored.id as CircuitId) ?? stored;

function checkRevision(circuit: Circuit, revision: number | undefined): void {
  if (revision !== undefined && revision !== circuit.revision) throw stale(circuit.revision);
}

export const stale = (now: number): BrokerError =>
  new BrokerError('STALE_REVISION', `the resource is at revision ${now} now`);

export const invalid = (pointer: string, detail: string): BrokerError =>
  new BrokerError('INVALID_REQUEST', detail, { errors: [{ pointer, detail }] });
