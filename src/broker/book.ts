/**
 * The writer's memory: every circuit that is still alive, the calendar of what they claim, who is due when,
 * and the keys that must be unique. It is a pure fold of the stored rows and can be rebuilt from them at any
 * time. Every change leaves an undo behind, so that a group that the store refused can be taken back.
 */
import { invariant } from '../kernel/assert.ts';
import type { InstantMs } from '../kernel/clock.ts';
import type { CircuitId, OfferId, WebhookId } from '../kernel/ids.ts';
import { type Claim, type EdgeId, EdgeNames, toSeconds } from '../model/capacity.ts';
import {
  type Circuit,
  claimedFrom,
  claims as claimsOfModel,
  hasOwnLight,
  isFinal,
  type State,
  states,
  usesOf,
} from '../model/circuit.ts';
import type { Label } from '../model/label.ts';
import { dueAt } from '../model/lifecycle.ts';
import { Calendar, type Share } from '../scheduler/calendar.ts';
import type { Booking, EdgeUse } from '../scheduler/laxity/booking.ts';
import { Fleet } from '../scheduler/laxity/fleet.ts';
import { type Closure, closuresOf } from '../topology/closures.ts';
import { compile } from '../topology/compile.ts';
import { type Neighbours, neighboursOf } from '../topology/neighbours.ts';
import type { Network, OutOfReach } from '../topology/network.ts';
import { Accounts } from './aaa/accounts.ts';
import { Rulebook, type RuleSettings } from './aaa/rulebook.ts';
import { Parties } from './abroad/parties.ts';
import { Rests } from './abroad/rests.ts';
import { Surroundings } from './abroad/surroundings.ts';
import { isMovable, windowOf } from './circuits/movable.ts';
import { Due, type DueOrder } from './due.ts';
import type { DomainRecord, Standing, TopologyRecord, WebhookRecord } from './ports.ts';
import { put } from './put.ts';
import { TokenBook } from './tokens/tokenBook.ts';

export type Undo = () => void;

export interface KeyState {
  readonly principal: string;
  readonly bodyHash: string;
  readonly expire: InstantMs;
  /** Not durable yet: a second request under the same key must wait. */
  readonly pending: boolean;
}

export interface Lingering {
  readonly circuit: CircuitId;
  readonly mbps: number;
  readonly label?: Label;
  readonly end: InstantMs;
}

export interface BookSeams {
  /** The simulation plants faults here. */
  readonly claimsOf?: (circuit: Circuit) => Claim[];
  readonly dueOrder?: DueOrder;
}

export class Book {
  readonly names = new EdgeNames();
  readonly calendar = new Calendar();
  /** Every booking, and which of them could step aside. Only the fleet claims. */
  readonly fleet: Fleet;
  readonly circuits = new Map<CircuitId, Circuit>();
  readonly accounts = new Accounts(this.circuits);
  readonly webhooks = new Map<WebhookId, WebhookRecord>();
  /** The other domains, and all of them as one network with ours. */
  readonly around: Surroundings;
  readonly keys = new Map<string, KeyState>();
  readonly standings = new Map<string, Standing>();
  readonly rests = new Rests();
  readonly tokens = new TokenBook();
  readonly due: Due;
  readonly rules: Rulebook;
  readonly byState = Object.fromEntries(states.map((state) => [state, 0])) as Record<State, number>;
  readonly #shortCodes = new Map<string, CircuitId>();
  readonly #clientRefs = new Map<string, CircuitId>();
  readonly #homeRefs = new Map<string, CircuitId>();
  readonly #offers = new Map<OfferId, Set<CircuitId>>();
  readonly parties = new Parties();
  /** Per edge, what circuits that are going out may still be lighting there. */
  readonly #goingOut = new Map<EdgeId, Map<CircuitId, Lingering[]>>();
  readonly #claimsOf: (circuit: Circuit) => Claim[];
  /** Nobody counts claims in his own way. */
  readonly #plain: boolean;
  #topology: TopologyRecord;
  #network: Network;
  #neighbours: Neighbours;
  /** What maintenance takes, as long as the topology says so. */
  #closures: readonly Closure[] = [];
  readonly #reopenings: Undo[] = [];
  #outOfReach: readonly OutOfReach[] = [];
  /** Ports of the topology that have no light, as far as devices tell: no decision of ours, and so without an undo. */
  darkPorts: ReadonlySet<string> = new Set();

