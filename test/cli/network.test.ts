/** `turnpike slots`, `turnpike maint` and `circuit reroute`: what they ask for and what they print. */
import { describe, expect, it } from 'vitest';
import { slotsIn } from '../../src/cli/slots.ts';
import { CIRCUIT_ID, circuit, fake, problem, run } from './support/world.ts';

const T = (h: number): string => `2026-11-21T${String(h).padStart(2, '0')}:00:00Z`;

describe('slots', () => {
  const answer = {
    a: { port: 'ams:host1', vlan: 'ANY' },
    z: { port: 'ams:host2', vlan: 'ANY' },
    from_time: T(0),
    to_time: T(9),
    steps: [
      { start_time: T(0), free_mbps: 2_000 },
      { start_time: T(2), free_mbps: 10_000 },
      { start_time: T(3), free_mbps: 6_000 },
      { start_time: T(5), free_mbps: 0 },
      { start_time: T(8), free_mbps: 10_000 },
    ],
  };
  const broker = () => fake({ 'GET /v1/availability': () => ({ body: answer }) });

  it('are the steps as the broker tells them', async () => {
    const at = await broker();
    const ran = await run(at, 'slots ams:host1 ams:host2');
    expect(ran.stdout.split('\n').slice(1, 6)).toEqual([
      `${T(0)}  ${T(2)}  2G`,
      `${T(2)}  ${T(3)}  10G`,
      `${T(3)}  ${T(5)}  6G`,
      `${T(5)}  ${T(8)}  0M`,
      `${T(8)}  ${T(9)}  10G`,
    ]);
    expect([...(at.seen[0]?.query ?? [])]).toEqual([
      ['a', 'ams:host1'],
      ['z', 'ams:host2'],
    ]);
    expect(JSON.parse((await run(at, 'slots ams:host1 ams:host2 -o json')).stdout)).toEqual(answer);
  });

  it('of a rate and a length are put together from steps', async () => {
    const at = await broker();
    const ran = await run(
      at,
      'slots ams:host1 ams:host2 --bw 5G --for 2h --from "2026-11-21 00:00" --to 12:00 --a-vlan any --z-vlan 7-9',
    );
    expect(ran.stdout).toBe(`FROM                  UNTIL                 FREE\n${T(2)}  ${T(5)}  6G\n`);
    expect(ran.stderr).toBe(`only until ${T(9)}: ask again from there\n`);
    expect(Object.fromEntries(at.seen[0]?.query ?? [])).toMatchObject({
      a_vlan: 'ANY',
      z_vlan: '7-9',
      from: T(0),
      to: T(12),
    });
  });

  it('5: where there is none, and says what there is', async () => {
    const ran = await run(await broker(), 'slots ams:host1 ams:host2 --bw 40G');
    expect([ran.code, ran.stdout]).toEqual([5, '']);
    expect(ran.stderr).toContain('there is no slot of 40G between ams:host1 and ams:host2');
    expect(ran.stderr).toContain('at most 10G are free at a time');
  });

  it('touch, and are one only where they do', () => {
    const step = (from: number, to: number, free_mbps: number) => ({
      start_time: T(from),
      end_time: T(to),
      free_mbps,
    });
    expect(slotsIn([step(0, 1, 5), step(1, 2, 7), step(3, 4, 9)], 5, 0)).toEqual([
      step(0, 2, 5),
      step(3, 4, 9),
    ]);
    expect(slotsIn([step(0, 1, 5), step(1, 2, 7)], 6, 0)).toEqual([step(1, 2, 7)]);
    expect(slotsIn([step(0, 1, 5), step(1, 2, 7)], 5, 7201)).toEqual([]);
    expect(slotsIn([step(0, 1, 0)], 0, 0)).toEqual([]);
  });
});

