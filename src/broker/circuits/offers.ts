/**
 * What could be had, and taking it. An INDICATIVE offer names slots that are free now and holds nothing: it is
 * kept in memory for a while, and whoever takes it may find it taken. A FIRM offer holds the room of each of
 * its options, as circuits in HELD, until one is taken or the time is up.
 */
import { instant, NEVER, rfc3339 } from '../../kernel/clock.ts';
import { BrokerError } from '../../kernel/errors.ts';
import { newId, type OfferId } from '../../kernel/ids.ts';
import type { Random } from '../../kernel/random.ts';
import { fromSeconds, toSeconds } from '../../model/capacity.ts';
import type { Circuit, CircuitRequest } from '../../model/circuit.ts';
import { maySee } from '../../model/principal.ts';
import { type Offer, offers } from '../../scheduler/laxity/offers.ts';
import { factsOf } from '../aaa/facts.ts';
import type { Call, OfferAsk, OfferOption, OfferSet } from '../calls.ts';
import { ATTEMPT_MS } from '../limits.ts';
import type { Term } from '../term.ts';
import type { Tx } from '../tx.ts';
import { StoredRefusal } from '../writer.ts';
import { factsOfVerb } from './actions.ts';
import { askOf, bytesAsk, problemOf, wishOf } from './place.ts';
import { isOurs, type Wish } from './plan.ts';
import { admit, fixedSlot, refuseTakenRef } from './request.ts';

/** How long an indicative offer is remembered. */
const REMEMBERED_MS = 600_000;

export function makeOffers(
  tx: Tx,
  term: Term,
  random: Random,
  call: Call,
  ask: OfferAsk,
): OfferSet | StoredRefusal {
  const { request } = ask;
  if (!isOurs(tx.ground, request))
    throw new BrokerError('NOT_SUPPORTED', 'offers of what goes to another domain');
  const id = newId('off', tx.now, random);
  const slot = fixedSlot(request, tx.now);
  const decision = term.authoriser.ask(tx, {
    ...call,
    action: 'circuit.create',
    project: request.project,
    facts: { ...factsOf(tx, 'circuit.create', request, { slot }), ask: ask.wanted },
  });
  if (decision.denied !== undefined) return new StoredRefusal(decision.denied);
  const wish = wishOf(request, slot, tx.now);
  const asked = askOf(id, request, wish, tx.now);
  const wanted = request.schedule.type === 'VOLUME' ? bytesAsk(asked, request.schedule) : asked;
  const answer = offers(tx.book.fleet, wanted, ask.wanted, ask.most, toSeconds(tx.now));
  if (!answer.found) throw problemOf(answer.refused, wish, undefined);
  return ask.firmS === undefined || ask.firmS === 0
    ? indicative(tx, term, call, id, request, answer.offers)
    : firm(tx, term, random, call, id, { ...ask, firmS: ask.firmS }, answer.offers, wish);
}

function indicative(
  tx: Tx,
  term: Term,
  call: Call,
  id: OfferId,
  request: CircuitRequest,
  found: readonly Offer[],
): OfferSet {
  const set: OfferSet = {
    id,
    kind: 'INDICATIVE',
    expire: instant(tx.now + REMEMBERED_MS),
    options: found.map(optionOf),
  };
  term.offers.remember({ set, owner: call.principal.id, request }, tx.undo);
  return set;
}

/** Holds as many of the options as there is room for beside each other. */
function firm(
  tx: Tx,
  term: Term,
  random: Random,
  call: Call,
  id: OfferId,
  ask: OfferAsk & { readonly firmS: number },
  found: readonly Offer[],
  wish: Wish,
): OfferSet | StoredRefusal {
  const options: OfferOption[] = [];
  for (const offer of found) {
    const slot = {
      start: fromSeconds(offer.start),
      end: wish.deadline === NEVER ? NEVER : fromSeconds(offer.end),
    };
    const request: CircuitRequest = {
      ...bare(ask.request),
      mbps: offer.mbps,
      holdS: ask.firmS,
      pinned: true,
      schedule: { type: 'FIXED', ...slot },
    };
    try {
      const held = admit(tx, term.authoriser, random, {
        ...call,
        request,
        offer: { id, option: options.length },
      });
      if ('denied' in held) {
        tx.reset();
        return new StoredRefusal(held.denied);
      }
      options.push({ ...optionOf(offer, options.length), circuitId: held.circuit.id });
    } catch (error) {
      // It overlapped with an option that is held already.
      if (!(error instanceof BrokerError) || error.code !== 'NO_FEASIBLE_SLOT') throw error;
    }
  }
  return { id, kind: 'FIRM', expire: instant(tx.now + ask.firmS * 1000), options };
}

