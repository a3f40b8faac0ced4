/**
 * Waits until a circuit has come to where somebody wants it. The event stream says when to look; the circuit
 * itself is always read anew, so a lost or doubled event does no harm. When the stream cannot be had, or
 * breaks, the circuit is polled between attempts to open it again after the last event seen.
 */
import { every, instant } from '../kernel/clock.ts';
import { type Client, interrupted, type Query, seg, Unreachable } from './client.ts';
import type { Context } from './context.ts';
import { CliError, exits, usage } from './io.ts';
import { dig, isJson, items, type Json, text } from './output.ts';
import { Refused } from './refusal.ts';
import { formatDuration } from './units.ts';

const ROAD = ['RESERVING', 'HELD', 'COMMITTING', 'SCHEDULED', 'PROVISIONING', 'ACTIVE', 'RELEASING', 'ENDED'];
const DEAD = ['REJECTED', 'HOLD_EXPIRED', 'CANCELLED', 'FAILED'];

export const stateOf = (circuit: Json): string => text(circuit['state']);
export const isFinal = (circuit: Json): boolean =>
  stateOf(circuit) === 'ENDED' || DEAD.includes(stateOf(circuit));

/** The state to wait for when nobody named one: the first that does not go on by itself, or light. */
export function goalOf(circuit: Json): string {
  const state = stateOf(circuit);
  if (state === 'RELEASING') return 'ENDED';
  const hold = dig(circuit, 'request', 'hold_s');
  if (typeof hold === 'number' && hold > 0 && (state === 'RESERVING' || state === 'HELD')) return 'HELD';
  const actions = circuit['allowed_actions'];
  const unarmed = Array.isArray(actions) && actions.includes('provision');
  const early = ROAD.indexOf(state) < ROAD.indexOf('SCHEDULED');
  return dig(circuit, 'request', 'provision') === 'MANUAL' && (unarmed || early) ? 'SCHEDULED' : 'ACTIVE';
}

export function parseGoal(name: string): string {
  const goal = name.toUpperCase().replaceAll('-', '_');
  if (!ROAD.includes(goal) && !DEAD.includes(goal)) {
    throw usage(`"${name}" is no state of a circuit`, `the states are ${[...ROAD, ...DEAD].join(', ')}`);
  }
  return goal;
}

/** Has it come there, or gone past? A circuit that ended without light never was ACTIVE. */
export function reached(circuit: Json, goal: string): boolean {
  const state = stateOf(circuit);
  if (state === goal) return true;
  const lit = dig(circuit, 'placement', 'actual_start_time') !== undefined;
  if (goal === 'ENDED') return state === 'CANCELLED';
  if (DEAD.includes(goal)) return false;
  if ((goal === 'ACTIVE' || goal === 'PROVISIONING') && (state === 'RELEASING' || state === 'ENDED'))
    return lit;
  return ROAD.indexOf(state) > ROAD.indexOf(goal);
}

/** What is waited for, in a word for people. */
export interface Goal {
  readonly name: string;
  reached(circuit: Json): boolean;
}

export const stateGoal = (state: string): Goal => ({
  name: state,
  reached: (circuit) => reached(circuit, state),
});

/** No change is under negotiation, and the devices have done what it asked of them. */
export const settledGoal: Goal = {
  name: 'the change',
  reached: (circuit) =>
    !isFinal(circuit) &&
    circuit['pending'] === undefined &&
    items(circuit['segments']).every((s) => s['data_plane'] === 'UP' || s['data_plane'] === 'DOWN'),
};

/** Why a circuit that is final will never come there. A stored refusal counts as the refusal itself would. */
function failure(circuit: Json): CliError {
  const problem = circuit['problem'];
  if (stateOf(circuit) === 'REJECTED' && isJson(problem)) {
    return new Refused(typeof problem['status'] === 'number' ? problem['status'] : 409, problem);
  }
  const why = text(dig(circuit, 'state_reason', 'detail')) || text(dig(circuit, 'state_reason', 'code'));
  return new CliError(
    exits.CIRCUIT_FAILED,
    `${text(circuit['id'])} is ${stateOf(circuit)}${why === '' ? '' : `: ${why}`}`,
    [`turnpike circuit events ${text(circuit['id'])}`],
  );
}

/** The circuit as it was last seen, and the error that ends the command, if one does. */
export interface Waited {
  readonly circuit: Json;
  readonly error?: CliError;
}

const POLL_MS = [500, 1000, 2000, 5000] as const;
const STREAM = '/v1/events/stream';

