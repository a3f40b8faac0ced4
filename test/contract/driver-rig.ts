/**
 * One emulated element with our driver at the other end of a real socket, the same for every dialect, so that
 * one suite runs on all of them. `listing` is what the element itself holds: the suite believes only that.
 */

import type { ApplyContext, Connect, Driver } from '../../src/drivers/driver.ts';
import type { DriverEvent } from '../../src/drivers/events.ts';
import type { SnmpDialect } from '../../src/drivers/snmp/dialect.ts';
import { snmpDialects } from '../../src/drivers/snmp/dialects/index.ts';
import { SnmpDriver } from '../../src/drivers/snmp/driver.ts';
import { tl1Dialects } from '../../src/drivers/tl1/dialects/index.ts';
import { Tl1Driver } from '../../src/drivers/tl1/driver.ts';
import { instant, wallClock } from '../../src/kernel/clock.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import type { Faults } from '../../src/lab/faults.ts';
import { SnmpElement } from '../../src/lab/snmp/agent.ts';
import { Tl1Element } from '../../src/lab/tl1/element.ts';

export const clock = wallClock();
export const CIRCUIT = 'cir_01jd0a1b2c3d4e5f6g7h8j9kmn';
export const OTHER = 'cir_01jd0zzzzzzzzzzzzzzzzzzzzz';

export interface Rig {
  readonly name: string;
  readonly driver: Driver;
  readonly faults: Faults;
  readonly events: DriverEvent[];
  /** Three ports that circuits may use, and a label that may be used on them. */
  readonly ports: readonly [string, string, string];
  readonly label: number;
  readonly mbps: number;
  /** A second driver on the same element, with other credentials if asked. */
  another(options?: { wrongPassword?: boolean }): Driver;
  /** What the element holds, as text that can be compared; not through any protocol. */
  listing(): string[];
  /** Somebody else takes the first two ports. */
  foreign(): void;
  reboot(): void;
  close(): Promise<void>;
}

export const connectOf = (rig: Rig, over: Partial<Connect['owner']> & { to?: string } = {}): Connect => ({
  owner: { circuit: over.circuit ?? CIRCUIT, version: over.version ?? 1, epoch: over.epoch ?? 1 },
  in: { port: rig.ports[0], label: rig.label },
  out: { port: over.to ?? rig.ports[1], label: rig.label },
  mbps: rig.mbps,
});

export const context = (ms = 5_000): ApplyContext => ({
  deadline: instant(clock.now() + ms),
  stillMaster: () => true,
});

type Tl1Name = 'polatis' | 'ome6500' | 'ons15454';
const tl1Ports: Record<Tl1Name, readonly [string, string, string]> = {
  polatis: ['1', '17', '18'],
  ome6500: ['1-5-1', '1-6-1', '1-7-1'],
  ons15454: ['5', '6', '12'],
};

export async function tl1Rig(dialect: Tl1Name, writeMs = 400): Promise<Rig> {
  const ports = tl1Ports[dialect];
  const element = new Tl1Element(
    {
      id: `ne-${dialect}`,
      dialect,
      ports: ports.map((name) => ({ name })),
      user: 'admin',
      password: 's3cret-canary',
    },
    clock,
    seededRandom(1),
  );
  const port = await element.listen();
  const events: DriverEvent[] = [];
  const drivers: Driver[] = [];
  const make = (password: string): Driver => {
    const driver = new Tl1Driver(
      {
        device: element.id,
        host: '127.0.0.1',
        port,
        user: 'admin',
        password: () => password,
        writeMs,
        pollMs: 20,
      },
      (tl1Dialects[dialect] as (typeof tl1Dialects)[string])({ size: 64 }),
      clock,
      (event) => events.push(event),
    );
    drivers.push(driver);
    return driver;
  };
  const sonet = dialect !== 'polatis';
  return {
    name: `tl1/${dialect}`,
    driver: make('s3cret-canary'),
    faults: element.faults,
    events,
    ports,
    label: sonet ? 2 : 0,
    mbps: sonet ? 1000 : 10_000,
    another: (options = {}) => make(options.wrongPassword === true ? 'wrong-canary' : 's3cret-canary'),
    listing: () =>
      element.matrix
        .list()
        .map((j) => `${j.from}=${j.to} ${j.tag || (element.matrix.labels.get(j.from) ?? '')}`.trim())
        .toSorted(),
    foreign() {
      element.foreign((matrix) => {
        if (dialect === 'ome6500') matrix.join('STS3C', 'STS3C-1-5-1-22', 'STS3C-1-6-1-22', 'someone', 0);
        else if (dialect === 'ons15454') matrix.join('STS3C', 'STS-5-22', 'STS-6-22', 'someone', 0);
        else matrix.join('', '1', '17', '', 0);
      });
    },
    reboot: () => element.reboot(),
    async close() {
      for (const driver of drivers) await driver.close();
      await element.close();
    },
  };
}

