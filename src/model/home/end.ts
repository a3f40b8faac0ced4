/**
 * How a home ends a circuit: released, cancelled, or lost by a participant. What has light goes out first, over
 * RELEASING, and is final when every domain is dark (due.ts: or has had an hour to say so). Every domain that ever
 * heard of it is told.
 */
import { invariant } from '../../kernel/assert.ts';
import type { InstantMs } from '../../kernel/clock.ts';
import type { Circuit, FinalState } from '../circuit.ts';
import type { HomeEv } from '../events.ts';
import { anyLight, because, darken, dataPlane, go, next, quench, type Result, stays } from '../rules.ts';
import { goodbye } from './messages.ts';
import { unprotected } from './protection.ts';

export const release = go<HomeEv<'release'>>(['ENDED', 'RELEASING'], (c, e) =>
  out(c, 'ENDED', 'RELEASED', e.detail),
);

export const cancel = go<HomeEv<'cancel'>>(['CANCELLED', 'RELEASING'], (c, e) =>
  out(c, 'CANCELLED', 'CANCELLED', e.detail),
);

export const lost = go<HomeEv<'ended'>>(['FAILED', 'RELEASING'], (c, e) =>
  out(c, 'FAILED', 'PEER_ENDED', `${e.domain}: ${e.cause}`),
);

export const withdraw = go<HomeEv<'abort'> | HomeEv<'cancel'>>(['CANCELLED'], (c, e) =>
  finished(
    c,
    'CANCELLED',
    e.type === 'abort' ? 'ABORTED' : 'CANCELLED',
    e.type === 'abort' ? 'aborted by the client' : e.detail,
  ),
);

/** Ends a circuit, over RELEASING when some of it is lit. */
export function out(
  c: Circuit,
  outcome: 'ENDED' | 'CANCELLED' | 'FAILED',
  code: string,
  detail: string,
): Result {
  if (!anyLight(c)) return finished(c, outcome, code, detail);
  const { circuit, effects } = quench(c);
  return next(circuit, { state: 'RELEASING', outcome, ...because(code, detail) }, [
    ...effects,
    ...goodbye(c, outcome, detail),
  ]);
}

export const wentOut = go<HomeEv<'dark'>>(['ENDED', 'CANCELLED', 'FAILED'], (c, e) => {
  const now = darken(c, e.domain, e.version);
  return anyLight(now) ? next(now, {}) : asMeant(now, e.at);
});

export const lostWhileEnding = go<HomeEv<'ended'>>(['ENDED', 'CANCELLED', 'FAILED'], (c, e) =>
  wentOut.run(c, { type: 'dark', domain: e.domain, at: e.at }),
);

/** A released circuit that is cancelled on top goes on going out; only its name for it changes. */
export const cancelWhileEnding = go<HomeEv<'cancel'>>(stays, (c, e) =>
  c.outcome === 'CANCELLED' ? 'same' : next(c, { outcome: 'CANCELLED', ...because('CANCELLED', e.detail) }),
);

/** All is dark: it is what it was to become. */
export function asMeant(c: Circuit, at: InstantMs): Result {
  const state = c.outcome;
  invariant(state !== undefined && state !== 'RESERVING', 'a circuit that is released has an outcome');
  const conditions = unprotected(dataPlane(c, 'FALSE', 'RELEASED', at));
  const patch = { state, outcome: undefined, pending: undefined, conditions };
  return next(c, c.actualStart === undefined ? patch : { ...patch, actualEnd: at });
}

export function finished(c: Circuit, state: FinalState, code: string, detail: string): Result {
  return next(
    c,
    {
      state,
      pending: undefined,
      holdExpire: undefined,
      conditions: unprotected(c.conditions),
      ...because(code, detail),
    },
    goodbye(c, state, detail),
  );
}
