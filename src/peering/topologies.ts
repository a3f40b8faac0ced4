/**
 * Topology documents between domains: ours is signed and handed to every peer, those of others are believed by
 * their own signature whoever brings them, handed on when they are news, and repaired by comparing lists. A
 * version never goes back. The same version with other contents is evidence against whoever signed both.
 */
import { type Static, Type } from 'typebox';
import type { Learned } from '../broker/abroad/surroundings.ts';
import type { DomainRecord } from '../broker/ports.ts';
import { newAjv } from '../http/schema.ts';
import { type Clock, instant } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { compareVersions, type DomainDocument } from '../topology/domainDocument.ts';
import type { Identity, Tell } from './client.ts';
import type { Peer } from './peer.ts';
import { openDocument, SealError, sealDocument } from './seal.ts';
import { DomainName, Instant, PortName } from './wire.ts';

export const TOPOLOGIES_PATH = '/peer/v1/topologies';
export const TOPOLOGY_DIGEST_PATH = '/peer/v1/topologies/digest';
export const TOPOLOGY_BYTES = 8 * 1024 * 1024;

/** No document is believed for longer; one that is not renewed stops new routes only. */
const VALID_MS = 3_600_000;
const RENEW_BEFORE_MS = VALID_MS / 2;
/** What clocks may be apart. */
const SLACK_MS = 30_000;
const TIMEOUT_MS = 10_000;

const strict = { additionalProperties: false } as const;
const maybe = Type.Optional;
const Count = Type.Integer({ minimum: 0 });
const Room = Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 });
const Point = Type.String({ minLength: 1, maxLength: 64 });
const Srlgs = Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 256 });
const port = {
  id: PortName,
  at: Point,
  capacity_mbps: Room,
  vlans: maybe(Type.String({ minLength: 1, maxLength: 1_024 })),
  unlabelled: maybe(Type.Boolean()),
  mtu: maybe(Type.Integer({ minimum: 68, maximum: 65_535 })),
};
const Latency = Type.Number({ minimum: 0, maximum: 1e6 });
const Cost = Type.Number({ minimum: 0, maximum: 1e9 });

const DocumentSchema = Type.Object(
  {
    domain: DomainName,
    prefix: Type.String({ maxLength: 16 }),
    version: Type.Object({ epoch: Count, n: Count }, strict),
    ports: Type.Array(Type.Object(port, strict), { maxItems: 10_000 }),
    borders: Type.Array(
      Type.Object(
        {
          ...port,
          remote: Type.Object({ domain: DomainName, port: PortName }, strict),
          latency_ms: maybe(Latency),
          cost: maybe(Cost),
          srlgs: maybe(Srlgs),
          state: maybe(Type.Enum(['UP', 'DOWN'])),
        },
        strict,
      ),
      { maxItems: 10_000 },
    ),
    edges: Type.Array(
      Type.Object(
        {
          a: Point,
          z: Point,
          capacity_mbps: Room,
          latency_ms: Latency,
          cost: Cost,
          mtu: Type.Integer({ minimum: 0 }),
          srlgs: maybe(Srlgs),
        },
        strict,
      ),
      { maxItems: 20_000 },
    ),
  },
  { ...strict, description: 'Ports, borders and abstract edges; internal links stay private' },
);

/** What is signed, as text, so that it is handed on to the letter. */
export const SignedSchema = Type.Object(
  {
    body: Type.String({ maxLength: TOPOLOGY_BYTES, description: 'JSON: {document, expires}' }),
    signature: Type.String({ maxLength: 2_048, description: 'A JWS over its issuer and its digest' }),
  },
  { $id: 'SignedTopology', ...strict },
);
type Signed = Static<typeof SignedSchema>;

export const OutcomeSchema = Type.Object(
  { outcome: Type.Enum(['NEW', 'SAME', 'OLDER', 'CONFLICT', 'INVALID', 'UNKNOWN']) },
  { $id: 'TopologyOutcome', ...strict, description: 'UNKNOWN: its domain is not pinned here' },
);
type Outcome = Static<typeof OutcomeSchema>['outcome'];

export const VersionsSchema = Type.Object(
  {
    domains: Type.Array(
      Type.Object({ domain: DomainName, epoch: Count, n: Count, expires: Instant }, strict),
      { maxItems: 1_000 },
    ),
  },
  { $id: 'TopologyVersions', ...strict, description: 'What the sender has, its own included' },
);
type Versions = Static<typeof VersionsSchema>;

const BodySchema = Type.Object({ document: DocumentSchema, expires: Instant }, strict);
const ajv = newAjv();
const isBody = ajv.compile(BodySchema);
const isVersions = ajv.compile(VersionsSchema);

/** The broker's side: what it publishes, has, and learns. */
export interface Atlas {
  document(): DomainDocument;
  domains(): readonly DomainRecord[];
  learn(record: DomainRecord): Promise<Learned>;
  readonly standings: { quarantine(domain: string, reason: string): Promise<void> };
}

export interface TopologyPorts {
  readonly identity: Identity;
  readonly clock: Clock;
  readonly log: Log;
  peer(domain: string): Peer | undefined;
  /** Those who can be told something now. */
  reachable(): readonly Peer[];
  atlas(): Atlas;
  readonly tell: Tell;
}

export class Topologies {
  readonly #ports: TopologyPorts;
  /** Our own, as we last signed it. */
  #own: { readonly record: DomainRecord; readonly of: DomainDocument } | undefined;

  constructor(ports: TopologyPorts) {
    this.#ports = ports;
  }

