/**
 * What brokers say to each other, as schemas: the verbs of a circuit's segment and the answers to them. Times
 * are milliseconds since 1970, because clocks are compared by them. The peer protocol's document is made from
 * these.
 */
import { type Static, type TSchema, Type } from 'typebox';
import type { PeerAnswer, PeerMessage } from '../broker/ports.ts';
import { taggedUnion } from '../http/schema.ts';
import { HIGHEST_LABEL } from '../model/label.ts';
import { PORT_MAX_LENGTH, PORT_PATTERN, type PortId } from '../model/port.ts';
import { fromWire, toWire } from './casing.ts';

/** Every version of the protocol that this program speaks, the best first. */
export const PROTOCOLS: readonly number[] = [1];
export const MOST_TRACE = 32;

const strict = { additionalProperties: false } as const;
const maybe = Type.Optional;

export const DomainName = Type.String({ minLength: 1, maxLength: 253, pattern: '^[a-z0-9.-]+$' });
export const Instant = Type.Integer({
  minimum: 0,
  maximum: 8_640_000_000_000_000,
  description: 'Milliseconds since 1970-01-01T00:00:00Z',
});
const Version = Type.Integer({ minimum: 0, description: 'Of the placement; every attempt has its own' });
export const Epoch = Type.Integer({ minimum: 0, description: "The sender's term of office" });
const Mbps = Type.Integer({ minimum: 1, maximum: 2_000_000_000 });
const Text = Type.String({ maxLength: 1_024 });
const Label = Type.Integer({ minimum: 0, maximum: HIGHEST_LABEL });
export const PortName = Type.Unsafe<PortId>(
  Type.String({ pattern: PORT_PATTERN, maxLength: PORT_MAX_LENGTH }),
);

// As an array: a tuple's schema has words that JSON Schema has dropped since.
const Range = Type.Unsafe<[number, number]>(Type.Array(Label, { minItems: 2, maxItems: 2 }));
const Labels = Type.Union([
  Type.Literal('UNTAGGED'),
  Type.Array(Range, {
    minItems: 1,
    maxItems: 256,
    description: 'Inclusive ranges in ascending order',
  }),
]);
const End = Type.Object({ port: PortName, labels: Labels }, strict);
const Segment = Type.Object(
  {
    a: End,
    z: End,
    window: Type.Object({ start: Instant, end: Instant }, { ...strict, description: 'Half open' }),
    mbps: Mbps,
    provision: Type.Enum(['AUTOMATIC', 'MANUAL']),
    requester: Type.String({
      minLength: 1,
      maxLength: 256,
      description: 'A pseudonym that means something to these two domains only',
    }),
  },
  strict,
);

/** On every message, whatever it says. */
const header = {
  circuit: Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', description: "The home's id of it" }),
  epoch: Epoch,
  active: maybe(Version),
  floor: Version,
};

const op = <const O extends string, P extends Record<string, TSchema>>(name: O, fields: P) =>
  Type.Object({ op: Type.Literal(name), ...header, ...fields }, strict);

const messages = [
  op('hold', { version: Version, segment: Segment, until: Instant, replaces: maybe(Version) }),
  op('extend', { version: Version, until: Instant }),
  op('commit', { version: Version, segment: Segment }),
  op('abort', { version: Version }),
  op('free', { version: Version }),
  op('provision', { version: Version }),
  op('release', { reason: Text }),
  op('cancel', {}),
  op('query', {}),
  op('notify', {
    what: Type.Enum(['UP', 'DOWN', 'ENDED']),
    version: Version,
    sequence: Type.Integer({ minimum: 0 }),
    cause: maybe(Text),
  }),
] as const;

const answers = [
  Type.Object(
    {
      state: Type.Literal('HELD'),
      version: Version,
      until: Instant,
      peer_ref: Text,
      a_label: maybe(Label),
      z_label: maybe(Label),
      epoch: Epoch,
    },
    strict,
  ),
  Type.Object(
    {
      state: Type.Literal('COMMITTED'),
      version: Version,
      lit: Type.Boolean(),
      peer_ref: Text,
      epoch: Epoch,
    },
    strict,
  ),
  Type.Object({ state: Type.Literal('EXPIRED'), version: Version, epoch: Epoch }, strict),
  Type.Object({ state: Type.Literal('CLOSED'), dark: Type.Boolean(), epoch: Epoch }, strict),
  Type.Object({ state: Type.Literal('UNKNOWN'), epoch: Epoch }, strict),
  Type.Object({ state: Type.Literal('REFUSED'), cause: Text, epoch: Epoch }, strict),
  Type.Object({ state: Type.Literal('ACTIVE'), version: Version, epoch: Epoch }, strict),
  Type.Object({ state: Type.Literal('PENDING'), epoch: Epoch }, strict),
  Type.Object({ state: Type.Literal('ABORTED'), epoch: Epoch }, strict),
] as const;

export const MessageSchema = Type.Object(
  {
    message: taggedUnion('op', [...messages]),
    trace: Type.Array(DomainName, {
      minItems: 1,
      maxItems: MOST_TRACE,
      description: 'The domains that it has come through, its sender last',
    }),
  },
  { $id: 'PeerMessage', ...strict },
);
export const AnswerSchema = taggedUnion('state', [...answers], {
  $id: 'PeerAnswer',
  description: 'The state of the segment as it is now, never as it was',
});

type WireMessage = Static<typeof MessageSchema>['message'];
type WireAnswer = Static<typeof AnswerSchema>;

// That these four compile is the proof that the schemas say what the broker does.
export const writeMessage = (message: PeerMessage): WireMessage => toWire(message);
export const readMessage = (wire: WireMessage): PeerMessage => fromWire<PeerMessage>(wire);
export const writeAnswer = (answer: PeerAnswer): WireAnswer => toWire(answer);
export const readAnswer = (wire: WireAnswer): PeerAnswer => fromWire<PeerAnswer>(wire);
