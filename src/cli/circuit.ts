/**
 * `turnpike circuit ...`: ask, look, wait, act. A circuit may be named by its id, by the four characters of
 * its short code, or by the client's own reference.
 */
import type { Command } from 'commander';
import { rfc3339 } from '../kernel/clock.ts';
import { type AskOptions, collect, withConstraints } from './ask.ts';
import {
  act,
  type Changes,
  createCircuit,
  extend,
  find,
  type MutationOptions,
  modify,
  reroute,
  show,
  type WaitOptions,
  waitAndShow,
} from './change.ts';
import { seg } from './client.ts';
import { type Context, DEFAULT_LIMIT } from './context.ts';
import { usage } from './io.ts';
import { dig, isJson, items, type Json, text } from './output.ts';
import { circuitList, eventGist, eventList, eventType, segmentList } from './show.ts';
import { parseCount, parsePositiveDuration } from './units.ts';
import { goalOf, isFinal, parseGoal, read, stateGoal, tail } from './wait.ts';

/** Reads the global options, makes the context, and runs. */
export type Run = (command: Command, act: (context: Context) => Promise<void>) => Promise<void>;

const waiting = (command: Command, goal: string): Command =>
  command
    .option('--wait', `wait until the circuit is ${goal}`)
    .option('--until <state>', 'wait for this state instead (implies --wait)')
    .option('--timeout <duration>', 'stop waiting after this long, with exit code 124', '30m');

const trying = (command: Command): Command =>
  command.option('--dry-run', 'ask the broker what it would answer; nothing changes');

/** For POST: what is sent again under the same key is done once. */
const mutating = (command: Command): Command =>
  trying(command).option(
    '--key <key>',
    "the Idempotency-Key, to repeat this very request safely (a fresh one otherwise); with --token, the file with its holder's private key",
  );

/** The verbs that a MANUAL circuit opens to its token only. */
const locked = (command: Command): Command => {
  command
    .option('--token <file>', 'the token of the circuit (MANUAL ones need it), with --key')
    .option('--op-key <key>', 'with --token: the key under which this is done once')
    .option('--override <reason>', 'operators: do it without the token; the reason is recorded');
  return command.options.some((option) => option.long === '--key')
    ? command
    : command.option('--key <file>', "with --token: the file with its holder's private key");
};

/** What a circuit can be asked to be. */
export const withAsk = (command: Command): Command =>
  withConstraints(command)
    .option('--a <port>', 'one end, as prefix:local')
    .option('--z <port>', 'the other end')
    .option('--a-vlan <vlan>', '1801, 1800-1899, any or untagged')
    .option('--z-vlan <vlan>', 'the same for the other end')
    .option('--bw <rate>', 'bandwidth: 10G, 2.5G, 500M')
    .option('--start <time>', 'from when: "22:00 Europe/Amsterdam", "tomorrow 18:00", +2h; now if absent')
    .option('--at <time>', 'the same as --start')
    .option('--end <time>', 'until when, or never')
    .option('--for <duration>', 'for how long: 2h30m, 90m, 1d')
    .option(
      '--by <time>',
      'done by then, with --for or --move: the broker picks the slot, and may move it to fit others in',
    )
    .option('--not-before <time>', 'with --by: not earlier than this')
    .option('--move <volume>', 'with --by: this much data (20TB); the broker picks rate and slot')
    .option('--min-bw <rate>', 'with --move: not slower than this')
    .option('--max-bw <rate>', 'with --move: not faster than this')
    .option('--offer <offer/option>', 'a slot that "slots" has offered: off_.../0')
    .option('--rrule <rule>', 'repeat as RFC 5545 says: "FREQ=DAILY;COUNT=5", with --start and --for')
    .option('--project <name>', 'on whose account')
    .option('--description <text>', 'what it is for')
    .option('--ref <ref>', 'your own name for it, unique in the project (a job, a rule)')
    .option('--hold <duration>', 'only hold it for so long; commit or abort it then')
    .option('--manual', 'light it only on "circuit provision"')
    .option('--pinned', 'once placed, do not move it (with --by)')
    .option('--notice <duration>', 'do not move it later than this before its start')
    .option('--priority <n>', '0 to 100')
    .option('--protected', 'with a second, disjoint path')
    .option('--holder-jwk <file>', 'public key that the capability token is bound to')
    .option('-f, --file <file>', 'take the request from a JSON file (- for stdin); options override it');

