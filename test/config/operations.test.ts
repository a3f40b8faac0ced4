/** docs/OPERATIONS.md lists every setting and metric as the program knows it; what it and other pages name exists. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { referenceTable } from '../../src/admin.ts';
import { loadConfig } from '../../src/config.ts';
import { readTopology } from '../../src/seeds.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

test('the table of settings is the one that `config check --reference` prints', () => {
  const [, table] =
    /<!-- reference -->\n([\s\S]*?)<!-- \/reference -->/.exec(read('docs/OPERATIONS.md')) ?? [];
  expect(table?.trim()).toBe(referenceTable().trim());
});

test.each(['README.md', 'docs/ARCHITECTURE.md', 'docs/OPERATIONS.md'])(
  '%s links to files that are there',
  (file) => {
    const links = [...read(file).matchAll(/\]\(([^)#]+)\)/g)].map((match) => match[1] ?? '');
    const missing = links.filter(
      (link) => !link.includes('://') && !existsSync(join(ROOT, dirname(file), link)),
    );
    expect(missing).toEqual([]);
  },
);

test.each(['README.md', 'docs/ARCHITECTURE.md', 'docs/OPERATIONS.md', 'CHANGELOG.md'])(
  '%s names sources that are there',
  (file) => {
    const all = ['src', 'test'].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map(
        (path) => `/${folder}/${path}`,
      ),
    );
    // `x.ts` is what somebody may add.
    const named = [...read(file).matchAll(/`([\w/]+\.ts)`/g)].map((match) => match[1] ?? '');
    const missing = named.filter(
      (name) => !/\bx\.ts$/.test(name) && !all.some((path) => path.endsWith(`/${name}`)),
    );
    expect(missing).toEqual([]);
  },
);

test('what to watch: every metric of ours, and log events that there are', () => {
  const [, watched = ''] = /### What to watch\n([\s\S]*?)\n## /.exec(read('docs/OPERATIONS.md')) ?? [];
  const metrics = (text: string): string[] =>
    [...new Set([...text.matchAll(/\b(?:turnpike|http)_[a-z_]+/g)].map(([name]) => name))].sort();
  expect(metrics(watched)).toEqual(metrics(read('src/api/resources/system.ts')));
  const events = [...watched.matchAll(/`([a-z]+\.[a-z_]+)`/g)].map((match) => match[1] ?? '');
  const log = read('src/kernel/log.ts');
  expect(events.length).toBeGreaterThan(5);
  expect(events.filter((event) => !log.includes(`'${event}'`))).toEqual([]);
});

describe('examples', () => {
  test('the domain is a configuration', async () => {
    const config = await loadConfig({
      file: join(ROOT, 'examples/domain.yaml'),
      env: {},
      flags: [],
      folder: ROOT,
    });
    expect(config.seeds.topology).toBe(join(ROOT, 'examples/lab-ams.yaml'));
  });
  test.each(['ams', 'chi', 'sdg'])(
    '%s of three peered domains is one, and so is its network',
    async (name) => {
      const file = join(ROOT, `examples/three/${name}-domain.yaml`);
      // The secrets that it names are on nobody's disk here.
      const secret = join(ROOT, 'package.json');
      const flags = [
        ['peering.key_file', secret],
        ['peering.signing_key_file', secret],
      ] as const;
      const config = await loadConfig({ file, env: {}, flags, folder: ROOT });
      expect(config.peering.peers).toHaveLength(2);
      const network = await readTopology(config.seeds.topology ?? '', `${name}.example`);
      const remotes = network.ports.flatMap((port) => port.remote?.domain ?? []);
      expect(new Set(remotes)).toEqual(new Set(config.peering.peers.map((peer) => peer.domain)));
    },
  );
  test('its network is one that may run, with a choice of roads and ports', async () => {
    const network = await readTopology(join(ROOT, 'examples/lab-ams.yaml'), 'ams.example');
    expect(network.ports.filter((port) => port.kind === 'CLIENT').length).toBeGreaterThanOrEqual(6);
    for (const node of network.nodes) {
      const links = network.links.filter(({ a, z }) => a.node === node.id || z.node === node.id);
      expect(links.length, node.id).toBeGreaterThanOrEqual(2);
    }
  });
});

describe('a seed that is wrong names its line', () => {
  const good = read('examples/lab-ams.yaml');
  test.each([
    [
      'a link to nowhere',
      good.replace('z: { node: sci-a, port: "2/1" }', 'z: { node: xyz, port: "2/1" }'),
      /net\.yaml:\d+: \/links\/0\/z\/node .*xyz/,
    ],
    [
      'a field that nobody knows',
      good.replace('latency_ms: 0.02', 'latency: 0.02'),
      /net\.yaml:\d+: \/links\/0\/latency .*not known/,
    ],
    ['a port of another prefix', good.replace('"ams:host1"', '"lon:host1"'), /net\.yaml:\d+: \/ports\/0\/id/],
    [
      'a capacity of nothing',
      good.replace('capacity_mbps: 40000,', 'capacity_mbps: 0,'),
      /net\.yaml:\d+: \/ports\/1\/capacity_mbps/,
    ],
    ['one id twice', good.replace('id: ring-se', 'id: ring-ne'), /net\.yaml:\d+: \/links\/1\/id .*ring-ne/],
    ['broken YAML', `${good}\n  - {`, /net\.yaml:\d+: /],
    ['nothing', '', /net\.yaml:1: /],
    [
      'another domain',
      good.replace('domain: ams.example', 'domain: lon.example'),
      /lon\.example, but the configuration is of ams\.example/,
    ],
  ])('%s', async (_name, text, message) => {
    const { mkdtempSync, rmSync, writeFileSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const folder = mkdtempSync(join(tmpdir(), 'turnpike-seed-'));
    writeFileSync(join(folder, 'net.yaml'), text);
    await expect(readTopology(join(folder, 'net.yaml'), 'ams.example')).rejects.toThrow(message);
    rmSync(folder, { recursive: true });
  });
});
