/**
 * Another way for a circuit over several domains. Where another domain's part is out of order it is first asked for
 * the same again, between the same ports and with the same labels: it may have another road inside. Then the way is
 * planned anew, without what is out of order and without what has been refused a moment ago. What is protected has
 * its second way already, and is given another one afterwards.
 */
import { instant } from '../../kernel/clock.ts';
import {
  type Circuit,
  type CircuitRequest,
  claimedFrom,
  localSegment,
  type Placement,
  type Segment,
  type Setback,
} from '../../model/circuit.ts';
import type { LabelAsk } from '../../model/label.ts';
import { bothWays, reported, secondOf, waysOf } from '../../model/ways.ts';
import { isSoon, type Need, secondTrouble, unusable } from '../circuits/brokenRoads.ts';
import { linksOfWay } from '../circuits/plan.ts';
import type { Ground } from '../ground.ts';
import { planAbroad } from './abroad.ts';

/** What a domain has refused is asked for again after this long. */
const FRESH_MS = 60_000;

export function wayInstead(on: Ground, circuit: Circuit, need: Need): readonly Segment[] | undefined {
  const refused = freshSetbacks(on, circuit);
  const mayMend =
    !need.segment.local &&
    need.port === undefined &&
    refused.every(({ domain }) => domain !== need.segment.domain);
  if (mayMend) return again(need.current.segments);
  const { request } = circuit;
  const found = otherWay(on, circuit, request, need.current);
  if (found !== undefined || request.protection === 'UNPROTECTED') return found;
  // No second way any more: one is better than none.
  return otherWay(on, circuit, { ...request, protection: 'UNPROTECTED' }, need.current);
}

/** The second way in the place of the first, which is let go of; undefined where it is not fit for that. */
export function switched(on: Ground, circuit: Circuit, need: Need): readonly Segment[] | undefined {
  const { current, port } = need;
  const own = localSegment(current);
  const soon = isSoon(current.window.start, on.now);
  if (!need.road || own === undefined || secondTrouble(on, current, own, soon) !== undefined)
    return undefined;
  const { second } = waysOf(current);
  // A port that both ways have is no better on the other.
  if (second.some(({ a, z }) => a.port === port || z.port === port)) return undefined;
  const refused = freshSetbacks(on, circuit).some(({ domain }) => second.some((s) => s.domain === domain));
  return refused ? undefined : again(second.map(({ standby: _, ...s }) => s));
}

/** The same second way by other roads, or another one beside the one in use; where there is none and the old one is no good, none. */
export function protectedAnew(
  on: Ground,
  circuit: Circuit,
  { current }: Need,
): readonly Segment[] | undefined {
  const refused = freshSetbacks(on, circuit);
  const mayMend = current.segments.some(
    ({ domain, standby, impaired, backup }) =>
      (backup?.impaired ?? (standby && impaired)) !== undefined &&
      refused.every((setback) => setback.domain !== domain),
  );
  if (mayMend) return again(current.segments);
  const first = waysOf(current).first.map(({ backup: _, ...s }): Segment => s);
  const single: CircuitRequest = { ...circuit.request, protection: 'UNPROTECTED' };
  const second = otherWay(on, circuit, single, current, linksOfWay(first));
  if (second !== undefined) return bothWays(again(first), second);
  const backup = localSegment(current)?.backup;
  return backup !== undefined && unusable(on, backup, true) !== undefined ? again(first) : undefined;
}

const freshSetbacks = (on: Ground, { setbacks = [] }: Circuit): Setback[] =>
  setbacks.filter(({ at = 0 }) => at > on.now - FRESH_MS);

/** As they are, to be asked for once more. */
const again = (segments: readonly Segment[]): Segment[] =>
  segments
    .map((now) => reported(reported(now, true, undefined), undefined, undefined))
    .map(({ lost: _, ...s }) => ({
      ...s,
      agreed: s.local ? s.agreed : 'ASKED',
      light: 'DARK',
    }));

/** Between the same ends and with their labels. */
function otherWay(
  on: Ground,
  circuit: Circuit,
  request: CircuitRequest,
  current: Placement,
  avoiding: readonly string[] = [],
): readonly Segment[] | undefined {
  const [first, last] = [current.segments[0], current.segments.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const a = first.a.label === undefined ? request.a : { port: first.a.port, vlan: askFor(first.a.label) };
  const z = last.z.label === undefined ? request.z : { port: last.z.port, vlan: askFor(last.z.label) };
  const window = roadWindow(on, current);
  // What has no room now has none in a second, either.
  const setbacks = freshSetbacks(on, circuit).map((one) => ({ ...one, start: window.start }));
  for (const segment of current.segments)
    for (const road of [segment, secondOf(segment) ?? []].flat())
      if (road.impaired !== undefined) setbacks.push(outOfOrder(road, current));
  const slot = { window, mbps: current.mbps };
  const planned = planAbroad(on, circuit.id, { ...request, a, z }, slot, setbacks, avoiding);
  return planned.kind === 'placed' ? planned.segments : undefined;
}

/** As a setback that no label and no other time would help: of its end, else of its way, else of both its ends. */
function outOfOrder(segment: Segment, { version, window }: Placement): Setback {
  const { domain, a, z, links, impaired } = segment;
  const end = [a, z].find(({ port }) => port === impaired?.port)?.border;
  const borders = [a.border, z.border].filter((border) => border !== undefined);
  return {
    version,
    domain,
    kind: 'IMPAIRED',
    detail: impaired?.detail ?? '',
    start: window.start,
    links: end !== undefined ? [end] : links.length > 0 ? links : borders,
  };
}

/** It is lit at once: whoever is there for the rest of this second is in the way. */
export function roadWindow(on: Ground, current: Placement): Placement['window'] {
  const { window } = current;
  const start = claimedFrom(current) > on.now ? window.start : instant(Math.floor(on.now / 1000) * 1000);
  return { start, end: window.end };
}

export const askFor = (label: number | undefined): LabelAsk =>
  label === undefined ? 'ANY' : label === 0 ? 'UNTAGGED' : [[label, label]];
