/** Nodes that the path must not cross. The ends of the circuit are where they are. */
import type { Constraint } from './index.ts';

export const excludeNodes: Constraint = {
  name: 'exclude_nodes',
  value: 'names',
  about: 'ids of nodes that the path must avoid',
  link: (value, link) => !(value as readonly string[]).includes(link.to),
};
