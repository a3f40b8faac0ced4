/**
 * The topology as a graphology graph: the form that operators and the console read, and ask the questions
 * that are not hot (what hangs together, what is central, how far apart). The search does not use it.
 */
import { MultiUndirectedGraph } from 'graphology';
import type { LinkDocument, NodeDocument, PortDocument, TopologyDocument } from './document.ts';

export interface GraphNode extends Omit<NodeDocument, 'id'> {
  readonly ports: readonly PortDocument[];
}
export type GraphLink = Omit<LinkDocument, 'id'>;
/** Everything of the document that is neither node, port nor link. */
export type GraphRest = Omit<TopologyDocument, 'nodes' | 'ports' | 'links'>;

export type TopologyGraph = MultiUndirectedGraph<GraphNode, GraphLink, GraphRest>;

export function toGraph(document: TopologyDocument): TopologyGraph {
  const { nodes, ports, links, ...rest } = document;
  const graph: TopologyGraph = new MultiUndirectedGraph({ allowSelfLoops: false });
  graph.replaceAttributes(rest);
  const portsOf = new Map<string, PortDocument[]>();
  for (const port of ports) portsOf.set(port.node, [...(portsOf.get(port.node) ?? []), port]);
  for (const { id, ...attributes } of nodes) {
    graph.addNode(id, { ...attributes, ports: portsOf.get(id) ?? [] });
  }
  for (const { id, ...attributes } of links) {
    graph.addUndirectedEdgeWithKey(id, attributes.a.node, attributes.z.node, attributes);
  }
  return graph;
}

export function fromGraph(graph: TopologyGraph): TopologyDocument {
  const ports = graph.mapNodes((_id, attributes) => attributes.ports).flat();
  return {
    ...graph.getAttributes(),
    nodes: graph.mapNodes((id, { ports: _ports, ...attributes }) => ({ id, ...attributes })),
    ports,
    links: graph.mapEdges((id, attributes) => ({ id, ...attributes })),
  };
}
