/**
 * Stacks that nobody here wrote, from Debian's packages, as witnesses: their tools against our emulated switch and
 * of what our driver wrote there; their agent, their LLDP daemon and their simulator against our session and
 * discovery.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findLinks } from '../../src/drivers/discovery.ts';
import { tagOf } from '../../src/drivers/owner.ts';
import { integer, octets } from '../../src/drivers/snmp/ber.ts';
import { snmpDialects } from '../../src/drivers/snmp/dialects/index.ts';
import { SnmpDriver } from '../../src/drivers/snmp/driver.ts';
import { readLldp } from '../../src/drivers/snmp/inventory.ts';
import { Oid } from '../../src/drivers/snmp/oids.ts';
import { SnmpSession } from '../../src/drivers/snmp/session.ts';
import { sleep } from '../../src/kernel/clock.ts';
import { CIRCUIT, clock, connectOf, context, snmpRig } from '../contract/driver-rig.ts';
import { withTools } from './needs.ts';

const tag = `${process.pid % 10_000}`;
const run = (...words: readonly string[]): string =>
  execFileSync(words[0] as string, words.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const ip = (...words: readonly string[]): string => run('ip', ...words);
/** Without stopping this process, in which the emulated switch must answer meanwhile. */
const ask = (...words: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile(words[0] as string, words.slice(1), (error, out, complaint) => {
      if (error === null) resolve(out);
      else reject(new Error(complaint || error.message));
    });
  });
const standard = snmpDialects['standard'] as (typeof snmpDialects)[string];

/** Processes that a suite has started; ended with it. */
class Daemons {
  readonly #all: ReturnType<typeof spawn>[] = [];
  start(...words: readonly string[]): void {
    this.#all.push(spawn(words[0] as string, words.slice(1), { stdio: 'ignore' }));
  }
  stop(): void {
    for (const one of this.#all) one.kill('SIGKILL');
  }
}

async function eventually<T>(look: () => Promise<T | undefined>, ms: number): Promise<T> {
  const until = clock.now() + ms;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined) return seen;
    } catch (error) {
      if (clock.now() > until) throw error;
    }
    if (clock.now() > until) throw new Error('it never came');
    await sleep(clock, 200);
  }
}

withTools("Debian's snmpget, snmpset and snmpwalk", ['snmpget', 'snmpset', 'snmpwalk'], () => {
  let rig: Awaited<ReturnType<typeof snmpRig>>;
  let address: string;
  beforeAll(async () => {
    rig = await snmpRig({ dialect: 'standard', version: 'v3', label: 0 });
    address = `127.0.0.1:${rig.port}`;
  });
  afterAll(() => rig.close());

  const v3 = (auth = 'auth-canary-1'): string[] => [
    ...['-v3', '-l', 'authPriv', '-u', 'turnpike', '-a', 'SHA-256', '-A', auth],
    ...['-x', 'AES', '-X', 'priv-canary-1', '-r', '0', '-On', '-Oq'],
  ];

  test('see what our driver wrote, and only while it is there', async () => {
    await rig.driver.apply('light', connectOf(rig), context());
    for (const how of [v3(), ['-v2c', '-c', 'community-canary', '-On', '-Oq']]) {
      const seen = await ask('snmpwalk', ...how, address, Oid.dot1qVlanStaticName);
      expect(seen).toContain(`.3900 "${tagOf({ circuit: CIRCUIT, version: 1, epoch: 1 })}"`);
      expect(await ask('snmpget', ...how, address, `${Oid.dot1qVlanStaticEgressPorts}.3900`)).toContain(
        '80 00 80 00',
      );
      expect(await ask('snmpget', ...how, address, `${Oid.dot1qPvid}.17`)).toMatch(/ 3900\s*$/);
    }
    await rig.driver.apply('dark', connectOf(rig), context());
    expect(await ask('snmpget', ...v3(), address, `${Oid.dot1qVlanStaticRowStatus}.3900`)).toContain(
      'No Such Instance',
    );
  });

  test('make a row in one request, and are refused when it is there', async () => {
    const row = [`${Oid.dot1qVlanStaticRowStatus}.200`, 'i', '4'];
    const egress = [`${Oid.dot1qVlanStaticEgressPorts}.200`, 'x', 'C0000000'];
    await ask('snmpset', ...v3(), address, ...row, ...egress);
    expect(await ask('snmpget', ...v3(), address, `${Oid.dot1qVlanStaticRowStatus}.200`)).toMatch(/ 1\s*$/);
    await expect(ask('snmpset', ...v3(), address, ...row)).rejects.toThrow(/inconsistentValue/);
    // All or none: the second variable is wrong, so the first is not done.
    const wrong = [`${Oid.dot1qVlanStaticEgressPorts}.200`, 'x', 'FF'];
    await expect(
      ask('snmpset', ...v3(), address, `${Oid.dot1qVlanStaticName}.200`, 's', 'half', ...wrong),
    ).rejects.toThrow(/wrongLength/);
    expect(await ask('snmpget', ...v3(), address, `${Oid.dot1qVlanStaticName}.200`)).not.toContain('half');
    await ask('snmpset', ...v3(), address, `${Oid.dot1qVlanStaticRowStatus}.200`, 'i', '6');
    expect(await ask('snmpget', ...v3(), address, `${Oid.dot1qVlanStaticRowStatus}.200`)).toContain(
      'No Such Instance',
    );
  });

  test('are refused with a wrong key, and walk the whole tree with the right one', async () => {
    await expect(ask('snmpget', ...v3('wrong-wrong'), address, Oid.sysName)).rejects.toThrow(
      /Authentication failure/,
    );
    const all = (await ask('snmpwalk', ...v3(), '-Cc', address, '1')).split('\n');
    expect(all.length).toBeGreaterThan(300);
  });
});

