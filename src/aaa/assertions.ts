/**
 * Tests of a policy set that are kept with it: who asks what, and what must come out. A set is worth as
 * much as its assertions; `turnpike policy test` and an upload run them. Reading files is done elsewhere.
 */
import { instant } from '../kernel/clock.ts';
import type { Principal } from '../model/principal.ts';
import { type PolicyWorld, see } from './attributes.ts';
import { actions, type DecisionAsk, type Facts, type Seen } from './decide.ts';
import type { PolicySet } from './policySet.ts';

export interface Assertion {
  readonly name: string;
  readonly principal: {
    readonly id?: string;
    readonly roles?: readonly ('operator' | 'user')[];
    readonly groups?: readonly string[];
    readonly projects?: readonly string[];
    readonly assurance?: number;
  };
  readonly action: string;
  readonly project: string;
  /** RFC 3339: when it is asked. */
  readonly at?: string;
  readonly facts?: Facts;
  readonly expect: 'ALLOW' | 'DENY';
  /** Exactly these rules decide. */
  readonly because?: readonly string[];
  /** A clause of this rule is among the near misses. */
  readonly near?: string;
}

export interface AssertionResult {
  readonly name: string;
  readonly ok: boolean;
  readonly detail?: string;
}

const NOBODY = { id: 'test|somebody', roles: ['user'], groups: [], projects: [], assurance: 1 } as const;

export function runAssertions(
  set: PolicySet,
  world: PolicyWorld,
  assertions: readonly Assertion[],
): readonly AssertionResult[] {
  return assertions.map((assertion) => {
    const detail = complaint(set, world, assertion);
    return { name: assertion.name, ok: detail === undefined, ...(detail === undefined ? {} : { detail }) };
  });
}

function complaint(set: PolicySet, world: PolicyWorld, assertion: Assertion): string | undefined {
  const action = actions.find((known) => known === assertion.action);
  if (action === undefined) return `there is no action ${assertion.action}`;
  const who = { ...NOBODY, ...assertion.principal };
  const principal: Principal = { ...who, name: who.id };
  const at = instant(Date.parse(assertion.at ?? '2026-06-01T12:00:00Z'));
  const facts = assertion.facts ?? {};
  const ask: DecisionAsk = { principal, groups: who.groups, action, project: assertion.project, at, facts };
  let seen: Seen;
  try {
    seen = see(ask, world);
  } catch (error) {
    return error instanceof Error ? error.message : 'the facts cannot be told';
  }
  const question = { principal: principal.id, action, project: ask.project, seen };
  const { effect, reasons, errors } = set.judge(question);
  if (errors.length > 0) return errors.join('; ');
  const said = `${effect} by ${reasons.join(', ') || 'no rule'}`;
  if (effect !== assertion.expect) return said;
  if (assertion.because !== undefined && [...assertion.because].sort().join() !== reasons.join()) return said;
  const { near } = assertion;
  if (near !== undefined && !set.nearMisses(question, { effect, reasons }).some((miss) => miss.rule === near))
    return `no clause of ${near} is among the near misses`;
  return undefined;
}
