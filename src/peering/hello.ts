/**
 * How two brokers meet: each says who it is, which versions of the protocol it speaks, its session, its term of
 * office, its prefix, and its end of every link between the two. What a hello says is believed only as far as
 * the operator laid it down: a name, a prefix, and nobody else's.
 */
import { type Static, Type } from 'typebox';
import type { TopologyDocument } from '../topology/document.ts';
import { IssuerSchema, takeIssuer } from './issuers.ts';
import type { Peer } from './peer.ts';
import { DomainName, Epoch, Instant, PortName } from './wire.ts';

const strict = { additionalProperties: false } as const;

const BorderSchema = Type.Object(
  { port: PortName, remote: PortName, capacity_mbps: Type.Integer({ minimum: 0 }) },
  { ...strict, description: 'One end of a link, as its owner sees it' },
);

export const HelloSchema = Type.Object(
  {
    domain: DomainName,
    prefix: Type.String({ maxLength: 16 }),
    /** Later versions of the protocol may add to a hello: this is the one message that is read leniently. */
    protocols: Type.Array(Type.Integer({ minimum: 1, maximum: 1_000 }), { minItems: 1, maxItems: 32 }),
    session: Type.String({ pattern: '^[A-Za-z0-9_-]{8,64}$' }),
    epoch: Epoch,
    now: Instant,
    borders: Type.Array(BorderSchema, { maxItems: 1_000 }),
    issuer: Type.Optional(IssuerSchema),
  },
  { $id: 'PeerHello', description: 'Unknown fields are passed over' },
);
export type Hello = Static<typeof HelloSchema>;

export const bordersTo = (domain: string, { ports }: TopologyDocument): Hello['borders'] =>
  ports.flatMap((port) =>
    port.remote?.domain === domain
      ? [
          {
            // The schema of documents has seen to the form of both.
            port: port.id as Hello['borders'][number]['port'],
            remote: port.remote.port as Hello['borders'][number]['port'],
            capacity_mbps: port.capacity_mbps,
          },
        ]
      : [],
  );

/** Who we are to a peer that says hello. */
export interface Greeter {
  readonly prefix: string;
  readonly protocols: readonly number[];
}

/** Takes over what the hello says; why nothing can be agreed with this peer is left in `peer.unfit`. */
export function greet(peer: Peer, hello: Hello, { prefix, protocols }: Greeter): void {
  const common = protocols.find((version) => hello.protocols.includes(version));
  peer.unfit =
    hello.domain !== peer.domain
      ? `it calls itself ${hello.domain.slice(0, 64)}`
      : hello.prefix !== peer.settings.prefix
        ? `it claims the prefix ${hello.prefix}; ${peer.settings.prefix} is pinned`
        : common === undefined
          ? `it speaks versions ${hello.protocols.join(', ')} of the peer protocol, we speak ${protocols.join(', ')}`
          : undefined;
  peer.protocol = common;
  if (hello.epoch > peer.epoch) peer.epoch = hello.epoch;
  peer.borders = hello.borders;
  takeIssuer(peer, hello.issuer, prefix);
  if (peer.unfit === undefined) peer.session = hello.session;
}
