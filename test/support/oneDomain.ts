/** One domain on a real SQLite file, a clock that tests move by hand, and the in-memory device. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Peers } from '../../src/broker/abroad/peerPorts.ts';
import type { CheckpointRow } from '../../src/broker/audit/auditPorts.ts';
import type { AuditKeeper } from '../../src/broker/audit/auditStart.ts';
import { Broker } from '../../src/broker/broker.ts';
import type { BrokerPorts } from '../../src/broker/brokerPorts.ts';
import type { Mutation } from '../../src/broker/calls.ts';
import type { Devices } from '../../src/broker/devices/devicePorts.ts';
import type { Inspection } from '../../src/broker/devices/inspection.ts';
import type { Store } from '../../src/broker/ports.ts';
import { audienceOf, type ForeignIssuers } from '../../src/broker/tokens/tokenDesk.ts';
import { MemoryDevices } from '../../src/drivers/memory.ts';

import { type LogEvent, silentLog } from '../../src/kernel/log.ts';
import { newP256Key, seededRandom } from '../../src/kernel/random.ts';
import type { Principal } from '../../src/model/principal.ts';
import { openStore } from '../../src/store/open.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { T0 } from './builders.ts';
import { HandClock } from './handClock.ts';
import { rulesFor } from './policies.ts';

export const user: Principal = {
  id: 'dev|user',
  name: 'user',
  roles: ['user'],
  projects: ['lhc'],
  assurance: 1,
};
export const stranger: Principal = {
  id: 'dev|stranger',
  name: 'stranger',
  roles: ['user'],
  projects: ['elsewhere'],
  assurance: 1,
};
export const operator: Principal = {
  id: 'dev|operator',
  name: 'operator',
  roles: ['operator', 'user'],
  projects: ['lhc'],
  assurance: 2,
};

/** Two switches with one 10G link, and three hosts of which two are on the same switch. */
export const twoSwitches: TopologyDocument = {
  domain: 'ams.example',
  prefix: 'ams',
  nodes: [{ id: 'sw1' }, { id: 'sw2' }],
  ports: [
    { id: 'ams:host1', node: 'sw1', kind: 'CLIENT', capacity_mbps: 10_000 },
    { id: 'ams:host2', node: 'sw2', kind: 'CLIENT', capacity_mbps: 10_000 },
    { id: 'ams:host3', node: 'sw1', kind: 'CLIENT', capacity_mbps: 10_000 },
  ],
  links: [
    {
      id: 'l1',
      a: { node: 'sw1', port: 't1' },
      z: { node: 'sw2', port: 't1' },
      capacity_mbps: 10_000,
      latency_ms: 1,
    },
  ],
};

/** The short way l1, and the long way round l2 and l3 over a third switch, of so many Mb/s. */
export const triangleOf = (mbps: number): TopologyDocument => ({
  ...twoSwitches,
  nodes: [...twoSwitches.nodes, { id: 'sw3' }],
  links: [
    ...twoSwitches.links,
    {
      id: 'l2',
      a: { node: 'sw1', port: 't2' },
      z: { node: 'sw3', port: 't1' },
      capacity_mbps: mbps,
      latency_ms: 5,
    },
    {
      id: 'l3',
      a: { node: 'sw3', port: 't2' },
      z: { node: 'sw2', port: 't2' },
      capacity_mbps: mbps,
      latency_ms: 5,
    },
  ],
});
export const triangle = triangleOf(10_000);

export const noPeers: Peers = { send: () => Promise.reject(new Error('there are no peers')) };

export const call = (principal: Principal = user, over: Partial<Mutation<never>> = {}): Mutation<never> => ({
  principal,
  requestId: 'req_test',
  validateOnly: false,
  ...over,
});

/** Counts calls that the store has not answered yet, so that a test can wait for threads without a clock. */
function watched(store: Store, calls: { open: number }): Store {
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const result = value.apply(target, args) as unknown;
        if (result instanceof Promise) {
          calls.open++;
          return result.finally(() => calls.open--);
        }
        return typeof result === 'object' && result !== null && Symbol.asyncIterator in result
          ? pages(result as AsyncIterable<unknown>, calls)
          : result;
      };
    },
  });
}

async function* pages(source: AsyncIterable<unknown>, calls: { open: number }): AsyncGenerator<unknown> {
  calls.open++;
  try {
    yield* source;
  } finally {
    calls.open--;
  }
}

