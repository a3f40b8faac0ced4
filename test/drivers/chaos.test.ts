/**
 * Orders of two circuits that get in each other's way, on elements with faults drawn from a seed. After each
 * order what was said must be what is there; when the faults are over everything can be put right.
 */
import { afterEach, expect, test } from 'vitest';
import { tagOf } from '../../src/drivers/owner.ts';
import { instant } from '../../src/kernel/clock.ts';
import type { CircuitId } from '../../src/kernel/ids.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import type { Segment } from '../../src/model/circuit.ts';
import { type Rig, snmpRig, tl1Rig } from '../contract/driver-rig.ts';
import { CIRCUIT, clock, contextOf, OTHER, type PathLab, pathLab, segmentOf } from './path-lab.ts';

let lab: PathLab | undefined;
afterEach(async () => {
  await lab?.close();
  lab = undefined;
});

type Seeded = ReturnType<typeof seededRandom>;

function disturb(rig: Rig, random: Seeded): void {
  const snmp = rig.driver.protocol === 'snmp';
  switch (random.int(snmp ? 7 : 5)) {
    case 0:
      rig.faults.loseAnswers = 1 + random.int(2);
      break;
    case 1:
      rig.faults.deny.push(snmp ? 'genErr' : 'SARB');
      break;
    case 2:
      rig.faults.deny.push(snmp ? 'inconsistentValue' : 'SNVS', snmp ? 'resourceUnavailable' : 'IIAC');
      break;
    case 3:
      rig.faults.writeMs = [0, 40];
      break;
    case 4:
      rig.reboot();
      break;
    case 5:
      rig.faults.failCommits = 1;
      break;
    default:
      rig.faults.loss = 0.1;
  }
}

function calm(rig: Rig): void {
  Object.assign(rig.faults, { loseAnswers: 0, deny: [], writeMs: [0, 0], failCommits: 0, loss: 0 });
}

test.each([1, 2, 27])(
  'seed %i',
  async (seed) => {
    const random = seededRandom(seed);
    const world = await pathLab([
      () => tl1Rig('polatis', 250),
      () => tl1Rig(seed % 2 === 0 ? 'ome6500' : 'ons15454', 250),
      () => snmpRig({ dialect: 'standard', version: 'v2c', label: 1801 }),
      () => snmpRig({ dialect: 'leave-first', version: 'v2c', label: 0 }),
    ]);
    lab = world;
    const empty = world.listings();
    const paths = new Map<CircuitId, Segment>([
      [CIRCUIT, segmentOf(world.rigs, 1)],
      [OTHER, segmentOf(world.rigs, 2)],
    ]);
    const versions = new Map<CircuitId, number>([
      [CIRCUIT, 1],
      [OTHER, 1],
    ]);
    const carries = (circuit: CircuitId, version: number): boolean[] =>
      world
        .listings()
        .map((lines) => lines.some((line) => line.includes(tagOf({ circuit, version, epoch: 1 }))));
    for (let round = 0; round < 14; round++) {
      const circuit = random.chance(0.6) ? CIRCUIT : OTHER;
      const version = versions.get(circuit) ?? 1;
      const order = contextOf({ circuit, version, deadline: instant(clock.now() + 20_000) });
      const path = paths.get(circuit) as Segment;
      if (random.chance(0.7)) disturb(world.rigs[random.int(world.rigs.length)] as Rig, random);
      const light = random.chance(0.6);
      const before = carries(circuit, version);
      const report = light ? await world.executor.light(path, order) : await world.executor.dark(path, order);
      const after = carries(circuit, version);
      const where = `seed ${seed} round ${round} ${light ? 'light' : 'dark'} ${report.detail}`;
      if (report.ok) expect([where, after]).toEqual([where, after.map(() => light)]);
      const known = report.elements.every((element) => element.outcome !== 'unknown');
      if (light && !report.ok && known && world.executor.quarantined().length === 0) {
        // Nothing was added that was not there; a reboot may have taken something away.
        after.forEach((is, i) => {
          if (is) expect([where, before[i]]).toEqual([where, true]);
        });
      }
      if (!light && report.ok) versions.set(circuit, version + 1);
    }
    for (const rig of world.rigs) calm(rig);
    // Another broker comes, looks, and puts out what is left: each by the name it finds there.
    const next = world.instance();
    for (const { owner, ...hop } of await next.observe()) {
      if (owner === undefined) throw new Error('something is there that nobody owns');
      const path = { ...(paths.get(CIRCUIT) as Segment), hops: [hop] };
      const order = contextOf({ ...owner, fence: 2, mbps: 0, deadline: instant(clock.now() + 20_000) });
      expect(await next.dark(path, order)).toMatchObject({ ok: true });
    }
    expect(world.listings()).toEqual(empty);
    for (const circuit of [CIRCUIT, OTHER]) {
      const order = contextOf({ circuit, version: 50, fence: 2, deadline: instant(clock.now() + 20_000) });
      const path = paths.get(circuit) as Segment;
      expect(await next.light(path, order)).toMatchObject({ ok: true });
      expect(await next.dark(path, order)).toMatchObject({ ok: true });
    }
    expect(world.listings()).toEqual(empty);
  },
  60_000,
);
