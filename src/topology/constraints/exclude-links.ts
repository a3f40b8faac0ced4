/** exclude_links: the path uses none of these links. */
import { constraint } from './constraint.ts';
import { excluded, lookUp } from './names.ts';

export const excludeLinks = constraint(
  'exclude_links',
  excluded('Links that the path must not use.'),
  (names, { network }) => {
    const { indexes, unknown } = lookUp(names, network.linkIndex);
    const out = new Set(indexes);
    return { forbidsLink: (link) => out.has(link), unknown };
  },
);
