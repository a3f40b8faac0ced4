/** exclude_srlgs: the path uses no link of these shared-risk groups. */
import { constraint } from './constraint.ts';
import { excluded, lookUp, srlgIndex } from './names.ts';

export const excludeSrlgs = constraint(
  'exclude_srlgs',
  excluded('Shared-risk groups that the path must avoid.'),
  (names, context) => {
    const { unknown } = lookUp(names, srlgIndex(context));
    const out = new Set(names);
    return {
      forbidsLink: (link) => context.network.link(link).srlgs.some((srlg) => out.has(srlg)),
      unknown,
    };
  },
);
