/** include_nodes: the path passes every one of these nodes, in whatever order. */
import { constraint } from './constraint.ts';
import { included, lookUp, visitAll } from './names.ts';

export const includeNodes = constraint(
  'include_nodes',
  included('Nodes that the path must pass, in any order.'),
  (names, { network }) => {
    const { indexes, unknown } = lookUp(names, network.nodeIndex);
    const nodes = [...new Set(indexes)];
    const bits = new Map(nodes.map((node, i) => [node, 2 ** i]));
    return {
      automaton: visitAll(nodes.length, { node: (node) => bits.get(node) ?? 0 }, (missing) =>
        nodes.filter((_, i) => (missing & (2 ** i)) !== 0),
      ),
      unknown,
    };
  },
);
