/**
 * One domain put together and running: store, devices, broker, webhooks, API. `serve` runs one of these, the
 * lab will run several. Everything is handed its dependencies here and nowhere else.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { type AppOptions, buildApp } from './api/app.ts';
import { frontDoor } from './api/frontDoor.ts';
import { auditKeyFile, openAuditKey } from './auditKey.ts';
import type { Peers } from './broker/abroad/peerPorts.ts';
import { Broker } from './broker/broker.ts';
import type { BrokerPorts } from './broker/brokerPorts.ts';
import type { StoreError } from './broker/ports.ts';
import { audienceOf, type TokenPorts } from './broker/tokens/tokenDesk.ts';
import type { Config } from './config.ts';
import { openDevices } from './devices.ts';
import { StartError } from './flags.ts';
import { guardedAgent } from './http/address.ts';
import type { HttpServer } from './http/server.ts';
import { openIdentities } from './identities.ts';
import type { DevelopmentIssuer } from './identity/dev.ts';
import { type Clock, every, type InstantMs, instant, wallClock } from './kernel/clock.ts';
import { newId } from './kernel/ids.ts';
import type { Log } from './kernel/log.ts';
import { newP256Key, type Random, systemRandom } from './kernel/random.ts';
import { Deliverer } from './notify/deliver.ts';
import { sender } from './notify/send.ts';
import type { Peering } from './peering/peering.ts';
import { credentialsOf, openPeering } from './peers.ts';
import { readPolicy } from './policySeed.ts';
import { readTopology } from './seeds.ts';
import { openStore, type StoreOptions } from './store/open.ts';
import type { TopologyDocument } from './topology/document.ts';

/** A stop waits so long for requests under way before their connections are cut. */
const DRAIN_MS = 3_000;
const PRUNE_EVERY_MS = 3_600_000;
const DAY_MS = 86_400_000;

export interface Domain {
  /** `http://host:port`, as it really is. */
  readonly address: string;
  /** `https://host:port`, where peers call; absent without peers. */
  readonly peering?: string;
  /** The development issuer, when the configuration has one. */
  readonly development?: DevelopmentIssuer;
  readonly broker: Broker;
  readonly topology: TopologyDocument;
  /** Takes certificates, keys and pins of peering as the files have them now; throws and changes nothing when one is wrong. */
  renew(config: Config): void;
  /** Stops taking requests, ends streams, writes what was decided, gives the lease back. */
  stop(): Promise<void>;
}

export interface DomainPorts {
  readonly log: Log;
  /** The store is gone for good: the process should end. */
  onLost(error: StoreError): void;
}

export function storeOptions({ store }: Config): StoreOptions {
  if (store.client === 'sqlite') return { client: 'sqlite', file: store.file };
  return {
    client: 'postgres',
    // loadConfig has seen to it that there is one.
    url: store.url as string,
    ...(store.password === undefined ? {} : { password: store.password }),
  };
}

export function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  // Our own file, one folder above both src and dist.
  return (JSON.parse(text) as { version: string }).version;
}

