/**
 * Admission: authorise, find a slot and a path, enter the circuit. Everything is decided in memory and either
 * becomes durable as one transaction or never happened.
 */
import { type InstantMs, instant, NEVER, rfc3339 } from '../kernel/clock.ts';
import { BrokerError, toProblem } from '../kernel/errors.ts';
import { type CircuitId, newId, type SeriesId, type SetId, shortCode } from '../kernel/ids.ts';
import type { Random } from '../kernel/random.ts';
import type { Circuit, CircuitRequest } from '../model/circuit.ts';
import type { Principal } from '../model/principal.ts';
import { nextFullSecond, plusSeconds } from '../model/window.ts';
import { type Authoriser, factsOf } from './authorise.ts';
import { placementOf, plan, type Slot } from './plan.ts';
import type { Tx } from './tx.ts';

/** Nothing is booked further ahead than this, or for longer: calendars stay bounded. */
export const HORIZON_S = 10 * 366 * 86_400;
/** A FIXED start may be this far past: the request was on its way. */
const LATE_START_MS = 5_000;
/** How long the domains of a path may take over one attempt. */
export const ATTEMPT_MS = 30_000;
const SHORT_CODE_TRIES = 64;

export interface Admission {
  readonly principal: Principal;
  readonly requestId: string;
  readonly request: CircuitRequest;
  readonly seriesId?: SeriesId;
  readonly setId?: SetId;
  readonly setKey?: string;
}

export type Admitted = { readonly circuit: Circuit } | { readonly denied: BrokerError };

/** Throws what refuses without a record; gives back what policy denies, whose record must be kept. */
export function admit(tx: Tx, authoriser: Authoriser, random: Random, admission: Admission): Admitted {
  const { request, principal, requestId } = admission;
  const slot = slotOf(request, tx.now);
  const id = newId('cir', tx.now, random);
  const decision = authoriser.ask(tx, {
    principal,
    requestId,
    action: 'circuit.create',
    project: request.project,
    circuitId: id,
    facts: factsOf(request, slot),
  });
  if (decision.denied !== undefined) return { denied: decision.denied };
  refuseTakenRef(tx, request);
  const planned = plan(tx.ground, request, slot);
  if (planned.kind === 'refused') throw planned.problem;
  tx.create({
    ...blank(tx, id, random, request, principal.id),
    decisionIds: [decision.id],
    ...membership(admission),
    laxityS: 0,
  });
  const placement = placementOf(1, slot, planned.segments);
  tx.apply(id, { type: 'place', placement, until: instant(tx.now + ATTEMPT_MS), at: tx.now });
  return { circuit: tx.mustGet(id) };
}

/** A home circuit whose last attempt failed: try the next alternative, or give up with the last cause. */
export function placeAgain(tx: Tx, circuit: Circuit, attempts: number): void {
  const slot = slotAgain(circuit.request, circuit, tx.now);
  const reject = (problem: BrokerError): void => {
    tx.apply(circuit.id, { type: 'reject', problem: toProblem(problem), at: tx.now });
  };
  if (slot === undefined) {
    reject(new BrokerError('NO_FEASIBLE_SLOT', `the slot has passed: ${circuit.reason.detail}`));
    return;
  }
  if (circuit.version >= attempts) {
    const code = circuit.reason.code === 'PEER_SILENT' ? 'PEER_FAILED' : 'NO_FEASIBLE_SLOT';
    reject(new BrokerError(code, circuit.reason.detail));
    return;
  }
  const planned = plan(tx.ground, circuit.request, slot);
  if (planned.kind === 'refused') {
    reject(planned.problem);
    return;
  }
  const placement = placementOf(circuit.version + 1, slot, planned.segments);
  tx.apply(circuit.id, { type: 'place', placement, until: instant(tx.now + ATTEMPT_MS), at: tx.now });
}

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
    conditions: [{ type: 'DataPlaneUp', status: 'FALSE', reason: 'NOT_YET_DUE', since: tx.now }],
    laxityS: 0,
    moves: 0,
    createTime: tx.now,
    updateTime: tx.now,
    decisionIds: [],
  };
}

const membership = (a: Admission): Pick<Circuit, 'seriesId' | 'setId' | 'setKey'> => ({
  ...(a.seriesId === undefined ? {} : { seriesId: a.seriesId }),
  ...(a.setId === undefined ? {} : { setId: a.setId }),
  ...(a.setKey === undefined ? {} : { setKey: a.setKey }),
});

/** The code is unique among live circuits; where it is too crowded for luck, a repeat does no harm but to the telephone. */
function freeShortCode(tx: Tx, random: Random): string {
  let code = shortCode(random);
  for (let i = 0; i < SHORT_CODE_TRIES && tx.book.byShortCode(code) !== undefined; i++)
    code = shortCode(random);
  return code;
}

function refuseTakenRef(tx: Tx, request: CircuitRequest): void {
  if (request.clientRef === undefined) return;
  const other = tx.book.byClientRef(request.project, request.clientRef);
  if (other !== undefined)
    throw new BrokerError('CLIENT_REF_TAKEN', `${other} carries client_ref ${request.clientRef}`);
}

function slotOf(request: CircuitRequest, now: InstantMs): Slot {
  const { schedule, mbps } = request;
  switch (schedule.type) {
    case 'NOW': {
      const start = nextFullSecond(now);
      const end = schedule.durationS === 'NEVER' ? NEVER : plusSeconds(start, schedule.durationS);
      return { window: { start, end }, mbps };
    }
    case 'FIXED': {
      if (schedule.start < now - LATE_START_MS) {
        throw new BrokerError(
          'START_IN_PAST',
          `start_time ${rfc3339(schedule.start)} has passed; it is ${rfc3339(now)}`,
          {
            errors: [{ pointer: '/schedule/start_time', detail: 'in the past' }],
          },
        );
      }
      if (schedule.end <= now) throw invalid('/schedule/end_time', 'the end has passed already');
      if (schedule.end > now + HORIZON_S * 1000)
        throw invalid('/schedule/end_time', 'more than ten years ahead');
      return { window: { start: schedule.start, end: schedule.end }, mbps };
    }
    default:
      throw notYet(`schedule type ${schedule.type}`);
  }
}

function slotAgain(request: CircuitRequest, circuit: Circuit, now: InstantMs): Slot | undefined {
  if (request.schedule.type === 'FIXED') {
    const { start, end } = request.schedule;
    return end > now ? { window: { start, end }, mbps: request.mbps } : undefined;
  }
  void circuit;
  return slotOf(request, now);
}

const notYet = (what: string): BrokerError =>
  new BrokerError('NOT_SUPPORTED', `${what} is not offered by this broker`);

const invalid = (pointer: string, detail: string): BrokerError =>
  new BrokerError('INVALID_REQUEST', detail, { errors: [{ pointer, detail }] });
