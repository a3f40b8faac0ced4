/**
 * NML written by us and read again is the same document, whatever is in it; and what is written is valid by
 * the schemas of NML, where those and xmllint are at hand.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LinkDocument, TopologyDocument } from '../../src/topology/document.ts';
import { readTopology } from '../../src/topology/formats/index.ts';
import { nml } from '../../src/topology/formats/nml.ts';

const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 2 });
/** Anything that XML can write, and people do: quotes, angles, accents, emoji. */
const anyText = fc.string({
  minLength: 1,
  maxLength: 12,
  unit: fc.constantFrom(...'ab7 -:/%"\'<>&]é#', '𝛌', '🛰'),
});
const state = fc.constantFrom('UP' as const, 'DOWN' as const);
const mtu = fc.integer({ min: 68, max: 65_535 });
const real = (min: number, max: number): fc.Arbitrary<number> =>
  fc.double({ min, max, noNaN: true }).map((value) => (Object.is(value, -0) ? 0 : value));
const maintenance = fc.constant([
  { start_time: '2027-01-01T00:00:00Z', end_time: '2027-01-02T00:00:00Z', reason: 'a & b' },
]);
const labels = fc.constantFrom(
  {},
  { vlans: '2-99,200-4094' },
  { wavelengths: '1-96' },
  { time_slots: '1-9' },
  { unlabelled: true },
  { unlabelled: false },
);
type Dense<T> = { [K in keyof T]: Exclude<T[K], undefined> };
/** Without what is undefined, as documents are. */
const dense = <T extends object>(value: T): Dense<T> =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Dense<T>;

const documents: fc.Arbitrary<TopologyDocument> = fc
  .record({
    names: fc.uniqueArray(anyText, { minLength: 1, maxLength: 5 }),
    sites: seldom(fc.uniqueArray(anyText, { minLength: 1, maxLength: 3 })),
  })
  .chain(({ names, sites }) =>
    fc.record({
      domain: fc.constant('ams.example'),
      prefix: fc.constant('ams'),
      nodes: fc
        .tuple(
          ...names.map((id) =>
            fc.record({
              id: fc.constant(id),
              site: seldom(fc.constantFrom(...(sites ?? ['somewhere']))),
              latitude: seldom(real(-90, 90)),
              longitude: seldom(real(-180, 180)),
              device: seldom(anyText),
              swaps_labels: seldom(fc.boolean()),
              domain: seldom(fc.constant('other.example')),
              admin_state: seldom(state),
              oper_state: seldom(state),
              maintenance: seldom(maintenance),
            }),
          ),
        )
        .map((nodes) => nodes.map(dense)),
      ports: fc
        .array(
          fc.tuple(
            fc.record({
              node: fc.constantFrom(...names),
              kind: fc.constantFrom('CLIENT' as const, 'BORDER' as const),
              capacity_mbps: fc.integer({ min: 1, max: 100_000_000 }),
              mtu: seldom(mtu),
              device_port: seldom(anyText),
              admin_state: seldom(state),
            }),
            labels,
            fc.boolean(),
          ),
          { maxLength: 4 },
        )
        .map((ports) =>
          ports.map(([port, labels, remote], i) =>
            dense({
              ...port,
              ...labels,
              id: `ams:port_${i}`,
              device_port: port.device_port === undefined ? undefined : `${port.device_port}${i}`,
              ...(remote && port.kind === 'BORDER'
                ? { remote: { domain: 'sdg.example', port: `sdg:p${i}` } }
                : {}),
            }),
          ),
        ),
      links:
        names.length < 2
          ? fc.constant<LinkDocument[]>([])
          : fc
              .array(
                fc.tuple(
                  fc.shuffledSubarray(names, { minLength: 2, maxLength: 2 }),
                  fc.record({
                    capacity_mbps: fc.integer({ min: 1, max: 100_000_000 }),
                    capacity_za_mbps: seldom(fc.integer({ min: 1, max: 100_000_000 })),
                    same: fc.boolean(),
                    latency_ms: seldom(real(0, 1e6)),
                    cost: seldom(real(0, 1e9)),
                    mtu: seldom(mtu),
                    srlgs: seldom(fc.uniqueArray(anyText, { minLength: 1, maxLength: 3 })),
                    admin_state: seldom(state),
                    oper_state: seldom(state),
                    maintenance: seldom(maintenance),
                  }),
                  labels,
                  anyText,
                ),
                { maxLength: 5 },
              )
              .map((links): LinkDocument[] =>
                links.map(([[a = '', z = ''], { same, ...link }, labels, name], i) =>
                  dense({
                    ...link,
                    ...(same ? { capacity_za_mbps: link.capacity_mbps } : {}),
                    ...labels,
                    id: `${name}${i}`,
                    a: { node: a, port: `${name} ${i}` },
                    z: { node: z, port: `${i}/${name}` },
                  }),
                ),
              ),
      sites: fc.constant(
        sites?.map((id, i) => ({ id, ...(i === 0 ? { name: `the ${id}`, latitude: 5 } : {}) })),
      ),
      neighbours: seldom(
        fc.constant([
          {
            domain: 'sdg.example',
            prefix: 'sdg',
            api: 'https://sdg.example/?a=1&b=2',
            ports: [{ id: 'sdg:p1', capacity_mbps: 10, vlans: '7' }],
          },
        ]),
      ),
    }),
  )
  .map((document) => {
    const srlgs = [...new Set(document.links.flatMap((link) => link.srlgs ?? []))];
    return dense({
      ...document,
      ...(srlgs.length > 1
        ? { srlgs: srlgs.map((id, i) => ({ id, ...(i === 0 ? { description: '"' } : {}) })) }
        : {}),
      ...(document.ports.length > 1
        ? { port_groups: [{ id: 'card 1', ports: document.ports.map(({ id }) => id), capacity_mbps: 100 }] }
        : {}),
      ...(srlgs.length === 1
        ? {
            maintenance_windows: [
              {
                id: `mnt_${'0'.repeat(26)}`,
                start_time: '2027-01-01T00:00:00Z',
                end_time: '2027-01-02T00:00:00Z',
                nodes: [document.nodes[0]?.id ?? ''],
              },
            ],
          }
        : {}),
    });
  });

