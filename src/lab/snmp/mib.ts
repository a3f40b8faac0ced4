/**
 * The MIB of an emulated bridge: what can be read at which OID, and SET as RFC 3416 and RFC 2579 want it. A SET
 * is checked as a whole, rows with their new columns, before anything of it is done. Bytes and datagrams are in
 * snmp-agent.ts.
 */
import {
  compareOids,
  NO_SUCH_INSTANCE,
  NO_SUCH_OBJECT,
  oidParts,
  Tag,
  type Value,
} from '../../drivers/snmp/ber.ts';
import type { VarBind } from '../../drivers/snmp/codec.ts';
import { Oid, RowStatus, type StatusName } from '../../drivers/snmp/oids.ts';
import { readPorts } from '../../drivers/snmp/portlist.ts';
import type { Bridge, Vlan } from './bridge.ts';
import { type AgentFacts, type Column, declareColumns } from './columns.ts';

export interface Refused {
  readonly status: StatusName;
  /** Which of the variables, from 1. */
  readonly index: number;
}

type Draft = { -readonly [K in keyof Vlan]: Vlan[K] };

export class BridgeMib {
  readonly #bridge: Bridge;
  readonly #now: () => number;
  readonly #columns: Column[];
  readonly #byOid: Map<string, Column>;
  readonly locks = { vacm: 17, usm: 23 };
  /** The next commits fail half way. */
  failCommits = 0;

