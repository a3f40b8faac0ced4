/**
 * One domain of the simulated world: what outlives a crash (the database file, the devices, the mirror) and
 * the process that comes and goes: the real broker and the real routes over the real store.
 */
import { join } from 'node:path';
import type { PeerAnswer, PeerMessage, Peers } from '../../src/broker/abroad/peerPorts.ts';
import type { BookSeams } from '../../src/broker/book.ts';
import { Broker } from '../../src/broker/broker.ts';
import type { Devices } from '../../src/broker/devices/devicePorts.ts';
import type { Group, Store } from '../../src/broker/ports.ts';
import { audienceOf, type ForeignIssuers } from '../../src/broker/tokens/tokenDesk.ts';
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
import type { Apps } from './apps.ts';
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
  readonly tamper?: (broker: Broker, node: Node) => void;
  /** Gives the checkers something else to read than what was written. */
  readonly doctor?: (group: Group) => Group;
  /** Ports of the broker, wrapped. */
  readonly store?: (store: Store) => Store;
  readonly peers?: (peers: Peers) => Peers;
  readonly devices?: (devices: Devices, node: Node, clock: SimClock) => Devices;
  /** Messages and answers, changed on the way. */
  readonly said?: (message: PeerMessage) => PeerMessage;
  readonly answered?: (by: string, message: PeerMessage, answer: PeerAnswer) => PeerAnswer;
  /** Devices look at the epoch of an order before its turn has come. */
  readonly looseFence?: boolean;
}

export interface Surroundings {
  readonly clock: SimClock;
  readonly gate: Gate;
  readonly apps: Apps;
  readonly dice: { readonly devices: Dice; readonly broker: Dice };
  readonly dir: string;
  readonly domains: number;
  readonly labels: string;
  readonly setupMs: number;
  readonly plants: Plants;
  readonly deviceFaults: () => DeviceFaults;
  peersOf(owner: Owner): Peers;
  /** Where circuits have tokens. */
  readonly tokens?: { readonly shares: Shares; abroadOf(name: string): ForeignIssuers };
  note(text: string): void;
  wrong(texts: readonly string[]): void;
  /** A group of that domain is durable, and in its mirror. */
  entered(node: Node): void;
}

const LATE_WRITE_MS = 5_000;

/** Everybody may ask for everything here: who may is another test's subject. */
export const anybody: Principal = {
  id: 'sim|client',
  name: 'client',
  roles: ['operator', 'user'],
  projects: ['sim'],
  assurance: 1,
};

class Process implements Owner {
  readonly name: string;
  alive: boolean;
  /** Rejects when it dies: whoever waits for its answer waits for nothing. */
  readonly death: Promise<never>;
  #die: (error: Error) => void = () => {};

  constructor(name: string, alive: boolean) {
    this.name = name;
    this.alive = alive;
    this.death = new Promise((_, reject) => {
      this.#die = reject;
    });
    this.death.catch(() => {});
  }
  die(): void {
    this.alive = false;
    this.#die(new Error(`${this.name} died over it`));
  }
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
    this.topology = topologyOf(index, around.domains, around.labels);
    this.mirror = new Mirror(this.topology, around.tokens?.shares);
    this.devices = new Map(
      this.topology.nodes.map((node) => [
        node.id,
        new SimDevice(node.id, around.clock, around.plants.looseFence),
      ]),
    );
    this.watch = new Watch(around.clock, skewMs, () => true);
    this.upSince = this.watch.now();
    this.#around = around;
    this.#process = new Process(this.name, false);
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
    const process = new Process(this.name, true);
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
      this.#store = plants.store?.(opened) ?? opened;
      return this.#store;
    });
    const current = (): Store => this.#store ?? real;
    const store = new GatedStore(real, gate, process, current, (group) => {
      this.#around.wrong(
        this.mirror.enter(plants.doctor?.(group) ?? group).map((text) => `${this.name} ${text}`),
      );
      this.#around.entered(this);
      note(`${this.name} wrote ${group.events.length} events, ${group.effects.length} effects`);
    });
    const devices = new SimDevices(
      this.devices,
      process,
      watch,
      dice.devices,
      deviceFaults,
      this.#around.setupMs,
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
    };
    const log: Log = { ...silentLog, warn: complain, error: complain };
    const peers = this.#around.peersOf(process);
    const broker = new Broker({
      domain: this.name,
      holder: `${this.name}-${this.watch.now()}`,
      clock: watch,
      random: dice.broker,
      log,
      store,
      devices: plants.devices?.(devices, this, clock) ?? devices,
      peers: plants.peers?.(peers) ?? peers,
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
    const behind = { broker, log, clock: watch, random: dice.broker };
    // However long that really takes: of one that is there already it takes no time at all.
    const app = await gate.call(process, 'open', () =>
      this.#around.apps.inFrontOf(this.name, () => anybody, behind),
    );
    await broker.start();
    if (!process.alive) return;
    plants.tamper?.(broker, this);
    this.broker = broker;
    this.orders = devices;
    this.app = app;
    this.up = true;
    this.upSince = this.watch.now();
    note(`${this.name} is up, epoch ${broker.readiness().epoch}`);
    // By then it has written something itself.
    void clock.sleep(LATE_WRITE_MS).then(() => gate.arrive(this.name));
  }

  /** The process is gone between two instructions. What it had asked of others may still happen. */
  kill(): void {
    if (!this.#process.alive) return;
    this.#process.die();
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
    return Promise.race([broker.peer(from, message), process.death]);
  }

  /** The rows themselves, for the comparison at the end. */
  get store(): Store | undefined {
    return this.#store;
  }

  async close(): Promise<void> {
    await this.#store?.close();
  }
}
