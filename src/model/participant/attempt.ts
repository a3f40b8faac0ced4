/**
 * The first hold and commit of a segment, as its home asks for them. A commit counts by itself, whether or not
 * its hold is still there; a version that is closed is never held or committed again.
 */
import type { Circuit } from '../circuit.ts';
import type { ParticipantEv } from '../events.ts';
import { because, go, next, no, type Result, stays } from '../rules.ts';
import { homeOf, keep, unconfirmed } from './homeRef.ts';

export const firstHold = go<ParticipantEv<'hold'>>(['HELD'], (c, e) => {
  const version = e.placement.version;
  if (c.pending?.placement.version === version) return expired();
  if (isClosed(c, version)) return closed(version);
  return next(c, {
    state: 'HELD',
    version: Math.max(c.version, version),
    pending: { phase: 'HOLDING', placement: e.placement, until: e.until },
    home: { tryingSince: e.at, ...homeOf(c), keepUntil: keep(c, e.placement, e.at) },
    ...because('HELD', 'held for the home'),
  });
});

/** A hold while another is held: the same one again, or a newer attempt that replaces it. */
export const nextHold = go<ParticipantEv<'hold'>>(['HELD'], (c, e) =>
  c.pending?.placement.version === e.placement.version ? 'same' : firstHold.run(c, e),
);

export const extendHold = go<ParticipantEv<'extend-hold'>>(stays, (c, e) => {
  if (c.pending?.phase !== 'HOLDING' || c.pending.placement.version !== e.version) {
    return c.current?.version === e.version ? 'same' : no('HOLD_EXPIRED', `version ${e.version} is not held`);
  }
  return c.pending.until !== undefined && e.until <= c.pending.until
    ? 'same'
    : next(c, { pending: { ...c.pending, until: e.until } });
});

/** A commit carries the whole segment, so that what expired, or was never heard of, is taken if it is free. */
export const firstCommit = go<ParticipantEv<'commit'>>(['SCHEDULED'], (c, e) => {
  const { placement } = e;
  if (isClosed(c, placement.version) && c.pending?.placement.version !== placement.version)
    return closed(placement.version);
  return next(c, {
    state: 'SCHEDULED',
    version: Math.max(c.version, placement.version),
    current: placement,
    pending: undefined,
    home: unconfirmed(c, e),
    ...because('COMMITTED', 'waiting for its start'),
  });
});

export const isClosed = (c: Circuit, version: number): boolean =>
  version <= Math.max(c.version, homeOf(c).floor);

export const closed = (version: number): Result => no('WRONG_STATE', `CLOSED: version ${version} is closed`);

export const expired = (): Result => no('HOLD_EXPIRED', 'EXPIRED: the hold of this version ran out');
