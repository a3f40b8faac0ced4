/**
 * No sequence of attenuations ever widens. The oracle knows nothing of limits: it takes concrete asks (this
 * verb, at this end, at this rate, at this moment, here) and finds that whatever the last token of a chain
 * covers, every token before it covered too; and it has its own mind about what covering is.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Grant,
  type Limits,
  narrow,
  type Stp,
  type TokenAction,
  uncovered,
} from '../../src/tokens/grant.ts';
import { AMS, CIRCUIT, rootClaims, SDG, verdict } from './forge.ts';

const LON = 'https://lon.example';
const actions = ['provision', 'modify', 'release'] as const satisfies readonly TokenAction[];
const stps: readonly Stp[] = ['ams:1', 'ams:2'].flatMap((port): Stp[] => [
  { end: 'a', port },
  { end: 'z', port },
  { end: 'a', port, vlan: 5 },
  { end: 'a', port, vlan: 6 },
]);
const audiences = [AMS, SDG, LON] as const;

const some = <T>(items: readonly T[]): fc.Arbitrary<T[]> => fc.subarray([...items], { minLength: 1 });
const span = fc
  .tuple(fc.nat(8), fc.integer({ min: 1, max: 4 }))
  .map(([start, n]) => ({ start, end: start + n }));
const budget = fc.dictionary(fc.constantFrom(...audiences), fc.nat(6)).map((o) => new Map(Object.entries(o)));

const kinds = {
  aud: some(audiences),
  exp: fc.nat(10),
  actions: some(actions),
  stps: some(stps),
  mbps: fc.integer({ min: 1, max: 6 }),
  window: span,
  dlg: fc.nat(3),
  bud: budget,
};
/** One or two kinds at a time: a link that limits everything at random is refused nearly always. */
const limits: fc.Arbitrary<Limits> = fc
  .subarray(Object.keys(kinds) as (keyof typeof kinds)[], { minLength: 1, maxLength: 2 })
  .chain((names) => fc.record(kinds).map((all) => Object.fromEntries(names.map((n) => [n, all[n]]))));
const grants: fc.Arbitrary<Grant> = fc.record(kinds).map((g) => ({ ...rootClaims().grant, ...g }));

/** Everything that this small world can ask, as one text each. */
function allowed(g: Grant): Set<string> {
  const found = new Set<string>();
  for (const aud of audiences)
    for (let mbit = 1; mbit <= (g.bud.get(aud) ?? 0); mbit++) found.add(`spend ${mbit} at ${aud}`);
  for (let depth = 1; depth <= g.dlg; depth++) found.add(`pass on ${depth} times`);
  for (const aud of audiences.filter((a) => g.aud.includes(a)))
    for (let now = 0; now < g.exp; now++)
      for (const action of actions)
        for (const stp of stps)
          for (const mbps of [1, 3, 6])
            for (const start of [0, 2, 5, 8]) {
              const ask = { action, circuit: CIRCUIT, stps: [stp], mbps, window: { start, end: start + 2 } };
              const covered =
                g.actions.includes(action) &&
                mbps <= g.mbps &&
                g.window.start <= start &&
                start + 2 <= g.window.end &&
                g.stps.some(
                  (s) => s.end === stp.end && s.port === stp.port && [undefined, stp.vlan].includes(s.vlan),
                );
              expect(uncovered(g, ask) === undefined).toBe(covered);
              if (covered)
                found.add(`${aud} ${now} ${action} ${stp.end}${stp.port}.${stp.vlan} ${mbps} ${start}`);
            }
  return found;
}

test('whatever the last covers, all before it covered', () => {
  let followed = 0;
  fc.assert(
    fc.property(grants, fc.array(limits, { minLength: 1, maxLength: 4 }), (first, chain) => {
      let grant = first;
      for (const lim of chain) {
        let next = grant;
        if (verdict(() => (next = narrow(grant, lim))) !== 'accepted') continue;
        followed++;
        const before = allowed(grant);
        for (const ask of allowed(next)) expect(before).toContain(ask);
        expect(next.dlg).toBeLessThan(grant.dlg);
        grant = next;
      }
    }),
    { numRuns: 400 },
  );
  // A property about links that were all refused would say nothing.
  expect(followed).toBeGreaterThan(50);
});

test('a narrower limit of one kind is accepted, and only that changes', () => {
  const { grant } = rootClaims();
  const one: Limits[] = [
    { mbps: 1 },
    { exp: grant.exp - 1 },
    { aud: [SDG] },
    { actions: ['release'] },
    { stps: [{ end: 'z', port: 'sdg:host1', vlan: 9 }] },
    { window: { start: grant.window.start + 1, end: grant.window.end - 1 } },
    { bud: new Map([[SDG, 1]]) },
    { dlg: 0 },
  ];
  for (const lim of one) expect(narrow(grant, lim)).toEqual({ ...grant, dlg: grant.dlg - 1, ...lim });
});