export function addCircuit(program: Command, run: Run): void {
  const circuit = program.command('circuit').description('book, look at, change and end circuits');

  const create = circuit.command('create [a] [z]').description('book a circuit between two ports');
  waiting(mutating(withAsk(create)), 'lit (held with --hold, scheduled with --manual)').action(
    (a: string | undefined, z: string | undefined, options: AskOptions & MutationOptions, command: Command) =>
      run(command, (context) => createCircuit(context, withPorts(options, a, z), options)),
  );

  circuit
    .command('list')
    .description('circuits, the latest first')
    .option('--state <state>', 'only in this state (repeatable)', collect)
    .option('--project <name>', 'only of this project')
    .option('--port <port>', 'only with this end')
    .option('--ref <ref>', 'only with this client reference')
    .option('--from <time>', 'only starting at or after this time')
    .option('--before <time>', 'only starting before this time')
    .option(
      '--sort <field>',
      'create_time, start_time or end_time; with - in front the latest first',
      '-create_time',
    )
    .option('--limit <n>', 'at most so many', DEFAULT_LIMIT)
    .action((options: ListOptions, command: Command) => run(command, (context) => list(context, options)));

  circuit
    .command('show <circuit>')
    .description('one circuit')
    .action((ref: string, _options: object, command: Command) =>
      run(command, async (context) => show(context, await find(context, ref))),
    );

  circuit
    .command('wait <circuit>')
    .description('wait until a circuit is lit, or in the state named')
    .option('--until <state>', 'the state to wait for')
    .option('--timeout <duration>', 'stop waiting after this long, with exit code 124', '30m')
    .action((ref: string, options: WaitOptions, command: Command) =>
      run(command, async (context) => {
        const timeoutS = parsePositiveDuration(options.timeout);
        const until = options.until === undefined ? undefined : parseGoal(options.until);
        const found = await find(context, ref);
        await waitAndShow(context, found, stateGoal(until ?? goalOf(found)), timeoutS);
      }),
    );

  circuit
    .command('watch <circuit>')
    .description('show what happens to a circuit until it ends')
    .action((ref: string, _options: object, command: Command) =>
      run(command, async (context) => watch(context, await find(context, ref))),
    );

  circuit
    .command('events <circuit>')
    .description('what has happened to a circuit')
    .option('--limit <n>', 'at most so many', DEFAULT_LIMIT)
    .action((ref: string, options: { limit: string }, command: Command) =>
      run(command, async (context) => {
        const id = text((await find(context, ref))['id']);
        const rows = await context.pages(`/v1/circuits/${seg(id)}/events`, {}, limitOf(options.limit));
        await context.out.list(rows, eventList);
      }),
    );

  circuit
    .command('path <circuit>')
    .description('the way a circuit takes, domain by domain')
    .action((ref: string, _options: object, command: Command) =>
      run(command, async (context) => {
        const found = await find(context, ref);
        const { body } = await context.client.get(`/v1/circuits/${seg(text(found['id']))}/segments`);
        const rows = items(dig(body, 'items') ?? dig(body, 'segments'));
        const path = found['path'];
        const latency = dig(path, 'latency_ms');
        if (latency !== undefined) context.out.say(`latency ${text(latency)} ms`);
        await context.out.list(rows, segmentList, { ...(isJson(path) ? { path } : {}), segments: rows });
      }),
    );

  waiting(
    locked(
      mutating(
        circuit
          .command('release <circuit>')
          .description('put a circuit out and give the rest of its slot back')
          .option('--reason <text>', 'why, for the record'),
      ),
    ),
    'ended',
  ).action((ref: string, options: MutationOptions & { reason?: string }, command: Command) =>
    run(command, (context) =>
      act(context, ref, 'release', options.reason === undefined ? {} : { reason: options.reason }, options),
    ),
  );

  for (const [name, goal, description] of [
    ['commit', 'lit', 'turn a hold into a booking'],
    ['abort', 'ended', 'give a hold back'],
    ['provision', 'lit', 'light a circuit that was booked with --manual'],
    ['cancel', 'ended', 'end a circuit, lit or not'],
  ] as const) {
    const verb = circuit.command(`${name} <circuit>`).description(description);
    const asking = name === 'cancel' ? trying(verb) : mutating(verb);
    waiting(name === 'cancel' || name === 'provision' ? locked(asking) : asking, goal).action(
      (ref: string, options: MutationOptions, command: Command) =>
        run(command, (context) => act(context, ref, name, undefined, options)),
    );
  }

  waiting(
    mutating(
      circuit
        .command('extend-hold <circuit>')
        .description('hold a circuit for longer')
        .requiredOption('--for <duration>', 'from now on'),
    ),
    'held',
  ).action((ref: string, options: MutationOptions & { for: string }, command: Command) =>
    run(command, (context) =>
      act(context, ref, 'extend-hold', { hold_s: parsePositiveDuration(options.for) }, options),
    ),
  );

  waiting(
    locked(
      mutating(
        circuit
          .command('extend <circuit>')
          .description('let a circuit end later')
          .option('--for <duration>', 'this much later than now agreed')
          .option('--to <time>', 'at this time, or never'),
      ),
    ),
    'changed',
  ).action((ref: string, options: MutationOptions & { for?: string; to?: string }, command: Command) =>
    run(command, (context) => extend(context, ref, options)),
  );

  waiting(
    locked(
      mutating(circuit.command('reroute <circuit>').description('take the best road that there is now')),
    ),
    'changed',
  ).action((ref: string, options: MutationOptions, command: Command) =>
    run(command, (context) => reroute(context, ref, options)),
  );

  waiting(
    locked(
      trying(
        circuit
          .command('modify <circuit>')
          .description('change a circuit in place, make before break')
          .option('--bw <rate>', 'another bandwidth')
          .option('--end <time>', 'another end, or never')
          .option('--by <time>', 'another deadline')
          .option('--not-before <time>', 'another earliest start')
          .option('--revision <n>', 'only if the circuit is still at this revision'),
      ),
    ),
    'changed',
  ).action((ref: string, options: MutationOptions & Changes, command: Command) =>
    run(command, (context) => modify(context, ref, options)),
  );
}

