/**
 * The lifecycle, once: step() takes a circuit and an event to a circuit and its effects, and nothing else
 * changes a circuit. It is pure and total; the matrices of the two roles say what happens in which state.
 * A restart folds the same function over the same events that normal running stored.
 */
import { invariant } from '../kernel/assert.ts';
import type { InstantMs } from '../kernel/clock.ts';
import { leftBy } from './borders.ts';
import { type Circuit, isFinal, type State } from './circuit.ts';
import type { Effect } from './effects.ts';
import type { CircuitEvent } from './events.ts';
import { homeDueAt } from './home/due.ts';
import { homeMatrix } from './home.ts';
import { participantDueAt } from './participant/due.ts';
import { participantMatrix } from './participant.ts';
import type { Cell, Refusal } from './rules.ts';

/** A circuit lists its last decisions; all of them are in the log. */
const DECISIONS_KEPT = 32;

export interface Stepped {
  readonly kind: 'stepped';
  readonly circuit: Circuit;
  readonly effects: readonly Effect[];
}
export type Step = Stepped | Refusal | { readonly kind: 'unchanged' };

type AnyMatrix = Readonly<Record<State, Readonly<Record<string, Cell<CircuitEvent>>>>>;

/** Each role's events fit its own matrix; the union of both does not, hence the cast in one place. */
export const matrixOf = (role: Circuit['role']): AnyMatrix =>
  (role === 'HOME' ? homeMatrix : participantMatrix) as unknown as AnyMatrix;

export function step(circuit: Circuit, event: CircuitEvent): Step {
  const cell = matrixOf(circuit.role)[circuit.state][event.type];
  invariant(cell !== undefined, `${event.type} is not an event of the role ${circuit.role}`);
  if (cell === 'ignore') return { kind: 'unchanged' };
  if (cell === 'refuse') {
    return {
      kind: 'refused',
      code: 'WRONG_STATE',
      detail: `a circuit in ${circuit.state} cannot ${event.type}`,
    };
  }
  const result = cell.run(circuit, event);
  if (result === 'same') return { kind: 'unchanged' };
  if (result.kind === 'refused') return result;
  const to = result.circuit.state;
  invariant(
    to === circuit.state || cell.to.includes(to),
    `${circuit.role} ${circuit.state} on ${event.type} leads to ${to}, which its cell does not name`,
  );
  const left = leftBy(circuit, result.circuit, event.at);
  const stamped: Circuit = {
    ...result.circuit,
    ...(left === undefined ? {} : { left }),
    revision: circuit.revision + 1,
    updateTime: event.at,
    ...(event.decisionId === undefined
      ? {}
      : { decisionIds: [...circuit.decisionIds, event.decisionId].slice(-DECISIONS_KEPT) }),
  };
  return { kind: 'stepped', circuit: stamped, effects: result.effects };
}

/** The next instant at which the circuit needs a `due`; stored as a column, so that a restart knows it too. */
export function dueAt(circuit: Circuit): InstantMs | undefined {
  return circuit.role === 'HOME' ? homeDueAt(circuit) : participantDueAt(circuit);
}

export type Action =
  | 'commit'
  | 'abort'
  | 'extend-hold'
  | 'provision'
  | 'release'
  | 'cancel'
  | 'extend'
  | 'modify'
  | 'reroute';

/** What a client may do to the circuit now: the actions whose cell does not refuse. */
export function allowed(circuit: Circuit): Action[] {
  if (circuit.role === 'PARTICIPANT' || isFinal(circuit.state)) return [];
  const row = homeMatrix[circuit.state];
  const open = (event: keyof typeof row): boolean => row[event] !== 'refuse' && row[event] !== 'ignore';
  const actions: Action[] = [];
  if (open('commit')) actions.push('commit');
  if (open('abort')) actions.push('abort');
  if (open('extend-hold')) actions.push('extend-hold');
  if (open('provision') && circuit.request.provision === 'MANUAL' && !circuit.armed)
    actions.push('provision');
  if (open('release')) actions.push('release');
  if (open('cancel')) actions.push('cancel');
  if (open('modify') && circuit.pending === undefined) actions.push('extend', 'modify', 'reroute');
  return actions;
}

/** Folds stored events over the circuit as it was created: what the store holds must be what comes out. */
export function fold(created: Circuit, events: readonly CircuitEvent[]): Circuit {
  let circuit = created;
  for (const event of events) {
    const result = step(circuit, event);
    invariant(result.kind === 'stepped', `${event.type} was stored and so changed ${created.id}`);
    circuit = result.circuit;
  }
  return circuit;
}
