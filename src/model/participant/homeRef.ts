/**
 * What a participant remembers of its home: whether it has confirmed what is committed, when to ask it again, how
 * long a segment without an end goes on, and how long its tombstone is kept.
 */
import { invariant } from '../../kernel/assert.ts';
import { type InstantMs, instant, NEVER } from '../../kernel/clock.ts';
import type { Circuit, HomeRef, Placement } from '../circuit.ts';
import type { ParticipantEv } from '../events.ts';
import { plusMs } from '../window.ts';
import { isEndless } from './placements.ts';

/** The first question to a home that has not confirmed a commit; then twice as long each time. */
const ASK_FIRST_MS = 5_000;
const ASK_LAST_MS = 300_000;

/** A tombstone outlives its window by a day. */
const TOMBSTONE_MS = 86_400_000;

/** What has no end ends when its home has not confirmed it for a day; it is asked three times in that time. */
export const LEASE_MS = 86_400_000;
const ASK_TO_RENEW_MS = LEASE_MS / 3;

export function homeOf(c: Circuit): HomeRef {
  invariant(c.home !== undefined, `${c.id} is a participant's and knows its home`);
  return c.home;
}

/** The home has still to confirm what is committed; it is asked when it does not. */
export function unconfirmed(c: Circuit, e: ParticipantEv<'commit'>): HomeRef {
  const { tryingSince: _, ...home } = homeOf(c);
  return {
    ...home,
    told: false,
    asks: 0,
    unknowns: 0,
    epoch: e.epoch,
    askAt: plusMs(e.at, ASK_FIRST_MS),
    keepUntil: keep(c, e.placement, e.at),
    ...(isEndless(e.placement) ? { leaseUntil: plusMs(e.at, LEASE_MS) } : {}),
  };
}

/** It has not answered yet: each time it is left twice as long. */
export const askedAgain = (home: HomeRef, at: InstantMs): HomeRef => {
  const wait = Math.min(ASK_FIRST_MS * 2 ** Math.min(home.asks + 1, 10), ASK_LAST_MS);
  return { ...home, asks: home.asks + 1, askAt: plusMs(at, wait) };
};

/** Its home stands by what has no end: a day more, and the next question well before that. */
export const renewed = (home: HomeRef, at: InstantMs): HomeRef => ({
  ...home,
  asks: 0,
  leaseUntil: plusMs(at, LEASE_MS),
  askAt: plusMs(at, ASK_TO_RENEW_MS),
  keepUntil: plusMs(at, LEASE_MS + TOMBSTONE_MS),
});

export const leaseEnd = (c: Circuit): InstantMs => homeOf(c).leaseUntil ?? NEVER;

export const keep = (c: Circuit, p: Placement, at: InstantMs): InstantMs => {
  const end = isEndless(p) ? plusMs(at, LEASE_MS) : p.window.end;
  return instant(Math.max(homeOf(c).keepUntil, end + TOMBSTONE_MS));
};
