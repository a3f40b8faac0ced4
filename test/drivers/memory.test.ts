/** What the in-memory device keeps, and what it refuses as a real element would. */
import { describe, expect, test } from 'vitest';
import type { DeviceReport, LightContext } from '../../src/broker/devices/devicePorts.ts';
import { MemoryDevices } from '../../src/drivers/memory.ts';
import { type Clock, type InstantMs, instant } from '../../src/kernel/clock.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import type { Hop, Segment } from '../../src/model/circuit.ts';
import { aSegment } from '../support/builders.ts';

/** Time that a test moves by hand. */
function handClock(): Clock & { move(ms: number): void } {
  let now = 1_000_000;
  let waiting: { at: number; wake: () => void }[] = [];
  return {
    now: () => instant(now),
    alarm(at, wake) {
      const entry = { at: at as number, wake };
      waiting.push(entry);
      return () => {
        waiting = waiting.filter((one) => one !== entry);
      };
    },
    move(ms) {
      now += ms;
      const due = waiting.filter((one) => one.at <= now);
      waiting = waiting.filter((one) => one.at > now);
      for (const one of due) one.wake();
    },
  };
}

const hop = (inPort: string, inLabel: number, outPort: string, outLabel: number, device = 'sw1'): Hop => ({
  device,
  in: { port: inPort, label: inLabel },
  out: { port: outPort, label: outLabel },
});
const segment = (...hops: Hop[]): Segment => aSegment({ hops });
const context = (circuit: string, version = 1, over: Partial<LightContext> = {}): LightContext => ({
  circuit: `cir_${circuit}`,
  version,
  mbps: 1000,
  decisionId: 'dec_1',
  fence: 1,
  deadline: instant(Number.MAX_SAFE_INTEGER) as InstantMs,
  ...over,
});

const make = (over: { delayMs?: number; failureRatio?: number; seed?: number } = {}) => {
  const clock = handClock();
  return { clock, devices: new MemoryDevices({ clock, random: seededRandom(over.seed ?? 1), ...over }) };
};
const brief = (report: DeviceReport): string => (report.ok ? 'ok' : report.retry ? 'retry' : 'no');

