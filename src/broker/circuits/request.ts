/**
 * Admission: authorise, find a slot and a path, enter the circuit. Everything is decided in memory and either
 * becomes durable as one transaction or never happened.
 */
import { type InstantMs, instant, NEVER, rfc3339 } from '../../kernel/clock.ts';
import { BrokerError, toProblem } from '../../kernel/errors.ts';
import { type CircuitId, newId, type SeriesId, type SetId, shortCode } from '../../kernel/ids.ts';
import type { Random } from '../../kernel/random.ts';
import type { Circuit, CircuitRequest, Segment, Setback } from '../../model/circuit.ts';
import type { Principal } from '../../model/principal.ts';
import { NOT_YET_DUE } from '../../model/rules.ts';
import { nextFullSecond, plusSeconds, secondsBetween, type Window } from '../../model/window.ts';
import type { Move, Seat } from '../../scheduler/laxity/booking.ts';
import type { Authoriser } from '../aaa/authorise.ts';
import { factsOf, type Sibling } from '../aaa/facts.ts';
import { type Availability, placeAbroad } from '../abroad/placeAbroad.ts';
import { placeAside } from '../abroad/placeAside.ts';
import { placeInstead, WAITING_MS } from '../abroad/placeInstead.ts';
import { ATTEMPT_MS, HORIZON_S } from '../limits.ts';
import type { Tx } from '../tx.ts';
import { mayMove } from './movable.ts';
import { applyMoves, placeBytes, placeHere, segmentOf, slotOf, wishOf } from './place.ts';
import { isOurs, type Placing, placementOf, type Slot, type Wish } from './plan.ts';

/** A FIXED start may be this far past: the request was on its way. */
export const LATE_START_MS = 5_000;
const SHORT_CODE_TRIES = 64;
/** How long the domains of a path may take to say when they could. */
const SCOUT_MS = 6_000;
/** How many placements a circuit over several domains is tried at. */
export const ATTEMPTS = 8;

export interface Admission {
  readonly principal: Principal;
  readonly requestId: string;
  readonly request: CircuitRequest;
  readonly seriesId?: SeriesId;
  readonly setId?: SetId;
  readonly setKey?: string;
  readonly offer?: NonNullable<Circuit['offer']>;
}

export type Admitted = { readonly circuit: Circuit } | { readonly denied: BrokerError };

/** Throws what refuses without a record; gives back what policy denies, whose record must be kept. */
export function admit(tx: Tx, authoriser: Authoriser, random: Random, admission: Admission): Admitted {
  const ready = prepare(tx, authoriser, random, admission);
  if ('denied' in ready) return ready;
  const { id, wish, decisionId } = ready;
  const planned = findPlace(tx, id, admission.request, wish);
  if (planned.kind === 'refused') {
    const instead = findInstead(tx, id, admission.request, wish);
    if (instead === undefined) throw planned.problem;
    const denied = refusedThen(tx, authoriser, admission, ready, instead.slot.slot);
    if (denied !== undefined) return { denied };
    const circuit = store(tx, random, { admission, ...ready }, instead.slot.slot, {});
    return { circuit: placeAfter(tx, circuit, instead) };
  }
  const denied = refusedThen(tx, authoriser, admission, ready, planned.slot);
  if (denied !== undefined) return { denied };
  // Whoever leaves us the choice of the time is placed when the other domains have said when they could.
  if (mayMove(admission.request) && planned.segments.length > 1)
    return {
      circuit: store(tx, random, { admission, ...ready }, planned.slot, {
        scouting: instant(tx.now + SCOUT_MS),
      }),
    };
  applyMoves(tx, planned.moves, id, decisionId);
  return { circuit: enter(tx, random, { admission, ...ready }, planned.slot, planned.segments) };
}

export interface Ready {
  readonly id: CircuitId;
  readonly wish: Wish;
  readonly decisionId: string;
}

