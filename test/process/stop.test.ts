/** How the program starts and ends: one process per database file, a clean stop within five seconds. */
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { booking, build, Site } from './broker.ts';

let site: Site;
beforeAll(build);
beforeEach(() => {
  site = new Site();
  site.configure();
});
afterEach(() => site.clear());

describe('a stop', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'by %s ends within 5 s, with streams open and requests under way',
    async (signal) => {
      const instance = await site.serve();
      await instance.ready();
      const token = await site.token('user');
      const auth = { authorization: `Bearer ${token}` };
      const stream = await fetch(`${instance.url}/v1/events/stream`, { headers: auth });
      const read = stream.text().catch(() => 'cut');
      const asked = Array.from({ length: 40 }, (_, i) =>
        instance.call('POST', '/v1/circuits', { token, body: booking({ client_ref: `ref${i}` }) }).then(
          (answer) => answer.status,
          () => 0,
        ),
      );
      await Promise.race(asked);
      const began = Date.now();
      instance.program.kill(signal);
      const exit = await instance.program.exit;
      expect(exit).toEqual({ code: 0, signal: null });
      expect(Date.now() - began).toBeLessThan(5000);
      await read;

      // Whoever got a 201 finds his circuit again; the others were told or cut off.
      const statuses = await Promise.all(asked);
      expect(statuses.every((status) => [201, 503, 0].includes(status))).toBe(true);
      const again = await site.serve();
      await again.ready();
      const { body } = await again.call<{ items: unknown[] }>('GET', '/v1/circuits?page_size=100', { token });
      expect(body.items.length).toBeGreaterThanOrEqual(statuses.filter((status) => status === 201).length);
    },
  );

  test('frees the lease and the file: the next process starts at once', async () => {
    const first = await site.serve();
    await first.ready();
    first.program.kill('SIGTERM');
    await first.program.exit;
    const second = await site.serve();
    await second.ready();
    expect(second.program.stderr).toContain('"event":"broker.started"');
  });
});

describe('a start that cannot be', () => {
  test('a second process on one SQLite file: a message with the pid of the first, exit code 1', async () => {
    const first = await site.serve();
    await first.ready();
    const second = site.run(['serve', '--config', site.path('domain.yaml')]);
    expect(await second.exit).toEqual({ code: 1, signal: null });
    expect(second.stderr).toContain(`${first.program.child.pid}`);
    expect(second.stderr).toContain('Stop that process first');
    expect(second.stderr).not.toMatch(/^\s+at /m);
    await first.ready();
  });

  test('a port that is taken: a message, exit code 1', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    site.configure({ port });
    const program = site.run(['serve', '--config', site.path('domain.yaml')]);
    expect(await program.exit).toEqual({ code: 1, signal: null });
    expect(program.stderr).toContain(`127.0.0.1:${port} is taken`);
    taken.close();
  });

  test.each<[string, string[], number, RegExp]>([
    ['no configuration', ['serve'], 2, /--config/],
    ['a configuration that is not there', ['serve', '--config', 'nowhere.yaml'], 1, /nowhere\.yaml: ENOENT/],
    ['an unknown flag', ['serve', '--config', 'domain.yaml', '--fast'], 2, /--fast/],
    [
      'an unknown setting',
      ['serve', '--config', 'domain.yaml', '--set', 'http.prot=1'],
      1,
      /--set http\.prot: unknown key/,
    ],
    [
      'a setting without a value',
      ['serve', '--config', 'domain.yaml', '--set', 'http.port'],
      2,
      /section\.key=value/,
    ],
    [
      'a topology of another domain',
      ['serve', '--config', 'domain.yaml', '--set', 'domain=lon.example'],
      1,
      /lab-ams\.yaml.*ams\.example.*lon\.example/,
    ],
    [
      'a topology that is not there',
      ['serve', '--config', 'domain.yaml', '--set', 'seeds.topology=no.yaml'],
      1,
      /no\.yaml: ENOENT/,
    ],
  ])('%s', async (_name, args, code, message) => {
    const program = site.run(args);
    expect(await program.exit).toEqual({ code, signal: null });
    expect(program.stderr).toMatch(message);
    expect(program.stderr).not.toMatch(/^\s+at /m);
    expect(existsSync(site.path('turnpike.db')) && code === 2).toBe(false);
  });
});
