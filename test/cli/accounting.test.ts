/** `usage`, `project` and `quota`: what they ask for and what they print. */
import { expect, test } from 'vitest';
import { fake, run } from './support/world.ts';

const project = { id: 'lhc', commercial: false, circuits: 1, booked_mbit: 5, account: { available_mbit: 1 } };
const quota = {
  id: 'quo_1',
  scope: { type: 'PROJECT', id: 'lhc' },
  kind: 'BANDWIDTH',
  period: 'LIVE',
  limit: 5,
  used: 2,
};

test('usage asks for the window and the project, and prints each rate', async () => {
  const at = await fake({
    'GET /v1/usage': () => ({
      body: {
        items: [
          {
            circuit_id: 'cir_1',
            project: 'lhc',
            start_time: 'S',
            end_time: 'E',
            bandwidth_mbps: 2000,
            reserved_mbit: 7,
          },
        ],
      },
    }),
  });
  const done = await run(at, ['usage', '--project', 'lhc', '--from', '2026-11-01T00:00:00Z', '-o', 'csv']);
  expect([...(at.seen[0]?.query ?? [])]).toEqual([
    ['from', '2026-11-01T00:00:00Z'],
    ['project', 'lhc'],
  ]);
  expect(done.stdout).toContain('cir_1,lhc,S,E,2000,7');
});

test.each([
  ['20TB', 160_000_000],
  ['125kB', 1],
  ['-7', -7],
])('a grant of %s is %i Mbit', async (said, mbit) => {
  const at = await fake({ 'POST /v1/projects/lhc/grants': () => ({ body: project }) });
  expect((await run(at, ['project', 'grant', 'lhc', said])).code).toBe(0);
  expect(at.seen[0]?.body).toMatchObject({ amount_mbit: mbit });
});

test('a grant that is no whole Mbit is not sent', async () => {
  const at = await fake({});
  expect((await run(at, ['project', 'grant', 'lhc', '1kB'])).code).toBe(2);
  expect(at.seen).toEqual([]);
});

test('quota set makes a quota, or changes the one there is', async () => {
  const none = await fake({
    'GET /v1/quotas': () => ({ body: { items: [] } }),
    'POST /v1/quotas': () => ({ body: quota }),
  });
  expect((await run(none, 'quota set bandwidth 5 --project lhc')).code).toBe(0);
  expect(none.seen.at(-1)?.body).toEqual({
    scope: { type: 'PROJECT', id: 'lhc' },
    kind: 'BANDWIDTH',
    period: 'LIVE',
    limit: 5,
  });
  const one = await fake({
    'GET /v1/quotas': () => ({ body: { items: [quota] } }),
    'PATCH /v1/quotas/quo_1': () => ({ body: quota }),
  });
  expect((await run(one, 'quota set bandwidth 9 --project lhc')).code).toBe(0);
  expect(one.seen.at(-1)?.body).toEqual({ limit: 9 });
});

test('a statement ends with its sums', async () => {
  const at = await fake({
    'GET /v1/projects/lhc/statement': () => ({
      body: {
        project: 'lhc',
        opening_mbit: 1,
        granted_mbit: 2,
        closing_mbit: 3,
        lines: [{ circuit_id: 'cir_1', held_mbit: 1, captured_mbit: 0, refunded_mbit: 0, open_mbit: 1 }],
      },
    }),
  });
  const done = await run(at, 'project statement lhc');
  expect(done.stdout).toContain('cir_1');
  expect(done.stderr).toContain('opening 1, granted 2, closing 3 Mbit');
});
