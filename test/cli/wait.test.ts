/** Waiting for a circuit: over the stream, across broken streams, and without any. */
import { describe, expect, it, test } from 'vitest';
import { goalOf, reached } from '../../src/cli/wait.ts';
import { CIRCUIT_ID, circuit, fake, frame, hastyClock, problem, run, START, sse } from './support/world.ts';

const PATH = `GET /v1/circuits/${CIRCUIT_ID}`;
const STREAM = 'GET /v1/events/stream';
const WAIT = `circuit wait ${CIRCUIT_ID}`;
const event = (id: string) =>
  frame(id, { specversion: '1.0', id, type: 'circuit.updated', subject: CIRCUIT_ID, data: {} });

test('an event of the circuit says when to look', async () => {
  let state = 'SCHEDULED';
  let happens = (): void => {};
  const at = await fake({
    [PATH]: (_, count) => {
      const body = circuit(state);
      // After the reading that the open stream led to.
      if (count === 1) happens();
      return { body };
    },
    [STREAM]: () =>
      sse((write) => {
        happens = () => {
          state = 'ACTIVE';
          write(event('evt_2'));
        };
      }),
  });
  const ran = await run(at, WAIT);
  expect(ran.code).toBe(0);
  expect(ran.stdout).toContain('ACTIVE');
  expect(ran.stderr).toBe(`${CIRCUIT_ID} SCHEDULED\n${CIRCUIT_ID} ACTIVE\n`);
  expect(at.seen.find((call) => call.path.endsWith('stream'))?.query.get('circuit_id')).toBe(CIRCUIT_ID);
  // Once by its id, once when the stream was open, once for its own event.
  expect(at.seen.filter((call) => call.path.startsWith('/v1/circuits'))).toHaveLength(3);
});

test('what happens before the stream is open is not missed', async () => {
  const at = await fake({
    [PATH]: (_, count) => ({ body: circuit(count === 0 ? 'SCHEDULED' : 'ACTIVE') }),
    [STREAM]: () => sse(() => {}),
  });
  expect((await run(at, WAIT)).code).toBe(0);
});

test('a broken stream is resumed after the last event seen', async () => {
  let state = 'SCHEDULED';
  let cut = (): void => {};
  const at = await fake({
    [PATH]: (_, count) => {
      // The third reading is what the first event led to.
      if (count === 2) cut();
      return { body: circuit(state) };
    },
    [STREAM]: (_, count) =>
      sse((write, response) => {
        if (count === 0) {
          cut = () => response.destroy();
          write(event('evt_7'));
        } else {
          state = 'ACTIVE';
          write(event('evt_8'));
        }
      }),
  });
  expect((await run(at, WAIT)).code).toBe(0);
  const streams = at.seen.filter((call) => call.path === '/v1/events/stream');
  expect(streams.map((call) => call.headers['last-event-id'])).toEqual([undefined, 'evt_7']);
});

test.each([
  ['not there', () => problem(404, 'NOT_FOUND', 'no such route')],
  ['overloaded', () => problem(503, 'OVERLOADED', 'too many streams')],
  ['cut off', () => 'drop' as const],
  ['ended at once', () => sse((_, response) => response.end())],
])('where the stream is %s, the circuit is polled', async (_, stream) => {
  const at = await fake({
    [PATH]: (_seen, count) => ({ body: circuit(count < 6 ? 'SCHEDULED' : 'ACTIVE') }),
    [STREAM]: stream,
  });
  const ran = await run(at, WAIT);
  expect(ran.code).toBe(0);
  expect(at.seen.filter((call) => call.path.startsWith('/v1/circuits'))).toHaveLength(7);
});

test('a stream that falls silent without ending is given up', async () => {
  const clock = hastyClock(START);
  let silence: NodeJS.Timeout | undefined;
  const at = await fake({
    [PATH]: (_, count) => ({ body: circuit(count < 2 ? 'SCHEDULED' : 'ACTIVE') }),
    [STREAM]: (_, count) =>
      sse(() => {
        // The silence is three heartbeats long; the whole wait is half an hour. It may begin late.
        if (count === 0) silence = setInterval(() => clock.advance(46_000), 50);
        else clearInterval(silence);
      }),
  });
  expect((await run(at, WAIT, { clock })).code).toBe(0);
  expect(at.seen.filter((call) => call.path === '/v1/events/stream')).toHaveLength(2);
});

