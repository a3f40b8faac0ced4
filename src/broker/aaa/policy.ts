/**
 * Versions of the policy: what an upload must pass, putting one in force, and going back. A version is never
 * changed; which one decides is a row of its own. A set that does not load never takes the place of one that
 * does, and one under which its author could not take it back is not put in force either.
 */
import { type Assertion, type AssertionResult, runAssertions } from '../../aaa/assertions.ts';
import type { PolicyWorld } from '../../aaa/attributes.ts';
import { actions } from '../../aaa/decide.ts';
import { type InForce, inWords, type PastDecision, Policies, simulate } from '../../aaa/policies.ts';
import { loadPolicies, type PolicySet } from '../../aaa/policySet.ts';
import { schemaSha256 } from '../../aaa/schema.ts';
import { BrokerError, type FieldError } from '../../kernel/errors.ts';
import { newId, type PolicyId } from '../../kernel/ids.ts';
import type { Random } from '../../kernel/random.ts';
import type { Call } from '../calls.ts';
import type { DecisionRecord } from '../ports.ts';
import type { Tx } from '../tx.ts';
import type { StoredRefusal } from '../writer.ts';
import type { Authoriser } from './authorise.ts';
import type { PolicyActivation, PolicyRecord } from './policyPorts.ts';

/** A version before it is one. */
export interface PolicyDraft {
  readonly text: string;
  readonly assertions: readonly Assertion[];
  readonly description?: string;
}

export interface PolicyView {
  readonly policy: PolicyRecord;
  readonly active: boolean;
}

/** The stored version, ready to decide; or why it cannot: then everything is closed. */
export function inForceOf(policy: PolicyRecord): InForce {
  const loaded = loadPolicies(policy.text);
  if (!loaded.ok) return { closed: `the policy ${policy.id} does not load: ${inWords(loaded.problems)}` };
  return loaded.set.sha256 === policy.sha256
    ? loaded.set
    : { closed: `the text of the policy ${policy.id} is not the one that was stored` };
}

export function uploadPolicy(
  tx: Tx,
  authoriser: Authoriser,
  random: Random,
  call: Call,
  draft: PolicyDraft,
): PolicyRecord | StoredRefusal {
  const facts = { characters: draft.text.length, assertions: draft.assertions.length };
  const refusal = authoriser.refusal(tx, { ...call, action: 'policy.write', project: '', facts });
  if (refusal !== undefined) return refusal;
  return enter(tx, random, call.principal.id, draft);
}

function enter(tx: Tx, random: Random, author: string, draft: PolicyDraft): PolicyRecord {
  const { text, assertions, description } = draft;
  const loaded = loadPolicies(text);
  if (!loaded.ok) {
    throw malformed(
      'the policy set is not loaded',
      loaded.problems.map(({ rule, detail }) => ({
        pointer: '/text',
        detail: rule === undefined ? detail : `${rule}: ${detail}`,
      })),
    );
  }
  const { set } = loaded;
  try {
    const errors = runAssertions(set, tx.book.rules.policies.world, assertions).flatMap((result, i) =>
      result.ok ? [] : [{ pointer: `/assertions/${i}`, detail: `${result.name}: ${result.detail}` }],
    );
    if (errors.length > 0) throw malformed('the policy set does not pass its own tests', errors);
    const policy: PolicyRecord = {
      id: newId('pol', tx.now, random),
      createTime: tx.now,
      author,
      sha256: set.sha256,
      schema: schemaSha256,
      text,
      rules: set.rules,
      assertions,
      ...(description === undefined ? {} : { description }),
    };
    tx.policies.push(policy);
    return policy;
  } finally {
    set.close();
  }
}

const malformed = (what: string, errors: readonly FieldError[]): BrokerError =>
  new BrokerError('INVALID_REQUEST', `${what}: ${errors.map((e) => e.detail).join('; ')}`, { errors });

/** What a store without a policy begins with. Nobody is asked: there is nobody yet who could be. */
export function seedPolicy(tx: Tx, random: Random, draft: PolicyDraft): void {
  const policy = enter(tx, random, 'seed', draft);
  tx.activate({ seq: 1, time: tx.now, policyId: policy.id, author: 'seed' }, mustLoad(policy));
}