const write = (document: TopologyDocument): string => nml.write?.(document) ?? '';

describe('there and back', () => {
  test('any document comes back as it was', () => {
    fc.assert(
      fc.property(documents, (document) => {
        const { document: back, problems } = readTopology(write(document), nml);
        expect(problems.filter(({ severity }) => severity === 'ERROR')).toEqual([]);
        expect(back).toEqual(document);
      }),
      { numRuns: 120, seed: 3 },
    );
  });

  test('an empty list comes back as none, and what XML cannot write as a question mark', () => {
    const document: TopologyDocument = {
      domain: 'ams.example',
      prefix: 'ams',
      nodes: [{ id: 'a\ufffe' }, { id: 'b\ud800', maintenance: [] }],
      ports: [],
      links: [],
    };
    const { document: back } = readTopology(write(document), nml);
    expect(back).toEqual({ ...document, nodes: [{ id: 'a?' }, { id: 'b?' }] });
    const nothing = { ...document, nodes: [] };
    expect(readTopology(write(nothing), nml).document).toEqual(nothing);
  });

  test('a mistake in our own words is found, with its line', () => {
    const text = write({
      domain: 'ams.example',
      prefix: 'ams',
      nodes: [{ id: 'a', device: 'sw1' }, { id: 'b' }],
      ports: [],
      links: [
        { id: 'l', a: { node: 'a', port: '1' }, z: { node: 'b', port: '1' }, capacity_mbps: 10, cost: 5 },
      ],
    });
    const told = (was: string, is: string): string[] =>
      readTopology(text.replace(was, is), nml).problems.map(({ line, code }) => `${line} ${code}`);
    const lineOf = (words: string): number => text.split('\n').findIndex((row) => row.includes(words)) + 1;
    const link = lineOf('<tp:cost>');
    expect(told('<tp:cost>5<', '<tp:cost>NaN<')).toEqual([`${link} BAD_VALUE`]);
    expect(told('<tp:cost>5<', '<tp:cost>-5<')).toEqual([`${link} BAD_VALUE`]);
    expect(told('<tp:cost>5<', '<tp:cost>5</tp:cost><tp:cost>6<')).toEqual([`${link} BAD_VALUE`]);
    expect(told('<tp:cost>5<', '<tp:cots>5</tp:cots><tp:cost>6<')).toEqual([`${link} UNKNOWN_KEY`]);
    expect(told('<tp:device>sw1</tp:device>', '<tp:__proto__>x</tp:__proto__>')).toEqual([
      `${lineOf('<tp:device>')} UNKNOWN_KEY`,
    ]);
    expect(told('<tp:id>b</tp:id>', '<tp:id>a</tp:id>')).toContain(`${lineOf('<tp:id>b')} DUPLICATE_ID`);
  });
});

