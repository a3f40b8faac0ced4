import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Calendar } from '../../src/scheduler/calendar.ts';
import { compile } from '../../src/topology/compile.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import type { Format } from '../../src/topology/formats/format.ts';
import { formatCalled, guessFormat, lint, readTopology } from '../../src/topology/formats/index.ts';
import { fromGraph, toGraph } from '../../src/topology/graph.ts';
import { findPath } from '../../src/topology/search/find.ts';
import { world } from './worlds.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const shared = process.env['TURNPIKE_SHARED'] ?? `${root}/../shared`;
const zoo = (name: string): string => readFileSync(`${root}/test/data/topology-zoo/${name}.graphml`, 'utf8');
const format = (name: string): Format => formatCalled(name) as Format;
/** Problems as "line code severity-if-warning". */
const told = (text: string, name: string): string[] =>
  lint(text, format(name)).map(
    ({ line, code, severity }) => `${line} ${code}${severity === 'WARNING' ? ' (warning)' : ''}`,
  );

const good = `domain: ams.example
prefix: ams
nodes:
  - id: north
    latitude: 52.5
  - {id: south, swaps_labels: false}
ports:
  - {id: "ams:h1", node: north, kind: CLIENT, capacity_mbps: 10000}
  - {id: "ams:h2", node: south, kind: CLIENT, capacity_mbps: 10000, vlans: "2-99"}
srlgs: [{id: duct}]
links:
  - id: n-s
    a: {node: north, port: "1/1"}
    z: {node: south, port: "1/1"}
    capacity_mbps: 100000
    latency_ms: 0.5
    srlgs: [duct]
`;

