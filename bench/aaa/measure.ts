/**
 * What the parts of this benchmark share: one clock of the CPU, one seed, one second at which everything happens, and
 * a record of the audit log as they all write it.
 */
import type { AuditRecord } from '../../src/aaa/merkle/record.ts';
import { instant } from '../../src/kernel/clock.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { linesOf } from '../line.ts';

export const line = linesOf('aaa');

/** Seconds of CPU that `times` calls take, after enough of them to have warmed up (Cedar is compiled twice). */
export function cpu(times: number, act: (i: number) => unknown): number {
  const rounds = Math.max(1, Math.floor(times));
  for (let i = 0; i < Math.min(rounds, 1_500); i++) act(i);
  const before = process.cpuUsage();
  for (let i = 0; i < rounds; i++) act(i);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
export const rateOf = (times: number, act: (i: number) => unknown): number =>
  Math.max(1, Math.floor(times)) / cpu(times, act);

export const random = seededRandom(11);
export const NOW_S = 1_800_000_000;
export const NOW = instant(NOW_S * 1000);

export const record = (seq: number): AuditRecord => ({
  seq,
  time: '2027-01-15T08:00:00.000Z',
  op: 'decision',
  decision_id: 'dec_01hzy3v7qk8m2n4p6r8t0v2x4z',
  txn: 'txn-1',
  domain: 'ams.example',
  trace: '4bf92f3577b34da6a3ce929d0e0e4736',
  actor: `https://idp.example|person-${seq % 50}`,
  action: 'circuit.create',
  project: 'lhc',
  circuit: 'cir_01hzy3v7qk8m2n4p6r8t0v2x4z',
  ports: ['ams:host1', 'sdg:host1'],
  decision: 'ALLOW',
  reasons: ['members-book'],
  sequence: 'AGENT',
  policy_set_sha256: 'b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c',
  facts: {
    a_port: 'ams:host1',
    z_port: 'sdg:host1',
    bandwidth_mbps: seq,
    month: 1,
    weekday: 5,
    minute_of_day: 540,
  },
  effect: 'circuit.admitted',
});
