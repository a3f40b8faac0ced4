/**
 * One question to the policy in force for each thing that somebody wants, and one record of the answer. The
 * record is written in the transaction of what it allowed; a denial is written by itself. What the rules are
 * told is facts.ts.
 */
import type { DecidedAction, DecisionAsk, Facts, NearMiss, Verdict } from '../../aaa/decide.ts';
import type { Explanation } from '../../aaa/policies.ts';
import { BrokerError, type ProblemDetails } from '../../kernel/errors.ts';
import { type CircuitId, type DecisionId, newId } from '../../kernel/ids.ts';
import type { Random } from '../../kernel/random.ts';
import type { Principal } from '../../model/principal.ts';
import type { DecisionRecord } from '../ports.ts';
import type { Tx } from '../tx.ts';
import { StoredRefusal } from '../writer.ts';

export interface Question {
  readonly principal: Principal;
  readonly requestId: string;
  readonly action: DecidedAction;
  readonly project: string;
  readonly circuitId?: CircuitId;
  readonly facts: Facts;
  readonly sequence?: DecisionRecord['sequence'];
  readonly token?: DecisionRecord['token'];
}

/** The same question without what only a record needs. */
export type Supposed = Omit<Question, 'requestId' | 'circuitId'>;

export class Authoriser {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Asks and records. Gives the problem when the answer is no: the record stays, everything else must not. */
  ask(tx: Tx, question: Question): { readonly id: DecisionId; readonly denied?: BrokerError } {
    const { principal, action, project, facts, requestId, circuitId } = question;
    const { policies, policyId } = tx.book.rules;
    const verdict = policies.decide(askOf(tx, question));
    const id = newId('dec', tx.now, this.#random);
    tx.decided({
      ...verdict,
      id,
      time: tx.now,
      principal: principal.id,
      action,
      project,
      requestId,
      sequence: question.sequence ?? 'AGENT',
      facts,
      ...(question.token === undefined ? {} : { token: question.token }),
      ...(circuitId === undefined ? {} : { circuitId }),
      ...(policyId === undefined ? {} : { policyId }),
    });
    if (verdict.effect === 'ALLOW') return { id };
    const details: ProblemDetails = {
      // What is only tried leaves no record to look at.
      ...(tx.isPreview ? {} : { decision_id: id }),
      rules: verdict.reasons,
      needed: verdict.nearMisses ?? [],
    };
    return { id, denied: new BrokerError('POLICY_DENIED', inWords(action, verdict), details) };
  }

  /** The same for whoever needs the denial only. */
  refusal(tx: Tx, question: Question): StoredRefusal | undefined {
    const { denied } = this.ask(tx, question);
    return denied === undefined ? undefined : new StoredRefusal(denied);
  }

  /** What would be answered; nothing is written. */
  explain(tx: Tx, question: Supposed): Explanation {
    return tx.book.rules.policies.explain(askOf(tx, question));
  }
}

function askOf(tx: Tx, { principal, action, project, facts, sequence }: Supposed): DecisionAsk {
  return {
    principal,
    action,
    project,
    at: tx.now,
    facts: sequence === undefined ? facts : { ...facts, sequence },
    ...(principal.groups === undefined ? {} : { groups: principal.groups }),
  };
}

function inWords(action: DecidedAction, { reasons, errors, nearMisses = [] }: Verdict): string {
  if (errors !== undefined)
    return `${action} is not allowed, because the policy failed: ${errors.join('; ')}`;
  if (reasons.length > 0) return `${action} is forbidden by ${reasons.join(', ')}`;
  const near = [...new Set(nearMisses.map((miss: NearMiss) => miss.rule))];
  return near.length === 0
    ? `${action} is not allowed: no rule permits it to you`
    : `${action} is not allowed: ${near.join(', ')} would permit it, but for what needed[] names`;
}