/** Everything before a place is looked for: the schedule, the policy, the names. */
export function prepare(
  tx: Tx,
  authoriser: Authoriser,
  random: Random,
  admission: Admission,
  siblings: readonly Sibling[] = [],
): Ready | { readonly denied: BrokerError } {
  const { request, principal, requestId } = admission;
  const slot = fixedSlot(request, tx.now);
  const id = newId('cir', tx.now, random);
  const decision = authoriser.ask(tx, {
    principal,
    requestId,
    action: 'circuit.create',
    project: request.project,
    circuitId: id,
    facts: factsOf(tx, 'circuit.create', request, { slot, siblings }),
  });
  if (decision.denied !== undefined) return { denied: decision.denied };
  refuseTakenRef(tx, request);
  return { id, wish: wishOf(request, slot, tx.now), decisionId: decision.id };
}

/** What a start decides for rules about times of day and seasons. */
const CALENDAR = ['month', 'day_of_month', 'weekday', 'minute_of_day'] as const;

/** Where the broker chose the slot and a rule looks at the calendar, that slot is asked about too. */
export function refusedThen(
  tx: Tx,
  authoriser: Authoriser,
  { principal, requestId, request }: Admission,
  { id }: Ready,
  slot: Slot,
): BrokerError | undefined {
  const action = 'circuit.create';
  if (fixedSlot(request, tx.now) !== undefined || !tx.book.rules.reads(action, ...CALENDAR)) return undefined;
  const facts = factsOf(tx, action, request, { slot });
  const question = { principal, requestId, action, project: request.project, circuitId: id, facts } as const;
  return authoriser.ask(tx, question).denied;
}

type Prepared = Ready & { readonly admission: Admission };

/** A member of a set, in the seat that the set's plan gave it. */
export function seat(
  tx: Tx,
  random: Random,
  ready: Prepared,
  plan: {
    readonly seat: Seat;
    readonly moves: readonly Move[];
    readonly bounds?: Window;
    readonly constraints: CircuitRequest['constraints'];
  },
): Circuit {
  const { admission, id, wish, decisionId } = ready;
  applyMoves(tx, plan.moves, id, decisionId);
  const request = { ...admission.request, constraints: plan.constraints };
  const slot = slotOf(plan.seat, wish);
  return enter(
    tx,
    random,
    { ...ready, admission: { ...admission, request } },
    slot,
    [segmentOf(tx, plan.seat)],
    plan.bounds,
  );
}

function enter(
  tx: Tx,
  random: Random,
  { admission, id, wish, decisionId }: Prepared,
  slot: Slot,
  segments: readonly Segment[],
  bounds?: Window,
): Circuit {
  const over = tx.book.accounts.refusal(id, admission.request.project, portsOf(admission.request), slot);
  if (over !== undefined) throw over;
  tx.create({
    ...blank(tx, id, random, admission.request, admission.principal.id),
    decisionIds: [decisionId],
    ...membership(admission),
    laxityS: laxityOf(wish, slot),
    ...(bounds === undefined ? {} : { bounds }),
  });
  const placement = placementOf(1, slot, segments);
  tx.apply(id, { type: 'place', placement, until: instant(tx.now + ATTEMPT_MS), at: tx.now });
  return tx.mustGet(id);
}

export const portsOf = ({ a, z }: CircuitRequest): string[] => [a.port, z.port];

function store(
  tx: Tx,
  random: Random,
  { admission, id, wish, decisionId }: Prepared,
  slot: Slot,
  more: Pick<Circuit, 'bounds' | 'scouting'>,
): Circuit {
  tx.create({
    ...blank(tx, id, random, admission.request, admission.principal.id),
    decisionIds: [decisionId],
    ...membership(admission),
    laxityS: laxityOf(wish, slot),
    ...more,
  });
  return tx.mustGet(id);
}

