/** exclude_nodes: the path passes none of these nodes, its ends included. */
import { constraint } from './constraint.ts';
import { excluded, lookUp } from './names.ts';

export const excludeNodes = constraint(
  'exclude_nodes',
  excluded('Nodes that the path must not pass.'),
  (names, { network }) => {
    const { indexes, unknown } = lookUp(names, network.nodeIndex);
    const out = new Set(indexes);
    return { forbidsNode: (node) => out.has(node), unknown };
  },
);
