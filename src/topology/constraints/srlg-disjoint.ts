/**
 * srlg_disjoint: the two paths of a protected circuit, and those that diverse_from names, share no risk group
 * either. It forbids nothing by itself: diverse-from.ts and the search for pairs read it.
 */
import { Type } from 'typebox';
import { constraint } from './constraint.ts';

export const srlgDisjoint = constraint(
  'srlg_disjoint',
  Type.Boolean({ description: 'Disjoint paths share no shared-risk group either.' }),
  () => ({}),
);