export interface SnmpRigOptions {
  readonly dialect: 'standard' | 'dell' | 'leave-first';
  readonly version: 'v2c' | 'v3';
  /** 0 for untagged ports. */
  readonly label: number;
  readonly driverDialect?: SnmpDialect;
}

export async function snmpRig(
  options: SnmpRigOptions,
): Promise<Rig & { readonly element: SnmpElement; readonly port: number }> {
  const { dialect, version, label } = options;
  const user = { user: 'turnpike', authKey: 'auth-canary-1', privKey: 'priv-canary-1' };
  const element = new SnmpElement(
    {
      id: `sw-${dialect}`,
      dialect,
      ports: Array.from({ length: 24 }, (_, i) => ({ name: `ge-0/0/${i}` })),
      community: 'community-canary',
      user,
    },
    clock,
    seededRandom(1),
  );
  const port = await element.listen();
  const events: DriverEvent[] = [];
  const drivers: Driver[] = [];
  const make = (wrong: boolean): Driver => {
    const driver = new SnmpDriver(
      {
        device: element.id,
        host: '127.0.0.1',
        port,
        getMs: 300,
        setMs: 400,
        pollMs: 20,
        credentials:
          version === 'v2c'
            ? { version, community: () => (wrong ? 'wrong-canary' : 'community-canary') }
            : {
                version,
                user: user.user,
                authKey: () => (wrong ? 'wrong-canary' : user.authKey),
                privKey: () => user.privKey,
              },
      },
      options.driverDialect ?? (snmpDialects[dialect] as SnmpDialect),
      clock,
      (event) => events.push(event),
    );
    drivers.push(driver);
    return driver;
  };
  const show = (set: ReadonlySet<number>): string => [...set].toSorted((a, b) => a - b).join('+');
  return {
    name: `snmp/${dialect}`,
    element,
    port,
    driver: make(false),
    faults: element.faults,
    events,
    ports: ['ge-0/0/0', 'ge-0/0/16', 'ge-0/0/17'],
    label,
    mbps: 1000,
    another: (over = {}) => make(over.wrongPassword === true),
    listing: () => [
      ...[...element.bridge.vlans].map(
        ([vlan, v]) => `${vlan}/${show(v.egress)}/${show(v.untagged)} ${v.name}`,
      ),
      `pvids/${[...element.bridge.pvids.values()].join(',')}`,
    ],
    foreign() {
      element.foreign((bridge) => {
        const ports = new Set([1, 17]);
        const vlan = {
          name: 'someone',
          egress: ports,
          forbidden: new Set<number>(),
          status: 'active' as const,
        };
        if (label !== 0) bridge.vlans.set(label, { ...vlan, untagged: new Set() });
        else {
          const idle = bridge.vlans.get(1);
          const rest = new Set([...(idle?.egress ?? [])].filter((p) => !ports.has(p)));
          bridge.vlans.set(1, {
            name: 'default',
            egress: rest,
            untagged: rest,
            forbidden: new Set(),
            status: 'active',
          });
          bridge.vlans.set(77, { ...vlan, untagged: ports });
          for (const p of ports) bridge.pvids.set(p, 77);
        }
      });
    },
    reboot: () => element.reboot(),
    async close() {
      for (const driver of drivers) await driver.close();
      await element.close();
    },
  };
}

/** Taught nothing about the element: it has to find the right way by itself. */
const naive = snmpDialects['standard'] as SnmpDialect;

export const rigs: Record<string, () => Promise<Rig>> = {
  'tl1/polatis': () => tl1Rig('polatis'),
  'tl1/ome6500': () => tl1Rig('ome6500'),
  'tl1/ons15454': () => tl1Rig('ons15454'),
  'snmp/standard v2c tagged': () => snmpRig({ dialect: 'standard', version: 'v2c', label: 1801 }),
  'snmp/standard v3 untagged': () => snmpRig({ dialect: 'standard', version: 'v3', label: 0 }),
  'snmp/dell v2c tagged': () => snmpRig({ dialect: 'dell', version: 'v2c', label: 4094 }),
  'snmp/dell v3 untagged': () => snmpRig({ dialect: 'dell', version: 'v3', label: 0 }),
  'snmp/leave-first v2c untagged': () => snmpRig({ dialect: 'leave-first', version: 'v2c', label: 0 }),
  'snmp/leave-first v2c untagged, not told so': () =>
    snmpRig({ dialect: 'leave-first', version: 'v2c', label: 0, driverDialect: naive }),
};
