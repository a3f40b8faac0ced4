/**
 * The whole world on one seed: domains, network, devices, clients and calamities, on one virtual clock. First
 * a phase in which everything may go wrong, then one in which nothing does any more and all must come to its
 * end. The laws are checked after every step.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { PeerAnswer, PeerMessage } from '../../src/broker/abroad/peerPorts.ts';
import { StoreError } from '../../src/broker/ports.ts';
import type { ForeignIssuers } from '../../src/broker/tokens/tokenDesk.ts';
import { instant, nextTurn } from '../../src/kernel/clock.ts';
import { BrokerError } from '../../src/kernel/errors.ts';
import type { CircuitId } from '../../src/kernel/ids.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { isFinal } from '../../src/model/circuit.ts';
import type { TrustedIssuer } from '../../src/tokens/verify.ts';
import type { DomainDocument } from '../../src/topology/domainDocument.ts';
import { T0 } from '../support/builders.ts';
import { checkAgreements, checkHealed, checkOrphans, checkShining } from './agreements.ts';
import { Apps } from './apps.ts';
import {
  checkCalendar,
  checkDue,
  checkEnd,
  checkHead,
  checkLight,
  checkMemory,
  checkPorts,
  checkRigid,
} from './checkers.ts';
import { SimClock } from './clock.ts';
import type { DeviceFaults, Dice } from './devices.ts';
import { checkGuard, checkHolds, checkLabels } from './domainLaws.ts';
import { mend } from './errands.ts';
import { type Fate, Gate } from './gate.ts';
import { SimHolder } from './holder.ts';
import { law } from './laws.ts';
import { boast, lie, lieBack } from './liar.ts';
import { domainName } from './network.ts';
import { Node, type Plants } from './node.ts';
import { type Bearings, type NetFaults, SimPeers } from './peers.ts';
import type { Plant } from './plants.ts';
import { checkRefusal, checkUntouched, type Stand, standOf } from './refusals.ts';
import { type Swarm, usual } from './swarm.ts';
import { refusedToGiveBack, Shares } from './tokenLaws.ts';
import { WireTap } from './wireLaws.ts';
import { type Ask, type DirectAsk, type HttpAsk, Workload } from './workload.ts';

export interface SimOptions {
  readonly seed: number;
  readonly domains: number;
  /** How long things may go wrong, in virtual seconds. */
  readonly safetyS?: number;
  readonly plants?: Plants;
  /** Stop at the first violation like this: enough for a test that plants one. */
  readonly stopAt?: RegExp;
  readonly swarm?: Partial<Swarm>;
  readonly keepTrace?: boolean;
  /** With capability tokens: each domain an issuer that the others know. */
  readonly tokens?: boolean;
}

export interface SimResult {
  readonly seed: number;
  readonly steps: number;
  readonly violations: readonly string[];
  /** Circuits moved for another's sake. */
  readonly moves: number;
  readonly hash: string;
  readonly circuits: number;
  readonly crashes: number;
  readonly trace: readonly string[];
}

/** Turns of the real event loop after which nothing moves by itself any more. */
const QUIET_TURNS = 12;
/** Steps after which a run is taken for one that goes round in circles. */
const MOST_STEPS = 400_000;
const MOST_VIOLATIONS = 20;

const HOUR_MS = 3_600_000;
/** All windows have passed, and every retry with them. */
const HEAL_MS = 35 * 60_000;
/** A home forgets a silent participant an hour after the end, a tombstone goes after a day. */
const TAIL_MS = 27 * HOUR_MS;
/** How long after the last fault everybody must agree again: the longest pause between two questions. */
const AGREE_MS = 6 * 60_000;

const NO_DEVICE_FAULTS: DeviceFaults = { fails: 0, slow: 0, astray: 0 };
const NO_NET_FAULTS: NetFaults = { lost: 0, twice: 0, late: 0 };
/** How often who has something new to publish hands it round. */
const FLOOD_MS = 5_000;
const LATE_COPY_MS = 40_000;

