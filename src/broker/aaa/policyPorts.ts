/** What the broker needs of a store for its policies: versions that never change, and which was put in force when. */
import type { Assertion } from '../../aaa/assertions.ts';
import type { InstantMs } from '../../kernel/clock.ts';
import type { ProblemCode } from '../../kernel/errors.ts';
import type { PolicyId } from '../../kernel/ids.ts';
import type { Page } from '../page.ts';

/** What a decision's record says of the policy beyond its verdict. */
export interface PolicyTrace {
  /** The version that was in force; absent while there was none. */
  readonly policyId?: PolicyId;
  /** It was allowed and came to nothing all the same. */
  readonly refused?: ProblemCode;
}

/** A version of the policy. Never changed: a decision of years ago still finds the text that made it. */
export interface PolicyRecord {
  readonly id: PolicyId;
  readonly createTime: InstantMs;
  readonly author: string;
  readonly description?: string;
  readonly sha256: string;
  /** Of the schema that it was checked against. */
  readonly schema: string;
  readonly text: string;
  readonly rules: readonly { readonly id: string; readonly effect: 'permit' | 'forbid' }[];
  /** Its tests. */
  readonly assertions: readonly Assertion[];
}

/** From here on this version decides. The last one rules. */
export interface PolicyActivation {
  readonly seq: number;
  readonly time: InstantMs;
  readonly policyId: PolicyId;
  readonly author: string;
  /** The version before, which a roll-back returns to. */
  readonly before?: PolicyId;
}

export interface PolicyQuery {
  readonly limit: number;
  readonly after?: string;
}

export interface PolicyStore {
  /** The last activation and its version. */
  activePolicy(): Promise<
    { readonly activation: PolicyActivation; readonly policy: PolicyRecord } | undefined
  >;
  /** The last time that this version was put in force. */
  lastActivation(id: PolicyId): Promise<PolicyActivation | undefined>;
  policy(id: PolicyId): Promise<PolicyRecord | undefined>;
  /** The latest first. */
  policies(query: PolicyQuery): Promise<Page<PolicyRecord>>;
}
