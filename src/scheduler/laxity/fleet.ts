/**
 * All bookings of a domain and the calendars that follow from them: the total one, which the caller owns and
 * others read, and the rigid one, which counts only what will never move again (started, within its notice,
 * pinned, FIXED, or held for a reason the engine does not know). The difference between the two is what
 * laxity can still win. Only the fleet claims; every change leaves an undo behind. What to change is decided
 * in place.ts.
 */
import { invariant } from '../../kernel/assert.ts';
import { type Edge, LAST_SECOND, type Seconds } from '../../model/capacity.ts';
import type { Network } from '../../topology/network.ts';
import { Heap } from '../../topology/search/heap.ts';
import { Calendar, type Share } from '../calendar.ts';
import { type Ask, type Booking, type EdgeUse, sharesOf } from './booking.ts';
import { Presence } from './presence.ts';
import { Refusals } from './refusals.ts';

export type Undo = () => void;

/** A booking and where it is at this moment: a search moves it about and puts it back. */
export interface Entry {
  readonly booking: Ask;
  readonly number: number;
  start: Seconds;
  end: Seconds;
  uses: readonly EdgeUse[];
  rigid: boolean;
  /** See Booking.claims. */
  readonly claims: readonly Share[] | undefined;
}

/**
 * The order of all lists of entries: bookings come and go, and the same fleet must give the same answer. Newcomers
 * are last, so that it does not matter what they are called.
 */
export const byId = (x: Entry, y: Entry): number =>
  Number(x.number < 0) - Number(y.number < 0) ||
  (x.booking.id < y.booking.id ? -1 : x.booking.id > y.booking.id ? 1 : 0);

const NOBODY: readonly string[] = [];
const LINK = 'link:';

export class Fleet {
  readonly total: Calendar;
  readonly rigid = new Calendar();
  readonly presence = new Presence<Entry>();
  readonly refusals = new Refusals();
  #changes = 0;
  #network: Network;
  #now: Seconds = 0;
  readonly #entries = new Map<string, Entry>();
  readonly #byNumber: (Entry | undefined)[] = [];
  readonly #numbers: number[] = [];
  /** When each movable entry becomes rigid; what has moved or gone since is found out when its time comes. */
  #freezes = new Heap();
  /** By circuit: those that must stay clear of its links. */
  readonly #shunnedBy = new Map<string, Set<string>>();

  constructor(network: Network, total: Calendar) {
    this.total = total;
    this.#network = network;
    for (const [edge, room] of network.rooms()) this.rigid.setRoom(edge, room);
  }

  get network(): Network {
    return this.#network;
  }
  get now(): Seconds {
    return this.#now;
  }
  /** Another one whenever a question may have another answer; what a search does and undoes is no change. */
  get version(): string {
    return `${this.#changes} ${this.#network.changes}`;
  }
  get size(): number {
    return this.#entries.size;
  }

