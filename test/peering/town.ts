/**
 * Domains in a row, each with its own broker, SQLite file, certificate and HTTPS listener on loopback, in one
 * process: the network between them is real, and so is the time, except that each clock can be set apart.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Broker } from '../../src/broker/broker.ts';
import type { Store } from '../../src/broker/ports.ts';
import { audienceOf } from '../../src/broker/tokens/tokenDesk.ts';
import { MemoryDevices } from '../../src/drivers/memory.ts';
import { type Cancel, type Clock, type InstantMs, instant, wallClock } from '../../src/kernel/clock.ts';
import type { Log, LogEvent } from '../../src/kernel/log.ts';
import { newP256Key, seededRandom, systemRandom } from '../../src/kernel/random.ts';
import { makePeerFiles, type PeerFiles } from '../../src/lab/certificates.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import { readPins } from '../../src/peering/certificate.ts';
import type { Identity } from '../../src/peering/client.ts';
import type { PeerSettings } from '../../src/peering/peer.ts';
import { Peering } from '../../src/peering/peering.ts';
import { signerOf } from '../../src/peering/seal.ts';
import { openStore } from '../../src/store/open.ts';
import { importPublic, publicJwk, thumbprint } from '../../src/tokens/jwk.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { domainName, topologyOf } from '../sim/network.ts';
import { MemoryKeeper } from '../support/auditLog.ts';
import { aRequest } from '../support/builders.ts';
import { call, user } from '../support/oneDomain.ts';
import { rulesFor } from '../support/policies.ts';

/** The wall clock, and how far this domain's is from it. Set ahead, it rings what has become due. */
export class ShiftedClock implements Clock {
  readonly #wall = wallClock();
  readonly #alarms = new Set<{ readonly at: InstantMs; readonly wake: () => void; cancel: Cancel }>();
  #shiftMs = 0;

  now(): InstantMs {
    return instant(this.#wall.now() + this.#shiftMs);
  }
  alarm(at: InstantMs, wake: () => void): Cancel {
    const alarm = { at, wake, cancel: () => {} };
    this.#alarms.add(alarm);
    this.#arm(alarm);
    return () => {
      alarm.cancel();
      this.#alarms.delete(alarm);
    };
  }
  shift(ms: number): void {
    this.#shiftMs += ms;
    for (const alarm of this.#alarms) {
      alarm.cancel();
      this.#arm(alarm);
    }
  }
  #arm(alarm: { readonly at: InstantMs; readonly wake: () => void; cancel: Cancel }): void {
    alarm.cancel = this.#wall.alarm(instant(alarm.at - this.#shiftMs), () => {
      this.#alarms.delete(alarm);
      alarm.wake();
    });
  }
}

const made = new Map<string, PeerFiles>();
/** Keys take half a second to make: once for each name. */
export function filesOf(domain: string): PeerFiles {
  const known =
    made.get(domain) ?? makePeerFiles({ domain, from: wallClock().now(), days: 30 }, systemRandom);
  made.set(domain, known);
  return known;
}

export const identityOf = (domain: string, files = filesOf(domain)): Identity => ({
  domain,
  signer: signerOf(createPrivateKey(files.signingKey)),
  key: files.key,
  certificate: files.certificate,
});

export function settingsOf(domain: string, url: string, files = filesOf(domain)): PeerSettings {
  const jwk = publicJwk(createPublicKey(files.signingPublicKey).export({ format: 'jwk' }));
  return {
    domain,
    prefix: domain.split('.')[0] as string,
    url,
    pins: readPins(files.certificate, domain),
    keys: new Map([[thumbprint(jwk), { key: importPublic(jwk) }]]),
    issuer: audienceOf(domain),
  };
}

export interface TownOptions {
  readonly domains?: number;
  readonly topology?: (i: number) => TopologyDocument;
  readonly files?: (i: number) => PeerFiles;
  /** Whom each names as peers at first; everybody else when absent. */
  readonly names?: (i: number) => readonly number[] | undefined;
  readonly protocols?: (i: number) => readonly number[] | undefined;
  readonly wrapStore?: (i: number, store: Store) => Store;
}

export class House {
  readonly index: number;
  readonly name: string;
  readonly clock = new ShiftedClock();
  readonly logged: LogEvent[] = [];
  /** The key of its audit log, and what is kept beside it. */
  readonly audit = new MemoryKeeper();
  broker!: Broker;
  peering!: Peering;
  url = '';
  devices!: MemoryDevices;
  #store!: Store;
  #port = 0;
  #urls: readonly string[] = [];
  #terms = 0;
  readonly #dir: string;
  readonly #options: TownOptions;

  constructor(index: number, dir: string, options: TownOptions) {
    this.index = index;
    this.name = domainName(index);
    this.#dir = dir;
    this.#options = options;
  }

