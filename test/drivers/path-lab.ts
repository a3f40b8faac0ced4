/** A path over several emulated elements of different kinds, with an executor at the near end. */

import type { Driver } from '../../src/drivers/driver.ts';
import type { DriverEvent } from '../../src/drivers/events.ts';
import { Executor, type ExecutorOptions } from '../../src/drivers/executor.ts';
import type { LightContext } from '../../src/drivers/port.ts';
import { instant, wallClock } from '../../src/kernel/clock.ts';
import type { CircuitId } from '../../src/kernel/ids.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import type { Segment } from '../../src/model/circuit.ts';
import { type Rig, snmpRig, tl1Rig } from '../contract/driver-rig.ts';

export const clock = wallClock();
export const CIRCUIT = 'cir_01jd0a1b2c3d4e5f6g7h8j9kmn' as CircuitId;
export const OTHER = 'cir_01jd0zzzzzzzzzzzzzzzzzzzzz' as CircuitId;

export const contextOf = (over: Partial<LightContext> = {}): LightContext => ({
  circuit: CIRCUIT,
  version: 1,
  mbps: 1000,
  decisionId: 'dec_1',
  fence: 1,
  deadline: instant(clock.now() + 10_000),
  ...over,
});

export const segmentOf = (rigs: readonly Rig[], to: 1 | 2 = 1): Segment => ({
  domain: 'ams.example',
  local: true,
  a: { port: 'ams:a' },
  z: { port: 'ams:z' },
  links: [],
  latencyMs: 1,
  uses: [],
  hops: rigs.map((rig) => ({
    device: rig.driver.device,
    in: { port: rig.ports[0], label: rig.label },
    out: { port: rig.ports[to], label: rig.label },
  })),
  agreed: 'COMMITTED',
  light: 'LIGHTING',
});

export interface PathLab {
  readonly rigs: readonly Rig[];
  readonly executor: Executor;
  readonly events: DriverEvent[];
  /** A broker instance of its own on the same elements. */
  instance(options?: Partial<ExecutorOptions>): Executor;
  listings(): string[][];
  close(): Promise<void>;
}

/** Three elements of three kinds unless said otherwise. */
export async function pathLab(make?: readonly (() => Promise<Rig>)[]): Promise<PathLab> {
  const rigs = await Promise.all(
    (
      make ?? [
        () => tl1Rig('polatis'),
        () => tl1Rig('ome6500'),
        () => snmpRig({ dialect: 'standard', version: 'v3', label: 1801 }),
      ]
    ).map((one) => one()),
  );
  const events: DriverEvent[] = [];
  const executors: Executor[] = [];
  const build = (drivers: readonly Driver[], options: Partial<ExecutorOptions> = {}): Executor => {
    const executor = new Executor({
      drivers,
      clock,
      random: seededRandom(1),
      tell: (event) => events.push(event),
      ...options,
    });
    executors.push(executor);
    return executor;
  };
  return {
    rigs,
    events,
    executor: build(rigs.map((rig) => rig.driver)),
    instance: (options = {}) => build(options.drivers ?? rigs.map((rig) => rig.another()), options),
    listings: () => rigs.map((rig) => rig.listing()),
    async close() {
      for (const executor of executors) await executor.close();
      for (const rig of rigs) await rig.close();
    },
  };
}
