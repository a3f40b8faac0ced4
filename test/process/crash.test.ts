/**
 * The promise of durability, tried for real: a process under load is killed with SIGKILL at random moments,
 * again and again on the same files, and everything that it acknowledged is still there and in a state that
 * the acknowledgements allow. What was asked and not answered is asked again under its key: it happens once.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '../../src/kernel/random.ts';
import { booking, build, eventually, type Instance, Site } from './broker.ts';

const KILLS = 50;
const CLIENTS = 8;
/** Time under load before the kill: up to so many milliseconds, so that start-up is hit as well. */
const LONGEST_MS = 250;

const random = seededRandom(20_261_120);
let site: Site;
let token: string;

beforeAll(async () => {
  build();
  site = new Site();
  site.configure();
  token = await site.token('user');
});
afterAll(() => site.clear());

interface Circuit {
  readonly id: string;
  readonly state: string;
  readonly revision: number;
  readonly client_ref?: string;
  readonly request: { readonly client_ref?: string };
}

interface Log {
  readonly items: readonly { readonly data: { readonly state?: string; readonly revision?: number } }[];
}

/** What we know of one circuit from the answers that we got, and what was asked without one. */
interface Known {
  readonly ref: string;
  /** What was asked: the same again when it is asked again. */
  readonly body: Record<string, unknown>;
  readonly kind: 'FIXED' | 'NOW' | 'HOLD';
  id?: string;
  revision: number;
  /** States that the last acknowledgement allows, whatever time has passed. */
  legal: readonly string[];
  /** Added to them while a further request is unanswered. */
  maybe: readonly string[];
}

const LIT = ['SCHEDULED', 'PROVISIONING', 'ACTIVE'];
const GONE = ['RELEASING', 'CANCELLED', 'ENDED'];
const after = { FIXED: ['SCHEDULED'], NOW: LIT, HOLD: ['HELD'] } as const;

function bodyOf(ref: string, kind: Known['kind']): Record<string, unknown> {
  // Small enough that nothing is ever refused for want of room.
  const common = { client_ref: ref, bandwidth_mbps: 1 };
  if (kind === 'NOW') return booking({ ...common, schedule: { type: 'NOW', duration_s: 86_400 } });
  return booking(kind === 'HOLD' ? { ...common, hold_s: 3600 } : common);
}

async function create(instance: Instance, known: Known): Promise<void> {
  const answer = await instance.call<Circuit>('POST', '/v1/circuits', {
    token,
    body: known.body,
    headers: { 'idempotency-key': known.ref },
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  known.id = answer.body.id;
  known.revision = answer.body.revision;
  known.legal = after[known.kind];
}

/** One further step in the life of a circuit: commit a hold, cancel what is booked. */
async function further(instance: Instance, known: Known): Promise<void> {
  const commit = known.legal.includes('HELD');
  known.maybe = commit ? ['COMMITTING', 'SCHEDULED'] : GONE;
  const answer = commit
    ? await instance.call<Circuit>('POST', `/v1/circuits/${known.id}/commit`, { token })
    : await instance.call<Circuit>('DELETE', `/v1/circuits/${known.id}`, { token });
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  known.legal = commit ? ['SCHEDULED'] : GONE;
  known.maybe = [];
  if (answer.body.revision !== undefined) known.revision = answer.body.revision;
}

/** Books and changes until the process is gone. */
async function load(instance: Instance, all: Known[], name: string): Promise<void> {
  for (let i = 0; instance.program.running; i++) {
    const kind = (['FIXED', 'NOW', 'HOLD'] as const)[random.int(3)] as Known['kind'];
    const ref = `${name}-${i}`;
    const known: Known = { ref, kind, body: bodyOf(ref, kind), revision: 0, legal: [], maybe: after[kind] };
    all.push(known);
    try {
      await create(instance, known);
      known.maybe = [];
      if (random.chance(0.4)) await further(instance, known);
    } catch (error) {
      // No answer: the process was killed. A refusal is a failure of the test.
      if (!(error instanceof TypeError)) throw error;
      return;
    }
  }
}

async function check(instance: Instance, known: Known): Promise<void> {
  if (known.id === undefined) {
    // Asked and never answered. Asked again, it is there: once.
    known.maybe = [];
    await create(instance, known);
    const list = await instance.call<{ items: Circuit[] }>('GET', `/v1/circuits?client_ref=${known.ref}`, {
      token,
    });
    expect(list.body.items.map((circuit) => circuit.id)).toEqual([known.id]);
    return;
  }
  const { status, body: found } = await instance.call<Circuit>('GET', `/v1/circuits/${known.id}`, { token });
  expect(status, `${known.id} was acknowledged`).toBe(200);
  expect([...known.legal, ...known.maybe], `${known.id} (${known.kind})`).toContain(found.state);
  expect(found.revision).toBeGreaterThanOrEqual(known.revision);
  known.revision = found.revision;
  // An unanswered step has happened or not; from now on it is known which.
  if (known.maybe.includes(found.state)) known.legal = GONE.includes(found.state) ? GONE : ['SCHEDULED'];
  known.maybe = [];
}

async function inTurns<T>(list: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const rest = [...list];
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      for (let item = rest.pop(); item !== undefined; item = rest.pop()) await act(item);
    }),
  );
}

test(`killed ${KILLS} times under load, nothing acknowledged is lost`, { timeout: 400_000 }, async () => {
  const all: Known[] = [];
  let recent: Known[] = [];
  let early = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    // Now and then the kill comes while the process is still starting.
    if (random.chance(0.1)) {
      const program = site.run(['serve', '--config', site.path('domain.yaml')]);
      await new Promise((resolve) => setTimeout(resolve, random.int(600)));
      program.kill('SIGKILL');
      await program.exit;
      early++;
      continue;
    }
    const instance = await site.serve();
    await instance.ready();
    await inTurns(recent, (known) => check(instance, known));
    recent = [];
    const wait = random.int(LONGEST_MS);
    const clients = Array.from({ length: CLIENTS }, (_, i) => load(instance, recent, `k${kill}c${i}`));
    await new Promise((resolve) => setTimeout(resolve, wait));
    instance.program.kill('SIGKILL');
    expect((await instance.program.exit).signal).toBe('SIGKILL');
    await Promise.all(clients);
    all.push(...recent);
  }
  const instance = await site.serve();
  await instance.ready();
  await inTurns(all, (known) => check(instance, known));

  // The log of each circuit ends where the circuit stands, as soon as what is still moving has come to rest.
  const sample = all.filter((known) => random.chance(50 / all.length) && known.id !== undefined);
  expect(sample.length).toBeGreaterThan(0);
  for (const known of sample) {
    await eventually(async () => {
      const path = `/v1/circuits/${known.id}`;
      const { body: circuit } = await instance.call<Circuit>('GET', path, { token });
      const { body: log } = await instance.call<Log>('GET', `${path}/events?page_size=100`, { token });
      const last = log.items.at(-1)?.data;
      return last?.state === circuit.state && last?.revision === circuit.revision;
    }, `the log of ${known.id} ends where it stands`);
  }
  const answered = all.filter((known) => known.id !== undefined).length;
  expect(answered).toBe(all.length);
  expect(answered, 'there was load').toBeGreaterThan(KILLS);
  instance.program.kill('SIGTERM');
  expect((await instance.program.exit).code).toBe(0);
  console.info(`${KILLS} kills, ${early} of them while starting; ${answered} circuits, all there`);
});
