/**
 * How a segment ends: released or cancelled by its home. What has light goes out first, over RELEASING, and
 * leads to what was meant when its devices are dark.
 */
import { invariant } from '../../kernel/assert.ts';
import type { InstantMs } from '../../kernel/clock.ts';
import type { Circuit, FinalState } from '../circuit.ts';
import type { Effect } from '../effects.ts';
import type { ParticipantEv } from '../events.ts';
import { anyLight, because, darken, dataPlane, go, next, quench, type Result, stays } from '../rules.ts';
import { homeOf } from './homeRef.ts';

export const cancel = go<ParticipantEv<'cancel'>>(['CANCELLED', 'RELEASING'], (c, e) => {
  const home = { ...homeOf(c), floor: Math.max(homeOf(c).floor, e.floor) };
  return out(
    { ...c, home, version: Math.max(c.version, e.floor) },
    'CANCELLED',
    'CANCELLED',
    'cancelled by its home',
  );
});

/** Of what is only held, too: it takes nothing but room, and what lets go is never refused. */
export const release = go<ParticipantEv<'release'>>(['ENDED', 'RELEASING'], (c, e) =>
  out(c, 'ENDED', 'RELEASED', e.detail),
);

export function out(
  c: Circuit,
  outcome: 'ENDED' | 'CANCELLED' | 'FAILED',
  code: string,
  detail: string,
  effects: Effect[] = [],
): Result {
  if (!anyLight(c)) {
    const done = finished(c, outcome, code, detail);
    return done === 'same' || done.kind === 'refused' ? done : { ...done, effects };
  }
  const put = quench(c);
  return next(put.circuit, { state: 'RELEASING', outcome, ...because(code, detail) }, [
    ...effects,
    ...put.effects,
  ]);
}

export const wentOut = go<ParticipantEv<'dark'>>(['RESERVING', 'ENDED', 'CANCELLED', 'FAILED'], (c, e) => {
  const now = darken(c, e.domain, e.version);
  return anyLight(now) ? next(now, {}) : asMeant(now, e.at);
});

export const releaseWhileEnding = go<ParticipantEv<'release'>>(stays, (c) =>
  c.outcome === 'RESERVING'
    ? next(c, { outcome: 'ENDED', ...because('RELEASED', 'released by its home') })
    : 'same',
);

export const cancelWhileEnding = go<ParticipantEv<'cancel'>>(stays, (c, e) => {
  const home = { ...homeOf(c), floor: Math.max(homeOf(c).floor, e.floor) };
  return c.outcome === 'CANCELLED' && home.floor === c.home?.floor
    ? 'same'
    : next(c, { home, outcome: 'CANCELLED', ...because('CANCELLED', 'cancelled by its home') });
});

/** All is dark: it is what it was to become, or what it was before it was lit. */
function asMeant(c: Circuit, at: InstantMs): Result {
  const outcome = c.outcome;
  invariant(outcome !== undefined, 'a circuit that is released has an outcome');
  const conditions = dataPlane(c, 'FALSE', 'RELEASED', at);
  const ended = c.actualStart === undefined ? {} : { actualEnd: at };
  if (outcome === 'RESERVING') {
    return next(c, {
      state: 'RESERVING',
      outcome: undefined,
      current: undefined,
      pending: undefined,
      conditions,
      ...ended,
    });
  }
  return next(c, { state: outcome, outcome: undefined, pending: undefined, conditions, ...ended });
}

export const finished = (c: Circuit, state: FinalState, code: string, detail: string): Result =>
  next(c, { state, pending: undefined, outcome: undefined, ...because(code, detail) });
