import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAutonomous, formatResponse } from '../../../src/drivers/tl1/format.ts';
import {
  BOUNDS,
  denial,
  parseText,
  splitOutside,
  Tl1Parser,
  type Tl1Unit,
  unquote,
} from '../../../src/drivers/tl1/parse.ts';
import { TelnetFilter } from '../../../src/drivers/tl1/telnet.ts';

const golden = new URL('../../golden/tl1/', import.meta.url);

function parse(bytes: Uint8Array, cuts: readonly number[] = []): Tl1Unit[] {
  const telnet = new TelnetFilter();
  const parser = new Tl1Parser();
  const units: Tl1Unit[] = [];
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    const end = Math.max(at, Math.min(cut, bytes.length));
    units.push(...parser.push(telnet.push(Buffer.from(bytes.subarray(at, end))).data));
    at = end;
  }
  return units;
}

const transcripts = readdirSync(golden).flatMap((dialect) =>
  readdirSync(new URL(`${dialect}/`, golden))
    .filter((name) => name.endsWith('-input.txt'))
    .map((name) => ({
      name: `${dialect}/${name.slice(0, 2)}`,
      input: readFileSync(new URL(`${dialect}/${name}`, golden)),
      output: JSON.parse(
        readFileSync(new URL(`${dialect}/${name.replace('input.txt', 'output.json')}`, golden), 'utf8'),
      ) as unknown,
    })),
);

describe('transcripts', () => {
  test.each(transcripts)('$name', ({ input, output }) => {
    expect(parse(input)).toEqual(output);
  });

  test.each(transcripts)('$name, a byte at a time', ({ input, output }) => {
    expect(parse(input, [...input.keys()])).toEqual(output);
  });

  test('each dialect has one', () => {
    expect(new Set(transcripts.map((t) => t.name.split('/')[0]))).toEqual(
      new Set(['polatis', 'ome6500', 'ons15454']),
    );
  });
});

describe('any cut gives the same units', () => {
  const all = Buffer.concat(transcripts.map((t) => t.input));
  test('for all transcripts in a row', () => {
    const whole = parse(all);
    fc.assert(
      fc.property(fc.array(fc.nat(all.length), { maxLength: 40 }), (cuts) => {
        expect(
          parse(
            all,
            cuts.toSorted((a, b) => a - b),
          ),
        ).toEqual(whole);
      }),
    );
  });
});

describe('noise', () => {
  test('never throws, and holds less than its bounds', () => {
    const pieces = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc
        .constantFrom(
          '\r\n\n   sid 26-01-02 03:04:05\r\n',
          'M  7 COMPLD\r\n',
          'A  1 REPT ALM\r\n',
          ';',
          '>',
          '"',
          '\\',
        )
        .map((text) => new Uint8Array(Buffer.from(text))),
      fc.constantFrom(...transcripts.map((t) => new Uint8Array(t.input))),
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (chunks) => {
        const bounds = { line: 100, unit: 300, response: 600, open: 3 };
        const parser = new Tl1Parser(bounds);
        for (const chunk of chunks) {
          for (const unit of parser.push(chunk))
            expect(unit.kind).toMatch(/^(ack|response|autonomous|broken)$/);
          expect(parser.held).toBeLessThanOrEqual(bounds.line + bounds.unit + bounds.open * bounds.response);
        }
      }),
    );
  });

  test('after any noise a header is understood again, once the open line and unit have ended', () => {
    const answer = Buffer.from(formatResponse('ne', 0, '42', 'COMPLD', ['"fine"']));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        const parser = new Tl1Parser();
        parser.push(noise);
        parser.push(Buffer.from('\r\n;\r\n'));
        expect(parser.push(answer)).toContainEqual(
          expect.objectContaining({ kind: 'response', ctag: '42', lines: ['"fine"'] }),
        );
      }),
    );
  });
});

