import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { CliError } from '../../src/cli/io.ts';
import { echoTime, parseTime, zoneNamed, zoneOf } from '../../src/cli/times.ts';
import { instant, rfc3339 } from '../../src/kernel/clock.ts';

const at = (text: string) => instant(Date.parse(text));

async function read(said: string, now: string, zone = 'Europe/Amsterdam'): Promise<string> {
  try {
    return rfc3339(await parseTime(said, { now: at(now), zone }));
  } catch (error) {
    if (error instanceof CliError) return [error.message, ...error.hints].join(' | ');
    throw error;
  }
}

describe('a Saturday evening before the clocks go forward', () => {
  const now = '2026-03-28T20:00:00.250Z';
  it.each([
    ['now', '2026-03-28T20:00:01Z'],
    ['+2h', '2026-03-28T22:00:01Z'],
    ['in 90m', '2026-03-28T21:30:01Z'],
    ['22:00', '2026-03-28T21:00:00Z'],
    ['06:00 Europe/Amsterdam', '2026-03-29T04:00:00Z'],
    ['6:00', '2026-03-29T04:00:00Z'],
    ['06:00 UTC', '2026-03-29T06:00:00Z'],
    ['06:00:30 +01:00', '2026-03-29T05:00:30Z'],
    ['06:00 +0530', '2026-03-29T00:30:00Z'],
    ['20:30 America/New_York', '2026-03-29T00:30:00Z'],
    ['21:00', '2026-03-29T19:00:00Z'],
    ['today 23:00', '2026-03-28T22:00:00Z'],
    ['tomorrow 18:00', '2026-03-29T16:00:00Z'],
    ['saturday 23:00', '2026-03-28T22:00:00Z'],
    ['sat 18:00', '2026-04-04T16:00:00Z'],
    ['Fri 6:00 America/New_York', '2026-04-03T10:00:00Z'],
    ['2026-11-21 06:00', '2026-11-21T05:00:00Z'],
    ['2026-11-21T06:00', '2026-11-21T05:00:00Z'],
    ['2026-11-21T06:00Z', '2026-11-21T06:00:00Z'],
    ['2026-11-21t06:00:00z', '2026-11-21T06:00:00Z'],
    ['2026-11-21T06:00:00-05:00', '2026-11-21T11:00:00Z'],
    ['2026-11-21 06:00 UTC', '2026-11-21T06:00:00Z'],
    ['2026-11-21T06:00[America/New_York]', '2026-11-21T11:00:00Z'],
    ['2026-11-21T06:00+01:00[Europe/Amsterdam]', '2026-11-21T05:00:00Z'],
  ])('%s', async (said, utc) => expect(await read(said, now)).toBe(utc));

  it.each([
    [
      '02:30',
      'has no 2026-03-29 02:30, because its clocks go forward | say 2026-03-29T01:30:00+01:00 or 2026-03-29T03:30:00+02:00',
    ],
    ['2026-03-29 02:00 Europe/Amsterdam', 'has no 2026-03-29 02:00'],
    ['2026-11-21T06:00+02:00[Europe/Amsterdam]', 'is at +01:00 then, not at +02:00'],
    ['2026-02-30 10:00', 'there is no such day'],
    ['25:00', 'there is no such time of day'],
    ['24:00', 'there is no such time of day'],
    ['12:60', 'there is no such time of day'],
    ['2026-03-29', 'names a day but no time of it'],
    ['06:00 EST', '"EST" is no time zone'],
    ['06:00 Europe/Nowhere', '"Europe/Nowhere" is no time zone'],
    ['soonish', 'is no time'],
    ['+soon', 'is no duration'],
    ['', 'is no time'],
  ])('%s is refused', async (said, why) => expect(await read(said, now)).toContain(why));

  test('the same hour exists elsewhere', async () => {
    expect(await read('02:30 Europe/London', now)).toBe('2026-03-29T01:30:00Z');
    expect(await read('02:30 UTC', now)).toBe('2026-03-29T02:30:00Z');
  });
});