/** Deadline less the time it would finish if it started as soon as it may. */
const laxityOf = (wish: Wish, { window }: Slot): number =>
  wish.deadline === NEVER || window.end === NEVER
    ? 0
    : secondsBetween(wish.notBefore, wish.deadline) - secondsBetween(window.start, window.end);

/** The engine where it is alone to decide; the plain search, and then the engine for our part, where others have a say. */
function findPlace(
  tx: Tx,
  id: CircuitId,
  request: CircuitRequest,
  wish: Wish,
  setbacks: readonly Setback[] = [],
  known: readonly Availability[] = [],
): Placing {
  if (!isOurs(tx.ground, request)) {
    const planned = placeAbroad(tx.ground, id, request, wish, setbacks, known);
    return planned.kind === 'placed'
      ? planned
      : (placeAside(tx, id, request, wish, setbacks, known) ?? planned);
  }
  return request.schedule.type === 'VOLUME' ? placeBytes(tx, id, request) : placeHere(tx, id, request, wish);
}

type Instead = NonNullable<ReturnType<typeof placeInstead>>;

/** In the place of a circuit that other domains must agree to move; not for a set, which comes whole or not. */
function findInstead(tx: Tx, id: CircuitId, request: CircuitRequest, wish: Wish): Instead | undefined {
  if (tx.book.parties.abroad.size === 0 || request.protection === 'PROTECTED') return undefined;
  return placeInstead(tx, () =>
    isOurs(tx.ground, request) ? findPlace(tx, id, request, wish) : placeAbroad(tx.ground, id, request, wish),
  );
}

/** Held everywhere else first; what is in the way moves last, and leaves its room to this one. */
function placeAfter(tx: Tx, { id, version }: Circuit, { slot, waitsFor }: Instead): Circuit {
  const segments = slot.segments.map((s): Segment => (s.local ? { ...s, agreed: 'ASKED' } : s));
  const placement = placementOf(version + 1, slot.slot, segments);
  tx.apply(id, { type: 'place', placement, until: instant(tx.now + WAITING_MS), waitsFor, at: tx.now });
  return tx.mustGet(id);
}

/** A home circuit whose last attempt failed: try the next alternative, or give up with the last cause. */
export function placeAgain(
  tx: Tx,
  circuit: Circuit,
  attempts: number,
  known: readonly Availability[] = [],
): void {
  const { id, request, reason } = circuit;
  const reject = (problem: BrokerError): void => {
    tx.apply(id, { type: 'reject', problem: toProblem(problem), at: tx.now });
  };
  const { schedule } = request;
  if (schedule.type === 'FIXED' && schedule.start < tx.now - LATE_START_MS) {
    reject(
      new BrokerError('NO_FEASIBLE_SLOT', `its start has passed: ${reason.detail}`, {
        proof: 'PROVEN_IMPOSSIBLE',
      }),
    );
    return;
  }
  const setbacks = circuit.setbacks ?? [];
  const last = setbacks.at(-1);
  const domain = last === undefined ? {} : { domain: last.domain };
  const silent = new BrokerError('PEER_FAILED', reason.detail, domain);
  if (setbacks.length >= attempts) {
    reject(
      last?.kind === 'SILENT'
        ? silent
        : new BrokerError('NO_FEASIBLE_SLOT', reason.detail, { ...domain, proof: 'BUDGET_SPENT' }),
    );
    return;
  }
  let planned: Placing;
  try {
    planned = findPlace(tx, id, request, wishNow(request, tx.now), setbacks, known);
  } catch (error) {
    // A domain that has gone with its ports, a slot that has passed.
    if (!(error instanceof BrokerError)) throw error;
    planned = { kind: 'refused', problem: error };
  }
  if (planned.kind === 'refused' && last?.kind === 'SILENT') planned = { kind: 'refused', problem: silent };
  if (planned.kind === 'refused') {
    const instead =
      setbacks.length === 0 ? findInstead(tx, id, request, wishNow(request, tx.now)) : undefined;
    if (instead === undefined) reject(planned.problem);
    else placeAfter(tx, circuit, instead);
    return;
  }
  applyMoves(tx, planned.moves, id, '');
  const placement = placementOf(circuit.version + 1, planned.slot, planned.segments);
  tx.apply(id, { type: 'place', placement, until: instant(tx.now + ATTEMPT_MS), at: tx.now });
}

