/**
 * What the network as it stands means, without any booking: what is how far, what hangs together, what leans
 * on what. It is worked out once per version of the topology and kept until the next one.
 */
import { type Static, Type } from 'typebox';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { nextTurn } from '../../kernel/clock.ts';
import { type Centrality, centrality } from '../../topology/analysis/central.ts';
import { MAX_NAMED, type Part, type Structure, structureOf } from '../../topology/analysis/critical.ts';
import { distancesFrom } from '../../topology/analysis/roads.ts';
import { nodeCounts, type Scope } from '../../topology/analysis/scope.ts';
import { compile } from '../../topology/compile.ts';
import type { TopologyDocument } from '../../topology/document.ts';
import type { Network } from '../../topology/network.ts';
import { answer, refusals } from '../answers.ts';
import type { ApiPorts } from '../resource.ts';
import { invalid, listOf, pageInMemory, pageQuery } from '../wire/common.ts';

const strict = { additionalProperties: false } as const;
const tags = ['network'];
const visible = { authorisation: 'visible' } as const;

const scopeQuery = {
  by: Type.Optional(
    Type.Enum(['latency', 'cost', 'hops'], { default: 'latency', description: 'What a road is short by' }),
  ),
  ignore_state: Type.Optional(
    Type.Boolean({ default: false, description: 'Count what is out of use as if it were not' }),
  ),
};
const scopeFields = {
  version: Type.Integer({ description: 'Of the topology' }),
  by: Type.Enum(['latency', 'cost', 'hops']),
  ignore_state: Type.Boolean(),
};
const NodeOrPort = Type.String({ minLength: 1, maxLength: 256 });

const PartSchema = Type.Object(
  {
    nodes: Type.Integer({ minimum: 0 }),
    ports: Type.Integer({ minimum: 0 }),
    node_ids: Type.Array(Type.String(), { maxItems: MAX_NAMED, description: 'The first few of them' }),
  },
  { $id: 'TopologyPart' },
);
const betweenness = Type.Number({
  description: 'Share of the shortest roads between others that pass it, 0 to 1',
});
const AnalysisSchema = Type.Object(
  {
    ...scopeFields,
    nodes: Type.Integer({ description: 'That count' }),
    parts: Type.Array(ref(PartSchema), {
      description: 'Nodes that reach each other, the largest part first; one part is a network in one piece',
    }),
    parts_total: Type.Integer(),
    single_points: Type.Array(
      Type.Object({
        kind: Type.Enum(['NODE', 'LINK', 'SRLG', 'SITE']),
        id: Type.String(),
        cuts_off: ref(PartSchema),
      }),
      { description: 'What would part the network by failing alone; what cuts off most first' },
    ),
    single_points_total: Type.Integer(),
    single_points_complete: Type.Boolean({
      description: 'False: there are more risk groups and sites than were tried',
    }),
    central_sources: Type.Integer({
      description:
        'Nodes from which roads were counted: fewer than `nodes` makes the figures below estimates',
    }),
    central_nodes: Type.Array(
      Type.Object({
        id: Type.String(),
        betweenness,
        closeness: Type.Optional(
          Type.Number({ description: 'Nodes reached per mean distance (Wasserman and Faust)' }),
        ),
        mean_distance: Type.Optional(Type.Number({ description: 'To the others: ms, cost or links' })),
      }),
      { description: 'By betweenness' },
    ),
    central_links: Type.Array(Type.Object({ id: Type.String(), betweenness }), {
      description: 'By betweenness',
    }),
  },
  { $id: 'TopologyAnalysis' },
);
const DistanceSchema = Type.Object(
  {
    node: Type.String(),
    ports: Type.Array(Type.String(), { description: 'Of the node' }),
    reachable: Type.Boolean(),
    distance: Type.Optional(Type.Number({ description: 'In ms, cost or links: see `by`' })),
    hops: Type.Optional(Type.Integer({ description: 'Links that this road has' })),
  },
  { $id: 'TopologyDistance' },
);

