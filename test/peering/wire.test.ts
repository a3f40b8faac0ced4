/** What an older peer can read. */
import { expect, test } from 'vitest';
import type { PeerMessage } from '../../src/broker/abroad/peerPorts.ts';
import { inWordsOf } from '../../src/peering/wire.ts';
import { at } from '../support/builders.ts';

const end = { port: 'd1:h1', labels: 'UNTAGGED' } as const;
const window = { start: at(1), end: at(2) };
const segment = { a: end, z: end, window, mbps: 1, provision: 'AUTOMATIC', requester: 'x' } as const;
const commit = { op: 'commit', circuit: 'cir_1', epoch: 1, floor: 0, version: 1, segment } as const;
const told: PeerMessage = { ...commit, agreed: [{ circuit: 'cir_2', version: 1 }] };

test.each([
  [1, commit],
  [2, told],
  [undefined, told],
])('version %s', (protocol, expected) => {
  expect(inWordsOf(protocol, told)).toEqual(expected);
  expect(inWordsOf(protocol, commit)).toBe(commit);
});