  /** Signs our own document when it has changed or will soon expire, and hands it to everybody. */
  publish(): void {
    const { clock, identity } = this.#ports;
    const document = this.#ports.atlas().document();
    const now = clock.now();
    const own = this.#own;
    if (own !== undefined && own.of === document && own.record.expires - now > RENEW_BEFORE_MS) return;
    const expires = instant(now + VALID_MS);
    const body = JSON.stringify({ document, expires });
    const signature = sealDocument(identity.domain, body, identity.signer);
    const signed: Signed = { body, signature };
    this.#own = { record: { document, expires, signed: JSON.stringify(signed) }, of: document };
    this.#flood(signed, []);
  }

  /** With another key: the next publication is signed with it. */
  signAnew(): void {
    this.#own = undefined;
  }

  /** A document that a peer brought: its own, or one that it hands on. */
  async accept(from: Peer, signed: Signed): Promise<Outcome> {
    const { clock, log, identity } = this.#ports;
    const read = readBody(signed.body);
    if (read === undefined) return 'INVALID';
    const { document } = read;
    if (document.domain === identity.domain) return 'OLDER';
    // What a neighbour says of a stranger's key does not count: it could invent domains.
    const owner = this.#ports.peer(document.domain);
    // Of whom no new route shall lead through, the document runs out by itself.
    if (owner === undefined || owner.dismissed) return 'UNKNOWN';
    try {
      openDocument(signed.signature, owner.settings.keys, document.domain, signed.body);
    } catch (error) {
      if (!(error instanceof SealError)) throw error;
      from.failed(`brought a document of ${document.domain}: ${error.message}`);
      return 'INVALID';
    }
    if (owner.quarantined !== undefined) return 'CONFLICT';
    if (document.prefix !== owner.settings.prefix) return 'INVALID';
    const now = clock.now();
    const expires = instant(Math.min(read.expires, now + VALID_MS + SLACK_MS));
    const before = this.#record(document.domain);
    const outcome = await this.#ports.atlas().learn({ document, expires, signed: JSON.stringify(signed) });
    if (outcome === 'CONFLICT') {
      const { epoch, n } = document.version;
      const reason = `it has signed two documents of the version ${epoch}.${n}`;
      log.error({ event: 'peer.quarantined', peer: owner.domain, detail: reason });
      await this.#ports.atlas().standings.quarantine(owner.domain, reason);
    }
    const news = outcome === 'NEW' || (outcome === 'SAME' && expires > (before?.expires ?? 0));
    if (news) this.#flood(signed, [from.domain, document.domain]);
    return outcome;
  }

  versions(): Versions {
    const records = this.#own === undefined ? [] : [this.#own.record];
    const { clock, atlas } = this.#ports;
    const now = clock.now();
    // What has expired is no use to anybody.
    const others = atlas()
      .domains()
      .filter((record) => record.expires > now);
    return { domains: [...records, ...others].map(lineOf) };
  }

  /** A peer has told what it has: it hears what we have, and is brought what it lacks. */
  compared(peer: Peer, theirs: Versions): Versions {
    const ours = this.versions();
    // What does not succeed now does with the next comparison.
    this.#bringLacking(peer, ours, theirs).catch(() => {});
    return ours;
  }

  /** Compares lists with a peer and brings it what it lacks; it does the same on hearing ours. */
  async repair(peer: Peer): Promise<void> {
    this.publish();
    const ours = this.versions();
    const call = { path: TOPOLOGY_DIGEST_PATH, body: ours, timeoutMs: TIMEOUT_MS };
    const answered = await this.#ports.tell(peer, call);
    if (typeof answered === 'string' || answered.status !== 200 || !isVersions(answered.body)) return;
    // The schema has just been checked.
    await this.#bringLacking(peer, ours, answered.body as Versions);
  }

  async #bringLacking(peer: Peer, ours: Versions, theirs: Versions): Promise<void> {
    const known = new Map(theirs.domains.map((line) => [line.domain, line]));
    for (const line of ours.domains) {
      const has = known.get(line.domain);
      const order = has === undefined ? 1 : compareVersions(line, has);
      const lacks = order > 0 || (order === 0 && line.expires > (has?.expires ?? 0));
      const signed = lacks && line.domain !== peer.domain ? this.#signed(line.domain) : undefined;
      if (signed !== undefined) await this.#bring(peer, signed);
    }
  }

  #record(domain: string): DomainRecord | undefined {
    return this.#ports
      .atlas()
      .domains()
      .find((record) => record.document.domain === domain);
  }

  #signed(domain: string): Signed | undefined {
    const own = domain === this.#ports.identity.domain ? this.#own?.record : undefined;
    const record = own ?? this.#record(domain);
    // What is stored was checked when it came.
    return record === undefined ? undefined : (JSON.parse(record.signed) as Signed);
  }

  #flood(signed: Signed, except: readonly string[]): void {
    // Who cannot be reached is brought it by the next comparison.
    for (const peer of this.#ports.reachable())
      if (!except.includes(peer.domain)) this.#bring(peer, signed).catch(() => {});
  }

  async #bring(peer: Peer, signed: Signed): Promise<void> {
    await this.#ports.tell(peer, { path: TOPOLOGIES_PATH, body: signed, timeoutMs: TIMEOUT_MS });
  }
}

function lineOf({ document, expires }: DomainRecord): Versions['domains'][number] {
  const { epoch, n } = document.version;
  return { domain: document.domain, epoch, n, expires };
}

function readBody(text: string): { document: DomainDocument; expires: number } | undefined {
  try {
    const body: unknown = JSON.parse(text);
    // The schema says what it is; the compiler cannot see that from a compiled check.
    return isBody(body) ? (body as { document: DomainDocument; expires: number }) : undefined;
  } catch {
    return undefined;
  }
}