export interface OneDomainOptions {
  readonly topology?: TopologyDocument;
  readonly policy?: BrokerPorts['policy'];
  readonly devices?: (clock: HandClock) => Devices;
  readonly inspection?: Inspection;
  readonly peers?: Peers;
  readonly wrapStore?: (store: Store) => Store;
  /** With capability tokens, as in production; without, a bearer is enough for a MANUAL circuit. */
  readonly tokens?: boolean;
  readonly abroad?: ForeignIssuers;
  readonly audit?: AuditKeeper;
  readonly onCheckpoint?: (checkpoint: CheckpointRow) => void;
}

export class OneDomain {
  readonly clock = new HandClock(T0);
  readonly random = seededRandom(7);
  readonly devices: Devices;
  broker!: Broker;
  store!: Store;
  readonly logged: LogEvent[] = [];
  readonly dir = mkdtempSync(join(tmpdir(), 'turnpike-'));
  #options: OneDomainOptions;
  #terms = 0;
  readonly #calls = { open: 0 };

  private constructor(options: OneDomainOptions) {
    this.#options = options;
    this.devices =
      options.devices?.(this.clock) ?? new MemoryDevices({ clock: this.clock, random: this.random });
  }

  get topology(): TopologyDocument {
    return this.#options.topology ?? twoSwitches;
  }
  get domain(): string {
    return this.topology.domain;
  }

  static async start(options: OneDomainOptions = {}): Promise<OneDomain> {
    const world = new OneDomain(options);
    await world.#boot();
    return world;
  }

  async #boot(): Promise<void> {
    const {
      topology = twoSwitches,
      policy = rulesFor(),
      peers = noPeers,
      wrapStore = (store) => store,
      abroad,
    } = this.#options;
    this.#calls.open = 0;
    const keep = (event: LogEvent): void => void this.logged.push(event);
    this.store = wrapStore(
      watched(
        await openStore(
          { client: 'sqlite', file: join(this.dir, 'turnpike.db') },
          { clock: this.clock, log: silentLog },
        ),
        this.#calls,
      ),
    );
    this.broker = new Broker({
      domain: topology.domain,
      holder: `test-${++this.#terms}`,
      clock: this.clock,
      random: this.random,
      log: { info: keep, warn: keep, error: keep },
      store: this.store,
      devices: this.devices,
      ...(this.#options.inspection === undefined ? {} : { inspection: this.#options.inspection }),
      peers,
      policy,
      ...(this.#options.tokens === true
        ? {
            tokens: {
              issuer: audienceOf(topology.domain),
              audienceOf,
              newKey: newP256Key,
              ...(abroad === undefined ? {} : { abroad }),
            },
          }
        : {}),
      seedTopology: topology,
      ...(this.#options.audit === undefined ? {} : { audit: this.#options.audit }),
      ...(this.#options.onCheckpoint === undefined ? {} : { onCheckpoint: this.#options.onCheckpoint }),
    });
    await this.broker.start();
  }

  /** Lets every answer of the store and the devices arrive, then time pass, a little at a time. */
  async pass(seconds: number): Promise<void> {
    const end = this.clock.now() + seconds * 1000;
    await this.settle();
    while (this.clock.now() < end) {
      const step = Math.min(end - this.clock.now(), 1_000);
      await this.clock.advance(step);
      await this.settle();
    }
  }

  /** The store works on threads: real turns of the loop until it owes no answer and nothing comes after. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 4; ) {
      const before = this.broker.stats().transactions;
      await this.clock.advance(0);
      quiet = this.#calls.open === 0 && this.broker.stats().transactions === before ? quiet + 1 : 0;
    }
  }

  /** Ends the process's life as a stop does, and begins another on the same file. */
  async restart(): Promise<void> {
    await this.broker.stop();
    await this.store.close();
    await this.#boot();
    await this.settle();
  }

  /** Stops, lets `meanwhile` have the file, and starts again. */
  async stopped(
    meanwhile: (file: string) => Promise<void>,
    other: Partial<OneDomainOptions> = {},
  ): Promise<void> {
    await this.broker.stop();
    await this.store.close();
    await meanwhile(join(this.dir, 'turnpike.db'));
    this.#options = { ...this.#options, ...other };
    await this.#boot();
    await this.settle();
  }

  async end(): Promise<void> {
    await this.broker.stop();
    await this.store.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