describe('what others write', () => {
  const base = 'http://schemas.ogf.org/nml/2013/05/base#';
  const swaps = (service: string): unknown => {
    const text = `<t:Topology xmlns:t="${base}" id="urn:x"><t:Node id="urn:x:a"><t:name>A</t:name>
      <t:Location><t:name>Hall 3</t:name><t:lat>52.5</t:lat></t:Location>
      <t:Relation type="${base}hasService">${service}</t:Relation></t:Node></t:Topology>`;
    return readTopology(text, nml).document?.nodes[0];
  };

  test.each([
    ['that swaps', '<t:SwitchingService id="s" labelSwapping="true"/>', true],
    ['that does not', '<t:SwitchingService id="s" labelSwapping="false"/>', false],
    ['that does not say', '<t:SwitchingService id="s"/>', false],
  ])('a switching service %s, a place and a name', (_what, service, expected) => {
    expect(swaps(service)).toEqual({ id: 'A', site: 'Hall 3', latitude: 52.5, swaps_labels: expected });
  });

  test('references as NSI writes them, and links in one direction with an MTU', () => {
    const text = `<t:Topology xmlns:t="${base}" xmlns:n="http://schemas.ogf.org/nsi/2013/09/topology#" xmlns:e="http://schemas.ogf.org/nml/2012/10/ethernet" id="urn:x">
      ${['a', 'b']
        .map(
          (
            n,
          ) => `<t:Node id="${n}"><t:Relation type="${base}hasInboundPort"><t:Port n:isReference="${n}i"/></t:Relation>
      <t:Relation type="${base}hasOutboundPort"><t:Port n:isReference="${n}o"/></t:Relation></t:Node>`,
        )
        .join('')}
      <t:Port id="ao"><t:Relation type="${base}isSource"><t:Link id="ab"/></t:Relation><e:capacity>10000000000</e:capacity><e:interfaceMTU>9000</e:interfaceMTU></t:Port>
      <t:Port id="bi"><t:Relation type="${base}isSink"><t:Link id="ab"/></t:Relation></t:Port>
      <t:Port id="bo"><t:Relation type="${base}isSource"><t:Link id="ba"/></t:Relation><e:capacity>1000000000</e:capacity></t:Port>
      <t:Port id="ai"><t:Relation type="${base}isSink"><t:Link id="ba"/></t:Relation></t:Port>
      <t:Link id="ab"/><t:Link id="ba"/></t:Topology>`;
    expect(readTopology(text, nml)).toMatchObject({
      problems: [],
      document: { links: [{ a: { node: 'a' }, capacity_mbps: 10_000, capacity_za_mbps: 1000, mtu: 9000 }] },
    });
  });
});