withTools("Debian's snmpd and lldpd", ['namespaces', 'snmpd', 'lldpd', 'lldpcli', 'ip'], () => {
  const daemons = new Daemons();
  const dir = mkdtempSync(join(tmpdir(), 'tp-witness-'));
  const sides = ['a', 'b'].map((side, i) => ({
    name: `wit${side}`,
    namespace: `tpw${side}${tag}`,
    uplink: `tw${side}${tag}`,
    near: `10.98.${i + 1}.1`,
    far: `10.98.${i + 1}.2`,
    engine: join(dir, side),
  }));
  const sessions: SnmpSession[] = [];
  const controls: string[] = [];

  /** Tells an lldpd who it is, and has it speak. */
  function introduce(control: string, name: string): true {
    const say = (...words: readonly string[]): string => run('lldpcli', '-u', control, ...words);
    say('configure', 'system', 'hostname', name);
    say('configure', 'lldp', 'tx-interval', '1');
    say('configure', 'lldp', 'portidsubtype', 'ifname');
    say('update');
    return true;
  }

  beforeAll(async () => {
    for (const side of sides) {
      ip('netns', 'add', side.namespace);
      ip('link', 'add', side.uplink, 'type', 'veth', 'peer', 'name', 'mgmt', 'netns', side.namespace);
      ip('addr', 'add', `${side.near}/24`, 'dev', side.uplink);
      ip('link', 'set', side.uplink, 'up');
      ip('-n', side.namespace, 'addr', 'add', `${side.far}/24`, 'dev', 'mgmt');
      for (const device of ['mgmt', 'lo']) ip('-n', side.namespace, 'link', 'set', device, 'up');
    }
    const [a, b] = sides as [(typeof sides)[0], (typeof sides)[0]];
    ip(
      'link',
      'add',
      'trunk-a',
      'netns',
      a.namespace,
      'type',
      'veth',
      'peer',
      'name',
      'trunk-b',
      'netns',
      b.namespace,
    );
    ip('-n', a.namespace, 'link', 'set', 'trunk-a', 'up');
    ip('-n', b.namespace, 'link', 'set', 'trunk-b', 'up');
    mkdirSync('/run/lldpd', { recursive: true });
    // Both daemons give up their rights and must still find their way in.
    run('chmod', '0755', dir);
    for (const side of sides) {
      mkdirSync(side.engine, { recursive: true });
      const conf = join(side.engine, 'snmpd.conf');
      const agentx = join(side.engine, 'agentx');
      writeFileSync(
        conf,
        [
          'createUser turnpike SHA-256 "auth-canary-1" AES "priv-canary-1"',
          'rwuser turnpike priv',
          `sysname ${side.name}`,
          'master agentx',
          `agentXSocket unix:${agentx}`,
          'agentXPerms 0777 0777',
          'interface_replace_old yes',
        ].join('\n'),
      );
      const inside = ['ip', 'netns', 'exec', side.namespace];
      daemons.start(
        ...inside,
        ...['env', `SNMP_PERSISTENT_DIR=${side.engine}`, 'snmpd', '-f', '-Ln', '-C', '-c', conf],
        `udp:${side.far}:1161`,
      );
      const control = join(side.engine, 'lldpd.socket');
      controls.push(control);
      // Whoever finds no master there comes back much later.
      await eventually(async () => existsSync(agentx) || undefined, 20_000);
      daemons.start(...inside, 'lldpd', '-d', '-x', '-X', `unix:${agentx}`, '-u', control, '-I', 'trunk-*');
      await eventually(async () => introduce(control, side.name), 20_000);
      sessions.push(
        new SnmpSession(
          {
            device: side.name,
            host: side.far,
            port: 1161,
            credentials: {
              version: 'v3',
              user: 'turnpike',
              authKey: () => 'auth-canary-1',
              privKey: () => 'priv-canary-1',
            },
          },
          clock,
          () => {},
        ),
      );
    }
  }, 60_000);

  afterAll(() => {
    for (const session of sessions) session.close();
    daemons.stop();
    for (const side of sides) {
      try {
        ip('netns', 'del', side.namespace);
      } catch {
        // It was never made.
      }
    }
    rmSync(dir, { recursive: true, force: true });
  });

  test('an interface is really switched off and on, and labelled, by our session over v3', async () => {
    const session = sessions[0] as SnmpSession;
    const names = await eventually(() => session.walk(Oid.ifName), 10_000);
    const index = [...names].find(([, value]) => String(value.value) === 'trunk-a')?.[0];
    expect(index).toBeDefined();
    const state = (): string =>
      ip('-n', (sides[0] as (typeof sides)[0]).namespace, 'link', 'show', 'trunk-a');
    expect(state()).toMatch(/[<,]UP[,>]/);
    await session.set([{ oid: `${Oid.ifAdminStatus}.${index}`, value: integer(2) }]);
    expect(state()).not.toMatch(/[<,]UP[,>]/);
    await session.set([{ oid: `${Oid.ifAdminStatus}.${index}`, value: integer(1) }]);
    expect(state()).toMatch(/[<,]UP[,>]/);
    const label = tagOf({ circuit: CIRCUIT, version: 1, epoch: 1 });
    await session.set([{ oid: `${Oid.ifAlias}.${index}`, value: octets(label) }]);
    expect(String((await session.get([`${Oid.ifAlias}.${index}`]))[0]?.value)).toBe(label);
  }, 30_000);

  test('two lldpds are found by our discovery, and both ends agree', async () => {
    const links = await eventually(async () => {
      const views = await Promise.all(
        sessions.map(async (session, i) => {
          const { identities, neighbours } = await readLldp(session);
          return {
            device: `device-${i}`,
            identity: identities[0] ?? '',
            ports: [],
            neighbours,
            connects: [],
            bootId: '',
          };
        }),
      );
      const found = findLinks(views);
      if (found.links.length > 0) return found.links;
      // A daemon that has only just started may forget what it was told, and one whose interface went down and up
      // again may have missed that: both are told once more.
      for (const [i, control] of controls.entries()) introduce(control, sides[i]?.name ?? '');
      return undefined;
    }, 70_000);
    expect(links).toEqual([
      { a: { device: 'device-0', port: 'trunk-a' }, z: { device: 'device-1', port: 'trunk-b' } },
    ]);
  }, 80_000);
});

