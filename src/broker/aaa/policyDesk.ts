/**
 * What the broker does for those who ask about the policy or change it: versions, their tests, what another
 * one would have decided, what would be decided now. policy.ts has the rules; here they meet store and writer.
 */
import type { AssertionResult } from '../../aaa/assertions.ts';
import type { DecidedAction, Facts } from '../../aaa/decide.ts';
import type { Explanation } from '../../aaa/policies.ts';
import { actionGroups } from '../../aaa/schema.ts';
import type { InstantMs } from '../../kernel/clock.ts';
import { BrokerError } from '../../kernel/errors.ts';
import type { CircuitId, PolicyId } from '../../kernel/ids.ts';
import type { Random } from '../../kernel/random.ts';
import type { Circuit, CircuitRequest } from '../../model/circuit.ts';
import type { Principal } from '../../model/principal.ts';
import type { CircuitChange, Mutated, Mutation } from '../calls.ts';
import { factsOfVerb, wishedSlot } from '../circuits/actions.ts';
import { fixedSlot } from '../circuits/request.ts';
import type { Mutations } from '../mutations.ts';
import type { Office } from '../office.ts';
import type { Page } from '../page.ts';
import type { DecisionRecord, Store } from '../ports.ts';
import type { Queries } from '../queries.ts';
import type { Tx } from '../tx.ts';
import type { StoredRefusal } from '../writer.ts';
import { factsOf } from './facts.ts';
import {
  activatePolicy,
  type PolicyDraft,
  type PolicySimulation,
  type PolicyView,
  simulatePolicy,
  testPolicy,
  uploadPolicy,
} from './policy.ts';
import type { PolicyQuery, PolicyRecord } from './policyPorts.ts';

/** What somebody would like to know beforehand: about something new, something that stands, or neither. */
export interface ExplainAsk {
  readonly action: DecidedAction;
  readonly project?: string;
  readonly request?: CircuitRequest;
  readonly circuitId?: CircuitId;
  readonly change?: CircuitChange;
  /** In the place of what would be found: what if it were otherwise. */
  readonly suppose?: Facts;
}

export interface Explained extends Explanation {
  readonly action: DecidedAction;
  readonly project: string;
  readonly policyId?: PolicyId;
}

const PAST_PAGE = 500;

export class PolicyDesk {
  readonly #office: Office;
  readonly #mutations: Mutations;
  readonly #queries: Queries;
  readonly #store: Store;
  readonly #random: Random;

  constructor(
    office: Office,
    mutations: Mutations,
    queries: Queries,
    ports: { readonly store: Store; readonly random: Random },
  ) {
    this.#office = office;
    this.#mutations = mutations;
    this.#queries = queries;
    this.#store = ports.store;
    this.#random = ports.random;
  }

  /**
   * At the door of what is for operators, before a body is read: refuses whom no rule lets in at all, with a
   * record. What only reads is decided here; a change is decided again with all that is known of it.
   */
  async enter(
    call: Pick<Mutation<unknown>, 'principal' | 'requestId' | 'validateOnly'>,
    action: DecidedAction,
  ): Promise<void> {
    const term = this.#office.now();
    const question = { ...call, action, project: '', facts: {} };
    if (actionGroups[action] !== 'inspect') {
      const { effect, reasons, errors, nearMisses } = term.writer.preview((tx) =>
        term.authoriser.explain(tx, question),
      );
      const perhaps = reasons.length > 0 || nearMisses.length > 0 || errors !== undefined;
      if (effect === 'ALLOW' || perhaps) return;
    }
    const decide = (tx: Tx): StoredRefusal | undefined => term.authoriser.refusal(tx, question);
    if (call.validateOnly) term.writer.preview(decide);
    else await term.writer.submit(decide);
  }