describe('what nobody should write', () => {
  const base = 'http://schemas.ogf.org/nml/2013/05/base#';
  const eth = 'http://schemas.ogf.org/nml/2012/10/ethernet';
  const told = (body: string, head = ''): string[] =>
    readTopology(
      `${head}<t:Topology xmlns:t="${base}" xmlns:e="${eth}" id="urn:x">\n${body}\n</t:Topology>`,
      nml,
    )
      .problems.filter(({ severity }) => severity === 'ERROR')
      .map(({ line, code }) => `${line} ${code}`);
  const port = (more: string, id = 'p'): string =>
    `<t:Node id="n"><t:Relation type="${base}hasInboundPort"><t:Port id="${id}"/></t:Relation></t:Node>
<t:BidirectionalPort id="b"><t:Port id="${id}"/><t:Port id="q"/></t:BidirectionalPort>
<t:Port id="${id}">${more}</t:Port>`;

  test.each([
    ['a capacity of NaN', port('<e:capacity>NaN</e:capacity>'), ['3 BAD_VALUE']],
    ['a negative capacity', port('<e:capacity>-5000000</e:capacity>'), ['3 BAD_VALUE']],
    ['no capacity', port('<e:capacity>0</e:capacity>'), ['3 NO_CAPACITY']],
    ['an MTU of words', port('<e:interfaceMTU>jumbo</e:interfaceMTU>'), ['3 BAD_VALUE']],
    [
      'a place off the globe',
      '<t:Node id="n"><t:Location><t:lat>99</t:lat></t:Location></t:Node>',
      ['2 BAD_VALUE'],
    ],
    ['labels that are none', port(`<t:Label labeltype="${eth}#vlan">99-2</t:Label>`), ['3 BAD_LABELS']],
    [
      'an id twice',
      `${port('<e:capacity>1000000</e:capacity>')}\n<t:Port id="p"><e:capacity>2000000</e:capacity></t:Port>`,
      ['5 DUPLICATE_ID'],
    ],
  ])('%s is found, with its line', (_what, body, expected) => {
    expect(told(body)).toEqual(expected);
  });

  test.each([
    ['a document type', '<!DOCTYPE t:Topology SYSTEM "http://example.org/x.dtd">'],
    ['a billion laughs', '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'],
    ['an external entity', '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'],
  ])('%s is refused', (_what, head) => {
    expect(told('<t:Node id="n"><t:name>&a;</t:name></t:Node>', head)).toEqual(['1 DOCTYPE']);
  });

  test('what refers to itself, or round and round, comes to an end', () => {
    const refers = (type: string, kind: string, id: string): string =>
      `<t:Relation type="${base}${type}"><t:${kind} id="${id}"/></t:Relation>`;
    const ring = `<t:Node id="n">${refers('isAlias', 'Node', 'm')}${refers('hasService', 'SwitchingService', 's')}</t:Node>
<t:Node id="m">${refers('isAlias', 'Node', 'n')}${refers('hasInboundPort', 'PortGroup', 'g')}</t:Node>
<t:SwitchingService id="s">${refers('isAlias', 'SwitchingService', 's')}</t:SwitchingService>
<t:PortGroup id="g">${refers('isAlias', 'PortGroup', 'g')}${refers('isSink', 'LinkGroup', 'l')}${refers('isSource', 'LinkGroup', 'l')}</t:PortGroup>
<t:LinkGroup id="l"/>
<t:BidirectionalPort id="b"><t:PortGroup id="g"/><t:PortGroup id="g"/></t:BidirectionalPort>`;
    // A link from a port to that same port.
    expect(told(ring)).toEqual(['6 ONE_WAY']);
  });
});

const shared = process.env['TURNPIKE_SHARED'] ?? fileURLToPath(new URL('../../../shared', import.meta.url));
const schema = `${shared}/nsi/nml/nmlbase.xsd`;
const canValidate = existsSync(schema) && spawnSync('xmllint', ['--version']).status === 0;

test.skipIf(!canValidate)('what is written is valid NML', () => {
  const folder = mkdtempSync(join(tmpdir(), 'turnpike-nml-'));
  try {
    const files = fc.sample(documents, { numRuns: 25, seed: 4 }).map((document, i) => {
      const path = join(folder, `${i}.xml`);
      writeFileSync(path, write(document));
      return path;
    });
    const ran = spawnSync('xmllint', ['--noout', '--nonet', '--schema', schema, ...files], {
      encoding: 'utf8',
    });
    expect(ran.stderr.split('\n').filter((line) => line !== '' && !line.endsWith(' validates'))).toEqual([]);
    expect(ran.status).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
