/** The faults of a path: after each, nothing is lost and nothing foreign is touched. Real sockets, emulated elements. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ApplyReport, Driver } from '../../src/drivers/driver.ts';
import { Executor } from '../../src/drivers/executor.ts';
import { tagOf } from '../../src/drivers/owner.ts';
import { type Clock, type InstantMs, instant, sleep } from '../../src/kernel/clock.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { snmpRig, tl1Rig } from '../contract/driver-rig.ts';
import { CIRCUIT, clock, contextOf, OTHER, type PathLab, pathLab, segmentOf } from './path-lab.ts';

let lab: PathLab;
let empty: string[][];
beforeEach(async () => {
  lab = await pathLab();
  empty = lab.listings();
});
afterEach(() => lab.close());

const tag = (version = 1, epoch = 1) => tagOf({ circuit: CIRCUIT, version, epoch });
const lit = (version = 1) => lab.listings().map((lines) => lines.some((line) => line.includes(tag(version))));

describe('a path', () => {
  test('is lit on all devices, and put out on all', async () => {
    const report = await lab.executor.light(segmentOf(lab.rigs), contextOf());
    expect(report).toMatchObject({ ok: true, retry: false });
    expect(report.elements.map((e) => e.outcome)).toEqual(['applied', 'applied', 'applied']);
    expect(lit()).toEqual([true, true, true]);
    const seen = await lab.executor.observe();
    expect(seen.filter((c) => c.owner?.circuit === CIRCUIT)).toHaveLength(3);
    expect(await lab.executor.dark(segmentOf(lab.rigs), contextOf())).toMatchObject({ ok: true });
    expect(lab.listings()).toEqual(empty);
  });

  test('is set on all devices at once: each has begun before the first is done', async () => {
    await lab.executor.connect();
    for (const rig of lab.rigs) rig.faults.writeMs = [250, 250];
    const order: string[] = [];
    const drivers = lab.rigs.map(({ driver }) =>
      around(driver, async (...args) => {
        order.push('begins');
        const report = await driver.apply(...args);
        order.push('ends');
        return report;
      }),
    );
    await lab.instance({ drivers }).light(segmentOf(lab.rigs), contextOf());
    expect(order).toEqual(['begins', 'begins', 'begins', 'ends', 'ends', 'ends']);
  });

  test('shows the commands before they are sent', async () => {
    const plan = await lab.executor.inspection.plan('light', segmentOf(lab.rigs), contextOf());
    expect(plan.map(({ device, commands }) => [device, commands.length > 0])).toEqual(
      lab.rigs.map((rig) => [rig.driver.device, true]),
    );
    expect(lab.listings()).toEqual(empty);
    expect(JSON.stringify(plan)).not.toMatch(/canary/);
  });

  test('over a device that nobody knows is refused for good', async () => {
    const segment = segmentOf(lab.rigs);
    const hops = [
      ...segment.hops,
      { device: 'nobody', in: { port: '1', label: 0 }, out: { port: '2', label: 0 } },
    ];
    expect(await lab.executor.light({ ...segment, hops }, contextOf())).toMatchObject({
      ok: false,
      retry: false,
    });
    expect(lab.listings()).toEqual(empty);
  });

  test('whose deadline has passed is not begun', async () => {
    const late = contextOf({ deadline: instant(clock.now() - 1) });
    expect(await lab.executor.light(segmentOf(lab.rigs), late)).toMatchObject({ ok: false });
    expect(lab.listings()).toEqual(empty);
    // A release has no deadline.
    await lab.executor.light(segmentOf(lab.rigs), contextOf());
    expect(await lab.executor.dark(segmentOf(lab.rigs), late)).toMatchObject({ ok: true });
    expect(lab.listings()).toEqual(empty);
  });
});

describe('when one device refuses', () => {
  test.each([0, 1, 2])('number %i, the others are put back and what is foreign stays', async (which) => {
    lab.rigs[which]?.foreign();
    const before = lab.listings();
    const report = await lab.executor.light(segmentOf(lab.rigs), contextOf());
    expect(report).toMatchObject({ ok: false, retry: true });
    expect(report.detail).toContain('somebody else');
    expect(lab.listings()).toEqual(before);
    const drift = (await lab.executor.observe()).filter((c) => c.owner === undefined);
    expect(drift).toHaveLength(1);
  });

  test('with wrong credentials, the others are put back', async () => {
    const drivers = lab.rigs.map((rig, i) => rig.another({ wrongPassword: i === 1 }));
    const executor = lab.instance({ drivers });
    const report = await executor.light(segmentOf(lab.rigs), contextOf());
    expect(report.ok).toBe(false);
    expect(lab.listings()).toEqual(empty);
    expect(JSON.stringify([report, lab.events])).not.toMatch(/canary/);
  });
});

describe('answers', () => {
  test('lost after the commit on every device cost nothing', async () => {
    for (const rig of lab.rigs) rig.faults.loseAnswers = 1;
    expect(await lab.executor.light(segmentOf(lab.rigs), contextOf())).toMatchObject({ ok: true });
    expect(lit()).toEqual([true, true, true]);
  });

  test('the same order twice at once ends as once', async () => {
    const reports = await Promise.all([
      lab.executor.light(segmentOf(lab.rigs), contextOf()),
      lab.executor.light(segmentOf(lab.rigs), contextOf()),
    ]);
    expect(reports.map((r) => r.ok)).toEqual([true, true]);
    expect(reports[1]?.elements.map((e) => e.outcome)).toEqual(['already', 'already', 'already']);
    expect((await lab.executor.observe()).filter((c) => c.owner?.circuit === CIRCUIT)).toHaveLength(3);
  });
});

describe('a device that reboots', () => {
  test('after its part was set is found empty and set again', async () => {
    await lab.executor.light(segmentOf(lab.rigs), contextOf());
    lab.rigs[1]?.reboot();
    lab.rigs[2]?.reboot();
    const seen = (await lab.executor.observe()).filter((c) => c.owner?.circuit === CIRCUIT);
    expect(seen.map((c) => c.device)).toEqual([lab.rigs[0]?.driver.device]);
    const report = await lab.executor.light(segmentOf(lab.rigs), contextOf());
    expect(report.elements.map((e) => e.outcome)).toEqual(['already', 'applied', 'applied']);
  });

  test('in the middle of the order leaves all or nothing', async () => {
    for (const rig of lab.rigs) rig.faults.writeMs = [100, 100];
    const under = lab.executor.light(segmentOf(lab.rigs), contextOf());
    await sleep(clock, 60);
    lab.rigs[1]?.reboot();
    const report = await under;
    if (report.ok) expect(lit()).toEqual([true, true, true]);
    else expect(lab.listings()).toEqual(empty);
    for (const rig of lab.rigs) rig.faults.writeMs = [0, 0];
    expect(await lab.executor.light(segmentOf(lab.rigs), contextOf())).toMatchObject({ ok: true });
    expect(lit()).toEqual([true, true, true]);
  });
});

describe('a broker killed between two devices', () => {
  test('is finished by the next one: what is set is found, the rest is set', async () => {
    const segment = segmentOf(lab.rigs);
    await lab.executor.light({ ...segment, hops: segment.hops.slice(0, 2) }, contextOf());
    expect(lit()).toEqual([true, true, false]);
    const next = lab.instance();
    const report = await next.light(segment, contextOf({ fence: 2 }));
    expect(report.ok).toBe(true);
    expect(report.elements.map((e) => e.outcome)).toEqual(['applied', 'applied', 'applied']);
    expect(lab.listings().every((lines) => lines.some((line) => line.includes(tag(1, 2))))).toBe(true);
  });

  test('or is cleaned up, when nobody wants it any more', async () => {
    const segment = segmentOf(lab.rigs);
    await lab.executor.light({ ...segment, hops: segment.hops.slice(0, 2) }, contextOf());
    const next = lab.instance();
    const left = (await next.observe()).filter((c) => c.owner?.circuit === CIRCUIT);
    for (const hop of left) await next.dark({ ...segment, hops: [hop] }, contextOf({ fence: 2, mbps: 0 }));
    expect(lab.listings()).toEqual(empty);
  });
});

describe('two instances', () => {
  test('the older fence is refused everywhere and changes nothing', async () => {
    const newer = lab.instance();
    await newer.light(segmentOf(lab.rigs), contextOf({ fence: 7 }));
    const before = lab.listings();
    expect(await lab.executor.light(segmentOf(lab.rigs), contextOf({ fence: 6, version: 9 }))).toMatchObject({
      ok: false,
      retry: false,
    });
    await lab.executor.dark(segmentOf(lab.rigs), contextOf({ fence: 6 }));
    expect(lab.listings()).toEqual(before);
  });

  test('an order that was read before the other one wrote, and is sent after it, fails as a whole', async () => {
    await lab.close();
    lab = await pathLab([() => snmpRig({ dialect: 'standard', version: 'v2c', label: 1801 })]);
    const segment = segmentOf(lab.rigs);
    const newer = lab.instance();
    let once = true;
    // The old master reads the lock, is held up while the other lights another circuit, and still believes in its lease.
    const old = lab.instance({
      stillMaster: async () => {
        if (!once) return true;
        once = false;
        await newer.light(segment, contextOf({ circuit: OTHER, fence: 2 }));
        return true;
      },
    });
    const report = await old.light(segment, contextOf({ fence: 1 }));
    expect(report.ok).toBe(false);
    expect(lab.listings()[0]?.join()).toContain(tagOf({ circuit: OTHER, version: 1, epoch: 2 }));
    expect(lab.listings()[0]?.join()).not.toContain(tag());
  });
});

describe('a rollback that fails', () => {
  test('closes the ports to others, is told, and ends when the device answers again', async () => {
    const [first, second] = [lab.rigs[0], lab.rigs[1]];
    second?.foreign();
    const time = steppedClock();
    let broken = true;
    const driver = first?.driver as Driver;
    const stubborn = around(driver, async (...args): Promise<ApplyReport> => {
      const report = await driver.apply(...args);
      const { undo } = report;
      return undo === undefined ? report : { ...report, undo: async () => !broken && undo() };
    });
    const executor = lab.instance({ drivers: [stubborn, second?.driver as Driver], clock: time });
    const rigs = lab.rigs.slice(0, 2);
    const report = await executor.light(segmentOf(rigs), contextOf());
    expect(report).toMatchObject({ ok: false, retry: true });
    expect(report.detail).toContain('could not be put back');
    expect(executor.quarantined()).toEqual([
      { device: driver.device, ports: [first?.ports[0], first?.ports[1]], circuit: CIRCUIT },
    ]);
    expect(executor.outOfReach()).toEqual([
      { device: driver.device, ports: [first?.ports[0], first?.ports[1]] },
    ]);
    expect(lab.events.map((e) => e.event)).toEqual(
      expect.arrayContaining(['device.rollback_failed', 'device.quarantined']),
    );
    const stranger = await executor.light(segmentOf(rigs.slice(0, 1)), contextOf({ circuit: OTHER }));
    expect(stranger).toMatchObject({ ok: false, retry: true, detail: expect.stringContaining('quarantine') });

    broken = false;
    await time.pass(31_000);
    await sleep(clock, 200);
    expect(executor.quarantined()).toEqual([]);
    expect(first?.listing()).toEqual(empty[0]);
  });
});

describe('a device that is gone', () => {
  test('for an hour and back: left alone meanwhile, seen as it was, lit again when it returns', async () => {
    const time = steppedClock();
    const executor = lab.instance({ clock: time });
    const segment = segmentOf(lab.rigs);
    const at = (): InstantMs => instant(time.now() + 10_000);
    await executor.light(segment, contextOf({ deadline: at() }));
    await executor.observe();
    const gone = lab.rigs[2];
    if (gone === undefined) throw new Error('no rig');
    gone.faults.mute = true;
    let asked = 0;
    for (let minute = 0; minute < 60; minute += minute < 4 ? 1 : 14) {
      const seen = await executor.observe();
      expect(seen.filter((c) => c.owner?.circuit === CIRCUIT)).toHaveLength(3);
      await time.pass(minute < 4 ? 1_000 : 840_000);
    }
    await executor.observe();
    // Once it is known to be gone, asking again and again sends it nothing.
    const told = lab.events.filter((e) => e.event === 'device.unreachable').length;
    for (let i = 0; i < 20; i++) await executor.observe();
    const texts = lab.events
      .filter((e) => e.event === 'device.unreachable')
      .slice(told)
      .map((e) => ('error' in e ? e.error : ''));
    for (const text of texts) if (!text.includes('has not answered lately')) asked += 1;
    expect(texts).toHaveLength(20);
    expect(asked).toBe(0);
    expect(executor.inspection.state(gone.driver.device)?.breaker).toBe('OPEN');
    expect(executor.outOfReach()).toEqual([{ device: gone.driver.device }]);
    // Nor is an order sent to it: it is refused at once.
    const refused = await executor.light(segmentOf([gone]), contextOf({ circuit: OTHER, deadline: at() }));
    expect(refused).toMatchObject({ ok: false, retry: true, detail: expect.stringContaining('lately') });
    gone.reboot();
    gone.faults.mute = false;
    await time.pass(90_000);
    const seen = await executor.observe();
    expect(seen.filter((c) => c.owner?.circuit === CIRCUIT)).toHaveLength(2);
    const report = await executor.light(segment, contextOf({ deadline: at() }));
    expect(report.elements.map((e) => e.outcome)).toEqual(['already', 'already', 'applied']);
    for (const { driver } of lab.rigs)
      expect(executor.inspection.state(driver.device)?.breaker).toBe('CLOSED');
    expect(executor.outOfReach()).toEqual([]);
  }, 60_000);

  test('costs others nothing', async () => {
    const mute = lab.rigs[2];
    if (mute === undefined) throw new Error('no rig');
    await lab.executor.connect();
    mute.faults.mute = true;
    const order: string[] = [];
    const slow = Array.from({ length: 5 }, async () => {
      const report = await lab.executor.light(segmentOf([mute]), contextOf({ circuit: OTHER }));
      order.push('mute');
      return report;
    });
    expect(await lab.executor.light(segmentOf(lab.rigs.slice(0, 2)), contextOf())).toMatchObject({
      ok: true,
    });
    order.push('others');
    const reports = await Promise.all(slow);
    expect(order[0]).toBe('others');
    expect(reports.every((report) => !report.ok && report.retry)).toBe(true);
  });
});

describe('a newer placement', () => {
  test('that is given up brings the older one back, without a moment of nothing', async () => {
    await lab.executor.light(segmentOf(lab.rigs), contextOf());
    const before = lab.listings();
    const other = segmentOf(lab.rigs, 2);
    expect(await lab.executor.light(other, contextOf({ version: 2 }))).toMatchObject({ ok: true });
    expect(lit(2)).toEqual([true, true, true]);
    expect(await lab.executor.dark(other, contextOf({ version: 2 }))).toMatchObject({ ok: true });
    expect(lab.listings()).toEqual(before);
  });

  test('that is kept lets the older one go', async () => {
    await lab.executor.light(segmentOf(lab.rigs), contextOf());
    const other = segmentOf(lab.rigs, 2);
    await lab.executor.light(other, contextOf({ version: 2 }));
    expect(await lab.executor.dark(segmentOf(lab.rigs), contextOf())).toMatchObject({ ok: true });
    expect(lit(2)).toEqual([true, true, true]);
    expect(await lab.executor.dark(other, contextOf({ version: 2 }))).toMatchObject({ ok: true });
    expect(lab.listings()).toEqual(empty);
  });
});

test('several hops on one device are all or none', async () => {
  const rig = await tl1Rig('polatis');
  const executor = new Executor({
    drivers: [rig.driver],
    clock,
    random: seededRandom(1),
    tell: () => {},
  });
  const segment = segmentOf([rig]);
  const twice = {
    ...segment,
    hops: [
      ...segment.hops,
      { device: rig.driver.device, in: { port: '18', label: 0 }, out: { port: '999', label: 0 } },
    ],
  };
  expect(await executor.light(twice, contextOf())).toMatchObject({ ok: false });
  expect(rig.listing()).toEqual([]);
  await executor.close();
  await rig.close();
});

/** The same driver with another `apply`; closing it is left to its owner. */
const around = (driver: Driver, apply: Driver['apply']): Driver => ({
  device: driver.device,
  protocol: driver.protocol,
  dialect: driver.dialect,
  capabilities: driver.capabilities,
  connect: () => driver.connect(),
  read: () => driver.read(),
  plan: (...args) => driver.plan(...args),
  apply,
  discover: () => driver.discover(),
  watch: (listener) => driver.watch(listener),
  close: () => Promise.resolve(),
});

/** Moves only when it is told to; alarms go off in order. */
function steppedClock(): Clock & { pass(ms: number): Promise<void> } {
  let now = instant(clock.now());
  const alarms = new Set<{ at: InstantMs; wake: () => void }>();
  return {
    now: () => now,
    alarm(at, wake) {
      const alarm = { at, wake };
      alarms.add(alarm);
      return () => alarms.delete(alarm);
    },
    async pass(ms) {
      now = instant(now + ms);
      for (const alarm of [...alarms].toSorted((a, b) => a.at - b.at)) {
        if (alarm.at > now || !alarms.delete(alarm)) continue;
        alarm.wake();
        await sleep(clock, 0);
      }
    },
  };
}
