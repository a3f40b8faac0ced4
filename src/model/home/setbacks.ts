/**
 * Why an attempt failed: who refused its part, lost it or kept silent, and what of it the next attempt leaves
 * out. Only what is remembered is made here; what follows from it is in attempt.ts and change.ts.
 */
import type { Agreement } from '../borders.ts';
import { type Circuit, endsOf, type Placement, type Segment, type Setback } from '../circuit.ts';
import type { HomeEv } from '../events.ts';
import { remotes } from '../rules.ts';
import { secondOf } from '../ways.ts';

/** Setbacks that are remembered; more attempts than these are not made. */
const MOST_SETBACKS = 16;

export const remembered = (c: Circuit, setback: Setback): Setback[] =>
  [...(c.setbacks ?? []), setback].slice(-MOST_SETBACKS);

export interface Failed {
  readonly setback: Setback;
  readonly code: string;
  readonly detail: string;
}

export function failed(
  code: string,
  attempt: Placement,
  segment: Segment | undefined,
  about: Pick<Setback, 'domain' | 'kind' | 'detail'> & Partial<Setback>,
): Failed {
  const setback: Setback = {
    version: attempt.version,
    start: attempt.window.start,
    links: segment === undefined ? [] : [...segment.links, ...(segment.backup?.links ?? [])],
    ...about,
  };
  return { setback, code, detail: `${about.domain}: ${about.detail}` };
}

export function setbackOf(attempt: Placement, e: HomeEv<'refused'> | HomeEv<'ended'>): Failed {
  const segment = attempt.segments.find((s) => s.domain === e.domain);
  const { domain, cause: detail } = e;
  if (e.type === 'ended') return failed('PEER_ENDED', attempt, segment, { domain, kind: 'ENDED', detail });
  // Whoever refuses for want of a label names no border: all that it was offered did not do.
  const ends = segment === undefined ? [] : endsOf(segment);
  const noLabel = e.kind === 'LABEL' ? ends.filter((end) => end.offered !== undefined) : [];
  const more =
    noLabel.length === 0
      ? {}
      : { links: noLabel.map((end) => end.border ?? ''), asked: noLabel.flatMap((end) => end.offered ?? []) };
  return failed('PEER_REFUSED', attempt, segment, {
    domain,
    kind: e.kind ?? 'ROOM',
    detail,
    ...more,
    ...(e.opens === undefined ? {} : { opens: e.opens }),
  });
}

/** The first domain that still owes its answer. */
export function silence(attempt: Placement, owing: Segment['agreed'], detail: string): Failed {
  const segment = remotes(attempt).find((s) => s.agreed === owing);
  const domain = segment?.domain ?? 'a domain of the path';
  return failed('PEER_SILENT', attempt, segment, { domain, kind: 'SILENT', detail });
}

export function conflict(
  attempt: Placement,
  { border, domain, left }: Extract<Agreement, { agreed: false }>,
): Failed {
  const roads = attempt.segments.flatMap((s) => [s, secondOf(s) ?? []].flat());
  const asked = roads.find(({ z }) => z.border === border)?.z.offered ?? [];
  const detail = `no label of ${border} is free at both ends`;
  return failed('PEER_REFUSED', attempt, undefined, {
    domain,
    kind: 'LABEL',
    detail,
    links: [border],
    left,
    asked,
  });
}
