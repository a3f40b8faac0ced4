/**
 * How a home comes to agree on a placement: it waits for room and for the holds of the other domains, and
 * commits. What one of them refuses or loses before the start is aborted everywhere, and another attempt is
 * looked for. To agree on a change of what is in force is in change.ts.
 */
import { invariant } from '../../kernel/assert.ts';
import { type InstantMs, instant } from '../../kernel/clock.ts';
import { agree } from '../borders.ts';
import type { Circuit, Pending, Placement } from '../circuit.ts';
import type { Effect } from '../effects.ts';
import type { HomeEv } from '../events.ts';
import { because, go, inDomain, mapSegments, next, no, type Result, remotes, stays } from '../rules.ts';
import { plusMs, plusSeconds } from '../window.ts';
import { abortAll, COMMIT_WITHIN_MS, commitAll, holdAll, provisionAll } from './messages.ts';
import { allCommitted, answered, committedBy, inForce } from './placements.ts';
import { protection, unprotected } from './protection.ts';
import { conflict, type Failed, remembered, setbackOf } from './setbacks.ts';

/** A client's hold ends this long before the first participant's, for skew and a slow last message. */
const HOLD_MARGIN_MS = 2 * 1_000 + 5_000;

export const place = go<HomeEv<'place'>>(['RESERVING', 'HELD', 'SCHEDULED'], (c, e) => {
  invariant(e.placement.version > c.version, 'a version is never used twice');
  const version = e.placement.version;
  if (remotes(e.placement).length > 0 || e.waitsFor !== undefined) {
    const waitsFor = e.waitsFor === undefined ? {} : { waitsFor: e.waitsFor };
    const pending: Pending = { phase: 'HOLDING', placement: e.placement, until: e.until, ...waitsFor };
    return next(
      c,
      { version, pending, scouting: undefined, ...because('ASKING', 'asking the domains of the path') },
      holdAll(e.placement),
    );
  }
  const { scouting: _, ...placed } = c;
  const held = { ...placed, version, current: e.placement, conditions: protection(c, e.placement, e.at) };
  return c.request.holdS > 0 ? onHold(held, plusSeconds(e.at, c.request.holdS)) : scheduled(held);
});

export const reject = go<HomeEv<'reject'>>(['REJECTED'], (c, e) =>
  next(c, {
    state: 'REJECTED',
    problem: e.problem,
    pending: undefined,
    ...because(e.problem.code, e.problem.detail),
  }),
);

export const waits = go<HomeEv<'waits'>>(stays, (c, e) => {
  if (c.pending?.placement.version !== e.version || c.pending.waitsFor === undefined) return 'same';
  const placement = mapSegments(
    c.pending.placement,
    inDomain(e.domain, (s) => (s.agreed === 'ASKED' ? { ...s, waits: true } : s)),
  );
  return next(c, { pending: { ...c.pending, placement } });
});

/** Those who were in the way have gone: what they had is taken, here at once and elsewhere with the next hold. */
export const room = go<HomeEv<'room'>>(['HELD', 'COMMITTING', 'SCHEDULED'], (c, e) => {
  if (c.pending?.placement.version !== e.version || c.pending.waitsFor === undefined) return 'same';
  const { waitsFor: _, ...pending } = c.pending;
  const placement = mapSegments(pending.placement, (s) => {
    if (s.local) return e.segment ?? s;
    const { waits: _waits, ...bare } = s;
    return bare;
  });
  if (remotes(placement).length === 0) {
    const { pending: _pending, ...settled } = c;
    const now = { ...settled, current: placement };
    return c.request.holdS > 0 ? onHold(now, plusSeconds(e.at, c.request.holdS)) : scheduled(now);
  }
  const attempt: Pending = { ...pending, placement, frees: e.frees };
  const asked = remotes(placement).filter((s) => s.agreed === 'ASKED');
  if (asked.length === 0) return allHeld(c, attempt, e.at);
  const effects = asked.map(
    (s): Effect => ({ type: 'peer.hold', domain: s.domain, version: placement.version }),
  );
  return next(c, { pending: attempt }, effects);
});

export const held = go<HomeEv<'held'>>(['HELD', 'COMMITTING'], (c, e) => {
  const attempt = answered(c.pending, e);
  return attempt === undefined ? 'same' : allHeld(c, attempt, e.at);
});