describe('our own notation', () => {
  test('a good file has no problems', () => {
    expect(readTopology(good, format('yaml'))).toMatchObject({
      problems: [],
      document: { domain: 'ams.example' },
    });
  });

  test.each([
    ['a node twice', ['id: south', 'id: north'], ['6 DUPLICATE_ID', '9 DANGLING_PORT', '14 DANGLING_LINK']],
    [
      'a link to nowhere',
      ['z: {node: south', 'z: {node: east'],
      ['14 DANGLING_LINK', '6 ISOLATED (warning)'],
    ],
    ['a dangling port', ['node: north, kind', 'node: west, kind'], ['8 DANGLING_PORT']],
    [
      'a link back to its own node',
      ['z: {node: south, port: "1/1"}', 'z: {node: north, port: "1/2"}'],
      ['12 LOOP', '6 ISOLATED (warning)'],
    ],
    ['a port used twice', ['z: {node: south, port: "1/1"}', 'z: {node: south, port: h2}'], ['14 PORT_TAKEN']],
    ['no capacity', ['capacity_mbps: 100000', 'capacity_mbps: 0'], ['15 NO_CAPACITY']],
    [
      'a one-way link',
      ['capacity_mbps: 100000', 'capacity_za_mbps: 0\n    capacity_mbps: 100'],
      ['15 ONE_WAY'],
    ],
    ['a negative capacity', ['capacity_mbps: 100000', 'capacity_mbps: -5'], ['15 BAD_VALUE']],
    ['a capacity of NaN', ['capacity_mbps: 100000', 'capacity_mbps: .nan'], ['15 BAD_VALUE']],
    ['a cost of infinity', ['latency_ms: 0.5', 'cost: .inf'], ['16 BAD_VALUE']],
    ['a fraction of Mb/s', ['capacity_mbps: 100000', 'capacity_mbps: 0.5'], ['15 BAD_VALUE']],
    ['a latency of words', ['latency_ms: 0.5', 'latency_ms: half'], ['16 BAD_VALUE']],
    ['an unknown risk group', ['[duct]', '[dutc]'], ['17 UNKNOWN_SRLG']],
    ['an unknown key', ['latency_ms', 'latncy_ms'], ['16 UNKNOWN_KEY']],
    ['a missing key', ['    capacity_mbps: 100000\n', ''], ['12 MISSING_KEY']],
    ['a key twice', ['latency_ms: 0.5', 'latency_ms: 0.5\n    latency_ms: 1'], ['17 DUPLICATE_KEY']],
    ['labels that are none', ['"2-99"', '"99-2"'], ['9 BAD_LABELS']],
    ['a label twice', ['"2-99"', '"2-99,50-60"'], ['9 DUPLICATE_LABEL']],
    ['two kinds of labels', ['vlans: "2-99"', 'vlans: "2-99", wavelengths: "1-4"'], ['9 LABEL_KINDS']],
    ['one VLAN space for what swaps', ['false}', 'true, label_scope: NODE}'], ['6 LABEL_SCOPE']],
    ["another domain's port", ['"ams:h2"', '"lon:h2"'], ['9 FOREIGN_PORT']],
    ['a port id that is none', ['"ams:h2"', '"ams/h2"'], ['9 BAD_VALUE']],
    ['a latitude off the globe', ['52.5', '152.5'], ['5 BAD_VALUE']],
    ['an alias', ['- {id: south', '- &me {id: south, device: *me'], ['6 ALIAS']],
    ['no YAML', ['prefix: ams', 'prefix: "ams'], undefined],
    ['no mapping', [good, '- 1'], ['1 BAD_VALUE']],
    ['nothing', [good, ''], ['1 BAD_VALUE']],
    [
      'maintenance that ends before it starts',
      [
        'latency_ms: 0.5',
        'maintenance: [{start_time: "2026-01-02T00:00:00Z", end_time: "2026-01-01T00:00:00Z"}]',
      ],
      ['16 BAD_WINDOW'],
    ],
  ])('%s is found, with its line', (_what, [was, is], expected) => {
    const text = good.replace(was as string, is as string);
    if (expected === undefined) expect(told(text, 'yaml').length).toBeGreaterThan(0);
    else expect(told(text, 'yaml').sort()).toEqual([...expected].sort());
  });

  test('the same mistakes in JSON', () => {
    const { document } = readTopology(good, format('yaml'));
    const text = format('json').write?.(document as TopologyDocument) ?? '';
    expect(told(text, 'json')).toEqual([]);
    const line = text.split('\n').findIndex((row) => row.includes('"capacity_mbps": 100000')) + 1;
    expect(told(text.replace('"capacity_mbps": 100000', '"capacity_mbps": -1'), 'json')).toEqual([
      `${line} BAD_VALUE`,
    ]);
    expect(told(`{"a": ${'['.repeat(50)}${']'.repeat(50)}}`, 'json')).toEqual(['1 TOO_DEEP']);
    expect(told('{"__proto__": {"domain": "x"}}', 'json').length).toBeGreaterThan(0);
  });

  test('a text of 50 MB is refused before it is read', () => {
    for (const name of ['yaml', 'json', 'graphml', 'nml', 'sndlib', 'graphology']) {
      expect(told('x'.repeat(50_000_001), name)).toEqual(['1 TOO_LARGE']);
    }
  });
});

const graphmlOf = (body: string, head = ''): string =>
  `<?xml version="1.0"?>${head}<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key attr.name="label" for="node" id="l"/><key attr.name="LinkSpeedRaw" for="edge" id="s"/><key attr.name="Latitude" for="node" id="y"/>
<graph edgedefault="undirected">
<node id="0"><data key="l">Genève</data></node>
<node id="1"><data key="l">Paris</data></node>
${body}
</graph></graphml>`;

