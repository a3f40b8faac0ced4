/**
 * A disk that fills up: 503 STORE_FULL, nothing acknowledged is lost, releases still pass, and service
 * resumes when there is room. The disk is a small tmpfs, which only root can mount: elsewhere this is skipped
 * and counted.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { booking, build, eventually, Site } from './broker.ts';

let disk: string | undefined;
let site: Site;

function mount(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'turnpike-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'turnpike-test', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
}
disk = mount();

beforeAll(build);
afterAll(async () => {
  await site?.clear();
  if (disk === undefined) return;
  execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

/** Takes all the room but `spare` bytes. */
function fill(folder: string, spare: number): string {
  const { bavail, bsize } = statfsSync(folder);
  const filler = join(folder, 'filler');
  writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - spare), 1));
  return filler;
}

test.skipIf(disk === undefined)('attack 67: a full disk (needs root to mount a small one)', async () => {
  const folder = join(disk as string, 'site');
  mkdirSync(folder);
  site = new Site(folder);
  site.configure();
  let instance = await site.serve();
  await instance.ready();
  const token = await site.token('user');
  const book = (ref: string) =>
    instance.call<{ id: string; code: string }>('POST', '/v1/circuits', {
      token,
      body: booking({ client_ref: ref, bandwidth_mbps: 1 }),
    });
  const acknowledged: string[] = [];
  for (let i = 0; i < 50; i++) acknowledged.push((await book(`before-${i}`)).body.id);

  const filler = fill(disk as string, 256 * 1024);
  let refused: { status: number; body: { code: string }; headers: Headers } | undefined;
  for (let i = 0; refused === undefined; i++) {
    expect(i, 'the disk is full at some time').toBeLessThan(5000);
    const answer = await book(`during-${i}`);
    if (answer.status === 201) acknowledged.push(answer.body.id);
    else refused = answer;
  }
  expect(refused.status).toBe(503);
  expect(refused.body.code).toBe('STORE_FULL');
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);

  // Releases pass: what frees room must never wait for room.
  const gone = acknowledged.splice(0, 10);
  for (const id of gone) {
    const answer = await instance.call('DELETE', `/v1/circuits/${id}`, { token });
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  }
  expect((await book('still-full')).body.code).toBe('STORE_FULL');
  expect((await instance.call('GET', '/readyz')).body['store']).toBe('FULL');

  // Room again: service resumes by itself.
  rmSync(filler);
  await eventually(async () => (await book('resumed')).status === 201, 'admissions resume');

  // And all of it is durable.
  instance.program.kill('SIGKILL');
  await instance.program.exit;
  instance = await site.serve();
  await instance.ready();
  for (const [ids, state] of [
    [gone, 'CANCELLED'],
    [acknowledged, 'SCHEDULED'],
  ] as const) {
    for (const id of ids) {
      const { status, body } = await instance.call('GET', `/v1/circuits/${id}`, { token });
      expect([id, status, body['state']]).toEqual([id, 200, state]);
    }
  }
  // What passed when there was no room has its record all the same.
  for (const id of gone) {
    await eventually(async () => {
      const url = `/v1/decisions?circuit_id=${id}&action=circuit.cancel`;
      const { body } = await instance.call<{ items: { id: string }[] }>('GET', url, { token });
      const decision = await instance.call('GET', `/v1/decisions/${body.items[0]?.id}`, { token });
      return decision.body['proof'] !== undefined;
    }, `the cancellation of ${id} is in the audit log`);
  }
});
