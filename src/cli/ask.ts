/**
 * From the words of a command line to the body of `POST /v1/circuits`, and to the lines that say back, in
 * UTC, what was understood. Which options were given tells the kind of schedule; a mixture that means nothing
 * is refused here, everything else is for the broker to judge.
 */
import type { Command } from 'commander';
import { type InstantMs, rfc3339 } from '../kernel/clock.ts';
import { secondsBetween } from '../model/window.ts';
import type { Context } from './context.ts';
import { usage } from './io.ts';
import { isJson, type Json } from './output.ts';
import { echoTime, zoneNamed } from './times.ts';
import {
  formatBandwidth,
  formatDuration,
  formatVolume,
  parseBandwidth,
  parseCount,
  parseDuration,
  parsePositiveDuration,
  parseVolume,
} from './units.ts';

/** As commander hands them over: text, or true for a switch. */
export interface AskOptions {
  readonly a?: string;
  readonly z?: string;
  readonly aVlan?: string;
  readonly zVlan?: string;
  readonly bw?: string;
  readonly move?: string;
  readonly minBw?: string;
  readonly maxBw?: string;
  readonly start?: string;
  readonly at?: string;
  readonly end?: string;
  readonly for?: string;
  readonly by?: string;
  readonly notBefore?: string;
  readonly rrule?: string;
  readonly offer?: string;
  readonly project?: string;
  readonly description?: string;
  readonly ref?: string;
  readonly hold?: string;
  readonly manual?: boolean;
  readonly pinned?: boolean;
  readonly protected?: boolean;
  readonly notice?: string;
  readonly priority?: string;
  readonly excludeLink?: readonly string[];
  readonly excludeNode?: readonly string[];
  readonly includeNode?: readonly string[];
  readonly diverseFrom?: readonly string[];
  readonly maxLatency?: string;
  readonly maxHops?: string;
  readonly minMtu?: string;
  readonly srlgDisjoint?: boolean;
  readonly holderJwk?: string;
  readonly file?: string;
}

export const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

/** What the road must be like: the options of everything that asks for one. */
export const withConstraints = (command: Command): Command =>
  command
    .option('--exclude-link <id>', 'not over this link (repeatable)', collect)
    .option('--exclude-node <id>', 'not over this node (repeatable)', collect)
    .option('--include-node <id>', 'over this node (repeatable)', collect)
    .option('--diverse-from <circuit>', 'apart from this circuit (repeatable)', collect)
    .option('--srlg-disjoint', 'apart in shared risks, too')
    .option('--max-latency <ms>', 'at most this latency')
    .option('--max-hops <n>', 'at most this many hops')
    .option('--min-mtu <bytes>', 'at least this MTU');

export interface Ask {
  readonly body: Json;
  /** What was understood, for people. */
  readonly echo: readonly string[];
}

export async function buildAsk(context: Context, options: AskOptions): Promise<Ask> {
  const base = options.file === undefined ? {} : await readJson(context, options.file);
  const mbps = options.bw === undefined ? undefined : parseBandwidth(options.bw);
  const { schedule, echo } = await buildSchedule(context, options, mbps);
  const constraints = buildConstraints(options);
  if (options.offer !== undefined && Object.keys(constraints).length > 0)
    throw usage('the road of an offer is chosen already', 'say what it must be like to "slots"');
  const body = {
    ...base,
    ...given('project', options.project),
    ...given('description', options.description),
    ...given('client_ref', options.ref),
    ...end('a', options.a, options.aVlan, base),
    ...end('z', options.z, options.zVlan, base),
    ...given('bandwidth_mbps', mbps),
    ...(options.protected === true ? { protection: 'PROTECTED' } : {}),
    ...(Object.keys(constraints).length === 0
      ? {}
      : { constraints: { ...(isJson(base['constraints']) ? base['constraints'] : {}), ...constraints } }),
    ...(options.manual === true ? { provision: 'MANUAL' } : {}),
    ...given('hold_s', options.hold === undefined ? undefined : parsePositiveDuration(options.hold)),
    ...(options.pinned === true ? { pinned: true } : {}),
    ...given('notice_s', options.notice === undefined ? undefined : parseDuration(options.notice)),
    ...given('priority', optionalCount(options.priority, 'priority', 0, 100)),
    ...given(
      'holder_jwk',
      options.holderJwk === undefined ? undefined : await readJson(context, options.holderJwk),
    ),
    ...given('schedule', schedule),
  };
  complete(body);
  return { body, echo };
}

export const given = (name: string, value: unknown): Json => (value === undefined ? {} : { [name]: value });

const optionalCount = (
  said: string | undefined,
  what: string,
  low: number,
  high: number,
): number | undefined => (said === undefined ? undefined : parseCount(said, what, low, high));

export function end(
  name: 'a' | 'z',
  port: string | undefined,
  vlan: string | undefined,
  base: Json = {},
): Json {
  if (port === undefined && vlan === undefined) return {};
  const before = isJson(base[name]) ? base[name] : {};
  return { [name]: { ...before, ...given('port', port), ...given('vlan', parseVlan(vlan)) } };
}

