/**
 * What a session has to know of a switch before it can say anything in its terms: the map between port names,
 * interface numbers and bridge ports, how long its port lists are, whether it has a lock to fence with. Also the
 * slower questions: neighbours by LLDP, counters for accounting.
 */
import type { Counters } from '../../model/octets.ts';
import type { DevicePort, Neighbour, PortState } from '../driver.ts';
import { DeviceFault } from '../fault.ts';
import { isException, Tag, type Value } from './ber.ts';
import { Oid } from './oids.ts';
import { looksLikeText } from './portlist.ts';
import type { SnmpSession } from './session.ts';

export interface Facts {
  readonly portOf: ReadonlyMap<string, number>;
  readonly nameOf: ReadonlyMap<number, string>;
  readonly ifIndexOf: ReadonlyMap<number, number>;
  readonly listOctets: number;
  /** The OID of a TestAndIncr that a SET can be tied to. */
  readonly lock: string | undefined;
  /** Has it a table of what is really forwarded? */
  readonly current: boolean;
}

export const numberOf = (value: Value | undefined): number | undefined =>
  value !== undefined && typeof value.value === 'number' ? value.value : undefined;
export const bytesOf = (value: Value | undefined): Buffer | undefined =>
  value?.tag === Tag.OctetString ? value.value : undefined;
const textOf = (value: Value | undefined): string | undefined => bytesOf(value)?.toString('utf8');

export async function learn(session: SnmpSession, listOctets: number | undefined): Promise<Facts> {
  const [bridge, names, egress, current, locks] = await Promise.all([
    session.walk(Oid.dot1dBasePortIfIndex),
    session.walk(Oid.ifName),
    session.walk(Oid.dot1qVlanStaticEgressPorts),
    session.walk(Oid.dot1qVlanCurrentEgressPorts),
    session.get([Oid.vacmViewSpinLock, Oid.usmUserSpinLock]),
  ]);
  if (bridge.size === 0) throw new DeviceFault('unsupported', 'it has no bridge ports (BRIDGE-MIB)');
  const portOf = new Map<string, number>();
  const nameOf = new Map<number, string>();
  const ifIndexOf = new Map<number, number>();
  for (const [index, value] of bridge) {
    const ifIndex = numberOf(value);
    const name = textOf(names.get(`${ifIndex}`));
    if (ifIndex === undefined || name === undefined || name === '') continue;
    portOf.set(name, Number(index));
    nameOf.set(Number(index), name);
    ifIndexOf.set(Number(index), ifIndex);
  }
  const highest = Math.max(...nameOf.keys(), 1);
  const lists = [...egress.values()].map(bytesOf).filter((list) => list !== undefined);
  if (lists.some((list) => looksLikeText(list, highest))) {
    throw new DeviceFault('unsupported', 'its port lists are ASCII text, not bitmaps');
  }
  const longest = Math.max(0, ...lists.map((list) => list.length));
  const lock = [Oid.vacmViewSpinLock, Oid.usmUserSpinLock].find((_oid, i) => !isException(locks[i] as Value));
  return {
    portOf,
    nameOf,
    ifIndexOf,
    listOctets: listOctets ?? (longest > 0 ? longest : Math.ceil(highest / 8)),
    lock,
    current: current.size > 0,
  };
}

export async function readPortsOf(session: SnmpSession, facts: Facts): Promise<DevicePort[]> {
  const [alias, speed, oper] = await Promise.all([
    session.walk(Oid.ifAlias),
    session.walk(Oid.ifHighSpeed),
    session.walk(Oid.ifOperStatus),
  ]);
  return [...facts.nameOf].map(([port, name]) => {
    const index = `${facts.ifIndexOf.get(port)}`;
    const description = textOf(alias.get(index));
    const speedMbps = numberOf(speed.get(index));
    return {
      name,
      ...(description === undefined || description === '' ? {} : { description }),
      ...(speedMbps === undefined ? {} : { speedMbps }),
      up: numberOf(oper.get(index)) === 1,
    };
  });
}

/** ifOperStatus (RFC 2863) of those that are up for certain, or down for certain. */
const UP = 1;
const DOWN: ReadonlySet<number> = new Set([2, 6, 7]);

export async function readPortStates(session: SnmpSession, facts: Facts): Promise<PortState[]> {
  const oper = await session.walk(Oid.ifOperStatus);
  return [...facts.nameOf].flatMap(([port, name]) => {
    const status = numberOf(oper.get(`${facts.ifIndexOf.get(port)}`)) ?? 0;
    return status === UP || DOWN.has(status) ? [{ name, up: status === UP }] : [];
  });
}

/** Printable identities stay as they are; MAC addresses become hexadecimal. */
function identity(bytes: Buffer | undefined): string | undefined {
  if (bytes === undefined || bytes.length === 0) return undefined;
  const printable = bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
  return printable ? bytes.toString('latin1') : bytes.toString('hex').replace(/(..)(?=.)/g, '$1:');
}

export interface LldpView {
  /** Names by which neighbours may call this device. */
  readonly identities: readonly string[];
  readonly neighbours: readonly Neighbour[];
}

/**
 * LLDP-MIB. The index of the remote table is (time mark, local port number, entry): the time mark changes with
 * every change and says nothing. The local port number need not be the bridge port, so its own table names it.
 */
export async function readLldp(session: SnmpSession): Promise<LldpView> {
  const [local, chassis, ports, descriptions, names, own] = await Promise.all([
    session.walk(Oid.lldpLocPortId),
    session.walk(Oid.lldpRemChassisId),
    session.walk(Oid.lldpRemPortId),
    session.walk(Oid.lldpRemPortDesc),
    session.walk(Oid.lldpRemSysName),
    session.get([Oid.lldpLocChassisId, Oid.sysName]),
  ]);
  const localDescriptions = await session.walk(Oid.lldpLocPortDesc);
  const neighbours: Neighbour[] = [];
  for (const [index, value] of chassis) {
    const number = index.split('.')[1] ?? '';
    const nameOrMac = (id: Buffer | undefined, description: Value | undefined): string | undefined => {
      const text = identity(id);
      // A port that calls itself by its MAC address says its name in the description.
      return text?.includes(':') === true ? (textOf(description) ?? text) : text;
    };
    const port = nameOrMac(bytesOf(local.get(number)), localDescriptions.get(number));
    const remotePort = nameOrMac(bytesOf(ports.get(index)), descriptions.get(index));
    const remoteDevice = textOf(names.get(index)) || identity(bytesOf(value));
    if (port !== undefined && remotePort !== undefined && remoteDevice !== undefined) {
      neighbours.push({ port, remoteDevice, remotePort });
    }
  }
  const identities = [textOf(own[1]), identity(bytesOf(own[0]))].filter(
    (id) => id !== undefined && id !== '',
  );
  return { identities: identities as string[], neighbours };
}

/** 64-bit counters only: 32 bits wrap in 34 s at 1 Gb/s. */
export async function readCounters(session: SnmpSession, ifIndex: number): Promise<Counters | undefined> {
  const [into, out, mark, up] = await session.get([
    `${Oid.ifHCInOctets}.${ifIndex}`,
    `${Oid.ifHCOutOctets}.${ifIndex}`,
    `${Oid.ifCounterDiscontinuityTime}.${ifIndex}`,
    Oid.sysUpTime,
  ]);
  if (into?.tag !== Tag.Counter64 || out?.tag !== Tag.Counter64) return undefined;
  return {
    inOctets: into.value,
    outOctets: out.value,
    discontinuity: numberOf(mark) ?? 0,
    upTicks: numberOf(up) ?? 0,
  };
}
