/** max_hops: the path uses at most so many links. */
import { Type } from 'typebox';
import { constraint } from './constraint.ts';

export const maxHops = constraint(
  'max_hops',
  Type.Integer({ minimum: 0, maximum: 10_000, description: 'The most links that the path may use.' }),
  (most) => ({ bound: { metric: 'hops', most } }),
);
