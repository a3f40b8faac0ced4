/**
 * From the `devices` section of the configuration to the broker's Devices: those kept in memory, or an executor over
 * the drivers of real elements, with what it has to tell on its way into the log. Secrets stay functions.
 */
import type { Inspection } from './broker/inspection.ts';
import type { Devices } from './broker/ports.ts';
import type { Config, ElementConfig } from './config.ts';
import type { DriverEvent } from './drivers/events.ts';
import { Executor } from './drivers/executor.ts';
import { MemoryDevices, memoryInspection } from './drivers/memory.ts';
import { buildDrivers, type DeviceConfig, dialectNames } from './drivers/registry.ts';
import { StartError } from './flags.ts';
import type { Clock } from './kernel/clock.ts';
import type { Log } from './kernel/log.ts';
import { type Random, seededRandom } from './kernel/random.ts';
import { type LabelRanges, parseLabels } from './model/label.ts';
import type { TopologyDocument } from './topology/document.ts';

export interface DevicePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Does the lease of this epoch still hold? Asked between reading an element's lock and writing to it. */
  stillMaster(epoch: number): boolean | Promise<boolean>;
  /** An element has restarted, or was changed by somebody else. */
  changed(): void;
}

export interface OpenDevices {
  readonly devices: Devices;
  readonly inspection: Inspection;
  /** Begins to log in everywhere; waits for nobody. */
  start(topology: TopologyDocument): void;
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
      failureRatio: devices.failure_ratio,
    });
    return { devices: memory, inspection: memoryInspection(memory), start: () => {}, close: async () => {} };
  }
  const tell = (event: DriverEvent): void => (isTrouble(event) ? log.warn(event) : log.info(event));
  checkElements(config);
  const drivers = buildDrivers(devices.elements.map(deviceOf), clock, tell);
  const executor = new Executor({ drivers, clock, random, tell, stillMaster });
  return {
    devices: executor,
    inspection: executor.inspection,
    start(topology) {
      for (const { device, detail } of mismatches(topology, executor.inspection))
        log.warn({ event: 'device.mismatch', device, detail });
      executor.watch(() => ports.changed());
      // It catches what goes wrong and tells it; a device that is not there yet is met again with its first order.
      void executor.connect();
    },
    close: () => executor.close(),
  };
}

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

/** Fewer ways than this into a VLAN switch, and any two circuits that meet in it share one of them. */
const WAYS = 4;

/**
 * Where the topology promises what the elements cannot do. The search keeps circuits apart on each link; a VLAN
 * switch has each VLAN only once, whatever the link.
 */
function mismatches(
  { nodes, ports, links }: TopologyDocument,
  inspection: Inspection,
): { readonly device: string; readonly detail: string }[] {
  return nodes.flatMap((node) => {
    const device = node.device ?? node.id;
    const state = inspection.state(device);
    if (state === undefined) return [{ device, detail: 'the topology has it, `devices.elements` has not' }];
    if (state.capabilities === undefined || state.capabilities.labels !== 'vlan') return [];
    if (node.swaps_labels !== false)
      return [{ device, detail: `it cannot change a VLAN: node ${node.id} needs \`swaps_labels: false\`` }];
    const ways = [
      ...ports.filter((port) => port.node === node.id),
      ...links.filter(({ a, z }) => a.node === node.id || z.node === node.id),
    ].map(({ vlans = '2-4094' }) => parseLabels(vlans) ?? []);
    const worst = ways.flat().find(([first]) => ways.filter((way) => within(first, way)).length >= WAYS);
    if (worst === undefined) return [];
    const detail = `VLAN ${worst[0]} may come in ${WAYS} or more ways, and two circuits that share none of them would meet`;
    return [{ device, detail }];
  });
}

const within = (vlan: number, ranges: LabelRanges): boolean =>
  ranges.some(([low, high]) => low <= vlan && vlan <= high);

/** `config check` asks too, and opens no socket. */
export function checkElements({ devices }: Config): void {
  const known = dialectNames();
  for (const { id, protocol, dialect } of devices.elements) {
    if (known.includes(`${protocol}/${dialect}`)) continue;
    const detail = `element ${id}: no dialect ${protocol}/${dialect}; there are ${known.join(', ')}`;
    throw new StartError(`devices.elements: ${detail}`);
  }
}
