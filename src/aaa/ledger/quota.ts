/**
 * Quotas: how many circuits, how much bandwidth at once, and how much bandwidth times time, of a project or
 * at a group of ports, at once or in a period. The state is a fold of live bookings with an undo for each
 * change; checking and entering happen in one turn of the writer, so of fifty that race for one exactly one
 * wins.
 */
import { invariant } from '../../kernel/assert.ts';
import { type InstantMs, instant, NEVER } from '../../kernel/clock.ts';
import type { Window } from '../../model/window.ts';
import { Steps } from './steps.ts';

export type QuotaKind = 'CIRCUITS' | 'BANDWIDTH' | 'VOLUME';
/** LIVE: at once. The others count what begins (CIRCUITS) or lies (VOLUME) in one day, month or year in UTC. */
export type Period = 'LIVE' | 'DAY' | 'MONTH' | 'YEAR';

export interface Scope {
  readonly type: 'PROJECT' | 'PORT_GROUP';
  readonly id: string;
}
export interface Quota {
  readonly id: string;
  readonly scope: Scope;
  readonly kind: QuotaKind;
  /** BANDWIDTH is always LIVE: the highest moment counts, not a sum. VOLUME that is LIVE is all that is booked. */
  readonly period: Period;
  /** Circuits, Mb/s or Mbit. */
  readonly limit: number;
}

export interface Booking {
  readonly circuit: string;
  readonly project: string;
  readonly portGroups: readonly string[];
  readonly mbps: number;
  readonly window: Window;
}

export interface QuotaRefusal {
  readonly quota: string;
  readonly kind: QuotaKind;
  readonly limit: number;
  /** With the new booking. */
  readonly needed: number;
  /** The day, month or year at fault. */
  readonly period?: string;
}

/** What only some quotas ask for, kept from the first question on: it costs more than the counters. */
class Look {
  /** What is booked and not over. */
  readonly live = new Steps();
  /** That, and what was used by circuits that have ended. */
  readonly taken = new Steps();
  /** Numbers of circuits, by the period in which they begin. */
  readonly #begun = new Map<string, number>();

  begun(period: string): number {
    return this.#begun.get(period) ?? 0;
  }
  count({ window: { start, end }, mbps }: Booking, sign: 1 | -1, live: boolean): void {
    if (live) this.live.add(start, end, sign * mbps);
    this.taken.add(start, end, sign * mbps);
    for (const period of ['DAY', 'MONTH', 'YEAR'] as const) {
      const name = nameOf(start, period);
      const next = this.begun(name) + sign;
      if (next === 0) this.#begun.delete(name);
      else this.#begun.set(name, next);
    }
  }
}

/** Of one project or port group. */
class ScopeUse {
  readonly #live = new Set<Booking>();
  readonly #ended = new Set<Booking>();
  endless = 0;
  mbit = 0;
  #look: Look | undefined;

