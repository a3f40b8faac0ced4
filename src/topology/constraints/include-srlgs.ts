/** include_srlgs: the path uses at least one link of each of these shared-risk groups. */
import { constraint } from './constraint.ts';
import { included, lookUp, srlgIndex, visitAll } from './names.ts';

export const includeSrlgs = constraint(
  'include_srlgs',
  included('Shared-risk groups that the path must use, in any order.'),
  (names, context) => {
    const { unknown } = lookUp(names, srlgIndex(context));
    const bits = new Map([...new Set(names)].map((srlg, i) => [srlg, 2 ** i]));
    const link = (index: number): number =>
      context.network.link(index).srlgs.reduce((met, srlg) => met | (bits.get(srlg) ?? 0), 0);
    return { automaton: visitAll(bits.size, { link }), unknown };
  },
);