  /** The caller tells its own calendar about the rooms, and this one here. */
  setNetwork(network: Network): void {
    this.#changes++;
    for (const [edge] of this.#network.rooms()) this.rigid.setRoom(edge, { mbps: 0 });
    this.#network = network;
    for (const [edge, room] of network.rooms()) this.rigid.setRoom(edge, room);
  }

  /** Claims that are nobody's booking, such as maintenance: nothing that can be moved. */
  block(share: Share, undo: Undo[]): void {
    this.#changes++;
    for (const calendar of [this.total, this.rigid]) {
      calendar.claim(share);
      undo.push(() => {
        this.#changes++;
        calendar.release(share);
      });
    }
  }

  /** Enters a booking, or a new state of one. */
  put(booking: Booking, undo: Undo[]): void {
    invariant(booking.claims === undefined || !booking.movable, 'what claims in its own way does not move');
    const before = this.#entries.get(booking.id);
    const after = this.#entryOf(booking, before?.number ?? this.#numbers.pop() ?? this.#byNumber.length);
    if (before !== undefined) this.#unlink(before);
    this.#link(after);
    undo.push(() => {
      this.#unlink(after);
      if (before !== undefined) this.#link(before);
      else this.#numbers.push(after.number);
    });
  }

  drop(id: string, undo: Undo[]): void {
    const before = this.#entries.get(id);
    if (before === undefined) return;
    this.#unlink(before);
    this.#numbers.push(before.number);
    undo.push(() => {
      this.#numbers.splice(this.#numbers.lastIndexOf(before.number), 1);
      this.#link(before);
    });
  }

  /** Time has come to `now`: what is within its notice becomes rigid. */
  advance(now: Seconds): void {
    if (now <= this.#now) return;
    this.#now = now;
    while (this.#freezes.size > 0 && this.#freezes.least <= now) {
      const entry = this.#byNumber[this.#freezes.pop()];
      if (entry !== undefined && !entry.rigid && this.#freezesAt(entry) <= now) this.#freeze(entry);
    }
  }

  /** Forgets what ended by `at` in the rigid calendar; the total one is the caller's. */
  dropBefore(at: Seconds): void {
    this.rigid.dropBefore(at);
  }

  entry(id: string): Entry | undefined {
    return this.#entries.get(id);
  }

  /** The booking as it stands. */
  get(id: string): Booking | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    const { booking, start, uses, claims } = entry;
    return Object.assign({}, booking, claims === undefined ? { start, uses } : { start, uses, claims });
  }

  *bookings(): Iterable<Booking> {
    for (const id of this.#entries.keys()) yield this.get(id) as Booking;
  }

  isRigid(id: string): boolean {
    return this.#entries.get(id)?.rigid ?? false;
  }

  /** Those with a share of the edge at any second of [start, end), by id. */
  on(edge: Edge, start: Seconds, end: Seconds): string[] {
    const ids: string[] = [];
    this.presence.visit(edge, start, end, (entry) => ids.push(entry.booking.id));
    return ids.sort();
  }

  linksOf(id: string): readonly string[] | undefined {
    const entry = this.#entries.get(id);
    return entry === undefined ? undefined : this.linksOfUses(entry.uses);
  }
  linksOfUses(uses: readonly EdgeUse[]): string[] {
    return uses
      .map(({ edge }) => this.#network.names.name(edge))
      .filter((name) => name.startsWith(LINK))
      .map((name) => name.slice(LINK.length));
  }

  /** Bookings whose path must not share a link with this one's: it may not be moved onto theirs either. */
  shunnedBy(id: string): readonly string[] {
    const shunning = this.#shunnedBy.get(id);
    return shunning === undefined ? NOBODY : [...shunning].sort();
  }

  /** Takes a movable entry out of its place, for a search that will put it somewhere. */
  lift(entry: Entry): void {
    const { start, end, uses, booking } = entry;
    this.total.releaseAll(sharesOf(uses, start, end, booking.mbps));
    this.presence.remove(entry);
  }

  seat(entry: Entry, start: Seconds, uses: readonly EdgeUse[]): void {
    entry.start = start;
    entry.end = endOf(start, entry.booking.duration);
    entry.uses = uses;
    this.total.claimAll(sharesOf(uses, start, entry.end, entry.booking.mbps));
    this.presence.add(entry);
  }

  /** An entry for somebody who is not in the fleet yet. */
  stranger(ask: Ask): Entry {
    return {
      booking: ask,
      number: -1,
      start: 0,
      end: 0,
      uses: [],
      rigid: false,
      claims: undefined,
    };
  }

  #entryOf(booking: Booking, number: number): Entry {
    const { start, uses, claims } = booking;
    const end = endOf(start, booking.duration);
    if (claims === undefined || claims.length === 0)
      return { booking, number, start, end, uses, rigid: false, claims };
    return {
      booking,
      number,
      start: Math.min(...claims.map((share) => share.start)),
      end: Math.max(...claims.map((share) => share.end)),
      uses: [...new Map(claims.map((share) => [`${share.edge} ${share.label}`, share])).values()],
      rigid: false,
      claims,
    };
  }

  #sharesOf(entry: Entry): readonly Share[] {
    return entry.claims ?? sharesOf(entry.uses, entry.start, entry.end, entry.booking.mbps);
  }

  #freezesAt(entry: Entry): Seconds {
    return entry.start - entry.booking.notice;
  }

  #link(entry: Entry): void {
    this.#changes++;
    const { booking, number } = entry;
    this.#entries.set(booking.id, entry);
    this.#byNumber[number] = entry;
    const shares = this.#sharesOf(entry);
    this.total.claimAll(shares);
    this.presence.add(entry);
    this.#shun(booking, true);
    entry.rigid = !booking.movable || this.#freezesAt(entry) <= this.#now;
    if (entry.rigid) this.rigid.claimAll(shares);
    else this.#remember(entry);
  }

  #unlink(entry: Entry): void {
    this.#changes++;
    const { booking, number } = entry;
    this.#entries.delete(booking.id);
    this.#byNumber[number] = undefined;
    const shares = this.#sharesOf(entry);
    this.total.releaseAll(shares);
    if (entry.rigid) this.rigid.releaseAll(shares);
    this.presence.remove(entry);
    this.#shun(booking, false);
  }

  #freeze(entry: Entry): void {
    this.#changes++;
    entry.rigid = true;
    this.rigid.claimAll(this.#sharesOf(entry));
  }

  /** A new entry in the heap each time: whoever moves to an earlier start must be found at that time. */
  #remember(entry: Entry): void {
    if (this.#freezes.size > 2 * this.#entries.size + 64) {
      this.#freezes = new Heap(this.#entries.size + 64);
      for (const one of this.#entries.values()) {
        if (!one.rigid && one !== entry) this.#freezes.push(this.#freezesAt(one), one.number);
      }
    }
    this.#freezes.push(this.#freezesAt(entry), entry.number);
  }

  #shun(booking: Ask, on: boolean): void {
    const others = booking.constraints?.['diverse_from'];
    if (!Array.isArray(others)) return;
    for (const other of others as string[]) {
      const shunning = this.#shunnedBy.get(other) ?? new Set();
      if (on) shunning.add(booking.id);
      else shunning.delete(booking.id);
      if (shunning.size === 0) this.#shunnedBy.delete(other);
      else this.#shunnedBy.set(other, shunning);
    }
  }
}

const endOf = (start: Seconds, duration: number): Seconds => Math.min(LAST_SECOND, start + duration);