describe('bounds', () => {
  const head = Buffer.from('\r\n\n   ne 26-01-02 03:04:05\r\nM  5 COMPLD\r\n');
  test('a unit without an end is given up, its CTAG named, and the next one is read', () => {
    const parser = new Tl1Parser();
    parser.push(head);
    const line = Buffer.from(`   "${'x'.repeat(1000)}"\r\n`);
    const units: Tl1Unit[] = [];
    let most = 0;
    for (let sent = 0; sent < 8 * 1024 * 1024; sent += line.length) {
      units.push(...parser.push(line));
      most = Math.max(most, parser.held);
    }
    expect(units).toEqual([{ kind: 'broken', why: 'too large', ctag: '5' }]);
    expect(most).toBeLessThan(BOUNDS.unit + 2 * BOUNDS.line);
    expect(parser.push(Buffer.from(`;${formatResponse('ne', 0, '6', 'COMPLD')}`))).toMatchObject([
      { kind: 'response', ctag: '6' },
    ]);
  });

  test('1 MB without a line end', () => {
    const parser = new Tl1Parser();
    const units = parser.push(head);
    const chunk = Buffer.alloc(65_000, 'y');
    for (let i = 0; i < 17; i++) {
      units.push(...parser.push(chunk));
      expect(parser.held).toBeLessThan(2 * BOUNDS.line + chunk.length);
    }
    expect(units).toEqual([{ kind: 'broken', why: 'too large', ctag: '5' }]);
  });

  test('pages without end are given up', () => {
    const parser = new Tl1Parser({ response: 5_000 });
    const page = Buffer.from(formatResponse('ne', 0, '8', 'COMPLD', ['"'.padEnd(1000, 'z')], true));
    const units = Array.from({ length: 6 }, () => parser.push(page)).flat();
    expect(units).toEqual([{ kind: 'broken', why: 'too large', ctag: '8' }]);
  });

  test('many answers begun and none ended', () => {
    const parser = new Tl1Parser({ open: 2 });
    const page = (ctag: string) => Buffer.from(formatResponse('ne', 0, ctag, 'COMPLD', ['"a"'], true));
    expect(['1', '2', '3'].flatMap((ctag) => parser.push(page(ctag)))).toEqual([
      { kind: 'broken', why: 'too many open', ctag: '3' },
    ]);
  });
});

describe('a unit of 97 kB', () => {
  test('is read', () => {
    const lines = Array.from({ length: 1500 }, (_, i) => `"STS3C-1-5-1-${i},STS3C-1-6-1-${i}:2WAY:IS-NR"`);
    const [unit] = parse(Buffer.from(formatResponse('ne', 0, '1', 'COMPLD', lines)));
    expect(unit).toMatchObject({ kind: 'response', lines });
  });
});

describe('round trip', () => {
  const line = fc.stringMatching(/^[A-Za-z0-9 ,:;=/-]{1,60}$/).map((text) => `"${text}"`);
  test('of what the formatter writes', () => {
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 8 }),
        fc.integer({ min: 1, max: 999_999 }),
        fc.integer({ min: 0, max: 4_000_000_000_000 }),
        (lines, tag, at) => {
          expect(parse(Buffer.from(formatResponse('ne 1', at, `${tag}`, 'COMPLD', lines)))).toEqual([
            { kind: 'response', sid: 'ne 1', ctag: `${tag}`, code: 'COMPLD', lines, pages: 1 },
          ]);
          expect(parse(Buffer.from(formatAutonomous('ne', at, '*C', `${tag}`, 'REPT ALM', lines)))).toEqual([
            { kind: 'autonomous', sid: 'ne', alarm: '*C', atag: `${tag}`, verb: 'REPT ALM', lines },
          ]);
        },
      ),
    );
  });
});

describe('words', () => {
  test.each([
    ['a,b,c', ',', ['a', 'b', 'c']],
    ['"a,b",c', ',', ['"a,b"', 'c']],
    ['"a\\",b",c', ',', ['"a\\",b"', 'c']],
    ['', ',', ['']],
    ['a,', ',', ['a', '']],
  ])('%s is split', (text, separator, parts) => {
    expect(splitOutside(text, separator)).toEqual(parts);
  });

  test('a line of text has its names and states', () => {
    const text = parseText('"STS3C-1-5-1-1,STS3C-1-6-1-1:2WAY:CKTID=\\"x:y,z\\",RATE=STS3C:IS-NR"');
    expect(text.aids).toEqual(['STS3C-1-5-1-1', 'STS3C-1-6-1-1']);
    expect(text.named.get('CKTID')).toBe('x:y,z');
    expect(text.named.get('RATE')).toBe('STS3C');
    expect(text.blocks.at(-1)).toBe('IS-NR');
  });

  test('quotes come off once', () => {
    expect(unquote('"a\\"b"')).toBe('a"b');
    expect(unquote('a"b')).toBe('a"b');
  });

  test('a denial has a code and words', () => {
    const [unit] = parse(
      Buffer.from(formatResponse('ne', 0, '1', 'DENY', ['IEAE', '/* Input, Entity Already Exists */'])),
    );
    expect(unit?.kind === 'response' && denial(unit)).toEqual({
      code: 'IEAE',
      text: 'Input, Entity Already Exists',
    });
  });
});

describe('telnet', () => {
  test('options are declined, doubled 255s are data, subnegotiations vanish', () => {
    const filter = new TelnetFilter();
    const seen = filter.push(Buffer.from([65, 255, 253, 1, 255, 251, 3, 66, 255, 255, 255, 250, 24, 1, 2]));
    expect(seen.data).toEqual(Buffer.from([65, 66, 255]));
    expect(seen.reply).toEqual(Buffer.from([255, 252, 1, 255, 254, 3]));
    expect(filter.push(Buffer.from([9, 255, 240, 67])).data).toEqual(Buffer.from([67]));
  });
});
