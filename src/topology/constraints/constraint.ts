/**
 * What a path constraint is: a name, the schema of its value, and a pure function that turns a value into
 * rules for one network. The rules are all that the search knows; it never asks a constraint's name except
 * to say which one stood in the way.
 */
import type { Static, TSchema } from 'typebox';
import type { Constraints } from '../../model/circuit.ts';
import type { Metric, Network, NetworkPort } from '../network.ts';

/** A sum over the path that must not pass `most`, in the metric's own measure (ms, cost, hops). */
export interface Bound {
  readonly metric: Metric;
  readonly most: number;
}

/**
 * Something that the path as a whole must have done, as a machine that reads the path step by step. States
 * are 0 .. states - 1; a step is a link and the node that it leads to.
 */
export interface Automaton {
  readonly states: number;
  start(source: number): number;
  /** The next state, or -1 when no path may go on like this. */
  step(state: number, link: number, node: number): number;
  accepts(state: number): boolean;
  /** Nodes that every accepted path still has to pass: they tell the search how far it is at least. */
  pending?(state: number): readonly number[];
}

export interface Rules {
  readonly forbidsLink?: (link: number) => boolean;
  /** Also asked of the two end nodes. */
  readonly forbidsNode?: (node: number) => boolean;
  /** Asked of the two end ports. */
  readonly forbidsPort?: (port: NetworkPort) => boolean;
  readonly bound?: Bound;
  readonly automaton?: Automaton;
  /** Names in the value that this network does not know, with their place in the value ("/0"). */
  readonly unknown?: readonly { readonly pointer: string; readonly name: string }[];
}

export interface Context {
  readonly network: Network;
  /** All constraints of the request, for those that only qualify another one. */
  readonly all: Constraints;
  /** The links of another circuit, by its id. */
  readonly linksOf: (circuit: string) => readonly string[] | undefined;
}

export interface Constraint {
  readonly name: string;
  readonly schema: TSchema;
  readonly rules: (value: unknown, context: Context) => Rules;
}

export function constraint<S extends TSchema>(
  name: string,
  schema: S,
  rules: (value: Static<S>, context: Context) => Rules,
): Constraint {
  // The index checks every value against `schema` before it calls `rules`: that is what the cast relies on.
  return { name, schema, rules: (value, context) => rules(value as Static<S>, context) };
}
