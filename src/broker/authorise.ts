/**
 * One question to the policy for each thing that somebody wants, and one record of the answer. The record is
 * written in the transaction of what it allowed; a denial is written by itself.
 */
import type { Decide, DecidedAction, Facts } from '../aaa/decide.ts';
import { NEVER, rfc3339 } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import { type CircuitId, type DecisionId, newId } from '../kernel/ids.ts';
import type { Random } from '../kernel/random.ts';
import type { CircuitRequest } from '../model/circuit.ts';
import type { Principal } from '../model/principal.ts';
import type { Window } from '../model/window.ts';
import type { DecisionRecord } from './ports.ts';
import type { Tx } from './tx.ts';

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

export class Authoriser {
  readonly #decide: Decide;
  readonly #random: Random;

  constructor(decide: Decide, random: Random) {
    this.#decide = decide;
    this.#random = random;
  }

  /** Asks and records. Gives the problem when the answer is no: the record stays, everything else must not. */
  ask(tx: Tx, question: Question): { readonly id: DecisionId; readonly denied?: BrokerError } {
    const { principal, action, project, facts } = question;
    const verdict = this.#decide({ principal, action, project, facts, at: tx.now });
    const id = newId('dec', tx.now, this.#random);
    tx.decided({
      ...verdict,
      id,
      time: tx.now,
      principal: principal.id,
      action,
      project,
      requestId: question.requestId,
      sequence: question.sequence ?? 'AGENT',
      facts,
      ...(question.token === undefined ? {} : { token: question.token }),
      ...(question.circuitId === undefined ? {} : { circuitId: question.circuitId }),
    });
    if (verdict.effect === 'ALLOW') return { id };
    return {
      id,
      denied: new BrokerError('POLICY_DENIED', `${action} is not allowed: ${verdict.reasons.join(', ')}`, {
        decision_id: id,
      }),
    };
  }
}

export const factsOf = (
  request: CircuitRequest,
  slot?: { readonly window: Window; readonly mbps: number },
): Facts => ({
  a_port: request.a.port,
  z_port: request.z.port,
  bandwidth_mbps: slot?.mbps ?? request.mbps,
  schedule: request.schedule.type,
  provision: request.provision,
  priority: request.priority,
  ...(slot === undefined
    ? {}
    : {
        start_time: rfc3339(slot.window.start),
        ...(slot.window.end === NEVER ? {} : { end_time: rfc3339(slot.window.end) }),
      }),
});
