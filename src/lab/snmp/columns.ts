/** What can be read of an emulated bridge: a column per MIB object, each with its rows and values. */
import { counter64, gauge, integer, octets, oidParts, ticks, type Value } from '../../drivers/snmp/ber.ts';
import { Oid, RowStatus } from '../../drivers/snmp/oids.ts';
import { writePorts } from '../../drivers/snmp/portlist.ts';
import type { Bridge, BridgePort, Vlan } from './bridge.ts';

export interface AgentFacts {
  readonly upTicks: number;
  readonly boots: number;
  readonly engineSeconds: number;
}

export interface Column {
  readonly oid: string;
  readonly parts: readonly number[];
  readonly rows: () => string[];
  readonly read: (index: string) => Value | undefined;
}

export function declareColumns(
  bridge: Bridge,
  now: () => number,
  facts: () => AgentFacts,
  locks: { readonly vacm: number; readonly usm: number },
): Column[] {
  const { ports, vlans, quirks, pvids } = bridge;
  const listOf = (ports: ReadonlySet<number>): Value => {
    const { ascii, listOctets, trimmed } = quirks;
    if (ascii) return octets([...ports].toSorted((a, b) => a - b).join(','));
    const bytes = writePorts(ports, listOctets);
    if (!trimmed) return octets(bytes);
    let length = bytes.length;
    while (length > 1 && bytes[length - 1] === 0) length -= 1;
    return octets(bytes.subarray(0, length));
  };

  const column = (oid: string, rows: () => string[], read: (index: string) => Value | undefined): Column => ({
    oid,
    parts: oidParts(oid),
    rows,
    read,
  });
  const scalar = (oid: string, read: () => Value | undefined): Column =>
    column(
      oid.replace(/\.0$/, ''),
      () => (read() === undefined ? [] : ['0']),
      (index) => (index === '0' ? read() : undefined),
    );
  const perIf = (oid: string, read: (port: BridgePort) => Value): Column =>
    column(
      oid,
      () => ports.map((port) => `${port.ifIndex}`),
      (index) => {
        const port = ports.find((p) => `${p.ifIndex}` === index);
        return port === undefined ? undefined : read(port);
      },
    );
  const perPort = (oid: string, read: (port: BridgePort) => Value): Column =>
    column(
      oid,
      () => ports.map((port) => `${port.bridgePort}`),
      (index) => {
        const port = ports[Number(index) - 1];
        return port === undefined ? undefined : read(port);
      },
    );
  const perVlan = (oid: string, read: (vlan: Vlan) => Value): Column =>
    column(
      oid,
      () => [...vlans.keys()].toSorted((a, b) => a - b).map(String),
      (index) => {
        const vlan = vlans.get(Number(index));
        return vlan === undefined ? undefined : read(vlan);
      },
    );
  const current = (oid: string, which: 'egress' | 'untagged'): Column =>
    column(
      oid,
      () =>
        quirks.currentTable
          ? [...bridge.current(now()).keys()].toSorted((a, b) => a - b).map((id) => `0.${id}`)
          : [],
      (index) => {
        const [mark, id] = index.split('.');
        const vlan = bridge.current(now()).get(Number(id));
        return mark !== '0' || vlan === undefined || !quirks.currentTable ? undefined : listOf(vlan[which]);
      },
    );
  const lock = (oid: string, which: 'vacm' | 'usm'): Column =>
    scalar(oid, () => (quirks.locks ? integer(locks[which]) : undefined));
  const neighbours = (): BridgePort[] => ports.filter((port) => port.neighbour !== undefined);
  const remote = (oid: string, read: (port: BridgePort) => Value): Column =>
    column(
      oid,
      // The index begins with a time mark, which differs from element to element and from boot to boot.
      () => neighbours().map((port) => `${1000 + port.bridgePort}.${port.bridgePort}.1`),
      (index) => {
        const [mark, number, entry] = index.split('.').map(Number);
        const port = neighbours().find((p) => p.bridgePort === number);
        return port === undefined || entry !== 1 || mark !== 1000 + port.bridgePort ? undefined : read(port);
      },
    );
  return [
    scalar(Oid.sysDescr, () => octets('emulated VLAN bridge')),
    scalar(Oid.sysUpTime, () => ticks(facts().upTicks)),
    scalar(Oid.sysName, () => octets(bridge.id)),
    perIf(Oid.ifDescr, (port) => octets(`Port ${port.name}`)),
    perIf(Oid.ifAdminStatus, (port) => integer(port.adminUp ? 1 : 2)),
    perIf(Oid.ifOperStatus, (port) => integer(port.up && port.adminUp ? 1 : 2)),
    perIf(Oid.ifName, (port) => octets(port.name)),
    perIf(Oid.ifHCInOctets, (port) => counter64(bridge.octets.get(port.bridgePort)?.in ?? 0n)),
    perIf(Oid.ifHCOutOctets, (port) => counter64(bridge.octets.get(port.bridgePort)?.out ?? 0n)),
    perIf(Oid.ifHighSpeed, (port) => gauge(port.speedMbps ?? 10_000)),
    perIf(Oid.ifAlias, (port) => octets(port.alias)),
    perIf(Oid.ifCounterDiscontinuityTime, () => ticks(0)),
    perPort(Oid.dot1dBasePortIfIndex, (port) => integer(port.ifIndex)),
    scalar(Oid.dot1qMaxVlanId, () => integer(4094)),
    scalar(Oid.dot1qMaxSupportedVlans, () => gauge(quirks.maxVlans)),
    scalar(Oid.dot1qNumVlans, () => gauge(vlans.size)),
    current(Oid.dot1qVlanCurrentEgressPorts, 'egress'),
    current(Oid.dot1qVlanCurrentUntaggedPorts, 'untagged'),
    perVlan(Oid.dot1qVlanStaticName, (vlan) => octets(vlan.name)),
    perVlan(Oid.dot1qVlanStaticEgressPorts, (vlan) => listOf(vlan.egress)),
    perVlan(Oid.dot1qVlanForbiddenEgressPorts, (vlan) => listOf(vlan.forbidden)),
    perVlan(Oid.dot1qVlanStaticUntaggedPorts, (vlan) => listOf(vlan.untagged)),
    perVlan(Oid.dot1qVlanStaticRowStatus, (vlan) => integer(RowStatus[vlan.status])),
    perPort(Oid.dot1qPvid, (port) => gauge(pvids.get(port.bridgePort) ?? 1)),
    scalar(Oid.lldpStatsRemTablesLastChangeTime, () => ticks(1000)),
    scalar(Oid.lldpLocChassisId, () => octets(bridge.id)),
    column(
      Oid.lldpLocPortId,
      () => ports.map((port) => `${port.bridgePort}`),
      (index) => {
        const port = ports[Number(index) - 1];
        return port === undefined ? undefined : octets(port.name);
      },
    ),
    remote(Oid.lldpRemChassisId, (port) => octets(port.neighbour?.device ?? '')),
    remote(Oid.lldpRemPortId, (port) => octets(port.neighbour?.port ?? '')),
    remote(Oid.lldpRemSysName, (port) => octets(port.neighbour?.device ?? '')),
    scalar(Oid.snmpEngineBoots, () => integer(facts().boots)),
    scalar(Oid.snmpEngineTime, () => integer(facts().engineSeconds)),
    lock(Oid.usmUserSpinLock, 'usm'),
    lock(Oid.vacmViewSpinLock, 'vacm'),
  ];
}