withTools("Debian's snmpsim", ['snmpsimd'], () => {
  const daemons = new Daemons();
  const dir = mkdtempSync(join(tmpdir(), 'tp-snmpsim-'));
  const port = 20_000 + (process.pid % 10_000);
  afterAll(() => {
    daemons.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  test('a recorded switch of another maker is read by our driver over its v3', async () => {
    const ours = tagOf({ circuit: CIRCUIT, version: 3, epoch: 1 });
    const rows: [string, string, string][] = [
      [Oid.sysUpTime, '67', '123456'],
      ...[1, 2, 3].map((p): [string, string, string] => [`${Oid.ifName}.${100 + p}`, '4', `xe-${p}`]),
      ...[1, 2, 3].map((p): [string, string, string] => [
        `${Oid.dot1dBasePortIfIndex}.${p}`,
        '2',
        `${100 + p}`,
      ]),
      [`${Oid.dot1qVlanStaticName}.1`, '4', 'default'],
      [`${Oid.dot1qVlanStaticName}.77`, '4', ours],
      [`${Oid.dot1qVlanStaticName}.78`, '4', 'theirs'],
      [`${Oid.dot1qVlanStaticEgressPorts}.1`, '4x', 'e0000000000000000000'],
      [`${Oid.dot1qVlanStaticEgressPorts}.77`, '4x', 'a0000000000000000000'],
      [`${Oid.dot1qVlanStaticEgressPorts}.78`, '4x', '60000000000000000000'],
      [`${Oid.dot1qVlanStaticUntaggedPorts}.1`, '4x', 'e0000000000000000000'],
      [`${Oid.dot1qVlanStaticUntaggedPorts}.77`, '4x', '20000000000000000000'],
      [`${Oid.dot1qVlanStaticUntaggedPorts}.78`, '4x', '00000000000000000000'],
      ...[1, 77, 78].map((v): [string, string, string] => [`${Oid.dot1qVlanStaticRowStatus}.${v}`, '2', '1']),
      ...[1, 2, 3].map((p): [string, string, string] => [`${Oid.dot1qPvid}.${p}`, '66', '1']),
    ];
    const order = (a: string, b: string): number => {
      const [x, y] = [a.split('.').map(Number), b.split('.').map(Number)];
      const at = x.findIndex((part, i) => part !== y[i]);
      return at < 0 ? x.length - y.length : (x[at] as number) - (y[at] ?? -1);
    };
    const text = rows
      .toSorted((a, b) => order(a[0], b[0]))
      .map((row) => row.join('|'))
      .join('\n');
    mkdirSync(join(dir, 'data'));
    writeFileSync(join(dir, 'data', 'switch.snmprec'), `${text}\n`);
    run('chmod', '-R', 'a+rwX', dir);
    daemons.start(
      'snmpsimd',
      `--data-dir=${join(dir, 'data')}`,
      `--cache-dir=${join(dir, 'cache')}`,
      `--agent-udpv4-endpoint=127.0.0.1:${port}`,
      ...['--v3-user=turnpike', '--v3-auth-key=auth-canary-1', '--v3-auth-proto=SHA256'],
      ...['--v3-priv-key=priv-canary-1', '--v3-priv-proto=AES', '--logging-method=null'],
      ...['--process-user=nobody', '--process-group=nogroup'],
    );
    const driver = new SnmpDriver(
      {
        device: 'sim',
        host: '127.0.0.1',
        port,
        credentials: {
          version: 'v3',
          user: 'turnpike',
          authKey: () => 'auth-canary-1',
          privKey: () => 'priv-canary-1',
          context: 'switch',
        },
      },
      standard,
      clock,
      () => {},
    );
    try {
      const seen = await eventually(() => driver.read(), 20_000);
      expect(seen).toEqual([
        {
          device: 'sim',
          in: { port: 'xe-1', label: 77 },
          out: { port: 'xe-3', label: 0 },
          owner: { circuit: CIRCUIT, version: 3 },
        },
        { device: 'sim', in: { port: 'xe-2', label: 78 }, out: { port: 'xe-3', label: 78 } },
      ]);
    } finally {
      await driver.close();
    }
  }, 40_000);
});
