/**
 * The states that a cell names are what the diagram shows and the list of allowed actions is made from. A
 * rule may not lead elsewhere (step() sees to that); here the other way round: what is drawn does happen.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { states } from '../../src/model/circuit.ts';
import { matrixOf } from '../../src/model/lifecycle.ts';
import { histories, walk } from './walk.ts';

/**
 * Arrows that no history of ours goes along. The rules look at the light before they take them, and a lit
 * circuit has light; they stay because a wrong guess here would stop a circuit from ending.
 */
const unlikely = {
  HOME: [
    'PROVISIONING ended FAILED',
    'PROVISIONING release ENDED',
    'PROVISIONING cancel CANCELLED',
    'PROVISIONING due ENDED',
    'PROVISIONING due FAILED',
    'ACTIVE ended FAILED',
    'ACTIVE release ENDED',
    'ACTIVE cancel CANCELLED',
    'ACTIVE due ENDED',
    'ACTIVE due FAILED',
  ],
  PARTICIPANT: [
    // A participant commits at once and is never seen in this state.
    'COMMITTING cancel CANCELLED',
    'PROVISIONING abort RESERVING',
    'PROVISIONING free RESERVING',
    'PROVISIONING release ENDED',
    'PROVISIONING cancel CANCELLED',
    'PROVISIONING told RESERVING',
    'PROVISIONING told CANCELLED',
    'PROVISIONING due ENDED',
    'PROVISIONING due FAILED',
    'ACTIVE abort RESERVING',
    'ACTIVE free RESERVING',
    'ACTIVE release ENDED',
    'ACTIVE cancel CANCELLED',
    'ACTIVE told RESERVING',
    'ACTIVE told CANCELLED',
    'ACTIVE due ENDED',
    'ACTIVE due FAILED',
  ],
} as const;

describe.each(['HOME', 'PARTICIPANT'] as const)('%s', (role) => {
  test('every arrow of the diagram is gone along in some history', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(histories(role), (h) => {
        walk(h, (before, event, result) => {
          if (result.kind === 'stepped') seen.add(`${before.state} ${event.type} ${result.circuit.state}`);
        });
      }),
      // One seed: this asks what can happen, and must answer the same every time.
      { numRuns: 12_000, seed: 1 },
    );
    const drawn = states.flatMap((state) =>
      Object.entries(matrixOf(role)[state]).flatMap(([event, cell]) =>
        typeof cell === 'object' ? cell.to.map((to) => `${state} ${event} ${to}`) : [],
      ),
    );
    const known: readonly string[] = unlikely[role];
    expect(drawn.filter((arrow) => !seen.has(arrow) && !known.includes(arrow))).toEqual([]);
    expect(known.filter((arrow) => seen.has(arrow) || !drawn.includes(arrow))).toEqual([]);
  });
});
