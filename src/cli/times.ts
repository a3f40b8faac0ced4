/**
 * Points in time as people write them, with a zone or without: `06:00 Europe/Amsterdam`, `tomorrow 18:00`,
 * `2026-11-21 06:00`, `+2h`, RFC 3339. A time that the zone's clocks skip, or show twice, when daylight
 * saving begins or ends is refused with the two readings: a circuit an hour late is worse than a question.
 * Temporal is loaded on first use, because most commands name no time.
 */
import type { Temporal } from 'temporal-polyfill';
import { type InstantMs, instant, rfc3339 } from '../kernel/clock.ts';
import { plusSeconds } from '../model/window.ts';
import { usage } from './io.ts';
import { formatDuration, parseDuration } from './units.ts';

type TemporalModule = typeof Temporal;

export interface TimeContext {
  readonly now: InstantMs;
  /** For times that name none. */
  readonly zone: string;
}

const FORMS =
  'write it as "06:00 Europe/Amsterdam", "tomorrow 18:00", "2026-11-21 06:00 UTC", "+2h" or RFC 3339';

const CLOCK = String.raw`(\d{1,2}):(\d{2})(?::(\d{2}))?`;
const DATED = new RegExp(
  String.raw`^(\d{4}-\d{2}-\d{2})[T ]${CLOCK}(?:\.0+)?\s*(Z|[+-]\d{2}:?\d{2})?\s*(.*)$`,
  'i',
);
const NAMED = new RegExp(`^(today|tomorrow|mon|tue|wed|thu|fri|sat|sun)[a-z]*\\s+${CLOCK}\\s*(.*)$`, 'i');
const BARE = new RegExp(`^${CLOCK}\\s*(.*)$`);
const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

const systemZone = (): string => new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The zone to read times in: asked for, or the environment's TZ, or the system's. */
export function zoneOf(asked: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  const named = asked ?? env['TZ'];
  if (named === undefined || named === '') return systemZone();
  if (isZone(named)) return named;
  if (asked !== undefined)
    throw usage(`"${asked}" is no time zone`, 'zones are named as in Europe/Amsterdam or UTC');
  // TZ may also hold a POSIX rule such as CET-1CEST, which only the system can read.
  return systemZone();
}

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The zone that a time names, for rules that repeat it: `06:00 Europe/Amsterdam`. */
export function zoneNamed(text: string): string | undefined {
  const name = /(?:^|[\s[])([A-Za-z_]+(?:\/[A-Za-z0-9_+-]+)+|utc)\]?$/i.exec(text.trim())?.[1];
  if (name === undefined || !isZone(name)) return undefined;
  return name.toLowerCase() === 'utc' ? 'UTC' : name;
}

/** The instant that `text` names, in whole seconds. */
export async function parseTime(text: string, context: TimeContext): Promise<InstantMs> {
  const bare = text.trim();
  if (bare.length > 128) throw usage('a time of more than 128 characters');
  const soon = instant(Math.ceil(context.now / 1000) * 1000);
  if (bare.toLowerCase() === 'now') return soon;
  const relative = /^(?:\+|in\s+)(.+)$/i.exec(bare);
  if (relative !== null) return plusSeconds(soon, parseDuration(relative[1] as string));
  const { Temporal } = await import('temporal-polyfill');
  const dated = DATED.exec(bare);
  if (dated !== null) return readDated(Temporal, bare, dated, context);
  const named = NAMED.exec(bare);
  if (named !== null) {
    const [, day = '', h, m, s, zone = ''] = named;
    return readNamed(Temporal, bare, day.toLowerCase(), clockOf(Temporal, bare, h, m, s), zone, context);
  }
  const clock = BARE.exec(bare);
  if (clock !== null) {
    const [, h, m, s, zone = ''] = clock;
    return readNext(Temporal, bare, clockOf(Temporal, bare, h, m, s), zone, context);
  }
  if (/^\d{4}-\d{2}-\d{2}/.test(bare)) throw usage(`"${text}" names a day but no time of it`, FORMS);
  throw usage(`"${text}" is no time`, FORMS);
}

function clockOf(
  T: TemporalModule,
  text: string,
  h: string | undefined,
  m: string | undefined,
  s: string | undefined,
): Temporal.PlainTime {
  try {
    return T.PlainTime.from(
      { hour: Number(h), minute: Number(m), second: Number(s ?? 0) },
      { overflow: 'reject' },
    );
  } catch {
    throw usage(`"${text}": there is no such time of day`, 'hours run from 00 to 23');
  }
}

function zoneIn(rest: string, context: TimeContext): string {
  const name = rest.trim().replace(/^\[(.*)\]$/, '$1');
  if (name === '') return context.zone;
  if (/^(z|utc)$/i.test(name)) return 'UTC';
  // Intl knows three-letter zones too; EST or IST would be somebody's wrong guess.
  if (name.includes('/') && isZone(name)) return name;
  const offset = name.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2');
  // Not asked of Intl: Node 20 knows no offsets there. Temporal does.
  if (/^[+-](?:0\d|1[0-4]):[0-5]\d$/.test(offset)) return offset;
  throw usage(`"${name}" is no time zone`, 'zones are named as in Europe/Amsterdam, UTC or +01:00');
}