describe('slots with a deadline', () => {
  const id = 'off_01k00000000000000000000000';
  const option = (n: number, from: number, over: object = {}) => ({
    option: n,
    start_time: T(from),
    end_time: T(from + 2),
    bandwidth_mbps: 10_000,
    path: { domains: ['ams.example'], links: ['ring-ne', 'nkf'], latency_ms: 0.2 },
    moves: 0,
    ...over,
  });
  const offer = (kind: string, ...options: object[]) => ({ id, kind, expire_time: T(1), options });
  const broker = (body: object) => fake({ 'POST /v1/offers': () => ({ status: 201, body }) });
  const SLOTS = 'slots ams:host1 ams:host3';

  it('are an offer, each by the name under which it is taken', async () => {
    const answer = offer('INDICATIVE', option(0, 2), option(1, 5, { moves: 1 }));
    const at = await broker(answer);
    const ran = await run(at, `${SLOTS} --bw 10G --for 2h --by "09:00 UTC"`);
    expect(at.seen[0]?.body).toEqual({
      a: { port: 'ams:host1' },
      z: { port: 'ams:host3' },
      bandwidth_mbps: 10_000,
      schedule: { type: 'FLEXIBLE', duration_s: 7200, deadline_time: T(9) },
    });
    expect(ran.code).toBe(0);
    expect(ran.stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['OFFER', 'FROM', 'UNTIL', 'BW', 'LINKS', 'MOVES'],
      [`${id}/0`, T(2), T(4), '10G', 'ring-ne nkf', '0'],
      [`${id}/1`, T(5), T(7), '10G', 'ring-ne nkf', '1'],
      [''],
    ]);
    expect(ran.stderr.split('\n').slice(-3, -1)).toEqual([
      `until ${T(1)}, unless somebody else is faster; to take one of them:`,
      `  turnpike circuit create ams:host1 ams:host3 --offer ${id}/0`,
    ]);
    expect(JSON.parse((await run(at, `${SLOTS} --bw 10G --for 2h --by 09:00 -o json`)).stdout)).toEqual(
      answer,
    );
  });

  it('are asked for with everything that can be said', async () => {
    const at = await broker(offer('FIRM', option(0, 2, { circuit_id: CIRCUIT_ID })));
    const ran = await run(
      at,
      `${SLOTS} --move 20TB --by 09:00 --not-before 01:00 --min-bw 1G --max-bw 40G --ask earliest-finish ` +
        '--firm 10m --limit 3 --protected --project lhc --a-vlan 7 --exclude-link l1 --max-hops 4 --key once',
    );
    expect(at.seen[0]?.body).toEqual({
      project: 'lhc',
      a: { port: 'ams:host1', vlan: 7 },
      z: { port: 'ams:host3' },
      constraints: { exclude_links: ['l1'], max_hops: 4 },
      protection: 'PROTECTED',
      schedule: {
        type: 'VOLUME',
        volume_bytes: 20e12,
        not_before_time: T(1),
        deadline_time: T(9),
        min_bandwidth_mbps: 1_000,
        max_bandwidth_mbps: 40_000,
      },
      ask: 'EARLIEST_FINISH',
      max_offers: 3,
      firm_s: 600,
    });
    expect(at.seen[0]?.headers['idempotency-key']).toBe('once');
    expect(ran.stderr).toContain(`held until ${T(1)}; to take one of them:`);
  });

  it('5: where there are none, and says what would do', async () => {
    const at = await fake({
      'POST /v1/offers': () =>
        problem(409, 'NO_FEASIBLE_SLOT', 'all is full', {
          alternatives: [{ start_time: T(9), end_time: T(11), bandwidth_mbps: 10_000 }],
        }),
    });
    const ran = await run(at, `${SLOTS} --bw 10G --for 2h --by 09:00`);
    expect([ran.code, ran.stdout]).toEqual([5, '']);
    expect(ran.stderr).toContain(`10G from ${T(9)} until ${T(11)}`);
  });

  it.each([
    ['--by 09:00 --for 2h', '--by needs to know how much'],
    ['--by 09:00 --bw 10G', '--by needs to know how much'],
    ['--bw 10G --for 2h --firm 10m', 'an offer needs a deadline'],
    ['--bw 10G --for 2h --ask all-slots', 'an offer needs a deadline'],
    ['--move 20TB', 'an offer needs a deadline'],
    ['--bw 10G --for 2h --by 09:00 --ask cheapest', '"cheapest" is no question for an offer'],
    ['--bw 10G --for 2h --by 09:00 --limit 51', 'a whole number from 1 to 50'],
    ['--bw 10G --for 2h --by 09:00 --to 12:00', 'between --not-before and --by'],
    ['--bw 10G --for 2h --max-hops 3', 'goes with --by'],
    ['--bw 10G --not-before 09:00', 'goes with --by'],
  ])('2: %s', async (options, why) => {
    const at = await broker(offer('INDICATIVE'));
    const ran = await run(at, `${SLOTS} ${options}`);
    expect([ran.code, at.seen, ran.stderr.includes(why)]).toEqual([2, [], true]);
  });
});

