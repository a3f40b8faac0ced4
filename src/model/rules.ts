/**
 * The words that the two matrices are written in. A cell is a rule with the states it may lead to, `refuse`
 * (the asker gets a 409), or `ignore` (late or repeated news: nothing happens). The states named in a cell
 * are what the diagram and the list of allowed actions are made from, and step() holds the rule to them.
 */
import type { InstantMs } from '../kernel/clock.ts';
import type { ProblemCode } from '../kernel/errors.ts';
import {
  type Circuit,
  type Condition,
  isLit,
  localSegment,
  type Pending,
  type Placement,
  placements,
  type Segment,
  type State,
} from './circuit.ts';
import type { Effect } from './effects.ts';

export interface Next {
  readonly kind: 'next';
  readonly circuit: Circuit;
  readonly effects: readonly Effect[];
}
export interface Refusal {
  readonly kind: 'refused';
  readonly code: ProblemCode;
  readonly detail: string;
}
export type Result = Next | Refusal | 'same';

export interface Rule<E> {
  /** The other states that it may lead to; that it may stay where it is goes without saying. */
  readonly to: readonly State[];
  run(circuit: Circuit, event: E): Result;
}
export type Cell<E> = Rule<E> | 'refuse' | 'ignore';

/** Total: a state or event without a cell does not compile. */
export type Matrix<E extends { readonly type: string }> = {
  readonly [S in State]: { readonly [T in E['type']]: Cell<Extract<E, { readonly type: T }>> };
};

/** Of a rule that may change the circuit, but never its state. */
export const stays: readonly State[] = [];

export const refuse = 'refuse';
export const ignore = 'ignore';

export const go = <E>(to: readonly State[], run: (circuit: Circuit, event: E) => Result): Rule<E> => ({
  to,
  run,
});

/** A rule that several rows share, in a row from which it leads to fewer states. */
export const only = <E>(to: readonly State[], rule: Rule<E>): Rule<E> => ({ to, run: rule.run });

/** Fields that a change may take away as well as set: undefined removes. */
type Patch = { readonly [K in keyof Circuit]?: Circuit[K] | undefined };

export function next(circuit: Circuit, patch: Patch, effects: readonly Effect[] = []): Next {
  const merged: Record<string, unknown> = { ...circuit, ...patch };
  for (const key of Object.keys(patch)) if (merged[key] === undefined) delete merged[key];
  // The keys come from Circuit and Patch alone, and what was removed is optional there.
  return { kind: 'next', circuit: merged as unknown as Circuit, effects };
}

export const no = (code: ProblemCode, detail: string): Refusal => ({ kind: 'refused', code, detail });

export const because = (code: string, detail: string): { reason: { code: string; detail: string } } => ({
  reason: { code, detail },
});

export const remotes = (p: Placement): Segment[] => p.segments.filter((s) => !s.local);

export const mapSegments = (p: Placement, change: (s: Segment) => Segment): Placement => ({
  ...p,
  segments: p.segments.map(change),
});

export const mapPlacements = (c: Circuit, change: (p: Placement) => Placement): Circuit => ({
  ...c,
  ...(c.current === undefined ? {} : { current: change(c.current) }),
  ...(c.pending === undefined ? {} : { pending: { ...c.pending, placement: change(c.pending.placement) } }),
});

export const inDomain =
  (domain: string, change: (s: Segment) => Segment) =>
  (s: Segment): Segment =>
    s.domain === domain ? change(s) : s;

export const lighting = (s: Segment): Segment => (s.light === 'DARK' ? { ...s, light: 'LIGHTING' } : s);
export const lit = ({ lost: _, ...s }: Segment): Segment => ({ ...s, light: 'LIT' });
export const dark = (s: Segment): Segment => ({ ...s, light: 'DARK' });
export const darkening = (s: Segment): Segment => (isLit(s) ? { ...s, light: 'DARKENING' } : s);

/** All domains have agreed to it, and it is not over. */
export const stands = ({ state }: Circuit): boolean =>
  state === 'SCHEDULED' || state === 'PROVISIONING' || state === 'ACTIVE';

/** All of the way in use. */
export const allLit = (p: Placement): boolean =>
  p.segments.every((s) => s.light === 'LIT' || s.standby === true);