interface ListOptions {
  readonly state?: readonly string[];
  readonly project?: string;
  readonly port?: string;
  readonly ref?: string;
  readonly from?: string;
  readonly before?: string;
  readonly sort: string;
  readonly limit: string;
}

export const limitOf = (said: string): number => parseCount(said, 'limit', 1, 1_000_000);

export function withPorts(options: AskOptions, a: string | undefined, z: string | undefined): AskOptions {
  if (a !== undefined && options.a !== undefined) throw usage('the port a is given twice');
  if (z !== undefined && options.z !== undefined) throw usage('the port z is given twice');
  return { ...options, ...(a === undefined ? {} : { a }), ...(z === undefined ? {} : { z }) };
}

async function list(context: Context, options: ListOptions): Promise<void> {
  const at = async (said: string | undefined): Promise<string | undefined> =>
    said === undefined ? undefined : rfc3339(await context.time(said));
  const rows = await context.pages(
    '/v1/circuits',
    {
      state: options.state?.map(parseGoal),
      project: options.project,
      port: options.port,
      client_ref: options.ref,
      'start_time.gte': await at(options.from),
      'start_time.lt': await at(options.before),
      sort: options.sort,
    },
    limitOf(options.limit),
  );
  await context.out.list(rows, circuitList);
}

/** The past of the circuit, then what comes, without a gap: the stream resumes after the last event listed. */
async function watch(context: Context, first: Json): Promise<void> {
  const { out, client } = context;
  const id = text(first['id']);
  const print = (event: Json): void =>
    out.line(out.eventLine(event, [text(event['time']), eventType(event), eventGist(event)]));
  const past = await context.pages(`/v1/circuits/${seg(id)}/events`, {}, 10_000);
  for (const event of past) print(event);
  if (isFinal(first)) return;
  const last = text(past.at(-1)?.['id']);
  for await (const event of tail(context, { circuit_id: id }, last === '' ? undefined : last)) {
    print(event);
    if (isFinal(await read(client, id))) return;
  }
}