/** Once every domain has answered: a label for every border, and then the commit, or the client's. */
function allHeld(c: Circuit, attempt: Pending, at: InstantMs): Result {
  if (attempt.placement.segments.some((s) => s.agreed === 'ASKED')) return next(c, { pending: attempt });
  const labels = agree(attempt.placement);
  if (!labels.agreed) return backToReserving(c, attempt.placement, conflict(attempt.placement, labels));
  const current = labels.placement;
  const agreed = { ...c, current, conditions: protection(c, current, at) };
  delete (agreed as { pending?: Pending }).pending;
  if (c.request.holdS === 0) return committing(agreed, at);
  const until = Math.min(at + c.request.holdS * 1000, (attempt.until ?? at) - HOLD_MARGIN_MS);
  return onHold(agreed, instant(Math.max(until, at)));
}

function onHold(c: Circuit, until: InstantMs): Result {
  const holdExpire = withinWindow(c, until);
  return next(c, { state: 'HELD', holdExpire, ...because('HELD', 'waiting for the commit') });
}

/** There is nothing to commit once the window has passed, so no hold outlives it. */
function withinWindow(c: Circuit, until: InstantMs): InstantMs {
  const { end } = inForce(c).window;
  return end < until ? end : until;
}

export const extendHold = go<HomeEv<'extend-hold'>>(stays, (c, e) => {
  if (c.holdExpire !== undefined && e.at >= c.holdExpire) return no('HOLD_EXPIRED', 'the hold has run out');
  const version = inForce(c).version;
  const until = withinWindow(c, e.until);
  const asked = remotes(inForce(c)).map(
    (s): Effect => ({ type: 'peer.extend', domain: s.domain, version, until }),
  );
  return c.holdExpire !== undefined && until <= c.holdExpire ? 'same' : next(c, { holdExpire: until }, asked);
});

export const commit = go<HomeEv<'commit'>>(['COMMITTING', 'SCHEDULED'], (c, e) => {
  if (c.holdExpire !== undefined && e.at >= c.holdExpire)
    return no('HOLD_EXPIRED', 'the hold ran out before it was committed');
  return c.current !== undefined && remotes(c.current).length > 0 ? committing(c, e.at) : scheduled(c);
});

function committing(c: Circuit, at: InstantMs): Result {
  const patch = {
    state: 'COMMITTING' as const,
    holdExpire: plusMs(at, COMMIT_WITHIN_MS),
    ...because('COMMITTING', 'the domains of the path are being told'),
  };
  return next(c, patch, commitAll(inForce(c)));
}

export const committed = go<HomeEv<'committed'>>(['SCHEDULED'], (c, e) => {
  if (c.current?.version !== e.version) return 'same';
  const current = committedBy(c.current, e.domain);
  return allCommitted(current) ? scheduled({ ...c, current }) : next(c, { current });
});

function scheduled(c: Circuit): Result {
  const current = mapSegments(inForce(c), (s) => (s.local ? { ...s, agreed: 'COMMITTED' } : s));
  const waits =
    c.request.provision === 'MANUAL' ? 'waiting for its start and for provision' : 'waiting for its start';
  const patch = {
    state: 'SCHEDULED' as const,
    current,
    holdExpire: undefined,
    setbacks: undefined,
    ...because('COMMITTED', waits),
  };
  // Asked for before a domain of an earlier attempt gave up.
  return next(c, patch, provisionAll(c, current));
}

/** A participant refused or lost its part: abort the attempt everywhere and look for another. */
export const retreat = go<HomeEv<'refused'> | HomeEv<'ended'>>(['RESERVING'], (c, e) => {
  const attempt = c.current ?? c.pending?.placement;
  if (attempt === undefined) return 'same';
  if (e.type === 'refused' && e.version !== attempt.version) return 'same';
  return backToReserving(c, attempt, setbackOf(attempt, e));
});

export const lostBeforeStart = go<HomeEv<'ended'>>(['RESERVING'], (c, e) =>
  backToReserving(c, inForce(c), setbackOf(inForce(c), e)),
);

export function backToReserving(c: Circuit, attempt: Placement, why: Failed): Result {
  const effects = abortAll(attempt);
  if (c.pending !== undefined && c.pending.placement.version !== attempt.version)
    effects.push(...abortAll(c.pending.placement));
  return next(
    c,
    {
      state: 'RESERVING',
      current: undefined,
      pending: undefined,
      holdExpire: undefined,
      conditions: unprotected(c.conditions),
      setbacks: remembered(c, why.setback),
      ...because(why.code, why.detail),
    },
    effects,
  );
}
