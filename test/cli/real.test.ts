/** The command line against a real broker: real HTTP, a real store, the in-memory device, the wall clock. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Domain, startDomain } from '../../src/domain.ts';
import { configFrom } from '../../src/flags.ts';
import type { Person } from '../../src/identity/dev.ts';
import { wallClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { type Ran, run } from './support/world.ts';

const folder = mkdtempSync(join(tmpdir(), 'turnpike-cli-'));
let domain: Domain;
const tokens = new Map<Person, string>();

beforeAll(async () => {
  const network = resolve(import.meta.dirname, '../../examples/lab-ams.yaml');
  const file = join(folder, 'domain.yaml');
  writeFileSync(
    file,
    [
      'domain: ams.example',
      'http: {host: 127.0.0.1, port: 0}',
      'store: {client: sqlite, file: turnpike.db}',
      `seeds: {topology: ${JSON.stringify(network)}}`,
      'identity: {development_dir: keys}',
      'devices: {driver: memory, delay_ms: 20, seed: 1}',
      'webhooks: {allow_private: true}',
    ].join('\n'),
  );
  const io = { env: {}, stdout: { write: () => true }, stderr: { write: () => true } };
  const config = await configFrom({ config: file, set: [] }, io);
  domain = await startDomain(config, { log: silentLog, onLost: () => {} });
  for (const person of ['operator', 'user', 'stranger'] as const) {
    tokens.set(person, (await domain.development?.mint(person)) ?? '');
  }
});
afterAll(async () => {
  await domain.stop();
  rmSync(folder, { recursive: true });
});

const as = (person: Person | 'nobody', line: string): Promise<Ran> =>
  run({ url: domain.address, seen: [] }, line, {
    clock: wallClock(),
    env: { TURNPIKE_TOKEN: person === 'nobody' ? 'x.y.z' : (tokens.get(person) ?? '') },
  });
const json = async (person: Person, line: string) => {
  const ran = await as(person, `${line} -o json`);
  expect([line, ran.code, ran.stderr.includes('turnpike:')]).toEqual([line, 0, false]);
  return JSON.parse(ran.stdout);
};

test('from request to light and back, over the event stream', async () => {
  const made = await json('user', 'circuit create ams:host1 ams:host3 --bw 10G --for 1h --ref job-1 --wait');
  expect(made.state).toBe('ACTIVE');
  for (const name of [made.id, made.short_code, 'job-1']) {
    expect((await json('user', `circuit show ${name}`)).id).toBe(made.id);
  }
  expect((await json('user', 'circuit list --state active')).items).toHaveLength(1);
  expect((await json('user', `circuit path ${made.id}`)).segments[0].data_plane).toBe('UP');
  const longer = await json('user', `circuit extend ${made.id} --for 1h`);
  const added = Date.parse(longer.placement.end_time) - Date.parse(made.placement.end_time);
  expect(added).toBe(3_600_000);
  expect((await json('user', `circuit modify ${made.id} --bw 12G --wait`)).placement.bandwidth_mbps).toBe(
    12000,
  );
  expect((await json('user', `circuit release ${made.id} --reason done --wait`)).state).toBe('ENDED');
  const events = (await json('user', `circuit events ${made.id}`)).items.map((e: { type: string }) => e.type);
  expect(events).toContain('circuit.active');
  expect(events.at(-1)).toBe('circuit.ended');
  const watched = await as('user', `circuit watch ${made.id}`);
  expect(watched.stdout.trimEnd().split('\n')).toHaveLength(events.length);
  const decision = (await json('user', 'decision list --limit 1')).items[0];
  expect((await json('user', `decision why ${decision.id}`)).effect).toBe('ALLOW');
});

test('a hold that is prolonged, committed, and cancelled', async () => {
  const held = await json('user', 'circuit create ams:host2 ams:host4 --bw 1G --for 1h --hold 10m --wait');
  expect(held.state).toBe('HELD');
  const longer = await json('user', `circuit extend-hold ${held.id} --for 20m`);
  expect(longer.hold_expire_time > held.hold_expire_time).toBe(true);
  expect((await json('user', `circuit commit ${held.id} --wait`)).state).toBe('ACTIVE');
  expect((await json('user', `circuit cancel ${held.id} --dry-run`)).id).toBe(held.id);
  expect((await json('user', `circuit show ${held.id}`)).state).toBe('ACTIVE');
  expect((await json('user', `circuit cancel ${held.id} --wait`)).state).toBe('CANCELLED');
  expect((await as('user', `circuit commit ${held.id}`)).code).toBe(6);
  expect((await as('user', `circuit wait ${held.id}`)).code).toBe(8);
});

test('a manual circuit waits for its word', async () => {
  const made = await json('user', 'circuit create ams:host2 ams:host4 --bw 1G --for 1h --manual --wait');
  expect(made.state).toBe('SCHEDULED');
  expect((await as('user', `circuit provision ${made.id}`)).code).toBe(3);
  const why = '--override "the holder is ill"';
  expect((await json('operator', `circuit provision ${made.id} --wait ${why}`)).state).toBe('ACTIVE');
  expect((await json('operator', `circuit cancel ${made.id} --wait ${why}`)).state).toBe('CANCELLED');
});

test('a token, narrowed offline for another holder: redeemed once, refused twice', async () => {
  const file = (name: string): string => join(folder, name);
  // `offline`: at an address where nobody listens.
  const offline = async (line: string) => {
    const ran = await run({ url: 'http://127.0.0.1:9', seen: [] }, line, { clock: wallClock() });
    expect([line, ran.code, ran.stderr]).toEqual([line, 0, ran.stderr]);
    return ran.stdout;
  };
  for (const who of ['alice', 'bob'])
    writeFileSync(file(`${who}.pub`), await offline(`token new-key ${file(`${who}.key`)}`));
  const made = await json(
    'user',
    `circuit create ams:host2 ams:host4 --bw 1G --for 1h --manual --holder-jwk ${file('alice.pub')}`,
  );
  await json('user', `token issue ${made.id} --uses 1 --out ${file('alice.cct')}`);
  expect(statSync(file('alice.cct')).mode & 0o777).toBe(0o600);
  await offline(
    `token attenuate --token ${file('alice.cct')} --key ${file('alice.key')} --to ${file('bob.pub')} --action provision --action release --out ${file('bob.cct')}`,
  );
  const seen = JSON.parse(await offline(`token inspect ${file('bob.cct')} -o json`));
  expect(seen.authorization_details[0].actions).toEqual(['provision', 'release']);
  expect((await json('user', `token inspect ${file('bob.cct')} --check`)).active).toBe(true);

  const bob = `--token ${file('bob.cct')} --key ${file('bob.key')}`;
  const lit = await as('nobody', `circuit provision ${made.id} ${bob} --op-key job-1 -o json`);
  expect([lit.code, JSON.parse(lit.stdout).id]).toEqual([0, made.id]);
  const spent = await as('nobody', `circuit provision ${made.id} ${bob}`);
  expect([spent.code, spent.stderr]).toEqual([3, expect.stringContaining('no use left')]);
  const other = await as('nobody', `circuit reroute ${made.id} ${bob}`);
  expect([other.code, other.stderr]).toEqual([3, expect.stringContaining('no use left')]);
  const thief = await as(
    'nobody',
    `circuit release ${made.id} --token ${file('bob.cct')} --key ${file('alice.key')}`,
  );
  expect(thief.code).toBe(4);

  const widened = await run(
    { url: 'http://127.0.0.1:9', seen: [] },
    `token attenuate --token ${file('bob.cct')} --key ${file('bob.key')} --to ${file('alice.pub')} --action extend`,
    { clock: wallClock() },
  );
  expect([widened.code, widened.stderr]).toEqual([2, expect.stringContaining('widens the actions')]);
  expect((await json('user', `token revoke ${file('bob.cct')} --kill`)).revoked).toBe(true);
  expect((await as('nobody', `circuit release ${made.id} ${bob}`)).code).toBe(4);
  expect((await json('user', `circuit wait ${made.id} --until ended`)).state).toBe('ENDED');
  expect((await json('operator', 'token keys')).items).toHaveLength(2);
});

test('abort, and a dry run that leaves nothing', async () => {
  const held = await json('user', 'circuit create ams:host5 ams:host7 --bw 1G --for 1h --hold 10m');
  await json('user', `circuit abort ${held.id} --wait`);
  const before = (await json('user', 'circuit list')).items.length;
  await json('user', 'circuit create ams:host5 ams:host7 --bw 1G --start +1d --for 1h --dry-run');
  expect((await json('user', 'circuit list')).items).toHaveLength(before);
});

test('a series across the day on which the clocks change', async () => {
  const made = await json(
    'user',
    'circuit create ams:host5 ams:host7 --bw 1G --rrule FREQ=DAILY;COUNT=3 --start "2027-03-27 06:00 Europe/Amsterdam" --for 1h',
  );
  expect(made.occurrences.map((each: { start_time: string }) => each.start_time)).toEqual([
    '2027-03-27T05:00:00Z',
    '2027-03-28T04:00:00Z',
    '2027-03-29T04:00:00Z',
  ]);
  expect((await json('user', `series show ${made.id}`)).state).toBe('ACTIVE');
  await json('user', `series cancel ${made.id}`);
  expect((await json('user', `series show ${made.id}`)).state).toBe('CANCELLED');
});

test('everybody fits: Bob steps aside for Alice, and pinned he does not', async () => {
  const bobs = 'circuit create ams:host6 ams:host8 --bw 10G --for 30m --not-before +28h --by +29h30m';
  const alices = 'circuit create ams:host6 ams:host8 --bw 10G --for 1h --not-before +27h30m --by +29h';
  const bob = await json('user', `${bobs} --ref bob`);
  const alice = await json('user', `${alices} --ref alice`);
  const moved = await json('user', 'circuit show bob');
  expect(bob.placement.start_time < moved.placement.start_time).toBe(true);
  expect(alice.placement.end_time).toBe(moved.placement.start_time);
  expect((await as('user', 'circuit events bob')).stdout).toMatch(
    new RegExp(`circuit\\.moved .*from=10G from ${bob.placement.start_time}.*for_circuit_id=${alice.id}`),
  );
  for (const name of ['bob', 'alice']) await json('user', `circuit cancel ${name} --wait`);

  await json('user', `${bobs} --ref bob-pinned --pinned`);
  const refused = await as('user', `${alices} --ref alice-too`);
  expect(refused.code).toBe(5);
  for (const said of ['what is in the way:', 'what would fit:', 'try: --start']) {
    expect(refused.stderr).toContain(said);
  }
  await json('user', 'circuit cancel bob-pinned --wait');
});

test('a volume has its rate chosen, and the lack of time is told', async () => {
  const ports = 'circuit create ams:host6 ams:host8';
  const ran = await as('user', `${ports} --move 4500GB --not-before +50h --by +60h --dry-run -o json`);
  // An hour at the 10 Gb/s of the ports.
  expect(JSON.parse(ran.stdout).placement).toMatchObject({ bandwidth_mbps: 10_000, laxity_s: 9 * 3600 });
  for (const said of ['volume    4.5TB', 'placed    10G from ', 'laxity    9h\n', 'slack     9h to the']) {
    expect(ran.stderr).toContain(said);
  }
  const late = await as('user', `${ports} --move 45TB --not-before +50h --by +51h`);
  // Ten hours in one.
  expect([late.code, late.stderr.includes('32400 s are missing')]).toEqual([5, true]);
});

test('an offer, indicative or firm, is taken under the name that slots shows', async () => {
  const slots = 'slots ams:host6 ams:host8 --bw 10G --for 1h --not-before +70h --by +73h';
  const take = (name: string) => as('user', `circuit create ams:host6 ams:host8 --offer ${name} -o json`);
  const names = (ran: Ran) => [...ran.stdout.matchAll(/off_\w+\/\d/g)].map(String);
  const indicative = names(await as('user', slots));
  expect(indicative).toHaveLength(3);
  const taken = await take(indicative[1] as string);
  expect(taken.code).toBe(0);
  expect((await take(indicative[1] as string)).code).toBe(6);
  await json('user', `circuit cancel ${JSON.parse(taken.stdout).id} --wait`);

  const [first] = names(await as('user', `${slots} --firm 10m --limit 1`));
  const kept = await take(first as string);
  expect([kept.code, JSON.parse(kept.stdout).state]).toEqual([0, 'SCHEDULED']);
  await json('user', `circuit cancel ${JSON.parse(kept.stdout).id} --wait`);
});

test('the exit codes of a real broker', async () => {
  const codes: readonly (readonly [Person | 'nobody', string, number])[] = [
    ['user', 'circuit create ams:host6 ams:host8 --bw 40G --for 1h', 5],
    ['user', 'circuit create ams:host6 ams:host8 --bw 1G --start "2020-01-01 00:00" --for 1h', 2],
    ['user', 'circuit create ams:host6 ams:host6 --bw 1G --for 1h', 2],
    ['user', 'circuit show cir_01k00000000000000000000000', 1],
    ['user', 'device list', 3],
    ['operator', 'device list', 0],
    ['nobody', 'whoami', 4],
  ];
  for (const [person, line, code] of codes)
    expect([line, (await as(person, line)).code]).toEqual([line, code]);
  // Another project's circuit is not there for a stranger.
  const made = await json('user', 'circuit create ams:host6 ams:host8 --bw 1G --start +1d --for 1h');
  expect((await as('stranger', `circuit show ${made.id}`)).code).toBe(1);
});

test('the same key again is the same circuit', async () => {
  const line = 'circuit create ams:host6 ams:host8 --bw 1G --start "2030-01-01 00:00" --for 1h --key once';
  expect((await json('user', line)).id).toBe((await json('user', line)).id);
  expect((await as('user', line.replace('1G', '2G'))).code).toBe(6);
});

test('whatever else can be asked', async () => {
  expect((await json('user', 'topo show')).nodes).toHaveLength(11);
  expect((await json('user', 'ports')).items).toHaveLength(8);
  expect((await json('user', 'whoami')).projects).toContain('lhc');
  expect((await json('user', 'version')).broker.domain).toBe('ams.example');
  const hook = await json('user', 'webhook create http://127.0.0.1:9/x --type circuit.moved');
  expect(hook.secret).toMatch(/^whsec_/);
  expect((await json('user', 'webhook list')).items).toHaveLength(1);
  expect((await json('user', `webhook show ${hook.id}`)).url).toBe('http://127.0.0.1:9/x');
  expect((await as('user', `webhook delete ${hook.id}`)).code).toBe(0);
  expect((await json('user', 'webhook list')).items).toHaveLength(0);
  for (const format of ['table', 'yaml', 'csv']) {
    for (const line of ['circuit list', 'ports', 'topo show', 'decision list', 'whoami']) {
      expect([format, line, (await as('user', `${line} -o ${format}`)).code]).toEqual([format, line, 0]);
    }
  }
});

test('the network: what is free, what fails, what closes, what a file would change', async () => {
  const free = await json('user', 'slots ams:host6 ams:host8 --bw 1G --for 1h');
  expect(free.slots.length).toBeGreaterThan(0);
  expect((await as('user', 'slots ams:host6 ams:host8 --bw 900G')).code).toBe(5);
  const made = await json('user', 'circuit create ams:host6 ams:host8 --bw 1G --start +3d --for 2h');
  const [link] = made.path.links;
  expect((await as('user', `link set ${link} --admin down`)).code).toBe(3);
  const plan = `maint plan --link ${link} --start +73h --for 2h`;
  expect((await as('user', plan)).code).toBe(3);
  const refused = await as('operator', plan);
  expect([refused.code, refused.stderr.includes(made.id)]).toEqual([6, true]);
  const tried = await json('operator', `${plan} --conflict migrate --dry-run`);
  expect(tried.impact).toEqual([{ circuit_id: made.id, outcome: 'REROUTED' }]);
  expect((await json('user', 'maint list')).items).toEqual([]);
  const window = await json('operator', `${plan} --conflict migrate`);
  expect((await json('user', `circuit show ${made.id}`)).path.links).not.toContain(link);
  expect((await json('operator', `maint impact ${window.id}`)).items).toEqual([]);

  const file = join(folder, 'mine.yaml');
  writeFileSync(file, readFileSync(resolve(import.meta.dirname, '../../examples/lab-ams.yaml')));
  expect((await json('user', `topo diff ${file}`)).items).toEqual([]);
  expect((await as('user', `topo lint ${file}`)).code).toBe(0);
  expect((await as('operator', `topo apply ${file}`)).code).toBe(0);
  expect((await json('user', 'maint list')).items.map((w: { id: string }) => w.id)).toEqual([window.id]);
  const lost = join(folder, 'lost.json');
  const { links, ...rest } = await json('user', 'topo show');
  const { maintenance_windows: _, ...whole } = rest;
  writeFileSync(lost, JSON.stringify({ ...whole, links: links.slice(0, 0) }));
  expect((await as('operator', `topo apply ${lost}`)).code).toBe(6);
  expect((await json('user', 'topo show')).links).toEqual(links);

  expect((await as('operator', `maint cancel ${window.id}`)).code).toBe(0);
  expect((await json('user', `circuit reroute ${made.id}`)).path.links).toContain(link);
  const down = await json('operator', `link set ${link} --oper down`);
  expect(down.link.oper_state).toBe('DOWN');
  await json('operator', `link set ${link} --oper up`);
  for (const format of ['yaml', 'nml', 'dot', 'geojson', 'graphology']) {
    expect((await as('user', `topo show --format ${format}`)).stdout.length).toBeGreaterThan(100);
  }
});

test('event tail hears what happens', async () => {
  let heard = false;
  const tailing = as('user', 'event tail --type circuit.created --count 1 -o json').then((ran) => {
    heard = true;
    return ran;
  });
  // The stream begins with what happens once it is open: things happen until it has heard one.
  while (!heard) await as('user', 'circuit create ams:host5 ams:host7 --bw 1M --start +2d --for 1m -q');
  const tailed = await tailing;
  expect(tailed.code).toBe(0);
  expect(JSON.parse(tailed.stdout).type).toBe('circuit.created');
});
