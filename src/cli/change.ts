/**
 * What changes a circuit: create, the actions, extend, modify. Each ends the same way: say so when it was only
 * for show, wait when asked to, print where the circuit is now.
 */
import { rfc3339 } from '../kernel/clock.ts';
import type { TokenAction } from '../tokens/grant.ts';
import { type AskOptions, buildAsk } from './ask.ts';
import type { UnlockOptions } from './capability.ts';
import { type Call, seg } from './client.ts';
import type { Context } from './context.ts';
import { CliError, exits, usage } from './io.ts';
import { dig, isJson, items, type Json, text } from './output.ts';
import { Refused } from './refusal.ts';
import { circuitCard, circuitList, occurrenceList, placedLines } from './show.ts';
import { echoTime } from './times.ts';
import { formatBandwidth, parseBandwidth, parseCount, parsePositiveDuration } from './units.ts';
import {
  type Goal,
  goalOf,
  isFinal,
  parseGoal,
  read,
  settledGoal,
  stateGoal,
  stateOf,
  waitFor,
} from './wait.ts';

export interface WaitOptions {
  readonly wait?: boolean;
  readonly until?: string;
  readonly timeout: string;
}
export interface MutationOptions extends WaitOptions, UnlockOptions {
  readonly dryRun?: boolean;
  readonly key?: string;
  readonly opKey?: string;
}

export interface Changes {
  readonly bw?: string;
  readonly end?: string;
  readonly by?: string;
  readonly notBefore?: string;
  /** Only if the circuit is still at this revision. */
  readonly revision?: string;
}

/** A circuit by id, short code or client reference. */
export async function find(context: Context, ref: string): Promise<Json> {
  if (ref.startsWith('cir_')) return read(context.client, ref);
  const code = /^[234679CDFGHJKMNPRTWXYZ]{4}$/i.test(ref);
  const query = code ? { short_code: ref.toUpperCase() } : { client_ref: ref };
  const { body } = await context.client.get('/v1/circuits', { ...query, page_size: 10 });
  const all = items(dig(body, 'items'));
  const live = all.filter((each) => !isFinal(each));
  const found = live.length > 0 ? live : all;
  const [first, second] = found;
  if (first === undefined) throw new CliError(exits.ERROR, `there is no circuit "${ref}" that you may see`);
  if (second !== undefined) {
    throw usage(
      `"${ref}" names several circuits`,
      ...found.map((each) => `${text(each['id'])} ${stateOf(each)}`),
    );
  }
  return first;
}

/** An id is taken as it is; whoever holds only a token could not look it up. */
export const idOf = async (context: Context, ref: string): Promise<string> =>
  ref.startsWith('cir_') ? ref : text((await find(context, ref))['id']);

export const show = (context: Context, circuit: Json): Promise<void> =>
  context.out.one(circuit, circuitCard, circuitList.csv);

/** Prints where the circuit has come to, whatever that is, and then fails if it is not where it should be. */
export async function waitAndShow(
  context: Context,
  circuit: Json,
  goal: Goal,
  timeoutS: number,
): Promise<Json> {
  const waited = await waitFor(context, circuit, goal, timeoutS);
  await show(context, waited.circuit);
  if (waited.error !== undefined) throw waited.error;
  return waited.circuit;
}

/** Faults of the waiting are found before anything is changed. */
function checkWaiting(options: MutationOptions): void {
  parsePositiveDuration(options.timeout);
  if (options.until !== undefined) parseGoal(options.until);
}

/** The end of every mutation: say so if it was for show, wait if asked to, print. */
async function finish(context: Context, circuit: Json, options: MutationOptions, goal?: Goal): Promise<Json> {
  if (options.dryRun === true) {
    context.out.say('dry run: nothing was changed; the broker would answer:');
    await show(context, circuit);
    return circuit;
  }
  if (options.wait !== true && options.until === undefined) {
    await show(context, circuit);
    return circuit;
  }
  // On a terminal the progress is written over, and the id shall not be lost with it.
  if (context.io.isTTY) context.out.say(`${text(circuit['id'])} is ${stateOf(circuit)}`);
  const fresh = await read(context.client, text(circuit['id']));
  const wanted =
    options.until === undefined ? (goal ?? stateGoal(goalOf(fresh))) : stateGoal(parseGoal(options.until));
  return waitAndShow(context, fresh, wanted, parsePositiveDuration(options.timeout));
}

