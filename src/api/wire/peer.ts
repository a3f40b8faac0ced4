/** Peers on the wire: how each is, what both sides claim of the links between, and the last messages. */
import { type Static, Type } from 'typebox';
import type { PeerMessageLine, PeerView } from '../../broker/abroad/peerOffice.ts';
import type { Dealings } from '../../broker/calls.ts';
import { ref } from '../../http/schema.ts';
import { rfc3339 } from '../../kernel/clock.ts';
import { Time } from './common.ts';

const Count = Type.Integer({ minimum: 0 });
const maybe = Type.Optional;

export const PeerSchema = Type.Object(
  {
    domain: Type.String(),
    prefix: Type.String(),
    url: Type.String(),
    state: Type.Enum(['CONNECTED', 'SILENT', 'UNFIT', 'QUARANTINED', 'DISMISSED', 'NEVER_SEEN'], {
      description:
        'UNFIT: it answers, but nothing can be agreed with it. QUARANTINED: it has contradicted itself. DISMISSED: the configuration names it no longer; what was agreed goes on to its end',
    }),
    reason: maybe(Type.String()),
    protocol: maybe(Type.Integer({ description: 'The version of the peer protocol in use' })),
    epoch: Type.Integer({ description: 'Its term of office' }),
    certificate_end_time: Time,
    certificate_fingerprints: Type.Array(Type.String({ description: 'SHA-256' })),
    key_ids: Type.Array(Type.String()),
    clock_skew_ms: maybe(Type.Integer({ description: 'Its clock less ours' })),
    last_seen_time: maybe(Time),
    last_error: maybe(Type.Object({ time: Time, detail: Type.String() })),
    breaker: Type.Enum(['CLOSED', 'OPEN'], {
      description: 'OPEN: it has not answered lately and is left alone for a while',
    }),
    messages_in: Count,
    messages_out: Count,
    failures: Count,
    score: Type.Number({
      minimum: 0,
      maximum: 1,
      description: 'Of our last messages, the share it answered',
    }),
    holds: Type.Integer({ minimum: 0, description: 'Room that we hold for it and it has not committed' }),
    circuits: Type.Integer({ minimum: 0, description: 'Live circuits that we have with it' }),
    messages_waiting: Type.Integer({ minimum: 0, description: 'What it has not answered yet' }),
    messages_given_up: Type.Integer({
      minimum: 0,
      description: 'What it did not answer until it no longer mattered, since this broker took office',
    }),
    links: Type.Array(
      Type.Object({
        port: Type.String(),
        remote_port: Type.String(),
        capacity_mbps: Count,
        agreed: Type.Boolean({ description: 'Both sides claim it; else it is no link' }),
      }),
    ),
    witness: maybe(
      Type.Object(
        {
          origin: Type.String(),
          size: Count,
          time: Time,
          key: Type.String({ description: 'For `turnpike audit verify --witness`' }),
        },
        { description: 'The last checkpoint of our audit log that it has cosigned' },
      ),
    ),
    topology: maybe(
      Type.Object({
        epoch: Count,
        n: Count,
        expire_time: Type.String({ ...Time, description: 'From then on nothing new is planned over it' }),
      }),
    ),
  },
  { $id: 'Peer' },
);

export const PeerMessageSchema = Type.Object(
  {
    time: Time,
    direction: Type.Enum(['IN', 'OUT']),
    op: Type.String(),
    circuit_id: maybe(Type.String({ description: "The home's id of it" })),
    version: maybe(Type.Integer()),
    outcome: Type.String(),
    ms: Type.Number({ minimum: 0 }),
  },
  { $id: 'PeerMessage' },
);
export const PeerMessagesSchema = Type.Object(
  { items: Type.Array(ref(PeerMessageSchema)) },
  { $id: 'PeerMessages', description: 'The newest first; a few hundred are kept, in memory' },
);

export const peerSchemas = [PeerSchema, PeerMessageSchema, PeerMessagesSchema];

export function writePeer(view: PeerView, load: Dealings): Static<typeof PeerSchema> {
  const { lastSeen, lastError, topology, vouched } = view;
  return {
    domain: view.domain,
    prefix: view.prefix,
    url: view.url,
    state: view.state,
    ...(view.reason === undefined ? {} : { reason: view.reason }),
    ...(view.protocol === undefined ? {} : { protocol: view.protocol }),
    epoch: view.epoch,
    certificate_end_time: rfc3339(view.certificateEnd),
    certificate_fingerprints: [...view.fingerprints],
    key_ids: [...view.keys],
    ...(view.skewMs === undefined ? {} : { clock_skew_ms: view.skewMs }),
    ...(lastSeen === undefined ? {} : { last_seen_time: rfc3339(lastSeen) }),
    ...(lastError === undefined
      ? {}
      : { last_error: { time: rfc3339(lastError.time), detail: lastError.text } }),
    breaker: view.breaker,
    messages_in: view.messagesIn,
    messages_out: view.messagesOut,
    failures: view.failures,
    score: Math.round(view.score * 1000) / 1000,
    holds: load.holds,
    circuits: load.circuits,
    messages_waiting: load.waiting,
    messages_given_up: load.givenUp,
    links: view.links.map(({ port, remote, capacityMbps, agreed }) => ({
      port,
      remote_port: remote,
      capacity_mbps: capacityMbps,
      agreed,
    })),
    ...(vouched === undefined
      ? {}
      : {
          witness: {
            origin: vouched.origin,
            size: vouched.size,
            time: rfc3339(vouched.at),
            key: vouched.key,
          },
        }),
    ...(topology === undefined
      ? {}
      : { topology: { epoch: topology.epoch, n: topology.n, expire_time: rfc3339(topology.expires) } }),
  };
}

export const writePeerMessage = (line: PeerMessageLine): Static<typeof PeerMessageSchema> => ({
  time: rfc3339(line.time),
  direction: line.direction,
  op: line.op,
  ...(line.circuit === undefined ? {} : { circuit_id: line.circuit }),
  ...(line.version === undefined ? {} : { version: line.version }),
  outcome: line.outcome,
  ms: line.ms,
});
