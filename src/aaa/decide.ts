/**
 * What a decision is: who asked to do what to which circuit, and the answer with its rules. Every admission
 * and every action on a circuit asks one of these, and the answer is stored with what it allowed.
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
  'set.commit',
  'set.abort',
  'set.cancel',
  'webhook.write',
  'topology.write',
  'project.write',
  'quota.write',
  'network.inspect',
  'audit.read',
  'audit.erase',
  'policy.read',
  'policy.write',
  'policy.activate',
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

/** A clause that stood in the way, with the values that it looked at. */
export interface NearMiss {
  readonly rule: string;
  /** Of a permit, the clause that did not hold; of a forbid that applied, one that had to be otherwise. */
  readonly effect: 'permit' | 'forbid';
  readonly clause: string;
  readonly values: Seen;
}

export interface Verdict {
  readonly effect: 'ALLOW' | 'DENY';
  /** The rules that decided, sorted. */
  readonly reasons: readonly string[];
  /** The hash of the set that decided; NONE when none is in force. */
  readonly policy: string;
  /** The hash of the schema that it was checked against. */
  readonly schema: string;
  /** What went wrong while deciding. The answer is then no, but to what only gives back, or repairs. */
  readonly errors?: readonly string[];
  /** Everything the rules could see: with the set of that hash it decides again, and the same. */
  readonly seen?: Seen;
  /** On a denial. */
  readonly nearMisses?: readonly NearMiss[];
}
