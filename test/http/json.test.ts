import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_DEPTH, parseStrict } from '../../src/http/json.ts';
import { BrokerError } from '../../src/kernel/errors.ts';

/** Where parseStrict points when it refuses, or undefined when it does not. */
function refusedAt(text: string): string | undefined {
  try {
    parseStrict(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof BrokerError) || error.code !== 'INVALID_REQUEST') throw error;
    expect(error.message).not.toBe('');
    return error.details.errors?.[0]?.pointer;
  }
}

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('strict JSON', () => {
  it.each([
    ['an empty body', '', ''],
    ['white space alone', ' \n', ''],
    ['a trailing comma', '{"a":1,}', ''],
    ['a second value', '{} {}', ''],
    ['NaN', '{"a":NaN}', ''],
    ['a leading byte order mark', '\ufeff{}', ''],
    ['a control character in a string', '{"a":"\n"}', ''],
    ['a key twice', '{"a":1,"b":2,"a":3}', '/a'],
    ['a key twice, once escaped', '{"a":1,"\\u0061":2}', '/a'],
    ['a key twice, deep down', '{"x":[0,{"y":{"a/b~c":1,"a/b~c":2}}]}', '/x/1/y/a~1b~0c'],
    ['the empty key twice', '{"":1,"":2}', '/'],
    ['an index-like key twice', '{"0":1,"0":2}', '/0'],
    ['__proto__', '{"a":{"__proto__":{"x":1}}}', '/a/__proto__'],
    ['__proto__ behind an escape', '{"\\u005f_proto__":1}', '/__proto__'],
    ['constructor', '[{"constructor":1}]', '/0/constructor'],
    ['2^53', '{"n":9007199254740992}', '/n'],
    ['-2^53', '{"n":-9007199254740992}', '/n'],
    ['2^53 + 1, which would be rounded into range', '[9007199254740993]', '/0'],
    ['a number that is infinite as a double', '{"a":[1,1e400]}', '/a/1'],
    ['its negative', '{"a":-1e400}', '/a'],
    ['an exponent beyond 2^53', '{"a":1E16}', '/a'],
    ['1e308', '{"bandwidth_mbps":1e308}', '/bandwidth_mbps'],
    ['a bare number beyond 2^53', '12345678901234567890', ''],
    ['half a surrogate pair', '{"a":"\ud800"}', '/a'],
    ['half a surrogate pair as an escape', '{"a":["x","\\udc00"]}', '/a/1'],
    ['the halves in the wrong order', '{"a":"\\udc00\\ud800"}', '/a'],
    ['half a pair in a key', '{"a":{"\\ud800":1}}', '/a'],
    ['depth 33', nested(MAX_DEPTH + 1), '/0'.repeat(MAX_DEPTH)],
    ['depth 10,000', nested(10_000), '/0'.repeat(MAX_DEPTH)],
    ['objects 33 deep', `${'{"a":'.repeat(33)}1${'}'.repeat(33)}`, '/a'.repeat(MAX_DEPTH)],
    ['an endless key twice', `{"${'k'.repeat(1000)}":1,"${'k'.repeat(1000)}":1}`, ''],
  ])('refuses %s', (_name, text, pointer) => {
    expect(refusedAt(text)).toBe(pointer);
  });

  it.each([
    ['depth 32', nested(MAX_DEPTH)],
    ['2^53 - 1', '9007199254740991'],
    ['its negative', '-9007199254740991'],
    ['long digits behind the point', '{"a":0.12345678901234567890}'],
    ['an exponent within bounds', '[1e3,2.5E-3,-0]'],
    ['a whole pair, plain and escaped', '["\u{1f600}","\\ud83d\\ude00"]'],
    ['the same key in two objects', '{"a":{"k":1},"b":{"k":1},"k":[{"k":1},{"k":2}]}'],
    ['keys as values', '{"a":"a","b":["a","a"],"c":"__proto__"}'],
    ['escaped quotes and backslashes', '{"a\\"":"\\\\","b":"\\\\\\"","c\\\\":"{\\"a\\":1}"}'],
    ['brackets and commas inside strings', '{"a":"}],{[","b":1}'],
    ['a literal', 'null'],
  ])('takes %s as JSON.parse does', (_name, text) => {
    expect(parseStrict(text)).toEqual(JSON.parse(text));
  });

  it('does not repeat the body in what it says', () => {
    let said = '';
    try {
      parseStrict('{"secret":hunter2}');
    } catch (error) {
      said = JSON.stringify(error) + String(error);
    }
    expect(said).toContain('not JSON');
    expect(said).not.toContain('hunter2');
  });

  it('agrees with JSON.parse on every value within the limits, however it is spaced or escaped', () => {
    const escapedKeys = (text: string): string =>
      text.replace(/[a-z]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
    const leaf = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', 'a', 'é') }),
      fc.maxSafeInteger(),
      fc.double({ noDefaultInfinity: true, noNaN: true, min: -(2 ** 53) + 1, max: 2 ** 53 - 1 }),
      fc.boolean(),
      fc.constant(null),
    );
    const key = fc
      .oneof(
        fc.string({ unit: 'grapheme', maxLength: 6 }),
        fc.string({ unit: fc.constantFrom('"', '\\', 'u') }),
      )
      .filter((k) => k !== '__proto__' && k !== 'constructor');
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'medium', maxDepth: 12 },
        leaf,
        fc.array(tie('value'), { maxLength: 5 }),
        fc.dictionary(key, tie('value'), { maxKeys: 20, noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(value, fc.constantFrom(0, 1, '\t'), fc.boolean(), (v, indent, escaping) => {
        const plain = JSON.stringify(v, null, indent);
        // Only a body without escapes of its own can have its letters replaced.
        const text =
          escaping && !plain.includes('\\')
            ? plain.replace(/"[^"]*"/g, (string) => escapedKeys(string))
            : plain;
        expect(parseStrict(text)).toEqual(JSON.parse(plain));
      }),
      { numRuns: 500 },
    );
  });

  it('finds any duplicate planted at any depth, and points at it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5 }), fc.nat(3)), {
          maxLength: 20,
        }),
        fc.uniqueArray(fc.string({ unit: 'grapheme', maxLength: 5 }), { minLength: 1, maxLength: 30 }),
        fc.nat(),
        (steps, keys, pick) => {
          const usual = keys.map((k) => (k === '__proto__' || k === 'constructor' ? `${k}.` : k));
          const again = usual[pick % usual.length] as string;
          let text = `{${[...usual, again].map((k) => `${JSON.stringify(k)}:1`).join(',')}}`;
          for (const step of [...steps].reverse()) {
            text =
              typeof step === 'number'
                ? `[${'0,'.repeat(step)}${text}]`
                : `{${JSON.stringify(step)}:${text}}`;
          }
          const pointer = [...steps, again]
            .map((s) => `/${String(s).replaceAll('~', '~0').replaceAll('/', '~1')}`)
            .join('');
          expect(refusedAt(text)).toBe(pointer);
        },
      ),
    );
  });

  it('never throws anything but a refusal, whatever it is given', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:\\u0d8e-1. '), maxLength: 40 }), (text) => {
        const pointer = refusedAt(text);
        if (pointer === undefined) expect(parseStrict(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 2000 },
    );
  });
});