describe('light', () => {
  test('is seen with its owner, repeated without harm, and gone after dark', async () => {
    const { devices } = make();
    const path = segment(hop('1', 100, '2', 200), hop('3', 200, '4', 100, 'sw2'));
    const first = await devices.light(path, context('one'));
    expect(first.elements.map((e) => [e.device, e.outcome])).toEqual([
      ['sw1', 'applied'],
      ['sw2', 'applied'],
    ]);
    const again = await devices.light(path, context('one'));
    expect(again.elements.map((e) => e.outcome)).toEqual(['already', 'already']);
    expect(await devices.observe()).toEqual(
      path.hops.map((h) => ({ ...h, owner: { circuit: 'cir_one', version: 1 } })),
    );
    await devices.dark(path, context('one'));
    expect(await devices.observe()).toEqual([]);
    expect((await devices.dark(path, context('one'))).elements.map((e) => e.outcome)).toEqual([
      'already',
      'already',
    ]);
  });

  test.each<[string, Hop, Hop, string]>([
    ['the same port and label', hop('1', 100, '2', 100), hop('1', 100, '3', 100), 'no'],
    ['the same, from the other side', hop('1', 100, '2', 100), hop('3', 5, '1', 100), 'no'],
    ['another label on the port', hop('1', 100, '2', 100), hop('1', 101, '2', 101), 'ok'],
    ['the same port number on another device', hop('1', 100, '2', 100), hop('1', 100, '2', 100, 'sw2'), 'ok'],
    ['a whole port beside a label', hop('1', 100, '2', 100), hop('1', 0, '3', 0), 'no'],
    ['a label beside a whole port', hop('1', 0, '2', 0), hop('1', 100, '3', 100), 'no'],
  ])('for two circuits that ask for %s', async (_name, one, two, expected) => {
    const { devices } = make();
    expect(brief(await devices.light(segment(one), context('one')))).toBe('ok');
    expect(brief(await devices.light(segment(two), context('two')))).toBe(expected);
  });

  test('is all or nothing', async () => {
    const { devices } = make();
    await devices.light(segment(hop('1', 1, '2', 1, 'sw2')), context('one'));
    const report = await devices.light(
      segment(hop('5', 1, '6', 1), hop('1', 1, '3', 1, 'sw2')),
      context('two'),
    );
    expect(report.detail).toBe('sw2 port 1 label 1 is taken by cir_one');
    expect(await devices.observe()).toHaveLength(1);
  });

  test('never takes over what somebody made by hand', async () => {
    const { devices } = make();
    devices.plant(hop('1', 100, '9', 100));
    expect(brief(await devices.light(segment(hop('1', 100, '2', 100)), context('one')))).toBe('no');
    expect(brief(await devices.dark(segment(hop('1', 100, '9', 100)), context('one')))).toBe('ok');
    expect(await devices.observe()).toEqual([hop('1', 100, '9', 100)]);
  });

  test('of two versions of one circuit stands side by side: the new one survives the end of the old', async () => {
    const { devices } = make();
    const shared = hop('1', 100, '2', 100);
    await devices.light(segment(shared), context('one', 1));
    expect(brief(await devices.light(segment(shared), context('one', 2)))).toBe('ok');
    await devices.dark(segment(shared), context('one', 1));
    expect(await devices.observe()).toEqual([{ ...shared, owner: { circuit: 'cir_one', version: 2 } }]);
    expect(brief(await devices.light(segment(hop('1', 100, '3', 100)), context('two')))).toBe('no');
  });

  test('is refused to an epoch that has been succeeded, and after its deadline', async () => {
    const { devices, clock } = make();
    const late = { deadline: clock.now() };
    expect(brief(await devices.light(segment(hop('1', 1, '2', 1)), context('one', 1, late)))).toBe('retry');
    await devices.light(segment(hop('1', 1, '2', 1)), context('one', 1, { fence: 3 }));
    expect(brief(await devices.light(segment(hop('3', 1, '4', 1)), context('two', 1, { fence: 2 })))).toBe(
      'no',
    );
    expect(brief(await devices.dark(segment(hop('1', 1, '2', 1)), context('one', 1, { fence: 2 })))).toBe(
      'no',
    );
    expect(await devices.observe()).toHaveLength(1);
  });

  test('is lost when the element forgets', async () => {
    const { devices } = make();
    await devices.light(segment(hop('1', 1, '2', 1)), context('one'));
    devices.forget();
    expect(await devices.observe()).toEqual([]);
    expect(brief(await devices.light(segment(hop('1', 1, '2', 1)), context('two')))).toBe('ok');
  });
});

describe('time and chance', () => {
  const run = async (seed: number): Promise<string> => {
    const { devices } = make({ failureRatio: 0.5, seed });
    let told = '';
    for (let i = 0; i < 40; i++)
      told += brief(await devices.light(segment(hop(`${i}`, 1, 'x', i + 1)), context('one')))[0];
    return told;
  };
  test('failures come from the seed', async () => {
    expect(await run(7)).toBe(await run(7));
    expect(await run(7)).not.toBe(await run(8));
    const told = await run(7);
    expect(told).toContain('o');
    expect(told).toContain('r');
  });

  test('orders for one device follow each other; another device does not wait for it', async () => {
    const { devices, clock } = make({ delayMs: 1000 });
    const order: string[] = [];
    const path = segment(hop('1', 1, '2', 1));
    const jobs = [
      devices.light(path, context('one')).then(() => order.push('light')),
      devices.dark(path, context('one')).then(() => order.push('dark')),
      devices.light(segment(hop('1', 1, '2', 1, 'sw2')), context('two')).then(() => order.push('other')),
    ];
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.move(1000);
    }
    await Promise.all(jobs);
    expect(order.indexOf('light')).toBeLessThan(order.indexOf('dark'));
    expect(order.indexOf('other')).toBeLessThan(order.indexOf('dark'));
    expect(await devices.observe()).toHaveLength(1);
  });
});
