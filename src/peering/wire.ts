/**
 * What brokers say to each other, as schemas: the verbs of a circuit's segment and the answers to them. Times
 * are milliseconds since 1970, because clocks are compared by them. The peer protocol's document is made from
 * these.
 */
import { type Static, type TSchema, Type } from 'typebox';
import { MOST_AGREED } from '../broker/abroad/agreed.ts';
import { BUCKETS } from '../broker/abroad/digest.ts';
import type { PeerAnswer, PeerMessage } from '../broker/abroad/peerPorts.ts';
import { taggedUnion } from '../http/schema.ts';
import { HIGHEST_LABEL } from '../model/label.ts';
import { PORT_MAX_LENGTH, PORT_PATTERN, type PortId } from '../model/port.ts';
import { MAX_TOKEN_BYTES } from '../tokens/parse.ts';
import { fromWire, toWire } from './casing.ts';

/** The first in which a segment can have a second way. */
export const TWO_WAYS = 2;
/** Every version of the protocol that this program speaks, the best first. */
export const PROTOCOLS: readonly number[] = [TWO_WAYS, 1];
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
const CircuitName = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', description: "The home's id of it" });
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
const Window = Type.Object({ start: Instant, end: Instant }, { ...strict, description: 'Half open' });
const Candidates = Type.Array(Label, {
  maxItems: 4,
  description: 'In the order of preference: the label master holds the first free one, the other end all',
});
const End = Type.Object({ port: PortName, labels: Labels, candidates: maybe(Candidates) }, strict);
const Second = Type.Object(
  { a: End, z: End, max_latency_ms: maybe(Type.Number({ minimum: 0 })) },
  {
    ...strict,
    description: 'Of a protected circuit: another way, held and dark, that shares no link with the first',
  },
);
const Segment = Type.Object(
  {
    a: End,
    z: End,
    second: maybe(Second),
    window: Window,
    mbps: Mbps,
    provision: Type.Enum(['AUTOMATIC', 'MANUAL']),
    requester: Type.String({
      minLength: 1,
      maxLength: 256,
      description: 'A pseudonym that means something to these two domains only',
    }),
    constraints: maybe(
      Type.Object(
        {
          max_latency_ms: maybe(Type.Number({ minimum: 0 })),
          min_mtu: maybe(Type.Integer({ minimum: 0 })),
          exclude_srlgs: maybe(Type.Array(Type.String({ maxLength: 256 }), { maxItems: 256 })),
        },
        strict,
      ),
    ),
    notice_s: maybe(
      Type.Integer({
        minimum: 0,
        description: 'Until so long before its start the home may be asked to move it',
      }),
    ),
    path: maybe(Type.Array(DomainName, { maxItems: MOST_TRACE, description: 'The domains from a to z' })),
  },
  strict,
);
const ChangeKind = Type.Enum(['MOVE', 'MODIFY']);
const Freeing = Type.Object({ circuit: CircuitName, version: Version, active: Version }, strict);
const Agreed = Type.Array(Type.Object({ circuit: CircuitName, version: Version }, strict), {
  maxItems: MOST_AGREED,
  description: 'Other circuits of the sender that every domain has committed by now: no need to ask for them',
});
const Token = Type.String({
  maxLength: MAX_TOKEN_BYTES,
  description: "The circuit's token, with a proof of the home for this very message",
});
const DigestLines = Type.Array(
  Type.Object(
    { home: DomainName, circuit: CircuitName, versions: Type.Array(Version, { maxItems: 2 }) },
    strict,
  ),
  { maxItems: 10_000 },
);
const Buckets = Type.Array(Type.Integer({ minimum: 0, maximum: BUCKETS - 1 }), { maxItems: BUCKETS });

/** On every message, whatever it says. */
const header = {
  circuit: CircuitName,
  epoch: Epoch,
  active: maybe(Version),
  floor: Version,
};

const op = <const O extends string, P extends Record<string, TSchema>>(name: O, fields: P) =>
  Type.Object({ op: Type.Literal(name), ...header, ...fields }, strict);