class World {
  readonly clock = new SimClock(T0);
  readonly gate = new Gate();
  readonly apps = new Apps();
  readonly nodes: Node[] = [];
  readonly violations: string[] = [];
  readonly trace: string[] = [];
  steps = 0;
  crashes = 0;
  #healing = false;
  #written = true;
  readonly #hash = createHash('sha256');
  readonly #options: SimOptions;
  readonly #swarm: Swarm;
  readonly #tap = new WireTap();
  #found = false;
  readonly #dice: { readonly [K in 'clients' | 'devices' | 'net' | 'calamity' | 'broker']: Dice };
  readonly #workload: Workload;
  readonly #seen = new Set<string>();
  /** The version that each has handed to each. */
  readonly #flooded = new Map<string, string>();
  readonly #issuers = new Map<string, TrustedIssuer>();
  #ended = false;
  /** Until when two domains do not reach each other. */
  readonly #cut = new Map<string, number>();
  /** In some seeds one domain lies, and in others one dies and does not come back. */
  readonly #liar: string | undefined;
  readonly #mortal: Node | undefined;
  #buried = false;

  constructor(options: SimOptions, dir: string) {
    this.#options = options;
    this.#swarm = { ...usual, ...options.swarm };
    // Streams of their own, so that one more message does not change every client.
    const stream = (n: number): Dice => seededRandom(options.seed * 16 + n);
    this.#dice = {
      clients: stream(1),
      devices: stream(2),
      net: stream(3),
      calamity: stream(4),
      broker: stream(5),
    };
    const many = options.domains > 2 && this.#swarm.villains;
    this.#liar = many && options.seed % 5 === 2 ? domainName(1) : undefined;
    const look = (home: number, id: string) => this.nodes[home]?.mirror.circuits.get(id as CircuitId);
    const holder = new SimHolder(this.#dice.clients, (home) => this.nodes[home]);
    this.#workload = new Workload(
      options.domains,
      this.#swarm,
      this.#dice.clients,
      look,
      options.tokens === true ? holder : undefined,
    );
    const shares = new Shares();
    for (let i = 0; i < options.domains; i++) {
      const skew = this.#dice.calamity.int(801) - 400;
      this.nodes.push(
        new Node(i, skew, {
          clock: this.clock,
          gate: this.gate,
          apps: this.apps,
          dice: this.#dice,
          dir,
          domains: options.domains,
          labels: this.#swarm.labels,
          setupMs: this.#swarm.setupMs,
          plants: options.plants ?? {},
          deviceFaults: () =>
            this.#healing ? NO_DEVICE_FAULTS : { fails: 0.05, slow: 0.08, astray: this.#swarm.astray },
          ...(options.tokens === true
            ? { tokens: { shares, abroadOf: (name: string) => this.#issuersFor(name) } }
            : {}),
          peersOf: (owner) =>
            new SimPeers(
              this.clock,
              owner,
              this.#dice.net,
              this.#bearings(owner.name),
              (to, from, message) => this.#deliver(to, from, message),
              (text) => this.note(text),
            ),
          note: (text) => this.note(text),
          entered: (node) => this.wrong(this.#tap.entered(node, node.mirror.steps, this.clock.now())),
          wrong: (texts) => {
            this.#written = true;
            this.wrong(texts);
          },
        }),
      );
    }
    this.#mortal = many && options.seed % 5 === 4 ? this.nodes.at(-1) : undefined;
  }

  /** What a domain knows of the others' issuers: the keys that they had when they were last up. */
  #issuersFor(name: string): ForeignIssuers {
    const { prefix } = this.nodes.find((node) => node.name === name)?.topology ?? {};
    return {
      trusted: () =>
        this.nodes.flatMap((node) => {
          const now = node.broker?.term?.tokens?.ring;
          if (now !== undefined && !now.incomplete) this.#issuers.set(node.name, now.trusted);
          const known = this.#issuers.get(node.name);
          return known === undefined || node.name === name ? [] : [{ ...known, mintsFor: [prefix ?? ''] }];
        }),
      statusAt: () => 'VALID',
      refresh: async () => {},
    };
  }

  /** Everybody tells everybody what is withdrawn, as far as there is a way. */
  #pushWithdrawals(): void {
    if (this.#ended) return;
    for (const from of this.nodes)
      for (const to of this.nodes) {
        const { broker } = from;
        const cut = (this.#cut.get(between(from.name, to.name)) ?? 0) > this.clock.now();
        if (from === to || cut || broker?.term === undefined || to.broker?.term === undefined) continue;
        // Out of office by the time that it comes.
        void to.broker.hearWithdrawn(from.name, broker.withdrawn()).catch(() => {});
      }
    this.clock.alarm(instant(this.clock.now() + FLOOD_MS), () => this.#pushWithdrawals());
  }

  /** How messages of one domain fare: no way to some for a while, and lies where the liar has a hand in it. */
  #bearings(from: string): Bearings {
    const dice = this.#dice.net;
    const lying = (name: string): boolean => name === this.#liar && !this.#healing;
    return {
      faults: () => (this.#healing ? NO_NET_FAULTS : this.#swarm.net),
      reaches: (to) => this.#hasWay(from, to),
      sent: (to, message) => {
        this.#tap.sends(from, to, message, this.clock.now());
        const said = this.#options.plants?.said?.(message) ?? message;
        return lying(from) ? lie(dice, said) : said;
      },
      answered: (to, answer) => (lying(to) ? lieBack(dice, answer) : answer),
    };
  }

  #hasWay(from: string, to: string): boolean {
    return (this.#cut.get(between(from, to)) ?? 0) <= this.clock.now();
  }

  /** Hands a message over, and hears what is said to it. */
  async #deliver(to: string, from: string, message: PeerMessage): Promise<PeerAnswer> {
    const target = this.nodes.find((n) => n.name === to);
    if (target === undefined) throw new Error(`nobody is called ${to}`);
    const isHonest = to !== this.#liar && from !== this.#liar;
    try {
      const answer = await target.take(from, message);
      this.#tap.taken(to, message);
      const said = this.#options.plants?.answered?.(to, message, answer) ?? answer;
      this.wrong(refusedToGiveBack(to, message, answer));
      if (isHonest) this.wrong(this.#tap.answered(to, message, said));
      return said;
    } catch (error) {
      if (isHonest) this.wrong(this.#tap.refused(to, message, error));
      throw error;
    }
  }

  /** Nobody reaches it for a while, or two do not reach each other. */
  #partition(): void {
    const dice = this.#dice.calamity;
    const one = this.nodes[dice.int(this.nodes.length)];
    const other = dice.chance(0.5) ? this.nodes[dice.int(this.nodes.length)] : undefined;
    const until = this.clock.now() + 10_000 + dice.int(80_000);
    for (const node of this.nodes) {
      if (one === undefined || node === one || (other !== undefined && node !== other)) continue;
      this.#cut.set(between(one.name, node.name), until);
      this.note(`no way between ${one.name} and ${node.name} until ${until - T0}`);
    }
  }

  get living(): Node[] {
    return this.nodes.filter((node) => node !== this.#mortal || !this.#buried);
  }

  /** Those whose word counts. */
  get honest(): Node[] {
    return this.nodes.filter((node) => node.name !== this.#liar);
  }

  /** Everybody hands round what it publishes, until all have the newest; nobody is told when it gets lost. */
  #flood(): void {
    if (this.#ended) return;
    const faults = this.#healing ? NO_NET_FAULTS : this.#swarm.net;
    for (const from of this.nodes) {
      const { broker } = from;
      if (!from.up || broker === undefined) continue;
      const said = broker.document();
      const lied = this.nodes.map((node) => ({ domain: node.name, port: `d${node.index}:h1` }));
      const document =
        from.name === this.#liar
          ? boast(
              said,
              lied.filter((one) => one.domain !== from.name),
            )
          : said;
      for (const to of this.nodes) {
        if (to === from) continue;
        const key = `${from.name}>${to.name}`;
        const version = `${document.version.epoch}.${document.version.n}`;
        if (this.#flooded.get(key) === version || this.#dice.net.chance(faults.lost)) continue;
        if (!this.#hasWay(from.name, to.name)) continue;
        this.#hand(from, to, document, 500, () => this.#flooded.set(key, version));
        // Somebody else brings it as well, and late.
        if (this.#dice.net.chance(faults.twice)) this.#hand(from, to, document, LATE_COPY_MS, () => {});
      }
    }
    this.clock.alarm(instant(this.clock.now() + FLOOD_MS), () => this.#flood());
  }

  #hand(from: Node, to: Node, document: DomainDocument, withinMs: number, taken: () => void): void {
    const expires = instant(this.clock.now() + 2 * TAIL_MS);
    void this.clock
      .sleep(1 + this.#dice.net.int(withinMs))
      .then(() => to.broker?.learn({ document, expires, signed: '' }))
      .then((said) => {
        if (said !== undefined) this.note(`${to.name} learns of ${from.name}: ${said}`);
        if (said === 'NEW' || said === 'SAME' || said === 'OLDER') taken();
        else if (said !== undefined) this.wrong([`${to.name} takes ${from.name}'s document for ${said}`]);
      })
      .catch((error: unknown) => {
        // Not in office; else the constraints of the store have had to refuse what should not have reached it.
        if (error instanceof StoreError && error.kind === 'CONFLICT')
          this.wrong([law(17, `${to.name} would write down an older document of ${from.name}`)]);
      });
  }

  note(text: string): void {
    const line = `${this.clock.now() - T0} ${text}`;
    this.#hash.update(line).update('\n');
    if (this.#options.keepTrace === true) this.trace.push(line);
  }

  wrong(texts: readonly string[]): void {
    for (const text of texts) {
      // The same law broken for long is one violation, whatever the milliseconds say.
      const kind = text.replace(/\d+ ms/g, 'some time');
      if (this.#seen.has(kind)) continue;
      this.#seen.add(kind);
      this.note(`VIOLATION ${text}`);
      this.violations.push(`at ${(this.clock.now() - T0) / 1000} s: ${text}`);
      this.#found ||= this.#options.stopAt?.test(text) === true;
    }
  }

  get stopped(): boolean {
    return this.#found || this.violations.length >= MOST_VIOLATIONS || this.steps >= MOST_STEPS;
  }

  get hash(): string {
    return this.#hash.copy().digest('hex').slice(0, 16);
  }

  get acknowledged(): readonly string[] {
    return this.#workload.known.map((k) => k.id);
  }

  // ---- time ----------------------------------------------------------------------------------------------

  /** Lets everything run that needs no time: code that is ready, then one outstanding call after another. */
  async quiet(): Promise<void> {
    for (;;) {
      for (let i = 0; i < QUIET_TURNS; i++) await nextTurn();
      this.#check();
      if (this.gate.outstanding === 0 || this.stopped) return;
      this.steps++;
      await this.gate.pass(
        (owner, what) => this.#fateOf(owner.name, what),
        (owner) => this.#crash(this.nodes.find((n) => n.name === owner.name)),
      );
    }
  }

  async runUntil(ms: number): Promise<void> {
    await this.quiet();
    while (!this.stopped && this.clock.step(instant(ms))) {
      this.steps++;
      await this.quiet();
    }
    if (this.steps >= MOST_STEPS) this.wrong(['it goes on and on']);
  }

  #check(): void {
    const wrong: string[] = [];
    for (const node of this.nodes) {
      wrong.push(...checkPorts(node), ...checkLight(node), ...checkHead(node));
      if (this.gate.outstanding === 0) {
        wrong.push(...checkDue(node), ...checkHolds(node));
        wrong.push(...this.#tap.overdue(node, this.clock.now(), (to) => this.#answers(node.name, to)));
      }
      if (this.#written) wrong.push(...checkCalendar(node), ...checkRigid(node));
      if (this.#written && this.gate.outstanding === 0) wrong.push(...checkMemory(node));
    }
    if (this.#written) {
      const { honest } = this;
      wrong.push(...checkAgreements(honest), ...checkOrphans(honest));
      wrong.push(...checkLabels(honest), ...checkGuard(honest), ...checkShining(honest));
    }
    this.#written = false;
    if (wrong.length > 0) this.wrong(wrong);
  }

  /** Is somebody there, and on the way to be reached? */
  #answers(from: string, to: string): boolean {
    return this.#hasWay(from, to) && this.nodes.find((node) => node.name === to)?.up === true;
  }

  // ---- calamities ----------------------------------------------------------------------------------------

  #fateOf(name: string, what: string): Fate {
    const dice = this.#dice.calamity;
    // Whoever dies in every other call would never be up.
    const chance = what === 'commit' ? this.#swarm.deaths : Math.min(this.#swarm.deaths, usual.deaths);
    if (this.#healing || what === 'open' || !dice.chance(chance)) return 'lives';
    this.note(`${name} dies in ${what}`);
    if (what === 'commit' && dice.chance(0.5)) return 'arrives-late';
    return dice.chance(0.5) ? 'dies-before' : 'dies-after';
  }

  #crash(node: Node | undefined): void {
    if (node === undefined) return;
    this.crashes++;
    node.kill();
    const back =
      this.clock.now() + 500 + this.#dice.calamity.int(this.#dice.calamity.chance(0.3) ? 90_000 : 8_000);
    this.clock.alarm(instant(back), () => this.#boot(node));
  }

  #boot(node: Node): void {
    if (node === this.#mortal && this.#buried) return;
    node.boot().catch((error: unknown) => {
      this.wrong([`${node.name} does not start: ${error instanceof Error ? error.stack : String(error)}`]);
    });
  }

  #calamity(): void {
    const dice = this.#dice.calamity;
    const node = this.nodes[dice.int(this.nodes.length)];
    if (node === undefined) return;
    const devices = [...node.devices.values()];
    const device = devices[dice.int(devices.length)];
    if (this.nodes.length > 1 && dice.chance(this.#swarm.partitions)) {
      this.#partition();
      return;
    }
    const what = dice.int(10);
    if (what < 3 && node.up) this.#crash(node);
    else if (what < 8 && device !== undefined) {
      device.mutedUntil = this.clock.now() + 5_000 + dice.int(60_000);
      this.note(`${node.name} ${device.name} falls silent`);
    } else if (what === 8 && device !== undefined) {
      device.reboot();
      this.note(`${node.name} ${device.name} reboots`);
    }
  }

  // ---- clients -------------------------------------------------------------------------------------------

  /** One who wants something, or several at the same moment. */
  #visit(): void {
    const dice = this.#dice.clients;
    const many = dice.chance(0.15) ? 2 + dice.int(3) : 1;
    for (let i = 0; i < many; i++) {
      const { home, ask } = this.#workload.next(dice.int(this.nodes.length), this.clock.now());
      this.#ask(home, ask, many === 1);
    }
  }

  /** `alone`: whatever changes until the answer comes was changed by this. */
  #ask(home: number, ask: Ask, alone: boolean, again = false): void {
    const node = this.nodes[home] as Node;
    if (node.app === undefined || !node.up) return;
    const before = alone ? standOf(node) : undefined;
    const untouched = (what: string): void => {
      this.#written = true;
      this.wrong(checkUntouched(node, before, what));
    };
    const asked =
      ask.kind === 'http' ? this.#send(node, ask, again, untouched, before) : this.#act(node, ask, untouched);
    asked.catch((error: unknown) =>
      this.wrong([`${node.name} ${ask.kind === 'http' ? ask.url : ask.what}: ${String(error)}`]),
    );
  }

  async #act(node: Node, ask: DirectAsk, untouched: (what: string) => void): Promise<void> {
    const { broker } = node;
    if (broker === undefined) return;
    const answer = await ask.act(broker).catch((error: unknown) => {
      if (!(error instanceof BrokerError)) throw error;
      return error;
    });
    if (node.broker !== broker) return;
    this.note(`${node.name} ${ask.what}: ${answer instanceof BrokerError ? answer.code : answer}`);
    if (answer instanceof BrokerError) untouched(ask.what);
  }

  async #send(
    node: Node,
    ask: HttpAsk,
    again: boolean,
    untouched: (what: string) => void,
    before: Stand | undefined,
  ): Promise<void> {
    const { app } = node;
    if (app === undefined) return;
    const response = await app.inject({
      method: ask.method,
      url: ask.url,
      headers: { ...ask.headers, ...(this.#options.tokens === true ? OVERRIDE : {}) },
      ...(ask.body === undefined ? {} : { payload: ask.body as object }),
    });
    if (node.app !== app) return;
    const body: unknown = response.body === '' ? undefined : JSON.parse(response.body);
    const { etag } = response.headers;
    const status = response.statusCode;
    const what = `${ask.method} ${ask.url}${ask.body === undefined ? '' : ` ${JSON.stringify(ask.body)}`}`;
    this.note(
      `${node.name} ${what} ${status} ${status >= 400 ? (body as { readonly code?: string }).code : ''}`,
    );
    if (status === 500) this.wrong([`${node.name} answers 500 to ${what}`]);
    if (status >= 400 || ask.dry === true) untouched(what);
    if (status >= 400) this.wrong(checkRefusal(node, ask, before, body));
    if (again) {
      if (response.headers['idempotency-replayed'] !== 'true' && status < 300)
        this.wrong([`${node.name} acted twice under ${ask.headers['idempotency-key']}`]);
      return;
    }
    const tag = typeof etag === 'string' ? { etag } : {};
    this.#workload.heard(node.index, ask, this.clock.now(), status, tag, body);
    // A client that is not sure asks again with the same key.
    if (ask.headers['idempotency-key'] !== undefined && status === 201 && ask.dry !== true)
      this.#ask(node.index, ask, false, true);
  }

  // ---- the run -------------------------------------------------------------------------------------------

  async run(): Promise<void> {
    const safetyMs = (this.#options.safetyS ?? 600) * 1000;
    for (const node of this.nodes) this.#boot(node);
    await this.runUntil(T0 + 1_000);
    if (this.nodes.length > 2) this.#flood();
    if (this.#options.tokens === true) this.#pushWithdrawals();
    const dice = this.#dice.clients;
    for (let t = 1_000; t < safetyMs && !this.stopped; ) {
      t += dice.int(this.#swarm.pauseMs);
      await this.runUntil(T0 + t);
      this.#visit();
      if (this.#dice.calamity.chance(this.#swarm.calamities)) this.#calamity();
      if (this.#mortal !== undefined && !this.#buried && t > safetyMs / 2) {
        this.note(`${this.#mortal.name} is gone for good`);
        this.#buried = true;
        this.#mortal.kill();
      }
      await this.quiet();
    }
    await this.#heal();
  }

  async #heal(): Promise<void> {
    this.#healing = true;
    this.#cut.clear();
    this.note('healing');
    for (const node of this.nodes) for (const device of node.devices.values()) device.mutedUntil = 0;
    const began = this.clock.now();
    await this.runUntil(began + 100_000);
    for (const node of this.nodes) {
      if (!node.up && !node.booting) this.#boot(node);
      await this.quiet();
      for (const ask of mend()) this.#ask(node.index, ask, false);
    }
    for (let m = 1; m <= HEAL_MS / 60_000 && !this.stopped; m++) {
      await this.runUntil(began + 100_000 + m * 60_000);
      const healed = this.clock.now() - began - 100_000;
      if (healed >= AGREE_MS) this.wrong(checkHealed(this.living, AGREE_MS - 60_000));
    }
    this.#ended = true;
    if (this.stopped) return;
    // An orderly stop and start, and then a day goes by, until the last tombstone is gone.
    for (const node of this.nodes) {
      node.leaseTtlMs = 12 * HOUR_MS;
      void node.stop().then(() => this.#boot(node));
    }
    await this.runUntil(this.clock.now() + TAIL_MS);
    if (this.stopped) return;
    for (const node of this.living) this.wrong(checkEnd(node, this.#mortal?.name));
    await this.#compareRows();
  }

  /** What the mirror holds is what the files hold, and nothing that was acknowledged is missing. */
  async #compareRows(): Promise<void> {
    const stored = new Set<string>();
    for (const node of this.nodes) {
      let after: string | undefined;
      do {
        const page = await node.store?.circuits({
          sort: 'create_time',
          limit: 500,
          ...(after === undefined ? {} : { after }),
        });
        for (const circuit of page?.items ?? []) {
          stored.add(circuit.id);
          if (!isDeepStrictEqual(node.mirror.circuits.get(circuit.id), circuit))
            this.wrong([`${node.name} ${circuit.id} in the file is not what was written`]);
          if (!isFinal(circuit.state) && this.living.includes(node))
            this.wrong([`${node.name} ${circuit.id} in the file is ${circuit.state}`]);
        }
        after = page?.next;
      } while (after !== undefined);
    }
    for (const id of this.acknowledged)
      if (!stored.has(id)) this.wrong([`${id} was acknowledged and is lost`]);
  }

  get moves(): number {
    return this.nodes.reduce((sum, node) => sum + node.mirror.moves, 0);
  }

  get circuits(): number {
    return this.nodes.reduce((sum, node) => sum + node.mirror.circuits.size, 0);
  }
}

/** Everybody here is an operator, and has a reason. */
const OVERRIDE = { 'turnpike-override-reason': 'the simulation' };

const between = (one: string, other: string): string => (one < other ? `${one} ${other}` : `${other} ${one}`);

/** Files in memory where the system has such a place: the disk is not what is tested here. */
const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

export async function simulate(options: SimOptions): Promise<SimResult> {
  const dir = mkdtempSync(join(scratch, 'turnpike-sim-'));
  const world = new World(options, dir);
  try {
    await world.run();
    return {
      seed: options.seed,
      steps: world.steps,
      violations: [...world.violations],
      moves: world.moves,
      hash: world.hash,
      circuits: world.circuits,
      crashes: world.crashes,
      trace: world.trace,
    };
  } finally {
    for (const node of world.nodes) {
      node.kill();
      await node.close();
    }
    world.apps.leave();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A run with a fault in it, up to the law that it breaks. */
export async function tryPlant(
  { plant, ground, law }: Plant,
  seed: number,
  without = false,
): Promise<SimResult> {
  const { domains, safetyS, swarm = {} } = ground;
  const { plants = {}, undo } = without ? {} : plant();
  try {
    return await simulate({ seed, domains, safetyS, swarm, plants, stopAt: new RegExp(`law ${law}: `) });
  } finally {
    undo?.();
  }
}
