/**
 * Everything that a policy can see of a request, declared once: the schema that policies are checked
 * against and the page that people write them by are made from this list, and so are the values. Sums and
 * times are worked out here, because a policy that computes can overflow, and one that fails is skipped.
 */
import { type InstantMs, instant } from '../kernel/clock.ts';
import type { DecisionAsk, Facts, Seen } from './decide.ts';

/** What this domain knows about names that appear in requests. */
export interface PolicyWorld {
  /** IANA zone of rules about times of day. */
  readonly zone: string;
  /** Prefixes of our own ports. */
  readonly prefixes: readonly string[];
  portGroups(port: string): readonly string[];
  isCommercial(project: string): boolean;
}

type Value = Seen[string];
const types = { Long: 'Long', Bool: 'Bool', String: 'String', Names: 'Set<String>' } as const;

export interface Attribute {
  readonly name: string;
  readonly type: keyof typeof types;
  /** There with every request; the others are guarded with `context has`. */
  readonly always: boolean;
  readonly source: string;
  readonly doc: string;
  readonly of: (ask: DecisionAsk, world: PolicyWorld, local: LocalTime) => Value | undefined;
}

export const cedarType = (a: Attribute): string => types[a.type];

const always = (
  name: string,
  type: Attribute['type'],
  source: string,
  doc: string,
  of: Attribute['of'],
): Attribute => ({ name, type, always: true, source, doc, of });
const sometimes = (
  name: string,
  type: Attribute['type'],
  source: string,
  doc: string,
  of: Attribute['of'],
): Attribute => ({ name, type, always: false, source, doc, of });

/** A fact of the request under the same name. */
const fact = (name: string, type: Attribute['type'], doc: string): Attribute =>
  sometimes(name, type, 'request', doc, ({ facts }) => facts[name]);

export const attributes: readonly Attribute[] = [
  always(
    'assurance',
    'Long',
    'authentication',
    '1 a bearer token, 2 a second factor.',
    (a) => a.principal.assurance,
  ),
  always(
    'sequence',
    'String',
    'broker',
    'Which of the three sequences of RFC 2904 it is: AGENT, PULL or PUSH.',
    (a) => (typeof a.facts['sequence'] === 'string' ? a.facts['sequence'] : 'AGENT'),
  ),
  always('commercial', 'Bool', 'project', 'The project is a commercial one.', (a, w) =>
    w.isCommercial(a.project),
  ),
  always(
    'month',
    'Long',
    'time',
    '1 to 12, of the start (of now, without one) in the zone of the domain.',
    (_, __, t) => t.month,
  ),
  always('day_of_month', 'Long', 'time', '1 to 31, likewise.', (_, __, t) => t.day),
  always('weekday', 'Long', 'time', '1 (Monday) to 7, likewise.', (_, __, t) => t.weekday),
  always(
    'minute_of_day',
    'Long',
    'time',
    '0 to 1439 on the clock of that place, likewise.',
    (_, __, t) => t.minute,
  ),
  always(
    'endless',
    'Bool',
    'request',
    'It has a start and no end.',
    (a) => 'start_time' in a.facts && !('end_time' in a.facts),
  ),
  always('override', 'Bool', 'request', 'An operator asks to override and gives a reason.', (a) => {
    const reason = a.facts['override_reason'];
    return typeof reason === 'string' && reason.trim() !== '';
  }),
  sometimes(
    'owner',
    'Bool',
    'circuit',
    'The circuit that it is about was booked by the caller.',
    (a) => a.facts['owner'],
  ),
  fact('a_port', 'String', 'Port id of the first end.'),
  fact('z_port', 'String', 'Port id of the second end.'),
  sometimes('a_domain', 'String', 'request', 'Prefix of the first port.', (a) => prefix(a.facts['a_port'])),
  sometimes('z_domain', 'String', 'request', 'Prefix of the second port.', (a) => prefix(a.facts['z_port'])),
  sometimes('a_groups', 'Names', 'port groups', 'Groups of the first port.', (a, w) =>
    groups(a.facts['a_port'], w),
  ),
  sometimes('z_groups', 'Names', 'port groups', 'Groups of the second port.', (a, w) =>
    groups(a.facts['z_port'], w),
  ),
  sometimes('transit', 'Bool', 'request', 'Neither end is ours.', (a, w) => {
    const [from, to] = [prefix(a.facts['a_port']), prefix(a.facts['z_port'])];
    if (from === undefined || to === undefined) return undefined;
    return !w.prefixes.includes(from) && !w.prefixes.includes(to);
  }),
  fact('peer', 'String', 'Domain of the peer that asks, as its certificate says.'),
  fact('from_peer', 'String', 'Domain that the circuit enters from.'),
  fact('to_peer', 'String', 'Domain that the circuit leaves to.'),
  fact('bandwidth_mbps', 'Long', 'In both directions.'),
  sometimes(
    'duration_s',
    'Long',
    'request',
    'From start to end; of a FLEXIBLE one, what is asked for.',
    (a) => seconds(a.facts),
  ),
  sometimes(
    'volume_mbit',
    'Long',
    'request',
    'Bandwidth times duration: what the booking takes out of a quota.',
    (a) => {
      const [mbps, s] = [a.facts['bandwidth_mbps'], seconds(a.facts)];
      return typeof mbps === 'number' && s !== undefined ? mbps * s : undefined;
    },
  ),
  fact('project_circuits', 'Long', 'Live circuits of the project, this one included.'),
  fact(
    'project_mbps',
    'Long',
    'Bandwidth of the project at its fullest moment in the window, this one included.',
  ),
  fact(
    'group_circuits',
    'Long',
    'Live circuits at the port groups of either end, this one included: the most of one group.',
  ),
  fact('group_mbps', 'Long', 'Bandwidth at the port groups of either end, likewise.'),
  fact('schedule', 'String', 'NOW, FIXED, FLEXIBLE, VOLUME, OFFER or RECURRING.'),
  fact('provision', 'String', 'AUTOMATIC or MANUAL.'),
  fact('priority', 'Long', '0 to 100.'),
  fact('occurrences', 'Long', 'Of a series.'),
  fact('circuits', 'Long', 'Of a set.'),
  fact('url', 'String', 'Of a webhook.'),
];