  /** On the port that it had before, if it ran before. `urls` are those of all houses. */
  async open(urls: readonly string[]): Promise<void> {
    const { domains = 2, wrapStore = (_i, store) => store } = this.#options;
    this.#urls = urls;
    const keep = (event: LogEvent): void => void this.logged.push(event);
    const log: Log = { info: keep, warn: keep, error: keep };
    const { clock } = this;
    const topology = this.#options.topology?.(this.index) ?? topologyOf(this.index, domains);
    this.#store = wrapStore(
      this.index,
      await openStore({ client: 'sqlite', file: this.#file, reserveBytes: 0 }, { clock, log }),
    );
    const files = this.#options.files?.(this.index) ?? filesOf(this.name);
    const protocols = this.#options.protocols?.(this.index);
    const others =
      this.#options.names?.(this.index) ?? [...Array(domains).keys()].filter((i) => i !== this.index);
    this.devices = new MemoryDevices({ clock, random: seededRandom(this.index) });
    this.peering = new Peering(
      {
        identity: identityOf(this.name, files),
        prefix: topology.prefix,
        host: '127.0.0.1',
        port: this.#port,
        peers: others.map((i) =>
          settingsOf(domainName(i), urls[i] ?? 'https://127.0.0.1:1', this.#options.files?.(i)),
        ),
        perSecond: 2_000,
        ...(protocols === undefined ? {} : { protocols }),
      },
      { clock, random: systemRandom, log, journals: this.#store },
    );
    this.broker = new Broker({
      domain: this.name,
      holder: `${this.name}/${++this.#terms}`,
      clock,
      random: systemRandom,
      log,
      store: this.#store,
      devices: this.devices,
      peers: this.peering,
      policy: rulesFor(),
      tokens: {
        issuer: audienceOf(this.name),
        audienceOf,
        newKey: newP256Key,
        abroad: this.peering.tokens,
      },
      seedTopology: topology,
      audit: this.audit,
      onCheckpoint: this.peering.checkpointed,
      testimonies: this.peering.testimonies,
    });
    this.url = await this.peering.listen(this.broker);
    this.#port = Number(new URL(this.url).port);
    await this.broker.start();
  }

  /** Takes the files as they are now, and what the configuration names. */
  renew(named?: readonly number[]): void {
    const { files = (i) => filesOf(domainName(i)), domains = 2 } = this.#options;
    const others = named ?? [...Array(domains).keys()].filter((i) => i !== this.index);
    this.peering.renew({
      identity: identityOf(this.name, files(this.index)),
      peers: others.map((i) => settingsOf(domainName(i), this.#urls[i] as string, files(i))),
    });
  }

  async close(): Promise<void> {
    await this.peering.stop();
    await this.broker.stop();
    await this.#store.close();
  }

  get #file(): string {
    return join(this.#dir, `${this.index}.db`);
  }
  /** While it is closed: the store as it was when the copy was made, and nothing that was kept beside the key. */
  setBack(copy: string): void {
    for (const end of ['-wal', '-shm']) rmSync(`${this.#file}${end}`, { force: true });
    copyFileSync(copy, this.#file);
    this.audit.kept = undefined;
  }

  /** All live circuits here, as the writer has them. */
  circuits(): Circuit[] {
    return [...(this.broker.term?.book.circuits.values() ?? [])];
  }
  /** Our part of a home's circuit. */
  partOf(home: Circuit): Circuit | undefined {
    return this.circuits().find((circuit) => circuit.home?.circuit === home.id);
  }
}

export class Town {
  readonly houses: readonly House[];
  readonly dir = mkdtempSync(join(tmpdir(), 'turnpike-town-'));

  private constructor(options: TownOptions) {
    this.houses = [...Array(options.domains ?? 2).keys()].map((i) => new House(i, this.dir, options));
  }

  static async open(options: TownOptions = {}): Promise<Town> {
    const town = new Town(options);
    // Ports are known only once everybody listens: open, then open again with the addresses.
    for (const house of town.houses) await house.open([]);
    const urls = town.houses.map((house) => house.url);
    for (const house of town.houses) {
      await house.close();
      await house.open(urls);
    }
    for (const house of town.houses) house.peering.start();
    return town;
  }

  house(i: number): House {
    return this.houses[i] as House;
  }

  /** Of a circuit whose home is the first house. */
  stateAt(i: number, { id }: Pick<Circuit, 'id'>): Circuit['state'] | undefined {
    const parts = this.house(i).circuits();
    return parts.find((circuit) => (i === 0 ? circuit.id : circuit.home?.circuit) === id)?.state;
  }

  async restart(i: number): Promise<void> {
    await this.house(i).close();
    await this.reopen(i);
  }
  async reopen(i: number): Promise<void> {
    const house = this.house(i);
    await house.open(this.houses.map((one) => one.url));
    house.peering.start();
  }

  /** A circuit from the first domain to the last one's port, waited for until it is decided. */
  async book(
    over: Parameters<typeof aRequest>[0] = {},
    from = 0,
    to = this.houses.length - 1,
  ): Promise<Circuit> {
    const { broker, clock } = this.house(from);
    const start = instant(Math.ceil((clock.now() + 3_600_000) / 1000) * 1000);
    const request = aRequest({
      a: { port: `d${from}:h1`, vlan: 'ANY' },
      z: { port: `d${to}:h1`, vlan: 'ANY' },
      schedule: { type: 'FIXED', start, end: instant(start + 3_600_000) },
      ...over,
    });
    const done = await broker.createCircuit(call() as never, request);
    if (done.kind !== 'done') throw new Error('replayed');
    return broker.settled(user, (done.value as Circuit).id, instant(clock.now() + 20_000));
  }

  /** Time goes on everywhere alike. */
  pass(ms: number): void {
    for (const house of this.houses) house.clock.shift(ms);
  }

  /** Everybody has everybody's topology. */
  async acquainted(): Promise<void> {
    const others = this.houses.length - 1;
    await until(
      () => this.houses.every((house) => house.broker.domains().length === others),
      'everybody knows everybody',
    );
  }

  async end(): Promise<void> {
    await Promise.all(this.houses.map((house) => house.close()));
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Looks until `find` gives something. Real time passes: for what others do in theirs. */
export async function until<T>(
  find: () => T | undefined | false,
  what: string,
  withinMs = 20_000,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const found = find();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`${what}: not within ${withinMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
