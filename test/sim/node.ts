/**
 * One domain of the simulated world: what outlives a crash (the database file, the devices, the mirror) and
 * the process that comes and goes: the real broker and the real routes over the real store.
 */
import { join } from 'node:path';
import { buildApp } from '../../src/api/app.ts';
import type { BookSeams } from '../../src/broker/book.ts';
import { Broker } from '../../src/broker/broker.ts';
import type { PeerAnswer, PeerMessage, Peers } from '../../src/broker/peerPorts.ts';
import type { Group, Store } from '../../src/broker/ports.ts';
import { audienceOf, type ForeignIssuers } from '../../src/broker/tokenDesk.ts';
import type { HttpServer } from '../../src/http/server.ts';
import type { InstantMs } from '../../src/kernel/clock.ts';
import { type Log, type LogEvent, silentLog } from '../../src/kernel/log.ts';
import { newP256Key } from '../../src/kernel/random.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import type { Principal } from '../../src/model/principal.ts';
import { openStore } from '../../src/store/open.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { MemoryKeeper } from '../support/auditLog.ts';
import { rulesFor } from '../support/policies.ts';
import { type SimClock, Watch } from './clock.ts';
import { type DeviceFaults, type Dice, SimDevice, SimDevices } from './devices.ts';
import type { Gate, Owner } from './gate.ts';
import { Mirror } from './mirror.ts';
import { domainName, topologyOf } from './network.ts';
import { GatedStore } from './store.ts';
import type { Shares } from './tokenLaws.ts';

/** What a test may break on purpose, to see that the checkers see it. */
export interface Plants {
  readonly seams?: BookSeams;
  /** Called on the broker after each start. */
  readonly tamper?: (broker: Broker) => void;
  /** Gives the checkers something else to read than what was written. */
  readonly doctor?: (group: Group) => Group;
}

export interface Surroundings {
  readonly clock: SimClock;
  readonly gate: Gate;
  readonly dice: { readonly devices: Dice; readonly broker: Dice };
  readonly dir: string;
  readonly domains: number;
  readonly plants: Plants;
  readonly deviceFaults: () => DeviceFaults;
  peersOf(owner: Owner): Peers;
  /** Where circuits have tokens. */
  readonly tokens?: { readonly shares: Shares; abroadOf(name: string): ForeignIssuers };
  note(text: string): void;
  wrong(texts: readonly string[]): void;
}

/** Everybody may ask for everything here: who may is another test's subject. */
export const anybody: Principal = {
  id: 'sim|client',
  name: 'client',
  roles: ['operator', 'user'],
  projects: ['sim'],
  assurance: 1,
};

interface Process extends Owner {
  alive: boolean;
}

export class Node {
  readonly index: number;
  readonly name: string;
  readonly topology: TopologyDocument;
  readonly mirror: Mirror;
  readonly devices: ReadonlyMap<string, SimDevice>;
  readonly watch: Watch;
  /** The key of its audit log, and what is kept beside it. */
  readonly audit = new MemoryKeeper();
  /** What shines without being wanted, and since when; kept for the checkers. */
  readonly unwanted = new Map<string, InstantMs>();
  broker: Broker | undefined;
  app: HttpServer | undefined;
  orders: SimDevices | undefined;
  up = false;
  upSince: InstantMs;
  leaseTtlMs = 60_000;
  #process: Process;
  #store: Store | undefined;
  readonly #around: Surroundings;

  constructor(index: number, skewMs: number, around: Surroundings) {
    this.index = index;
    this.name = domainName(index);
    this.topology = topologyOf(index, around.domains);
    this.mirror = new Mirror(this.topology, around.tokens?.shares);
    this.devices = new Map(
      this.topology.nodes.map((node) => [node.id, new SimDevice(node.id, around.clock)]),
    );
    this.watch = new Watch(around.clock, skewMs, () => true);
    this.upSince = this.watch.now();
    this.#around = around;
    this.#process = { name: this.name, alive: false };
    this.#skewMs = skewMs;
  }
  readonly #skewMs: number;

  /** The participant's circuit for a home's, the newest if there were several. */
  byHome(circuit: string): Circuit | undefined {
    return [...this.mirror.circuits.values()].findLast((c) => c.home?.circuit === circuit);
  }

