/**
 * The path constraints that the search understands, by the names that requests carry. Each is one file; a new
 * one is added here, and the request's schema and its refusals follow from this list.
 */
import type { Bottleneck } from '../../kernel/errors.ts';
import type { Constraints } from '../../model/circuit.ts';
import type { NetLink } from '../network.ts';
import { excludeLinks } from './excludeLinks.ts';
import { excludeNodes } from './excludeNodes.ts';
import { maxHops } from './maxHops.ts';
import { maxLatency } from './maxLatency.ts';

export interface Constraint {
  readonly name: string;
  readonly value: 'names' | 'number';
  readonly about: string;
  /** May the search use this link at all? */
  link?(value: unknown, link: NetLink): boolean;
  /** What is wrong with a whole path, if anything. */
  path?(value: unknown, route: readonly NetLink[]): Bottleneck | undefined;
}

export const constraints: readonly Constraint[] = [excludeLinks, excludeNodes, maxHops, maxLatency];

export function edgeFilters(asked: Constraints): (link: NetLink) => boolean {
  const active = constraints.filter((c) => c.link !== undefined && asked[c.name] !== undefined);
  return (link) => active.every((c) => c.link?.(asked[c.name], link) ?? true);
}

export function pathChecks(asked: Constraints, route: readonly NetLink[]): Bottleneck | undefined {
  for (const c of constraints) {
    const refusal = asked[c.name] === undefined ? undefined : c.path?.(asked[c.name], route);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** Names in a request that no constraint here answers to. */
export const unknownConstraints = (asked: Constraints): string[] =>
  Object.keys(asked).filter((name) => !constraints.some((c) => c.name === name));
