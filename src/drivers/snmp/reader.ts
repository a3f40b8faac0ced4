/**
 * Reads a VLAN switch: what has to be known of it once, and what a decision needs each time, either one VLAN and
 * its two ports or the whole table. Notices restarts, after which everything may be numbered anew. Writes nothing.
 */
import type { Connect } from '../driver.ts';
import type { Tell } from '../events.ts';
import { asFault, DeviceFault } from '../fault.ts';
import { type Owner, ownerOf, sameCircuit, samePlacement } from '../owner.ts';
import { isException, type Value } from './ber.ts';
import type { SnmpDialect } from './dialect.ts';
import { bytesOf, type Facts, learn, numberOf } from './inventory.ts';
import { Oid, RowStatus } from './oids.ts';
import { readPorts } from './portlist.ts';
import type { SnmpSession } from './session.ts';
import { freeVlan, type Image, type Row, vlanOf, type Wish } from './vlan.ts';

export interface Scene {
  /** Every VLAN was read, not only the one. */
  readonly whole: boolean;
  readonly image: Image;
  readonly wish: Wish;
}

/** Stands for the ports of a row of ours that has none left; it can be released, and nothing else. */
export const NO_PORT = '-';

export interface ReaderOptions {
  readonly device: string;
  readonly dialect: SnmpDialect;
  readonly internalVlans: readonly [number, number];
  readonly onReboot: () => void;
}

export class SwitchReader {
  readonly #device: string;
  readonly #dialect: SnmpDialect;
  readonly #internal: readonly [number, number];
  readonly #session: SnmpSession;
  readonly #tell: Tell;
  readonly #onReboot: () => void;
  #facts: Promise<Facts> | undefined;
  #upTicks = 0;
  /** Known once it has been asked. */
  hasLock = false;

  constructor(session: SnmpSession, options: ReaderOptions, tell: Tell) {
    this.#session = session;
    this.#device = options.device;
    this.#dialect = options.dialect;
    this.#internal = options.internalVlans;
    this.#onReboot = options.onReboot;
    this.#tell = tell;
  }

  known(): Promise<Facts> {
    if (this.#dialect.refused !== undefined) {
      return Promise.reject(new DeviceFault('unsupported', `${this.#device}: ${this.#dialect.refused}`));
    }
    if (this.#facts === undefined) {
      const learning = learn(this.#session, this.#dialect.listOctets);
      this.#facts = learning;
      learning.then(
        (facts) => {
          this.hasLock = facts.lock !== undefined;
          this.#tell({ event: 'device.connected', device: this.#device, protocol: 'snmp' });
        },
        // What could not be learnt is asked again the next time.
        () => {
          this.#facts = undefined;
        },
      );
    }
    return this.#facts;
  }

  /** A restart may have numbered everything anew. */
  noteUpTime(value: Value | undefined): boolean {
    const ticks = numberOf(value) ?? 0;
    const restarted = ticks < this.#upTicks;
    this.#upTicks = ticks;
    if (restarted) {
      this.#facts = undefined;
      this.#tell({ event: 'device.rebooted', device: this.#device, detail: 'sysUpTime went back' });
      this.#onReboot();
    }
    return restarted;
  }

  #row(facts: Facts, name: Value, egress: Value, untagged: Value, status: Value): Row | undefined {
    if (isException(status)) return undefined;
    const list = bytesOf(egress) ?? Buffer.alloc(0);
    return {
      name: bytesOf(name)?.toString('utf8') ?? '',
      egress: readPorts(list),
      untagged: readPorts(bytesOf(untagged) ?? Buffer.alloc(0)),
      octets: this.#dialect.listOctets ?? (list.length > 0 ? list.length : facts.listOctets),
      active: numberOf(status) === RowStatus.active,
    };
  }

  async table(facts: Facts): Promise<Image> {
    const [up, lock] = await this.#session.get([Oid.sysUpTime, ...lockOf(facts)]);
    this.noteUpTime(up);
    const [names, egress, untagged, status, pvid] = await Promise.all([
      this.#session.walk(Oid.dot1qVlanStaticName),
      this.#session.walk(Oid.dot1qVlanStaticEgressPorts),
      this.#session.walk(Oid.dot1qVlanStaticUntaggedPorts),
      this.#session.walk(Oid.dot1qVlanStaticRowStatus),
      this.#session.walk(Oid.dot1qPvid),
    ]);
    const none: Value = { tag: 0x81, value: null };
    const rows = new Map<number, Row>();
    for (const [vlan, value] of status) {
      const of = (column: Map<string, Value>): Value => column.get(vlan) ?? none;
      const row = this.#row(facts, of(names), of(egress), of(untagged), value);
      if (row !== undefined) rows.set(Number(vlan), row);
    }
    const pvids = new Map([...pvid].map(([port, value]) => [Number(port), numberOf(value) ?? 0]));
    return { rows, pvids, octets: facts.listOctets, ...lockValue(lock) };
  }