/** What the request wishes of time, from now on. */
export const wishNow = (request: CircuitRequest, now: InstantMs): Wish =>
  wishOf(request, fixedSlot(request, now), now);

export function blank(
  tx: Tx,
  id: CircuitId,
  random: Random,
  request: CircuitRequest,
  owner: string,
): Circuit {
  return {
    id,
    role: 'HOME',
    shortCode: freeShortCode(tx, random),
    owner,
    request,
    state: 'RESERVING',
    reason: { code: 'NEW', detail: 'being decided' },
    revision: 1,
    version: 0,
    armed: false,
    conditions: [{ type: 'DataPlaneUp', status: 'FALSE', reason: NOT_YET_DUE, since: tx.now }],
    laxityS: 0,
    moves: 0,
    createTime: tx.now,
    updateTime: tx.now,
    decisionIds: [],
  };
}

const membership = (a: Admission): Pick<Circuit, 'seriesId' | 'setId' | 'setKey' | 'offer'> => ({
  ...(a.seriesId === undefined ? {} : { seriesId: a.seriesId }),
  ...(a.setId === undefined ? {} : { setId: a.setId }),
  ...(a.setKey === undefined ? {} : { setKey: a.setKey }),
  ...(a.offer === undefined ? {} : { offer: a.offer }),
});

/** The code is unique among live circuits; where it is too crowded for luck, a repeat does no harm but to the telephone. */
function freeShortCode(tx: Tx, random: Random): string {
  let code = shortCode(random);
  for (let i = 0; i < SHORT_CODE_TRIES && tx.book.byShortCode(code) !== undefined; i++)
    code = shortCode(random);
  return code;
}

export function refuseTakenRef(tx: Tx, request: CircuitRequest): void {
  if (request.clientRef === undefined) return;
  const other = tx.book.byClientRef(request.project, request.clientRef);
  if (other !== undefined)
    throw new BrokerError('CLIENT_REF_TAKEN', `${other} carries client_ref ${request.clientRef}`);
}

/** The slot, where the request itself says which; undefined where the broker is to choose. */
export function fixedSlot(request: CircuitRequest, now: InstantMs): Slot | undefined {
  const { schedule, mbps } = request;
  const soonest = nextFullSecond(now);
  switch (schedule.type) {
    case 'NOW': {
      const end = schedule.durationS === 'NEVER' ? NEVER : plusSeconds(soonest, schedule.durationS);
      return { window: { start: soonest, end }, mbps };
    }
    case 'FIXED': {
      const { start, end } = schedule;
      if (start < now - LATE_START_MS) {
        throw new BrokerError(
          'START_IN_PAST',
          `start_time ${rfc3339(start)} has passed; it is ${rfc3339(now)}`,
          {
            errors: [{ pointer: '/schedule/start_time', detail: 'in the past' }],
          },
        );
      }
      if (end <= soonest) throw invalid('/schedule/end_time', 'the end has passed already');
      if (end > now + HORIZON_S * 1000) throw invalid('/schedule/end_time', 'more than ten years ahead');
      // It was on its way when its second struck.
      return { window: { start: start > now ? start : soonest, end }, mbps };
    }
    case 'FLEXIBLE':
    case 'VOLUME':
      if (schedule.deadline > now + HORIZON_S * 1000)
        throw invalid('/schedule/deadline_time', 'more than ten years ahead');
      return undefined;
  }
}

const invalid = (pointer: string, detail: string): BrokerError =>
  new BrokerError('INVALID_REQUEST', detail, { errors: [{ pointer, detail }] });
