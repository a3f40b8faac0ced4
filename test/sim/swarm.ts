/**
 * What a run may have more or less of than usual. A fault that needs a rare coincidence is looked for in a world
 * in which that coincidence is common: more losses, fewer labels, slots that follow each other at once.
 */
import type { NetFaults } from './peers.ts';

export interface Swarm {
  readonly net: NetFaults;
  /** How often a calamity comes with a visit, and how often that is two domains that do not reach each other. */
  readonly calamities: number;
  readonly partitions: number;
  /** How often a process dies in a call of the store. */
  readonly deaths: number;
  /** How often an order is long under way before its device has it. */
  readonly astray: number;
  /** What devices are said to take: so much before its start a circuit is lit, where nobody is in its way. */
  readonly setupMs: number;
  /** The labels of every port. */
  readonly labels: string;
  /** How many requests are for another domain. */
  readonly abroad: number;
  /** What is wanted: anything; windows that leave much choice; slots right behind another's on its ports. */
  readonly wishes: 'ANY' | 'MOVABLE' | 'BEHIND';
  /** How many circuits last ten minutes and more. */
  readonly lasting: number;
  /** How many visits are to what is there already, of a hundred. */
  readonly touches: number;
  /** How much more often than anything else they extend a circuit. */
  readonly extends: number;
  /** The longest pause between two visits. */
  readonly pauseMs: number;
  /** Whether, in a world of more than two, one lies or dies for good. */
  readonly villains: boolean;
}

export const usual: Swarm = {
  net: { lost: 0.06, twice: 0.1, late: 0.05 },
  calamities: 0.08,
  partitions: 3 / 13,
  deaths: 0.003,
  astray: 0.02,
  setupMs: 5_000,
  labels: '2-5',
  abroad: 0.4,
  wishes: 'ANY',
  lasting: 0.08,
  touches: 45,
  extends: 2,
  pauseMs: 5_000,
  villains: true,
};