describe('GraphML', () => {
  test.each([
    ['a good one', '<edge source="0" target="1"/>', []],
    [
      'an edge to nowhere',
      '<edge source="0" target="7"/>\n<edge source="0" target="1"/>',
      ['6 DANGLING_LINK'],
    ],
    ['a node twice', '<node id="1"/>\n<edge source="0" target="1"/>', ['6 DUPLICATE_ID']],
    [
      'an edge to itself',
      '<edge source="0" target="0"/>\n<edge source="0" target="1"/>',
      ['6 LOOP (warning)'],
    ],
    ['a negative speed', '<edge source="0" target="1"><data key="s">-5e9</data></edge>', ['6 BAD_NUMBER']],
    ['a speed of NaN', '<edge source="0" target="1"><data key="s">NaN</data></edge>', ['6 BAD_NUMBER']],
    ['an edge of one direction', '<edge source="0" target="1" directed="true"/>', ['6 ONE_WAY']],
    [
      'two opposite directions',
      '<edge source="0" target="1" directed="true"/><edge source="1" target="0" directed="true"/>',
      [],
    ],
    ['a hyperedge', '<edge source="0" target="1"/>\n<hyperedge/>', ['7 UNSUPPORTED']],
    ['an end tag missing', '<edge source="0" target="1">', ['7 BAD_XML']],
    ['an entity of its own', '<edge source="0" target="1"/>\n<node id="&lol;"/>', ['7 BAD_XML']],
    ['nesting without end', '<data>'.repeat(200), ['6 TOO_DEEP']],
    ['an instruction', '<?php x ?><edge source="0" target="1"/>', ['6 INSTRUCTION']],
  ])('%s', (_what, body, expected) => {
    const problems = told(graphmlOf(body), 'graphml').filter(
      (problem) => !problem.endsWith('ISOLATED (warning)'),
    );
    expect(problems).toEqual(expected);
  });

  test.each([
    ['a document type', '<!DOCTYPE graphml SYSTEM "http://example.org/x.dtd">'],
    ['a billion laughs', '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'],
    ['an external entity', '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'],
  ])('%s is refused', (_what, head) => {
    expect(told(graphmlOf('<node id="2">&a;</node>', head), 'graphml')).toEqual(['1 DOCTYPE']);
  });

  test('thousands of nodes of one name are told apart', () => {
    const nodes = Array.from(
      { length: 3_000 },
      (_, i) => `<node id="n${i}"><data key="l">Paris</data></node>`,
    );
    expect(
      lint(graphmlOf(nodes.join('')), format('graphml')).every((problem) => problem.code === 'ISOLATED'),
    ).toBe(true);
  });
});

describe('SNDlib', () => {
  const text = (link: string, node = 'B ( 2.0 48.0 )'): string =>
    `?SNDlib native format; type: network; version: 1.0\n# a comment\nNODES (\n  A ( 1.0 48.0 )\n  ${node}\n)\nLINKS (\n  ${link}\n)\nDEMANDS (\n  what ever\n)\n`;
  const link = 'L1 ( A B ) 0.00 0.00 0.00 0.00 ( 40.00 3290.00 )';

  test('modules are Gb/s, places give the latency', () => {
    const { document } = readTopology(text(link), format('sndlib'));
    expect(document?.links).toMatchObject([{ id: 'L1', capacity_mbps: 40_000, latency_ms: 0.372 }]);
  });

  test.each([
    [
      'a node twice',
      text(link, 'A ( 2.0 48.0 )'),
      ['5 DUPLICATE_ID', '8 DANGLING_LINK', '4 ISOLATED'].slice(0, 2),
    ],
    ['an end that is no node', text(link.replace('A B', 'A C')), ['8 DANGLING_LINK']],
    ['a negative capacity', text(link.replace('0.00', '-3')), ['8 BAD_NUMBER']],
    ['a cost of NaN', text('L1 ( A B ) 1 0 NaN 0 ( )'), ['8 BAD_NUMBER']],
    ['half a link', text('L1 ( A B'), ['8 BAD_LINK']],
    ['no coordinates', text(link, 'B ( 2.0 north )'), ['5 BAD_NUMBER', '8 DANGLING_LINK']],
  ])('%s is found, with its line', (_what, bad, expected) => {
    expect(told(bad, 'sndlib').filter((problem) => !problem.includes('ISOLATED'))).toEqual(expected);
  });
});