const messages = [
  op('hold', {
    version: Version,
    segment: Segment,
    until: Instant,
    kind: maybe(ChangeKind),
    replaces: maybe(Version),
    after: maybe(Type.Array(CircuitName, { maxItems: 16 })),
    frees: maybe(Type.Array(Freeing, { maxItems: 16 })),
    agreed: maybe(Agreed),
  }),
  op('extend', { version: Version, until: Instant }),
  op('commit', {
    version: Version,
    segment: Segment,
    kind: maybe(ChangeKind),
    token: maybe(Token),
    agreed: maybe(Agreed),
  }),
  op('abort', { version: Version }),
  op('free', { version: Version }),
  op('provision', { version: Version, token: maybe(Token) }),
  op('release', { reason: Text }),
  op('cancel', {}),
  op('query', {}),
  op('notify', {
    what: Type.Enum(['UP', 'DOWN', 'IMPAIRED', 'MENDED', 'ENDED']),
    version: Version,
    sequence: Type.Integer({ minimum: 0 }),
    cause: maybe(Text),
    port: maybe(PortName),
    second: maybe(Type.Literal(true, { description: 'Of the second way through the domain' })),
  }),
  op('availability', {
    a: PortName,
    z: PortName,
    mbps: Mbps,
    duration_s: Type.Integer({ minimum: 1 }),
    window: Window,
  }),
  op('ask-move', { window: Window, ask_id: Text, waiting: Text, reason: Text }),
  op('border-match', { home: DomainName, port: PortName, label: Label, version: Version }),
  op('digest', {
    sums: Type.String({ maxLength: 4_096, description: 'base64url: eight bytes for each of 256 buckets' }),
  }),
  op('digest-lines', { buckets: Buckets, lines: DigestLines }),
] as const;

const held = {
  a_label: maybe(Label),
  z_label: maybe(Label),
  a_labels: maybe(Candidates),
  z_labels: maybe(Candidates),
};

const answers = [
  Type.Object(
    {
      state: Type.Literal('HELD'),
      version: Version,
      until: Instant,
      peer_ref: Text,
      ...held,
      second: maybe(Type.Object(held, strict)),
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
  Type.Object(
    {
      state: Type.Literal('REFUSED'),
      cause: Text,
      kind: Type.Enum(['LABEL', 'ROOM', 'POLICY', 'TOKEN', 'CAP', 'FROZEN', 'WINDOW', 'INVALID']),
      opens: maybe(Instant),
      epoch: Epoch,
    },
    strict,
  ),
  Type.Object({ state: Type.Literal('WAITS'), version: Version, epoch: Epoch }, strict),
  Type.Object({ state: Type.Literal('BUSY'), epoch: Epoch }, strict),
  Type.Object({ state: Type.Literal('ACTIVE'), version: Version, epoch: Epoch }, strict),
  Type.Object({ state: Type.Literal('PENDING'), epoch: Epoch }, strict),
  Type.Object({ state: Type.Literal('ABORTED'), epoch: Epoch }, strict),
  Type.Object(
    {
      state: Type.Literal('AVAILABLE'),
      intervals: Type.Array(Window, { maxItems: 32 }),
      until: Instant,
      as_of: Instant,
      latency_ms: maybe(Type.Number({ minimum: 0 })),
      epoch: Epoch,
    },
    strict,
  ),
  Type.Object({ state: Type.Literal('MOVED'), version: Version, epoch: Epoch }, strict),
  Type.Object({ state: Type.Literal('MATCH'), label: maybe(Label), epoch: Epoch }, strict),
  Type.Object({ state: Type.Literal('MISMATCH'), label: maybe(Label), epoch: Epoch }, strict),
  Type.Object({ state: Type.Literal('DIFFERS'), buckets: Buckets, epoch: Epoch }, strict),
  Type.Object({ state: Type.Literal('LINES'), lines: DigestLines, epoch: Epoch }, strict),
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

/** Is it something that an older peer could not read? */
export const needsTwoWays = (message: PeerMessage): boolean =>
  'segment' in message && message.segment.second !== undefined;

/** The same in the words of that version; what it has no word for and needs not know is left out. */
export function inWordsOf(protocol: number | undefined, message: PeerMessage): PeerMessage {
  if (protocol === undefined || protocol >= TWO_WAYS || !('agreed' in message)) return message;
  const { agreed: _, ...rest } = message;
  return rest;
}

// That these four compile is the proof that the schemas say what the broker does.
export const writeMessage = (message: PeerMessage): WireMessage => toWire(message);
export const readMessage = (wire: WireMessage): PeerMessage => fromWire<PeerMessage>(wire);
export const writeAnswer = (answer: PeerAnswer): WireAnswer => toWire(answer);
export const readAnswer = (wire: WireAnswer): PeerAnswer => fromWire<PeerAnswer>(wire);
