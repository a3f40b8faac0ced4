/**
 * Offers on the wire: what a client asks to be offered, and the slots that it may then take. Whatever an offer
 * says of a slot is what the circuit will have that takes it.
 */
import { type Static, Type } from 'typebox';
import type { OfferAsk, OfferOption, OfferSet } from '../../broker/calls.ts';
import { ref } from '../../http/schema.ts';
import { rfc3339 } from '../../kernel/clock.ts';
import type { Principal } from '../../model/principal.ts';
import { PathSchema, roundMs } from './circuit.ts';
import { idSchema, Time } from './common.ts';
import { LONGEST_HOLD_S, readRequest, requestFields } from './request.ts';
import { endTime, Mbps, OfferableSchema } from './schedule.ts';

/** Each option is a search of its own. */
export const MOST_OPTIONS = 50;
const USUAL_OPTIONS = 5;

export const OfferRequestSchema = Type.Object(
  {
    project: requestFields.project,
    a: requestFields.a,
    z: requestFields.z,
    bandwidth_mbps: Type.Optional(
      Type.Integer({
        ...Mbps,
        description:
          'Mb/s in each direction; with MAX_BANDWIDTH the least that is of use, for a VOLUME the most that it may take',
      }),
    ),
    constraints: requestFields.constraints,
    protection: requestFields.protection,
    schedule: ref(OfferableSchema),
    ask: Type.Optional(
      Type.Enum(['EARLIEST_START', 'EARLIEST_FINISH', 'MAX_BANDWIDTH', 'ALL_SLOTS'], {
        default: 'ALL_SLOTS',
        description: 'Which slots are of interest, the best first',
      }),
    ),
    max_offers: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MOST_OPTIONS,
        default: USUAL_OPTIONS,
        description: 'How many options there are at most',
      }),
    ),
    firm_s: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: LONGEST_HOLD_S,
        default: 0,
        description: 'Above 0: the room of every option is held for so long',
      }),
    ),
  },
  {
    $id: 'OfferRequest',
    additionalProperties: false,
    examples: [
      {
        a: { port: 'ams:host1' },
        z: { port: 'ams:host3' },
        bandwidth_mbps: 10_000,
        schedule: { type: 'FLEXIBLE', duration_s: 7200, deadline_time: '2027-03-01T06:00:00+01:00' },
        ask: 'ALL_SLOTS',
        max_offers: 3,
        firm_s: 600,
      },
    ],
  },
);

export const OfferOptionSchema = Type.Object(
  {
    option: Type.Integer({ minimum: 0, description: 'For `schedule.option` of the circuit that takes it' }),
    start_time: Time,
    end_time: Type.Optional(Type.String({ ...Time, description: 'Absent: until it is released' })),
    bandwidth_mbps: Mbps,
    path: ref(PathSchema),
    moves: Type.Integer({ minimum: 0, description: 'How many others would step aside for it' }),
    circuit_id: Type.Optional(Type.String({ description: 'FIRM: the circuit, HELD, that keeps the room' })),
  },
  { $id: 'OfferOption', description: 'A slot that could be had' },
);

export const OfferSchema = Type.Object(
  {
    id: idSchema('off', 'For `schedule.offer_id` of the circuit that takes an option'),
    kind: Type.Enum(['INDICATIVE', 'FIRM'], {
      description: 'INDICATIVE: holds nothing, and somebody else may be faster. FIRM: the room is held',
    }),
    expire_time: Time,
    options: Type.Array(ref(OfferOptionSchema)),
  },
  { $id: 'Offer', description: 'Slots for one request, the best first' },
);
export const offerSchemas = [OfferRequestSchema, OfferOptionSchema, OfferSchema];

export function readOffer(wire: Static<typeof OfferRequestSchema>, who: Principal): OfferAsk {
  const { ask = 'ALL_SLOTS', max_offers = USUAL_OPTIONS, firm_s = 0, ...asked } = wire;
  const { request } = readRequest(asked, who);
  return { request, wanted: ask, most: max_offers, ...(firm_s === 0 ? {} : { firmS: firm_s }) };
}

/** Offers are made inside this domain only. */
const writeOption = (o: OfferOption, domain: string): Static<typeof OfferOptionSchema> => ({
  option: o.option,
  start_time: rfc3339(o.start),
  ...endTime(o.end),
  bandwidth_mbps: o.mbps,
  path: {
    domains: [domain],
    links: [...o.links],
    latency_ms: roundMs(o.latencyMs),
    ...(o.backupLinks === undefined ? {} : { backup_links: [...o.backupLinks] }),
  },
  moves: o.moves,
  ...(o.circuitId === undefined ? {} : { circuit_id: o.circuitId }),
});

export const writeOffer = (offer: OfferSet, domain: string): Static<typeof OfferSchema> => ({
  id: offer.id,
  kind: offer.kind,
  expire_time: rfc3339(offer.expire),
  options: offer.options.map((option) => writeOption(option, domain)),
});
