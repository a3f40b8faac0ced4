/**
 * The broker's peers over the network: the `Peers` port on one side, the server that peers call on the other,
 * and what both know of each peer. Says hello before the first message of a session; whether to try again after
 * no answer is the broker's lanes' business.
 */

import type { PeerOffice } from '../broker/abroad/peerOffice.ts';
import type { PeerAnswer, PeerMessage, Peers } from '../broker/abroad/peerPorts.ts';
import type { PublishedIssuer } from '../broker/tokens/tokenRing.ts';
import { newAjv } from '../http/schema.ts';
import type { HttpServer } from '../http/server.ts';
import { type Cancel, type Clock, every, stopwatch } from '../kernel/clock.ts';
import { BrokerError, textOf } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import { newJti } from '../tokens/mint.ts';
import { type Identity, NoAnswer, PeerClient, type Tell } from './client.ts';
import { warnOfEnds } from './expiry.ts';
import { bordersTo, greet, type Hello, HelloSchema } from './hello.ts';
import { TokenStatusLists, writeIssuer } from './issuers.ts';
import { type JournalStore, Journals } from './journals.ts';
import { Peer, type PeerSettings } from './peer.ts';
import { closedTo, newToUs, problemOf, refused, unreadBy } from './refusals.ts';
import { type Credentials, PresentIdentity } from './renewal.ts';
import { hearRevocations, pushRevocations } from './revocations.ts';
import { isOver, Roll } from './roll.ts';
import { buildPeerServer, HELLO_PATH, MESSAGES_PATH, presentAnew, type Receiver, saidOf } from './routes.ts';
import type { Speaker } from './speaker.ts';
import { Topologies, type TopologyPorts } from './topologies.ts';
import { FAILED, officeOf } from './view.ts';
import { AnswerSchema, inWordsOf, needsTwoWays, PROTOCOLS, readAnswer, writeMessage } from './wire.ts';
import { Witnesses } from './witnesses.ts';

/** How long a message may be under way, by its verb; lighting takes as long as the devices take. */
const TIMEOUT_MS = 5_000;
const TIMEOUTS_MS: Readonly<Record<string, number>> = { query: 3_000, provision: 15_000 };
const HELLO_TIMEOUT_MS = 5_000;
/** How often a peer that nobody talks to is asked whether it is there. */
const GREET_EVERY_MS = 30_000;
/** How often it is looked whether a token was withdrawn that peers do not know of. */
const PUSH_EVERY_MS = 2_000;
/** How often lists of topologies are compared. */
const REPAIR_EVERY_MS = 60_000;
const CERTIFICATES_EVERY_MS = 3_600_000;

export interface PeeringOptions {
  readonly identity: Identity;
  readonly prefix: string;
  readonly host: string;
  readonly port: number;
  readonly peers: readonly PeerSettings[];
  /** Messages a second that each peer may send. */
  readonly perSecond: number;
  /** What this program speaks; another list is for tests. */
  readonly protocols?: readonly number[];
}

export interface PeeringPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where the last messages are kept over restarts. */
  readonly journals?: JournalStore;
}

/** Both are compiled once. */
const ajv = newAjv();
const isAnswer = ajv.compile(AnswerSchema);
const isHello = ajv.compile(HelloSchema);

export class Peering implements Peers, Receiver {
  readonly session: string;
  readonly #options: PeeringOptions;
  readonly #identity: PresentIdentity;
  readonly #ports: PeeringPorts;
  readonly #client: PeerClient;
  readonly #roll: Roll;
  readonly topologies: Topologies;
  readonly tokens: TokenStatusLists;
  readonly witnesses: Witnesses;
  readonly #journals: Journals;
  readonly #greeting = new Map<string, Promise<void>>();
  readonly #cancels: Cancel[] = [];
  #speaker: Speaker | undefined;
  #server: HttpServer | undefined;