/** A change in place is in force at once (200), or when the peers have agreed (202 with `pending`). */
async function finishChange(context: Context, answer: Json, options: MutationOptions): Promise<void> {
  const pending = answer['pending'];
  const negotiated = isJson(pending) && options.dryRun !== true;
  const waits = options.wait === true || options.until !== undefined;
  if (negotiated && !waits) {
    context.out.say(
      pending['phase'] === 'LIGHTING'
        ? 'it is being lit beside the present one; --wait would wait for the light'
        : 'peers are being asked; --wait would wait for their answer',
    );
  }
  const now = await finish(context, answer, options, settledGoal);
  if (!negotiated || !waits || now['pending'] !== undefined) return;
  const fields = ['start_time', 'end_time', 'bandwidth_mbps'] as const;
  if (fields.every((name) => dig(now, 'placement', name) === pending[name])) return;
  throw new CliError(exits.CIRCUIT_FAILED, 'the change was not agreed to; the circuit is as it was', [
    `turnpike circuit events ${text(now['id'])}`,
  ]);
}

/** How a verb is opened beyond the bearer. What tokens need is loaded when there is one. */
async function opening(
  context: Context,
  options: MutationOptions,
  action: TokenAction,
): Promise<Pick<Call, 'headers' | 'prove'>> {
  const { token, override } = options;
  if (token !== undefined) return (await import('./capability.ts')).proving(context, options, action);
  return override === undefined ? {} : { headers: { 'turnpike-override-reason': override } };
}

/** Beside a token --key is the holder's: the operation's own is then said with --op-key. */
const keyOf = ({ token, key, opKey }: MutationOptions): string | undefined =>
  opKey ?? (token === undefined ? key : undefined);

/** Of verbs that are no POST: a repeat does no harm, so the key can only be a holder's. */
function checkHolderKey({ token, key, opKey }: MutationOptions): void {
  if (token === undefined && (key ?? opKey) !== undefined)
    throw usage('--key and --op-key go with --token here');
}

const dry = (options: MutationOptions): { validate_only?: string } =>
  options.dryRun === true ? { validate_only: 'true' } : {};

/** How long the broker may take to agree with its peers before it answers. */
const SETTLE_S = 30;

export async function createCircuit(
  context: Context,
  asked: AskOptions,
  options: MutationOptions,
): Promise<void> {
  checkWaiting(options);
  const { body, echo } = await buildAsk(context, asked);
  for (const line of echo) context.out.say(line);
  const { body: answer } = await context.client.call('POST', '/v1/circuits', {
    query: dry(options),
    body,
    key: options.key,
    headers: { prefer: `wait=${SETTLE_S}` },
  });
  if (!isJson(answer))
    throw new CliError(exits.ERROR, 'the broker answered with something that is no circuit');
  if (Array.isArray(answer['occurrences'])) {
    const rows = items(answer['occurrences']);
    context.out.say(`series ${text(answer['id'])}`);
    return context.out.list(rows, occurrenceList, answer);
  }
  if (stateOf(answer) === 'REJECTED') {
    const problem = answer['problem'];
    await show(context, answer);
    throw new Refused(Number(dig(problem, 'status') ?? 409), problem);
  }
  // A slot that the asker has not named himself is told.
  for (const line of placedLines(answer, text(dig(body, 'schedule', 'type')))) context.out.say(line);
  await finish(context, answer, options);
}

type Action = 'commit' | 'abort' | 'provision' | 'release' | 'cancel' | 'extend-hold';

/** What a circuit looks like when an earlier attempt of the same action went through unheard. */
const DONE: Readonly<Partial<Record<Action, readonly string[]>>> = {
  cancel: ['RELEASING', 'CANCELLED'],
};

