/** How secrets may be compared: in a time that says nothing about them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../../src');
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));

/** Make keyed digests and send them, or names from them; none that came from outside is compared there. */
const makers = ['notify/send.ts', 'broker/tokens/tokenDesk.ts'];
/** Outright: `community === given`. The digest of a text that both know is no secret. What is compared with undefined is asked whether it is there. */
const OUTRIGHT =
  /\b(?:community|password|passphrase|secret|hmac|mac)\b\)? *[!=]==? *(?!undefined|null|''|true|false|'string'|")\w/;

test('attack 75: who takes a keyed digest compares it by timingSafeEqual', () => {
  const takers = sources.filter(
    ({ file, text }) => /\bcreateHmac\(/.test(text) && !makers.includes(file.replaceAll('\\', '/')),
  );
  expect(takers.length).toBeGreaterThan(0);
  for (const { file, text } of takers) expect(text, file).toMatch(/\btimingSafeEqual\(/);
});

test('attack 75: no secret is compared outright', () => {
  const found = sources.flatMap(({ file, text }) =>
    text.split('\n').flatMap((line) => (OUTRIGHT.test(line) ? [`${file}: ${line.trim()}`] : [])),
  );
  expect(found).toEqual([]);
  expect(OUTRIGHT.test('if (community === given)')).toBe(true);
  expect(OUTRIGHT.test('if (community === undefined)')).toBe(false);
});