/** `before` is the version to which a later roll-back returns; the one in force, unless this is a roll-back. */
export function activatePolicy(
  tx: Tx,
  authoriser: Authoriser,
  call: Call,
  policy: PolicyRecord,
  back?: { readonly from: PolicyActivation; readonly before: PolicyId | undefined },
): PolicyView | StoredRefusal {
  const { rules } = tx.book;
  const facts = { policy: policy.id, policy_sha256: policy.sha256 };
  const refusal = authoriser.refusal(tx, { ...call, action: 'policy.activate', project: '', facts });
  if (refusal !== undefined) return refusal;
  const last = rules.activation;
  if (back !== undefined && back.from.seq !== last?.seq)
    throw new BrokerError('POLICY_UNFIT', 'another version was put in force meanwhile');
  if (last?.policyId === policy.id && rules.policies.set !== undefined) return { policy, active: true };
  const set = mustLoad(policy);
  mustPass(set, rules.policies.world, policy);
  mustLetMend(tx, set, call);
  const before = back === undefined ? last?.policyId : back.before;
  tx.activate(
    {
      seq: (last?.seq ?? 0) + 1,
      time: tx.now,
      policyId: policy.id,
      author: call.principal.id,
      ...(before === undefined ? {} : { before }),
    },
    set,
  );
  return { policy, active: true };
}

function mustLoad(policy: PolicyRecord): PolicySet {
  const inForce = inForceOf(policy);
  if ('closed' in inForce) throw new BrokerError('POLICY_UNFIT', inForce.closed);
  return inForce;
}

function mustPass(set: PolicySet, world: PolicyWorld, { assertions }: PolicyRecord): void {
  const failed = runAssertions(set, world, assertions).filter((result) => !result.ok);
  if (failed.length === 0) return;
  set.close();
  const said = failed.map(({ name, detail }) => `${name}: ${detail}`).join('; ');
  throw new BrokerError('POLICY_UNFIT', `it does not pass its own tests: ${said}`);
}

/** Who puts a version in force must be able to take it back. */
function mustLetMend(tx: Tx, set: PolicySet, { principal }: Call): void {
  const under = new Policies(set, tx.book.rules.policies.world);
  const groups = principal.groups === undefined ? {} : { groups: principal.groups };
  const ask = { principal, project: '', at: tx.now, facts: {}, ...groups };
  if (under.decide({ ...ask, action: 'policy.activate' }).effect === 'ALLOW') return;
  set.close();
  throw new BrokerError('POLICY_UNFIT', 'under it you could not put another version in force');
}

export function testPolicy(policy: PolicyRecord, world: PolicyWorld): readonly AssertionResult[] {
  const set = mustLoad(policy);
  try {
    return runAssertions(set, world, policy.assertions);
  } finally {
    set.close();
  }
}

// ---- what would have been decided ------------------------------------------------------------------------

export interface PolicySimulation {
  /** So many were looked at. */
  readonly decisions: number;
  /** Of these, so many lack something that this version looks at, or were no decision of a policy. */
  readonly unknown: number;
  readonly changes: readonly {
    readonly decisionId: string;
    readonly was: 'ALLOW' | 'DENY';
    readonly becomes: 'ALLOW' | 'DENY';
    readonly rules: readonly string[];
  }[];
  /** There are older ones that were not looked at. */
  readonly more: boolean;
}

/** Sums over other circuits are only in the record when a rule looked at them then. */
const SUMS = ['project_circuits', 'project_mbps', 'group_circuits', 'group_mbps'] as const;

/** Decides past questions again by another version; `pages` comes with the latest first. */
export async function simulatePolicy(
  policy: PolicyRecord,
  pages: AsyncIterable<readonly DecisionRecord[]>,
  most: number,
): Promise<PolicySimulation> {
  const set = mustLoad(policy);
  let [decisions, unknown, more] = [0, 0, false];
  const changes: PolicySimulation['changes'][number][] = [];
  try {
    for await (const page of pages) {
      const past = page.slice(0, most - decisions);
      more = past.length < page.length || page.length === 0;
      const known = past.flatMap((record) => pastOf(record, set) ?? []);
      const found = simulate(set, known);
      decisions += past.length;
      unknown += past.length - known.length + found.erased;
      changes.push(
        ...found.changes.map(({ id, was, becomes, reasons }) => ({
          decisionId: id,
          was,
          becomes,
          rules: reasons,
        })),
      );
      if (more) break;
    }
  } finally {
    set.close();
  }
  return { decisions, unknown, changes, more };
}

/** Undefined where the record does not hold all that would be looked at. */
function pastOf(record: DecisionRecord, set: PolicySet): PastDecision | undefined {
  const { id, principal, project, seen, effect, reasons } = record;
  const action = actions.find((one) => one === record.action);
  if (action === undefined || seen === undefined || record.errors !== undefined) return undefined;
  const missing = SUMS.some((name) => set.reads(action, name) && 'a_port' in seen && !(name in seen));
  return missing ? undefined : { id, principal, action, project, seen, effect, reasons };
}