  constructor(options: PeeringOptions, ports: PeeringPorts) {
    this.#options = options;
    this.#identity = new PresentIdentity(options.identity);
    this.#ports = ports;
    this.session = newJti(ports.random);
    this.#client = new PeerClient(this.#identity, ports);
    this.topologies = new Topologies(this.#topologyPorts());
    this.tokens = new TokenStatusLists(
      () => this.peers(),
      this.#tell,
      () => ports.clock.now(),
    );
    this.#journals = new Journals({
      ...ports,
      peers: () => this.peers(),
      readiness: () => this.#inOffice().readiness(),
    });
    this.witnesses = new Witnesses({
      clock: ports.clock,
      notary: () => this.#inOffice().audit,
      peers: () => this.peers(),
      tell: this.#tell,
    });
    const make = (settings: PeerSettings): Peer =>
      new Peer(settings, {
        ...ports,
        perSecond: options.perSecond,
        quarantined: () => this.#speaker?.standings.quarantineOf(settings.domain),
      });
    this.#roll = new Roll(make, options.peers);
  }

  #topologyPorts(): TopologyPorts {
    return {
      ...this.#ports,
      identity: this.#identity,
      peer: (domain) => this.#roll.byDomain.get(domain),
      reachable: () => this.peers().filter((peer) => peer.session !== undefined && peer.unfit === undefined),
      atlas: () => this.#inOffice(),
      tell: this.#tell,
    };
  }

  /** Listens; gives the address as it really is. Peers are answered once the broker is in office. */
  async listen(speaker: Speaker): Promise<string> {
    this.#speaker = speaker;
    this.#server = await buildPeerServer(this, { ...this.#ports, identity: this.#identity });
    const { host, port } = this.#options;
    const address = await this.#server.listen({ host, port });
    this.#ports.log.info({ event: 'peering.listening', address });
    return address;
  }

  /** Begins to look for the peers. */
  start(): void {
    const { clock } = this.#ports;
    const changed = (events: readonly { readonly type: string }[]): void => {
      if (events.some(({ type }) => type === 'topology.changed')) this.#publish();
    };
    this.#journals.start();
    this.#publish();
    this.#greetAll();
    warnOfEnds(this.peers(), this.#ports);
    this.#cancels.push(
      this.#inOffice().onEvents(changed),
      every(clock, REPAIR_EVERY_MS, () => this.#repairAll()),
      every(clock, PUSH_EVERY_MS, () => this.#pushAll()),
      every(clock, GREET_EVERY_MS, () => this.#greetAll()),
      every(clock, CERTIFICATES_EVERY_MS, () => warnOfEnds(this.peers(), this.#ports)),
    );
  }

  async stop(): Promise<void> {
    for (const cancel of this.#cancels.splice(0)) cancel();
    this.witnesses.stop();
    await this.#client.close();
    this.#server?.server.closeAllConnections();
    await this.#server?.close();
    if (this.#speaker !== undefined) await this.#journals.stop();
  }

  /** Certificates, keys and pins as they are now, and who the peers are. */
  renew({ identity, peers }: Credentials): void {
    this.#identity.take(identity);
    const { joined, dismissed } = this.#roll.take(peers);
    for (const { domain } of joined) this.#ports.log.info({ event: 'peer.joined', peer: domain });
    for (const { domain } of dismissed) this.#ports.log.warn({ event: 'peer.dismissed', peer: domain });
    this.#client.reconnect();
    if (this.#server !== undefined) presentAnew(this.#server, identity);
    this.topologies.signAnew();
    warnOfEnds(this.peers(), this.#ports);
    this.#ports.log.info({ event: 'peering.renewed', peers: peers.length });
    this.#publish();
    this.#greetAll();
  }

  peers(): readonly Peer[] {
    return [...this.#roll.byDomain.values()];
  }

  /** The name under which a peer issues tokens, as an operator last laid it down. */
  issuerOf(domain: string): string | undefined {
    return this.#roll.byDomain.get(domain)?.settings.issuer;
  }

  /** What operators see. */
  office(): PeerOffice {
    return officeOf(
      () => this.#inOffice(),
      this.#roll.byDomain,
      (peer) => this.#greet(peer, true),
    );
  }

  // ---- what we say -----------------------------------------------------------------------------------------

  async send(domain: string, message: PeerMessage): Promise<PeerAnswer> {
    const peer = this.#roll.byDomain.get(domain);
    if (peer === undefined) throw new Error(`${domain} is not a peer of this domain`);
    const watch = stopwatch();
    const said = saidOf(message);
    try {
      const answer = await this.#ask(peer, message);
      peer.note('OUT', said, answer.state, stopwatch() - watch);
      return answer;
    } catch (error) {
      peer.note('OUT', said, `${FAILED}${textOf(error)}`, stopwatch() - watch);
      throw error;
    }
  }

  async #ask(peer: Peer, message: PeerMessage): Promise<PeerAnswer> {
    const closed = closedTo(peer, message);
    if (closed !== undefined) return refused(peer, closed);
    if (peer.session === undefined && needsTwoWays(message)) await this.#greet(peer);
    const unread = unreadBy(peer, message);
    if (unread !== undefined) return refused(peer, unread);
    const trace = [this.#identity.domain];
    const body = { message: writeMessage(inWordsOf(peer.protocol, message)), trace };
    const timeoutMs = TIMEOUTS_MS[message.op] ?? TIMEOUT_MS;
    const answered = await this.#tell(peer, { path: MESSAGES_PATH, body, timeoutMs });
    if (typeof answered === 'string') return refused(peer, answered);
    if (answered.status !== 200) return problemOf(peer, answered);
    if (!isAnswer(answered.body)) throw new NoAnswer(`${peer.domain} answered what is not an answer`);
    // The schema has just been checked.
    const answer = readAnswer(answered.body as Parameters<typeof readAnswer>[0]);
    peer.epoch = answer.epoch;
    return answer;
  }

  /** Says hello first where there is no session, and once more where it has ended; a text: why nobody should try. */
  readonly #tell: Tell = async (peer, call) => {
    for (let attempt = 0; ; attempt++) {
      // Whoever does not know our keys of today could not believe what we show.
      if (peer.session === undefined || this.#issuer() !== peer.toldIssuer) await this.#greet(peer);
      const { session } = peer;
      if (peer.unfit !== undefined || session === undefined) return peer.unfit ?? 'it did not say hello';
      if (!peer.breaker.enter()) throw new NoAnswer(`${peer.domain} has not answered lately`);
      const answered = await this.#client.call(peer, { ...call, session });
      const stale = answered.status === 409 && answered.body['code'] === 'STALE_SESSION';
      if (!stale || attempt > 0) return answered;
      // Unless somebody else has learned of the new one meanwhile.
      if (peer.session === session) peer.session = undefined;
    }
  };

  /** One hello at a time to each peer, however many wait for it. */
  #greet(peer: Peer, inAnyCase = false): Promise<void> {
    const under = this.#greeting.get(peer.domain);
    if (under !== undefined) return under;
    const begun = this.#sayHello(peer, inAnyCase).finally(() => this.#greeting.delete(peer.domain));
    this.#greeting.set(peer.domain, begun);
    return begun;
  }

  async #sayHello(peer: Peer, inAnyCase: boolean): Promise<void> {
    if (!inAnyCase && !peer.breaker.enter()) throw new NoAnswer(`${peer.domain} has not answered lately`);
    const watch = stopwatch();
    const told = this.#issuer();
    const hello = { path: HELLO_PATH, body: this.#hello(peer), timeoutMs: HELLO_TIMEOUT_MS };
    const { status, body } = await this.#client.call(peer, hello).catch((error: unknown) => {
      peer.note('OUT', { op: 'hello' }, `${FAILED}${textOf(error)}`, stopwatch() - watch);
      throw error;
    });
    if (status !== 200 || !isHello(body)) {
      const why = `${peer.domain} answered our hello with ${status} ${String(body['code'] ?? '')}`;
      peer.failed(why);
      throw new NoAnswer(why);
    }
    // The schema has just been checked.
    this.#greeted(peer, body as Hello);
    peer.toldIssuer = told;
    peer.note('OUT', { op: 'hello' }, peer.unfit ?? 'WELCOME', stopwatch() - watch);
  }

  /** Who signs our tokens, as peers should know it. */
  #issuer(): PublishedIssuer | undefined {
    return this.#inOffice().tokens.published();
  }

  #hello(peer: Peer): Hello {
    const { prefix, protocols = PROTOCOLS } = this.#options;
    const speaker = this.#inOffice();
    const issuer = this.#issuer();
    return {
      domain: this.#identity.domain,
      prefix,
      protocols: [...protocols],
      session: this.session,
      epoch: speaker.readiness().epoch,
      now: this.#ports.clock.now(),
      borders: bordersTo(peer.domain, speaker.topology().document),
      ...(issuer === undefined ? {} : { issuer: writeIssuer(issuer) }),
    };
  }

  #greeted(peer: Peer, hello: Hello): void {
    const before = peer.session;
    const { prefix, protocols = PROTOCOLS } = this.#options;
    greet(peer, hello, { prefix, protocols });
    if (peer.unfit !== undefined) {
      peer.failed(peer.unfit);
      this.#ports.log.warn({ event: 'peer.refused', peer: peer.domain, detail: peer.unfit });
    } else if (before !== peer.session) {
      this.#ports.log.info({ event: 'peer.session', peer: peer.domain, protocol: peer.protocol ?? 0 });
      this.#repair(peer);
      this.witnesses.wake();
    }
  }

  #greetAll(): void {
    this.#roll.forget((domain) => isOver(domain, this.#inOffice(), this.#ports.clock.now()));
    for (const peer of this.peers()) {
      // What went wrong is with the peer, for the operator to see.
      this.#greet(peer).catch(() => {});
    }
  }

  /** Out of office there is nothing to publish. */
  #publish(): void {
    try {
      this.topologies.publish();
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
    }
  }

  #repairAll(): void {
    this.#publish();
    for (const peer of this.peers()) if (peer.session !== undefined) this.#repair(peer);
  }

  readonly checkpointed = (): void => this.witnesses.wake();
  readonly testimonies = (): ReturnType<Witnesses['testimonies']> => this.witnesses.testimonies();

  #pushAll(): void {
    for (const peer of this.peers()) {
      if (peer.session === undefined) continue;
      // Out of office, or no answer: it is tried again soon.
      Promise.resolve()
        .then(() => {
          this.tokens.renew(peer);
          return this.#issuer() === peer.toldIssuer ? undefined : this.#greet(peer);
        })
        .then(() => pushRevocations(peer, this.#inOffice(), this.#tell))
        .catch(() => {});
    }
  }

  #repair(peer: Peer): void {
    // What does not succeed now does the next time.
    this.topologies.repair(peer).catch(() => {});
  }

  // ---- what we hear ----------------------------------------------------------------------------------------

  hello(peer: Peer, theirs: Hello): Hello {
    const ours = this.#hello(peer);
    peer.toldIssuer = this.#issuer();
    // It is there: whatever waits for it need wait no longer.
    peer.breaker.answered();
    this.#greeted(peer, theirs);
    return ours;
  }

  revoked(peer: Peer, body: Parameters<typeof hearRevocations>[1]): ReturnType<typeof hearRevocations> {
    return hearRevocations(peer, body, this.#inOffice());
  }

  tokenStatus(list: number): string | undefined {
    return this.#inOffice().tokens.statusList(list);
  }

  async take(peer: Peer, message: PeerMessage): Promise<PeerAnswer> {
    const office = this.#inOffice();
    const ask = office.peer.bind(office);
    const closed = closedTo(peer, message) ?? (await newToUs(peer, message, ask));
    return closed === undefined ? ask(peer.domain, message) : refused(peer, closed);
  }

  #inOffice(): Speaker {
    if (this.#speaker === undefined)
      throw new BrokerError('NOT_LEADER', 'this instance is not in office yet');
    return this.#speaker;
  }
}