export function takeOffer(
  tx: Tx,
  term: Term,
  random: Random,
  call: Call,
  id: OfferId,
  option: number,
  request: CircuitRequest,
): Circuit | StoredRefusal {
  const held = tx.book
    .byOffer(id)
    .filter((c) => maySee(call.principal, { project: c.request.project, owner: c.owner }));
  if (held.length > 0) return takeHeld(tx, term, call, held, option, request);
  const known = term.offers.get(id);
  if (known === undefined || known.set.expire <= tx.now || known.owner !== call.principal.id) {
    throw new BrokerError('OFFER_EXPIRED', `the offer ${id} has expired or was never made`);
  }
  const wanted = known.set.options[option];
  if (wanted === undefined) throw noOption(option);
  checkAlike(request, known.request);
  const schedule = { type: 'FIXED' as const, start: wanted.start, end: wanted.end };
  const booked: CircuitRequest = {
    ...request,
    mbps: wanted.mbps,
    constraints: known.request.constraints,
    protection: known.request.protection,
    schedule,
  };
  try {
    const admitted = admit(tx, term.authoriser, random, { ...call, request: booked });
    return 'denied' in admitted ? new StoredRefusal(admitted.denied) : admitted.circuit;
  } catch (error) {
    if (
      !(error instanceof BrokerError) ||
      (error.code !== 'NO_FEASIBLE_SLOT' && error.code !== 'START_IN_PAST')
    )
      throw error;
    throw new BrokerError('OFFER_TAKEN', `the slot from ${rfc3339(wanted.start)} is gone`, error.details, {
      cause: error,
    });
  }
}

/** Commits the option that was held, under the taker's names, and lets the others go. */
function takeHeld(
  tx: Tx,
  term: Term,
  call: Call,
  held: readonly Circuit[],
  option: number,
  request: CircuitRequest,
): Circuit | StoredRefusal {
  const chosen = held.find((c) => c.offer?.option === option);
  if (chosen?.state !== 'HELD')
    throw new BrokerError('OFFER_TAKEN', 'another option of this offer was taken, or this one has run out');
  checkAlike(request, chosen.request);
  refuseTakenRef(tx, request);
  const { project } = chosen.request;
  const decision = term.authoriser.ask(tx, {
    ...call,
    action: 'circuit.commit',
    project,
    circuitId: chosen.id,
    facts: { ...factsOfVerb(tx, 'circuit.commit', chosen, call.principal), option },
  });
  if (decision.denied !== undefined) return new StoredRefusal(decision.denied);
  for (const other of held) {
    if (other !== chosen && other.state === 'HELD')
      tx.apply(other.id, { type: 'abort', at: tx.now }, decision.id);
  }
  tx.apply(chosen.id, { type: 'commit', at: tx.now }, decision.id);
  const named: CircuitRequest = {
    ...chosen.request,
    provision: request.provision,
    ...(request.description === undefined ? {} : { description: request.description }),
    ...(request.clientRef === undefined ? {} : { clientRef: request.clientRef }),
  };
  tx.apply(chosen.id, { type: 'modify', request: named, until: instant(tx.now + ATTEMPT_MS), at: tx.now });
  return tx.mustGet(chosen.id);
}

const optionOf = (offer: Offer, option: number): OfferOption => ({
  option,
  start: fromSeconds(offer.start),
  end: fromSeconds(offer.end),
  mbps: offer.mbps,
  links: offer.path.links,
  ...(offer.backup === undefined ? {} : { backupLinks: offer.backup.links }),
  latencyMs: offer.path.latencyMs,
  moves: offer.moves,
});

/** The ends, and no more than was offered: whoever counts on a second road must not go without. */
function checkAlike(request: CircuitRequest, offered: CircuitRequest): void {
  if (request.protection === 'PROTECTED' && offered.protection === 'UNPROTECTED') {
    const detail = 'the offer has one road only';
    throw new BrokerError('INVALID_REQUEST', detail, { errors: [{ pointer: '/protection', detail }] });
  }
  for (const end of ['a', 'z'] as const) {
    if (request[end].port === offered[end].port) continue;
    const detail = `the offer is for ${offered[end].port}`;
    throw new BrokerError('INVALID_REQUEST', detail, { errors: [{ pointer: `/${end}/port`, detail }] });
  }
}

/** Several holds cannot carry one name. */
function bare(request: CircuitRequest): CircuitRequest {
  const { clientRef: _, ...rest } = request;
  return rest;
}

const noOption = (option: number): BrokerError =>
  new BrokerError('INVALID_REQUEST', `the offer has no option ${option}`, {
    errors: [{ pointer: '/schedule/option', detail: 'no such option' }],
  });
