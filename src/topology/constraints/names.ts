/** What the constraints that name things have in common: the schema of a list of names, and looking them up. */
import { Type } from 'typebox';
import type { Automaton, Context, Rules } from './constraint.ts';

export const MAX_EXCLUDED = 256;
/** The search remembers which ones it has passed: every further one may double its work. */
export const MAX_INCLUDED = 8;

export const excluded = (description: string) =>
  Type.Array(Type.String({ maxLength: 256 }), { maxItems: MAX_EXCLUDED, description });
export const included = (description: string) =>
  Type.Array(Type.String({ maxLength: 256 }), { maxItems: MAX_INCLUDED, description });

export interface Found {
  readonly indexes: readonly number[];
  readonly unknown: NonNullable<Rules['unknown']>;
}

export function lookUp(names: readonly string[], index: ReadonlyMap<string, number>): Found {
  const indexes: number[] = [];
  const unknown: { pointer: string; name: string }[] = [];
  names.forEach((name, i) => {
    const at = index.get(name);
    if (at === undefined) unknown.push({ pointer: `/${i}`, name });
    else indexes.push(at);
  });
  return { indexes, unknown };
}

/** Numbers for the domains and for the risk groups of a network, in order of their names. */
export const domainIndex = ({ network }: Context): ReadonlyMap<string, number> =>
  numbered(network.nodes.map((node) => node.domain));
export const srlgIndex = ({ network }: Context): ReadonlyMap<string, number> =>
  numbered([
    ...network.links.flatMap((link) => link.srlgs),
    ...(network.document.srlgs ?? []).map((srlg) => srlg.id),
  ]);

const numbered = (names: readonly string[]): ReadonlyMap<string, number> =>
  new Map([...new Set(names)].sort().map((name, i) => [name, i]));

/** Accepts the paths that have met all of `count` things, in whatever order: one bit for each. */
export function visitAll(
  count: number,
  metBy: { node?: (node: number) => number; link?: (link: number) => number },
  pending?: (missing: number) => readonly number[],
): Automaton {
  const all = 2 ** count - 1;
  return {
    states: 2 ** count,
    start: (source) => metBy.node?.(source) ?? 0,
    step: (state, link, node) => state | (metBy.link?.(link) ?? 0) | (metBy.node?.(node) ?? 0),
    accepts: (state) => state === all,
    ...(pending === undefined ? {} : { pending: (state: number) => pending(all & ~state) }),
  };
}