test('a broker that restarts meanwhile is waited for', async () => {
  const at = await fake({
    [PATH]: (_, count) => {
      if (count === 0) return { body: circuit('SCHEDULED') };
      // More refusals than one call has patience for.
      return count < 8 ? problem(503, 'STOPPING', 'stopping') : { body: circuit('ACTIVE') };
    },
    [STREAM]: () => problem(503, 'STOPPING', 'stopping'),
  });
  expect((await run(at, WAIT)).code).toBe(0);
});

test('a token that ends meanwhile ends the waiting', async () => {
  const at = await fake({
    [PATH]: (_, count) =>
      count === 0 ? { body: circuit('SCHEDULED') } : problem(401, 'UNAUTHENTICATED', 'expired'),
    [STREAM]: () => problem(401, 'UNAUTHENTICATED', 'expired'),
  });
  expect((await run(at, WAIT)).code).toBe(4);
});

test('create --wait: data on stdout is one document, the circuit as it came to be', async () => {
  const at = await fake({
    'POST /v1/circuits': () => ({ status: 201, body: circuit('SCHEDULED') }),
    [PATH]: (_, count) => ({ body: circuit(count === 0 ? 'PROVISIONING' : 'ACTIVE') }),
    [STREAM]: () => sse(() => {}),
  });
  const ran = await run(at, 'circuit create ams:host1 ams:host3 --bw 10G --for 2h --wait -o json');
  expect(ran.code).toBe(0);
  expect(JSON.parse(ran.stdout).state).toBe('ACTIVE');
  expect(ran.stderr).toBe(
    `start     now\nend       2h later\n${CIRCUIT_ID} PROVISIONING\n${CIRCUIT_ID} ACTIVE\n`,
  );
});

test('progress is one line that is written over, and only on a terminal', async () => {
  const at = await fake({
    [PATH]: (_, count) => ({ body: circuit(count === 0 ? 'SCHEDULED' : 'ACTIVE') }),
    [STREAM]: () => sse(() => {}),
  });
  const ran = await run(at, WAIT, { isTTY: true });
  expect(ran.stderr).toContain(`\r\u001b[K${CIRCUIT_ID} SCHEDULED, waiting for ACTIVE`);
  expect(ran.stderr.endsWith('\r\u001b[K')).toBe(true);
  const quiet = await run(at, `${WAIT} -q`, { isTTY: true });
  expect(quiet.stderr).toBe('');
});

describe('what is waited for when nobody says', () => {
  const manual = { request: { provision: 'MANUAL' } };
  const held = { request: { hold_s: 600 } };
  it.each([
    ['SCHEDULED', {}, 'ACTIVE'],
    ['RESERVING', {}, 'ACTIVE'],
    ['RESERVING', held, 'HELD'],
    ['SCHEDULED', held, 'ACTIVE'],
    ['RESERVING', manual, 'SCHEDULED'],
    ['SCHEDULED', { ...manual, allowed_actions: ['provision', 'cancel'] }, 'SCHEDULED'],
    ['SCHEDULED', { ...manual, allowed_actions: ['cancel'] }, 'ACTIVE'],
    ['RELEASING', {}, 'ENDED'],
  ])('%s %o: %s', (state, over, goal) => expect(goalOf(circuit(state, over))).toBe(goal));
});

describe('has it come there?', () => {
  const lit = { placement: { actual_start_time: START } };
  it.each([
    ['SCHEDULED', {}, 'SCHEDULED', true],
    ['ACTIVE', {}, 'SCHEDULED', true],
    ['HELD', {}, 'SCHEDULED', false],
    ['ENDED', lit, 'ACTIVE', true],
    ['ENDED', {}, 'ACTIVE', false],
    ['RELEASING', {}, 'ACTIVE', false],
    ['CANCELLED', {}, 'ENDED', true],
    ['FAILED', {}, 'ENDED', false],
    ['FAILED', {}, 'FAILED', true],
    ['CANCELLED', {}, 'SCHEDULED', false],
  ])('%s %o at %s: %s', (state, over, goal, yes) => expect(reached(circuit(state, over), goal)).toBe(yes));
});
