/** The numbers that scripts rely on, one by one, against a broker that answers as told. */
import { describe, expect, it, test } from 'vitest';
import { circuit, fake, type Options, problem, type Reply, run, sse } from './support/world.ts';

const CREATE = 'circuit create ams:host1 ams:host3 --bw 10G --for 2h';

describe('refusals', () => {
  const table: readonly [code: string, status: number, exit: number][] = [
    ['INVALID_REQUEST', 400, 2],
    ['START_IN_PAST', 400, 2],
    ['UNAUTHENTICATED', 401, 4],
    ['POLICY_DENIED', 403, 3],
    ['QUOTA_EXCEEDED', 403, 3],
    ['NOT_FOUND', 404, 1],
    ['REQUEST_TIMEOUT', 408, 1],
    ['NO_FEASIBLE_SLOT', 409, 5],
    ['MAINTENANCE_CONFLICT', 409, 6],
    ['WRONG_STATE', 409, 6],
    ['CHANGE_PENDING', 409, 6],
    ['CLIENT_REF_TAKEN', 409, 6],
    ['OFFER_TAKEN', 409, 6],
    ['HOLD_EXPIRED', 410, 6],
    ['STALE_REVISION', 412, 6],
    ['DEADLINE_UNREACHABLE', 422, 5],
    ['IDEMPOTENCY_KEY_REUSED', 422, 6],
    ['NOT_SUPPORTED', 422, 1],
    ['NOT_HOME', 422, 1],
    ['PEER_FAILED', 502, 7],
    ['INTERNAL', 500, 1],
    ['STORE_FULL', 503, 1],
    ['NOT_LEADER', 503, 1],
  ];
  it.each(table)('%s (%d) exits %d', async (code, status, exit) => {
    const at = await fake({ 'POST /v1/circuits': () => problem(status, code, 'because') });
    const ran = await run(at, CREATE);
    expect(ran.code).toBe(exit);
    expect(ran.stdout).toBe('');
    expect(ran.stderr).toContain(`title of ${code} (${code})`);
    expect(ran.stderr).toContain('because');
  });
});

test('0: done', async () => {
  const at = await fake({ 'POST /v1/circuits': () => ({ status: 201, body: circuit('SCHEDULED') }) });
  const ran = await run(at, CREATE);
  expect(ran.code).toBe(0);
  expect(ran.stdout).toMatch(/^circuit +cir_/);
});

test('1: nobody there', async () => {
  const ran = await run(undefined, 'whoami', { env: { TURNPIKE_URL: 'http://127.0.0.1:9' } });
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain('no answer from http://127.0.0.1:9');
});

describe('2: a command line that makes no sense, and no request is sent', () => {
  it.each([
    ['circuit crate', 'unknown command'],
    ['circuit', 'Usage:'],
    ['', 'Usage:'],
    ['circuit create a b c', 'too many arguments'],
    ['circuit create --bogus', 'unknown option'],
    ['circuit show', 'missing required argument'],
    ['circuit create', 'missing: two ports, --bw, when'],
    ['circuit create ams:a ams:b --bw 10 --for 2h', 'has no unit'],
    ['circuit create ams:a ams:b --bw 10G --for 2', 'is no duration'],
    ['circuit create ams:a ams:b --bw 10G --for 2h --end 06:00', '--end and --for cannot be given together'],
    ['circuit create ams:a ams:b --bw 10G --start 06:00', 'needs --end or --for'],
    ['circuit create ams:a ams:b --bw 10G --by 06:00', 'needs to know how much'],
    ['circuit create ams:a ams:b --bw 10G --by 06:00 --for 1h --start 05:00', 'cannot be given together'],
    ['circuit create ams:a ams:b --move 20TB', 'needs a deadline'],
    ['circuit create ams:a ams:b --bw 1G --for 1h --max-bw 2G', 'go with --move'],
    ['circuit create ams:a ams:b --bw 1G --for 1h --not-before +1h', 'goes with --by'],
    [
      'circuit create ams:a ams:b --bw 1G --start "2026-11-21 06:00" --end "2026-11-21 05:00"',
      'is not after the start',
    ],
    [
      'circuit create ams:a ams:b --bw 1G --start "2026-03-29 02:30 Europe/Amsterdam" --for 1h',
      'has no 2026',
    ],
    ['circuit create ams:a ams:b --bw 1G --for 1h --file /nowhere.json', 'cannot read /nowhere.json'],
    ['circuit create ams:a ams:b --bw 1G --for 1h --wait --timeout never', 'is no duration'],
    ['circuit create ams:a ams:b --bw 1G --for 1h --until sunrise', 'is no state'],
    ['circuit extend CX47', 'say either --for or --to'],
    ['circuit modify CX47', 'nothing to change'],
    ['circuit modify CX47 --bw 1G --revision x', 'is no revision'],
    ['circuit modify CX47 --bw 1G --colour red', 'unknown option'],
    ['circuit modify CX47 --bw 1G --key k', 'go with --token'],
    ['circuit release CX47 --until sunrise', 'is no state'],
    ['circuit list --limit many', 'is no limit'],
    ['circuit reroute', 'missing required argument'],
    ['slots ams:a', 'missing required argument'],
    ['slots ams:a ams:b --bw 10', 'has no unit'],
    ['slots ams:a ams:b --for 2', 'is no duration'],
    ['maint plan --start +1h --for 1h', 'say --link or --node'],
    ['maint plan --link l1 --for 1h', 'say when: --start'],
    ['maint plan --link l1 --start +1h', 'say either --end or --for'],
    ['maint plan --link l1 --start +1h --for 1h --end +2h', 'say either --end or --for'],
    ['maint plan --link l1 --start +1h --for 1h --conflict ignore', 'is no way out'],
    ['maint cancel', 'missing required argument'],
    ['topo lint', 'missing required argument'],
    ['link set l1', 'nothing to change'],
    ['link set l1 --oper sideways', 'is no state'],
    ['link set l1 --oper up --revision x', 'is no revision'],
    ['whoami -o xml', 'is no output format'],
    ['whoami --url ftp://x', 'is no address of a broker'],
    ['whoami --url http://u:p@x', 'carries a password'],
    ['doctor', "broker's own files"],
  ])('%s', async (line, why) => {
    const at = await fake({ 'GET /v1/circuits': () => ({ body: { items: [circuit('SCHEDULED')] } }) });
    const ran = await run(at, line);
    expect(ran.stderr).toContain(why);
    expect(ran.code).toBe(2);
    expect(ran.stdout).toBe('');
    expect(at.seen.filter((call) => call.method !== 'GET')).toEqual([]);
  });
  test('a token with a line break is not shown', async () => {
    const ran = await run(undefined, 'whoami', { env: { TURNPIKE_TOKEN: 'top\nsecret' } });
    expect(ran.code).toBe(2);
    expect(ran.stderr).not.toContain('secret');
  });
});

