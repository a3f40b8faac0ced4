/**
 * What a decision is: who asked to do what to which circuit, and the answer with its rules. Every admission
 * and every action on a circuit asks exactly one of these, and the answer is stored with what it allowed.
 * How it is decided is somebody else's file.
 */
import type { InstantMs } from '../kernel/clock.ts';
import type { Principal } from '../model/principal.ts';

export const actions = [
  'circuit.create',
  'circuit.commit',
  'circuit.abort',
  'circuit.extend-hold',
  'circuit.provision',
  'circuit.release',
  'circuit.cancel',
  'circuit.modify',
  'circuit.reroute',
  'series.create',
  'series.cancel',
  'set.create',
  'set.act',
  'webhook.write',
  'topology.write',
  'project.write',
  'quota.write',
  'peer.segment',
  'token.issue',
  'token.attenuate',
  'token.revoke',
  'token.keys',
] as const;
export type DecidedAction = (typeof actions)[number];

/** Flat facts about the request, as the rules see them; kept with the decision so that it can be replayed. */
export type Facts = Readonly<Record<string, string | number | boolean>>;
/** What the rules could see in the end: the facts, and what was worked out from them. */
export type Seen = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export interface DecisionAsk {
  readonly principal: Principal;
  readonly action: DecidedAction;
  readonly project: string;
  readonly at: InstantMs;
  readonly facts: Facts;
  /** Groups with their lineage in the name: `lhc/cms/ops` is in `lhc/cms` and in `lhc`. */
  readonly groups?: readonly string[];
}

/** One clause of a rule that would have allowed it, had the clause held; with the values that it looked at. */
export interface NearMiss {
  readonly rule: string;
  readonly clause: string;
  readonly values: Seen;
}

export interface Verdict {
  readonly effect: 'ALLOW' | 'DENY';
  /** The rules that decided, sorted. */
  readonly reasons: readonly string[];
  /** The set that decided: its hash, or the name of what stands in for one. */
  readonly policy: string;
  /** What went wrong while deciding; whenever there is something, the answer is no. */
  readonly errors?: readonly string[];
  /** Everything the rules could see: with the set of that hash it decides again, and the same. */
  readonly seen?: Seen;
  /** On a denial that no rule names. */
  readonly nearMisses?: readonly NearMiss[];
}

export type Decide = (ask: DecisionAsk) => Verdict;
