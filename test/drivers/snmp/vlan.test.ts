/** The plans, carried out on the emulated MIB with all its rules: the oracle is what the switch then holds. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  decideDark,
  decideLight,
  decideRestore,
  type Image,
  type Step,
  vlanOf,
  type Way,
  type Wish,
} from '../../../src/drivers/snmp/vlan.ts';
import { Bridge, quirksOf } from '../../../src/lab/snmp/bridge.ts';
import { BridgeMib } from '../../../src/lab/snmp/mib.ts';

const CIRCUIT = 'cir_01jd0a1b2c3d4e5f6g7h8j9kmn';
const PORTS = 8;

function machine(dialect: string) {
  const quirks = { ...(quirksOf[dialect] as (typeof quirksOf)[string]) };
  const bridge = new Bridge(
    'b',
    Array.from({ length: PORTS }, (_, i) => ({ name: `${i}` })),
    quirks as never,
  );
  const mib = new BridgeMib(
    bridge,
    () => 0,
    () => ({ upTicks: 0, boots: 1, engineSeconds: 0 }),
  );
  const image = (): Image => ({
    rows: new Map(
      [...bridge.vlans].map(([id, v]) => [
        id,
        {
          name: v.name,
          egress: v.egress,
          untagged: v.untagged,
          octets: quirks.listOctets,
          active: v.status === 'active',
        },
      ]),
    ),
    pvids: new Map(bridge.pvids),
    octets: quirks.listOctets,
  });
  const run = (steps: readonly Step[]): void => {
    for (const step of steps) expect([step.what, mib.set(step.varbinds, 0)]).toEqual([step.what, undefined]);
  };
  const text = (): string =>
    JSON.stringify([
      [...bridge.vlans]
        .map(([id, v]) => [id, v.name, [...v.egress].toSorted(), [...v.untagged].toSorted(), v.status])
        .toSorted((a, b) => Number(a[0]) - Number(b[0])),
      [...bridge.pvids].toSorted((a, b) => a[0] - b[0]),
    ]);
  return { bridge, image, run, text };
}

const ways: Record<string, Way> = {
  standard: { order: 'create-first', style: 'one' },
  dell: { order: 'create-first', style: 'bare' },
  'leave-first': { order: 'leave-first', style: 'wait' },
};

const wishes = fc
  .record({
    a: fc.integer({ min: 1, max: PORTS }),
    z: fc.integer({ min: 1, max: PORTS }),
    aTagged: fc.boolean(),
    zTagged: fc.boolean(),
    vlan: fc.integer({ min: 2, max: 4094 }),
    version: fc.integer({ min: 1, max: 3 }),
  })
  .filter(({ a, z }) => a !== z)
  .map(
    ({ a, z, aTagged, zTagged, vlan, version }): Wish => ({
      owner: { circuit: CIRCUIT, version, epoch: 1 },
      vlan,
      ports: [a, z],
      untagged: [...(aTagged ? [] : [a]), ...(zTagged ? [] : [z])],
    }),
  );

describe.each(Object.entries(ways))('on a %s switch', (dialect, way) => {
  test('light is what was wished; dark and restore lead back', () => {
    fc.assert(
      fc.property(wishes, (wish) => {
        const m = machine(dialect);
        const before = m.image();
        const was = m.text();
        const light = decideLight(before, wish, way, 1);
        if (light.type !== 'steps') throw new Error('nothing to do');
        m.run(light.steps);
        const row = m.bridge.vlans.get(wish.vlan);
        expect([...(row?.egress ?? [])].toSorted()).toEqual([...wish.ports].toSorted());
        expect([...(row?.untagged ?? [])].toSorted()).toEqual([...wish.untagged].toSorted());
        for (const port of wish.untagged) {
          expect(m.bridge.pvids.get(port)).toBe(wish.vlan);
          expect(m.bridge.vlans.get(1)?.egress.has(port)).toBe(false);
        }
        expect(decideLight(m.image(), wish, way, 1)).toEqual({ type: 'already' });
        const lit = m.text();

        const dark = decideDark(m.image(), wish, way, 1);
        if (dark.type !== 'steps') throw new Error('nothing to do');
        m.run(dark.steps);
        expect(m.text()).toBe(was);
        expect(decideDark(m.image(), wish, way, 1)).toEqual({ type: 'already' });

        m.run(light.steps);
        expect(m.text()).toBe(lit);
        m.run(decideRestore(before, m.image(), wish, way) ?? []);
        expect(m.text()).toBe(was);
      }),
      { numRuns: 150 },
    );
  });

  test('light that stopped after any step is restored, or completed', () => {
    fc.assert(
      fc.property(wishes, fc.nat(4), (wish, stop) => {
        const m = machine(dialect);
        const before = m.image();
        const was = m.text();
        const light = decideLight(before, wish, way, 1);
        if (light.type !== 'steps') throw new Error('nothing to do');
        m.run(light.steps.slice(0, stop % (light.steps.length + 1)));
        const half = m.image();
        m.run(decideRestore(before, half, wish, way) ?? []);
        expect(m.text()).toBe(was);
        m.run(light.steps.slice(0, stop % (light.steps.length + 1)));
        const rest = decideLight(m.image(), wish, way, 1);
        if (rest.type === 'steps') m.run(rest.steps);
        expect(decideLight(m.image(), wish, way, 1)).toEqual({ type: 'already' });
      }),
      { numRuns: 150 },
    );
  });

  test('a newer placement takes over from an older, and restoring brings the older back', () => {
    fc.assert(
      fc.property(wishes, wishes, (first, second) => {
        const m = machine(dialect);
        const older = { ...first, owner: { ...first.owner, version: 1 } };
        const newer = { ...second, owner: { ...second.owner, version: 2 } };
        const one = decideLight(m.image(), older, way, 1);
        if (one.type === 'steps') m.run(one.steps);
        const between = m.image();
        const was = m.text();
        const two = decideLight(between, newer, way, 1);
        if (two.type !== 'steps') throw new Error('nothing to do');
        m.run(two.steps);
        expect(decideLight(m.image(), newer, way, 1)).toEqual({ type: 'already' });
        m.run(decideRestore(between, m.image(), newer, way) ?? []);
        expect(m.text()).toBe(was);
        // The other way round: out of date.
        m.run(two.steps);
        const row = decideLight(m.image(), { ...older, vlan: newer.vlan }, way, 1);
        expect(row).toMatchObject({ type: 'rejected', retry: false });
      }),
      { numRuns: 150 },
    );
  });

  test('nothing foreign is ever written to', () => {
    fc.assert(
      fc.property(
        wishes,
        fc.array(
          fc.tuple(
            fc.integer({ min: 2, max: 4094 }),
            fc.uniqueArray(fc.integer({ min: 1, max: PORTS }), { maxLength: 4 }),
            fc.boolean(),
          ),
          { maxLength: 4 },
        ),
        (wish, others) => {
          const m = machine(dialect);
          for (const [vlan, ports, tagged] of others) {
            m.bridge.vlans.set(vlan, {
              name: `theirs ${vlan}`,
              egress: new Set(ports),
              forbidden: new Set(),
              untagged: new Set(tagged ? [] : ports),
              status: 'active',
            });
          }
          const theirs = (): string =>
            JSON.stringify(
              [...m.bridge.vlans]
                .filter(([, v]) => v.name.startsWith('theirs'))
                .map(([id, v]) => [id, [...v.egress], [...v.untagged]]),
            );
          const before = theirs();
          const image = m.image();
          for (const decision of [decideLight(image, wish, way, 1), decideDark(image, wish, way, 1)]) {
            if (decision.type !== 'steps') continue;
            for (const step of decision.steps) {
              for (const { oid } of step.varbinds) {
                for (const [vlan] of others) expect(oid.endsWith(`.4.3.1.2.${vlan}`)).toBe(false);
              }
            }
          }
          expect(theirs()).toBe(before);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe.each(Object.entries(ways))('a release on a %s switch', (dialect, way) => {
  test('that was broken off after any step is finished by the next one', () => {
    fc.assert(
      fc.property(wishes, fc.nat(4), (wish, stop) => {
        const m = machine(dialect);
        const was = m.text();
        const light = decideLight(m.image(), wish, way, 1);
        if (light.type === 'steps') m.run(light.steps);
        const dark = decideDark(m.image(), wish, way, 1);
        if (dark.type !== 'steps') throw new Error('nothing to do');
        m.run(dark.steps.slice(0, stop % (dark.steps.length + 1)));
        const rest = decideDark(m.image(), wish, way, 1);
        if (rest.type === 'steps') m.run(rest.steps);
        expect(m.text()).toBe(was);
      }),
      { numRuns: 150 },
    );
  });
});

test('a VLAN switch does not translate labels', () => {
  expect(vlanOf(5, 5)).toBe(5);
  expect(vlanOf(0, 5)).toBe(5);
  expect(vlanOf(5, 0)).toBe(5);
  expect(vlanOf(0, 0)).toBe(0);
  expect(() => vlanOf(5, 6)).toThrow(/cannot carry label 5 out as 6/);
});
