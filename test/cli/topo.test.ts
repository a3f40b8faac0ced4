/** `turnpike topo` and `turnpike link`: files of every kind, what they change, and what they would break. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { differences, withWhatRuns } from '../../src/cli/topoDiff.ts';
import { twoSwitches } from '../support/oneDomain.ts';
import { fake, type Routes, run } from './support/world.ts';

const folder = mkdtempSync(join(tmpdir(), 'turnpike-topo-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string | Buffer): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const GRAPHML = `<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <graph edgedefault="undirected"><node id="a"/><node id="b"/>
    <edge source="a" target="b"/></graph>
</graphml>`;
const json = (over: object = {}): string => JSON.stringify({ ...twoSwitches, ...over });
const wider = { links: [{ ...twoSwitches.links[0], capacity_mbps: 40_000 }] };

const broker = (over: Routes = {}) =>
  fake({
    'GET /v1/topology': () => ({ body: twoSwitches, headers: { etag: '"7"' } }),
    'PUT /v1/topology': () => ({ body: { version: 8, broken: [] } }),
    ...over,
  });

describe('topo lint', () => {
  it('names every mistake with file and line, and asks nobody', async () => {
    const path = file(
      'lost.yaml',
      [
        'domain: ams.example',
        'prefix: ams',
        'nodes: [{id: sw1}]',
        'ports:',
        '  - {id: "ams:h1", node: sw9, kind: CLIENT, capacity_mbps: 1}',
        'links:',
        '  - {id: l1, a: {node: sw1, port: x}, z: {node: sw1, port: y}, capacity_mbps: 0}',
      ].join('\n'),
    );
    const ran = await run(undefined, `topo lint ${path}`);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain(`${path} has`);
    for (const [line, code] of [
      [5, 'DANGLING_PORT'],
      [7, 'LOOP'],
      [7, 'NO_CAPACITY'],
    ] as const) {
      expect(ran.stdout).toMatch(new RegExp(`lost\\.yaml:${line} +ERROR +${code} `));
    }
    const rows = JSON.parse((await run(undefined, `topo lint ${path} -o json`)).stdout).items;
    expect(rows[0]).toMatchObject({ file: path, line: 5, severity: 'ERROR', pointer: '/ports/0/node' });
  });

  it('ends well where there is nothing, or only a warning', async () => {
    const ran = await run(undefined, `topo lint ${file('g.graphml', GRAPHML)}`);
    expect([ran.code, ran.stdout]).toEqual([0, '']);
    expect(ran.stderr).toContain('no mistakes');
    expect(ran.stderr).toContain('2 nodes, 1 links, 2 ports');
    const lonely = file('lonely.json', json({ nodes: [...twoSwitches.nodes, { id: 'sw3' }] }));
    const warned = await run(undefined, `topo lint ${lonely}`);
    expect([warned.code, warned.stdout.includes('WARNING')]).toEqual([0, true]);
  });

  it('reads standard input, in the notation that is named', async () => {
    const stdin = (async function* () {
      yield GRAPHML;
    })();
    expect((await run(undefined, 'topo lint - --format graphml', { stdin })).code).toBe(0);
  });

  it.each([
    ['topo lint /nowhere.yaml', 2, 'cannot read /nowhere.yaml'],
    [`topo lint ${folder}`, 2, 'cannot read'],
    [`topo lint ${file('x.txt', 'hello')}`, 2, 'in none of the notations'],
    [`topo lint ${file('y.yaml', 'a: 1')} --format dot`, 2, 'no notation that is read'],
    [`topo lint ${file('z.yaml', Buffer.from([0x61, 0xff]))}`, 2, 'is not UTF-8'],
    [`topo lint ${file('y.yaml', 'a: 1')} --capacity 10`, 2, 'has no unit'],
    [
      `topo lint ${file('bomb.xml', '<!DOCTYPE x [<!ENTITY a "aaaa">]><graphml>&a;</graphml>')}`,
      1,
      'mistake',
    ],
  ])('%s exits %d', async (line, code, why) => {
    const ran = await run(undefined, line);
    expect(ran.stderr).toContain(why);
    expect(ran.code).toBe(code);
  });
});

describe('topo diff', () => {
  it('shows what would change, field by field', async () => {
    const at = await broker();
    const path = file(
      'other.json',
      json({
        ...wider,
        nodes: [{ id: 'sw1' }, { id: 'sw2', site: 'Sloterdijk' }],
        ports: twoSwitches.ports.slice(0, 2),
      }),
    );
    const ran = await run(at, `topo diff ${path}`);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toMatch(/^REMOVED +port +ams:host3 /m);
    expect(ran.stdout).toMatch(/^CHANGED +link +l1 +capacity_mbps +10000 +40000$/m);
    expect(ran.stdout).toMatch(/^CHANGED +node +sw2 +site +- +Sloterdijk$/m);
    expect(at.seen.map((call) => call.method)).toEqual(['GET']);
  });

  it('of the same topology in another order is nothing', async () => {
    const path = file('same.yaml', json({ ports: [...twoSwitches.ports].reverse() }));
    const ran = await run(await broker(), `topo diff ${path}`);
    expect([ran.code, ran.stdout, ran.stderr]).toEqual([0, '', 'no difference\n']);
  });

  it('between two documents is empty exactly for equal ones', () => {
    const document = twoSwitches as unknown as Record<string, unknown>;
    expect(differences(document, document)).toEqual([]);
    expect(differences(document, { ...document, prefix: 'x' })).toMatchObject([{ field: 'prefix' }]);
    expect(differences({ links: [] }, document).every((d) => d.change === 'ADDED' || d.field)).toBe(true);
  });
});

describe('what lives in the broker', () => {
  it('stays unless the file speaks of it', () => {
    const running = {
      nodes: [{ id: 'n1', oper_state: 'DOWN' }],
      links: [{ id: 'l1', oper_state: 'DOWN', admin_state: 'DOWN' }, { id: 'l2' }],
      maintenance_windows: [{ id: 'mnt_1' }],
    };
    expect(withWhatRuns({ nodes: [{ id: 'n1' }], links: [{ id: 'l1' }, { id: 'l9' }] }, running)).toEqual({
      nodes: [{ id: 'n1', oper_state: 'DOWN' }],
      links: [{ id: 'l1', oper_state: 'DOWN' }, { id: 'l9' }],
      maintenance_windows: [{ id: 'mnt_1' }],
    });
    const said = { nodes: [], links: [{ id: 'l1', oper_state: 'UP' }], maintenance_windows: [] };
    expect(withWhatRuns(said, running)).toEqual(said);
  });
});

describe('topo apply and load', () => {
  const breaks = () => ({
    body: { version: 8, broken: [{ circuit_id: 'cir_1', detail: 'link l1 is gone' }] },
  });

  it('asks first, and sends what it compared with', async () => {
    const at = await broker();
    const ran = await run(at, `topo apply ${file('wider.json', json(wider))}`);
    expect([ran.code, ran.stderr]).toEqual([
      0,
      '1 difference\nthe topology is at version 8\nno circuit loses its road\n',
    ]);
    const puts = at.seen.filter((call) => call.method === 'PUT');
    expect(puts.map((call) => call.query.get('validate_only'))).toEqual(['true', null]);
    expect(puts.map((call) => call.headers['if-match'])).toEqual(['"7"', '"7"']);
    expect(puts[1]?.body).toEqual({ ...twoSwitches, ...wider });
  });

  it('6: leaves everything as it is when a circuit would lose its road, unless forced', async () => {
    const path = file('wider.json', json(wider));
    const at = await broker({ 'PUT /v1/topology': breaks });
    const ran = await run(at, `topo apply ${path}`);
    expect(ran.code).toBe(6);
    expect(ran.stdout).toMatch(/^cir_1 +link l1 is gone$/m);
    expect(at.seen.filter((call) => call.method === 'PUT')).toHaveLength(1);
    for (const line of [`topo apply ${path} --force`, `topo load ${path}`]) {
      const forced = await broker({ 'PUT /v1/topology': breaks });
      expect((await run(forced, line)).code).toBe(0);
      expect(forced.seen.filter((call) => call.query.get('validate_only') === null).at(-1)?.method).toBe(
        'PUT',
      );
    }
    const dry = await broker({ 'PUT /v1/topology': breaks });
    expect((await run(dry, `topo load ${path} --dry-run`)).code).toBe(0);
    expect(dry.seen.filter((call) => call.method === 'PUT').map((call) => call.query.toString())).toEqual([
      'validate_only=true',
    ]);
  });

  it('any notation becomes the network of this domain', async () => {
    const at = await broker();
    const ran = await run(at, `topo load ${file('g.graphml', GRAPHML)} --capacity 40G -o json`);
    expect(JSON.parse(ran.stdout)).toEqual({ version: 8, broken: [] });
    const sent = at.seen.at(-1)?.body as typeof twoSwitches;
    expect([sent.domain, sent.prefix, sent.links[0]?.capacity_mbps]).toEqual(['ams.example', 'ams', 40_000]);
    expect(sent.ports.every((port) => port.id.startsWith('ams:'))).toBe(true);
  });

  it('1: a file with mistakes is not sent', async () => {
    const at = await broker();
    const ran = await run(at, `topo load ${file('none.json', json({ nodes: [] }))}`);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/none\.json:1: error DANGLING_LINK: /);
    expect(at.seen.map((call) => call.method)).toEqual(['GET']);
  });

  it('1: a lost answer is told as unknown, and the change is not sent again', async () => {
    const at = await broker({ 'PUT /v1/topology': () => 'drop' });
    const ran = await run(at, `topo load ${file('wider.json', json(wider))}`);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('it is not known whether the change was made');
    expect(at.seen.filter((call) => call.method === 'PUT')).toHaveLength(1);
  });
});

describe('link set', () => {
  const answer = {
    link: {
      id: 'l/1',
      a: { node: 'n1', port: 'p' },
      z: { node: 'n2', port: 'q' },
      capacity_mbps: 10_000,
      oper_state: 'DOWN',
    },
    version: 9,
    broken: [{ circuit_id: 'cir_1', detail: 'link l/1 carries 0 Mb/s' }],
  };
  it('says the state, and what it means', async () => {
    const at = await fake({ 'PATCH /v1/links/l%2F1': () => ({ body: answer }) });
    const ran = await run(at, 'link set l/1 --oper down --admin UP --revision 8');
    expect([ran.code, ran.stderr]).toEqual([0, 'circuits that lose their road: 1\n']);
    expect(at.seen[0]?.body).toEqual({ admin_state: 'UP', oper_state: 'DOWN' });
    expect(at.seen[0]?.headers['if-match']).toBe('"8"');
    expect(ran.stdout).toMatch(/^oper +DOWN$/m);
    expect(ran.stdout).toMatch(/^cir_1 +link/m);
    expect(JSON.parse((await run(at, 'link set l/1 --oper down -o json')).stdout)).toEqual(answer);
    expect(at.seen[1]?.headers['if-match']).toBe('*');
    expect((await run(at, 'link set l/1 --oper down -o csv')).stdout).toContain('l/1,n1 p,n2 q,10G');
  });
  it('--dry-run changes nothing', async () => {
    const at = await fake({ 'PATCH /v1/links/l1': () => ({ body: { ...answer, broken: [] } }) });
    const ran = await run(at, 'link set l1 --oper up --dry-run');
    expect(at.seen[0]?.query.get('validate_only')).toBe('true');
    expect(ran.stderr).toContain('no circuit loses its road');
  });
});
