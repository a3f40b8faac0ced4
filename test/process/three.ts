/**
 * Real brokers in a row, each the built program in a process of its own on its own files, peered over
 * HTTPS on loopback. A test books over them, kills them as it likes, and at the end opens their databases.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { developmentIssuer } from '../../src/identity/dev.ts';
import { wallClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { makePeerFiles } from '../../src/lab/certificates.ts';
import { freePorts } from '../../src/lab/freePorts.ts';
import { type Circuit, isFinal } from '../../src/model/circuit.ts';
import { openStore } from '../../src/store/open.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { domainName, topologyOf } from '../sim/network.ts';
import { type Answer, Instance, Program } from './broker.ts';

/** In a row, and wide enough that little is refused: what is looked at here is agreement, not room. */
function wide(i: number, domains: number): TopologyDocument {
  const { neighbours: _, ...topology } = topologyOf(i, domains);
  const room = { capacity_mbps: 1_000_000, vlans: '2-4094' };
  const beside = [i - 1, i + 1].map(domainName);
  return {
    ...topology,
    ports: topology.ports
      .filter(({ remote }) => remote === undefined || beside.includes(remote.domain))
      .map((port) => ({ ...port, ...room })),
    links: topology.links.map((link) => ({ ...link, ...room })),
  };
}

export class Row {
  readonly folder = mkdtempSync(join(tmpdir(), 'turnpike-row-'));
  readonly size: number;
  readonly instances: Instance[] = [];
  tokens: string[] = [];
  readonly #programs: (Program | undefined)[] = [];

  constructor(size: number) {
    this.size = size;
  }

  /** `yaml`: further lines of each configuration. */
  async begin(yaml: readonly string[] = []): Promise<void> {
    const ports = await freePorts(2 * this.size);
    const indexes = [...Array(this.size).keys()];
    for (const i of indexes) {
      const dir = this.dir(i);
      mkdirSync(dir);
      const files = makePeerFiles({ domain: domainName(i), from: wallClock().now(), days: 30 }, systemRandom);
      writeFileSync(join(dir, 'certificate.pem'), files.certificate);
      writeFileSync(join(dir, 'key.pem'), files.key);
      writeFileSync(join(dir, 'signing.pem'), files.signingKey);
      writeFileSync(join(dir, 'signing-public.pem'), files.signingPublicKey);
      writeFileSync(join(dir, 'topology.json'), JSON.stringify(wide(i, this.size)));
      const peers = indexes
        .filter((other) => other !== i)
        .map((other) => ({
          domain: domainName(other),
          prefix: `d${other}`,
          url: `https://127.0.0.1:${ports[this.size + other]}`,
          certificate_file: join(this.dir(other), 'certificate.pem'),
          keys_file: join(this.dir(other), 'signing-public.pem'),
        }));
      writeFileSync(
        join(dir, 'domain.yaml'),
        [
          `domain: ${domainName(i)}`,
          `http: {port: ${ports[i]}}`,
          'store: {file: turnpike.db}',
          'seeds: {topology: topology.json}',
          'identity: {development_dir: keys}',
          'log: {level: warn}',
          'peering:',
          `  port: ${ports[this.size + i]}`,
          '  certificate_file: certificate.pem',
          '  key_file: key.pem',
          '  signing_key_file: signing.pem',
          `  peers: ${JSON.stringify(peers)}`,
          ...yaml,
          '',
        ].join('\n'),
      );
      this.instances[i] = new Instance(undefined as never, `http://127.0.0.1:${ports[i]}`);
    }
    for (const i of indexes) this.start(i);
    await Promise.all(this.instances.map((instance) => instance.ready()));
    this.tokens = await Promise.all(indexes.map((i) => this.#token(i)));
  }

  start(i: number): void {
    this.#programs[i] = new Program(['serve', '--config', join(this.dir(i), 'domain.yaml')], {
      cwd: this.dir(i),
    });
  }

  signal(i: number, signal: NodeJS.Signals): void {
    this.#programs[i]?.kill(signal);
  }

  /** Between two instructions, wherever they are. */
  async kill(i: number): Promise<void> {
    this.#programs[i]?.kill('SIGKILL');
    await this.#programs[i]?.exit;
  }

  said(i: number): string {
    return this.#programs[i]?.stderr ?? '';
  }

  call<T = Record<string, unknown>>(
    i: number,
    method: string,
    path: string,
    options: Parameters<Instance['call']>[2] = {},
  ): Promise<Answer<T>> {
    return (this.instances[i] as Instance).call<T>(method, path, {
      token: this.tokens[i] as string,
      ...options,
    });
  }

  /** All circuits of a domain, from its database; the process must have ended. */
  async rows(i: number): Promise<Circuit[]> {
    const store = await openStore(
      { client: 'sqlite', file: join(this.dir(i), 'turnpike.db'), reserveBytes: 0 },
      { clock: wallClock(), log: silentLog },
    );
    const found: Circuit[] = [];
    for await (const page of store.liveCircuits()) found.push(...page);
    await store.close();
    return found;
  }

  async stop(): Promise<void> {
    for (const program of this.#programs) program?.kill('SIGTERM');
    await Promise.all(this.#programs.map((program) => program?.exit));
  }

  async clear(): Promise<void> {
    for (const program of this.#programs) if (program?.running === true) program.kill('SIGKILL');
    await Promise.all(this.#programs.map((program) => program?.exit));
    rmSync(this.folder, { recursive: true, force: true });
  }

  dir(i: number): string {
    return join(this.folder, `d${i}`);
  }

  async #token(i: number): Promise<string> {
    const directory = join(this.dir(i), 'keys');
    const issuer = await developmentIssuer({ directory, audience: domainName(i), clock: wallClock() });
    return issuer.mint('operator');
  }
}

/** Where the domains disagree about what is booked; nothing when all is well. */
export function disagreements(rows: readonly (readonly Circuit[])[]): string[] {
  const found: string[] = [];
  const live = rows.map((circuits) => circuits.filter((circuit) => !isFinal(circuit.state)));
  for (const [i, circuits] of live.entries()) {
    for (const circuit of circuits) {
      const what = `${domainName(i)} ${circuit.role} ${circuit.id} ${circuit.state}`;
      const { current } = circuit;
      if (circuit.role === 'HOME') {
        if (!['SCHEDULED', 'PROVISIONING', 'ACTIVE'].includes(circuit.state))
          found.push(`${what}: unsettled`);
        for (const segment of current?.segments ?? []) {
          if (segment.local) continue;
          const j = rows.findIndex((_, n) => domainName(n) === segment.domain);
          const part = live[j]?.find((one) => one.home?.circuit === circuit.id);
          if (part?.current?.version !== current?.version)
            found.push(`${what} v${current?.version}: ${segment.domain} has v${part?.current?.version}`);
        }
      } else if (current !== undefined) {
        const h = rows.findIndex((_, n) => domainName(n) === circuit.home?.domain);
        const home = live[h]?.find((one) => one.id === circuit.home?.circuit);
        if (home?.current?.version !== current.version)
          found.push(`${what} v${current.version}: its home ${circuit.home?.circuit} has ${home?.state}`);
      }
    }
  }
  return found;
}
