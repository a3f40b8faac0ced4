/**
 * Another version beside the one in force: its hold, and its commit, after which both count until the home has
 * told which one stands (letGo.ts).
 */
import type { Circuit } from '../circuit.ts';
import type { ParticipantEv } from '../events.ts';
import { go, next, no, stays } from '../rules.ts';
import { closed, expired, isClosed } from './attempt.ts';
import { homeOf, keep, unconfirmed } from './homeRef.ts';
import { lightWhatIsDue } from './light.ts';

export const changeHold = go<ParticipantEv<'hold'>>(stays, (c, e) => {
  const version = e.placement.version;
  if (
    version === c.current?.version ||
    (version === c.pending?.placement.version && c.pending.phase !== 'EXPIRED')
  )
    return 'same';
  if (version === c.pending?.placement.version) return expired();
  if (isClosed(c, version)) return closed(version);
  if (e.replaces !== c.current?.version)
    return no('CHANGE_PENDING', `version ${c.current?.version} is in force, not ${e.replaces}`);
  if (c.pending !== undefined && c.pending.phase !== 'HOLDING' && c.pending.phase !== 'EXPIRED') {
    return no('CHANGE_PENDING', `version ${c.pending.placement.version} is not settled yet`);
  }
  return next(c, {
    version,
    pending: { phase: 'HOLDING', placement: e.placement, until: e.until },
    home: { ...homeOf(c), keepUntil: keep(c, e.placement, e.at) },
  });
});

export const changeCommit = go<ParticipantEv<'commit'>>(['PROVISIONING'], (c, e) => {
  const { placement } = e;
  if (placement.version === c.current?.version) return 'same';
  const pending = c.pending;
  if (
    pending?.placement.version === placement.version &&
    (pending.phase === 'COMMITTING' || pending.phase === 'RETIRING')
  )
    return 'same';
  if (isClosed(c, placement.version) && pending?.placement.version !== placement.version)
    return closed(placement.version);
  if (pending !== undefined && pending.phase !== 'HOLDING' && pending.phase !== 'EXPIRED')
    return no('CHANGE_PENDING', `version ${pending.placement.version} is not settled yet`);
  const both: Circuit = {
    ...c,
    version: Math.max(c.version, placement.version),
    home: unconfirmed(c, e),
    pending: { phase: 'COMMITTING', placement },
  };
  return next(...lightWhatIsDue(both, e.at));
});
