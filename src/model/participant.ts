/**
 * The matrix of the PARTICIPANT role: a segment that another domain's broker asked for. It stands by what it
 * has committed until its home tells it otherwise, and asks when it is not told. Its versions are closed for
 * good by abort, free, cancel or a higher floor; RESERVING means that nothing is held at present, and the row
 * itself is the tombstone that answers CLOSED to a late hold or commit.
 *
 * Both versions of a move count and shine until the home has told which one stands: every shortcut breaks
 * somebody's promise when a message is lost.
 */
import { invariant } from '../kernel/assert.ts';
import { type InstantMs, instant, NEVER } from '../kernel/clock.ts';
import {
  type Circuit,
  type FinalState,
  type HomeRef,
  type Impairment,
  isLit,
  localSegment,
  type Pending,
  type Placement,
  placements,
} from './circuit.ts';
import type { Effect, News } from './effects.ts';
import type { ParticipantEvent } from './events.ts';
import {
  allLit,
  anyLight,
  because,
  darken,
  dataPlane,
  go,
  handOver,
  ignore,
  inDomain,
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
  sameHops,
  stays,
} from './rules.ts';
import { reported } from './ways.ts';
import { contains } from './window.ts';

type Ev<T extends ParticipantEvent['type']> = Extract<ParticipantEvent, { readonly type: T }>;

/** The first question to a home that has not confirmed a commit; then twice as long each time. */
const ASK_FIRST_MS = 5_000;
const ASK_LAST_MS = 300_000;
/** A tombstone outlives its window by a day. */
const TOMBSTONE_MS = 86_400_000;
/** What has no end ends when its home has not confirmed it for a day; it is asked three times in that time. */
export const LEASE_MS = 86_400_000;
const ASK_TO_RENEW_MS = LEASE_MS / 3;
/** "Unknown" from the home releases a commit only when it says so twice. */
const UNKNOWNS_TO_RELEASE = 2;

const closed = (detail: string): Result => no('WRONG_STATE', `CLOSED: ${detail}`);

const firstHold = go<Ev<'hold'>>(['HELD'], (c, e) => {
  const version = e.placement.version;
  if (c.pending?.placement.version === version)
    return no('HOLD_EXPIRED', 'EXPIRED: the hold of this version ran out');
  if (isClosed(c, version)) return closed(`version ${version} is closed`);
  return next(c, {
    state: 'HELD',
    version: Math.max(c.version, version),
    pending: { phase: 'HOLDING', placement: e.placement, until: e.until },
    home: { tryingSince: e.at, ...homeOf(c), keepUntil: keep(c, e.placement, e.at) },
    ...because('HELD', 'held for the home'),
  });
});

/** A hold while another is held: the same one again, or a newer attempt that replaces it. */
const nextHold = go<Ev<'hold'>>(['HELD'], (c, e) =>
  c.pending?.placement.version === e.placement.version ? 'same' : firstHold.run(c, e),
);

