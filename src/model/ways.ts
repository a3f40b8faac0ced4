/**
 * The two ways of a circuit that is PROTECTED over several domains. A placement keeps one segment for each domain,
 * so that a domain is asked, told and let go of as a whole: where both ways pass, the second is the backup of the
 * first, with its own ends; where only the second does, its segment stands by. Here they are told apart and joined.
 */
import type { Impairment, Placement, Segment } from './circuit.ts';

/** The second road as a segment of its own, with what is said of it alone; undefined where there is none. */
export function secondOf({ backup, impaired: _, lost: _lost, ...first }: Segment): Segment | undefined {
  if (backup === undefined) return undefined;
  const { ends, ...road } = backup;
  return { ...first, ...ends, ...road, light: 'DARK' };
}

/** What its domain says of one of its roads: what is out of order there, or nothing any more. */
export function reported(s: Segment, second: true | undefined, impaired: Impairment | undefined): Segment {
  const said = <R extends { readonly impaired?: Impairment }>({ impaired: _, ...road }: R) => ({
    ...road,
    ...(impaired === undefined ? {} : { impaired }),
  });
  if (second === undefined) return said(s);
  return s.backup === undefined ? s : { ...s, backup: said(s.backup) };
}

/** The same segment with another second road, which keeps the first one's ends where it had them. */
export function withSecond(s: Segment, { a, z, links, latencyMs, uses, hops }: Segment): Segment {
  const ends = s.backup !== undefined && s.backup.ends === undefined ? {} : { ends: { a, z } };
  return { ...s, backup: { links, latencyMs, uses, hops, ...ends } };
}

/** The ways from a to z, domain by domain: the one in use, and of what is protected the other. */
export function waysOf({ segments }: Placement): { first: Segment[]; second: Segment[] } {
  const others = segments.flatMap((s) => (s.standby === true ? s : (secondOf(s) ?? [])));
  const second: Segment[] = [];
  for (let next = others[0]; next !== undefined && second.length < others.length; ) {
    second.push(next);
    const { border } = next.z;
    next = border === undefined ? undefined : others.find((s) => s.a.border === border);
  }
  return { first: segments.filter((s) => s.standby !== true), second };
}

/**
 * Both ways as one list, a segment for each domain: where both pass, the second is the backup of the first. The
 * domains at the two ends are the first and the last of the list, whatever lies between.
 */
export function bothWays(first: readonly Segment[], second: readonly Segment[]): Segment[] {
  const shared = first.map((s): Segment => {
    const other = second.find(({ domain }) => domain === s.domain);
    return other === undefined ? s : withSecond(s, other);
  });
  const alone = second.filter(({ domain }) => first.every((s) => s.domain !== domain));
  return [
    ...shared.slice(0, -1),
    ...alone.map((s): Segment => ({ ...s, standby: true })),
    ...shared.slice(-1),
  ];
}