/** The part of `seen` that is not of the request: what the principal is in. */
export const PRINCIPAL_IN = 'principal_in';
const MAX_DEPTH = 16;

/** `Group::lhc`, ...: roles, groups with their ancestors, projects. Sorted, without doubles. */
function principalIn({ principal, groups: named = [] }: DecisionAsk): readonly string[] {
  const lineage = named.flatMap((group) => {
    const steps = group.split('/').filter((step) => step !== '');
    return steps.slice(0, MAX_DEPTH).map((_, i) => steps.slice(0, i + 1).join('/'));
  });
  return [
    ...new Set([
      ...principal.roles.map((role) => `Role::${role}`),
      ...lineage.map((group) => `Group::${group}`),
      ...principal.projects.map((project) => `Project::${project}`),
    ]),
  ].sort();
}

/** A whole number beyond 2^53 is none: it would be rounded, and then compared. */
const isOfType: Readonly<Record<Attribute['type'], (value: Value) => boolean>> = {
  Long: (value) => Number.isSafeInteger(value),
  Bool: (value) => typeof value === 'boolean',
  String: (value) => typeof value === 'string',
  Names: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
};

/** All that the policy will see. Throws when a value cannot be told exactly: then nothing may be allowed. */
export function see(ask: DecisionAsk, world: PolicyWorld): Seen {
  const local = localTime(moment(ask.facts['start_time']) ?? ask.at, world.zone);
  const seen: Record<string, Value> = { [PRINCIPAL_IN]: principalIn(ask) };
  for (const attribute of attributes) {
    const value = attribute.of(ask, world, local);
    if (value === undefined) continue;
    if (!isOfType[attribute.type](value))
      throw new RangeError(`${attribute.name} is not a valid ${attribute.type}`);
    seen[attribute.name] = value;
  }
  return seen;
}

const prefix = (port: Value | undefined): string | undefined =>
  typeof port === 'string' && port.includes(':') ? port.slice(0, port.indexOf(':')) : undefined;

const groups = (port: Value | undefined, world: PolicyWorld): readonly string[] | undefined =>
  typeof port === 'string' ? world.portGroups(port) : undefined;

function moment(text: Value | undefined): InstantMs | undefined {
  if (text === undefined) return undefined;
  const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new RangeError('a time in the facts is none');
  return instant(ms);
}

function seconds(facts: Facts): number | undefined {
  const [start, end] = [moment(facts['start_time']), moment(facts['end_time'])];
  if (start !== undefined && end !== undefined) return Math.round((end - start) / 1000);
  // Where the broker is to choose the start.
  const asked = facts['duration_s'];
  return typeof asked === 'number' && start === undefined ? asked : undefined;
}

export interface LocalTime {
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly minute: number;
}

/** No zone changes its offset but at a full quarter of an hour. */
const QUARTER_MS = 900_000;
/** Asking for an offset costs more than the rest of a decision's facts: a month of quarters is remembered. */
const REMEMBERED_OFFSETS = 3_000;
const offsets = new Map<string, number>();
/** Making one costs a hundred times its use. There are as many as zones in the configuration. */
const formats = new Map<string, Intl.DateTimeFormat>();

/** The clock on the wall there and then: daylight saving is that of the moment itself, not of today. */
function localTime(at: InstantMs, zone: string): LocalTime {
  const quarter = Math.floor(at / QUARTER_MS);
  const key = `${zone} ${quarter}`;
  let offset = offsets.get(key);
  if (offset === undefined) {
    offset = offsetAt(quarter * QUARTER_MS, zone);
    if (offsets.size >= REMEMBERED_OFFSETS) offsets.clear();
    offsets.set(key, offset);
  }
  // Shifted by its offset, the moment reads in UTC as it does there.
  const wall = new Date(at + offset);
  return {
    month: wall.getUTCMonth() + 1,
    day: wall.getUTCDate(),
    weekday: ((wall.getUTCDay() + 6) % 7) + 1,
    minute: wall.getUTCHours() * 60 + wall.getUTCMinutes(),
  };
}

/** Milliseconds that the wall clock of the zone is ahead of UTC, at a full minute. */
function offsetAt(at: number, zone: string): number {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    });
    formats.set(zone, format);
  }
  const parts = new Map(format.formatToParts(at).map((p) => [p.type, p.value]));
  const number = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type));
  const wall = Date.UTC(number('year'), number('month') - 1, number('day'), number('hour'), number('minute'));
  return wall - at;
}
