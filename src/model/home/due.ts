/**
 * The clock of a home: when it matters next to a circuit (homeDueAt), and what happens then, state by state. The
 * two stand together because a time that is named and then does nothing would be named for ever.
 */
import type { InstantMs } from '../../kernel/clock.ts';
import { type Circuit, hasOwnLight, localSegment } from '../circuit.ts';
import type { HomeEv } from '../events.ts';
import { go, next } from '../rules.ts';
import { plusMs } from '../window.ts';
import { backToReserving } from './attempt.ts';
import { dropLate } from './change.ts';
import { asMeant, finished, out } from './end.ts';
import { light, replace } from './light.ts';
import { inForce, underNegotiation } from './placements.ts';
import { failed, silence } from './setbacks.ts';

/** How long after its end a circuit waits for a participant to say that it is dark. */
const FORGET_PEERS_AFTER_MS = 3_600_000;

/** When the clock matters next to a home circuit; undefined when only news can change it. */
export function homeDueAt(c: Circuit): InstantMs | undefined {
  const change = c.pending !== undefined && underNegotiation(c.pending) ? c.pending.until : undefined;
  switch (c.state) {
    case 'RESERVING':
      // Nobody has been asked: the broker looks for the next alternative at once.
      return c.pending === undefined ? (c.scouting ?? c.updateTime) : change;
    case 'HELD':
    case 'COMMITTING':
      return c.holdExpire;
    case 'SCHEDULED': {
      const { start, end } = inForce(c).window;
      return earlier(c.request.provision === 'AUTOMATIC' || c.armed ? start : end, change);
    }
    case 'PROVISIONING':
    case 'ACTIVE':
      return earlier(
        inForce(c).window.end,
        c.pending?.phase === 'LIGHTING' ? c.pending.placement.window.end : change,
      );
    case 'RELEASING':
      // Our own devices are never given up: until they have said that they are dark, only that can end it.
      return hasOwnLight(c) ? undefined : forgetAt(c);
    default:
      return undefined;
  }
}

export const dueReserving = go<HomeEv<'due'>>(['RESERVING'], (c, e) => {
  const attempt = c.pending;
  if (attempt?.until === undefined || e.at < attempt.until) return 'same';
  if (attempt.waitsFor !== undefined) {
    const own = localSegment(attempt.placement);
    const detail = 'what is in the way did not move in time';
    const late = { domain: own?.domain ?? '', kind: 'ROOM', detail };
    return backToReserving(c, attempt.placement, failed('MOVE_FAILED', attempt.placement, own, late));
  }
  return backToReserving(c, attempt.placement, silence(attempt.placement, 'ASKED', 'did not answer in time'));
});

export const dueHeld = go<HomeEv<'due'>>(['HOLD_EXPIRED'], (c, e) =>
  c.holdExpire !== undefined && e.at >= c.holdExpire
    ? finished(c, 'HOLD_EXPIRED', 'HOLD_EXPIRED', 'the hold ran out')
    : 'same',
);

export const dueCommitting = go<HomeEv<'due'>>(['RESERVING'], (c, e) =>
  c.holdExpire !== undefined && e.at >= c.holdExpire
    ? backToReserving(c, inForce(c), silence(inForce(c), 'HELD', 'did not commit in time'))
    : 'same',
);

export const dueScheduled = go<HomeEv<'due'>>(['PROVISIONING', 'FAILED'], (c, e) => {
  const { window } = inForce(c);
  if (e.at >= window.end) {
    return c.request.provision === 'MANUAL' && !c.armed
      ? finished(c, 'FAILED', 'NEVER_PROVISIONED', 'nobody asked for light before its end')
      : finished(c, 'FAILED', 'WINDOW_PASSED', 'the window passed without light');
  }
  if (overdue(c, e.at)) return dropLate(c, e.at);
  if (c.request.provision !== 'AUTOMATIC' && !c.armed) return 'same';
  if (e.at >= window.start) return light(c);
  return e.early === true ? light({ ...c, current: { ...inForce(c), lightFrom: e.at } }) : 'same';
});

export const dueLit = go<HomeEv<'due'>>(['RELEASING', 'ENDED', 'FAILED'], (c, e) => {
  const coming = c.pending?.phase === 'LIGHTING' ? c.pending.placement : undefined;
  if (e.at >= (coming ?? inForce(c)).window.end) {
    return c.actualStart === undefined
      ? out(c, 'FAILED', 'WINDOW_PASSED', 'the window passed without light')
      : out(c, 'ENDED', 'COMPLETED', 'ended as booked');
  }
  if (coming !== undefined && e.at >= inForce(c).window.end) {
    // The old road's time is over before the new one shines: nothing is left to wait for.
    const { circuit, effects } = replace(c, coming);
    return next(circuit, {}, effects);
  }
  return overdue(c, e.at) ? dropLate(c, e.at) : 'same';
});

export const dueReleasing = go<HomeEv<'due'>>(['ENDED', 'CANCELLED', 'FAILED'], (c, e) =>
  !hasOwnLight(c) && e.at >= forgetAt(c) ? asMeant(c, e.at) : 'same',
);

const overdue = (c: Circuit, at: InstantMs): boolean =>
  c.pending?.until !== undefined && underNegotiation(c.pending) && at >= c.pending.until;

const forgetAt = (c: Circuit): InstantMs => plusMs(inForce(c).window.end, FORGET_PEERS_AFTER_MS);

const earlier = (a: InstantMs, b: InstantMs | undefined): InstantMs => (b !== undefined && b < a ? b : a);
