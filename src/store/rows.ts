/**
 * Records to rows and back. A document is serialised once per group, whatever number of rows carry it, and
 * what a restart reads by the hundred thousand shares its repeated strings.
 */
import type {
  DecisionRecord,
  EffectRecord,
  EventRecord,
  Group,
  IdempotencyRecord,
  PublicType,
  StoredAnswer,
} from '../broker/ports.ts';
import { type InstantMs, instant } from '../kernel/clock.ts';
import type { CircuitId } from '../kernel/ids.ts';
import { type Circuit, isFinal } from '../model/circuit.ts';
import type { Effect } from '../model/effects.ts';
import type { Window } from '../model/window.ts';
import type { Row, Value } from './session.ts';

export const circuitColumns = [
  'id',
  'role',
  'state',
  'project',
  'owner',
  'client_ref',
  'short_code',
  'a_port',
  'z_port',
  'set_id',
  'series_id',
  'start_time',
  'end_time',
  'create_time',
  'due_time',
  'prune_time',
  'revision',
  'doc',
] as const;

export const eventColumns = [
  'seq',
  'type',
  'time',
  'circuit_id',
  'project',
  'owner',
  'revision',
  'epoch',
  'data',
  'input',
] as const;

export const effectColumns = ['seq', 'circuit_id', 'time', 'decision_id', 'effect'] as const;

export const decisionColumns = [
  'id',
  'time',
  'principal',
  'action',
  'project',
  'circuit_id',
  'effect',
  'doc',
] as const;

export const idempotencyColumns = ['principal', 'key', 'body_hash', 'expire_time', 'answer'] as const;

/** JSON of circuits, made once each: a created event carries the very circuit that its row does. */
export class Texts {
  readonly #made = new Map<Circuit, string>();

  of(circuit: Circuit): string {
    let text = this.#made.get(circuit);
    if (text === undefined) {
      text = JSON.stringify(circuit);
      this.#made.set(circuit, text);
    }
    return text;
  }
}

/** What time filters and sorting go by: the slot, or what was asked for while there is none. */
function windowOf(c: Circuit): Window {
  const placement = c.current ?? c.pending?.placement;
  if (placement !== undefined) return placement.window;
  const { schedule } = c.request;
  switch (schedule.type) {
    case 'FIXED':
      return { start: schedule.start, end: schedule.end };
    case 'NOW':
      return { start: c.createTime, end: c.createTime };
    default:
      return { start: schedule.notBefore ?? c.createTime, end: schedule.deadline };
  }
}

/** From when on prune() may take it. A participant's tombstone answers late messages until `keepUntil`. */
function pruneTime(c: Circuit): number | null {
  if (!isFinal(c.state)) return null;
  return Math.max(c.updateTime, c.home?.keepUntil ?? 0);
}

export function circuitRow({ circuit: c, due }: Group['circuits'][number], texts: Texts): Value[] {
  const { start, end } = windowOf(c);
  return [
    c.id,
    c.role,
    c.state,
    c.request.project,
    c.owner,
    c.request.clientRef ?? null,
    c.shortCode,
    c.request.a.port,
    c.request.z.port,
    c.setId ?? null,
    c.seriesId ?? null,
    start,
    Math.max(start, end),
    c.createTime,
    due ?? null,
    pruneTime(c),
    c.revision,
    texts.of(c),
  ];
}

export function eventRow(e: EventRecord, texts: Texts): Value[] {
  return [
    e.seq,
    e.type,
    e.time,
    e.circuitId ?? null,
    e.project,
    e.owner,
    e.revision,
    e.epoch,
    JSON.stringify(e.data),
    inputText(e.input, texts),
  ];
}

function inputText(input: EventRecord['input'], texts: Texts): string | null {
  if (input === undefined) return null;
  if (input.type !== 'created') return JSON.stringify(input);
  return `{"type":"created","circuit":${texts.of(input.circuit)}}`;
}

export const effectRow = (e: EffectRecord): Value[] => [
  e.seq,
  e.circuitId,
  e.time,
  e.decisionId,
  JSON.stringify(e.effect),
];

export const decisionRow = (d: DecisionRecord): Value[] => [
  d.id,
  d.time,
  d.principal,
  d.action,
  d.project,
  d.circuitId ?? null,
  d.effect,
  JSON.stringify(d),
];

export const idempotencyRow = (i: IdempotencyRecord): Value[] => [
  i.principal,
  i.key,
  i.bodyHash,
  i.expireTime,
  JSON.stringify(i.answer),
];

/** The document of a row. It was written by the functions above, so its type is what the caller says. */
export const docOf = <T>(row: Row): T => JSON.parse(row['doc'] as string) as T;

export function eventOf(row: Row): EventRecord {
  const input = row['input'] as string | null;
  const circuitId = row['circuit_id'] as CircuitId | null;
  return {
    seq: row['seq'] as number,
    type: row['type'] as PublicType,
    time: instant(row['time'] as number),
    ...(circuitId === null ? {} : { circuitId }),
    project: row['project'] as string,
    owner: row['owner'] as string,
    revision: row['revision'] as number,
    epoch: row['epoch'] as number,
    data: JSON.parse(row['data'] as string) as EventRecord['data'],
    ...(input === null ? {} : { input: JSON.parse(input) as NonNullable<EventRecord['input']> }),
  };
}

export const effectOf = (row: Row): EffectRecord => ({
  seq: row['seq'] as number,
  circuitId: row['circuit_id'] as CircuitId,
  effect: JSON.parse(row['effect'] as string) as Effect,
  time: instant(row['time'] as number),
  decisionId: row['decision_id'] as string,
});

export const idempotencyOf = (row: Row): IdempotencyRecord => ({
  principal: row['principal'] as string,
  key: row['key'] as string,
  bodyHash: row['body_hash'] as string,
  expireTime: instant(row['expire_time'] as number) as InstantMs,
  answer: JSON.parse(row['answer'] as string) as StoredAnswer,
});
