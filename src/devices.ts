/**
 * From the `devices` section of the configuration to the broker's Devices: those kept in memory, or an executor over
 * the drivers of real elements, with what it has to tell on its way into the log. Secrets stay functions.
 */

import type { Devices } from './broker/devices/devicePorts.ts';
import type { Inspection } from './broker/devices/inspection.ts';
import type { Config, ElementConfig } from './config.ts';
import type { PortState } from './drivers/driver.ts';
import type { DriverEvent } from './drivers/events.ts';
import { Executor } from './drivers/executor.ts';
import { MemoryDevices, memoryInspection } from './drivers/memory.ts';
import { buildDrivers, type DeviceConfig, dialectNames } from './drivers/registry.ts';
import { TrapEar } from './drivers/snmp/traps.ts';
import { StartError } from './flags.ts';
import type { Clock } from './kernel/clock.ts';
import { textOf } from './kernel/errors.ts';
import type { Log } from './kernel/log.ts';
import { type Random, seededRandom } from './kernel/random.ts';
import type { TopologyDocument } from './topology/document.ts';

export interface DevicePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Does the lease of this epoch still hold? Asked between reading an element's lock and writing to it. */
  stillMaster(epoch: number): boolean | Promise<boolean>;
  /** An element has restarted, or was changed by somebody else. */
  changed(): void;
  /** An element has fallen silent or answers again, or its ports went into quarantine or came out of it. */
  reach(): void;
  /** Ports of an element have light, or have it no longer. */
  portStates(device: string, ports: readonly PortState[]): void;
}

export interface OpenDevices {
  readonly devices: Devices;
  readonly inspection: Inspection;
  /** Begins to log in everywhere and to hear traps; waits for no element. */
  start(topology: TopologyDocument): Promise<void>;
  close(): Promise<void>;
}

export function openDevices(config: Config, ports: DevicePorts): OpenDevices {
  const { devices } = config;
  const { clock, random, log, stillMaster } = ports;
  if (devices.driver === 'memory') {
    const memory = new MemoryDevices({
      clock,
      random: seededRandom(devices.seed),
      delayMs: devices.delay_ms,
      leastDelayMs: devices.least_delay_ms,
      failureRatio: devices.failure_ratio,
    });
    return {
      devices: memory,
      inspection: memoryInspection(memory),
      start: async () => {},
      close: async () => {},
    };
  }
  const tell = (event: DriverEvent): void => {
    if (isTrouble(event)) log.warn(event);
    else log.info(event);
    if (REACH.has(event.event)) ports.reach();
  };
  checkElements(config);
  const drivers = buildDrivers(devices.elements.map(deviceOf), clock, tell);
  const executor = new Executor({ drivers, clock, random, tell, stillMaster });
  const ear = new TrapEar(drivers, clock);
  return {
    devices: executor,
    inspection: executor.inspection,
    async start(topology) {
      for (const { device, detail } of mismatches(topology, devices, executor.inspection))
        log.warn({ event: 'device.mismatch', device, detail });
      executor.watch(
        () => ports.changed(),
        (device, states) => ports.portStates(device, states),
      );
      const { host, port } = devices.traps;
      if (port !== 0) await hearTraps(ear, host, port);
      // It catches what goes wrong and tells it; a device that is not there yet is met again with its first order.
      void executor.connect();
    },
    close: () => {
      ear.close();
      return executor.close();
    },
  };
}

async function hearTraps(ear: TrapEar, host: string, port: number): Promise<void> {
  try {
    await ear.listen(port, host);
  } catch (error) {
    throw new StartError(`cannot hear traps on ${host}:${port} (devices.traps): ${textOf(error)}`);
  }
}

const REACH: ReadonlySet<DriverEvent['event']> = new Set([
  'device.breaker',
  'device.quarantined',
  'device.quarantine_lifted',
]);
const GOOD_NEWS: ReadonlySet<DriverEvent['event']> = new Set([
  'device.connected',
  'device.quarantine_lifted',
  'device.stray_answer',
]);
const isTrouble = (event: DriverEvent): boolean =>
  !GOOD_NEWS.has(event.event) && !(event.event === 'device.breaker' && event.state === 'CLOSED');

function deviceOf(element: ElementConfig): DeviceConfig {
  const { id, dialect, address, port, user = '', whole_port_label } = element;
  const common = {
    device: id,
    dialect,
    host: address,
    ...(port === 0 ? {} : { port }),
    ...(whole_port_label === 0 ? {} : { wholePortLabel: whole_port_label }),
  };
  // That the secrets are there was seen to when the configuration was read.
  const { password = '', community = '', auth_key = '', priv_key = '' } = element;
  if (element.protocol === 'tl1') {
    const { tid, size } = element;
    const more = { size, ...(tid === undefined ? {} : { tid }) };
    return { ...common, protocol: 'tl1', user, password: () => password, ...more };
  }
  const [low = 0, high = 0] = element.internal_vlans.split('-').map(Number);
  const { context } = element;
  return {
    ...common,
    protocol: 'snmp',
    idleVlan: element.idle_vlan,
    internalVlans: [low, high],
    credentials:
      element.version === 'v2c'
        ? { version: 'v2c', community: () => community }
        : {
            version: 'v3',
            user,
            authKey: () => auth_key,
            privKey: () => priv_key,
            ...(context === undefined ? {} : { context }),
          },
  };
}

/**
 * Where the topology promises what the elements cannot do. A VLAN switch has each VLAN only once, whatever the
 * port; an element that switches whole ports knows nothing of the one label that stands for each of them.
 */
function mismatches(
  { nodes }: TopologyDocument,
  { elements }: Config['devices'],
  inspection: Inspection,
): { readonly device: string; readonly detail: string }[] {
  return nodes.flatMap(({ id, device = id, swaps_labels, label_scope }) => {
    const state = inspection.state(device);
    const says = (detail: string): { device: string; detail: string }[] => [{ device, detail }];
    if (state === undefined) return says('the topology has it, `devices.elements` has not');
    const whole = elements.some((one) => one.id === device && one.whole_port_label !== 0);
    if (whole && swaps_labels === false && label_scope !== 'PORT')
      return says(`it has one label on each of its ports: node ${id} needs \`label_scope: PORT\``);
    if (whole || state.capabilities?.labels !== 'vlan') return [];
    if (swaps_labels !== false)
      return says(`it cannot change a VLAN: node ${id} needs \`swaps_labels: false\``);
    if (label_scope === 'PORT')
      return says(`it has each VLAN only once: node ${id} cannot have \`label_scope: PORT\``);
    return [];
  });
}

/** `config check` asks too, and opens no socket. */
export function checkElements({ devices }: Config): void {
  const known = dialectNames();
  for (const { id, protocol, dialect } of devices.elements) {
    if (known.includes(`${protocol}/${dialect}`)) continue;
    const detail = `element ${id}: no dialect ${protocol}/${dialect}; there are ${known.join(', ')}`;
    throw new StartError(`devices.elements: ${detail}`);
  }
}
