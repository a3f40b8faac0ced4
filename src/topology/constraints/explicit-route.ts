/**
 * explicit_route: nodes and links that the path passes in this order. After a loose step anything may lie in
 * between; a strict one is the very next thing (RFC 3209, explicit routes, with names in place of addresses).
 * The source node counts as passed when it is named first.
 */
import { Type } from 'typebox';
import { constraint } from './constraint.ts';

const MAX_STEPS = 32;
const strict = Type.Optional(Type.Boolean({ description: 'The very next hop. Loose when absent.' }));
const step = Type.Union([
  Type.Object({ node: Type.String({ maxLength: 256 }), strict }, { additionalProperties: false }),
  Type.Object({ link: Type.String({ maxLength: 256 }), strict }, { additionalProperties: false }),
]);

export const explicitRoute = constraint(
  'explicit_route',
  Type.Array(step, { maxItems: MAX_STEPS, description: 'Nodes and links that the path passes, in order.' }),
  (steps, { network }) => {
    const unknown: { pointer: string; name: string }[] = [];
    const route = steps.map((wanted, i) => {
      const [name, index] =
        'node' in wanted
          ? [wanted.node, network.nodeIndex.get(wanted.node)]
          : [wanted.link, network.linkIndex.get(wanted.link)];
      const kind = 'node' in wanted ? ('node' as const) : ('link' as const);
      if (index === undefined) unknown.push({ pointer: `/${i}/${kind}`, name });
      return { kind, index: index ?? -1, strict: wanted.strict === true };
    });
    return {
      automaton: {
        states: route.length + 1,
        start: (source) => (route[0]?.kind === 'node' && route[0].index === source ? 1 : 0),
        step(state, link, node) {
          let at = state;
          let wanted = route[at];
          if (wanted === undefined) return at;
          if (wanted.kind === 'link') {
            if (wanted.index === link) at++;
            else if (wanted.strict) return -1;
            else return at;
            wanted = route[at];
            // A node named right after the link is the one that the link leads to, or comes later.
            if (wanted?.kind === 'node' && wanted.index === node) at++;
            else if (wanted?.kind === 'node' && wanted.strict) return -1;
            return at;
          }
          if (wanted.index === node) return at + 1;
          return wanted.strict ? -1 : at;
        },
        accepts: (state) => state === route.length,
        pending: (state) =>
          route
            .slice(state)
            .filter((wanted) => wanted.kind === 'node')
            .map((wanted) => wanted.index),
      },
      unknown,
    };
  },
);