export const anyLight = (c: Circuit): boolean => placements(c).some((p) => p.segments.some(isLit));

/** Do both need the same cross-connects here? Then one can become the other without a second light. */
export function sameHops(a: Placement, b: Placement): boolean {
  const mine = localSegment(a)?.hops ?? [];
  const theirs = localSegment(b)?.hops ?? [];
  return (
    mine.length === theirs.length &&
    mine.every((hop, i) => {
      const other = theirs[i];
      return (
        other !== undefined &&
        hop.device === other.device &&
        hop.in.port === other.in.port &&
        hop.in.label === other.in.label &&
        hop.out.port === other.out.port &&
        hop.out.label === other.out.label
      );
    })
  );
}

/**
 * One version takes another's place on the same cross-connects: it is lit beside it, then the old one lets
 * go. Devices count versions, so that the light itself is never interrupted and nothing is left behind. Where
 * the old one had the higher rate, it keeps its claim until the devices have taken that rate back.
 */
export function handOver(
  from: Placement,
  to: Placement,
): { readonly pending: Pending | undefined; readonly effects: Effect[] } {
  const segment = localSegment(from);
  const effects: Effect[] = [
    { type: 'device.light', version: to.version },
    { type: 'device.dark', version: from.version, ...(segment === undefined ? {} : { segment }) },
  ];
  if (from.mbps <= to.mbps) return { pending: undefined, effects };
  const placement = mapSegments(from, (s) => (s.local ? darkening(s) : s));
  return { pending: { phase: 'RETIRING', placement }, effects };
}

/** Marks every light of the circuit as going out and asks the devices for it. */
export function quench(c: Circuit): { readonly circuit: Circuit; readonly effects: Effect[] } {
  const effects: Effect[] = [];
  const put = (p: Placement): Placement => {
    const segment = localSegment(p);
    if (segment !== undefined && isLit(segment)) effects.push({ type: 'device.dark', version: p.version });
    return mapSegments(p, darkening);
  };
  const circuit = mapPlacements(c, put);
  return { circuit, effects };
}

/** Records that a domain's share of one version (or of all) is dark. */
export const darken = (c: Circuit, domain: string, version: number | undefined): Circuit =>
  inVersion(c, domain, version, dark);

/** Changes a domain's share of one version (or of all), wherever the circuit has it. */
export const inVersion = (
  c: Circuit,
  domain: string,
  version: number | undefined,
  change: (s: Segment) => Segment,
): Circuit =>
  mapPlacements(c, (p) =>
    version === undefined || p.version === version ? mapSegments(p, inDomain(domain, change)) : p,
  );

/** The conditions with one of them renewed; keeps its time when nothing changed. */
export function condition(
  c: Circuit,
  type: Condition['type'],
  status: Condition['status'],
  reason: string,
  at: InstantMs,
  detail?: string,
): readonly Condition[] {
  const old = c.conditions.find((one) => one.type === type);
  if (old !== undefined && old.status === status && old.reason === reason && old.detail === detail)
    return c.conditions;
  const since = old !== undefined && old.status === status ? old.since : at;
  const more = detail === undefined ? {} : { detail };
  return [...c.conditions.filter((one) => one.type !== type), { type, status, reason, ...more, since }];
}

export const dataPlane = (
  c: Circuit,
  status: Condition['status'],
  reason: string,
  at: InstantMs,
  detail?: string,
): readonly Condition[] => condition(c, 'DataPlaneUp', status, reason, at, detail);

/** The reason before its start. */
export const NOT_YET_DUE = 'NOT_YET_DUE';
/** Is a link or port of its road said to be out of order? */
export const isImpaired = (c: Circuit): boolean =>
  c.conditions.some((one) => one.status === 'FALSE' && one.reason === ROAD_IMPAIRED);
/** The reason while a link or port of its road is out of service, whatever the devices show. */
export const ROAD_IMPAIRED = 'ROAD_OUT_OF_SERVICE';
/** The reason while the light that should be there is not. */
export const LIGHT_LOST = 'LIGHT_LOST';
/** What is said of a circuit that is ACTIVE. */
export const CARRYING_LIGHT = 'carrying light';
