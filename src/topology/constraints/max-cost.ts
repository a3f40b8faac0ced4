/** max_cost: the costs of the path's links sum up to at most this. */
import { Type } from 'typebox';
import { constraint } from './constraint.ts';

export const maxCost = constraint(
  'max_cost',
  Type.Number({ minimum: 0, maximum: 1e15, description: 'The most that the links may cost together.' }),
  (most) => ({ bound: { metric: 'cost', most } }),
);
