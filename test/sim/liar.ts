/**
 * One domain that does not play by the rules: what leaves it is changed at random, into other versions, labels,
 * times and rates, and answers to what was never agreed. Its own devices and rows stay honest, so that whatever
 * goes wrong went wrong with somebody who believed it.
 */
import type { PeerAnswer, PeerMessage } from '../../src/broker/abroad/peerPorts.ts';
import { instant } from '../../src/kernel/clock.ts';
import type { DomainDocument } from '../../src/topology/domainDocument.ts';
import type { Dice } from './devices.ts';
import { LABELS } from './network.ts';

const LIES = 0.2;
const [LOW = 2, HIGH = 5] = LABELS.split('-').map(Number);

const anyLabel = (dice: Dice): number => LOW + dice.int(HIGH - LOW + 2);

export function lie(dice: Dice, message: PeerMessage): PeerMessage {
  if (!dice.chance(LIES)) return message;
  const what = dice.int(5);
  if (what === 0 && 'version' in message) return { ...message, version: message.version + dice.int(4) };
  if (what === 1) return { ...message, active: dice.int(6), floor: dice.int(6) };
  // Never a later term than its own: with that it would shut out itself alone, until an operator lets it in again.
  if (message.op !== 'hold' && message.op !== 'commit')
    return { ...message, epoch: dice.int(message.epoch + 1) };
  const { segment } = message;
  const label = anyLabel(dice);
  switch (what) {
    case 2:
      return {
        ...message,
        segment: { ...segment, a: { ...segment.a, labels: [[label, label]], candidates: [label] } },
      };
    case 3: {
      const start = instant(segment.window.start + (dice.int(200) - 100) * 1000);
      return { ...message, segment: { ...segment, window: { ...segment.window, start } } };
    }
    default: {
      const { second, ...alone } = segment;
      if (second !== undefined && dice.chance(0.5)) {
        // One way for two, or the same way twice.
        const same = { ...alone, second: { a: segment.a, z: segment.z } };
        return { ...message, segment: dice.chance(0.5) ? alone : same };
      }
      return { ...message, segment: { ...segment, mbps: dice.chance(0.5) ? 999_999 : 1 } };
    }
  }
}

export function lieBack(dice: Dice, answer: PeerAnswer): PeerAnswer {
  if (!dice.chance(LIES)) return answer;
  if (answer.state === 'HELD') {
    const labels = [anyLabel(dice)];
    return dice.chance(0.5)
      ? {
          ...{ ...answer, aLabels: labels, zLabels: labels },
          ...(answer.second === undefined ? {} : { second: { aLabels: labels, zLabels: labels } }),
        }
      : { ...answer, version: answer.version + dice.int(3) };
  }
  return dice.chance(0.5) && 'version' in answer
    ? {
        state: 'COMMITTED',
        version: answer.version,
        lit: true,
        peerRef: 'cir_of_nobody',
        epoch: answer.epoch,
      }
    : { state: 'CLOSED', dark: true, epoch: answer.epoch };
}

/** Claims a link to everybody: none of the others claims it back. */
export const boast = (
  document: DomainDocument,
  others: readonly { domain: string; port: string }[],
): DomainDocument => ({
  ...document,
  borders: [
    ...document.borders,
    ...others.map((remote, i) => ({
      id: `${document.prefix}:claimed-${i}`,
      at: '1',
      capacity_mbps: 1_000_000,
      remote,
    })),
  ],
});
