/**
 * Every path constraint, once. The request schema of the API derives from this list, and the search compiles
 * a request's constraints through it; a new constraint is a file beside this one and a line here.
 */
import { Value } from 'typebox/value';
import type { Constraints } from '../../model/circuit.ts';
import type { NetworkPort } from '../network.ts';
import type { Automaton, Bound, Constraint, Context } from './constraint.ts';
import { diverseFrom } from './diverse-from.ts';
import { excludeDomains } from './exclude-domains.ts';
import { excludeLinks } from './exclude-links.ts';
import { excludeNodes } from './exclude-nodes.ts';
import { excludeSrlgs } from './exclude-srlgs.ts';
import { explicitRoute } from './explicit-route.ts';
import { includeDomains } from './include-domains.ts';
import { includeLinks } from './include-links.ts';
import { includeNodes } from './include-nodes.ts';
import { includeSrlgs } from './include-srlgs.ts';
import { maxCost } from './max-cost.ts';
import { maxHops } from './max-hops.ts';
import { maxLatencyMs } from './max-latency-ms.ts';
import { minMtu } from './min-mtu.ts';
import { srlgDisjoint } from './srlg-disjoint.ts';

export const constraints: readonly Constraint[] = [
  excludeLinks,
  excludeNodes,
  excludeDomains,
  excludeSrlgs,
  includeLinks,
  includeNodes,
  includeDomains,
  includeSrlgs,
  explicitRoute,
  maxHops,
  maxLatencyMs,
  maxCost,
  minMtu,
  diverseFrom,
  srlgDisjoint,
];

export interface ConstraintError {
  /** Relative to the constraints object: "/exclude_links/0". */
  readonly pointer: string;
  readonly detail: string;
}

/** All rules of a request in one place, each with the name of its constraint. */
export interface CompiledConstraints {
  readonly links: readonly { readonly name: string; readonly forbids: (link: number) => boolean }[];
  readonly nodes: readonly { readonly name: string; readonly forbids: (node: number) => boolean }[];
  readonly ports: readonly { readonly name: string; readonly forbids: (port: NetworkPort) => boolean }[];
  readonly bounds: readonly (Bound & { readonly name: string })[];
  readonly automata: readonly (Automaton & { readonly name: string })[];
  readonly errors: readonly ConstraintError[];
}

export const noConstraints: CompiledConstraints = {
  links: [],
  nodes: [],
  ports: [],
  bounds: [],
  automata: [],
  errors: [],
};

export function compileConstraints(context: Context): CompiledConstraints {
  const made = {
    links: [] as CompiledConstraints['links'][number][],
    nodes: [] as CompiledConstraints['nodes'][number][],
    ports: [] as CompiledConstraints['ports'][number][],
    bounds: [] as CompiledConstraints['bounds'][number][],
    automata: [] as CompiledConstraints['automata'][number][],
    errors: [...schemaErrors(context.all)],
  };
  if (made.errors.length > 0) return made;
  for (const { name, rules } of constraints) {
    const value = context.all[name];
    if (value === undefined) continue;
    const { forbidsLink, forbidsNode, forbidsPort, bound, automaton, unknown } = rules(value, context);
    if (forbidsLink !== undefined) made.links.push({ name, forbids: forbidsLink });
    if (forbidsNode !== undefined) made.nodes.push({ name, forbids: forbidsNode });
    if (forbidsPort !== undefined) made.ports.push({ name, forbids: forbidsPort });
    if (bound !== undefined) made.bounds.push({ name, ...bound });
    if (automaton !== undefined) made.automata.push({ name, ...automaton });
    for (const { pointer, name: what } of unknown ?? []) {
      made.errors.push({ pointer: `/${name}${pointer}`, detail: `nothing here is called "${what}"` });
    }
  }
  return made;
}

function* schemaErrors(all: Constraints): Generator<ConstraintError> {
  for (const [name, value] of Object.entries(all)) {
    const known = constraints.find((constraint) => constraint.name === name);
    if (known === undefined) {
      yield { pointer: `/${name}`, detail: 'no such constraint' };
      continue;
    }
    for (const { instancePath, message } of Value.Errors(known.schema, value)) {
      yield { pointer: `/${name}${instancePath}`, detail: message };
    }
  }
}
