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
  'peer.segment',
] as const;
export type DecidedAction = (typeof actions)[number];

/** Flat facts about the request, as the rules see them; kept with the decision so that it can be replayed. */
export type Facts = Readonly<Record<string, string | number | boolean>>;

export interface DecisionAsk {
  readonly principal: Principal;
  readonly action: DecidedAction;
  readonly project: string;
  readonly at: InstantMs;
  readonly facts: Facts;
}

export interface Verdict {
  readonly effect: 'ALLOW' | 'DENY';
  /** The rules that decided, sorted. */
  readonly reasons: readonly string[];
  readonly policy: string;
}

export type Decide = (ask: DecisionAsk) => Verdict;
