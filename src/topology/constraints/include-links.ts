/** include_links: the path uses every one of these links, in whatever order. */
import { constraint } from './constraint.ts';
import { included, lookUp, visitAll } from './names.ts';

export const includeLinks = constraint(
  'include_links',
  included('Links that the path must use, in any order.'),
  (names, { network }) => {
    const { indexes, unknown } = lookUp(names, network.linkIndex);
    const bits = new Map([...new Set(indexes)].map((link, i) => [link, 2 ** i]));
    return { automaton: visitAll(bits.size, { link: (link) => bits.get(link) ?? 0 }), unknown };
  },
);
