/** The domain that policies are tried in, here and in the examples' own assertions. */
import type { PolicyWorld } from '../../src/aaa/attributes.ts';
import type { DecisionAsk } from '../../src/aaa/decide.ts';
import { Policies } from '../../src/aaa/policies.ts';
import { type Loaded, loadPolicies, type PolicySet } from '../../src/aaa/policySet.ts';
import { instant } from '../../src/kernel/clock.ts';

export const world: PolicyWorld = {
  zone: 'Europe/Amsterdam',
  prefixes: ['ams'],
  portGroups: (port) => (port.startsWith('ams:campus') ? ['campus'] : []),
  isCommercial: (project) => project === 'shop',
};

export const ask = (over: Partial<DecisionAsk> = {}): DecisionAsk => ({
  principal: { id: 'idp|anna', name: 'Anna', roles: ['user'], projects: ['lhc'], assurance: 1 },
  action: 'circuit.create',
  project: 'lhc',
  at: instant(Date.parse('2026-06-03T10:00:00Z')),
  facts: {},
  ...over,
});

export function loaded(text: string): PolicySet {
  const result: Loaded = loadPolicies(text);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.set;
}

export const inForce = (text: string): Policies => new Policies(loaded(text), world);