export async function waitFor(context: Context, first: Json, goal: Goal, timeoutS: number): Promise<Waited> {
  const { io, out, interrupt } = context;
  const id = text(first['id']);
  let circuit = first;
  let shown = '';
  const show = (): void => {
    const line = `${id} ${stateOf(circuit)}`;
    if (line !== shown && !io.isTTY) out.say(line);
    shown = line;
    out.progress(`${line}, waiting for ${goal.name}${startsIn(circuit, io.clock.now())}`);
  };
  const over = new AbortController();
  const stop = io.clock.alarm(instant(io.clock.now() + timeoutS * 1000), () => over.abort());
  const stopTicks = io.isTTY ? every(io.clock, 1000, show) : () => {};
  const done = (seen: Json): boolean => {
    circuit = seen;
    show();
    return goal.reached(seen) || isFinal(seen);
  };
  try {
    if (!done(first)) await follow(context.client.within(over.signal), id, done);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const again = `turnpike circuit wait ${id}`;
    if (interrupt.aborted) {
      const said = `interrupted; ${id} goes on without you`;
      return { circuit, error: new CliError(exits.INTERRUPTED, said, [again]) };
    }
    if (!over.signal.aborted) return { circuit, error };
    const said = `${id} is still ${stateOf(circuit)} after ${formatDuration(timeoutS)} of waiting for ${goal.name}`;
    return { circuit, error: new CliError(exits.TIMEOUT, said, [again]) };
  } finally {
    stop();
    stopTicks();
    out.endProgress();
  }
  return goal.reached(circuit) ? { circuit } : { circuit, error: failure(circuit) };
}

function startsIn(circuit: Json, now: number): string {
  const start = Date.parse(text(dig(circuit, 'placement', 'start_time')));
  return start > now ? `, starts in ${formatDuration((start - now) / 1000)}` : '';
}

/** A broker that restarts, or stands by, or a proxy that gives up: worth another look. */
const passing = (error: unknown): boolean =>
  error instanceof Unreachable || (error instanceof Refused && (error.status >= 500 || error.status === 429));

/** Returns once `done` says so; throws when the circuit can no longer be read, or the client's time is over. */
async function follow(client: Client, id: string, done: (circuit: Json) => boolean): Promise<void> {
  let lastId: string | undefined;
  for (let misses = 0; ; misses++) {
    const round = new AbortController();
    try {
      // Opened before the circuit is read: what happens between the two is in the stream.
      const stream = await client
        .stream(STREAM, { circuit_id: id }, lastId, round.signal)
        .catch((error: unknown) => {
          if (error instanceof Unreachable || error instanceof Refused) return undefined;
          throw error;
        });
      if (done(await read(client, id))) return;
      if (stream !== undefined) {
        for await (const message of stream) {
          misses = 0;
          lastId = message.id ?? lastId;
          if (done(await read(client, id))) return;
        }
      }
    } catch (error) {
      if (!passing(error)) throw error;
    } finally {
      round.abort();
    }
    await client.pause(POLL_MS[Math.min(misses, POLL_MS.length - 1)] as number);
  }
}

export async function read(client: Client, id: string): Promise<Json> {
  const { body } = await client.get(`/v1/circuits/${seg(id)}`);
  if (!isJson(body)) throw new CliError(exits.ERROR, 'the broker answered with something that is no circuit');
  return body;
}

/** Every event that the filter lets pass, from now on or after `lastId`, across broken connections. Endless. */
export async function* tail(
  context: Context,
  filter: Query,
  lastId: string | undefined,
): AsyncGenerator<Json & { readonly id?: string }> {
  const { client, interrupt, out } = context;
  let last = lastId;
  for (let misses = 0; ; misses++) {
    const round = new AbortController();
    try {
      for await (const message of await client.stream(STREAM, filter, last, round.signal)) {
        misses = 0;
        last = message.id ?? last;
        const event = parse(message.data);
        if (event !== undefined) yield event;
      }
    } catch (error) {
      if (!passing(error)) throw error;
      out.say(`${(error as Error).message}; trying again`);
    } finally {
      round.abort();
    }
    if (interrupt.aborted) throw interrupted();
    await client.pause(POLL_MS[Math.min(misses, POLL_MS.length - 1)] as number);
  }
}

function parse(data: string): Json | undefined {
  try {
    const event: unknown = JSON.parse(data);
    return isJson(event) ? event : undefined;
  } catch {
    return undefined;
  }
}
