/** include_domains: the path passes at least one node of each of these domains. */
import { constraint } from './constraint.ts';
import { domainIndex, included, lookUp, visitAll } from './names.ts';

export const includeDomains = constraint(
  'include_domains',
  included('Domains that the path must pass, in any order.'),
  (names, context) => {
    const { unknown } = lookUp(names, domainIndex(context));
    const bits = new Map([...new Set(names)].map((domain, i) => [domain, 2 ** i]));
    const node = (index: number): number => bits.get(context.network.node(index).domain) ?? 0;
    return { automaton: visitAll(bits.size, { node }), unknown };
  },
);
