import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CommandSplitter,
  formatCommand,
  grouped,
  parseCommand,
  quoted,
  redacted,
  stamp,
} from '../../../src/drivers/tl1/format.ts';

describe('commands as the elements want them', () => {
  test.each([
    [{ verb: 'ENT-PATCH', aid: [grouped(['11']), grouped(['28'])], blocks: [''] }, 'ENT-PATCH::11,28:123:;'],
    [{ verb: 'DLT-PATCH', aid: ['11'], blocks: [''] }, 'DLT-PATCH::11:123:;'],
    [{ verb: 'RTRV-PATCH', blocks: [''] }, 'RTRV-PATCH:::123:;'],
    [
      { verb: 'ENT-PATCH', aid: [grouped(['1', '2']), grouped(['17', '18'])], blocks: [''] },
      'ENT-PATCH::1&2,17&18:123:;',
    ],
    [
      {
        verb: 'ENT-CRS-STS3C',
        tid: 'NE 1',
        aid: ['A-1', 'B-1'],
        blocks: ['', '2WAY', `CKTID=${quoted('t')}`],
      },
      'ENT-CRS-STS3C:"NE 1":A-1,B-1:123::2WAY:CKTID="t";',
    ],
  ])('%o', (command, text) => {
    expect(formatCommand(command, '123')).toBe(text);
  });
});

describe('attack 73: injection', () => {
  const bad = [';', ':', ',', '"', '&', '\r', '\n', '\u0000', '\\', 'é'];
  test.each(bad)('%j is not let into a TID, a string, an AID or a CTAG', (char) => {
    const text = `a${char}b`;
    expect(() => quoted(text)).toThrow(/not a TL1/);
    expect(() => formatCommand({ verb: 'RTRV-HDR', tid: text }, '1')).toThrow(/not a TL1/);
    expect(() => formatCommand({ verb: 'RTRV-HDR', aid: [`;${text}`] }, '1')).toThrow(/not a TL1/);
    expect(() => formatCommand({ verb: 'RTRV-HDR' }, text)).toThrow(/not a CTAG/);
    expect(() => grouped([text])).toThrow(/not a TL1/);
  });

  test('whatever is formatted is one command', () => {
    const any = fc.string({ unit: 'binary', maxLength: 12 });
    fc.assert(
      fc.property(any, any, any, any, (tid, aid, block, tag) => {
        let text: string;
        try {
          text = formatCommand(
            { verb: 'ENT-X', tid, aid: [aid], blocks: ['', block, `N=${quoted(tag)}`] },
            '9',
          );
        } catch {
          return;
        }
        expect(new CommandSplitter().push(text)).toHaveLength(1);
        expect(text).not.toMatch(/[\r\n]/);
        expect(parseCommand(text.slice(0, -1))).toMatchObject({ verb: 'ENT-X', ctag: '9' });
        expect(parseCommand(text.slice(0, -1))?.blocks).toHaveLength(3);
      }),
      { numRuns: 500 },
    );
  });
});

test('the password of a login is never shown', () => {
  const text = formatCommand({ verb: 'ACT-USER', aid: ['admin'], blocks: ['', 'hunter2'] }, '1');
  expect(text).toBe('ACT-USER::admin:1::hunter2;');
  expect(redacted(text)).toBe('ACT-USER::admin:1::***;');
});

test('stamps are civil time', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_000_000_000_000 }), (ms) => {
      expect(stamp(ms)).toBe(new Date(ms).toISOString().slice(2, 19).replace('T', ' '));
    }),
  );
});