  constructor(topology: TopologyRecord, seams: BookSeams = {}, rules: RuleSettings = { zone: 'UTC' }) {
    this.#claimsOf = seams.claimsOf ?? claimsOfModel;
    this.#plain = seams.claimsOf === undefined;
    this.due = new Due(seams.dueOrder);
    this.#topology = topology;
    this.#network = compile(topology.document, this.names);
    this.#neighbours = neighboursOf(topology.document);
    this.around = new Surroundings(this.names, topology.document);
    for (const [edge, room] of this.#network.rooms()) this.calendar.setRoom(edge, room);
    this.fleet = new Fleet(this.#network, this.calendar);
    this.accounts.setGroups(topology.document.port_groups ?? []);
    this.#close();
    this.rules = new Rulebook(this, rules);
  }

  get topology(): TopologyRecord {
    return this.#topology;
  }
  get neighbours(): Neighbours {
    return this.#neighbours;
  }
  get network(): Network {
    return this.#network;
  }

  setTopology(record: TopologyRecord, undo: Undo[]): void {
    const before = this.#topology;
    const use = (next: TopologyRecord): void => {
      for (const [edge] of this.#network.rooms()) this.calendar.setRoom(edge, { mbps: 0 });
      this.#reopen();
      this.#topology = next;
      this.#network = compile(next.document, this.names);
      this.#network.setOutOfReach(this.#outOfReach);
      this.#neighbours = neighboursOf(next.document);
      this.accounts.setGroups(next.document.port_groups ?? []);
      this.around.setOwn(next.document);
      for (const [edge, room] of this.#network.rooms()) this.calendar.setRoom(edge, room);
      this.fleet.setNetwork(this.#network);
      this.#close();
    };
    use(record);
    undo.push(() => use(before));
  }

  /** What devices say of themselves: no decision of ours, and so without an undo. */
  setOutOfReach(list: readonly OutOfReach[]): void {
    this.#outOfReach = list;
    this.#network.setOutOfReach(list);
    this.around.setOutOfReach(list);
  }

  /** Books what maintenance closes, as claims that nobody can move. */
  #close(): void {
    this.#closures = closuresOf(this.#network);
    for (const closure of this.#closures) this.fleet.block(closure, this.#reopenings);
  }
  #reopen(): void {
    for (const back of this.#reopenings.splice(0).reverse()) back();
  }

  /** Enters a circuit or a new state of one; the calendar, the indexes and the due times follow. */
  put(circuit: Circuit, undo: Undo[]): void {
    const before = this.circuits.get(circuit.id);
    const seats: Undo[] = [];
    this.rests.note(before, circuit, undo);
    this.#seat(before, circuit, seats);
    this.#replace(before, circuit);
    undo.push(() => {
      this.#replace(circuit, before);
      for (let i = seats.length - 1; i >= 0; i--) (seats[i] as Undo)();
    });
  }

  /** Keeps the fleet in step. Most writes leave the placements alone, and then it has nothing to do. */
  #seat(before: Circuit | undefined, after: Circuit, undo: Undo[]): void {
    const same =
      before !== undefined &&
      before.current === after.current &&
      before.pending === after.pending &&
      before.request === after.request &&
      isFinal(before.state) === isFinal(after.state) &&
      isMovable(before) === isMovable(after);
    if (same) return;
    const booking = isFinal(after.state) ? undefined : this.#bookingOf(after);
    if (booking === undefined) this.fleet.drop(after.id, undo);
    else this.fleet.put(booking, undo);
  }

  /** One road over one slot, as most circuits have: what it uses, without the detour over its claims. */
  #plainUses(c: Circuit): EdgeUse[] | undefined {
    const { current } = c;
    const segment = current?.segments[0];
    if (!this.#plain || c.pending !== undefined || current?.segments.length !== 1 || segment?.local !== true)
      return undefined;
    return usesOf(segment).map(({ edge, label }) => {
      const index = this.names.intern(edge);
      return label === undefined ? { edge: index } : { edge: index, label };
    });
  }

  #bookingOf(c: Circuit): Booking | undefined {
    const plain = this.#plainUses(c);
    const claims = plain === undefined ? this.#claimsOf(c).map((claim) => this.#byEdge(claim)) : [];
    if (plain === undefined && claims.length === 0) return undefined;
    const window = (c.current ?? c.pending?.placement)?.window;
    invariant(window !== undefined, 'what claims has a window');
    const start = toSeconds(c.current === undefined ? window.start : claimedFrom(c.current));
    const end = Math.max(start + 1, toSeconds(window.end));
    const { request } = c;
    const common = {
      id: c.id,
      a: request.a,
      z: request.z,
      mbps: c.current?.mbps ?? request.mbps,
      duration: end - start,
      notice: request.noticeS,
      priority: request.priority,
      constraints: request.constraints,
      ...(request.protection === 'PROTECTED' ? { protected: true } : {}),
      start,
    };
    const uses = plain ?? claims.map(({ edge, label }) => (label === undefined ? { edge } : { edge, label }));
    if (!isMovable(c)) {
      const one = { ...common, notBefore: start, deadline: end, movable: false };
      // Where two placements count, what is claimed is not the one slot over one road.
      return c.pending === undefined ? { ...one, uses } : { ...one, uses: [], claims };
    }
    const { notBefore, deadline } = windowOf(c);
    return { ...common, notBefore: toSeconds(notBefore), deadline: toSeconds(deadline), movable: true, uses };
  }

  /** Puts a circuit back among those that wait for the clock. */
  remind(id: CircuitId): void {
    const circuit = this.circuits.get(id);
    const at = circuit === undefined ? undefined : dueAt(circuit);
    if (circuit !== undefined && at !== undefined) this.due.push(id, at, circuit);
  }

  /** Forgets a final circuit that has nothing left to carry out. */
  forget(id: CircuitId): void {
    const circuit = this.circuits.get(id);
    if (circuit === undefined) return;
    invariant(isFinal(circuit.state), 'only what has ended is forgotten');
    this.#unlink(circuit);
    this.circuits.delete(id);
    this.accounts.forget(id);
  }

  byShortCode(code: string): CircuitId | undefined {
    return this.#shortCodes.get(code);
  }
  byClientRef(project: string, ref: string): CircuitId | undefined {
    return this.#clientRefs.get(refKey(project, ref));
  }
  /** Live circuits that hold, or were, options of a firm offer. */
  byOffer(id: OfferId): Circuit[] {
    return [...(this.#offers.get(id) ?? [])].flatMap((one) => this.circuits.get(one) ?? []);
  }
  byHomeRef(domain: string, circuit: string): CircuitId | undefined {
    return this.#homeRefs.get(refKey(domain, circuit));
  }

  /** Runs `look` as if the circuit claimed nothing: what it has may be counted as free for its own change. */
  without<T>(circuit: Circuit, look: () => T): T {
    const undo: Undo[] = [];
    this.fleet.drop(circuit.id, undo);
    try {
      return look();
    } finally {
      for (let i = undo.length - 1; i >= 0; i--) (undo[i] as Undo)();
    }
  }

  /** The calendar as it would be if it were built from the circuits now; for the check that the two agree. */
  rebuilt(): Calendar {
    const fresh = new Calendar();
    for (const [edge, room] of this.#network.rooms()) fresh.setRoom(edge, room);
    for (const closure of this.#closures) fresh.claim(closure);
    for (const circuit of this.circuits.values()) {
      for (const claim of this.#claimsOf(circuit)) fresh.claim(this.#byEdge(claim));
    }
    return fresh;
  }

  /** Circuits whose window is over and whose light is not verified out yet. */
  *lingering(edge: EdgeId, now: InstantMs): Iterable<Lingering> {
    for (const all of this.#goingOut.get(edge)?.values() ?? [])
      for (const one of all) if (one.end <= now) yield one;
  }

  setWebhook(hook: WebhookRecord, undo: Undo[]): void {
    undo.push(put(this.webhooks, hook.id, hook));
  }
  dropWebhook(id: WebhookId, undo: Undo[]): void {
    undo.push(put(this.webhooks, id, undefined));
  }

  setDomain(record: DomainRecord, undo: Undo[]): void {
    undo.push(this.around.set(record));
  }

  setStanding(standing: Standing, undo: Undo[]): void {
    undo.push(put(this.standings, standing.domain, standing));
  }

  setKey(key: string, state: KeyState, undo: Undo[]): void {
    undo.push(put(this.keys, key, state));
  }

  #replace(before: Circuit | undefined, after: Circuit | undefined): void {
    if (before !== undefined) {
      this.#unlink(before);
      this.byState[before.state]--;
    }
    if (after !== undefined) {
      this.#link(after);
      this.byState[after.state]++;
      this.circuits.set(after.id, after);
    } else if (before !== undefined) {
      this.circuits.delete(before.id);
    }
    this.rules.follow(before, after);
  }

  #link(c: Circuit): void {
    this.parties.link(c);
    this.#linger(c);
    const at = dueAt(c);
    if (at !== undefined) this.due.push(c.id, at, c);
    if (c.home !== undefined) this.#homeRefs.set(refKey(c.home.domain, c.home.circuit), c.id);
    if (isFinal(c.state)) return;
    if (c.offer !== undefined) {
      const options = this.#offers.get(c.offer.id) ?? new Set();
      this.#offers.set(c.offer.id, options.add(c.id));
    }
    this.#shortCodes.set(c.shortCode, c.id);
    if (c.request.clientRef !== undefined)
      this.#clientRefs.set(refKey(c.request.project, c.request.clientRef), c.id);
  }

  /** What it claimed for the light that is on its way out: all of it, or what has been replaced. */
  #outgoing(c: Circuit): readonly Claim[] {
    // It may be waiting for another domain alone, for an hour and more.
    if (c.state === 'RELEASING') return hasOwnLight(c) ? this.#claimsOf(c) : [];
    if (c.pending?.phase !== 'RETIRING') return [];
    const { pending, ...rest } = c;
    return this.#claimsOf({ ...rest, current: pending.placement });
  }

  #linger(c: Circuit): void {
    for (const { edge, mbps, label, end } of this.#outgoing(c)) {
      let there = this.#goingOut.get(edge);
      if (there === undefined) {
        there = new Map();
        this.#goingOut.set(edge, there);
      }
      // One for each label, and for each part of its rate: they add up.
      const one = { circuit: c.id, mbps, end, ...(label === undefined ? {} : { label }) };
      there.set(c.id, [...(there.get(c.id) ?? []), one]);
    }
  }

  #unlink(c: Circuit): void {
    this.parties.unlink(c);
    for (const { edge } of this.#outgoing(c)) {
      const there = this.#goingOut.get(edge);
      there?.delete(c.id);
      if (there?.size === 0) this.#goingOut.delete(edge);
    }
    if (c.home !== undefined) this.#homeRefs.delete(refKey(c.home.domain, c.home.circuit));
    if (c.offer !== undefined) {
      const options = this.#offers.get(c.offer.id);
      options?.delete(c.id);
      if (options?.size === 0) this.#offers.delete(c.offer.id);
    }
    if (this.#shortCodes.get(c.shortCode) === c.id) this.#shortCodes.delete(c.shortCode);
    const ref =
      c.request.clientRef === undefined ? undefined : refKey(c.request.project, c.request.clientRef);
    if (ref !== undefined && this.#clientRefs.get(ref) === c.id) this.#clientRefs.delete(ref);
  }

  #byEdge(claim: Claim): Share {
    const start = toSeconds(claim.start);
    return {
      edge: this.names.intern(claim.edge),
      mbps: claim.mbps,
      start,
      end: Math.max(start + 1, toSeconds(claim.end)),
      ...(claim.label === undefined ? {} : { label: claim.label }),
    };
  }
}

const refKey = (space: string, ref: string): string => `${space}\u0000${ref}`;