describe('maint', () => {
  const window = {
    id: 'mnt_1',
    links: ['l1'],
    nodes: [],
    start_time: T(2),
    end_time: T(4),
    reason: 'new card',
  };
  const outcome = { ...window, impact: [{ circuit_id: 'cir_1', outcome: 'REROUTED' }] };
  const path = '/v1/maintenance-windows';

  it('plan says what was understood, and what became of circuits', async () => {
    const at = await fake({ [`POST ${path}`]: () => ({ status: 201, body: outcome }) });
    const line =
      'maint plan --link l1 --link l2 --node n1 --start "2026-11-21 03:00 Europe/Amsterdam" --for 2h --reason "new card" --conflict migrate';
    const ran = await run(at, line);
    expect(at.seen[0]?.body).toEqual({
      links: ['l1', 'l2'],
      nodes: ['n1'],
      start_time: T(2),
      end_time: T(4),
      reason: 'new card',
      conflict: 'MIGRATE_FLEXIBLE',
    });
    expect(at.seen[0]?.headers['idempotency-key']).toMatch(/^cli-/);
    expect(ran.stderr).toContain(`start     ${T(2)} (in 4h43m)`);
    expect(ran.stdout).toMatch(/^window +mnt_1$/m);
    expect(ran.stdout).toMatch(/^cir_1 +REROUTED$/m);
    expect(JSON.parse((await run(at, `${line} -o json`)).stdout)).toEqual(outcome);
    expect((await run(at, `${line} -o csv`)).stdout).toBe(
      `window,start,end,links,nodes,reason,circuits\r\nmnt_1,${T(2)},${T(4)},l1,,new card,cir_1\r\n`,
    );
    const dry = await run(at, `${line} --dry-run`);
    expect(at.seen.at(-1)?.query.get('validate_only')).toBe('true');
    expect(dry.stderr).toContain('nothing was changed');
  });

  it('6: circuits in the way are named', async () => {
    const circuits = [{ circuit_id: 'cir_1', start_time: T(1), end_time: T(5) }, { circuit_id: 'cir_2' }];
    const at = await fake({
      [`POST ${path}`]: () => problem(409, 'MAINTENANCE_CONFLICT', '2 circuits', { circuits }),
    });
    const ran = await run(at, `maint plan --link l1 --start "2026-11-21 02:00" --end 04:00`);
    expect(ran.code).toBe(6);
    expect(ran.stderr).toContain(`circuits in the way:\n  cir_1 from ${T(1)} until ${T(5)}\n  cir_2\n`);
    expect(ran.stderr).toContain('try: --conflict migrate');
  });

  it('list, show, impact, migrate, cancel', async () => {
    const at = await fake({
      [`GET ${path}`]: () => ({ body: { items: [window] } }),
      [`GET ${path}/mnt_1`]: () => ({ body: window }),
      [`GET ${path}/mnt_1/impact`]: () => ({
        body: { items: [{ circuit_id: 'cir_2', outcome: 'IN_THE_WAY' }] },
      }),
      [`POST ${path}/mnt_1/migrate`]: () => ({ body: outcome }),
      [`DELETE ${path}/mnt_1`]: () => ({ status: 204 }),
    });
    expect((await run(at, 'maint list')).stdout).toMatch(/^mnt_1 .* l1 +- +new card$/m);
    expect((await run(at, 'maint show mnt_1')).stdout).toMatch(/^because +new card$/m);
    expect((await run(at, 'maint impact mnt_1')).stdout).toMatch(/^cir_2 +IN_THE_WAY$/m);
    expect((await run(at, 'maint migrate mnt_1')).stdout).toMatch(/^cir_1 +REROUTED$/m);
    expect((await run(at, 'maint cancel mnt_1 --dry-run')).stderr).toBe('dry run: mnt_1 would go\n');
    expect(at.seen.at(-1)?.query.get('validate_only')).toBe('true');
    expect((await run(at, 'maint cancel mnt_1')).stderr).toBe('mnt_1 is gone\n');
    expect((await run(at, 'maint show mnt_2')).code).toBe(1);
  });
});

describe('circuit reroute', () => {
  const url = `/v1/circuits/${CIRCUIT_ID}`;
  it('shows the new road, and the one that stands by', async () => {
    const moved = circuit('SCHEDULED', {
      revision: 4,
      path: { domains: ['ams.example'], links: ['l2', 'l3'], latency_ms: 10, backup_links: ['l1'] },
      conditions: [{ type: 'Protected', status: 'TRUE', reason: 'READY' }],
    });
    const at = await fake({
      'GET /v1/circuits': () => ({ body: { items: [circuit('SCHEDULED')] } }),
      [`POST ${url}/reroute`]: () => ({ body: moved }),
    });
    const ran = await run(at, 'circuit reroute CX47 --key once');
    expect(at.seen.at(-1)?.headers['idempotency-key']).toBe('once');
    expect(ran.stdout).toMatch(/^links +l2 l3$/m);
    expect(ran.stdout).toMatch(/^backup +l1$/m);
    expect(ran.stdout).toMatch(/^protected +yes \(READY\)$/m);
    expect(ran.stderr).toBe('');
  });
  it('says so when nothing is better; 5 when there is no other road', async () => {
    const at = await fake({
      [`GET ${url}`]: () => ({ body: circuit('SCHEDULED') }),
      [`POST ${url}/reroute`]: (_seen, count) =>
        count === 0
          ? { body: circuit('SCHEDULED') }
          : problem(409, 'NO_FEASIBLE_SLOT', 'there is no other road with enough room'),
    });
    expect((await run(at, `circuit reroute ${CIRCUIT_ID}`)).stderr).toBe('it is on the best road already\n');
    expect((await run(at, `circuit reroute ${CIRCUIT_ID}`)).code).toBe(5);
  });
});