describe('a Saturday evening before the clocks go back', () => {
  const now = '2026-10-24T20:00:00Z';
  test('an hour that comes twice is refused with both readings, each of which is accepted', async () => {
    expect(await read('02:30', now)).toContain(
      'has 2026-10-25 02:30 twice, because its clocks go back | say 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00',
    );
    expect(await read('2026-10-25T02:30:00+02:00', now)).toBe('2026-10-25T00:30:00Z');
    expect(await read('2026-10-25T02:30:00+01:00', now)).toBe('2026-10-25T01:30:00Z');
    expect(await read('2026-10-25T02:30+01:00 Europe/Amsterdam', now)).toBe('2026-10-25T01:30:00Z');
  });
  test('the hours around it are not', async () => {
    expect(await read('01:59', now)).toBe('2026-10-24T23:59:00Z');
    expect(await read('03:00', now)).toBe('2026-10-25T02:00:00Z');
  });
});

/** The wall clock of a zone, by the platform's own formatter: independent of Temporal. */
function wall(ms: number, zone: string): string {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'medium',
  });
  return format.format(ms);
}

test('every instant of a year is read back from its wall clock, or refused because it comes twice', async () => {
  const year = Date.UTC(2026, 0, 1) / 1000;
  const zones = ['Europe/Amsterdam', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC'];
  // Half of the instants lie close to a change of the clocks, where the trouble is.
  const edges = [
    '2026-03-29T01:00Z',
    '2026-10-25T01:00Z',
    '2026-03-08T07:00Z',
    '2026-11-01T06:00Z',
    '2026-04-04T15:00Z',
  ];
  const seconds = fc.oneof(
    fc.integer({ min: year, max: year + 365 * 86_400 }),
    fc
      .tuple(fc.constantFrom(...edges), fc.integer({ min: -7200, max: 7200 }))
      .map(([edge, off]) => Date.parse(edge) / 1000 + off),
  );
  await fc.assert(
    fc.asyncProperty(seconds, fc.constantFrom(...zones), async (s, zone) => {
      const said = wall(s * 1000, zone);
      const read2 = await read(`${said} ${zone}`, '2026-01-01T00:00:00Z');
      if (read2 === rfc3339(instant(s * 1000))) return;
      expect(read2).toContain('twice');
      const twins = [1800, -1800, 3600, -3600].filter((off) => wall((s + off) * 1000, zone) === said);
      expect(twins).toHaveLength(1);
    }),
    { numRuns: 400 },
  );
});

test('zones', () => {
  expect(zoneOf(undefined, { TZ: 'Asia/Tokyo' })).toBe('Asia/Tokyo');
  expect(zoneOf('Europe/Rome', { TZ: 'Asia/Tokyo' })).toBe('Europe/Rome');
  expect(() => zoneOf('Mars/Olympus', {})).toThrow('is no time zone');
  expect(zoneOf(undefined, { TZ: ':rubbish' })).toBe(new Intl.DateTimeFormat().resolvedOptions().timeZone);
  expect(zoneNamed('06:00 Europe/Amsterdam')).toBe('Europe/Amsterdam');
  expect(zoneNamed('2026-01-01T06:00[Europe/Amsterdam]')).toBe('Europe/Amsterdam');
  expect(zoneNamed('06:00 utc')).toBe('UTC');
  expect(zoneNamed('06:00')).toBeUndefined();
});

test('the echo says when that is from now', () => {
  const now = at('2026-11-20T21:17:03Z');
  expect(echoTime(at('2026-11-21T05:00:00Z'), now)).toBe('2026-11-21T05:00:00Z (in 7h43m)');
  expect(echoTime(at('2026-11-20T21:17:33Z'), now)).toBe('2026-11-20T21:17:33Z (in 30s)');
  expect(echoTime(at('2026-11-20T20:17:03Z'), now)).toBe('2026-11-20T20:17:03Z (1h ago)');
});
