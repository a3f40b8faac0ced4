/**
 * The clock of a participant: when it matters next to a circuit (participantDueAt), and what happens then, state
 * by state. The two stand together because a time that is named and then does nothing would be named for ever.
 */
import { type InstantMs, instant } from '../../kernel/clock.ts';
import type { Circuit } from '../circuit.ts';
import type { Effect } from '../effects.ts';
import type { ParticipantEv } from '../events.ts';
import { because, go, next } from '../rules.ts';
import { finished, out } from './end.ts';
import { askedAgain, homeOf, leaseEnd } from './homeRef.ts';
import { lightWhatIsDue, quenchWhatIsOver } from './light.ts';
import { notify } from './messages.ts';
import { inForce, isDark, mayShine, shines } from './placements.ts';

/** When the clock matters next to a participant's circuit. */
export function participantDueAt(c: Circuit): InstantMs | undefined {
  switch (c.state) {
    case 'RESERVING':
      return homeOf(c).keepUntil;
    case 'HELD':
      return c.pending?.until;
    case 'SCHEDULED':
    case 'PROVISIONING':
    case 'ACTIVE': {
      const home = homeOf(c);
      const times: number[] = [Math.max(...inForce(c).map((p) => p.window.end))];
      if (home.askAt !== undefined) times.push(home.askAt);
      times.push(leaseEnd(c));
      if (c.pending?.phase === 'HOLDING' && c.pending.until !== undefined) times.push(c.pending.until);
      for (const p of inForce(c)) {
        if (shines(p)) times.push(p.window.end);
        else if (mayShine(c) && isDark(p) && c.updateTime < p.window.end) times.push(p.window.start);
      }
      return instant(Math.min(...times));
    }
    default:
      return undefined;
  }
}

export const dueReserving = go<ParticipantEv<'due'>>(['CANCELLED'], (c, e) =>
  e.at >= homeOf(c).keepUntil
    ? finished(c, 'CANCELLED', 'FORGOTTEN', 'the tombstone is no longer needed')
    : 'same',
);

export const dueHeld = go<ParticipantEv<'due'>>(['RESERVING'], (c, e) =>
  c.pending?.until !== undefined && e.at >= c.pending.until
    ? next(c, {
        state: 'RESERVING',
        pending: { ...c.pending, phase: 'EXPIRED' },
        ...because('HOLD_EXPIRED', 'the hold ran out'),
      })
    : 'same',
);

export const dueCommitted = go<ParticipantEv<'due'>>(
  ['PROVISIONING', 'RELEASING', 'ENDED', 'FAILED'],
  (c, e) => {
    const last = Math.max(...inForce(c).map((p) => p.window.end));
    if (e.at >= last) {
      return c.actualStart === undefined
        ? out(c, 'FAILED', 'WINDOW_PASSED', 'the window passed without light', [
            notify(c, 'ENDED', { cause: 'the window passed without light' }),
          ])
        : out(c, 'ENDED', 'COMPLETED', 'ended as booked');
    }
    if (e.at >= leaseEnd(c)) {
      const cause = 'its home has not confirmed it for a day';
      return out(c, 'ENDED', 'LEASE_LAPSED', cause, [notify(c, 'ENDED', { cause })]);
    }
    const effects: Effect[] = [];
    let now = c;
    if (c.pending?.phase === 'HOLDING' && c.pending.until !== undefined && e.at >= c.pending.until) {
      now = { ...now, pending: { ...c.pending, phase: 'EXPIRED' } };
    }
    const home = homeOf(now);
    if (home.askAt !== undefined && e.at >= home.askAt) {
      now = { ...now, home: askedAgain(home, e.at) };
      effects.push({ type: 'peer.query', domain: home.domain });
    }
    const [rest, darks] = quenchWhatIsOver(now, e.at);
    const [circuit, patch, lights] = lightWhatIsDue(rest, e.at, e.early);
    // A dark version whose time passes is written down once, or dueAt would name its start for ever.
    const passed = inForce(c).some((p) => c.updateTime < p.window.end && p.window.end <= e.at);
    if (circuit === c && !passed) return 'same';
    return next(circuit, patch, [...effects, ...darks, ...lights]);
  },
);