/** `1801`, `1800-1899`, `any`, `untagged`. */
function parseVlan(said: string | undefined): number | string | undefined {
  if (said === undefined) return undefined;
  if (/^\d{1,9}$/.test(said)) return Number(said);
  return /^(any|untagged)$/i.test(said) ? said.toUpperCase() : said;
}

function complete(body: Json): void {
  const missing: string[] = [];
  if (body['a'] === undefined || body['z'] === undefined) missing.push('two ports');
  const type = isJson(body['schedule']) ? body['schedule']['type'] : undefined;
  if (body['bandwidth_mbps'] === undefined && type !== 'VOLUME' && type !== 'OFFER') missing.push('--bw');
  if (body['schedule'] === undefined) missing.push('when (--for, --start and --end, or --by)');
  if (missing.length > 0) {
    throw usage(
      `missing: ${missing.join(', ')}`,
      'turnpike circuit create ams:host1 ams:host2 --bw 10G --for 2h',
      'turnpike circuit create ams:host1 ams:host2 --bw 10G --start "22:00 Europe/Amsterdam" --for 2h30m',
    );
  }
}

export function buildConstraints(options: AskOptions): Json {
  return {
    ...given('exclude_links', options.excludeLink),
    ...given('exclude_nodes', options.excludeNode),
    ...given('include_nodes', options.includeNode),
    ...given('diverse_from', options.diverseFrom),
    ...given('max_latency_ms', optionalCount(options.maxLatency, 'latency in milliseconds', 1, 100_000)),
    ...given('max_hops', optionalCount(options.maxHops, 'number of hops', 1, 1000)),
    ...given('min_mtu', optionalCount(options.minMtu, 'MTU', 64, 65_535)),
    ...(options.srlgDisjoint === true ? { srlg_disjoint: true } : {}),
  };
}

interface Said {
  readonly schedule?: Json;
  readonly echo: readonly string[];
}

function clash(options: AskOptions, first: keyof AskOptions, ...others: readonly (keyof AskOptions)[]): void {
  if (options[first] === undefined) return;
  const other = others.find((name) => options[name] !== undefined);
  if (other !== undefined) throw usage(`${flag(first)} and ${flag(other)} cannot be given together`);
}

