/** What is refused here in a peer's name, before anybody else hears of it. */
import { describe, expect, test } from 'vitest';
import type { PeerAnswer, PeerMessage } from '../../src/broker/abroad/peerPorts.ts';
import { closedTo, newToUs } from '../../src/peering/refusals.ts';

const OPS = ['hold', 'extend', 'commit', 'provision', 'abort', 'free', 'release', 'cancel', 'query'] as const;
// Nothing but the verb is looked at.
const message = (op: PeerMessage['op']) =>
  ({ op, circuit: 'cir_x', epoch: 1, floor: 0, version: 2 }) as PeerMessage;

describe('what is closed to a peer', () => {
  test.each([
    ['in good order', { quarantined: undefined, dismissed: false }, []],
    [
      'in quarantine',
      { quarantined: 'two tongues', dismissed: false },
      ['hold', 'extend', 'commit', 'provision'],
    ],
    ['dismissed', { quarantined: undefined, dismissed: true }, ['hold', 'extend']],
  ])('%s', (_what, peer, closed) => {
    expect(OPS.filter((op) => closedTo(peer, message(op)) !== undefined)).toEqual(closed);
  });
});

describe('a commit of one that is dismissed', () => {
  const epoch = 1;
  const held = { state: 'HELD', until: 0, peerRef: '', epoch } as unknown as PeerAnswer;
  test.each([
    ['held here', { ...held, version: 2 }, false],
    ['committed here', { state: 'COMMITTED', version: 2, lit: false, peerRef: '', epoch }, false],
    ['of another version', { ...held, version: 1 }, true],
    ['unheard of', { state: 'UNKNOWN', epoch }, true],
    ['closed', { state: 'CLOSED', dark: true, epoch }, true],
  ] as [string, PeerAnswer, boolean][])('%s', async (_what, present, isNew) => {
    const peer = { domain: 'd1.example', dismissed: true };
    const why = await newToUs(peer, message('commit'), () => Promise.resolve(present));
    expect(why !== undefined).toBe(isNew);
  });
});