function readDated(T: TemporalModule, text: string, match: RegExpExecArray, context: TimeContext): InstantMs {
  const [, day = '', h, m, s, offset, rest = ''] = match;
  const clock = clockOf(T, text, h, m, s);
  let date: Temporal.PlainDate;
  try {
    date = T.PlainDate.from(day);
  } catch {
    throw usage(`"${text}": there is no such day`, FORMS);
  }
  const local = date.toPlainDateTime(clock);
  if (offset === undefined) return resolve(T, text, local, zoneIn(rest, context));
  const at = /^z$/i.test(offset) ? 'UTC' : offset.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2');
  let read: Temporal.ZonedDateTime;
  try {
    read = local.toZonedDateTime(at);
  } catch {
    throw usage(`"${text}": there is no such offset from UTC`, FORMS);
  }
  if (rest.trim() !== '') {
    const zone = zoneIn(rest, context);
    const there = read.withTimeZone(zone);
    if (at !== 'UTC' && there.offsetNanoseconds !== read.offsetNanoseconds) {
      throw usage(`"${text}": ${zone} is at ${there.offset} then, not at ${at}`, 'leave one of the two away');
    }
  }
  return instant(read.epochMilliseconds);
}

/** `tomorrow 06:00`, `fri 18:00`: a weekday is the next one whose time lies ahead. */
function readNamed(
  T: TemporalModule,
  text: string,
  day: string,
  clock: Temporal.PlainTime,
  rest: string,
  context: TimeContext,
): InstantMs {
  const zone = zoneIn(rest, context);
  const here = T.Instant.fromEpochMilliseconds(context.now).toZonedDateTimeISO(zone);
  const today = here.toPlainDate();
  if (day === 'today') return resolve(T, text, today.toPlainDateTime(clock), zone);
  if (day === 'tomorrow') return resolve(T, text, today.add({ days: 1 }).toPlainDateTime(clock), zone);
  const ahead = (WEEKDAYS.indexOf(day) + 1 - today.dayOfWeek + 7) % 7;
  const next = today.add({ days: ahead }).toPlainDateTime(clock);
  const passed = T.PlainDateTime.compare(next, here.toPlainDateTime()) <= 0;
  return resolve(T, text, passed ? next.add({ days: 7 }) : next, zone);
}

/** `06:00`: today if that lies ahead, else tomorrow. */
function readNext(
  T: TemporalModule,
  text: string,
  clock: Temporal.PlainTime,
  rest: string,
  context: TimeContext,
): InstantMs {
  const zone = zoneIn(rest, context);
  const here = T.Instant.fromEpochMilliseconds(context.now).toZonedDateTimeISO(zone);
  const today = here.toPlainDate().toPlainDateTime(clock);
  // Compared on the wall first: whether a skipped or doubled time of today matters depends on its being ahead.
  const passed = T.PlainDateTime.compare(today, here.toPlainDateTime()) <= 0;
  return resolve(T, text, passed ? today.add({ days: 1 }) : today, zone);
}

/** A wall-clock time in a zone, when there is exactly one such instant. */
function resolve(T: TemporalModule, text: string, local: Temporal.PlainDateTime, zone: string): InstantMs {
  const earlier = local.toZonedDateTime(zone, { disambiguation: 'earlier' });
  const later = local.toZonedDateTime(zone, { disambiguation: 'later' });
  if (T.ZonedDateTime.compare(earlier, later) === 0) return instant(earlier.epochMilliseconds);
  const write = (z: Temporal.ZonedDateTime): string =>
    z.toString({ timeZoneName: 'never', smallestUnit: 'second' });
  const twice = earlier.toPlainDateTime().equals(local);
  throw usage(
    twice
      ? `"${text}": ${zone} has ${show(local)} twice, because its clocks go back`
      : `"${text}": ${zone} has no ${show(local)}, because its clocks go forward`,
    `say ${write(earlier)} or ${write(later)}`,
  );
}

const show = (local: Temporal.PlainDateTime): string =>
  local.toString({ smallestUnit: 'minute' }).replace('T', ' ');

/** `2026-11-21T05:00:00Z (in 7h44m)`. */
export function echoTime(at: InstantMs, now: InstantMs): string {
  const seconds = Math.round((at - now) / 1000);
  // Beyond ten minutes nobody wants the seconds.
  const round = Math.abs(seconds) > 600 ? Math.round(seconds / 60) * 60 : seconds;
  return `${rfc3339(at)} (${round < 0 ? `${formatDuration(-round)} ago` : `in ${formatDuration(round)}`})`;
}
