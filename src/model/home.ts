/**
 * The matrix of the HOME role: the domain where the client asked, which coordinates the others. Each cell
 * says what an event does in a state; the rules below it say how. Peers appear only as segments that are not
 * local: a circuit inside one domain walks the same cells with nobody to wait for.
 */
import { invariant } from '../kernel/assert.ts';
import { type InstantMs, instant, NEVER } from '../kernel/clock.ts';
import { type Agreement, agree, answeredFor } from './borders.ts';
import {
  type ChangeCause,
  type Circuit,
  type Condition,
  endsOf,
  type FinalState,
  hasOwnLight,
  type Impairment,
  type Light,
  localSegment,
  type Pending,
  type Placement,
  placements,
  type Segment,
  type Setback,
} from './circuit.ts';
import type { Effect } from './effects.ts';
import type { HomeEvent } from './events.ts';
import {
  allLit,
  anyLight,
  because,
  condition,
  darken,
  darkening,
  dataPlane,
  go,
  handOver,
  ignore,
  inDomain,
  inVersion,
  isImpaired,
  LIGHT_LOST,
  lighting,
  lit,
  type Matrix,
  mapSegments,
  NOT_YET_DUE,
  next,
  no,
  only,
  quench,
  type Result,
  ROAD_IMPAIRED,
  refuse,
  remotes,
  sameHops,
  stays,
} from './rules.ts';
import { reported, secondOf } from './ways.ts';

type Ev<T extends HomeEvent['type']> = Extract<HomeEvent, { readonly type: T }>;

/** From the decision to commit until every participant must have acknowledged. */
export const COMMIT_WITHIN_MS = 30_000;
/** A client's hold ends this long before the first participant's, for skew and a slow last message. */
const HOLD_MARGIN_MS = 2 * 1_000 + 5_000;
/** Before the notice begins: twice the difference of two clocks, and the last messages. */
export const MOVE_MARGIN_MS = 2 * 1_000 + 15_000;
/** How long after its end a circuit waits for a participant to say that it is dark. */
const FORGET_PEERS_AFTER_MS = 3_600_000;

const place = go<Ev<'place'>>(['RESERVING', 'HELD', 'SCHEDULED'], (c, e) => {
  invariant(e.placement.version > c.version, 'a version is never used twice');
  const version = e.placement.version;
  if (remotes(e.placement).length > 0 || e.waitsFor !== undefined) {
    const waitsFor = e.waitsFor === undefined ? {} : { waitsFor: e.waitsFor };
    const pending: Pending = { phase: 'HOLDING', placement: e.placement, until: e.until, ...waitsFor };
    return next(
      c,
      { version, pending, scouting: undefined, ...because('ASKING', 'asking the domains of the path') },
      hold(e.placement),
    );
  }
  const { scouting: _, ...placed } = c;
  const held = { ...placed, version, current: e.placement, conditions: protection(c, e.placement, e.at) };
  return c.request.holdS > 0 ? onHold(held, plus(e.at, c.request.holdS * 1000), []) : scheduled(held);
});

const held = go<Ev<'held'>>(['HELD', 'COMMITTING'], (c, e) => {
  const attempt = answered(c.pending, e);
  return attempt === undefined ? 'same' : allHeld(c, attempt, e.at);
});

const waits = go<Ev<'waits'>>(stays, (c, e) => {
  if (c.pending?.placement.version !== e.version || c.pending.waitsFor === undefined) return 'same';
  const placement = mapSegments(
    c.pending.placement,
    inDomain(e.domain, (s) => (s.agreed === 'ASKED' ? { ...s, waits: true } : s)),
  );
  return next(c, { pending: { ...c.pending, placement } });
});