export async function startDomain(config: Config, ports: DomainPorts): Promise<Domain> {
  const { log } = ports;
  const random = systemRandom;
  const store = await openStore(storeOptions(config), { clock: wallClock(), log });
  // What was begun, to be ended in the opposite order: at a stop, or when a later step fails.
  const begun: (() => Promise<void>)[] = [() => store.close()];
  const stop = async (): Promise<void> => {
    for (const end of begun.splice(0).reverse()) await end();
  };
  try {
    // Time does not fall below what an earlier run has seen.
    const clock = wallClock((await store.counters()).clock);
    const topology = (await store.topology())?.document ?? (await seedOf(config));
    const holder = `${hostname()}/${process.pid}/${newId('req', clock.now(), random).slice(-6)}`;
    const leaseTtlMs = config.lease.ttl_s * 1000;
    const devices = openDevices(config, {
      clock,
      random,
      log,
      // Nobody else can open an SQLite file that we have; a PostgreSQL lease may have lapsed without our noticing.
      stillMaster: async (epoch) =>
        broker.term?.epoch === epoch &&
        (config.store.client === 'sqlite' || (await store.renewLease(holder, epoch, leaseTtlMs))),
      changed: () => broker.news.devicesChanged(),
      reach: () => broker.news.lookWhoAnswers(),
      portStates: (device, states) => broker.news.portStates(device, states),
    });
    begun.push(() => devices.close());
    const peering = openPeering(config, topology.prefix, { clock, random, log, journals: store });
    const keyFile = auditKeyFile(config);
    const broker = new Broker({
      domain: config.domain,
      ...(keyFile === undefined ? {} : { audit: openAuditKey(keyFile) }),
      holder,
      clock,
      random,
      log,
      store,
      devices: devices.devices,
      inspection: devices.inspection,
      peers: peering ?? noPeers,
      tokens: tokensOf(config, peering),
      policy: await rulesOf(config),
      ...(peering === undefined
        ? {}
        : { onCheckpoint: peering.checkpointed, testimonies: peering.testimonies }),
      seedTopology: topology,
      leaseTtlMs,
      onLost: (error) => {
        if (error.kind === 'CORRUPT') ports.onLost(error);
      },
    });
    begun.push(() => broker.stop());
    const identities = await openIdentities(config, { clock, log });
    begun.push(() => identities.stop());
    const { development } = identities;
    const app = await buildApp({
      broker,
      clock,
      random,
      log,
      domain: config.domain,
      version: packageVersion(),
      refused: (code) => broker.audit.door.refused(code),
      authenticate: frontDoor(broker.tokens, identities.authenticate),
      ...tlsOf(config),
      allowPrivateWebhooks: config.webhooks.allow_private,
      ...(peering === undefined ? {} : { peerOffice: peering.office() }),
      limits: { rate: { max: config.http.rate_limit_per_minute, windowMs: 60_000 } },
    });
    const deliverer = webhooksOf(config, { clock, random, log, broker });
    // Requests under way still need the broker, which is stopped after them.
    begun.push(async () => {
      await Promise.all([drained(app, clock), deliverer.stop()]);
    });
    // Before the broker starts, so that /livez answers while a large store is being read.
    const address = await listen(app, config);
    log.info({ event: 'http.listening', address });
    let peeringAddress: string | undefined;
    if (peering !== undefined) {
      begun.push(() => peering.stop());
      peeringAddress = await orTaken(peering.listen(broker), config.peering, 'peering.port');
    }
    await devices.start(topology);
    await broker.start();
    peering?.start();
    deliverer.start();
    const stopPruning = every(clock, PRUNE_EVERY_MS, () => void prune(config, broker, clock, log));
    begun.push(async () => stopPruning());
    return {
      address,
      broker,
      topology,
      stop,
      renew: (now) => {
        const credentials = credentialsOf(now);
        if (credentials !== undefined) peering?.renew(credentials);
      },
      ...(peeringAddress === undefined ? {} : { peering: peeringAddress }),
      ...(development === undefined ? {} : { development }),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** There is nobody to talk to: a circuit that needs a peer is refused before it gets here. */
const noPeers: Peers = {
  send: (domain) => Promise.reject(new Error(`no way to reach ${domain}: this domain has no peers`)),
};

async function seedOf(config: Config): Promise<TopologyDocument> {
  const file = config.seeds.topology;
  if (file === undefined)
    throw new StartError(
      'the store has no topology yet and `seeds.topology` names no file to start from: YAML, JSON, GraphML, NML, SNDlib or graphology',
    );
  return readTopology(file, config.domain);
}

async function rulesOf({ policy, seeds }: Config): Promise<BrokerPorts['policy']> {
  return {
    zone: policy.zone,
    seed: await readPolicy(seeds.policies),
  };
}

function tokensOf({ domain, tokens }: Config, peering?: Peering): TokenPorts {
  return {
    issuer: tokens.issuer ?? audienceOf(domain),
    audienceOf: (other) => peering?.issuerOf(other) ?? audienceOf(other),
    newKey: newP256Key,
    ...(peering === undefined ? {} : { abroad: peering.tokens }),
  };
}

/** Certificates are asked for only where there is somebody to show one. */
function tlsOf({ api, identity }: Config): Pick<AppOptions, 'tls'> {
  const { certificate, key } = api.tls;
  if (certificate === undefined || key === undefined) return {};
  return { tls: { certificate, key, askCertificate: identity.certificates.length > 0 } };
}

function webhooksOf(
  config: Config,
  ports: { readonly clock: Clock; readonly random: Random; readonly log: Log; readonly broker: Broker },
): { start(): void; stop(): Promise<void> } {
  const dispatcher = guardedAgent({ allowPrivate: config.webhooks.allow_private });
  const send = sender({ clock: ports.clock, dispatcher });
  const deliverer = new Deliverer({ ...ports, domain: config.domain, send });
  return {
    start: () => deliverer.start(),
    async stop() {
      await deliverer.stop();
      await dispatcher.destroy();
    },
  };
}

const listen = (app: HttpServer, { http }: Config): Promise<string> =>
  orTaken(app.listen({ host: http.host, port: http.port }), http, 'http.port');

async function orTaken(
  listening: Promise<string>,
  { host, port }: { readonly host: string; readonly port: number },
  setting: string,
): Promise<string> {
  try {
    return await listening;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE')
      throw new StartError(`${host}:${port} is taken by another program; choose another ${setting}`);
    throw new StartError(`cannot listen on ${host}:${port}: ${message}`);
  }
}

/** No new requests; those under way are answered; whoever takes too long is cut off. */
async function drained(app: HttpServer, clock: Clock): Promise<void> {
  const cancel = clock.alarm(instant(clock.now() + DRAIN_MS), () => app.server.closeAllConnections());
  await app.close();
  cancel();
}

async function prune(config: Config, broker: Broker, clock: Clock, log: Log): Promise<void> {
  if (broker.readiness().role !== 'LEADER') return;
  const ago = (days: number): InstantMs => instant(clock.now() - days * DAY_MS);
  const { audit, retention } = config;
  try {
    if (retention.keep_days > 0) await broker.prune(ago(retention.keep_days));
    if (audit.keep_days > 0) await broker.audit.prune(ago(audit.keep_days));
  } catch (error) {
    log.warn({ event: 'settle.failed', error: `prune: ${(error as Error).message}` });
  }
}