  /** One question for one VLAN and its two ports: all that a tagged circuit needs. */
  async #single(facts: Facts, vlan: number, ports: readonly number[]): Promise<Image> {
    const lock = lockOf(facts);
    // The lock stands first: an agent that takes its time over a question must read it before the rest.
    const answers = await this.#session.get([
      ...lock,
      `${Oid.dot1qVlanStaticName}.${vlan}`,
      `${Oid.dot1qVlanStaticEgressPorts}.${vlan}`,
      `${Oid.dot1qVlanStaticUntaggedPorts}.${vlan}`,
      `${Oid.dot1qVlanStaticRowStatus}.${vlan}`,
      Oid.sysUpTime,
      ...ports.map((port) => `${Oid.dot1qPvid}.${port}`),
    ]);
    const rest = answers.slice(lock.length);
    const [name, egress, untagged, status, up, ...pvids] = rest as [Value, Value, Value, Value, Value];
    if (this.noteUpTime(up)) throw new DeviceFault('unreachable', `${this.#device}: it has restarted`);
    const row = this.#row(facts, name, egress, untagged, status);
    return {
      rows: new Map(row === undefined ? [] : [[vlan, row]]),
      pvids: new Map(ports.map((port, i) => [port, numberOf(pvids[i]) ?? 0])),
      octets: facts.listOctets,
      ...lockValue(facts.lock === undefined ? undefined : answers[0]),
    };
  }

  /** `vlan` keeps to one that was chosen before, where the choice is ours. */
  async scene(connect: Connect, vlan?: number): Promise<Scene> {
    try {
      return await this.#look(connect, await this.known(), vlan);
    } catch (error) {
      // It restarted between two questions: learn it anew, once.
      if (asFault(error).kind !== 'unreachable') throw error;
      return this.#look(connect, await this.known(), vlan);
    }
  }

  async #look({ in: a, out: z, owner }: Connect, facts: Facts, chosen?: number): Promise<Scene> {
    const number = (name: string): number => {
      const port = name === NO_PORT ? 0 : facts.portOf.get(name);
      if (port === undefined) throw new DeviceFault('unsupported', `${this.#device}: no such port`);
      return port;
    };
    const ports: readonly [number, number] = [number(a.port), number(z.port)];
    const bare = a.port === NO_PORT && z.port === NO_PORT;
    if (ports[0] === ports[1] && !bare) throw new DeviceFault('unsupported', 'a connection needs two ports');
    const untagged = ports.filter((_port, i) => (i === 0 ? a : z).label === 0);
    const label = vlanOf(a.label, z.label);
    if (label < 0 || label > 4094) throw new DeviceFault('unsupported', `no VLAN has the number ${label}`);
    if (untagged.length === 0 && !bare) {
      const image = await this.#single(facts, label, ports);
      const wish = { owner, vlan: label, ports, untagged };
      // Ports that are or were untagged in this VLAN concern the idle VLAN too: then all of them are read.
      const concerns =
        (image.rows.get(label)?.untagged.size ?? 0) > 0 ||
        ports.some((port) => image.pvids.get(port) === label);
      if (!concerns) return { whole: false, image, wish };
    }
    const image = await this.table(facts);
    const vlan = label !== 0 ? label : (chosen ?? this.#vlanBetween(image, owner, ports));
    return { whole: true, image, wish: { owner, vlan, ports, untagged } };
  }

  /** The VLAN that this circuit has between its untagged ports, or a free one. */
  #vlanBetween(image: Image, owner: Owner, ports: readonly number[]): number {
    let older: number | undefined;
    for (const [vlan, row] of image.rows) {
      const found = ownerOf(row.name);
      if (found === undefined || !sameCircuit(found, owner)) continue;
      if (row.untagged.size !== row.egress.size) continue;
      // A row without ports is what a release leaves that was broken off: it is this circuit's all the same.
      const mine = row.egress.size === 0 || ports.some((port) => row.egress.has(port));
      if (!mine) continue;
      if (found.version === owner.version) return vlan;
      older = vlan;
    }
    return older ?? freeVlan(image, this.#internal);
  }

  async stillSet(facts: Facts, wish: Wish): Promise<boolean> {
    const row = (await this.#single(facts, wish.vlan, wish.ports)).rows.get(wish.vlan);
    const owner = row === undefined ? undefined : ownerOf(row.name);
    return owner !== undefined && samePlacement(owner, wish.owner);
  }

  /** Ports that are down are left out of the operational view: their absence says nothing about the VLAN. */
  async forwards(facts: Facts, wish: Wish): Promise<boolean> {
    const [egress, ...up] = await this.#session.get([
      `${Oid.dot1qVlanCurrentEgressPorts}.0.${wish.vlan}`,
      ...wish.ports.map((port) => `${Oid.ifOperStatus}.${facts.ifIndexOf.get(port)}`),
    ]);
    const forwarded = readPorts(bytesOf(egress) ?? Buffer.alloc(0));
    return wish.ports.every((port, i) => forwarded.has(port) || numberOf(up[i]) !== 1);
  }

  /** The same view of the switch as `before` had, now. */
  async again({ wish }: Scene): Promise<Image> {
    const facts = await this.known();
    return wish.untagged.length === 0 ? this.#single(facts, wish.vlan, wish.ports) : this.table(facts);
  }
}

const lockOf = ({ lock }: Facts): readonly string[] => (lock === undefined ? [] : [lock]);

function lockValue(value: Value | undefined): { readonly lock?: number } {
  const lock = numberOf(value);
  return lock === undefined ? {} : { lock };
}
