/**
 * The matrix of the PARTICIPANT role: a segment that another domain's broker asked for. It stands by what it
 * has committed until its home tells it otherwise, and asks when it is not told. Its versions are closed for
 * good by abort, free, cancel or a higher floor; RESERVING means that nothing is held at present, and the row
 * itself is the tombstone that answers CLOSED to a late hold or commit.
 *
 * Both versions of a move count and shine until the home has told which one stands: every shortcut breaks
 * somebody's promise when a message is lost.
 *
 * What the cells do is told beside them in participant/, in a file for each story: attempt.ts (the first hold and
 * commit), change.ts (those of another version), letGo.ts, told.ts (what the home answers), light.ts, end.ts, and
 * due.ts (the clock).
 */
import type { ParticipantEvent } from './events.ts';
import { extendHold, firstCommit, firstHold, nextHold } from './participant/attempt.ts';
import { changeCommit, changeHold } from './participant/change.ts';
import { dueCommitted, dueHeld, dueReserving } from './participant/due.ts';
import { cancel, cancelWhileEnding, release, releaseWhileEnding, wentOut } from './participant/end.ts';
import { letGo, raiseFloor } from './participant/letGo.ts';
import { down, impaired, mended, provision, retired, up } from './participant/light.ts';
import { differs, told } from './participant/told.ts';
import { ignore, type Matrix, only, refuse, stays } from './rules.ts';

/** On the way to light or in it, a circuit takes everything alike. */
const shining = {
  hold: changeHold,
  'extend-hold': extendHold,
  commit: only(stays, changeCommit),
  abort: letGo,
  free: letGo,
  provision: only(stays, provision),
  release,
  cancel,
  told,
  differs,
  due: only(['RELEASING', 'ENDED', 'FAILED'], dueCommitted),
  up,
  down,
  impaired,
  mended,
  dark: retired,
} as const;

export const participantMatrix = {
  RESERVING: {
    hold: firstHold,
    'extend-hold': refuse,
    commit: firstCommit,
    abort: only(stays, letGo),
    free: only(stays, letGo),
    provision: refuse,
    release: only(['ENDED'], release),
    cancel: only(['CANCELLED'], cancel),
    told: ignore,
    differs: ignore,
    due: dueReserving,
    up: ignore,
    down: ignore,
    impaired: ignore,
    mended: ignore,
    dark: ignore,
  },
  HELD: {
    hold: nextHold,
    'extend-hold': extendHold,
    commit: firstCommit,
    abort: only(['RESERVING'], letGo),
    free: only(['RESERVING'], letGo),
    provision: refuse,
    release: only(['ENDED'], release),
    cancel: only(['CANCELLED'], cancel),
    told: only(['CANCELLED'], told),
    differs: ignore,
    due: dueHeld,
    up: ignore,
    down: ignore,
    impaired: ignore,
    mended: ignore,
    dark: ignore,
  },
  COMMITTING: {
    // A participant commits at once: it is never in this state, but may be cancelled out of it all the same.
    hold: refuse,
    'extend-hold': refuse,
    commit: refuse,
    abort: refuse,
    free: refuse,
    provision: refuse,
    release: refuse,
    cancel: only(['CANCELLED'], cancel),
    told: ignore,
    differs: ignore,
    due: ignore,
    up: ignore,
    down: ignore,
    impaired: ignore,
    mended: ignore,
    dark: ignore,
  },
  SCHEDULED: {
    hold: changeHold,
    'extend-hold': extendHold,
    commit: changeCommit,
    abort: only(['RESERVING'], letGo),
    free: only(['RESERVING'], letGo),
    provision,
    release: only(['ENDED'], release),
    cancel: only(['CANCELLED'], cancel),
    told: only(['RESERVING', 'CANCELLED'], told),
    differs,
    due: only(['PROVISIONING', 'ENDED', 'FAILED'], dueCommitted),
    up: ignore,
    down: ignore,
    impaired,
    mended,
    dark: retired,
  },
  PROVISIONING: shining,
  ACTIVE: shining,
  RELEASING: {
    hold: refuse,
    'extend-hold': refuse,
    commit: refuse,
    abort: raiseFloor,
    free: raiseFloor,
    provision: refuse,
    release: releaseWhileEnding,
    cancel: cancelWhileEnding,
    told: ignore,
    differs: ignore,
    due: ignore,
    up: ignore,
    down: ignore,
    impaired: ignore,
    mended: ignore,
    dark: wentOut,
  },
  ENDED: final(),
  REJECTED: final(),
  HOLD_EXPIRED: final(),
  CANCELLED: final(),
  FAILED: final(),
} as const satisfies Matrix<ParticipantEvent>;

function final() {
  return {
    hold: refuse,
    'extend-hold': refuse,
    commit: refuse,
    // Repeats of what only reduces are answered from the state that they led to.
    abort: ignore,
    free: ignore,
    provision: refuse,
    release: ignore,
    cancel: ignore,
    told: ignore,
    differs: ignore,
    due: ignore,
    up: ignore,
    down: ignore,
    impaired: ignore,
    mended: ignore,
    dark: ignore,
  } as const;
}