  constructor(bridge: Bridge, now: () => number, facts: () => AgentFacts) {
    this.#bridge = bridge;
    this.#now = now;
    this.#columns = declareColumns(bridge, now, facts, this.locks).toSorted((a, b) =>
      compareOids(a.parts, b.parts),
    );
    this.#byOid = new Map(this.#columns.map((column) => [column.oid, column]));
  }

  #split(oid: string): { column: Column; index: string } | undefined {
    for (let at = oid.lastIndexOf('.'); at > 0; at = oid.lastIndexOf('.', at - 1)) {
      const column = this.#byOid.get(oid.slice(0, at));
      if (column !== undefined) return { column, index: oid.slice(at + 1) };
    }
    return undefined;
  }

  get(oid: string): Value {
    const place = this.#split(oid);
    if (place === undefined) return NO_SUCH_OBJECT;
    return place.column.read(place.index) ?? NO_SUCH_INSTANCE;
  }

  /** The first variable behind an OID; undefined at the end. */
  next(oid: string): VarBind | undefined {
    const parts = oidParts(oid);
    for (const column of this.#columns) {
      const head = parts.slice(0, column.parts.length);
      if (compareOids(column.parts, head) < 0) continue;
      const inside = compareOids(column.parts, head) === 0;
      for (const index of column.rows()) {
        if (inside && compareOids([...column.parts, ...oidParts(index)], parts) <= 0) continue;
        const value = column.read(index);
        if (value !== undefined) return { oid: `${column.oid}.${index}`, value };
      }
    }
    return undefined;
  }

  /** Two phases: everything is checked on drafts, then all drafts are taken over at once. */
  set(varbinds: readonly VarBind[], settleMs: number): Refused | undefined {
    const { vlans, pvids, ports, quirks } = this.#bridge;
    const drafts = new Map<number, Draft | undefined>();
    const draft = (id: number): Draft | undefined => {
      if (!drafts.has(id)) {
        const vlan = vlans.get(id);
        drafts.set(id, vlan === undefined ? undefined : { ...vlan });
      }
      return drafts.get(id);
    };
    const newPvids = new Map<number, number>();
    const later: (() => void)[] = [];
    const refuse = (i: number, status: StatusName): Refused => ({ status, index: i + 1 });

    // Row status first, wherever it stands: RFC 3416 makes the order of variables meaningless.
    const created = new Map<number, number>();
    const destroyed = new Set<number>();
    for (const [i, { oid, value }] of varbinds.entries()) {
      const place = this.#split(oid);
      if (place?.column.oid !== Oid.dot1qVlanStaticRowStatus) continue;
      if (value.tag !== Tag.Integer) return refuse(i, 'wrongType');
      const id = Number(place.index);
      if (!(id >= 1 && id <= 4094)) return refuse(i, 'noCreation');
      const there = draft(id);
      switch (value.value) {
        case RowStatus.createAndGo:
        case RowStatus.createAndWait: {
          if (there !== undefined) return refuse(i, 'inconsistentValue');
          if (value.value === RowStatus.createAndGo && quirks.create === 'wait')
            return refuse(i, 'wrongValue');
          if (vlans.size >= quirks.maxVlans) return refuse(i, 'resourceUnavailable');
          created.set(id, i);
          drafts.set(id, {
            name: '',
            egress: new Set(),
            forbidden: new Set(),
            untagged: new Set(),
            status: value.value === RowStatus.createAndGo ? 'active' : 'notInService',
          });
          break;
        }
        case RowStatus.active:
        case RowStatus.notInService:
          if (there === undefined) return refuse(i, 'inconsistentValue');
          there.status = value.value === RowStatus.active ? 'active' : 'notInService';
          break;
        case RowStatus.destroy:
          if (id === 1) return refuse(i, 'inconsistentValue');
          drafts.set(id, undefined);
          destroyed.add(id);
          break;
        default:
          return refuse(i, 'wrongValue');
      }
    }

    for (const [i, { oid, value }] of varbinds.entries()) {
      const place = this.#split(oid);
      if (place === undefined) return refuse(i, 'noAccess');
      const { column, index } = place;
      const portOfIf = ports.find((port) => `${port.ifIndex}` === index);
      switch (column.oid) {
        case Oid.dot1qVlanStaticRowStatus:
          continue;
        case Oid.dot1qVlanStaticName:
        case Oid.dot1qVlanStaticEgressPorts:
        case Oid.dot1qVlanForbiddenEgressPorts:
        case Oid.dot1qVlanStaticUntaggedPorts: {
          if (value.tag !== Tag.OctetString) return refuse(i, 'wrongType');
          const id = Number(index);
          const vlan = draft(id);
          if (vlan === undefined || destroyed.has(id)) return refuse(i, 'inconsistentName');
          if (created.has(id) && quirks.create !== 'one') return refuse(i, 'inconsistentName');
          if (column.oid === Oid.dot1qVlanStaticName) {
            if (value.value.length > 32) return refuse(i, 'wrongLength');
            vlan.name = value.value.toString('utf8');
            continue;
          }
          if (quirks.ascii) return refuse(i, 'notWritable');
          if (quirks.strictLength && value.value.length !== quirks.listOctets)
            return refuse(i, 'wrongLength');
          const list = readPorts(value.value);
          if ([...list].some((port) => port > ports.length)) return refuse(i, 'wrongValue');
          if (column.oid === Oid.dot1qVlanStaticEgressPorts) vlan.egress = list;
          else if (column.oid === Oid.dot1qVlanStaticUntaggedPorts) vlan.untagged = list;
          else vlan.forbidden = list;
          continue;
        }
        case Oid.dot1qPvid: {
          if (value.tag !== Tag.Gauge32) return refuse(i, 'wrongType');
          const port = ports[Number(index) - 1];
          if (port === undefined) return refuse(i, 'noCreation');
          if (draft(value.value) === undefined) return refuse(i, 'inconsistentValue');
          newPvids.set(port.bridgePort, value.value);
          continue;
        }
        case Oid.ifAlias:
          if (portOfIf === undefined) return refuse(i, 'noCreation');
          if (value.tag !== Tag.OctetString) return refuse(i, 'wrongType');
          if (value.value.length > 64) return refuse(i, 'wrongLength');
          later.push(() => {
            portOfIf.alias = value.value.toString('utf8');
          });
          continue;
        case Oid.ifAdminStatus:
          if (portOfIf === undefined) return refuse(i, 'noCreation');
          if (value.tag !== Tag.Integer) return refuse(i, 'wrongType');
          if (value.value !== 1 && value.value !== 2) return refuse(i, 'wrongValue');
          later.push(() => {
            portOfIf.adminUp = value.value === 1;
          });
          continue;
        case Oid.vacmViewSpinLock.slice(0, -2):
        case Oid.usmUserSpinLock.slice(0, -2): {
          if (!quirks.locks || index !== '0') return refuse(i, 'noCreation');
          if (value.tag !== Tag.Integer) return refuse(i, 'wrongType');
          const which = column.oid === Oid.vacmViewSpinLock.slice(0, -2) ? 'vacm' : 'usm';
          // TestAndIncr (RFC 2579): the old value is the password, and using it changes it.
          if (value.value !== this.locks[which]) return refuse(i, 'inconsistentValue');
          later.push(() => {
            this.locks[which] = value.value === 2_147_483_647 ? 0 : value.value + 1;
          });
          continue;
        }
        default:
          return refuse(i, 'notWritable');
      }
    }

    const broken = this.#inconsistent(drafts, newPvids);
    if (broken !== undefined) {
      const i = varbinds.findIndex(({ oid }) => this.#split(oid)?.index === `${broken}`);
      return refuse(Math.max(0, i), 'inconsistentValue');
    }

    const half = this.failCommits > 0;
    if (half) this.failCommits -= 1;
    const changes = [...drafts];
    for (const [id, vlan] of half ? changes.slice(0, Math.ceil(changes.length / 2)) : changes) {
      if (vlan === undefined) vlans.delete(id);
      else vlans.set(id, vlan);
    }
    if (!half) {
      for (const [port, vlan] of newPvids) pvids.set(port, vlan);
      for (const act of later) act();
    }
    this.#bridge.changed(this.#now(), settleMs);
    return half ? refuse(0, 'commitFailed') : undefined;
  }

  /** The VLAN whose draft goes against the bridge's rules. */
  #inconsistent(
    drafts: ReadonlyMap<number, Draft | undefined>,
    newPvids: ReadonlyMap<number, number>,
  ): number | undefined {
    const { vlans, pvids, quirks } = this.#bridge;
    const after = new Map<number, Vlan>(vlans);
    for (const [id, vlan] of drafts) {
      if (vlan === undefined) after.delete(id);
      else after.set(id, vlan);
    }
    for (const [id, vlan] of drafts) {
      if (vlan === undefined) {
        // A VLAN that is some port's PVID cannot go.
        for (const [port, pvid] of pvids) if ((newPvids.get(port) ?? pvid) === id) return id;
        continue;
      }
      for (const port of vlan.untagged) if (!vlan.egress.has(port)) return id;
      for (const port of vlan.egress) if (vlan.forbidden.has(port)) return id;
      if (!quirks.leaveFirst) continue;
      for (const port of vlan.untagged) {
        for (const [other, { untagged }] of after) if (other !== id && untagged.has(port)) return id;
      }
    }
    return undefined;
  }
}
