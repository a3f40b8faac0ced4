/**
 * What a participant learns by asking its home: the home stands by a version, is still at it, has aborted it, or
 * knows nothing of it. When it asks is in due.ts, and what it remembers of the answers in homeRef.ts.
 */
import { type Circuit, type HomeRef, placements } from '../circuit.ts';
import type { ParticipantEv } from '../events.ts';
import { go, next, type Result, stays } from '../rules.ts';
import { out } from './end.ts';
import { homeOf, renewed } from './homeRef.ts';
import { close } from './letGo.ts';
import { isEndless } from './placements.ts';

/** "Unknown" from the home releases a commit only when it says so twice. */
const UNKNOWNS_TO_RELEASE = 2;

export const told = go<ParticipantEv<'told'>>(['RESERVING', 'RELEASING', 'CANCELLED'], (c, e) => {
  const home = homeOf(c);
  switch (e.state) {
    case 'PENDING':
      return known(c);
    case 'ABORTED':
      return out(c, 'CANCELLED', 'ABORTED', 'aborted by its home');
    case 'UNKNOWN': {
      if (e.epoch < home.epoch) return 'same';
      const unknowns = home.unknowns + 1;
      if (unknowns < UNKNOWNS_TO_RELEASE) return next(c, { home: { ...home, unknowns } });
      return out(c, 'CANCELLED', 'UNKNOWN_TO_HOME', 'its home knows nothing of it');
    }
    case 'ACTIVE': {
      const { askAt: _, leaseUntil: _lease, ...rest } = home;
      const confirmed = placements(c).find((p) => p.version === e.version);
      if (e.version === undefined || confirmed === undefined) return known(c);
      const heard: HomeRef = { ...rest, told: true, unknowns: 0 };
      const settled: Circuit = { ...c, home: isEndless(confirmed) ? renewed(heard, e.at) : heard };
      if (!home.told || c.pending !== undefined) {
        const rest = close(settled, e.version, e.version, e.at);
        // Nothing to close is no reason not to have heard it.
        return rest === 'same' && !home.told ? next(settled, {}) : rest;
      }
      return isEndless(confirmed) ? next(settled, {}) : known(c);
    }
  }
});

/** The home knows of it: what it said to the contrary before was not said twice. */
const known = (c: Circuit): Result =>
  homeOf(c).unknowns === 0 ? 'same' : next(c, { home: { ...homeOf(c), unknowns: 0 } });

/** What the home has otherwise is the home's to say. */
export const differs = go<ParticipantEv<'differs'>>(stays, (c) =>
  next(c, {}, [{ type: 'peer.query', domain: homeOf(c).domain }]),
);
