import { expect, test } from 'vitest';
import { fake, problem, run } from './support/world.ts';

const CREATE = 'circuit create ams:host1 ams:host3 --bw 10G --for 2h';
const told = async (status: number, code: string, more: object): Promise<string> => {
  const at = await fake({ 'POST /v1/circuits': () => problem(status, code, 'the detail', more) });
  return (await run(at, CREATE)).stderr.replace(/^(start|end) .*\n/gm, '');
};

test('no room: where, how much, what would fit, and the words to book it', async () => {
  const stderr = await told(409, 'NO_FEASIBLE_SLOT', {
    request_id: 'req_1',
    bottlenecks: [
      {
        kind: 'LINK',
        id: 'ams-1-2',
        free_mbps: 4000,
        needed_mbps: 10000,
        start_time: '2026-11-20T22:00:00Z',
        end_time: '2026-11-20T23:00:00Z',
      },
    ],
    alternatives: [
      { start_time: '2026-11-20T23:00:00Z', end_time: '2026-11-21T01:00:00Z', bandwidth_mbps: 10000 },
    ],
  });
  expect(stderr).toBe(
    [
      'turnpike: title of NO_FEASIBLE_SLOT (NO_FEASIBLE_SLOT)',
      'the detail',
      'what is in the way:',
      '  link ams-1-2, 4G free, 10G needed, from 2026-11-20T22:00:00Z, until 2026-11-20T23:00:00Z',
      'what would fit:',
      '  10G from 2026-11-20T23:00:00Z until 2026-11-21T01:00:00Z',
      'request: req_1',
      '  try: --start 2026-11-20T23:00:00Z --end 2026-11-21T01:00:00Z --bw 10G',
      '',
    ].join('\n'),
  );
});

test('room for less in the same window: only the rate is to be changed', async () => {
  const slot = { start_time: '2026-11-20T21:17:04Z', end_time: '2026-11-20T23:17:04Z' };
  const stderr = await told(409, 'NO_FEASIBLE_SLOT', {
    bottlenecks: [{ kind: 'PORT', id: 'ams:host1', free_mbps: 4000, needed_mbps: 10000, ...slot }],
    alternatives: [{ ...slot, bandwidth_mbps: 4000 }],
  });
  expect(stderr).toContain('  try: --bw 4G\n');
});

test('denied: the decision, and how to read it', async () => {
  const stderr = await told(403, 'POLICY_DENIED', { decision_id: 'dec_9' });
  expect(stderr).toContain('decision: dec_9\n  try: turnpike decision why dec_9\n');
});

test('wrong state: what can be done now', async () => {
  expect(await told(409, 'WRONG_STATE', { allowed_actions: ['release', 'cancel'] })).toContain(
    'what it can do now: release cancel',
  );
  expect(await told(409, 'WRONG_STATE', { allowed_actions: [] })).toContain('nothing more, it is final');
});

test('malformed: each field', async () => {
  const errors = [{ pointer: '/bandwidth_mbps', detail: 'must be >= 1' }];
  expect(await told(400, 'INVALID_REQUEST', { errors })).toContain('  /bandwidth_mbps: must be >= 1\n');
});

test('not authenticated: where the token comes from', async () => {
  expect(await told(401, 'UNAUTHENTICATED', {})).toContain('try: set TURNPIKE_TOKEN');
});

test('what a proxy says is not taken for the words of a broker', async () => {
  const at = await fake({
    'GET /v1/whoami': () => (response) => {
      response.writeHead(418, { 'content-type': 'text/html' });
      response.end('<h1>teapot</h1>');
    },
  });
  const ran = await run(at, 'whoami');
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain('the server answered 418, not in the words of a broker');
});

test('no control character of a refusal reaches the terminal, nor can it forge a line', async () => {
  const stderr = await told(403, 'POLICY_DENIED', {
    detail: 'a\u001b[2Jb\nturnpike: all is well',
    allowed_actions: ['\u009b1m'],
    bottlenecks: [{ kind: 'LINK', id: '\u202eevil' }],
  });
  for (const control of ['\u001b', '\u009b', '\u202e']) expect(stderr).not.toContain(control);
  expect(stderr).toContain('a\\u001b[2Jb\\u000aturnpike: all is well');
});