  /** Would it be allowed? Writes nothing. */
  async explain(principal: Principal, ask: ExplainAsk): Promise<Explained> {
    const stored =
      ask.circuitId === undefined ? undefined : await this.#queries.circuit(principal, ask.circuitId);
    const term = this.#office.now();
    return term.writer.preview((tx) => {
      const { action } = ask;
      const circuit = stored === undefined ? undefined : (tx.book.circuits.get(stored.id) ?? stored);
      const project =
        circuit?.request.project ?? ask.request?.project ?? ask.project ?? principal.projects[0] ?? '';
      const facts = { ...supposed(tx, principal, ask, circuit), ...ask.suppose };
      const { policyId } = tx.book.rules;
      return {
        ...term.authoriser.explain(tx, { principal, action, project, facts }),
        action,
        project,
        ...(policyId === undefined ? {} : { policyId }),
      };
    });
  }

  upload(call: Mutation<PolicyRecord>, draft: PolicyDraft): Promise<Mutated<PolicyRecord>> {
    return this.#mutations.run(call, (tx, term) =>
      uploadPolicy(tx, term.authoriser, this.#random, call, draft),
    );
  }

  async activate(call: Mutation<PolicyView>, id: PolicyId): Promise<Mutated<PolicyView>> {
    const policy = await this.#record(id);
    return this.#mutations.run(call, (tx, term) => activatePolicy(tx, term.authoriser, call, policy));
  }

  /** Puts the version in force that was so before the present one. */
  async rollBack(call: Mutation<PolicyView>): Promise<Mutated<PolicyView>> {
    const from = this.#office.now().book.rules.activation;
    if (from?.before === undefined)
      throw new BrokerError('POLICY_UNFIT', 'there is no version before the one in force');
    const policy = await this.#record(from.before);
    const earlier = await this.#store.lastActivation(policy.id);
    const back = { from, before: earlier?.before };
    return this.#mutations.run(call, (tx, term) => activatePolicy(tx, term.authoriser, call, policy, back));
  }

  async one(id: PolicyId): Promise<PolicyView> {
    return this.#viewed(await this.#record(id));
  }

  async list(query: PolicyQuery): Promise<Page<PolicyView>> {
    const page = await this.#store.policies(query);
    return { ...page, items: page.items.map((policy) => this.#viewed(policy)) };
  }

  async test(id: PolicyId): Promise<readonly AssertionResult[]> {
    const policy = await this.#record(id);
    return testPolicy(policy, this.#office.now().book.rules.policies.world);
  }

  /** Which of the latest decisions that version would turn round. */
  async simulate(
    id: PolicyId,
    query: { readonly from?: InstantMs; readonly before?: InstantMs; readonly most: number },
  ): Promise<PolicySimulation> {
    const { most, ...times } = query;
    return simulatePolicy(await this.#record(id), this.#past(times), most);
  }

  async *#past(times: {
    readonly from?: InstantMs;
    readonly before?: InstantMs;
  }): AsyncGenerator<readonly DecisionRecord[]> {
    let after: string | undefined;
    do {
      const page: Page<DecisionRecord> = await this.#store.decisions({
        ...times,
        limit: PAST_PAGE,
        ...(after === undefined ? {} : { after }),
      });
      yield page.items;
      after = page.next;
    } while (after !== undefined);
  }

  #viewed(policy: PolicyRecord): PolicyView {
    return { policy, active: this.#office.now().book.rules.policyId === policy.id };
  }

  async #record(id: PolicyId): Promise<PolicyRecord> {
    const policy = await this.#store.policy(id);
    if (policy === undefined) throw new BrokerError('NOT_FOUND', `there is no policy ${id}`);
    return policy;
  }
}

function supposed(tx: Tx, who: Principal, ask: ExplainAsk, circuit: Circuit | undefined): Facts {
  const { action, request, change } = ask;
  if (circuit !== undefined)
    return factsOfVerb(tx, action, circuit, who, change === undefined ? {} : wishedSlot(circuit, change));
  return request === undefined ? {} : factsOf(tx, action, request, { slot: fixedSlot(request, tx.now) });
}
