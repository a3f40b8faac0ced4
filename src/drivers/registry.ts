/** From what the configuration says of devices to their drivers. Secrets come as functions and stay so. */
import type { Clock } from '../kernel/clock.ts';
import type { Driver } from './driver.ts';
import type { Tell } from './events.ts';
import { snmpDialects } from './snmp/dialects/index.ts';
import { SnmpDriver, type SnmpDriverOptions } from './snmp/driver.ts';
import { tl1Dialects } from './tl1/dialects/index.ts';
import { Tl1Driver, type Tl1DriverOptions } from './tl1/driver.ts';

export type DeviceConfig =
  | ({ readonly protocol: 'snmp'; readonly dialect: string } & SnmpDriverOptions)
  | ({
      readonly protocol: 'tl1';
      readonly dialect: string;
      /** How many ports it has, for dialects that ask for a range. */
      readonly size?: number;
    } & Tl1DriverOptions);

export const dialectNames = (): readonly string[] => [
  ...Object.keys(snmpDialects).map((name) => `snmp/${name}`),
  ...Object.keys(tl1Dialects).map((name) => `tl1/${name}`),
];

/** The configuration's text is no path to an object's ancestors. */
const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

/** Throws for a dialect that there is not, and for a device named twice. */
export function buildDrivers(configs: readonly DeviceConfig[], clock: Clock, tell: Tell): Driver[] {
  const seen = new Set<string>();
  return configs.map((config) => {
    if (seen.has(config.device)) throw new Error(`device ${config.device} is configured twice`);
    seen.add(config.device);
    if (config.protocol === 'snmp') {
      const dialect = own(snmpDialects, config.dialect);
      if (dialect !== undefined) return new SnmpDriver(config, dialect, clock, tell);
    } else {
      const dialect = own(tl1Dialects, config.dialect);
      if (dialect !== undefined) {
        const options = config.size === undefined ? {} : { size: config.size };
        return new Tl1Driver(config, dialect(options), clock, tell);
      }
    }
    throw new Error(
      `device ${config.device}: no dialect ${config.protocol}/${config.dialect}; there are ${dialectNames().join(', ')}`,
    );
  });
}
