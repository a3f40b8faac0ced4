/**
 * The first hour of somebody who has a map of a network and nothing else: a configuration of five lines, a
 * GraphML file to start from, another one loaded over it, and a circuit over that.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Domain, startDomain } from '../../src/domain.ts';
import { configFrom } from '../../src/flags.ts';
import { wallClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { run } from './support/world.ts';

const zoo = (name: string): string => resolve(import.meta.dirname, `../data/topology-zoo/${name}.graphml`);
const folder = mkdtempSync(join(tmpdir(), 'turnpike-own-'));
let domain: Domain;

beforeAll(async () => {
  const file = join(folder, 'geant.yaml');
  writeFileSync(
    file,
    [
      'domain: geant.example',
      'http: {port: 0}',
      'store: {file: turnpike.db}',
      `seeds: {topology: ${JSON.stringify(zoo('Abilene'))}}`,
      'identity: {development_dir: keys}',
    ].join('\n'),
  );
  const io = { env: {}, stdout: { write: () => true }, stderr: { write: () => true } };
  domain = await startDomain(await configFrom({ config: file, set: [] }, io), {
    log: silentLog,
    onLost: () => {},
  });
});
afterAll(async () => {
  await domain.stop();
  rmSync(folder, { recursive: true });
});

async function turnpike(line: string) {
  const token = join(folder, 'keys/operator.token');
  const ran = await run({ url: domain.address, seen: [] }, `--token-file ${token} -o json ${line}`, {
    clock: wallClock(),
  });
  expect([line, ran.code, ran.stderr.includes('turnpike:')]).toEqual([line, 0, false]);
  return JSON.parse(ran.stdout);
}

test('a map is loaded, looked at, and carries a circuit, which goes round a failure', async () => {
  const seed = await turnpike('topo show');
  expect([seed.domain, seed.prefix, seed.nodes.length]).toEqual(['geant.example', 'geant', 11]);
  await turnpike(`topo load ${zoo('Geant2012')} --capacity 100G`);
  expect((await turnpike('topo show')).nodes).toHaveLength(40);
  const points = (await turnpike('topo critical')).single_points;
  expect(points.find((point: { id: string }) => point.id === 'BG--MK').cuts_off.node_ids).toEqual(['MK']);
  const [there] = (await turnpike('topo reach geant:NL geant:GR')).items;
  expect(there).toMatchObject({ node: 'GR', reachable: true, hops: 3 });

  const made = await turnpike('circuit create geant:NL geant:GR --bw 10G --for 1h --ref first --wait');
  expect(made.state).toBe('ACTIVE');
  expect(made.path.latency_ms).toBeCloseTo(there.distance, 6);
  const [cut] = made.path.links;
  const down = await turnpike(`link set ${cut} --oper down`);
  expect(down.broken).toMatchObject([{ circuit_id: made.id }]);
  await expect
    .poll(async () => (await turnpike('circuit show first')).path.links, { timeout: 20_000 })
    .not.toContain(cut);
  expect((await turnpike('circuit show first')).state).toBe('ACTIVE');
});
