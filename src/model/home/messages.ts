/**
 * What a home says to the other domains of a placement, as effects: the same verb to each of them. How it is
 * carried, and how often, is the broker's.
 */
import type { Circuit, FinalState, Placement } from '../circuit.ts';
import type { Effect } from '../effects.ts';
import { remotes } from '../rules.ts';

export const holdAll = (p: Placement, replaces?: number): Effect[] =>
  remotes(p).map((s) => ({
    type: 'peer.hold',
    domain: s.domain,
    version: p.version,
    ...(replaces === undefined ? {} : { replaces }),
  }));

/** From the decision to commit until every participant must have acknowledged. */
export const COMMIT_WITHIN_MS = 30_000;

export const commitAll = (p: Placement): Effect[] =>
  remotes(p).map((s) => ({ type: 'peer.commit', domain: s.domain, version: p.version }));

/** Of a MANUAL circuit whose light has been asked for. */
export const provisionAll = (c: Circuit, p: Placement): Extract<Effect, { type: 'peer.provision' }>[] =>
  c.armed ? remotes(p).map((s) => ({ type: 'peer.provision', domain: s.domain, version: p.version })) : [];

export const abortAll = (p: Placement): Effect[] =>
  remotes(p).map((s) => ({ type: 'peer.abort', domain: s.domain, version: p.version }));

/** Tells every domain that ever heard of the circuit that it is over. */
export function goodbye(c: Circuit, outcome: FinalState, detail: string): Effect[] {
  const domains = new Set(
    [c.current, c.pending?.placement].flatMap((p) =>
      p === undefined ? [] : remotes(p).map((s) => s.domain),
    ),
  );
  return [...domains].map((domain) =>
    outcome === 'ENDED'
      ? { type: 'peer.release', domain, reason: detail }
      : { type: 'peer.cancel', domain, floor: c.version },
  );
}
