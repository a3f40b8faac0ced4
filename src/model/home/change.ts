/**
 * How a home changes what is agreed while that stays in force: a wish of the client, a move, a reroute or a
 * switch is one pending placement, which is held, committed and adopted, or dropped. A domain that has
 * something else than was agreed is told again.
 */
import { invariant } from '../../kernel/assert.ts';
import { type InstantMs, instant, NEVER } from '../../kernel/clock.ts';
import { agree } from '../borders.ts';
import {
  type ChangeCause,
  type Circuit,
  hasOwnLight,
  type Light,
  type Pending,
  type Setback,
} from '../circuit.ts';
import type { Effect } from '../effects.ts';
import type { HomeEv } from '../events.ts';
import {
  because,
  CARRYING_LIGHT,
  go,
  handOver,
  lighting,
  mapSegments,
  next,
  no,
  type Result,
  remotes,
  sameHops,
  stays,
} from '../rules.ts';
import { plusMs } from '../window.ts';
import { notYetDue } from './light.ts';
import { abortAll, COMMIT_WITHIN_MS, commitAll, holdAll, provisionAll } from './messages.ts';
import { allCommitted, answered, committedBy, inForce, underNegotiation } from './placements.ts';
import { protection } from './protection.ts';
import { conflict, remembered, setbackOf, silence } from './setbacks.ts';

/** Before the notice begins: twice the difference of two clocks, and the last messages. */
export const MOVE_MARGIN_MS = 2 * 1_000 + 15_000;

export const modify = go<HomeEv<'modify'>>(stays, (c, e) => {
  if (c.pending !== undefined)
    return no('CHANGE_PENDING', `a change (version ${c.pending.placement.version}) is not settled yet`);
  if (e.placement === undefined) return next(c, { request: e.request });
  const { placement, request } = e;
  // What is there before its start was looked at for this placement, and for no other.
  if (e.cause === undefined && isEarly(c, e.at))
    return no('CHANGE_PENDING', 'it is being set up for its start, which is less than a minute away');
  invariant(placement.version > c.version, 'a version is never used twice');
  const asked: Circuit = {
    ...c,
    version: placement.version,
    ...(e.asked === true ? { asked: { times: (c.asked?.times ?? 0) + 1, last: e.at } } : {}),
  };
  const why = {
    ...(e.cause === undefined ? {} : { cause: e.cause }),
    ...(e.for === undefined ? {} : { for: e.for }),
  };
  if (remotes(placement).length === 0 && remotes(inForce(c)).length === 0)
    return adopt(asked, { placement, request, ...why }, e.at);
  const pending: Pending = { phase: 'HOLDING', placement, request, until: e.until, ...why };
  return next(asked, { pending }, holdAll(placement, inForce(c).version));
});

const isEarly = ({ current }: Circuit, at: InstantMs): boolean =>
  current?.lightFrom !== undefined && at < current.window.start;

export const changeHeld = go<HomeEv<'held'>>(stays, (c, e) => {
  const attempt = answered(c.pending, e);
  if (attempt === undefined) return 'same';
  if (attempt.placement.segments.some((s) => s.agreed === 'ASKED')) return next(c, { pending: attempt });
  const labels = agree(attempt.placement);
  if (!labels.agreed) {
    const { code, detail, setback } = conflict(attempt.placement, labels);
    return dropPending(c, `${code}: ${detail}`, { ...setback, at: e.at });
  }
  const { placement } = labels;
  const decide = mustDecideBy(c, attempt);
  if (e.at >= decide) return dropPending(c, 'FROZEN: too late to move it before its notice');
  const until = instant(Math.min(plusMs(e.at, COMMIT_WITHIN_MS), decide));
  return next(c, { pending: { ...attempt, placement, phase: 'COMMITTING', until } }, commitAll(placement));
});

/** A move is decided long enough before the first of its starts, or not at all: others judge by their own clocks. */
const mustDecideBy = (c: Circuit, { cause, placement }: Pending): InstantMs => {
  if (cause !== 'MOVE') return NEVER;
  const start = Math.min(inForce(c).window.start, placement.window.start);
  return instant(start - c.request.noticeS * 1000 - MOVE_MARGIN_MS);
};

export const changeCommitted = go<HomeEv<'committed'>>(stays, (c, e) => {
  if (c.pending?.phase !== 'COMMITTING' || c.pending.placement.version !== e.version) return 'same';
  const placement = committedBy(c.pending.placement, e.domain);
  if (!allCommitted(placement)) return next(c, { pending: { ...c.pending, placement } });
  const old = inForce(c);
  const { pending, ...settled } = c;
  const told = remotes(old).map(
    (s): Effect => ({ type: 'peer.free', domain: s.domain, version: old.version, active: placement.version }),
  );
  // Somebody has asked for light already; who is new to the circuit has not heard it.
  const there = remotes(old).map((s) => s.domain);
  told.push(...provisionAll(c, placement).filter((effect) => !there.includes(effect.domain)));
  const result = adopt(settled, { ...pending, placement }, e.at);
  return result === 'same' || result.kind === 'refused'
    ? result
    : next(result.circuit, {}, [...told, ...result.effects]);
});

