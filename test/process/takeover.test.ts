/**
 * Two instances of one domain on one PostgreSQL: one admits, the other answers 503 NOT_LEADER and takes over
 * when the first is killed. Nothing that was acknowledged is lost, and the first comes back as the second.
 */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postgresMissing, usePostgres } from '../support/postgres.ts';
import { booking, build, eventually, type Instance, Site } from './broker.ts';

let site: Site;
let token: string;
beforeAll(async () => {
  build();
  site = new Site();
  token = await site.token('user');
});
afterAll(() => site.clear());

/** One start for all: what is asked again under its key has to be the same request, to the byte. */
const { schedule } = booking();
const book = (instance: Instance, ref: string) =>
  instance.call<{ id: string; code: string }>('POST', '/v1/circuits', {
    token,
    body: booking({ client_ref: ref, bandwidth_mbps: 1, schedule }),
    headers: { 'idempotency-key': ref },
  });

/** Two seconds of lease: the test waits for one to lapse. */
function configure(databaseUrl: string): void {
  const url = new URL(databaseUrl);
  const password = decodeURIComponent(url.password);
  url.password = '';
  writeFileSync(site.path('password'), password, { mode: 0o600 });
  const secret = password === '' ? '' : ', password_file: password';
  site.configure({ yaml: `store: {client: postgres, url: "${url.href}"${secret}}\nlease: {ttl_s: 2}` });
}

describe.skipIf(postgresMissing)(`on PostgreSQL ${postgresMissing ?? ''}`, () => {
  const server = usePostgres();
  test('the standby takes over from a leader that was killed under load', async () => {
    configure(await server.createDatabase());
    const first = await site.serve();
    await first.ready();
    const second = await site.serve();

    // It stands by: alive, not ready, and it says who to ask and when.
    expect((await second.call('GET', '/livez')).status).toBe(200);
    expect((await second.call('GET', '/readyz')).status).toBe(503);
    const turnedAway = await book(second, 'early');
    expect(turnedAway.status).toBe(503);
    expect(turnedAway.body.code).toBe('NOT_LEADER');
    expect(Number(turnedAway.headers.get('retry-after'))).toBeGreaterThan(0);

    const acknowledged = new Map<string, string>();
    const unanswered: string[] = [];
    const load = async (name: string): Promise<void> => {
      for (let i = 0; first.program.running; i++) {
        const ref = `${name}-${i}`;
        try {
          const answer = await book(first, ref);
          expect(answer.status).toBe(201);
          acknowledged.set(ref, answer.body.id);
        } catch (error) {
          if (!(error instanceof TypeError)) throw error;
          unanswered.push(ref);
          return;
        }
      }
    };
    const clients = Array.from({ length: 8 }, (_, i) => load(`c${i}`));
    await eventually(async () => acknowledged.size >= 100, 'a hundred circuits booked');
    first.program.kill('SIGKILL');
    await Promise.all(clients);

    await second.ready();
    for (const [ref, id] of acknowledged) {
      const { status, body } = await second.call('GET', `/v1/circuits/${id}`, { token });
      expect(status, `${ref} was acknowledged`).toBe(200);
      expect(body['state']).toBe('SCHEDULED');
    }
    // What was asked and not answered is asked again of the new leader: it happens once.
    for (const ref of unanswered) {
      expect((await book(second, ref)).status).toBe(201);
      const list = await second.call<{ items: unknown[] }>('GET', `/v1/circuits?client_ref=${ref}`, {
        token,
      });
      expect(list.body.items).toHaveLength(1);
    }

    // The first comes back and finds that it is no longer the leader; the new one is not disturbed.
    const back = await site.serve();
    expect((await book(back, 'late')).body.code).toBe('NOT_LEADER');
    expect((await book(second, 'late')).status).toBe(201);

    // A leader that stops by itself hands the lease on at once.
    second.program.kill('SIGTERM');
    expect((await second.program.exit).code).toBe(0);
    await back.ready();
    expect(
      (await back.call('GET', `/v1/circuits/${acknowledged.values().next().value}`, { token })).status,
    ).toBe(200);
  });
});
