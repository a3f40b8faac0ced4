/**
 * Several domains with partitions, one that lies and one that dies for good; and the proof that the laws between
 * domains are looked after: what is planted against them is caught within sixty seeds.
 */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Circuit, claims, type Placement, type Segment } from '../../src/model/circuit.ts';
import { participantMatrix } from '../../src/model/participant.ts';
import type { Plants } from './node.ts';
import { type SimOptions, simulate } from './world.ts';

describe('laws hold in a ring of domains', () => {
  test.each([
    ['with partitions', 6, 3],
    ['when one of them lies', 7, 3],
    ['when one of them dies for good', 9, 3],
  ])('%s: seed %i, %i domains', async (_what, seed, domains) => {
    const result = await simulate({ seed, domains, safetyS: 200 });
    expect(result.violations).toEqual([]);
    expect(result.circuits).toBeGreaterThan(20);
  });
});

describe('what is planted between domains is caught within sixty seeds', { timeout: 300_000 }, () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  async function caught(plants: Plants = {}, options: Partial<SimOptions> = {}): Promise<string | undefined> {
    for (let seed = 1; seed <= 60; seed++) {
      const { violations } = await simulate({
        seed,
        domains: 2,
        safetyS: 300,
        plants,
        stopAtFirst: true,
        ...options,
      });
      if (violations[0] !== undefined) return violations[0];
    }
    return undefined;
  }

  test('a commit frees what it is to replace', async () => {
    const { commit } = participantMatrix.SCHEDULED;
    const { run } = commit;
    vi.spyOn(commit, 'run').mockImplementation((c, e) => {
      const result = run.call(commit, c, e);
      if (result === 'same' || result.kind === 'refused') return result;
      const { pending, ...rest } = result.circuit;
      return pending === undefined ? result : { ...result, circuit: { ...rest, current: pending.placement } };
    });
    expect(await caught()).toMatch(/is (SCHEDULED|PROVISIONING|ACTIVE) v\d+, \S+ has/);
  });

  const only = (c: Circuit, placement: Placement | undefined): Circuit => {
    const { pending: _, current: _current, ...rest } = c;
    return placement === undefined ? rest : { ...rest, current: placement };
  };

  test('the version in force is not counted while another is agreed', async () => {
    const claimsOf = (c: Circuit) => claims(c.pending === undefined ? c : only(c, c.pending.placement));
    expect(await caught({ seams: { claimsOf } })).toMatch(/the calendar(?: says|'s labels are not)/);
  });

  test('both versions are added up', async () => {
    const claimsOf = (c: Circuit) =>
      c.pending === undefined || c.pending.phase === 'EXPIRED'
        ? claims(c)
        : [...claims(only(c, c.current)), ...claims(only(c, c.pending.placement))];
    expect(await caught({ seams: { claimsOf } })).toMatch(/the calendar says/);
  });

  test('a label is guessed', async () => {
    const { commit } = participantMatrix.HELD;
    const { run } = commit;
    const guess = (end: Segment['a']): Segment['a'] =>
      end.border === undefined || end.label === undefined ? end : { ...end, label: end.label === 2 ? 3 : 2 };
    vi.spyOn(commit, 'run').mockImplementation((c, e) => {
      const segments = e.placement.segments.map((s) => ({ ...s, a: guess(s.a), z: guess(s.z) }));
      return run.call(commit, c, { ...e, placement: { ...e.placement, segments } });
    });
    expect(await caught()).toMatch(/has label \d on \S+ at \S+ and \d at/);
  });
});
