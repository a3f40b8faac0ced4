/**
 * The policy in force. A new text either takes the place of the old at once and whole, or says what is wrong
 * with it and leaves the old one deciding. `decide` is what the broker asks; `explain` answers the same and
 * adds what would have been needed. Versions, and who may activate one, are the store's and the API's.
 */
import { type PolicyWorld, PRINCIPAL_IN, see } from './attributes.ts';
import type { Decide, DecisionAsk, NearMiss, Seen, Verdict } from './decide.ts';
import {
  closedOn,
  type Judgement,
  loadPolicies,
  type PolicyProblem,
  type PolicyQuestion,
  type PolicySet,
} from './policySet.ts';

export interface Explanation extends Verdict {
  readonly nearMisses: readonly NearMiss[];
}

export class Policies {
  #set: PolicySet;
  readonly #world: PolicyWorld;

  private constructor(set: PolicySet, world: PolicyWorld) {
    this.#set = set;
    this.#world = world;
  }

  /** Throws an Error that lists the problems: without a policy nothing starts. */
  static open(text: string, world: PolicyWorld): Policies {
    const loaded = loadPolicies(text);
    if (!loaded.ok) throw new Error(`the policy set is not loaded: ${inWords(loaded.problems)}`);
    return new Policies(loaded.set, world);
  }

  get set(): PolicySet {
    return this.#set;
  }

  /** The problems that keep `text` from deciding; none, and it decides from here on. */
  activate(text: string): readonly PolicyProblem[] {
    const loaded = loadPolicies(text);
    if (!loaded.ok) return loaded.problems;
    const old = this.#set;
    this.#set = loaded.set;
    old.close();
    return [];
  }

  readonly decide: Decide = (ask) => {
    const [verdict, question] = this.#judge(ask);
    return verdict.effect === 'ALLOW' || question === undefined || verdict.reasons.length > 0
      ? verdict
      : { ...verdict, nearMisses: this.#set.nearMisses(question) };
  };

  explain(ask: DecisionAsk): Explanation {
    const [verdict, question] = this.#judge(ask);
    return { ...verdict, nearMisses: question === undefined ? [] : this.#set.nearMisses(question) };
  }

  #judge(ask: DecisionAsk): [Verdict, PolicyQuestion | undefined] {
    let seen: Seen;
    try {
      seen = see(ask, this.#world);
    } catch (error) {
      const closed = closedOn(error instanceof Error ? error.message : 'the facts cannot be told');
      return [verdictOf(closed, this.#set, {}), undefined];
    }
    const question = { principal: ask.principal.id, action: ask.action, project: ask.project, seen };
    return [verdictOf(this.#set.judge(question), this.#set, seen), question];
  }
}

const verdictOf = ({ effect, reasons, errors }: Judgement, set: PolicySet, seen: Seen): Verdict => ({
  effect,
  reasons,
  policy: set.sha256,
  seen,
  ...(errors.length === 0 ? {} : { errors }),
});

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