describe('NML', () => {
  const nml = (body: string): string => `<?xml version="1.0"?>
<nml:Topology xmlns:nml="http://schemas.ogf.org/nml/2013/05/base#" xmlns:e="http://schemas.ogf.org/nml/2012/10/ethernet" id="urn:ogf:network:x:1">
${body}
</nml:Topology>`;
  const base = 'http://schemas.ogf.org/nml/2013/05/base#';

  test('an NSI domain that shows only its edge: bidirectional ports with VLANs, one of them a border', () => {
    const group = (id: string, alias = ''): string =>
      `<nml:PortGroup id="${id}"><nml:LabelGroup labeltype="http://schemas.ogf.org/nml/2012/10/ethernet#vlan">1780-1783</nml:LabelGroup>${alias}</nml:PortGroup>`;
    const both = (id: string): string =>
      `<nml:BidirectionalPort id="${id}"><nml:PortGroup id="${id}:in"/><nml:PortGroup id="${id}:out"/></nml:BidirectionalPort>`;
    const alias = `<nml:Relation type="${base}isAlias"><nml:PortGroup id="urn:ogf:network:y:p:in"/></nml:Relation>`;
    const text = nml(
      `${both('urn:x:p1')}${both('urn:x:p2')}<nml:Relation type="${base}hasInboundPort">${group('urn:x:p1:in')}${group('urn:x:p2:in')}</nml:Relation>
<nml:Relation type="${base}hasOutboundPort">${group('urn:x:p1:out', alias)}${group('urn:x:p2:out')}</nml:Relation>`,
    );
    const { document, problems } = readTopology(text, format('nml'), { prefix: 'x' });
    expect(problems).toEqual([]);
    expect(document?.nodes).toHaveLength(1);
    expect(document?.ports).toMatchObject([
      { id: 'x:p1', kind: 'BORDER', vlans: '1780-1783' },
      { id: 'x:p2', kind: 'CLIENT', vlans: '1780-1783' },
    ]);
  });

  test.each([
    ['another root', '<a/>', ['1 NOT_NML']],
    ['a link of one direction', undefined, ['6 ONE_WAY']],
  ])('%s is found, with its line', (_what, text, expected) => {
    const oneWay =
      nml(`<nml:Node id="a"><nml:Relation type="${base}hasOutboundPort"><nml:Port idRef="pa"/></nml:Relation></nml:Node>
<nml:Node id="b"><nml:Relation type="${base}hasInboundPort"><nml:Port idRef="pb"/></nml:Relation></nml:Node>
<nml:Port id="pa"><nml:Relation type="${base}isSource"><nml:Link idRef="l"/></nml:Relation></nml:Port><nml:Port id="pb"><nml:Relation type="${base}isSink"><nml:Link idRef="l"/></nml:Relation></nml:Port>
<nml:Link id="l"/>`);
    expect(told(text ?? oneWay, 'nml').filter((problem) => !problem.includes('ISOLATED'))).toEqual(expected);
  });
});

describe('graphology', () => {
  const graph = (change: (text: string) => string): string[] => {
    const { document } = readTopology(good, format('yaml'));
    const text = JSON.stringify(
      JSON.parse(format('graphology').write?.(document as TopologyDocument) ?? ''),
      undefined,
      1,
    );
    return told(change(text), 'graphology');
  };
  const lineOf = (words: string): number => {
    let line = 0;
    graph((text) => {
      line = text.split('\n').findIndex((row) => row.includes(words)) + 1;
      return text;
    });
    return line;
  };

  test('a good one has no problems', () => expect(graph((text) => text)).toEqual([]));

  test.each([
    ['a negative capacity', '"capacity_mbps": 100000', '"capacity_mbps": -1', 'BAD_VALUE'],
    ['a latency beyond any number', '"latency_ms": 0.5', '"latency_ms": 1e999', 'BAD_VALUE'],
    ['a port of another domain', '"id": "ams:h2"', '"id": "lon:h2"', 'FOREIGN_PORT'],
    ['labels that are none', '"vlans": "2-99"', '"vlans": "99-2"', 'BAD_LABELS'],
  ])('%s is found, with its line', (_what, was, is, code) => {
    expect(graph((text) => text.replace(was, is))).toEqual([
      `${lineOf(was.split('\n')[0] as string)} ${code}`,
    ]);
  });

  test.each([
    ['a node twice', '"key": "south"', '"key": "north"', 'DUPLICATE_ID'],
    ['a risk group that is named otherwise', '"id": "duct"', '"id": "dcut"', 'UNKNOWN_SRLG'],
    ['no number at all', '"latency_ms": 0.5', '"latency_ms": NaN', 'BAD_JSON'],
    ['an edge without an end', '"target": "south",', '', 'NOT_GRAPHOLOGY'],
  ])('%s is found', (_what, was, is, code) => {
    const [first] = graph((text) => text.replace(was, is));
    expect(first?.split(' ')[1]).toBe(code);
    expect(Number(first?.split(' ')[0])).toBeGreaterThan(1);
  });
});

