/** exclude_domains: the path passes no node of these domains. */
import { constraint } from './constraint.ts';
import { domainIndex, excluded, lookUp } from './names.ts';

export const excludeDomains = constraint(
  'exclude_domains',
  excluded('Domains that the path must not pass.'),
  (names, context) => {
    const { unknown } = lookUp(names, domainIndex(context));
    const out = new Set(names);
    return { forbidsNode: (node) => out.has(context.network.node(node).domain), unknown };
  },
);