const flag = (name: string): string => `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;

export async function buildSchedule(
  context: Context,
  options: AskOptions,
  mbps: number | undefined,
): Promise<Said> {
  clash(options, 'offer', 'bw', 'start', 'at', 'end', 'for', 'by', 'move', 'rrule');
  clash(options, 'start', 'at');
  clash(options, 'end', 'for');
  clash(options, 'by', 'start', 'at', 'end', 'rrule');
  clash(options, 'move', 'for', 'end', 'start', 'at', 'rrule');
  const startSaid = options.start ?? options.at;
  const durationS = options.for === undefined ? undefined : parsePositiveDuration(options.for);
  if (options.move === undefined && (options.minBw ?? options.maxBw) !== undefined) {
    throw usage('--min-bw and --max-bw go with --move', 'say --bw for a fixed rate');
  }
  if (options.notBefore !== undefined && options.by === undefined) throw usage('--not-before goes with --by');
  if (options.offer !== undefined) return taking(options.offer);
  if (options.rrule !== undefined) return recurring(context, options.rrule, startSaid, durationS);
  if (options.move !== undefined) return volume(context, options, mbps);
  if (options.by !== undefined) return flexible(context, options, durationS);
  const never = options.end?.toLowerCase() === 'never';
  if (startSaid === undefined || startSaid.trim().toLowerCase() === 'now') {
    return now(context, options, durationS, never);
  }
  if (never) throw usage('--end never is for circuits that start now');
  const start = await context.time(startSaid);
  const until = await endOf(context, options, start, durationS);
  if (until === undefined) throw usage('a circuit with a start needs --end or --for');
  if (until <= start) throw usage(`the end ${rfc3339(until)} is not after the start ${rfc3339(start)}`);
  return {
    schedule: { type: 'FIXED', start_time: rfc3339(start), end_time: rfc3339(until) },
    echo: [
      `start     ${echoTime(start, context.now)}`,
      `end       ${rfc3339(until)} (${formatDuration(secondsBetween(start, until))} long)`,
    ],
  };
}

async function now(
  context: Context,
  options: AskOptions,
  durationS: number | undefined,
  never: boolean,
): Promise<Said> {
  if (never) return { schedule: { type: 'NOW', end: 'NEVER' }, echo: ['start     now', 'end       never'] };
  let lasting = durationS;
  if (options.end !== undefined) lasting = secondsBetween(context.now, await context.time(options.end));
  if (lasting === undefined) return { echo: [] };
  if (lasting <= 0) throw usage(`the end "${options.end ?? ''}" has passed`);
  return {
    schedule: { type: 'NOW', duration_s: lasting },
    echo: ['start     now', `end       ${formatDuration(lasting)} later`],
  };
}

/** `--end 06:00` is the first six o'clock after the start, not after now. */
async function endOf(
  context: Context,
  options: AskOptions,
  start: InstantMs,
  durationS: number | undefined,
): Promise<InstantMs | undefined> {
  if (options.end !== undefined) return context.timeAfter(options.end, start);
  return durationS === undefined ? undefined : ((start + durationS * 1000) as InstantMs);
}

/** When the work may begin, and the lines about deadline and laxity: how long it may be put off. */
async function window(
  context: Context,
  options: AskOptions,
  workS: number | undefined,
): Promise<{ fields: Json; echo: string[] }> {
  const deadline = await context.time(options.by as string);
  const notBefore = options.notBefore === undefined ? undefined : await context.time(options.notBefore);
  const from = notBefore !== undefined && notBefore > context.now ? notBefore : context.now;
  if (deadline <= from) throw usage(`the deadline ${rfc3339(deadline)} is not after ${rfc3339(from)}`);
  const echo: string[] = [];
  if (notBefore !== undefined) echo.push(`from      ${echoTime(notBefore, context.now)}`);
  echo.push(`deadline  ${echoTime(deadline, context.now)}`);
  if (workS !== undefined) {
    const laxity = secondsBetween(from, deadline) - workS;
    echo.push(
      laxity < 0
        ? `laxity    none: ${formatDuration(-laxity)} too little for ${formatDuration(workS)} of work`
        : `laxity    ${formatDuration(laxity)} (${formatDuration(workS)} of work)`,
    );
  }
  return {
    fields: {
      ...(notBefore === undefined ? {} : { not_before_time: rfc3339(notBefore) }),
      deadline_time: rfc3339(deadline),
    },
    echo,
  };
}

async function flexible(context: Context, options: AskOptions, durationS: number | undefined): Promise<Said> {
  if (durationS === undefined) throw usage('--by needs to know how much: --for 2h, or --move 20TB');
  const { fields, echo } = await window(context, options, durationS);
  return { schedule: { type: 'FLEXIBLE', duration_s: durationS, ...fields }, echo };
}

async function volume(context: Context, options: AskOptions, mbps: number | undefined): Promise<Said> {
  if (options.by === undefined) throw usage('--move needs a deadline: --by "06:00 Europe/Amsterdam"');
  const bytes = parseVolume(options.move as string);
  const least = options.minBw === undefined ? undefined : parseBandwidth(options.minBw);
  const most = options.maxBw === undefined ? undefined : parseBandwidth(options.maxBw);
  if (least !== undefined && most !== undefined && least > most)
    throw usage('--min-bw is more than --max-bw');
  const rate = mbps ?? most;
  const workS = rate === undefined ? undefined : Math.ceil((bytes * 8) / (rate * 1e6));
  const { fields, echo } = await window(context, options, workS);
  const at = rate === undefined ? '' : ` at up to ${formatBandwidth(rate)}`;
  return {
    schedule: {
      type: 'VOLUME',
      volume_bytes: bytes,
      ...fields,
      ...given('min_bandwidth_mbps', least),
      ...given('max_bandwidth_mbps', most),
    },
    echo: [`volume    ${formatVolume(bytes)}${at}`, ...echo],
  };
}

/** `off_.../1`: the offer and which of its options. */
function taking(said: string): Said {
  const [, offer, option] = /^(off_[0-9a-z]{1,60})\/(\d{1,3})$/.exec(said.trim()) ?? [];
  if (offer === undefined || option === undefined)
    throw usage(`"${said}" is no offer with an option`, 'write it as "slots" shows it: off_.../0');
  return {
    schedule: { type: 'OFFER', offer_id: offer, option: Number(option) },
    echo: [`offer     ${offer}, option ${Number(option)}`],
  };
}

async function recurring(
  context: Context,
  rrule: string,
  startSaid: string | undefined,
  durationS: number | undefined,
): Promise<Said> {
  if (startSaid === undefined || durationS === undefined) {
    throw usage('--rrule needs --start for the first time and --for for the length of each');
  }
  const start = await context.time(startSaid);
  const timezone = zoneNamed(startSaid) ?? context.zoneFor();
  return {
    schedule: { type: 'RECURRING', rrule, timezone, duration_s: durationS, not_before_time: rfc3339(start) },
    echo: [
      `first     ${echoTime(start, context.now)}`,
      `repeats   ${rrule} in ${timezone}, ${formatDuration(durationS)} each`,
    ],
  };
}

/** JSON from a file, or from standard input for `-`. */
export async function readJson(context: Context, path: string): Promise<Json> {
  let said = '';
  if (path === '-') {
    const decoder = new TextDecoder();
    for await (const chunk of context.io.stdin) {
      said += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
      if (said.length > LARGEST_FILE) throw usage('standard input is larger than the broker takes (256 KiB)');
    }
  } else {
    const { readFile } = await import('node:fs/promises');
    said = await readFile(path, 'utf8').catch((error: unknown) => {
      throw usage(`cannot read ${path}: ${(error as Error).message}`);
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(said);
  } catch {
    throw usage(`${path === '-' ? 'standard input' : path} is not JSON`);
  }
  if (!isJson(value)) throw usage(`${path === '-' ? 'standard input' : path} holds no JSON object`);
  return value;
}

const LARGEST_FILE = 262_144;