describe('there and back', () => {
  const documents: TopologyDocument[] = [
    ...['Abilene', 'Geant2012', 'Cogentco'].map(
      (name) => readTopology(zoo(name), format('graphml')).document as TopologyDocument,
    ),
    ...[1, 2, 3].map((seed) => world(seed, { nodes: 6, links: 9, srlgs: 3, vlans: '2-9' }).document),
  ];
  test.each(['json', 'yaml', 'graphology'])('%s gives back the same document', (name) => {
    for (const document of documents) {
      const text = format(name).write?.(document) ?? '';
      const back = readTopology(text, format(name));
      expect(back.document).toEqual(document);
      expect(fromGraph(toGraph(document))).toEqual(document);
    }
  });

  test('NML too, but for empty lists', () => {
    for (const document of documents) {
      const links = document.links.map(({ srlgs = [], ...link }) =>
        srlgs.length > 0 ? { ...link, srlgs } : link,
      );
      expect(readTopology(format('nml').write?.(document) ?? '', format('nml')).document).toEqual({
        ...document,
        links,
      });
    }
  });

  test('what is only written can be read by others: GeoJSON parses, dot quotes', () => {
    const nasty = { ...(documents[3] as TopologyDocument), domain: 'a"b\\c\nd' };
    expect(format('dot').write?.(nasty)).toContain('graph "a\\"b\\\\c d" {');
    const map = JSON.parse(format('geojson').write?.(documents[1] as TopologyDocument) ?? '');
    expect(
      map.features.filter((f: { geometry: { type: string } }) => f.geometry.type === 'LineString').length,
    ).toBeGreaterThan(40);
    expect(told('{}', 'dot')).toEqual(['1 NOT_READ']);
  });
});

test('GÉANT from the Topology Zoo is read, compiled and carries a circuit', () => {
  const text = zoo('Geant2012');
  const { document, problems } = readTopology(text, guessFormat('Geant2012.graphml', text) as Format, {
    prefix: 'gea',
  });
  expect(problems).toEqual([]);
  const network = compile(document as TopologyDocument);
  const free = new Calendar();
  for (const [edge, room] of network.rooms()) free.setRoom(edge, room);
  const path = findPath(
    { network, free },
    {
      a: { port: 'gea:NL', vlan: 'ANY' },
      z: { port: 'gea:GR', vlan: 'ANY' },
      mbps: 1000,
      start: 0,
      end: 3600,
    },
  );
  expect(path).toMatchObject({ found: true, nodes: expect.arrayContaining(['NL', 'GR']) });
});

test.skipIf(!existsSync(`${shared}/data/sndlib`))(
  'every network of the shared data is read and compiled',
  () => {
    let read = 0;
    for (const [folder, name] of [
      ['topology-zoo', 'graphml'],
      ['sndlib', 'sndlib'],
    ] as const) {
      for (const file of readdirSync(`${shared}/data/${folder}`)) {
        const text = readFileSync(`${shared}/data/${folder}/${file}`, 'utf8');
        expect(guessFormat(file, text)?.name).toBe(name);
        const { document } = readTopology(text, format(name));
        expect(compile(document as TopologyDocument).links.length).toBeGreaterThan(5);
        read++;
      }
    }
    expect(read).toBeGreaterThan(30);
  },
);
