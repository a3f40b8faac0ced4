/**
 * What its home lets go of, by abort or free: every version up to one, except the one that stands. What
 * replaces goes into force, what was replaced or dropped goes out, and without either nothing is held.
 */
import { invariant } from '../../kernel/assert.ts';
import type { InstantMs } from '../../kernel/clock.ts';
import type { Circuit, Pending, Placement } from '../circuit.ts';
import type { ParticipantEv } from '../events.ts';
import {
  anyLight,
  because,
  go,
  handOver,
  mapSegments,
  next,
  quench,
  type Result,
  sameHops,
  stays,
} from '../rules.ts';
import { contains } from '../window.ts';
import { homeOf } from './homeRef.ts';
import { isDark, mayShine } from './placements.ts';

export const letGo = go<ParticipantEv<'abort'> | ParticipantEv<'free'>>(['RESERVING', 'RELEASING'], (c, e) =>
  close(c, e.version, e.active, e.at),
);

/** Closes every version up to `version` except `active`. What was replaced goes out after what replaces it. */
export function close(c: Circuit, version: number, active: number | undefined, at: InstantMs): Result {
  const raised = raise(c, version);
  const gone = (p: Placement | undefined): boolean =>
    p !== undefined && p.version <= version && p.version !== active;
  const { current, pending } = raised;
  const pendingGone = gone(pending?.placement) && pending?.phase !== 'RETIRING';
  if (!gone(current) && !pendingGone) return raised === c ? 'same' : next(raised, {});
  if (gone(current) && pending?.phase === 'COMMITTING' && !pendingGone)
    return promote(raised, pending.placement, at);
  if (!gone(current) && current !== undefined) return retire(raised, current, pending, at);
  if (!anyLight(raised)) {
    return next(raised, {
      state: 'RESERVING',
      current: undefined,
      pending: undefined,
      ...because('ABORTED', 'let go by its home'),
    });
  }
  const { circuit, effects } = quench(raised);
  return next(
    circuit,
    { state: 'RELEASING', outcome: 'RESERVING', ...because('ABORTED', 'let go by its home') },
    effects,
  );
}

/** The replacement becomes the one in force; the old one goes out, if it was lit anywhere else. */
function promote(c: Circuit, placement: Placement, at: InstantMs): Result {
  const old = c.current;
  invariant(old !== undefined, 'there is something to replace');
  if (isDark(old)) return next(c, { current: placement, pending: undefined });
  if (sameHops(old, placement)) {
    const same = mapSegments(placement, (s) => ({ ...s, light: 'LIGHTING' }));
    if (contains(placement.window, at)) {
      const { pending, effects } = handOver(old, placement);
      return next(c, { current: same, pending }, effects);
    }
  }
  const pending: Pending = {
    phase: 'RETIRING',
    placement: mapSegments(old, (s) => ({ ...s, light: 'DARKENING' })),
  };
  return next(c, { current: placement, pending }, [{ type: 'device.dark', version: old.version }]);
}

/** Drops the replacement. If it was lit, it goes out first, or gives its hops back to the one in force. */
function retire(c: Circuit, current: Placement, pending: Pending | undefined, at: InstantMs): Result {
  if (pending === undefined || isDark(pending.placement)) return next(c, { pending: undefined });
  if (sameHops(current, pending.placement) && mayShine(c) && contains(current.window, at)) {
    const back = mapSegments(current, (s) => ({ ...s, light: 'LIGHTING' }));
    const given = handOver(pending.placement, current);
    return next(c, { current: back, pending: given.pending }, given.effects);
  }
  const placement = mapSegments(pending.placement, (s) => ({ ...s, light: 'DARKENING' }));
  return next(c, { pending: { phase: 'RETIRING', placement } }, [
    { type: 'device.dark', version: placement.version },
  ]);
}

export const raiseFloor = go<ParticipantEv<'abort'> | ParticipantEv<'free'>>(stays, (c, e) => {
  const raised = raise(c, e.version);
  return raised === c ? 'same' : next(raised, {});
});

const raise = (c: Circuit, version: number): Circuit =>
  version <= homeOf(c).floor
    ? c
    : { ...c, version: Math.max(c.version, version), home: { ...homeOf(c), floor: version } };