/** Those who were in the way have gone: what they had is taken, here at once and elsewhere with the next hold. */
const room = go<Ev<'room'>>(['HELD', 'COMMITTING', 'SCHEDULED'], (c, e) => {
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
    return c.request.holdS > 0 ? onHold(now, plus(e.at, c.request.holdS * 1000), []) : scheduled(now);
  }
  const attempt: Pending = { ...pending, placement, frees: e.frees };
  const asked = remotes(placement).filter((s) => s.agreed === 'ASKED');
  if (asked.length === 0) return allHeld(c, attempt, e.at);
  const effects = asked.map(
    (s): Effect => ({ type: 'peer.hold', domain: s.domain, version: placement.version }),
  );
  return next(c, { pending: attempt }, effects);
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
  return onHold(agreed, instant(Math.max(until, at)), []);
}

const commit = go<Ev<'commit'>>(['COMMITTING', 'SCHEDULED'], (c, e) => {
  if (c.holdExpire !== undefined && e.at >= c.holdExpire)
    return no('HOLD_EXPIRED', 'the hold ran out before it was committed');
  return c.current !== undefined && remotes(c.current).length > 0 ? committing(c, e.at) : scheduled(c);
});

const committed = go<Ev<'committed'>>(['SCHEDULED'], (c, e) => {
  if (c.current?.version !== e.version) return 'same';
  const current = mapSegments(
    c.current,
    inDomain(e.domain, (s) => ({ ...s, agreed: 'COMMITTED' })),
  );
  return remotes(current).every((s) => s.agreed === 'COMMITTED')
    ? scheduled({ ...c, current })
    : next(c, { current });
});

/** A participant refused or lost its part: abort the attempt everywhere and look for another. */
const retreat = go<Ev<'refused'> | Ev<'ended'>>(['RESERVING'], (c, e) => {
  const attempt = c.current ?? c.pending?.placement;
  if (attempt === undefined) return 'same';
  if (e.type === 'refused' && e.version !== attempt.version) return 'same';
  return backToReserving(c, attempt, setbackOf(attempt, e));
});

const withdraw = go<Ev<'abort'> | Ev<'cancel'>>(['CANCELLED'], (c, e) =>
  finished(
    c,
    'CANCELLED',
    e.type === 'abort' ? 'ABORTED' : 'CANCELLED',
    e.type === 'abort' ? 'aborted by the client' : e.detail,
  ),
);

const provision = go<Ev<'provision'>>(['PROVISIONING'], (c, e) => {
  if (c.request.provision === 'AUTOMATIC')
    return no('WRONG_STATE', 'an AUTOMATIC circuit is lit at its start by itself');
  if (c.armed) return 'same';
  const current = inForce(c);
  const armed: Circuit = { ...c, armed: true };
  const asked = provisionAll(armed, current);
  if (e.at < current.window.start) return next(armed, because('ARMED', 'to be lit at its start'), asked);
  const result = light(armed);
  return next(result.circuit, {}, [...asked, ...result.effects]);
});

const release = go<Ev<'release'>>(['ENDED', 'RELEASING'], (c, e) => out(c, 'ENDED', 'RELEASED', e.detail));
const cancel = go<Ev<'cancel'>>(['CANCELLED', 'RELEASING'], (c, e) =>
  out(c, 'CANCELLED', 'CANCELLED', e.detail),
);
const lost = go<Ev<'ended'>>(['FAILED', 'RELEASING'], (c, e) =>
  out(c, 'FAILED', 'PEER_ENDED', `${e.domain}: ${e.cause}`),
);

const modify = go<Ev<'modify'>>(stays, (c, e) => {
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
  return next(asked, { pending }, hold(placement, inForce(c).version));
});

const changeHeld = go<Ev<'held'>>(stays, (c, e) => {
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
  const until = instant(Math.min(plus(e.at, COMMIT_WITHIN_MS), decide));
  return next(c, { pending: { ...attempt, placement, phase: 'COMMITTING', until } }, commitAll(placement));
});

/** A move is decided long enough before the first of its starts, or not at all: others judge by their own clocks. */
const mustDecideBy = (c: Circuit, { cause, placement }: Pending): InstantMs => {
  if (cause !== 'MOVE') return NEVER;
  const start = Math.min(inForce(c).window.start, placement.window.start);
  return instant(start - c.request.noticeS * 1000 - MOVE_MARGIN_MS);
};

