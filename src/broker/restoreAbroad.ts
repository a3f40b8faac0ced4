/**
 * Another way for a circuit over several domains. Where another domain's part is out of order it is first asked for
 * the same again, between the same ports and with the same labels: it may have another road inside. Then the way is
 * planned anew, without what is out of order and without what has been refused a moment ago.
 */
import { instant } from '../kernel/clock.ts';
import { type Circuit, claimedFrom, type Placement, type Segment, type Setback } from '../model/circuit.ts';
import type { LabelAsk } from '../model/label.ts';
import { planAbroad } from './abroad.ts';
import type { Need } from './brokenRoads.ts';
import type { Ground } from './ground.ts';

/** What a domain has refused is asked for again after this long. */
const FRESH_MS = 60_000;

export function wayInstead(on: Ground, circuit: Circuit, need: Need): readonly Segment[] | undefined {
  const refused = (circuit.setbacks ?? []).filter(({ at = 0 }) => at > on.now - FRESH_MS);
  const mayMend =
    !need.segment.local &&
    need.port === undefined &&
    refused.every(({ domain }) => domain !== need.segment.domain);
  return mayMend ? sameAgain(need.current) : otherWay(on, circuit, need.current, refused);
}

const sameAgain = ({ segments }: Placement): Segment[] =>
  segments.map(({ impaired: _, ...s }) => ({ ...s, agreed: s.local ? s.agreed : 'ASKED', light: 'DARK' }));

/** Between the same ends and with their labels. */
function otherWay(
  on: Ground,
  circuit: Circuit,
  current: Placement,
  refused: readonly Setback[],
): readonly Segment[] | undefined {
  const { request } = circuit;
  const [first, last] = [current.segments[0], current.segments.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const a = first.a.label === undefined ? request.a : { port: first.a.port, vlan: askFor(first.a.label) };
  const z = last.z.label === undefined ? request.z : { port: last.z.port, vlan: askFor(last.z.label) };
  const window = roadWindow(on, current);
  // What has no room now has none in a second, either.
  const setbacks = refused.map((one) => ({ ...one, start: window.start }));
  for (const segment of current.segments)
    if (segment.impaired !== undefined) setbacks.push(outOfOrder(segment, current));
  const slot = { window, mbps: current.mbps };
  const planned = planAbroad(on, circuit.id, { ...request, a, z }, slot, setbacks);
  return planned.kind === 'placed' ? planned.segments : undefined;
}

/** As a setback that no label and no other time would help: of its end, else of its way, else of both its ends. */
function outOfOrder({ domain, a, z, links, impaired }: Segment, { version, window }: Placement): Setback {
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
