/**
 * What a circuit claims of the network, against a slow oracle that looks at every second by itself: on one
 * edge two placements count as the larger of both, never as their sum, and each label once.
 */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  type Circuit,
  claims,
  finalStates,
  type PendingPhase,
  type Placement,
  placements,
  states,
} from '../../src/model/circuit.ts';
import { aCircuit, aPending, aPlacement, aSegment, at, span, theirSegment } from '../support/builders.ts';

const EDGES = ['link:l1', 'link:l2', 'port:ams:host1'] as const;
const LAST = 12;

const placementArb = (version: number): fc.Arbitrary<Placement> =>
  fc
    .record({
      start: fc.integer({ min: 0, max: LAST - 1 }),
      length: fc.integer({ min: 1, max: LAST }),
      mbps: fc.integer({ min: 1, max: 5 }),
      uses: fc.uniqueArray(
        fc.record(
          { edge: fc.constantFrom(...EDGES), label: fc.integer({ min: 2, max: 4 }) },
          { requiredKeys: ['edge'] },
        ),
        { selector: (use) => use.edge, maxLength: 3 },
      ),
      far: fc.boolean(),
    })
    .map(({ start, length, mbps, uses, far }) =>
      aPlacement(version, {
        window: span(start, Math.min(LAST, start + length)),
        mbps,
        segments: [aSegment({ uses }), ...(far ? [theirSegment('sdg.example', { uses })] : [])],
      }),
    );

const circuitArb: fc.Arbitrary<Circuit> = fc
  .record({
    state: fc.constantFrom(...states),
    current: fc.option(placementArb(1), { nil: undefined }),
    pending: fc.option(placementArb(2), { nil: undefined }),
    phase: fc.constantFrom<PendingPhase>('HOLDING', 'COMMITTING', 'LIGHTING', 'RETIRING', 'EXPIRED'),
  })
  .map(({ state, current, pending, phase }) =>
    aCircuit({
      state,
      ...(current === undefined ? {} : { current }),
      ...(pending === undefined ? {} : { pending: aPending(phase, pending) }),
    }),
  );

interface Share {
  readonly mbps: number;
  readonly labels: readonly number[];
}

/** The law itself: at one second of one edge, the most that any placement takes and all labels they name. */
function lawful(c: Circuit, edge: string, second: number): Share {
  if ((finalStates as readonly string[]).includes(c.state)) return { mbps: 0, labels: [] };
  const here = placements(c).filter((p) => p.window.start <= at(second) && at(second) < p.window.end);
  const uses = here.flatMap((p) =>
    p.segments
      .filter((s) => s.local)
      .flatMap((s) => s.uses.map((use) => ({ ...use, mbps: p.mbps })))
      .filter((use) => use.edge === edge),
  );
  const labels = new Set(uses.flatMap((use) => (use.label === undefined ? [] : [use.label])));
  return { mbps: Math.max(0, ...uses.map((use) => use.mbps)), labels: [...labels].sort() };
}

function claimed(c: Circuit, edge: string, second: number): Share {
  const here = claims(c).filter((k) => k.edge === edge && k.start <= at(second) && at(second) < k.end);
  return {
    mbps: here.reduce((sum, k) => sum + k.mbps, 0),
    labels: here.flatMap((k) => (k.label === undefined ? [] : [k.label])).sort(),
  };
}

describe('claims()', () => {
  it('is the pointwise maximum of both placements, second by second', () => {
    fc.assert(
      fc.property(circuitArb, (c) => {
        for (const edge of EDGES) {
          for (let second = 0; second <= LAST; second++) {
            expect(claimed(c, edge, second), `${edge} at ${second}`).toEqual(lawful(c, edge, second));
          }
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('never claims an empty window', () => {
    fc.assert(
      fc.property(circuitArb, (c) => {
        for (const claim of claims(c)) expect(claim.start).toBeLessThan(claim.end);
      }),
    );
  });

  test.each(finalStates)('is nothing once %s', (state) => {
    expect(claims(aCircuit({ state, current: aPlacement(1) }))).toEqual([]);
  });

  test('is nothing for an expired hold, and everything for one that runs', () => {
    const pending = aPlacement(1);
    expect(claims(aCircuit({ pending: aPending('EXPIRED', pending) }))).toEqual([]);
    expect(claims(aCircuit({ pending: aPending('HOLDING', pending) }))).toHaveLength(3);
  });

  test('a change of bandwidth in place claims only what is more', () => {
    const c = aCircuit({
      current: aPlacement(1, { mbps: 1000 }),
      pending: aPending('HOLDING', aPlacement(2, { mbps: 1500 })),
    });
    expect(claims(c).map((k) => k.mbps)).toEqual([1000, 1000, 1000, 500, 500, 500]);
  });
});
