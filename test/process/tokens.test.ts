/**
 * The key to a circuit over two real brokers, as its holder uses it: the command line lights a MANUAL circuit, and
 * the other domain has seen for itself whose token it was. Then what was withdrawn, over the same wire.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build, eventually, Program } from './broker.ts';
import { Row } from './three.ts';

const row = new Row(2);
beforeAll(async () => {
  build();
  await row.begin();
  // A port of the other domain is known once it has told of itself.
  await eventually(async () => {
    const ports = await row.call<{ items: { id: string }[] }>(0, 'GET', '/v1/ports?domain=d1.example');
    return ports.body.items.some(({ id }) => id === 'd1:h1');
  }, 'd0 knows the ports of d1');
}, 120_000);
afterAll(() => row.clear());

interface Read {
  readonly id: string;
  readonly state: string;
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly detail?: string;
  }[];
}

async function turnpike(
  ...args: string[]
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  const env = { TURNPIKE_URL: row.instances[0]?.url ?? '', TURNPIKE_TOKEN: row.tokens[0] ?? '' };
  const program = new Program(args, { cwd: row.folder, env });
  const { code } = await program.exit;
  return { code, out: program.stdout, err: program.stderr };
}
async function done(...args: string[]): Promise<string> {
  const { code, out, err } = await turnpike(...args);
  expect(code, `${args.join(' ')}: ${err}`).toBe(0);
  return out;
}
const read = async (ref: string): Promise<Read> => {
  const { body } = await row.call<{ items: Read[] }>(0, 'GET', `/v1/circuits?client_ref=${ref}`);
  return body.items[0] as Read;
};
/** The token of a new circuit, in a file, and its holder's key. */
async function booked(ref: string): Promise<void> {
  const ends = ['d0:h1', 'd1:h1', '--project', 'lhc', '--bw', '1G', '--for', '10m', '--ref', ref];
  await done('circuit', 'create', ...ends, '--manual', '--holder-jwk', 'alice.pub', '--wait');
  await done('token', 'issue', ref, '--out', `${ref}.cct`);
}

test('is passed on to the home with the verb, and each domain checks it by itself', async () => {
  writeFileSync(join(row.folder, 'alice.pub'), await done('token', 'new-key', 'alice.key'));
  await booked('first');
  await done('circuit', 'provision', 'first', '--token', 'first.cct', '--key', 'alice.key');
  await eventually(async () => (await read('first')).state === 'ACTIVE', 'light on both sides');
  const theirs = await row.call<{
    items: { action: string; effect: string; token?: object; sequence: string }[];
  }>(1, 'GET', '/v1/decisions?page_size=50');
  const lit = theirs.body.items.filter(({ token }) => token !== undefined);
  expect(lit.map(({ action, effect, sequence }) => [action, effect, sequence])).toEqual([
    ['peer.segment', 'ALLOW', 'PUSH'],
    ['peer.segment', 'ALLOW', 'PUSH'],
  ]);
  expect(lit.map(({ token }) => token)).toContainEqual(
    expect.objectContaining({ iss: 'https://d0.example', links: [expect.any(String)] }),
  );
}, 120_000);

test('a token that was withdrawn lights nothing, and a circuit that shines can be ended all the same', async () => {
  await booked('second');
  await done('token', 'revoke', 'second.cct');
  const { code, err } = await turnpike(
    'circuit',
    'provision',
    'second',
    '--token',
    'second.cct',
    '--key',
    'alice.key',
  );
  expect([code, err]).toEqual([expect.any(Number), expect.stringContaining('withdrawn')]);
  expect(code).not.toBe(0);
  await done('token', 'revoke', 'first.cct');
  await done('circuit', 'release', 'first', '--override', 'the holder has left', '--wait');
  const rest = await row.call<{ items: Read[] }>(1, 'GET', '/v1/circuits');
  expect(rest.body.items.filter(({ state }) => state === 'ACTIVE')).toEqual([]);
}, 120_000);
