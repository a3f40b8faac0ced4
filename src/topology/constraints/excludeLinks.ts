/** Links that the path must not use. */
import type { Constraint } from './index.ts';

export const excludeLinks: Constraint = {
  name: 'exclude_links',
  value: 'names',
  about: 'ids of links that the path must avoid',
  link: (value, link) => !(value as readonly string[]).includes(link.id),
};
