/**
 * Recurrence after RFC 5545, in the IANA zone that the request names: the wall-clock time stays the same over
 * a change of daylight saving, and a time that does not exist on a day (the gap in spring) is left out, as
 * the RFC demands. Every rule must end: COUNT or UNTIL, and at most 400 occurrences.
 */
import { RRuleTemporal } from 'rrule-temporal';
import { Temporal } from 'temporal-polyfill';
import { type InstantMs, instant } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import { plusSeconds, type Window } from './window.ts';

export const MOST_OCCURRENCES = 400;
const LONGEST_RULE = 1024;
/**
 * How long a rule is searched for its next time. Ten years have 3,653 days; a rule that finds nothing in so
 * many steps, or tries so many times of day for one, is not worth holding everybody else up for.
 */
const MOST_STEPS = 4_000;
const MOST_CANDIDATES = 10_000;
/** Within a day a step costs several times as much and covers less. */
const MOST_STEPS_WITHIN_DAYS = 2_000;

export interface Recurrence {
  readonly rrule: string;
  readonly timezone: string;
  readonly durationS: number;
  readonly notBefore: InstantMs;
}

/** The windows that the rule names, in order; throws INVALID_REQUEST with the field at fault. */
export function occurrences(recurrence: Recurrence): Window[] {
  const rule = recurrence.rrule.replace(/^RRULE:/i, '');
  if (rule.length > LONGEST_RULE || /[\r\n]/.test(rule))
    throw wrong('/schedule/rrule', 'not one recurrence rule');
  if (!/(^|;)(COUNT|UNTIL)=/i.test(rule))
    throw wrong('/schedule/rrule', 'the rule must end: give COUNT or UNTIL');
  const starts = expand(rule, zoned(recurrence));
  if (starts.length > MOST_OCCURRENCES)
    throw wrong('/schedule/rrule', `more than ${MOST_OCCURRENCES} occurrences`);
  if (starts.length === 0) throw wrong('/schedule/rrule', 'the rule names no time at all');
  const windows = starts.map((start): Window => ({ start, end: plusSeconds(start, recurrence.durationS) }));
  const clash = windows.findIndex((window, i) => i > 0 && window.start < (windows[i - 1] as Window).end);
  if (clash > 0) throw wrong('/schedule/duration_s', 'longer than the time from one occurrence to the next');
  return windows;
}

function zoned(recurrence: Recurrence): Temporal.ZonedDateTime {
  try {
    return Temporal.Instant.fromEpochMilliseconds(recurrence.notBefore).toZonedDateTimeISO(
      recurrence.timezone,
    );
  } catch {
    throw wrong('/schedule/timezone', 'not an IANA time zone');
  }
}

function expand(rule: string, dtstart: Temporal.ZonedDateTime): InstantMs[] {
  try {
    const starts: InstantMs[] = [];
    const parsed = new RRuleTemporal({
      rruleString: rule,
      dtstart,
      maxIterations: /(^|;)FREQ=(SECOND|MINUTE|HOUR)LY/i.test(rule) ? MOST_STEPS_WITHIN_DAYS : MOST_STEPS,
      maxCandidateEvaluations: MOST_CANDIDATES,
    });
    parsed.all((at, i) => {
      if (i <= MOST_OCCURRENCES) starts.push(instant(at.epochMilliseconds));
      return i <= MOST_OCCURRENCES;
    });
    return [...new Set(starts)];
  } catch (error) {
    const detail = error instanceof Error ? error.message : 'not a recurrence rule';
    throw wrong(
      '/schedule/rrule',
      /exceeded/.test(detail) ? 'the rule names too few times, or none' : detail,
    );
  }
}

const wrong = (pointer: string, detail: string): BrokerError =>
  new BrokerError('INVALID_REQUEST', detail, { errors: [{ pointer, detail }] });
