/**
 * One peer as we know it: what an operator laid down (certificate, keys, prefix, address), and what was seen
 * since the start: its session, its term of office, how its clock stands to ours, how it answers, and the last
 * messages each way. Nothing of the second kind is needed after a restart; the messages are shown all the same.
 */
import type { PeerMessageLine, PeerView } from '../broker/abroad/peerOffice.ts';
import type { PublishedIssuer } from '../broker/tokens/tokenRing.ts';
import { Breaker } from '../kernel/breaker.ts';
import { type Clock, type InstantMs, instant } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { printable } from '../kernel/printable.ts';
import type { Random } from '../kernel/random.ts';
import type { TrustedIssuer } from '../tokens/verify.ts';
import { Bucket, Seen } from './caps.ts';
import type { Pin } from './certificate.ts';
import type { PeerKeys } from './seal.ts';

/** A message whose time is further from ours than this is refused. */
export const SKEW_REFUSED_MS = 30_000;
const SKEW_ALARM_MS = 1_000;
/** Longer than a message may be under way by either clock. */
const REMEMBER_MS = 2 * SKEW_REFUSED_MS + 10_000;
const MOST_REMEMBERED = 500_000;
const MOST_OPERATIONS = 50_000;
const JOURNAL = 500;
const MOST_AT_ONCE = 64;
/** An answer that took longer counts as none for the breaker, though it is used. */
const SLOW_MS = 5_000;

export interface PeerSettings {
  readonly domain: string;
  readonly prefix: string;
  readonly url: string;
  readonly pins: readonly Pin[];
  readonly keys: PeerKeys;
  /** The URL under which it issues circuit tokens. */
  readonly issuer: string;
  /** Ports of ours, or prefixes of them, that its issuer may mint for; all when absent. */
  readonly mintsFor?: readonly string[];
}

/** What a peer has cosigned of our log. */
export type Vouched = NonNullable<PeerView['vouched']>;

export type Said = Pick<PeerMessageLine, 'op' | 'circuit' | 'version'>;

export class Peer {
  settings: PeerSettings;
  readonly breaker: Breaker;
  readonly jtis = new Seen(REMEMBER_MS, MOST_REMEMBERED);
  /** The digest of each operation's contents, by circuit, version and verb. */
  readonly operations = new Seen<string>(REMEMBER_MS, MOST_OPERATIONS);
  readonly bucket: Bucket;
  readonly journal: PeerMessageLine[] = [];
  /** What it called its session when we said hello; undefined before, and after it said that it has another. */
  session: string | undefined;
  protocol: number | undefined;
  /** The configuration names it no longer: nothing new is begun with it. */
  dismissed = false;
  /** Why nothing is agreed with it, however often it is asked: no protocol in common, a prefix that is taken. */
  unfit: string | undefined;
  /** The last checkpoint of our log that it has cosigned. */
  vouched: Vouched | undefined;
  /** Which withdrawn tokens it has been told of, in which of its sessions. */
  told: { readonly session: string; readonly revocations: Set<string> } = {
    session: '',
    revocations: new Set(),
  };
  /** Its issuer of circuit tokens with the keys that its last hello told; undefined: it told none. */
  issuer: TrustedIssuer | undefined;
  /** What of ours it was told in the last hello between us. */
  toldIssuer: PublishedIssuer | undefined;
  /** Its ends of the links between us, as it last said. */
  borders: readonly { readonly port: string; readonly remote: string; readonly capacity_mbps: number }[] = [];
  /** Its highest term of office that it signed. */
  epoch = 0;
  /** Its clock less ours. */
  skewMs: number | undefined;
  lastSeen: InstantMs | undefined;
  lastError: { readonly time: InstantMs; readonly text: string } | undefined;
  messagesIn = 0;
  messagesOut = 0;
  failures = 0;
  inFlight = 0;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #quarantined: () => string | undefined;
  #alarmed = false;

  constructor(
    settings: PeerSettings,
    ports: {
      readonly clock: Clock;
      readonly random: Random;
      readonly log: Log;
      readonly perSecond: number;
      readonly quarantined?: () => string | undefined;
    },
  ) {
    this.settings = settings;
    this.#clock = ports.clock;
    this.#log = ports.log;
    this.#quarantined = ports.quarantined ?? (() => undefined);
    this.bucket = new Bucket(ports.clock, ports.perSecond);
    this.breaker = new Breaker(ports.clock, ports.random, (state) =>
      ports.log.warn({ event: 'peer.breaker', peer: settings.domain, state }),
    );
  }

  get domain(): string {
    return this.settings.domain;
  }
  /** Why it is not trusted any more: it has contradicted itself. Until an operator lets it in again. */
  get quarantined(): string | undefined {
    return this.#quarantined();
  }

  /** An operator has laid down something else for it: its certificates, its keys, its address. */
  renew(settings: PeerSettings): void {
    this.settings = settings;
    this.dismissed = false;
    this.breaker.answered();
  }

  /** What was said before this process began. */
  recall(lines: readonly PeerMessageLine[]): void {
    const room = JOURNAL - this.journal.length;
    this.journal.unshift(...lines.slice(Math.max(0, lines.length - room)));
  }

  /** One more message of its under way here, unless it has too many. */
  enter(): boolean {
    if (this.inFlight >= MOST_AT_ONCE) return false;
    this.inFlight++;
    return true;
  }
  leave(): void {
    this.inFlight--;
  }

  /** It is there, and this is how its clock stands. `spreadMs`: by how much the measurement may be wrong. */
  heard(skewMs: number, spreadMs: number): void {
    this.lastSeen = this.#clock.now();
    // A message that was long under way says little about a clock.
    if (this.skewMs === undefined || spreadMs <= SKEW_ALARM_MS) this.skewMs = Math.round(skewMs);
    const far = Math.abs(skewMs) - spreadMs > SKEW_ALARM_MS;
    if (far && !this.#alarmed)
      this.#log.warn({ event: 'peer.skew', peer: this.domain, skew_ms: this.skewMs });
    this.#alarmed = far;
  }

  /** It answered, sooner or later. */
  answered(ms: number): void {
    if (ms > SLOW_MS) this.breaker.silent();
    else this.breaker.answered();
  }

  failed(text: string): void {
    this.failures++;
    this.lastError = { time: this.#clock.now(), text: printable(text.slice(0, 300)) };
  }

  note(direction: PeerMessageLine['direction'], said: Said, outcome: string, ms: number): void {
    if (direction === 'IN') this.messagesIn++;
    else this.messagesOut++;
    this.journal.push({
      time: this.#clock.now(),
      direction,
      ...said,
      outcome: printable(outcome.slice(0, 200)),
      ms: Math.round(ms * 10) / 10,
    });
    if (this.journal.length > JOURNAL) this.journal.shift();
  }
}

/** How far apart two clocks are, when one said `theirs` some time between `from` and `to` of the other. */
export const skewBetween = (theirs: InstantMs, from: InstantMs, to: InstantMs): number =>
  theirs - instant((from + to) / 2);