  get circuits(): number {
    return this.#live.size;
  }
  get look(): Look {
    if (this.#look !== undefined) return this.#look;
    const look = new Look();
    for (const booking of this.#live) look.count(booking, 1, true);
    for (const booking of this.#ended) look.count(booking, 1, false);
    this.#look = look;
    return look;
  }

  countLive(booking: Booking, sign: 1 | -1): void {
    if (sign === 1) this.#live.add(booking);
    else this.#live.delete(booking);
    if (booking.window.end === NEVER) this.endless += sign;
    else this.mbit += sign * mbit(booking.mbps, booking.window);
    this.#look?.count(booking, sign, true);
  }
  countEnded(booking: Booking, sign: 1 | -1): void {
    if (sign === 1) this.#ended.add(booking);
    else this.#ended.delete(booking);
    this.#look?.count(booking, sign, false);
  }
  dropEnded(before: InstantMs): void {
    for (const booking of this.#ended) if (booking.window.end <= before) this.countEnded(booking, -1);
  }
}

const scopeKey = (scope: Scope): string => `${scope.type} ${scope.id}`;
const scopesOf = (b: Booking): string[] => [
  scopeKey({ type: 'PROJECT', id: b.project }),
  ...new Set(b.portGroups.map((id) => scopeKey({ type: 'PORT_GROUP', id }))),
];

/** Quotas by what they are of: a booking looks at its own only. */
export type QuotaIndex = ReadonlyMap<string, readonly Quota[]>;

export function indexQuotas(quotas: Iterable<Quota>): QuotaIndex {
  const index = new Map<string, Quota[]>();
  for (const quota of quotas) {
    const key = scopeKey(quota.scope);
    const list = index.get(key);
    if (list === undefined) index.set(key, [quota]);
    else list.push(quota);
  }
  return index;
}

export class QuotaBook {
  readonly #uses = new Map<string, ScopeUse>();
  readonly #bookings = new Map<string, Booking>();

  /** The live booking of a circuit takes the place of its former one. */
  enter(booking: Booking): () => void {
    const former = this.#bookings.get(booking.circuit);
    if (former !== undefined) this.#count(former, -1);
    this.#count(booking, 1);
    this.#bookings.set(booking.circuit, booking);
    return () => {
      this.#count(booking, -1);
      if (former === undefined) this.#bookings.delete(booking.circuit);
      else {
        this.#count(former, 1);
        this.#bookings.set(booking.circuit, former);
      }
    };
  }

  /**
   * The circuit has ended: it counts no more, but what it used of a period stays used. One that never ran
   * leaves nothing behind.
   */
  leave(circuit: string, used: readonly Pick<Booking, 'mbps' | 'window'>[] = []): () => void {
    const booking = this.#bookings.get(circuit);
    if (booking === undefined) return () => {};
    this.#count(booking, -1);
    this.#bookings.delete(circuit);
    const rest = used.map(({ mbps, window }) => ({ ...booking, mbps, window }));
    for (const piece of rest) this.#countEnded(piece, 1);
    return () => {
      for (const piece of rest) this.#countEnded(piece, -1);
      this.#count(booking, 1);
      this.#bookings.set(circuit, booking);
    };
  }

  /** Of circuits that ended before a restart: the rest of a period's use, read from the rows. */
  enterEnded(booking: Booking): void {
    this.#countEnded(booking, 1);
  }

  /** Of periods that are over nobody asks any more. */
  forget(before: InstantMs): void {
    for (const use of this.#uses.values()) use.dropEnded(before);
  }

  /** How much of a quota is taken: of the present day, month or year where it is of one. */
  used({ scope, kind, period }: Quota, now: InstantMs): number {
    const use = this.#uses.get(scopeKey(scope));
    if (use === undefined) return 0;
    if (kind === 'BANDWIDTH') return use.look.live.highest(now, NEVER);
    if (period === 'LIVE') return kind === 'CIRCUITS' ? use.circuits : use.mbit;
    if (kind === 'CIRCUITS') return use.look.begun(nameOf(now, period));
    return Math.ceil(use.look.taken.area(startOf(now, period), endOf(now, period)));
  }

  /** The first quota that the booking would break. Its own former booking does not stand in its way. */
  check(quotas: QuotaIndex, booking: Booking): QuotaRefusal | undefined {
    const former = this.#bookings.get(booking.circuit);
    if (former !== undefined) this.#count(former, -1);
    try {
      for (const scope of scopesOf(booking))
        for (const quota of quotas.get(scope) ?? []) {
          const refusal = this.#checkOne(quota, booking);
          if (refusal !== undefined) return refusal;
        }
      return undefined;
    } finally {
      if (former !== undefined) this.#count(former, 1);
    }
  }

  #checkOne(quota: Quota, { mbps, window }: Booking): QuotaRefusal | undefined {
    const { id, kind, period, limit } = quota;
    const use = this.#uses.get(scopeKey(quota.scope));
    const { start, end } = window;
    const refuse = (needed: number, where?: string): QuotaRefusal | undefined =>
      needed <= limit
        ? undefined
        : { quota: id, kind, limit, needed, ...(where === undefined ? {} : { period: where }) };
    if (kind === 'BANDWIDTH') return refuse((use?.look.live.highest(start, end) ?? 0) + mbps);
    if (kind === 'CIRCUITS') {
      if (period === 'LIVE') return refuse((use?.circuits ?? 0) + 1);
      const name = nameOf(start, period);
      return refuse((use?.look.begun(name) ?? 0) + 1, name);
    }
    // What has no end is more than any volume.
    if (end === NEVER) return refuse(Number.MAX_SAFE_INTEGER);
    if (period === 'LIVE')
      return refuse(
        (use?.endless ?? 0) > 0 ? Number.MAX_SAFE_INTEGER : (use?.mbit ?? 0) + mbit(mbps, window),
      );
    for (let at = start, n = 0; at < end; n++) {
      invariant(n <= MAX_PERIODS, 'a window is bounded');
      const [from, to] = [startOf(at, period), endOf(at, period)];
      const share = mbit(mbps, { start: at, end: instant(Math.min(end, to)) });
      const refusal = refuse(Math.ceil(use?.look.taken.area(from, to) ?? 0) + share, nameOf(at, period));
      if (refusal !== undefined) return refusal;
      at = to;
    }
    return undefined;
  }

  #count(booking: Booking, sign: 1 | -1): void {
    for (const scope of scopesOf(booking)) this.#use(scope).countLive(booking, sign);
  }

  #countEnded(booking: Booking, sign: 1 | -1): void {
    for (const scope of scopesOf(booking)) this.#use(scope).countEnded(booking, sign);
  }

  #use(scope: string): ScopeUse {
    const known = this.#uses.get(scope);
    if (known !== undefined) return known;
    const made = new ScopeUse();
    this.#uses.set(scope, made);
    return made;
  }
}

/** Ten years of days: the longest window that may be booked. */
const MAX_PERIODS = 3_660;

const mbit = (mbps: number, { start, end }: Window): number => Math.ceil((mbps * (end - start)) / 1000);

const LENGTH = { DAY: 10, MONTH: 7, YEAR: 4 } as const;
type Calendar = Exclude<Period, 'LIVE'>;

/** `2026-06-01`, `2026-06` or `2026`. */
const nameOf = (at: InstantMs, period: Calendar): string =>
  new Date(at).toISOString().slice(0, LENGTH[period]);

function partsOf(at: InstantMs, period: Calendar): [year: number, month: number, day: number] {
  const date = new Date(at);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  return [year, period === 'YEAR' ? 0 : month, period === 'DAY' ? day : 1];
}

const startOf = (at: InstantMs, period: Calendar): InstantMs => instant(Date.UTC(...partsOf(at, period)));

function endOf(at: InstantMs, period: Calendar): InstantMs {
  const [year, month, day] = partsOf(at, period);
  if (period === 'DAY') return instant(Date.UTC(year, month, day + 1));
  return instant(period === 'MONTH' ? Date.UTC(year, month + 1, 1) : Date.UTC(year + 1, 0, 1));
}
