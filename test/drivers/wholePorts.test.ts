/** What the contract suite does not ask of an element that switches whole ports: the label that is not its own. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectOf, context, type Rig, tl1Rig } from '../contract/driver-rig.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await tl1Rig('polatis', 400, 4000);
});
afterEach(() => rig.close());

test('another label is refused before anything is sent', async () => {
  const connect = connectOf(rig);
  const wrong = { ...connect, in: { ...connect.in, label: 1801 } };
  expect(await rig.driver.apply('light', wrong, context())).toMatchObject({
    outcome: 'rejected',
    retry: false,
    detail: expect.stringContaining('label 4000 only, not 1801'),
    commands: [],
  });
  await expect(rig.driver.plan('light', wrong)).rejects.toThrow('label 4000 only');
  expect(rig.listing()).toEqual([]);
});

test('what somebody else has patched is seen under the same label', async () => {
  rig.foreign();
  expect(await rig.driver.read()).toEqual([
    { device: 'ne-polatis', in: { port: '1', label: 4000 }, out: { port: '17', label: 4000 } },
  ]);
  expect((await rig.driver.discover()).connects).toEqual(await rig.driver.read());
});
