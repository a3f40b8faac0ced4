/**
 * diverse_from: the path shares no link with any of these circuits; with srlg_disjoint, no shared-risk group
 * either. For two circuits that protect one another on their owner's account.
 */
import { Type } from 'typebox';
import { constraint } from './constraint.ts';

export const diverseFrom = constraint(
  'diverse_from',
  Type.Array(Type.String({ maxLength: 64 }), {
    maxItems: 64,
    description: 'Circuits with which the path must share no link.',
  }),
  (circuits, { network, all, linksOf }) => {
    const unknown: { pointer: string; name: string }[] = [];
    const links = new Set<number>();
    const risks = new Set<string>();
    circuits.forEach((circuit, i) => {
      const used = linksOf(circuit);
      if (used === undefined) unknown.push({ pointer: `/${i}`, name: circuit });
      for (const id of used ?? []) {
        // A link that has left the topology since cannot be used again either.
        const link = network.linkIndex.get(id);
        if (link === undefined) continue;
        links.add(link);
        for (const srlg of network.link(link).srlgs) risks.add(srlg);
      }
    });
    const alsoRisks = all['srlg_disjoint'] === true;
    return {
      forbidsLink: (link) =>
        links.has(link) || (alsoRisks && network.link(link).srlgs.some((srlg) => risks.has(srlg))),
      unknown,
    };
  },
);
