/**
 * The policy in force, and what it answers. A set takes the place of the one before at once and whole; while
 * there is none, everything is denied but what only gives back, and what an operator does to put one in force.
 * Versions, and who may activate one, are the broker's.
 */
import { isOperator } from '../model/principal.ts';
import { type PolicyWorld, PRINCIPAL_IN, see } from './attributes.ts';
import type { DecidedAction, DecisionAsk, NearMiss, Seen, Verdict } from './decide.ts';
import {
  closedOn,
  type Judgement,
  type PolicyProblem,
  type PolicyQuestion,
  type PolicySet,
} from './policySet.ts';
import { actionGroups, schemaSha256 } from './schema.ts';

export interface Explanation extends Verdict {
  readonly nearMisses: readonly NearMiss[];
}

/** No rule is called like these two: ids of rules are in lower case. */
export const REDUCE_ONLY = 'REDUCE_ONLY';
const REPAIR = 'REPAIR';
const REPAIRS: readonly DecidedAction[] = ['policy.read', 'policy.write', 'policy.activate'];
/** In the place of a set's hash. */
const NONE = 'NONE';

/** A set, or why there is none. */
export type InForce = PolicySet | { readonly closed: string };

export class Policies {
  #inForce: InForce;
  readonly #world: PolicyWorld;

  constructor(inForce: InForce, world: PolicyWorld) {
    this.#inForce = inForce;
    this.#world = world;
  }

  get world(): PolicyWorld {
    return this.#world;
  }

  /** Undefined: everything is closed, and `closed` says why. */
  get set(): PolicySet | undefined {
    return 'closed' in this.#inForce ? undefined : this.#inForce;
  }
  get closed(): string | undefined {
    return 'closed' in this.#inForce ? this.#inForce.closed : undefined;
  }

  /** Decides from here on. What is given back puts the one before in its place again. */
  use(next: InForce): () => void {
    const before = this.#inForce;
    this.#inForce = next;
    return () => {
      this.#inForce = before;
    };
  }

  decide(ask: DecisionAsk): Verdict {
    const { verdict, question } = this.#judge(ask);
    if (verdict.effect === 'ALLOW' || question === undefined || verdict.errors !== undefined) return verdict;
    return { ...verdict, nearMisses: this.set?.nearMisses(question, verdict) ?? [] };
  }

  /** The same, and what else would have allowed it. */
  explain(ask: DecisionAsk): Explanation {
    const { verdict, question } = this.#judge(ask);
    const nearMisses = question === undefined ? undefined : this.set?.nearMisses(question, verdict);
    return { ...verdict, nearMisses: nearMisses ?? [] };
  }

  #judge(ask: DecisionAsk): { readonly verdict: Verdict; readonly question?: PolicyQuestion } {
    const { set } = this;
    const answer = ({ effect, reasons, errors }: Judgement, seen?: Seen): Verdict => ({
      effect,
      reasons,
      policy: set?.sha256 ?? NONE,
      schema: schemaSha256,
      ...(seen === undefined ? {} : { seen }),
      ...(errors.length === 0 ? {} : { errors }),
    });
    let seen: Seen;
    try {
      seen = see(ask, this.#world);
    } catch (error) {
      const said = error instanceof Error ? error.message : 'the facts cannot be told';
      return { verdict: pardoned(answer(closedOn(said)), ask, set) };
    }
    if (set === undefined)
      return { verdict: pardoned(answer(closedOn(this.closed ?? 'closed'), seen), ask, set) };
    const question = { principal: ask.principal.id, action: ask.action, project: ask.project, seen };
    return { verdict: pardoned(answer(set.judge(question), seen), ask, set), question };
  }
}

/** A mistake in a policy must keep no light on, and must not keep out who can mend it. */
function pardoned(verdict: Verdict, { action, principal }: DecisionAsk, set: PolicySet | undefined): Verdict {
  if (verdict.errors === undefined) return verdict;
  if (reduces(action)) return { ...verdict, effect: 'ALLOW', reasons: [REDUCE_ONLY] };
  return set === undefined && REPAIRS.includes(action) && isOperator(principal)
    ? { ...verdict, effect: 'ALLOW', reasons: [REPAIR] }
    : verdict;
}

const reduces = (action: DecidedAction): boolean => actionGroups[action] === 'reduce';

/** Was a decision that met errors rightly a yes? */
export const isPardon = (action: DecidedAction, policy: string, reasons: readonly string[]): boolean =>
  reduces(action)
    ? reasons.join() === REDUCE_ONLY
    : reasons.join() === REPAIR && policy === NONE && REPAIRS.includes(action);

export const inWords = (problems: readonly PolicyProblem[]): string =>
  problems.map((p) => (p.rule === undefined ? p.detail : `${p.rule}: ${p.detail}`)).join('; ');

/** A stored decision as far as the policy is concerned. */
export interface PastDecision extends Omit<PolicyQuestion, 'principal'> {
  readonly id: string;
  /** Absent when it has been erased. */
  readonly principal?: string;
  readonly effect: 'ALLOW' | 'DENY';
  readonly reasons: readonly string[];
}

export type Replay =
  | 'SAME'
  | 'ERASED'
  | { readonly effect: 'ALLOW' | 'DENY'; readonly reasons: readonly string[] };

/** Decides a past question again, with the set that decided it or with another. */
export function replay(set: PolicySet, past: PastDecision): Replay {
  if (past.principal === undefined && set.namesUsers) return 'ERASED';
  if (past.seen[PRINCIPAL_IN] === undefined) return 'ERASED';
  const { effect, reasons } = set.judge({ ...past, principal: past.principal ?? 'erased' });
  const same = effect === past.effect && reasons.join('\n') === past.reasons.join('\n');
  return same ? 'SAME' : { effect, reasons };
}

export interface Change {
  readonly id: string;
  readonly was: 'ALLOW' | 'DENY';
  readonly becomes: 'ALLOW' | 'DENY';
  readonly reasons: readonly string[];
}
export interface Simulation {
  readonly decisions: number;
  readonly erased: number;
  readonly changes: readonly Change[];
}

/** Which past decisions another set would turn round. Those that keep their effect for other reasons are no change. */
export function simulate(set: PolicySet, past: Iterable<PastDecision>): Simulation {
  let [decisions, erased] = [0, 0];
  const changes: Change[] = [];
  for (const one of past) {
    decisions++;
    const again = replay(set, one);
    if (again === 'ERASED') erased++;
    else if (again !== 'SAME' && again.effect !== one.effect)
      changes.push({ id: one.id, was: one.effect, becomes: again.effect, reasons: again.reasons });
  }
  return { decisions, erased, changes };
}