  /** A new process on the same disk. */
  async boot(): Promise<void> {
    const { clock, gate, dice, note, plants, deviceFaults } = this.#around;
    const process: Process = { name: this.name, alive: true };
    this.#process = process;
    const watch = new Watch(clock, this.#skewMs, () => process.alive);
    const real = await gate.call(process, 'open', async () => {
      // The dead process's handles are closed here, where nothing hears of it.
      await this.#store?.close();
      this.#store = undefined;
      const file = join(this.#around.dir, `${this.topology.prefix}.db`);
      const opened = await openStore(
        { client: 'sqlite', file, reserveBytes: 0 },
        { clock: watch, log: silentLog },
      );
      this.#store = opened;
      return opened;
    });
    const store = new GatedStore(real, gate, process, (group) => {
      this.#around.wrong(
        this.mirror.enter(plants.doctor?.(group) ?? group).map((text) => `${this.name} ${text}`),
      );
      note(`${this.name} wrote ${group.events.length} events, ${group.effects.length} effects`);
    });
    const devices = new SimDevices(
      this.devices,
      process,
      watch,
      dice.devices,
      deviceFaults,
      note,
      ({ kind, context }) => {
        const known = this.mirror.circuits.get(context.circuit);
        if (kind === 'light' && (known === undefined || known.version < context.version))
          this.#around.wrong([
            `${this.name} lights ${context.circuit} v${context.version} before it is durable`,
          ]);
        if (kind === 'light' && this.#around.tokens !== undefined)
          this.#around.wrong(this.mirror.lights(context).map((text) => `${this.name} ${text}`));
      },
    );
    // What a broker says has failed, and is nobody else's fault.
    const complain = (event: LogEvent): void => {
      // A device that is silent cannot be compared with what it should do.
      const silent = event.event === 'settle.failed' && event.error.startsWith('reconcile:');
      if ((event.event === 'settle.failed' && !silent) || event.event === 'http.failed')
        this.#around.wrong([`${this.name} ${event.event}: ${event.error}`]);
      if (event.event === 'invariant.broken') this.#around.wrong([`${this.name} ${event.detail}`]);
    };
    const log: Log = { ...silentLog, warn: complain, error: complain };
    const broker = new Broker({
      domain: this.name,
      holder: `${this.name}-${this.watch.now()}`,
      clock: watch,
      random: dice.broker,
      log,
      store,
      devices,
      peers: this.#around.peersOf(process),
      policy: rulesFor(),
      ...(this.#around.tokens === undefined
        ? {}
        : {
            tokens: {
              issuer: audienceOf(this.name),
              audienceOf,
              newKey: newP256Key,
              abroad: this.#around.tokens.abroadOf(this.name),
            },
          }),
      seedTopology: this.topology,
      audit: this.audit,
      leaseTtlMs: this.leaseTtlMs,
      ...(plants.seams === undefined ? {} : { seams: plants.seams }),
    });
    const app = await buildApp({
      broker,
      domain: this.name,
      version: '0',
      authenticate: () => anybody,
      log,
      clock: watch,
      random: dice.broker,
      limits: { rate: false },
      docs: false,
    });
    await broker.start();
    if (!process.alive) return;
    plants.tamper?.(broker);
    this.broker = broker;
    this.orders = devices;
    this.app = app;
    this.up = true;
    this.upSince = this.watch.now();
    note(`${this.name} is up, epoch ${broker.readiness().epoch}`);
  }

  /** The process is gone between two instructions. What it had asked of others may still happen. */
  kill(): void {
    if (!this.#process.alive) return;
    this.#process.alive = false;
    this.up = false;
    this.broker = undefined;
    this.app = undefined;
    this.#around.gate.sweep();
    this.#around.note(`${this.name} died`);
  }

  /** Stops as an operator would. */
  async stop(): Promise<void> {
    await this.broker?.stop();
    this.kill();
  }

  get booting(): boolean {
    return this.#process.alive && !this.up;
  }

  async take(from: string, message: PeerMessage): Promise<PeerAnswer> {
    const { broker } = this;
    const process = this.#process;
    if (broker === undefined || !this.up) throw new Error(`${this.name} is down`);
    this.mirror.tokens.hear(message);
    const answer = await broker.peer(from, message);
    return process.alive ? answer : new Promise(() => {});
  }

  /** The rows themselves, for the comparison at the end. */
  get store(): Store | undefined {
    return this.#store;
  }

  async close(): Promise<void> {
    await this.#store?.close();
  }
}
