/** At most so many links. The search finds the fewest, so that a longer path cannot be what is missing. */
import type { Constraint } from './index.ts';

export const maxHops: Constraint = {
  name: 'max_hops',
  value: 'number',
  about: 'the most links that the path may have',
  path: (value, route) =>
    route.length <= (value as number)
      ? undefined
      : {
          kind: 'NO_ROUTE',
          id: 'max_hops',
          detail: `the shortest free path has ${route.length} links, ${value as number} are allowed`,
        },
};