test('0: help that was asked for goes to stdout', async () => {
  for (const line of [
    '--help',
    'circuit --help',
    'circuit create --help',
    'circuit reroute --help',
    'topo apply --help',
    'link set --help',
    'maint plan --help',
    'slots --help',
    'help',
    'help circuit',
  ]) {
    const ran = await run(undefined, line);
    expect([line, ran.code, ran.stderr]).toEqual([line, 0, '']);
    expect(ran.stdout).toContain('Usage: turnpike');
  }
});

describe('what waiting ends with', () => {
  const stays: Reply = sse(() => {});
  const waitFor = async (state: string, over: object, options: Options = {}, line = 'circuit wait CX47') => {
    const at = await fake({
      'GET /v1/circuits': () => ({ body: { items: [circuit('SCHEDULED', { state: 'SCHEDULED' })] } }),
      [`GET /v1/circuits/${String(circuit('X')['id'])}`]: () => ({ body: circuit(state, over) }),
      'GET /v1/events/stream': () => stays,
    });
    return run(at, line, options);
  };
  it.each([
    ['ACTIVE', 0],
    ['FAILED', 8],
    ['CANCELLED', 8],
    ['HOLD_EXPIRED', 8],
    ['ENDED', 8],
    ['REJECTED', 8],
  ])('%s exits %d', async (state, exit) => {
    const ran = await waitFor(state, {});
    expect(ran.code).toBe(exit);
    // The circuit is data whatever came of it.
    expect(ran.stdout).toContain(state);
  });
  test('a circuit that had light and ended in the meantime was ACTIVE', async () => {
    const placement = { actual_start_time: '2026-11-20T21:17:05Z' };
    expect((await waitFor('ENDED', { placement })).code).toBe(0);
  });
  test('a rejected one exits as the refusal would have', async () => {
    const refused = { status: 409, code: 'NO_FEASIBLE_SLOT', title: 'full', detail: 'no room' };
    expect((await waitFor('REJECTED', { problem: refused })).code).toBe(5);
    const peer = { status: 502, code: 'PEER_FAILED', title: 'silent', domain: 'sdg.example' };
    const ran = await waitFor('REJECTED', { problem: peer });
    expect(ran.code).toBe(7);
    expect(ran.stderr).toContain('domain: sdg.example');
  });
  test('124: the timeout', async () => {
    const clock = (await import('./support/world.ts')).hastyClock('2026-11-20T21:17:03Z');
    const ran = await waitFor(
      'SCHEDULED',
      {},
      { clock, onTalk: (text) => text.includes('SCHEDULED') && setImmediate(() => clock.advance(1_800_000)) },
    );
    expect(ran.code).toBe(124);
    expect(ran.stderr).toContain('is still SCHEDULED after 30m of waiting for ACTIVE');
    expect(ran.stderr).toContain('try: turnpike circuit wait cir_');
    expect(ran.stdout).toContain('cir_');
  });
  test('130: an interrupt, while waiting and while asking', async () => {
    const stop = new AbortController();
    const ran = await waitFor(
      'SCHEDULED',
      {},
      {
        interrupt: stop.signal,
        onTalk: (text) => text.includes('SCHEDULED') && setImmediate(() => stop.abort()),
      },
    );
    expect(ran.code).toBe(130);
    expect(ran.stderr).toContain('goes on without you');
    const hang = new AbortController();
    const at = await fake({ 'GET /v1/whoami': () => () => hang.abort() });
    expect((await run(at, 'whoami', { interrupt: hang.signal })).code).toBe(130);
  });
});