export const changeRefused = go<HomeEv<'refused'>>(stays, (c, e) =>
  c.pending?.placement.version === e.version && underNegotiation(c.pending)
    ? dropPending(c, `${e.domain}: ${e.cause}`, { ...setbackOf(c.pending.placement, e).setback, at: e.at })
    : 'same',
);

type Change = Pick<Pending, 'placement' | 'request' | 'cause'>;

/** Makes an agreed change the one in force; where the light must move, it is lit beside the old one first. */
function adopt(c: Circuit, change: Change, at: InstantMs): Result {
  const { placement, cause } = change;
  const request = change.request ?? c.request;
  const old = inForce(c);
  const lightOf = (domain: string): Light => old.segments.find((o) => o.domain === domain)?.light ?? 'DARK';
  const agreed = mapSegments(placement, (s) =>
    s.local ? { ...s, agreed: 'COMMITTED' } : { ...s, light: s.light === 'LIT' ? 'LIT' : lightOf(s.domain) },
  );
  const moved = cause === 'MOVE' ? { moves: c.moves + 1 } : {};
  const conditions = protection(c, agreed, at);
  // A participant whose clock is ahead may shine already: only our own light has to be moved here.
  if (!hasOwnLight(c)) {
    return next(c, {
      current: agreed,
      request,
      conditions: notYetDue({ ...c, conditions }, at),
      setbacks: undefined,
      ...moved,
      ...because('COMMITTED', reasonOf(cause)),
    });
  }
  const goesOn = { setbacks: undefined, ...(c.state === 'ACTIVE' ? because('ACTIVE', CARRYING_LIGHT) : {}) };
  if (sameHops(old, agreed)) {
    const current = mapSegments(agreed, (s) => (s.local ? { ...s, light: 'LIGHTING' } : s));
    const { pending, effects } = handOver(old, agreed);
    const patch = { current, pending, request, conditions, ...goesOn, ...moved };
    return next(c, patch, effects);
  }
  const pending: Pending = {
    phase: 'LIGHTING',
    placement: mapSegments(agreed, lighting),
    request,
    ...(cause === undefined ? {} : { cause }),
  };
  return next(c, { pending, conditions, ...goesOn, ...moved }, [
    { type: 'device.light', version: agreed.version },
  ]);
}

const reasonOf = (cause: ChangeCause | undefined): string =>
  cause === undefined
    ? 'changed as asked'
    : cause === 'MOVE'
      ? 'moved inside its window'
      : 'given another road';

/** What stood in the way of another road is remembered, so that the next is not the same. */
function dropPending(c: Circuit, detail: string, setback?: Setback): Result {
  const { pending } = c;
  invariant(pending !== undefined, 'a change is pending');
  const setbacks =
    setback === undefined || (pending.cause !== 'REROUTE' && pending.cause !== 'SWITCH')
      ? {}
      : { setbacks: remembered(c, setback) };
  return next(
    c,
    { pending: undefined, ...setbacks, ...because('CHANGE_DROPPED', detail) },
    abortAll(pending.placement),
  );
}

export function dropLate(c: Circuit, at: InstantMs): Result {
  const { pending } = c;
  invariant(pending !== undefined, 'a change is pending');
  const owing = pending.phase === 'HOLDING' ? 'ASKED' : 'HELD';
  const { setback } = silence(pending.placement, owing, 'did not answer in time');
  return dropPending(c, 'the change was not agreed in time', { ...setback, at });
}

/** A domain has not what was agreed with it: its part is said again. A commit carries all that there is to know. */
export const differs = go<HomeEv<'differs'>>(stays, (c, e) => {
  if (c.pending !== undefined && c.pending.phase !== 'RETIRING') return 'same';
  const { version } = inForce(c);
  const { domain } = e;
  const effects: Effect[] = [];
  const hasPart = remotes(inForce(c)).some((s) => s.domain === domain);
  if (hasPart && !e.versions.includes(version)) {
    effects.push({ type: 'peer.commit', domain, version });
    if (c.armed) effects.push({ type: 'peer.provision', domain, version });
  }
  const extra = Math.max(-1, ...e.versions.filter((v) => v !== version && v <= c.version));
  if (extra >= 0) effects.push({ type: 'peer.free', domain, version: extra, active: version });
  return effects.length === 0 ? 'same' : next(c, {}, effects);
});
