/**
 * One emulated element with our driver at the other end of a real socket, the same for every dialect, so that
 * one suite runs on all of them. `listing` is what the element itself holds: the suite believes only that.
 */

import type { ApplyContext, Connect, Driver } from '../../src/drivers/driver.ts';
import type { DriverEvent } from '../../src/drivers/events.ts';
import { tl1Dialects } from '../../src/drivers/tl1/dialects/index.ts';
import { Tl1Driver } from '../../src/drivers/tl1/driver.ts';
import { instant, wallClock } from '../../src/kernel/clock.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import type { Faults } from '../../src/lab/faults.ts';
import { Tl1Element } from '../../src/lab/tl1-element.ts';

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

export const rigs: Record<string, () => Promise<Rig>> = {
  'tl1/polatis': () => tl1Rig('polatis'),
  'tl1/ome6500': () => tl1Rig('ome6500'),
  'tl1/ons15454': () => tl1Rig('ons15454'),
};