const changeCommitted = go<Ev<'committed'>>(stays, (c, e) => {
  if (c.pending?.phase !== 'COMMITTING' || c.pending.placement.version !== e.version) return 'same';
  const placement = mapSegments(
    c.pending.placement,
    inDomain(e.domain, (s) => ({ ...s, agreed: 'COMMITTED' })),
  );
  if (!remotes(placement).every((s) => s.agreed === 'COMMITTED'))
    return next(c, { pending: { ...c.pending, placement } });
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

const changeRefused = go<Ev<'refused'>>(stays, (c, e) =>
  c.pending?.placement.version === e.version && underNegotiation(c.pending)
    ? dropPending(c, `${e.domain}: ${e.cause}`, { ...setbackOf(c.pending.placement, e).setback, at: e.at })
    : 'same',
);

/** A domain has not what was agreed with it: its part is said again. A commit carries all that there is to know. */
const differs = go<Ev<'differs'>>(stays, (c, e) => {
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

const up = go<Ev<'up'>>(['ACTIVE'], (c, e) => {
  // It may shine elsewhere before everybody has agreed: nobody will say so again.
  if (c.pending?.phase === 'COMMITTING' && c.pending.placement.version === e.version)
    return next(inVersion(c, e.domain, e.version, lit), {});
  if (c.pending?.phase === 'LIGHTING' && c.pending.placement.version === e.version) {
    const placement = mapSegments(c.pending.placement, inDomain(e.domain, lit));
    // Make before break: the old light goes only when our own share of the new one is there.
    if (localSegment(placement)?.light !== 'LIT') return next(c, { pending: { ...c.pending, placement } });
    const { circuit, effects } = replace(c, placement);
    const now = active(circuit, e.at);
    return next(now, { conditions: protection(now, placement, e.at) }, effects);
  }
  if (c.current?.version !== e.version) return 'same';
  const current = mapSegments(c.current, inDomain(e.domain, lit));
  const now = active({ ...c, current }, e.at);
  return next(now, { conditions: protection(now, current, e.at) });
});

const down = go<Ev<'down'>>(stays, (c, e) => {
  if (c.current?.version !== e.version) return 'same';
  const segment = c.current.segments.find((s) => s.domain === e.domain);
  if (segment === undefined) return 'same';
  // What only stands by carries nothing that could be lost.
  const light = segment.standby === true ? c.conditions : dataPlane(c, 'FALSE', LIGHT_LOST, e.at, e.detail);
  const twoWays = isProtected(c) && remotes(c.current).length > 0;
  const lost = twoWays ? { lost: e.detail } : {};
  const known = segment.light !== 'LIT' && (segment.lost !== undefined || !twoWays);
  if (known) return light === c.conditions ? 'same' : next(c, { conditions: light });
  const current = mapSegments(
    c.current,
    inDomain(e.domain, (s) => ({ ...s, light: 'LIGHTING', ...lost })),
  );
  return next(
    c,
    { current, conditions: protection({ ...c, conditions: light }, current, e.at) },
    segment.local && segment.light === 'LIT' ? [{ type: 'device.light', version: e.version }] : [],
  );
});

const impaired = go<Ev<'impaired'>>(stays, (c, e) => {
  const segment = segmentOf(c, e);
  if (segment === undefined) return 'same';
  const carries = c.current?.version === e.version && segment.standby !== true && e.second !== true;
  const conditions = carries ? dataPlane(c, 'FALSE', ROAD_IMPAIRED, e.at, e.detail) : c.conditions;
  const road = e.second === true ? segment.backup : segment;
  const known = segment.local || road === undefined || road.impaired?.detail === e.detail;
  if (known) return conditions === c.conditions ? 'same' : next(c, { conditions });
  const said: Impairment = { detail: e.detail, ...(e.port === undefined ? {} : { port: e.port }) };
  const now = inVersion({ ...c, conditions }, e.domain, e.version, (s) => reported(s, e.second, said));
  return next(now, { conditions: protectedNow(now, e.at) });
});

const mended = go<Ev<'mended'>>(stays, (c, e) => {
  const segment = segmentOf(c, e);
  if ((e.second === true ? segment?.backup : segment)?.impaired === undefined) return 'same';
  const better = inVersion(c, e.domain, e.version, (s) => reported(s, e.second, undefined));
  const now = { ...better, conditions: protectedNow(better, e.at) };
  if (e.second === true) return next(now, {});
  const stillBad = c.current?.version !== e.version || now.current?.segments.some(isBroken) === true;
  if (stillBad || !isImpaired(c)) return next(now, {});
  return next(c.state === 'ACTIVE' ? active(now, e.at) : { ...now, conditions: notYetDue(now, e.at) }, {});
});

const segmentOf = (c: Circuit, { domain, version }: Ev<'impaired'> | Ev<'mended'>): Segment | undefined =>
  placements(c)
    .find((p) => p.version === version)
    ?.segments.find((s) => s.domain === domain);

const isBroken = (s: Segment): boolean => s.impaired !== undefined && s.standby !== true;

const notYetDue = (c: Circuit, at: InstantMs): Circuit['conditions'] =>
  isImpaired(c) ? dataPlane(c, 'FALSE', NOT_YET_DUE, at) : c.conditions;

const retired = go<Ev<'dark'>>(stays, (c, e) =>
  c.pending?.phase === 'RETIRING' && c.pending.placement.version === e.version
    ? next(c, { pending: undefined })
    : 'same',
);

const out_ = go<Ev<'dark'>>(['ENDED', 'CANCELLED', 'FAILED'], (c, e) => {
  const now = darken(c, e.domain, e.version);
  return anyLight(now) ? next(now, {}) : finish(now, e.at);
});

const dueReserving = go<Ev<'due'>>(['RESERVING'], (c, e) => {
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
const dueHeld = go<Ev<'due'>>(['HOLD_EXPIRED'], (c, e) =>
  c.holdExpire !== undefined && e.at >= c.holdExpire
    ? finished(c, 'HOLD_EXPIRED', 'HOLD_EXPIRED', 'the hold ran out')
    : 'same',
);
const dueCommitting = go<Ev<'due'>>(['RESERVING'], (c, e) =>
  c.holdExpire !== undefined && e.at >= c.holdExpire
    ? backToReserving(c, inForce(c), silence(inForce(c), 'HELD', 'did not commit in time'))
    : 'same',
);
const dueScheduled = go<Ev<'due'>>(['PROVISIONING', 'FAILED'], (c, e) => {
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
const dueLit = go<Ev<'due'>>(['RELEASING', 'ENDED', 'FAILED'], (c, e) => {
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
const dueReleasing = go<Ev<'due'>>(['ENDED', 'CANCELLED', 'FAILED'], (c, e) =>
  !hasOwnLight(c) && e.at >= forgetAt(c) ? finish(c, e.at) : 'same',
);

/** On the way to light or in it, a circuit takes everything alike. */
const shining = {
  place: refuse,
  reject: refuse,
  waits: ignore,
  room: ignore,
  held: changeHeld,
  refused: changeRefused,
  committed: changeCommitted,
  ended: lost,
  differs,
  commit: ignore,
  abort: refuse,
  'extend-hold': refuse,
  provision: only(stays, provision),
  release,
  cancel,
  modify,
  due: dueLit,
  up,
  down,
  impaired,
  mended,
  dark: retired,
} as const;

export const homeMatrix = {
  RESERVING: {
    place,
    reject: go(['REJECTED'], (c, e) =>
      next(c, {
        state: 'REJECTED',
        problem: e.problem,
        pending: undefined,
        ...because(e.problem.code, e.problem.detail),
      }),
    ),
    waits,
    room,
    held,
    refused: retreat,
    committed: ignore,
    ended: retreat,
    differs: ignore,
    commit: refuse,
    abort: withdraw,
    'extend-hold': refuse,
    provision: refuse,
    release: refuse,
    cancel: withdraw,
    modify: refuse,
    due: dueReserving,
    up: ignore,
    down: ignore,
    impaired: ignore,
    mended: ignore,
    dark: ignore,
  },
  HELD: {
    place: refuse,
    reject: refuse,
    waits: ignore,
    room: ignore,
    held: ignore,
    refused: retreat,
    committed: ignore,
    ended: retreat,
    differs: ignore,
    commit,
    abort: withdraw,
    'extend-hold': go(stays, (c, e) => {
      if (c.holdExpire !== undefined && e.at >= c.holdExpire)
        return no('HOLD_EXPIRED', 'the hold has run out');
      const version = inForce(c).version;
      const until = withinWindow(c, e.until);
      const asked = remotes(inForce(c)).map(
        (s): Effect => ({ type: 'peer.extend', domain: s.domain, version, until }),
      );
      return c.holdExpire !== undefined && until <= c.holdExpire
        ? 'same'
        : next(c, { holdExpire: until }, asked);
    }),
    provision: refuse,
    release: refuse,
    cancel: withdraw,
    modify: refuse,
    due: dueHeld,
    up: ignore,
    down: ignore,
    impaired: ignore,
    mended: ignore,
    dark: ignore,
  },
  COMMITTING: {
    place: refuse,
    reject: refuse,
    waits: ignore,
    room: ignore,
    held: ignore,
    refused: retreat,
    committed,
    ended: retreat,
    differs: ignore,
    commit: ignore,
    abort: refuse,
    'extend-hold': refuse,
    provision: refuse,
    release: refuse,
    cancel: withdraw,
    modify: refuse,
    due: dueCommitting,
    up: ignore,
    down: ignore,
    impaired,
    mended,
    dark: ignore,
  },
  SCHEDULED: {
    place: refuse,
    reject: refuse,
    waits: ignore,
    room: ignore,
    held: changeHeld,
    refused: changeRefused,
    committed: changeCommitted,
    ended: go(['RESERVING'], (c, e) => backToReserving(c, inForce(c), setbackOf(inForce(c), e))),
    differs,
    commit: ignore,
    abort: refuse,
    'extend-hold': refuse,
    provision,
    release,
    cancel,
    modify,
    due: dueScheduled,
    up: only(stays, up),
    down,
    impaired,
    mended,
    dark: retired,
  },
  PROVISIONING: shining,
  ACTIVE: shining,
  RELEASING: {
    place: refuse,
    reject: refuse,
    waits: ignore,
    room: ignore,
    held: ignore,
    refused: ignore,
    committed: ignore,
    ended: go(['ENDED', 'CANCELLED', 'FAILED'], (c, e) =>
      out_.run(c, { type: 'dark', domain: e.domain, at: e.at }),
    ),
    differs: ignore,
    commit: refuse,
    abort: refuse,
    'extend-hold': refuse,
    provision: refuse,
    release: ignore,
    // A released circuit that is cancelled on top goes on going out; only its name for it changes.
    cancel: go(stays, (c, e) =>
      c.outcome === 'CANCELLED'
        ? 'same'
        : next(c, { outcome: 'CANCELLED', ...because('CANCELLED', e.detail) }),
    ),
    modify: refuse,
    due: dueReleasing,
    up: ignore,
    down: ignore,
    impaired: ignore,
    mended: ignore,
    dark: out_,
  },
  ENDED: final(),
  REJECTED: final(),
  HOLD_EXPIRED: final(),
  CANCELLED: final(),
  FAILED: final(),
} as const satisfies Matrix<HomeEvent>;

function final() {
  return {
    place: refuse,
    reject: refuse,
    waits: ignore,
    room: ignore,
    held: ignore,
    refused: ignore,
    committed: ignore,
    ended: ignore,
    differs: ignore,
    commit: refuse,
    abort: refuse,
    'extend-hold': refuse,
    provision: refuse,
    release: refuse,
    cancel: refuse,
    modify: refuse,
    due: ignore,
    up: ignore,
    down: ignore,
    impaired: ignore,
    mended: ignore,
    dark: ignore,
  } as const;
}

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

const isEarly = ({ current }: Circuit, at: InstantMs): boolean =>
  current?.lightFrom !== undefined && at < current.window.start;
const earlier = (a: InstantMs, b: InstantMs | undefined): InstantMs => (b !== undefined && b < a ? b : a);
const plus = (at: InstantMs, ms: number): InstantMs => instant(at + ms);

function inForce(c: Circuit): Placement {
  invariant(c.current !== undefined, `${c.id} is ${c.state} and has a placement`);
  return c.current;
}

const forgetAt = (c: Circuit): InstantMs => plus(inForce(c).window.end, FORGET_PEERS_AFTER_MS);

const underNegotiation = (p: Pending): boolean => p.phase === 'HOLDING' || p.phase === 'COMMITTING';

const overdue = (c: Circuit, at: InstantMs): boolean =>
  c.pending?.until !== undefined && underNegotiation(c.pending) && at >= c.pending.until;

const hold = (p: Placement, replaces?: number): Effect[] =>
  remotes(p).map((s) => ({
    type: 'peer.hold',
    domain: s.domain,
    version: p.version,
    ...(replaces === undefined ? {} : { replaces }),
  }));

const commitAll = (p: Placement): Effect[] =>
  remotes(p).map((s) => ({ type: 'peer.commit', domain: s.domain, version: p.version }));

/** Of a MANUAL circuit whose light has been asked for. */
const provisionAll = (c: Circuit, p: Placement): Extract<Effect, { type: 'peer.provision' }>[] =>
  c.armed ? remotes(p).map((s) => ({ type: 'peer.provision', domain: s.domain, version: p.version })) : [];

const abortAll = (p: Placement): Effect[] =>
  remotes(p).map((s) => ({ type: 'peer.abort', domain: s.domain, version: p.version }));

/** One domain's answer to a hold, written into the attempt; undefined when it answers something else. */
function answered(pending: Pending | undefined, e: Ev<'held'>): Pending | undefined {
  if (pending?.phase !== 'HOLDING' || pending.placement.version !== e.version) return undefined;
  const placement = mapSegments(
    pending.placement,
    inDomain(e.domain, (s) => ({ ...answeredFor(s, e), agreed: 'HELD', peerRef: e.peerRef })),
  );
  const until = pending.until === undefined || e.until < pending.until ? e.until : pending.until;
  return { ...pending, placement, until };
}

function onHold(c: Circuit, until: InstantMs, effects: Effect[]): Result {
  const holdExpire = withinWindow(c, until);
  return next(c, { state: 'HELD', holdExpire, ...because('HELD', 'waiting for the commit') }, effects);
}

/** There is nothing to commit once the window has passed, so no hold outlives it. */
function withinWindow(c: Circuit, until: InstantMs): InstantMs {
  const { end } = inForce(c).window;
  return end < until ? end : until;
}

function committing(c: Circuit, at: InstantMs): Result {
  const patch = {
    state: 'COMMITTING' as const,
    holdExpire: plus(at, COMMIT_WITHIN_MS),
    ...because('COMMITTING', 'the domains of the path are being told'),
  };
  return next(c, patch, commitAll(inForce(c)));
}

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

/** Setbacks that are remembered; more attempts than these are not made. */
const MOST_SETBACKS = 16;

function backToReserving(c: Circuit, attempt: Placement, why: Failed): Result {
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
      conditions: c.conditions.filter(({ type }) => type !== 'Protected'),
      setbacks: [...(c.setbacks ?? []), why.setback].slice(-MOST_SETBACKS),
      ...because(why.code, why.detail),
    },
    effects,
  );
}

interface Failed {
  readonly setback: Setback;
  readonly code: string;
  readonly detail: string;
}

function failed(
  code: string,
  attempt: Placement,
  segment: Segment | undefined,
  about: Pick<Setback, 'domain' | 'kind' | 'detail'> & Partial<Setback>,
): Failed {
  const setback: Setback = {
    version: attempt.version,
    start: attempt.window.start,
    links: segment === undefined ? [] : [...segment.links, ...(segment.backup?.links ?? [])],
    ...about,
  };
  return { setback, code, detail: `${about.domain}: ${about.detail}` };
}

function setbackOf(attempt: Placement, e: Ev<'refused'> | Ev<'ended'>): Failed {
  const segment = attempt.segments.find((s) => s.domain === e.domain);
  const { domain, cause: detail } = e;
  if (e.type === 'ended') return failed('PEER_ENDED', attempt, segment, { domain, kind: 'ENDED', detail });
  // Whoever refuses for want of a label names no border: all that it was offered did not do.
  const ends = segment === undefined ? [] : endsOf(segment);
  const noLabel = e.kind === 'LABEL' ? ends.filter((end) => end.offered !== undefined) : [];
  const more =
    noLabel.length === 0
      ? {}
      : { links: noLabel.map((end) => end.border ?? ''), asked: noLabel.flatMap((end) => end.offered ?? []) };
  return failed('PEER_REFUSED', attempt, segment, {
    domain,
    kind: e.kind ?? 'ROOM',
    detail,
    ...more,
    ...(e.opens === undefined ? {} : { opens: e.opens }),
  });
}

/** The first domain that still owes its answer. */
function silence(attempt: Placement, owing: Segment['agreed'], detail: string): Failed {
  const segment = remotes(attempt).find((s) => s.agreed === owing);
  const domain = segment?.domain ?? 'a domain of the path';
  return failed('PEER_SILENT', attempt, segment, { domain, kind: 'SILENT', detail });
}

function conflict(
  attempt: Placement,
  { border, domain, left }: Extract<Agreement, { agreed: false }>,
): Failed {
  const roads = attempt.segments.flatMap((s) => [s, secondOf(s) ?? []].flat());
  const asked = roads.find(({ z }) => z.border === border)?.z.offered ?? [];
  const detail = `no label of ${border} is free at both ends`;
  return failed('PEER_REFUSED', attempt, undefined, {
    domain,
    kind: 'LABEL',
    detail,
    links: [border],
    left,
    asked,
  });
}

/** What stood in the way of another road is remembered, so that the next is not the same. */
function dropPending(c: Circuit, detail: string, setback?: Setback): Result {
  const { pending } = c;
  invariant(pending !== undefined, 'a change is pending');
  const setbacks =
    setback === undefined || (pending.cause !== 'REROUTE' && pending.cause !== 'SWITCH')
      ? {}
      : { setbacks: [...(c.setbacks ?? []), setback].slice(-MOST_SETBACKS) };
  return next(
    c,
    { pending: undefined, ...setbacks, ...because('CHANGE_DROPPED', detail) },
    abortAll(pending.placement),
  );
}

function dropLate(c: Circuit, at: InstantMs): Result {
  const { pending } = c;
  invariant(pending !== undefined, 'a change is pending');
  const owing = pending.phase === 'HOLDING' ? 'ASKED' : 'HELD';
  const { setback } = silence(pending.placement, owing, 'did not answer in time');
  return dropPending(c, 'the change was not agreed in time', { ...setback, at });
}

/** Turns everything of the circuit on: the local segment by its devices, the others by their own clocks. */
function light(c: Circuit): { kind: 'next'; circuit: Circuit; effects: readonly Effect[] } {
  const current = mapSegments(inForce(c), lighting);
  const effects: Effect[] =
    localSegment(current) === undefined ? [] : [{ type: 'device.light', version: current.version }];
  return next(
    c,
    { state: 'PROVISIONING', current, ...because('PROVISIONING', 'the devices of the path are being set') },
    effects,
  );
}

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

type Change = Pick<Pending, 'placement' | 'request' | 'cause'>;

const reasonOf = (cause: ChangeCause | undefined): string =>
  cause === undefined
    ? 'changed as asked'
    : cause === 'MOVE'
      ? 'moved inside its window'
      : 'given another road';

const isProtected = ({ request }: Circuit): boolean => request.protection === 'PROTECTED';

/** Does a circuit that asked for protection have its second road, and over several domains light on both? */
function protection(c: Circuit, placement: Placement, at: InstantMs): Circuit['conditions'] {
  if (!isProtected(c)) return c.conditions;
  const say = (status: Condition['status'], reason: string, detail?: string) =>
    condition(c, 'Protected', status, reason, at, detail);
  if (localSegment(placement)?.backup === undefined) return say('FALSE', 'NO_BACKUP');
  const { segments } = placement;
  for (const { domain, impaired, lost, backup } of segments) {
    const bad = impaired?.detail ?? lost ?? backup?.impaired?.detail;
    if (bad !== undefined) return say('FALSE', 'DEGRADED', `${domain}: ${bad}`);
  }
  const dark = segments.find((s) => s.standby === true && s.light !== 'LIT');
  return c.state === 'ACTIVE' && dark !== undefined
    ? say('UNKNOWN', 'NO_LIGHT_YET', `${dark.domain} has not said that it has light`)
    : say('TRUE', 'BACKUP_HELD');
}

const protectedNow = (c: Circuit, at: InstantMs): Circuit['conditions'] =>
  c.current === undefined ? c.conditions : protection(c, c.current, at);

const CARRYING_LIGHT = 'carrying light';

/** Puts what was agreed in the place of what is in force, which goes out. */
function replace(c: Circuit, placement: Placement): { circuit: Circuit; effects: Effect[] } {
  const old = inForce(c);
  const retiring = mapSegments(old, (s) => (s.local ? darkening(s) : s));
  const pending: Pending = { phase: 'RETIRING', placement: retiring };
  return {
    circuit: { ...c, current: placement, request: c.pending?.request ?? c.request, pending },
    effects: [{ type: 'device.dark', version: old.version }],
  };
}

/** ACTIVE as soon as every segment is lit; the condition follows. */
function active(c: Circuit, at: InstantMs): Circuit {
  if (!allLit(inForce(c))) return c;
  const conditions = inForce(c).segments.some(isBroken)
    ? c.conditions
    : dataPlane(c, 'TRUE', 'ALL_SEGMENTS_LIT', at);
  if (c.state !== 'PROVISIONING') return { ...c, conditions };
  return {
    ...c,
    state: 'ACTIVE',
    conditions,
    actualStart: c.actualStart ?? at,
    ...because('ACTIVE', CARRYING_LIGHT),
  };
}

/** Ends a circuit, over RELEASING when some of it is lit. */
function out(c: Circuit, outcome: 'ENDED' | 'CANCELLED' | 'FAILED', code: string, detail: string): Result {
  if (!anyLight(c)) return finished(c, outcome, code, detail);
  const { circuit, effects } = quench(c);
  return next(circuit, { state: 'RELEASING', outcome, ...because(code, detail) }, [
    ...effects,
    ...goodbye(c, outcome, detail),
  ]);
}

function finished(c: Circuit, state: FinalState, code: string, detail: string): Result {
  return next(
    c,
    { state, pending: undefined, holdExpire: undefined, ...because(code, detail) },
    goodbye(c, state, detail),
  );
}

function finish(c: Circuit, at: InstantMs): Result {
  const state = c.outcome;
  invariant(state !== undefined && state !== 'RESERVING', 'a circuit that is released has an outcome');
  const conditions = dataPlane(c, 'FALSE', 'RELEASED', at);
  const patch = { state, outcome: undefined, pending: undefined, conditions };
  return next(c, c.actualStart === undefined ? patch : { ...patch, actualEnd: at });
}

/** Tells every domain that ever heard of the circuit that it is over. */
function goodbye(c: Circuit, outcome: FinalState, detail: string): Effect[] {
  const domains = new Set(
    [c.current, c.pending?.placement].flatMap((p) =>
      p === undefined ? [] : remotes(p).map((s) => s.domain),
    ),
  );
  return [...domains].map((domain) =>
    outcome === 'ENDED'
      ? { type: 'peer.release', domain, reason: detail }
      : { type: 'peer.cancel', domain, floor: c.version },
  );
}
