/**
 * What changes a circuit: create, the actions, extend, modify. Each ends the same way: say so when it was only
 * for show, wait when asked to, print where the circuit is now.
 */
import { rfc3339 } from '../kernel/clock.ts';
import { type AskOptions, buildAsk } from './ask.ts';
import { seg } from './client.ts';
import type { Context } from './context.ts';
import { CliError, exits, usage } from './io.ts';
import { dig, isJson, items, type Json, text } from './output.ts';
import { Refused } from './refusal.ts';
import { circuitCard, circuitList, occurrenceList } from './show.ts';
import { echoTime } from './times.ts';
import { formatBandwidth, parseBandwidth, parsePositiveDuration } from './units.ts';
import { goalOf, isFinal, parseGoal, read, stateOf, waitFor } from './wait.ts';

export interface WaitOptions {
  readonly wait?: boolean;
  readonly until?: string;
  readonly timeout: string;
}
export interface MutationOptions extends WaitOptions {
  readonly dryRun?: boolean;
  readonly key?: string;
}

export interface Changes {
  readonly bw?: string;
  readonly end?: string;
  readonly by?: string;
  readonly notBefore?: string;
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

export const show = (context: Context, circuit: Json): Promise<void> =>
  context.out.one(circuit, circuitCard, circuitList.csv);

/** Prints where the circuit has come to, whatever that is, and then fails if it is not where it should be. */
export async function waitAndShow(
  context: Context,
  circuit: Json,
  until: string | undefined,
  timeoutS: number,
): Promise<void> {
  const goal = until === undefined ? goalOf(circuit) : parseGoal(until);
  const waited = await waitFor(context, circuit, goal, timeoutS);
  await show(context, waited.circuit);
  if (waited.error !== undefined) throw waited.error;
}

/** The end of every mutation: say so if it was for show, wait if asked to, print. */
async function finish(
  context: Context,
  circuit: Json,
  options: MutationOptions,
  until?: string,
): Promise<void> {
  if (options.dryRun === true) {
    context.out.say('dry run: nothing was changed; the broker would answer:');
    return show(context, circuit);
  }
  if (options.wait === true || options.until !== undefined) {
    // On a terminal the progress is written over, and the id shall not be lost with it.
    if (context.io.isTTY) context.out.say(`${text(circuit['id'])} is ${stateOf(circuit)}`);
    const fresh = circuit['id'] === undefined ? circuit : await read(context.client, text(circuit['id']));
    return waitAndShow(context, fresh, options.until ?? until, parsePositiveDuration(options.timeout));
  }
  await show(context, circuit);
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
  parsePositiveDuration(options.timeout);
  if (options.until !== undefined) parseGoal(options.until);
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
  const id = ref.startsWith('cir_') ? ref : text((await find(context, ref))['id']);
  const path = `/v1/circuits/${seg(id)}`;
  const until = action === 'release' || action === 'cancel' || action === 'abort' ? 'ENDED' : undefined;
  let answer: unknown;
  try {
    ({ body: answer } =
      action === 'cancel'
        ? await context.client.call('DELETE', path, { query: dry(options) })
        : await context.client.call('POST', `${path}/${action}`, {
            query: dry(options),
            body: body ?? {},
            key: options.key,
          }));
  } catch (error) {
    if (!(error instanceof Refused && error.afterLost && error.code === 'WRONG_STATE')) throw error;
    const now = await read(context.client, id);
    if (DONE[action]?.includes(stateOf(now)) !== true) throw error;
    answer = now;
  }
  // A DELETE may answer without a body.
  await finish(context, isJson(answer) ? answer : await read(context.client, id), options, until);
}

export async function extend(
  context: Context,
  ref: string,
  options: MutationOptions & { readonly for?: string; readonly to?: string },
): Promise<void> {
  if ((options.for === undefined) === (options.to === undefined)) throw usage('say either --for or --to');
  const body =
    options.to === undefined
      ? { extend_s: parsePositiveDuration(options.for ?? '') }
      : await endAt(context, options.to);
  const id = text((await find(context, ref))['id']);
  const { body: answer } = await context.client.call('POST', `/v1/circuits/${seg(id)}/extend`, {
    query: dry(options),
    body,
    key: options.key,
  });
  await finish(context, isJson(answer) ? answer : await read(context.client, id), options);
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
  const id = text((await find(context, ref))['id']);
  const path = `/v1/circuits/${seg(id)}`;
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
  const before = await context.client.get(path);
  const etag = before.headers.get('etag');
  const { body: answer } = await context.client.call('PATCH', path, {
    query: dry(options),
    body,
    headers: {
      'content-type': 'application/merge-patch+json',
      ...(etag === null ? {} : { 'if-match': etag }),
    },
  });
  await finish(context, isJson(answer) ? answer : await read(context.client, id), options);
}