export function analysis(app: HttpServer, { broker }: ApiPorts): void {
  for (const schema of [PartSchema, AnalysisSchema, DistanceSchema]) app.addSchema(schema);
  const scopeOf = (query: {
    readonly by?: 'latency' | 'cost' | 'hops';
    readonly ignore_state?: boolean;
  }): Scope => ({
    network: networkOf(broker.topology().document),
    by: query.by ?? 'latency',
    ignoreState: query.ignore_state ?? false,
  });

  app.get(
    '/v1/topology/analysis',
    {
      config: visible,
      schema: {
        operationId: 'analyseTopology',
        summary: 'What hangs together, what parts it by failing, and what most roads pass',
        description:
          'Of the network as its states are now; bookings and maintenance windows are not looked at.',
        tags,
        querystring: Type.Object(
          {
            ...scopeQuery,
            top: Type.Optional(
              Type.Integer({
                minimum: 1,
                maximum: 500,
                default: 50,
                description: 'At most so many of each list',
              }),
            ),
          },
          strict,
        ),
        response: { 200: answer('The analysis', ref(AnalysisSchema)), ...refusals('INVALID_REQUEST') },
      },
    },
    async ({ query }) => {
      const { version } = broker.topology();
      const scope = scopeOf(query);
      const { structure, central } = known(scope);
      return { version, ...writeAnalysis(scope, structure, await central, query.top ?? 50) };
    },
  );

  app.get(
    '/v1/topology/distances',
    {
      config: visible,
      schema: {
        operationId: 'listDistances',
        summary: 'Which nodes and ports can be reached from one, and how far each is',
        description:
          'Of the network as its states are now; what is free over time is told by /v1/availability.',
        tags,
        querystring: Type.Object(
          {
            ...pageQuery,
            from: Type.String({ ...NodeOrPort, description: 'A node or a port' }),
            to: Type.Optional(Type.String({ ...NodeOrPort, description: 'Only this node or port' })),
            ...scopeQuery,
          },
          strict,
        ),
        response: { 200: answer('A page', listOf(DistanceSchema)), ...refusals('INVALID_REQUEST') },
      },
    },
    async ({ query }) => {
      const scope = scopeOf(query);
      const { network } = scope;
      const from = nodeNamed(network, query.from, 'from');
      const to = query.to === undefined ? undefined : nodeNamed(network, query.to, 'to');
      const portsOf = new Map<number, string[]>();
      for (const { id, node } of network.ports.values()) {
        const known = portsOf.get(node);
        if (known === undefined) portsOf.set(node, [id]);
        else known.push(id);
      }
      const rows = distancesFrom(scope, from)
        .filter(({ node }) => to === undefined || node === to)
        .map(
          ({ node, distance, hops }): Static<typeof DistanceSchema> => ({
            node: network.node(node).id,
            ports: portsOf.get(node) ?? [],
            reachable: distance !== undefined,
            ...(distance === undefined || hops === undefined ? {} : { distance, hops }),
          }),
        );
      return pageInMemory(rows, (row) => row.node, query);
    },
  );
}

function nodeNamed({ nodeIndex, ports }: Network, name: string, pointer: string): number {
  const node = nodeIndex.get(name) ?? ports.get(name)?.node;
  if (node === undefined) throw invalid(pointer, 'names no node and no port of this topology');
  return node;
}

function writeAnalysis(
  scope: Scope,
  { parts, critical, complete }: Structure,
  { sources, nodes, links }: Centrality,
  top: number,
): Omit<Static<typeof AnalysisSchema>, 'version'> {
  const { network, by, ignoreState } = scope;
  const writePart = ({ some, ...part }: Part): Static<typeof PartSchema> => ({
    ...part,
    node_ids: some.map((node) => network.node(node).id),
  });
  const most = <T extends { readonly betweenness: number }>(of: readonly T[]): T[] =>
    [...of].sort((x, y) => y.betweenness - x.betweenness).slice(0, top);
  return {
    by,
    ignore_state: ignoreState,
    nodes: network.nodes.filter((_node, i) => nodeCounts(scope, i)).length,
    parts: parts.slice(0, top).map(writePart),
    parts_total: parts.length,
    single_points: critical
      .slice(0, top)
      .map(({ kind, id, cutOff }) => ({ kind, id, cuts_off: writePart(cutOff) })),
    single_points_total: critical.length,
    single_points_complete: complete,
    central_sources: sources,
    central_nodes: most(nodes).map(({ node, betweenness, closeness, meanDistance }) => ({
      id: network.node(node).id,
      betweenness,
      ...(closeness === undefined ? {} : { closeness }),
      ...(meanDistance === undefined ? {} : { mean_distance: meanDistance }),
    })),
    central_links: most(links).map(({ link, betweenness }) => ({ id: network.link(link).id, betweenness })),
  };
}

const networks = new WeakMap<TopologyDocument, Network>();

/** A compiled network of the analysis' own: that of the broker may change its states in place. */
function networkOf(document: TopologyDocument): Network {
  const known = networks.get(document);
  if (known !== undefined) return known;
  const made = compile(document);
  networks.set(document, made);
  return made;
}

interface Known {
  readonly structure: Structure;
  readonly central: Promise<Centrality>;
}

const analyses = new WeakMap<Network, Map<string, Known>>();

/** Whoever asks for the same waits for the same; other requests go on in between. */
function known(scope: Scope): Known {
  const { network, by, ignoreState } = scope;
  const ofNetwork = analyses.get(network) ?? new Map<string, Known>();
  analyses.set(network, ofNetwork);
  const key = `${by} ${ignoreState}`;
  const before = ofNetwork.get(key);
  if (before !== undefined) return before;
  const made: Known = { structure: structureOf(scope), central: slowly(centrality(scope)) };
  ofNetwork.set(key, made);
  return made;
}

async function slowly<T>(work: Generator<undefined, T, void>): Promise<T> {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    await nextTurn();
  }
}
