/** Who is in the way of a light: everything that is still going out, under each label that it has. */
import { expect, it } from 'vitest';
import { Book } from '../../src/broker/book.ts';
import { inTheWay } from '../../src/broker/circuits/gate.ts';
import { relabel } from '../../src/model/borders.ts';
import { aCircuit, aParticipant, aPending, aPlacement, aSegment, at, span, T0 } from '../support/builders.ts';
import { twoSwitches } from '../support/oneDomain.ts';

it('what shines past its end keeps its label, also where a change of it holds another one', () => {
  // Seed 106, four domains: the hold's label on the link was the one that was remembered.
  const book = new Book({ version: 1, time: T0, document: twoSwitches });
  const other = aSegment({
    uses: [
      { edge: 'port:ams:host1', label: 100 },
      { edge: 'link:l1', label: 5 },
      { edge: 'port:ams:host2', label: 100 },
    ],
  });
  book.put(
    aParticipant({
      state: 'RELEASING',
      outcome: 'FAILED',
      version: 2,
      current: aPlacement(1, { segments: [aSegment({ light: 'DARKENING' })] }),
      pending: aPending('HOLDING', aPlacement(2, { segments: [other], mbps: 2_500 }), { until: at(300) }),
    }),
    [],
  );
  const next = aCircuit({ id: 'cir_00000000000next', state: 'SCHEDULED' });
  const wants = (label: number) => {
    const segment = relabel(relabel(aSegment(), 'a', 7), 'z', 7);
    const uses = segment.uses.map((use) => (use.edge === 'link:l1' ? { ...use, label } : use));
    return inTheWay(book, next, { ...segment, uses }, at(210));
  };
  expect(span(100, 200).end).toBeLessThan(at(210));
  expect([wants(100), wants(5), wants(6)]).toEqual([true, true, false]);
});
