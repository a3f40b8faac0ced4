/** The small nouns, as tables: windows, labels, ports, ids, seconds. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { instant, NEVER } from '../../src/kernel/clock.ts';
import { eventId, eventSeq, newId, shortCode } from '../../src/kernel/ids.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { EdgeNames, fromSeconds, LAST_SECOND, toSeconds } from '../../src/model/capacity.ts';
import { formatLabels, HIGHEST_LABEL, LabelSet, parseLabels } from '../../src/model/label.ts';
import { parsePort, prefixOf } from '../../src/model/port.ts';
import { isOperator, maySee, type Principal } from '../../src/model/principal.ts';
import { contains, nextFullSecond, overlaps, plusSeconds, secondsBetween } from '../../src/model/window.ts';
import { at, span, T0 } from '../support/builders.ts';

describe('windows are half-open', () => {
  test.each([
    [span(0, 10), span(10, 20), false, 'touching is not overlapping'],
    [span(0, 10), span(9, 20), true, 'one second is'],
    [span(0, 10), span(2, 3), true, 'inside'],
    [span(0, 10), span(0, 10), true, 'the same'],
    [span(0, 10), span(20, 30), false, 'apart'],
  ])('%o and %o: %s (%s)', (a, b, expected) => {
    expect(overlaps(a, b)).toBe(expected);
    expect(overlaps(b, a)).toBe(expected);
  });
  test.each([
    [-1, false],
    [0, true],
    [9, true],
    [10, false],
  ])('[0, 10) contains %i: %s', (second, expected) => {
    expect(contains(span(0, 10), at(second))).toBe(expected);
  });
  test('two windows overlap when, and only when, some second is in both', () => {
    const window = fc
      .tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 20 }))
      .map(([start, length]) => span(start, start + length));
    fc.assert(
      fc.property(window, window, (a, b) => {
        const seconds = Array.from({ length: 41 }, (_, i) => at(i));
        expect(overlaps(a, b)).toBe(seconds.some((s) => contains(a, s) && contains(b, s)));
      }),
    );
  });
  test('NOW starts at the next full second, also on a full one', () => {
    expect(nextFullSecond(at(5))).toBe(at(6));
    expect(nextFullSecond(instant(T0 + 5001))).toBe(at(6));
    expect(nextFullSecond(instant(T0 + 5999))).toBe(at(6));
  });
  test('seconds there and back', () => {
    expect(secondsBetween(T0, plusSeconds(T0, 90))).toBe(90);
  });
});

describe('labels', () => {
  test.each([
    ['5', [[5, 5]]],
    ['2-99', [[2, 99]]],
    [
      '2-99,200-4094',
      [
        [2, 99],
        [200, 4094],
      ],
    ],
    [
      '200-300,2-99',
      [
        [2, 99],
        [200, 300],
      ],
    ],
    ['2-99,100-150', [[2, 150]]],
    ['2-99,50-60', [[2, 99]]],
    ['1', [[1, 1]]],
  ])('%s', (text, expected) => {
    expect(parseLabels(text)).toEqual(expected);
  });
  test.each([
    '',
    '0',
    '4095',
    '99-2',
    'x',
    '2-',
    '-2',
    '2,,3',
    '2 - 3',
    '2-3-4',
    '00002',
    ',2',
    '2'.repeat(2000),
  ])('not a list: %s', (text) => {
    expect(parseLabels(text)).toBeUndefined();
  });
  it('reads what it writes', () => {
    const range = fc
      .tuple(fc.integer({ min: 1, max: HIGHEST_LABEL }), fc.nat(50))
      .map(([low, more]) => `${low}-${Math.min(HIGHEST_LABEL, low + more)}`);
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 20 }), (parts) => {
        const ranges = parseLabels(parts.join(','));
        expect(ranges).toBeDefined();
        expect(parseLabels(formatLabels(ranges ?? []))).toEqual(ranges);
      }),
    );
  });
  it('a set holds what was put in, and gives the lowest that was not', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 2, max: 40 })), (taken) => {
        const set = new LabelSet();
        for (const label of taken) set.add(label);
        const free = Array.from({ length: 39 }, (_, i) => i + 2).filter((label) => !taken.includes(label));
        for (let label = 0; label < 4096; label++) expect(set.has(label)).toBe(taken.includes(label));
        expect(set.firstFree([[2, 40]])).toBe(free[0]);
        expect(set.empty).toBe(taken.length === 0);
      }),
      { numRuns: 50 },
    );
  });
  test.each([-1, 4096])('label %i is none', (label) => {
    expect(() => new LabelSet().add(label)).toThrow(/in range/);
  });
});

describe('ports', () => {
  test.each([
    ['ams:host1', { prefix: 'ams', local: 'host1' }],
    ['a:x', { prefix: 'a', local: 'x' }],
    ['ams-2:cx3/1', { prefix: 'ams-2', local: 'cx3/1' }],
    ['ams:Eth0.1_a-b', { prefix: 'ams', local: 'Eth0.1_a-b' }],
    [`${'a'.repeat(16)}:${'x'.repeat(64)}`, { prefix: 'a'.repeat(16), local: 'x'.repeat(64) }],
  ])('%s', (text, expected) => {
    expect(parsePort(text)).toEqual(expected);
    expect(prefixOf(text as `${string}:${string}`)).toBe(expected.prefix);
  });
  test.each([
    'ams',
    ':x',
    'ams:',
    'Ams:x',
    '1ams:x',
    '-a:x',
    'ams:x y',
    'ams:x\n',
    'ams:x:y',
    'ams:é',
    `${'a'.repeat(17)}:x`,
    `ams:${'x'.repeat(65)}`,
    'a'.repeat(100_000),
  ])('no port: %s', (text) => {
    expect(parsePort(text)).toBeUndefined();
  });
});

describe('ids', () => {
  test('say what they name and sort by their time', () => {
    const random = seededRandom(1);
    const ids = [0, 1, 1000, 1e12].map((ms) => newId('cir', instant(T0 + ms), random));
    expect([...ids].sort()).toEqual(ids);
    for (const id of ids) expect(id).toMatch(/^cir_[0-9a-hjkmnp-tv-z]{26}$/);
  });
  test('the same seed makes the same ids, another makes others', () => {
    expect(newId('cir', T0, seededRandom(7))).toBe(newId('cir', T0, seededRandom(7)));
    expect(newId('cir', T0, seededRandom(7))).not.toBe(newId('cir', T0, seededRandom(8)));
  });
  it('an event id is its place in the log, and sorts as the places do', () => {
    const seq = fc.nat({ max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(seq, seq, (a, b) => {
        expect(eventSeq(eventId(a))).toBe(a);
        expect(Math.sign(a - b)).toBe(eventId(a) < eventId(b) ? -1 : eventId(a) > eventId(b) ? 1 : 0);
      }),
    );
  });
  test.each([
    '',
    'evt_',
    'evt_1',
    'cir_00000000001',
    'evt_0000000000i',
    'evt_000000000001',
    'evt_zzzzzzzzzzz',
  ])('no event id: %s', (text) => {
    expect(eventSeq(text)).toBeUndefined();
  });
  test('a short code can be told over a telephone', () => {
    const random = seededRandom(3);
    for (let i = 0; i < 200; i++) expect(shortCode(random)).toMatch(/^[234679CDFGHJKMNPRTWXYZ]{4}$/);
  });
});

describe('the calendar’s seconds', () => {
  it('come back as the instant they were, and NEVER as NEVER', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 30 }), (s) => {
        expect(toSeconds(fromSeconds(s))).toBe(s);
      }),
    );
    expect(toSeconds(NEVER)).toBe(LAST_SECOND);
    expect(fromSeconds(LAST_SECOND)).toBe(NEVER);
  });
  test('edges keep their small number', () => {
    const names = new EdgeNames();
    const [a, b] = [names.intern('link:a'), names.intern('link:b')];
    expect(names.intern('link:a')).toBe(a);
    expect(names.name(b)).toBe('link:b');
    expect(names.size).toBe(2);
  });
});

describe('who may see', () => {
  const someone = (
    id: string,
    projects: readonly string[],
    roles: Principal['roles'] = ['user'],
  ): Principal => ({
    id,
    name: id,
    roles,
    projects,
    assurance: 1,
  });
  const circuit = { project: 'lhc', owner: 'i|anna' };
  test.each([
    ['its owner', someone('i|anna', []), true],
    ['her project', someone('i|bob', ['lhc']), true],
    ['an operator', someone('i|op', [], ['operator']), true],
    ['another project', someone('i|eve', ['lhc2']), false],
  ])('%s: %s', (_, principal, expected) => {
    expect(maySee(principal, circuit)).toBe(expected);
    expect(isOperator(principal)).toBe(principal.id === 'i|op');
  });
});