const changeHold = go<Ev<'hold'>>(stays, (c, e) => {
  const version = e.placement.version;
  if (
    version === c.current?.version ||
    (version === c.pending?.placement.version && c.pending.phase !== 'EXPIRED')
  )
    return 'same';
  if (version === c.pending?.placement.version)
    return no('HOLD_EXPIRED', 'EXPIRED: the hold of this version ran out');
  if (isClosed(c, version)) return closed(`version ${version} is closed`);
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

const extendHold = go<Ev<'extend-hold'>>(stays, (c, e) => {
  if (c.pending?.phase !== 'HOLDING' || c.pending.placement.version !== e.version) {
    return c.current?.version === e.version ? 'same' : no('HOLD_EXPIRED', `version ${e.version} is not held`);
  }
  return c.pending.until !== undefined && e.until <= c.pending.until
    ? 'same'
    : next(c, { pending: { ...c.pending, until: e.until } });
});

/** A commit carries the whole segment, so that what expired, or was never heard of, is taken if it is free. */
const firstCommit = go<Ev<'commit'>>(['SCHEDULED'], (c, e) => {
  const { placement } = e;
  if (isClosed(c, placement.version) && c.pending?.placement.version !== placement.version)
    return closed(`version ${placement.version} is closed`);
  return next(c, {
    state: 'SCHEDULED',
    version: Math.max(c.version, placement.version),
    current: placement,
    pending: undefined,
    home: unconfirmed(c, e),
    ...because('COMMITTED', 'waiting for its start'),
  });
});

const changeCommit = go<Ev<'commit'>>(['PROVISIONING'], (c, e) => {
  const { placement } = e;
  if (placement.version === c.current?.version) return 'same';
  const pending = c.pending;
  if (
    pending?.placement.version === placement.version &&
    (pending.phase === 'COMMITTING' || pending.phase === 'RETIRING')
  )
    return 'same';
  if (isClosed(c, placement.version) && pending?.placement.version !== placement.version)
    return closed(`version ${placement.version} is closed`);
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

const letGo = go<Ev<'abort'> | Ev<'free'>>(['RESERVING', 'RELEASING'], (c, e) =>
  close(c, e.version, e.active, e.at),
);
const cancel = go<Ev<'cancel'>>(['CANCELLED', 'RELEASING'], (c, e) => {
  const home = { ...homeOf(c), floor: Math.max(homeOf(c).floor, e.floor) };
  return out(
    { ...c, home, version: Math.max(c.version, e.floor) },
    'CANCELLED',
    'CANCELLED',
    'cancelled by its home',
  );
});
/** Of what is only held, too: it takes nothing but room, and what lets go is never refused. */
const release = go<Ev<'release'>>(['ENDED', 'RELEASING'], (c, e) => out(c, 'ENDED', 'RELEASED', e.detail));

const provision = go<Ev<'provision'>>(['PROVISIONING'], (c, e) => {
  if (c.armed) return 'same';
  const [circuit, patch, effects] = lightWhatIsDue({ ...c, armed: true }, e.at);
  return next(circuit, patch, effects);
});

/** The home knows of it: what it said to the contrary before was not said twice. */
const known = (c: Circuit): Result =>
  homeOf(c).unknowns === 0 ? 'same' : next(c, { home: { ...homeOf(c), unknowns: 0 } });

const told = go<Ev<'told'>>(['RESERVING', 'RELEASING', 'CANCELLED'], (c, e) => {
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

/** What the home has otherwise is the home's to say. */
const differs = go<Ev<'differs'>>(stays, (c) =>
  next(c, {}, [{ type: 'peer.query', domain: homeOf(c).domain }]),
);

const dueReserving = go<Ev<'due'>>(['CANCELLED'], (c, e) =>
  e.at >= homeOf(c).keepUntil
    ? finished(c, 'CANCELLED', 'FORGOTTEN', 'the tombstone is no longer needed')
    : 'same',
);
const dueHeld = go<Ev<'due'>>(['RESERVING'], (c, e) =>
  c.pending?.until !== undefined && e.at >= c.pending.until
    ? next(c, {
        state: 'RESERVING',
        pending: { ...c.pending, phase: 'EXPIRED' },
        ...because('HOLD_EXPIRED', 'the hold ran out'),
      })
    : 'same',
);
const dueCommitted = go<Ev<'due'>>(['PROVISIONING', 'RELEASING', 'ENDED', 'FAILED'], (c, e) => {
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
    const wait = Math.min(ASK_FIRST_MS * 2 ** Math.min(home.asks + 1, 10), ASK_LAST_MS);
    now = { ...now, home: { ...home, asks: home.asks + 1, askAt: plus(e.at, wait) } };
    effects.push({ type: 'peer.query', domain: home.domain });
  }
  const [rest, darks] = quenchWhatIsOver(now, e.at);
  const [circuit, patch, lights] = lightWhatIsDue(rest, e.at, e.early);
  // A dark version whose time passes is written down once, or dueAt would name its start for ever.
  const passed = inForce(c).some((p) => c.updateTime < p.window.end && p.window.end <= e.at);
  if (circuit === c && !passed) return 'same';
  return next(circuit, patch, [...effects, ...darks, ...lights]);
});

const up = go<Ev<'up'>>(['ACTIVE'], (c, e) => {
  if (!placements(c).some((p) => p.version === e.version)) return 'same';
  const shine = (p: Placement): Placement =>
    p.version === e.version ? mapSegments(p, inDomain(e.domain, lit)) : p;
  const now = mapPlacements(c, shine);
  if (!inForce(now).some(allLit)) return next(now, {});
  const conditions = dataPlane(now, 'TRUE', 'ALL_SEGMENTS_LIT', e.at);
  const known = c.state === 'ACTIVE' && conditions === c.conditions && c.current?.version === e.version;
  const counted = known ? now : counting(now);
  const effects = known ? [] : [notify(counted, 'UP', { version: e.version })];
  if (c.state === 'ACTIVE') return next(counted, { conditions }, effects);
  return next(
    counted,
    {
      state: 'ACTIVE',
      conditions,
      actualStart: c.actualStart ?? e.at,
      ...because('ACTIVE', 'carrying light'),
    },
    effects,
  );
});

const down = go<Ev<'down'>>(stays, (c, e) => {
  const of = placements(c).find((p) => p.version === e.version);
  const segment = of === undefined ? undefined : localSegment(of);
  if (segment === undefined) return 'same';
  const conditions = dataPlane(c, 'FALSE', LIGHT_LOST, e.at, e.detail);
  if (conditions === c.conditions && segment.light !== 'LIT') return 'same';
  const dim = (p: Placement): Placement =>
    p.version === e.version
      ? mapSegments(
          p,
          inDomain(e.domain, (s) => ({ ...s, light: 'LIGHTING' })),
        )
      : p;
  const counted = counting(mapPlacements(c, dim));
  const again: Effect[] = segment.light === 'LIT' ? [{ type: 'device.light', version: e.version }] : [];
  return next(counted, { conditions }, [
    ...again,
    notify(counted, 'DOWN', { version: e.version, cause: e.detail }),
  ]);
});

/** Its home is told, who alone can give it another road: a new version, between the same ports or others. */
const impaired = go<Ev<'impaired'>>(stays, (c, e) => {
  if (c.current?.version !== e.version) return 'same';
  if (e.second === true) return secondIs(c, c.current, { detail: e.detail });
  const conditions = dataPlane(c, 'FALSE', ROAD_IMPAIRED, e.at, e.detail);
  if (conditions === c.conditions) return 'same';
  const counted = counting(c);
  const at = e.port === undefined ? {} : { port: e.port };
  return next(counted, { conditions }, [{ ...notify(counted, 'IMPAIRED', { cause: e.detail }), ...at }]);
});

const mended = go<Ev<'mended'>>(stays, (c, e) => {
  if (c.current?.version !== e.version) return 'same';
  if (e.second === true) return secondIs(c, c.current, undefined);
  if (!isImpaired(c)) return 'same';
  const lit = c.state === 'ACTIVE' && allLit(c.current);
  const conditions = lit
    ? dataPlane(c, 'TRUE', 'ALL_SEGMENTS_LIT', e.at)
    : dataPlane(c, 'FALSE', NOT_YET_DUE, e.at);
  const counted = counting(c);
  return next(counted, { conditions }, [notify(counted, 'MENDED')]);
});

/** Of the road that nobody uses now: its home would switch to it. */
function secondIs(c: Circuit, current: Placement, said: Impairment | undefined): Result {
  const backup = localSegment(current)?.backup;
  if (backup === undefined || backup.impaired?.detail === said?.detail) return 'same';
  const counted = counting({ ...c, current: mapSegments(current, (s) => reported(s, true, said)) });
  const cause = said === undefined ? {} : { cause: said.detail };
  const news = notify(counted, said === undefined ? 'MENDED' : 'IMPAIRED', cause);
  return next(counted, {}, [{ ...news, second: true }]);
}

const retired = go<Ev<'dark'>>(stays, (c, e) => {
  const out = placements(c).find((p) => p.version === e.version && localSegment(p)?.light === 'DARKENING');
  if (out === undefined) return 'same';
  return c.pending?.phase === 'RETIRING' && c.pending.placement === out
    ? next(c, { pending: undefined })
    : next(darken(c, e.domain, e.version), {});
});
const wentOut = go<Ev<'dark'>>(['RESERVING', 'ENDED', 'CANCELLED', 'FAILED'], (c, e) => {
  const now = darken(c, e.domain, e.version);
  return anyLight(now) ? next(now, {}) : finish(now, e.at);
});

const raiseFloor = go<Ev<'abort'> | Ev<'free'>>(stays, (c, e) => {
  const raised = raise(c, e.version);
  return raised === c ? 'same' : next(raised, {});
});

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
    release: go(stays, (c) =>
      c.outcome === 'RESERVING'
        ? next(c, { outcome: 'ENDED', ...because('RELEASED', 'released by its home') })
        : 'same',
    ),
    cancel: go(stays, (c, e) => {
      const home = { ...homeOf(c), floor: Math.max(homeOf(c).floor, e.floor) };
      return c.outcome === 'CANCELLED' && home.floor === c.home?.floor
        ? 'same'
        : next(c, { home, outcome: 'CANCELLED', ...because('CANCELLED', 'cancelled by its home') });
    }),
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

const plus = (at: InstantMs, ms: number): InstantMs => instant(at + ms);

function homeOf(c: Circuit): HomeRef {
  invariant(c.home !== undefined, `${c.id} is a participant's and knows its home`);
  return c.home;
}

/** What is committed: the current placement and, until the home has told, the one that is to replace it. */
const inForce = (c: Circuit): Placement[] => [
  ...(c.current === undefined ? [] : [c.current]),
  ...(c.pending?.phase === 'COMMITTING' ? [c.pending.placement] : []),
];

const isClosed = (c: Circuit, version: number): boolean => version <= Math.max(c.version, homeOf(c).floor);

const leaseEnd = (c: Circuit): InstantMs => homeOf(c).leaseUntil ?? NEVER;

const keep = (c: Circuit, p: Placement, at: InstantMs): InstantMs => {
  const end = isEndless(p) ? plus(at, LEASE_MS) : p.window.end;
  return instant(Math.max(homeOf(c).keepUntil, end + TOMBSTONE_MS));
};

/** The home has still to confirm what is committed; it is asked when it does not. */
function unconfirmed(c: Circuit, e: Ev<'commit'>): HomeRef {
  const { tryingSince: _, ...home } = homeOf(c);
  return {
    ...home,
    told: false,
    asks: 0,
    unknowns: 0,
    epoch: e.epoch,
    askAt: plus(e.at, ASK_FIRST_MS),
    keepUntil: keep(c, e.placement, e.at),
    ...(isEndless(e.placement) ? { leaseUntil: plus(e.at, LEASE_MS) } : {}),
  };
}

/** Its home stands by what has no end: a day more, and the next question well before that. */
const renewed = (home: HomeRef, at: InstantMs): HomeRef => ({
  ...home,
  asks: 0,
  leaseUntil: plus(at, LEASE_MS),
  askAt: plus(at, ASK_TO_RENEW_MS),
  keepUntil: plus(at, LEASE_MS + TOMBSTONE_MS),
});

const isEndless = (p: Placement): boolean => p.window.end === NEVER;

const mayShine = (c: Circuit): boolean => c.request.provision === 'AUTOMATIC' || c.armed;

const isDark = (p: Placement): boolean => p.segments.every((s) => !isLit(s));

/** On, or being turned on. */
const shines = (p: Placement): boolean => p.segments.some((s) => s.light === 'LIT' || s.light === 'LIGHTING');

function mapPlacements(c: Circuit, change: (p: Placement) => Placement): Circuit {
  return {
    ...c,
    ...(c.current === undefined ? {} : { current: change(c.current) }),
    ...(c.pending === undefined ? {} : { pending: { ...c.pending, placement: change(c.pending.placement) } }),
  };
}

/** Lights every committed version whose time has come. Both versions of a move may shine at once. */
function lightWhatIsDue(
  c: Circuit,
  at: InstantMs,
  early = false,
): [Circuit, { state?: 'PROVISIONING'; reason?: Circuit['reason'] }, Effect[]] {
  if (!mayShine(c)) return [c, {}, []];
  const isDue = ({ window: { start, end } }: Placement): boolean => (early || start <= at) && at < end;
  const due = inForce(c).filter((p) => isDark(p) && isDue(p));
  if (due.length === 0) return [c, {}, []];
  const lightOf = (p: Placement): Placement =>
    mapSegments(at < p.window.start ? { ...p, lightFrom: at } : p, lighting);
  const circuit = mapPlacements(c, (p) => (due.some((d) => d.version === p.version) ? lightOf(p) : p));
  const effects = due.map((p): Effect => ({ type: 'device.light', version: p.version }));
  return c.state === 'SCHEDULED'
    ? [
        circuit,
        { state: 'PROVISIONING', ...because('PROVISIONING', 'the devices of the segment are being set') },
        effects,
      ]
    : [circuit, {}, effects];
}

/**
 * Puts out a version whose own time is over while another still runs: the home may be long in telling which
 * one stands, and the room after a window's end is somebody else's. Where the other shines on the same hops,
 * these become its own.
 */
function quenchWhatIsOver(c: Circuit, at: InstantMs): [Circuit, Effect[]] {
  const over = inForce(c).filter((p) => shines(p) && p.window.end <= at);
  if (over.length === 0) return [c, []];
  const effects: Effect[] = [];
  const put = (p: Placement): Placement => {
    if (!over.some((o) => o.version === p.version)) return p;
    const heir = inForce(c).find((o) => o.version !== p.version && shines(o) && sameHops(o, p));
    effects.push(
      ...(heir === undefined
        ? [{ type: 'device.dark', version: p.version } as const]
        : handOver(p, heir).effects),
    );
    return mapSegments(p, (s) => ({ ...s, light: heir === undefined ? 'DARKENING' : 'DARK' }));
  };
  return [mapPlacements(c, put), effects];
}

/** Closes every version up to `version` except `active`. What was replaced goes out after what replaces it. */
function close(c: Circuit, version: number, active: number | undefined, at: InstantMs): Result {
  const raised = raise(c, version);
  const gone = (p: Placement | undefined): boolean =>
    p !== undefined && p.version <= version && p.version !== active;
  const { current, pending } = raised;
  const pendingGone = gone(pending?.placement) && pending?.phase !== 'RETIRING';
  if (!gone(current) && !pendingGone) return raised === c ? 'same' : next(raised, {});
  if (gone(current) && pending?.phase === 'COMMITTING' && !pendingGone)
    return promote(raised, pending.placement, at);
  if (!gone(current) && current !== undefined) return retire(raised, current, pending, at);
  if (!anyLight(raised)) {
    return next(raised, {
      state: 'RESERVING',
      current: undefined,
      pending: undefined,
      ...because('ABORTED', 'let go by its home'),
    });
  }
  const { circuit, effects } = quench(raised);
  return next(
    circuit,
    { state: 'RELEASING', outcome: 'RESERVING', ...because('ABORTED', 'let go by its home') },
    effects,
  );
}

/** The replacement becomes the one in force; the old one goes out, if it was lit anywhere else. */
function promote(c: Circuit, placement: Placement, at: InstantMs): Result {
  const old = c.current;
  invariant(old !== undefined, 'there is something to replace');
  if (isDark(old)) return next(c, { current: placement, pending: undefined });
  if (sameHops(old, placement)) {
    const same = mapSegments(placement, (s) => ({ ...s, light: 'LIGHTING' }));
    if (contains(placement.window, at)) {
      const { pending, effects } = handOver(old, placement);
      return next(c, { current: same, pending }, effects);
    }
  }
  const pending: Pending = {
    phase: 'RETIRING',
    placement: mapSegments(old, (s) => ({ ...s, light: 'DARKENING' })),
  };
  return next(c, { current: placement, pending }, [{ type: 'device.dark', version: old.version }]);
}

/** Drops the replacement. If it was lit, it goes out first, or gives its hops back to the one in force. */
function retire(c: Circuit, current: Placement, pending: Pending | undefined, at: InstantMs): Result {
  if (pending === undefined || isDark(pending.placement)) return next(c, { pending: undefined });
  if (sameHops(current, pending.placement) && mayShine(c) && contains(current.window, at)) {
    const back = mapSegments(current, (s) => ({ ...s, light: 'LIGHTING' }));
    const given = handOver(pending.placement, current);
    return next(c, { current: back, pending: given.pending }, given.effects);
  }
  const placement = mapSegments(pending.placement, (s) => ({ ...s, light: 'DARKENING' }));
  return next(c, { pending: { phase: 'RETIRING', placement } }, [
    { type: 'device.dark', version: placement.version },
  ]);
}

const raise = (c: Circuit, version: number): Circuit =>
  version <= homeOf(c).floor
    ? c
    : { ...c, version: Math.max(c.version, version), home: { ...homeOf(c), floor: version } };

const counting = (c: Circuit): Circuit => ({
  ...c,
  home: { ...homeOf(c), sequence: homeOf(c).sequence + 1 },
});

const notify = (
  c: Circuit,
  what: News,
  { version = c.current?.version ?? c.version, cause }: { version?: number; cause?: string } = {},
): Extract<Effect, { type: 'peer.notify' }> => ({
  type: 'peer.notify',
  domain: homeOf(c).domain,
  what,
  version,
  sequence: homeOf(c).sequence,
  ...(cause === undefined ? {} : { cause }),
});

function out(
  c: Circuit,
  outcome: 'ENDED' | 'CANCELLED' | 'FAILED',
  code: string,
  detail: string,
  effects: Effect[] = [],
): Result {
  if (!anyLight(c)) {
    const done = finished(c, outcome, code, detail);
    return done === 'same' || done.kind === 'refused' ? done : { ...done, effects };
  }
  const put = quench(c);
  return next(put.circuit, { state: 'RELEASING', outcome, ...because(code, detail) }, [
    ...effects,
    ...put.effects,
  ]);
}

const finished = (c: Circuit, state: FinalState, code: string, detail: string): Result =>
  next(c, { state, pending: undefined, outcome: undefined, ...because(code, detail) });

function finish(c: Circuit, at: InstantMs): Result {
  const outcome = c.outcome;
  invariant(outcome !== undefined, 'a circuit that is released has an outcome');
  const conditions = dataPlane(c, 'FALSE', 'RELEASED', at);
  const ended = c.actualStart === undefined ? {} : { actualEnd: at };
  if (outcome === 'RESERVING') {
    return next(c, {
      state: 'RESERVING',
      outcome: undefined,
      current: undefined,
      pending: undefined,
      conditions,
      ...ended,
    });
  }
  return next(c, { state: outcome, outcome: undefined, pending: undefined, conditions, ...ended });
}
