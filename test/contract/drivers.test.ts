/** What the executor relies on, run on every dialect of every protocol over real sockets. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { WatchEvent } from '../../src/drivers/driver.ts';
import { tagOf } from '../../src/drivers/owner.ts';
import { sleep } from '../../src/kernel/clock.ts';
import { CIRCUIT, clock, connectOf, context, OTHER, type Rig, rigs } from './driver-rig.ts';

describe.each(Object.entries(rigs))('%s', (_name, make) => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await make();
  });
  afterEach(() => rig.close());

  const tagged = (version = 1) => expect.stringContaining(tagOf({ circuit: CIRCUIT, version, epoch: 1 }));

  test('light sets it, and says so after looking', async () => {
    const report = await rig.driver.apply('light', connectOf(rig), context());
    expect(report).toMatchObject({ outcome: 'applied', retry: false });
    expect(report.commands.length).toBeGreaterThan(0);
    expect(rig.listing().length).toBeGreaterThan(0);
    expect(rig.listing()).toContainEqual(tagged());
  });

  test('read tells what is set, and whose it is', async () => {
    await rig.driver.apply('light', connectOf(rig), context());
    const connect = connectOf(rig);
    const seen = (await rig.driver.read()).filter((c) => c.owner !== undefined);
    expect(seen.length).toBe(1);
    expect(seen[0]).toMatchObject({
      device: rig.driver.device,
      owner: { circuit: CIRCUIT, version: 1 },
    });
    expect(
      [seen[0]?.in, seen[0]?.out].toSorted((a, b) => (a?.port ?? '').localeCompare(b?.port ?? '')),
    ).toEqual([connect.in, connect.out].toSorted((a, b) => a.port.localeCompare(b.port)));
  });

  test('light twice is light once', async () => {
    await rig.driver.apply('light', connectOf(rig), context());
    const before = rig.listing();
    expect(await rig.driver.apply('light', connectOf(rig), context())).toMatchObject({
      outcome: 'already',
      commands: [],
    });
    expect(rig.listing()).toEqual(before);
  });

  test('the plan is what is then sent', async () => {
    const strip = (text: string): string => text.replace(/^((?:[^:]*:){3})\d+/, '$1#');
    // Once it has found out what the element wants, it plans so.
    await rig.driver.apply('light', connectOf(rig), context());
    await rig.driver.apply('dark', connectOf(rig), context());
    const planned = await rig.driver.plan('light', connectOf(rig));
    const report = await rig.driver.apply('light', connectOf(rig), context());
    expect(planned.map(strip).toSorted()).toEqual(report.commands.map(strip).toSorted());
    expect(await rig.driver.plan('light', connectOf(rig))).toEqual([]);
  });

  test('the plan says what is in the way', async () => {
    await rig.driver.apply('light', connectOf(rig, { circuit: OTHER }), context());
    const before = rig.listing();
    await expect(rig.driver.plan('light', connectOf(rig))).rejects.toThrow(`in use by ${OTHER}`);
    expect(rig.listing()).toEqual(before);
  });

  test('dark leaves nothing of it, dark again finds nothing', async () => {
    const empty = rig.listing();
    await rig.driver.apply('light', connectOf(rig), context());
    expect(await rig.driver.apply('dark', connectOf(rig), context())).toMatchObject({ outcome: 'applied' });
    expect(rig.listing()).toEqual(empty);
    expect(await rig.driver.apply('dark', connectOf(rig), context())).toMatchObject({ outcome: 'already' });
    expect(rig.listing()).toEqual(empty);
  });

  test('undo puts back what was there', async () => {
    const empty = rig.listing();
    const report = await rig.driver.apply('light', connectOf(rig), context());
    expect(await report.undo?.()).toBe(true);
    expect(rig.listing()).toEqual(empty);
    expect(await report.undo?.()).toBe(true);
  });

  test('a foreign connection on our port is refused and not touched', async () => {
    rig.foreign();
    const before = rig.listing();
    const light = await rig.driver.apply('light', connectOf(rig), context());
    expect(light).toMatchObject({ outcome: 'rejected', commands: [] });
    expect(light.detail).toContain('somebody else');
    expect(await rig.driver.apply('dark', connectOf(rig), context())).toMatchObject({ outcome: 'already' });
    expect(rig.listing()).toEqual(before);
    expect((await rig.driver.read()).some((c) => c.owner === undefined)).toBe(true);
  });

  test('another circuit of ours on the port is refused and not touched', async () => {
    await rig.driver.apply('light', connectOf(rig, { circuit: OTHER }), context());
    const before = rig.listing();
    expect(await rig.driver.apply('light', connectOf(rig), context())).toMatchObject({
      outcome: 'rejected',
      retry: true,
      detail: expect.stringContaining(OTHER),
    });
    expect(await rig.driver.apply('dark', connectOf(rig), context())).toMatchObject({ outcome: 'already' });
    expect(rig.listing()).toEqual(before);
  });

  test('a new placement of the circuit replaces the old one; the old release finds nothing', async () => {
    await rig.driver.apply('light', connectOf(rig), context());
    const next = connectOf(rig, { version: 2, to: rig.ports[2] });
    expect(await rig.driver.apply('light', next, context())).toMatchObject({ outcome: 'applied' });
    const after = rig.listing();
    expect(after).toContainEqual(tagged(2));
    expect(after).not.toContainEqual(tagged(1));
    expect(await rig.driver.apply('dark', connectOf(rig), context())).toMatchObject({ outcome: 'already' });
    expect(rig.listing()).toEqual(after);
  });

  test('the same cross-connect in a new placement only changes its name', async () => {
    await rig.driver.apply('light', connectOf(rig), context());
    const ends = rig.listing().map((line) => line.split(' ')[0]);
    const report = await rig.driver.apply('light', connectOf(rig, { version: 2 }), context());
    expect(report.outcome).toBe('applied');
    expect(rig.listing().map((line) => line.split(' ')[0])).toEqual(ends);
    expect(rig.listing()).toContainEqual(tagged(2));
    expect(await report.undo?.()).toBe(true);
    expect(rig.listing()).toContainEqual(tagged(1));
  });

  test('an order that is out of date changes nothing', async () => {
    await rig.driver.apply('light', connectOf(rig, { version: 3, epoch: 5 }), context());
    const before = rig.listing();
    for (const old of [
      { version: 2, epoch: 5 },
      { version: 3, epoch: 4 },
      { version: 4, epoch: 4 },
    ]) {
      expect(await rig.driver.apply('light', connectOf(rig, old), context())).toMatchObject({
        outcome: 'rejected',
        retry: false,
      });
    }
    expect(await rig.driver.apply('dark', connectOf(rig, { version: 3, epoch: 4 }), context())).toMatchObject(
      {
        outcome: 'already',
      },
    );
    expect(rig.listing()).toEqual(before);
  });

  test('a broker that has lost its lease sends nothing', async () => {
    const report = await rig.driver.apply('light', connectOf(rig), {
      ...context(),
      stillMaster: () => false,
    });
    expect(report).toMatchObject({ outcome: 'rejected', retry: false, commands: [] });
    expect(rig.listing().filter((line) => line.includes('T01jd0'))).toEqual([]);
  });

  test('an answer lost after the commit: found by looking, not by sending again', async () => {
    rig.faults.loseAnswers = 1;
    expect(await rig.driver.apply('light', connectOf(rig), context(15_000))).toMatchObject({
      outcome: 'applied',
    });
    expect(rig.listing()).toContainEqual(tagged());
    expect(await rig.driver.apply('light', connectOf(rig), context())).toMatchObject({ outcome: 'already' });
  });

  test('light that is slow to come is waited for', async () => {
    rig.faults.settleMs = 300;
    const report = await rig.driver.apply('light', connectOf(rig), context());
    expect(report.outcome).toBe('applied');
    if (rig.name !== 'tl1/polatis') expect(report.settle_ms).toBeGreaterThan(100);
  });

  test('a mute element: nothing was sent, or unknown; never success', async () => {
    rig.faults.mute = true;
    const report = await rig.driver.apply('light', connectOf(rig), context());
    expect(report).toMatchObject({ outcome: 'rejected', retry: true });
    rig.faults.mute = false;
    expect((await rig.driver.apply('light', connectOf(rig), context())).outcome).toBe('applied');
  }, 20_000);

  test('mute after the first write: unknown, and settled by the next look', async () => {
    await rig.driver.connect();
    await rig.driver.read();
    rig.faults.writeMs = [150, 150];
    const under = rig.driver.apply('light', connectOf(rig), context(15_000));
    await sleep(clock, 100);
    rig.faults.mute = true;
    rig.faults.loseAnswers = 99;
    const report = await under;
    expect(report.outcome).toBe('unknown');
    expect(report.retry).toBe(true);
    rig.faults.mute = false;
    rig.faults.loseAnswers = 0;
    rig.faults.writeMs = [0, 0];
    expect((await rig.driver.apply('light', connectOf(rig), context())).outcome).toMatch(/applied|already/);
    expect(rig.listing()).toContainEqual(tagged());
  }, 30_000);

  test('a reboot empties the table; light puts it back', async () => {
    await rig.driver.apply('light', connectOf(rig), context());
    rig.reboot();
    expect((await rig.driver.apply('light', connectOf(rig), context())).outcome).toBe('applied');
    expect(rig.listing()).toContainEqual(tagged());
  });

  test('wrong credentials change nothing, and no secret is told', async () => {
    const stranger = rig.another({ wrongPassword: true });
    const report = await stranger.apply('light', connectOf(rig), context());
    expect(report.outcome).toBe('rejected');
    const told = JSON.stringify([report, rig.events]);
    expect(told).not.toMatch(/canary/);
    expect(rig.listing().filter((line) => line.includes('T01jd0'))).toEqual([]);
  });

  test('injection through a port name does nothing', async () => {
    const before = rig.listing();
    for (const port of [
      '1;DLT-PATCH::1:1:;',
      '1:2',
      '1,2',
      '1&2',
      '"1"',
      '1\r\n2',
      '../1',
      '1'.repeat(5000),
    ]) {
      const report = await rig.driver.apply(
        'light',
        { ...connectOf(rig), out: { port, label: rig.label } },
        context(),
      );
      expect(report.outcome).toBe('rejected');
    }
    expect(rig.listing()).toEqual(before);
  });

  test('two drivers, one element: both orders end in one state', async () => {
    const second = rig.another();
    const reports = await Promise.all([
      rig.driver.apply('light', connectOf(rig), context()),
      second.apply('light', connectOf(rig), context()),
    ]);
    for (const { outcome } of reports) expect(outcome).toMatch(/applied|already|rejected|unknown/);
    await rig.driver.apply('light', connectOf(rig), context());
    expect(rig.listing()).toContainEqual(tagged());
    expect((await rig.driver.read()).filter((c) => c.owner?.circuit === CIRCUIT)).toHaveLength(1);
  });

  test('a foreign change is noticed where the element tells of changes', async () => {
    if (!rig.driver.capabilities.events) return;
    const seen: WatchEvent[] = [];
    rig.driver.watch((event) => seen.push(event));
    await rig.driver.apply('light', connectOf(rig), context());
    await sleep(clock, 50);
    expect(seen.filter((event) => event.type === 'changed' && event.foreign)).toEqual([]);
    rig.foreign();
    await sleep(clock, 100);
    expect(seen.some((event) => event.type === 'changed' && event.foreign)).toBe(true);
  });

  test('discovery names the ports', async () => {
    const view = await rig.driver.discover();
    expect(view.ports.map((port) => port.name)).toEqual(expect.arrayContaining([...rig.ports]));
  });
});
