/** One topology in many notations: read in each that is written, replaced by each that is read. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { twoSwitches } from '../support/oneDomain.ts';
import { type Answer, Api } from './harness.ts';

let api: Api;
beforeAll(async () => {
  api = await Api.start();
});
afterAll(() => api.end());

const read = (format: string, headers: Record<string, string> = {}): Promise<Answer> =>
  api.get(`/v1/topology?format=${format}`, { headers });
const put = (
  text: string | Buffer,
  type: string,
  query = '',
  headers: Record<string, string> = {},
): Promise<Answer> =>
  api.put(`/v1/topology?${query}`, text, {
    as: 'operator',
    headers: { ...(type === '' ? {} : { 'content-type': type }), ...headers },
  });
const textOf = ({ body }: Answer): string => (typeof body === 'string' ? body : JSON.stringify(body));

const graphml = (links = 1): string => `<?xml version="1.0" encoding="utf-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key attr.name="label" attr.type="string" for="node" id="d1" />
  <graph edgedefault="undirected">
    <node id="0"><data key="d1">Amsterdam</data></node>
    <node id="1"><data key="d1">London</data></node>
${'    <edge source="0" target="1" />\n'.repeat(links)}  </graph>
</graphml>`;

describe('GET', () => {
  it.each([
    ['json', 'application/json'],
    ['yaml', 'application/yaml'],
    ['graphology', 'application/vnd.graphology+json'],
    ['geojson', 'application/geo+json'],
    ['nml', 'application/vnd.ogf.nml+xml'],
    ['dot', 'text/vnd.graphviz'],
  ])('%s is served as %s, under an ETag of its own', async (format, type) => {
    const answer = await read(format);
    expect(answer.status).toBe(200);
    expect(String(answer.headers['content-type'])).toContain(type);
    expect(textOf(answer).length).toBeGreaterThan(20);
    const etag = String(answer.headers['etag']);
    expect(etag).toBe(format === 'json' ? '"1"' : `"1-${format}"`);
    expect((await read(format, { 'if-none-match': etag })).status).toBe(304);
    expect((await read(format, { 'if-none-match': '"1-other"' })).status).toBe(200);
    // A type in Accept says the same as the name, and shuts nothing else in.
    const asked = await api.get('/v1/topology', { headers: { accept: type } });
    expect(textOf(asked)).toBe(textOf(answer));
  });

  it('of another notation is refused', async () => {
    expect((await read('png')).status).toBe(400);
    expect((await api.get('/v1/topology', { headers: { accept: 'image/png' } })).status).toBe(406);
  });
});

describe('PUT', () => {
  it.each(['yaml', 'graphology', 'nml'])('%s brings back what GET gave', async (format) => {
    const before = await api.get('/v1/topology');
    const written = await read(format);
    const tag = String(written.headers['etag']);
    const tried = await put(textOf(written), String(written.headers['content-type']), 'validate_only=true', {
      'if-match': tag,
    });
    expect([tried.status, tried.body.broken]).toEqual([200, []]);
    await put(textOf(written), String(written.headers['content-type']));
    const after = (await api.get('/v1/topology')).body;
    const sorted = (document: typeof before.body) => ({
      ...document,
      ports: [...document.ports].sort((x: { id: string }, y: { id: string }) => (x.id < y.id ? -1 : 1)),
    });
    expect(sorted(after)).toEqual(sorted(before.body));
    await api.put('/v1/topology', twoSwitches, { as: 'operator' });
  });

  it.each([
    ['application/graphml+xml', ''],
    ['application/xml', ''],
    ['text/xml; charset=utf-8', ''],
    ['text/plain', ''],
    ['application/json', '&format=graphml'],
    ['', '&format=graphml'],
  ])('GraphML as %s%s becomes a network of this domain that circuits run over', async (type, query) => {
    const done = await put(graphml(), type, `capacity_mbps=40000${query}`);
    expect(done.status).toBe(200);
    const { body } = await api.get('/v1/topology');
    expect([body.domain, body.prefix]).toEqual(['ams.example', 'ams']);
    expect(body.links[0].capacity_mbps).toBe(40_000);
    const made = await api.post('/v1/circuits', {
      a: { port: body.ports[0].id },
      z: { port: body.ports[1].id },
      bandwidth_mbps: 1,
      schedule: { type: 'NOW', duration_s: 60 },
    });
    expect([made.status, made.body.path.links]).toEqual([201, [body.links[0].id]]);
    await api.put('/v1/topology', twoSwitches, { as: 'operator' });
  });

  it('tells every mistake with its line', async () => {
    const lost = [
      'domain: ams.example',
      'prefix: ams',
      'nodes:',
      '  - id: sw1',
      '  - id: sw1',
      'ports: []',
      'links:',
      '  - {id: l1, a: {node: sw1, port: x}, z: {node: sw9, port: y}, capacity_mbps: 10}',
    ].join('\n');
    const refused = await put(lost, 'application/yaml');
    expect([refused.status, refused.body.code]).toEqual([400, 'INVALID_REQUEST']);
    expect(refused.body.detail).toContain('line 5');
    expect(refused.body.errors).toEqual([
      { pointer: '/nodes/1/id', detail: expect.stringContaining('line 5: ') },
      { pointer: '/links/0/z/node', detail: expect.stringContaining('line 8: ') },
    ]);
  });

  it('tells what is rarely meant, in text and in JSON', async () => {
    const lonely = { ...twoSwitches, nodes: [...twoSwitches.nodes, { id: 'sw3' }] };
    const one = await api.put('/v1/topology?validate_only=true', lonely, { as: 'operator' });
    expect(one.body.warnings).toMatchObject([{ code: 'ISOLATED', pointer: '/nodes/2' }]);
    const two = await put(JSON.stringify(lonely), 'application/yaml', 'validate_only=true');
    expect(two.body.warnings).toMatchObject([{ code: 'ISOLATED', pointer: '/nodes/2', line: 1 }]);
  });

  it.each([
    ['a merge patch', JSON.stringify(twoSwitches), 'application/merge-patch+json', '', 415],
    ['an image', 'x', 'image/png', '', 415],
    ['words', 'hello', 'text/plain', '', 415],
    ['nothing', '', '', '', 415],
    ['an unknown format', graphml(), 'text/xml', 'format=png', 400],
    ['a format that is only written', '{}', 'application/json', 'format=geojson', 400],
    ['XML that is none', '<graphml', 'application/graphml+xml', '', 400],
    ['YAML that is none', 'a: [', 'application/yaml', '', 400],
    ['a key twice in a graph', '{"nodes":[],"nodes":[]}', 'application/vnd.graphology+json', '', 400],
    ['a graph that is a list', '[]', 'application/json', 'format=graphology', 400],
    ['bytes that are not UTF-8', Buffer.from([0x61, 0xff]), 'application/yaml', '', 400],
    [
      'another domain',
      'domain: x.example\nprefix: x\nnodes: []\nports: []\nlinks: []',
      'application/yaml',
      '',
      400,
    ],
  ])('%s is refused', async (_name, text, type, query, status) => {
    expect((await put(text, type, query)).status).toBe(status);
  });

  it('attack 71: entities, alias bombs and depth', async () => {
    const entities = `<!DOCTYPE x [<!ENTITY a "${'a'.repeat(100)}">]><graphml>&a;</graphml>`;
    expect((await put(entities, 'application/graphml+xml')).status).toBe(400);
    const aliases = 'a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nnodes: *c\n';
    expect((await put(aliases, 'application/yaml')).status).toBe(400);
    expect((await put(`a: ${'['.repeat(5_000)}`, 'application/yaml')).status).toBe(400);
    const deep = `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`;
    expect((await put(deep, 'application/json', 'format=graphology')).status).toBe(400);
    expect((await api.get('/v1/topology')).body).toEqual(twoSwitches);
  });

  it.each([
    ['a capacity of NaN', 'capacity_mbps: 10000', 'capacity_mbps: .nan', '/links/0/capacity_mbps'],
    ['a negative capacity', 'capacity_mbps: 10000', 'capacity_mbps: -5', '/links/0/capacity_mbps'],
    ['a cost of NaN', 'capacity_mbps: 10000', 'cost: .nan, capacity_mbps: 10000', '/links/0/cost'],
    ['an id twice', 'nodes: [{id: sw1}', 'nodes: [{id: sw1}, {id: sw1}', '/nodes/1/id'],
    ['an anchor that holds itself', 'nodes: [', 'nodes: &all [*all, ', ''],
  ])('%s is refused with its place, and what runs is untouched', async (_name, was, is, pointer) => {
    const good = [
      'domain: ams.example',
      'prefix: ams',
      'nodes: [{id: sw1}, {id: sw2}]',
      'ports: []',
      'links:',
      '  - {id: l1, a: {node: sw1, port: t1}, z: {node: sw2, port: t1}, capacity_mbps: 10000}',
    ].join('\n');
    expect((await put(good, 'application/yaml', 'validate_only=true')).status).toBe(200);
    const before = await api.get('/v1/topology');
    const refused = await put(good.replace(was, is), 'application/yaml');
    expect([refused.status, refused.body.errors[0].pointer]).toEqual([400, pointer]);
    expect(refused.body.errors[0].detail).toMatch(/^line [36]: /);
    const after = await api.get('/v1/topology');
    expect([after.headers['etag'], after.body]).toEqual([before.headers['etag'], before.body]);
  });

  it('takes more than other resources do, and not everything', async () => {
    const wide = {
      ...twoSwitches,
      ports: Array.from({ length: 4_000 }, (_, i) => ({
        id: `ams:h${i}`,
        node: 'sw1',
        kind: 'CLIENT',
        capacity_mbps: 1_000,
        device_port: `port-of-the-host-number-${i}`,
      })),
    };
    expect(JSON.stringify(wide).length).toBeGreaterThan(256 * 1024);
    const tried = await api.put('/v1/topology?validate_only=true', wide, { as: 'operator' });
    expect(tried.status).toBe(200);
    const large = await put('#'.repeat(8 * 1024 * 1024 + 1), 'application/yaml');
    expect([large.status, large.body.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  it('is for operators, before the body is read', async () => {
    const refused = await api.put('/v1/topology', 'x'.repeat(9_000_000), {
      headers: { 'content-type': 'application/yaml' },
    });
    expect([refused.status, refused.body.code]).toEqual([403, 'POLICY_DENIED']);
  });

  it('elsewhere bodies are JSON still', async () => {
    const refused = await api.post('/v1/circuits', 'a: 1', {
      headers: { 'content-type': 'application/yaml' },
    });
    expect(refused.status).toBe(415);
  });
});
