/** Redemptions through the real writer: proofs that many holders have signed, shown at once to a broker on SQLite. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Broker } from '../../src/broker/broker.ts';
import { audienceOf } from '../../src/broker/tokens/tokenDesk.ts';
import { MemoryDevices } from '../../src/drivers/memory.ts';
import { instant, stopwatch, wallClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { newP256Key, systemRandom } from '../../src/kernel/random.ts';
import type { CircuitRequest } from '../../src/model/circuit.ts';
import type { PortId } from '../../src/model/port.ts';
import { readPolicy } from '../../src/policySeed.ts';
import { openStore } from '../../src/store/open.ts';
import { sha256 } from '../../src/tokens/encoding.ts';
import { publicOf } from '../../src/tokens/jwk.ts';
import { newJti, prove } from '../../src/tokens/mint.ts';
import { ROOT } from '../../test/support/root.ts';
import { benchPorts, benchTopology } from './topology.ts';

export interface Redeemed {
  readonly cpuPerSecond: number;
  readonly wallPerSecond: number;
}

/** Shown before anything is measured. */
const WARM_UP = 200;

const principal = {
  id: 'bench',
  name: 'bench',
  roles: ['user', 'operator'],
  projects: ['lhc'],
  assurance: 2,
} as const;
const call = { principal, requestId: 'bench', validateOnly: false };

/** Each of `count` MANUAL circuits is armed once with its own token. */
export async function redemptions(count: number): Promise<Redeemed> {
  const folder = mkdtempSync(join(tmpdir(), 'turnpike-bench-'));
  const clock = wallClock();
  const store = await openStore(
    { client: 'sqlite', file: join(folder, 'turnpike.db') },
    { clock, log: silentLog },
  );
  const issuer = audienceOf('bench.example');
  const broker = new Broker({
    domain: 'bench.example',
    holder: 'bench',
    clock,
    random: systemRandom,
    log: silentLog,
    store,
    devices: new MemoryDevices({ clock, random: systemRandom }),
    peers: { send: () => Promise.reject(new Error('there are no peers')) },
    policy: { zone: 'UTC', seed: await readPolicy(join(ROOT, 'examples/policies/default.cedar')) },
    tokens: { issuer, audienceOf, newKey: newP256Key },
    seedTopology: benchTopology(),
  });
  await broker.start();
  try {
    const key = newP256Key();
    const ports = benchPorts() as PortId[];
    const start = instant(clock.now() + 3_600_000);
    const request = (i: number): CircuitRequest => ({
      project: 'lhc',
      a: { port: ports[i % ports.length] as PortId, vlan: 'ANY' },
      z: { port: ports[(i + 1) % ports.length] as PortId, vlan: 'ANY' },
      mbps: 1,
      protection: 'UNPROTECTED',
      constraints: {},
      provision: 'MANUAL',
      holdS: 0,
      pinned: true,
      noticeS: 60,
      priority: 50,
      schedule: { type: 'FIXED', start, end: instant(start + 600_000) },
      holderJwk: { ...publicOf(key) },
    });
    const shown: { readonly id: `cir_${string}`; readonly text: string }[] = [];
    for (let i = 0; i < count + WARM_UP; i++) {
      const made = await broker.createCircuit(call, request(i));
      if (made.kind !== 'done') throw new Error('booked anew');
      const issued = await broker.tokens.issueToken(call, made.value.id, {});
      const token = issued.kind === 'done' ? (issued.value.text ?? '') : '';
      const iat = Math.floor(clock.now() / 1000);
      const spec = { action: 'provision', body: '', opKey: 'op-1', aud: issuer } as const;
      shown.push({ id: made.value.id, text: prove(token, { ...spec, jti: newJti(systemRandom), iat }, key) });
    }
    const redeem = (some: typeof shown) =>
      Promise.all(
        some.map(({ id, text }) => {
          const bodyHash = sha256('');
          const capability = { text, action: 'provision', bodyHash, opKey: 'op-1', peer: 'api' } as const;
          return broker.act({ ...call, capability }, id, { type: 'provision' });
        }),
      );
    await redeem(shown.splice(0, WARM_UP));
    const before = process.cpuUsage();
    const began = stopwatch();
    await redeem(shown);
    const seconds = (stopwatch() - began) / 1000;
    const { user, system } = process.cpuUsage(before);
    return { cpuPerSecond: count / ((user + system) / 1e6), wallPerSecond: count / seconds };
  } finally {
    await broker.stop();
    await store.close();
    rmSync(folder, { recursive: true });
  }
}