export async function act(
  context: Context,
  ref: string,
  action: Action,
  body: Json | undefined,
  options: MutationOptions,
): Promise<void> {
  checkWaiting(options);
  if (action === 'cancel') checkHolderKey(options);
  const id = await idOf(context, ref);
  const path = `/v1/circuits/${seg(id)}`;
  const ends = action === 'release' || action === 'cancel' || action === 'abort';
  const opened =
    action === 'provision' || action === 'release' || action === 'cancel'
      ? await opening(context, options, action)
      : {};
  let answer: unknown;
  try {
    ({ body: answer } =
      action === 'cancel'
        ? await context.client.call('DELETE', path, {
            query: dry(options),
            key: keyOf(options),
            ...opened,
          })
        : await context.client.call('POST', `${path}/${action}`, {
            query: dry(options),
            body: body ?? {},
            key: keyOf(options),
            ...opened,
          }));
  } catch (error) {
    if (!(error instanceof Refused && error.afterLost && error.code === 'WRONG_STATE')) throw error;
    const now = await read(context.client, id);
    if (DONE[action]?.includes(stateOf(now)) !== true) throw error;
    answer = now;
  }
  // A DELETE may answer without a body.
  const circuit = isJson(answer) ? answer : await read(context.client, id);
  await finish(context, circuit, options, ends ? stateGoal('ENDED') : undefined);
}

export async function extend(
  context: Context,
  ref: string,
  options: MutationOptions & { readonly for?: string; readonly to?: string },
): Promise<void> {
  checkWaiting(options);
  if ((options.for === undefined) === (options.to === undefined)) throw usage('say either --for or --to');
  const body =
    options.to === undefined
      ? { extend_s: parsePositiveDuration(options.for ?? '') }
      : await endAt(context, options.to);
  const id = await idOf(context, ref);
  const { body: answer } = await context.client.call('POST', `/v1/circuits/${seg(id)}/extend`, {
    query: dry(options),
    body,
    key: keyOf(options),
    ...(await opening(context, options, 'extend')),
  });
  await finishChange(context, isJson(answer) ? answer : await read(context.client, id), options);
}

export async function reroute(context: Context, ref: string, options: MutationOptions): Promise<void> {
  checkWaiting(options);
  // Whoever comes with a token only may not be able to look.
  const before = options.token === undefined ? await find(context, ref) : {};
  const id = options.token === undefined ? text(before['id']) : await idOf(context, ref);
  const { body: answer } = await context.client.call('POST', `/v1/circuits/${seg(id)}/reroute`, {
    query: dry(options),
    body: {},
    key: keyOf(options),
    ...(await opening(context, options, 'reroute')),
  });
  const after = isJson(answer) ? answer : await read(context.client, id);
  if (after['revision'] === before['revision']) context.out.say('it is on the best road already');
  await finishChange(context, after, options);
}

async function endAt(context: Context, said: string): Promise<Json> {
  if (said.toLowerCase() === 'never') return { end: 'NEVER' };
  const at = await context.time(said);
  context.out.say(`end       ${echoTime(at, context.now)}`);
  return { end_time: rfc3339(at) };
}

export async function modify(
  context: Context,
  ref: string,
  options: MutationOptions & Changes,
): Promise<void> {
  checkWaiting(options);
  checkHolderKey(options);
  const schedule: Record<string, unknown> =
    options.end === undefined ? {} : { ...(await endAt(context, options.end)) };
  for (const [name, label, said] of [
    ['deadline_time', 'deadline ', options.by],
    ['not_before_time', 'from     ', options.notBefore],
  ] as const) {
    if (said === undefined) continue;
    const at = await context.time(said);
    context.out.say(`${label} ${echoTime(at, context.now)}`);
    schedule[name] = rfc3339(at);
  }
  const mbps = options.bw === undefined ? undefined : parseBandwidth(options.bw);
  if (mbps !== undefined) context.out.say(`rate      ${formatBandwidth(mbps)}`);
  const body = {
    ...(mbps === undefined ? {} : { bandwidth_mbps: mbps }),
    ...(Object.keys(schedule).length === 0 ? {} : { schedule }),
  };
  if (Object.keys(body).length === 0) throw usage('nothing to change: say --bw, --end, --by or --not-before');
  const revision =
    options.revision === undefined ? undefined : parseCount(options.revision, 'revision', 1, 1e9);
  const id = await idOf(context, ref);
  const opened = await opening(context, options, 'modify');
  const { body: answer } = await context.client.call('PATCH', `/v1/circuits/${seg(id)}`, {
    query: dry(options),
    body,
    key: options.opKey,
    ...opened,
    headers: {
      ...opened.headers,
      'content-type': 'application/merge-patch+json',
      // What is said here are new values, not what became of old ones: any revision will do unless one is named.
      'if-match': revision === undefined ? '*' : `"${revision}"`,
    },
  });
  await finishChange(context, isJson(answer) ? answer : await read(context.client, id), options);
}
