/**
 * An emulated SNMP switch on a real UDP port: v2c and v3 (SHA-256, AES-128) with discovery, time windows and
 * reports as RFC 3414 wants them. Written on our own codec, independently of the library that the driver uses, so
 * that each is a witness of the other; Debian's tools are a third.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { END_OF_MIB, integer, oidValue, Tag, ticks, type Value } from '../../drivers/snmp/ber.ts';
import {
  Flag,
  type Keys,
  localizedKey,
  openSecure,
  type Pdu,
  PduType,
  readMessage,
  readScoped,
  type Scoped,
  type SecureMessage,
  type VarBind,
  writeCommunity,
  writeSecure,
} from '../../drivers/snmp/codec.ts';
import { Oid, statusNames } from '../../drivers/snmp/oids.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import { type Faults, noFaults, takeLostAnswer, takeTime } from '../faults.ts';
import type { LabPort } from '../ports.ts';
import { Bridge, quirksOf, standardQuirks } from './bridge.ts';
import { BridgeMib, type Refused } from './mib.ts';

export interface SnmpUser {
  readonly user: string;
  readonly authKey: string;
  readonly privKey: string;
}

export interface SnmpElementOptions {
  readonly id: string;
  readonly dialect: string;
  readonly ports: readonly LabPort[];
  readonly community?: string;
  readonly user?: SnmpUser;
  readonly faults?: Partial<Faults>;
  /** Where it sends its traps. */
  readonly trapsTo?: { readonly host: string; readonly port: number };
}

const TIME_WINDOW_S = 150;
/** What fits into one datagram on the loopback without fragments of a real network in mind. */
const MOST_ANSWER_BYTES = 8_000;
const USM_STATS = '1.3.6.1.6.3.15.1.1';
const Report = { level: 1, window: 2, user: 3, engine: 4, digest: 5, decrypt: 6 } as const;

const sender = ({ id, security }: SecureMessage): { id: number; user: string } => ({
  id,
  user: security.user,
});

export class SnmpElement {
  readonly id: string;
  readonly protocol = 'snmp';
  readonly dialect: string;
  readonly bridge: Bridge;
  readonly mib: BridgeMib;
  readonly faults: Faults;
  /** SETs carried out, for tests that count. */
  sets = 0;
  readonly #options: SnmpElementOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #engineId: Buffer;
  #keys: Keys | undefined;
  #boots = 1;
  #bootedAt: number;
  #socket: Socket | undefined;
  #salt = 0;

  constructor(options: SnmpElementOptions, clock: Clock, random: Random) {
    this.id = options.id;
    this.dialect = options.dialect;
    this.#options = options;
    this.#clock = clock;
    this.#random = random;
    this.#bootedAt = clock.now();
    this.faults = { ...noFaults(), ...options.faults };
    // RFC 3411: our own enterprise form would need a number; 0x04 is administratively assigned text.
    this.#engineId = Buffer.concat([Buffer.from([0x80, 0, 0, 0, 4]), Buffer.from(options.id.slice(0, 27))]);
    this.bridge = new Bridge(options.id, options.ports, quirksOf[options.dialect] ?? standardQuirks);
    this.mib = new BridgeMib(
      this.bridge,
      () => clock.now(),
      () => ({
        upTicks: Math.floor((clock.now() - this.#bootedAt) / 10),
        boots: this.#boots,
        engineSeconds: this.#seconds,
      }),
    );
  }

  get #seconds(): number {
    return Math.floor((this.#clock.now() - this.#bootedAt) / 1000);
  }

  /** Keys take milliseconds to make and are only wanted where somebody asks. */
  get #userKeys(): Keys | undefined {
    const { user } = this.#options;
    if (user === undefined) return undefined;
    this.#keys ??= {
      auth: localizedKey(user.authKey, this.#engineId),
      priv: localizedKey(user.privKey, this.#engineId),
    };
    return this.#keys;
  }

  listen(port = 0, host = '127.0.0.1'): Promise<number> {
    const socket = createSocket('udp4');
    this.#socket = socket;
    socket.on('message', (datagram, from) => {
      this.#receive(datagram, from).catch(() => {});
    });
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(port, host, () => {
        socket.on('error', () => {});
        resolve(socket.address().port);
      });
    });
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket !== undefined) await new Promise<void>((resolve) => socket.close(() => resolve()));
  }

  /** Back to the factory state, with its engine's clock at zero. */
  reboot(): void {
    this.#boots += 1;
    this.#bootedAt = this.#clock.now();
    this.bridge.reset();
  }

  /** Somebody else changes the switch at its own console. */
  foreign(change: (bridge: Bridge) => void): void {
    change(this.bridge);
    this.bridge.changed(this.#clock.now(), 0);
  }

  /** Somebody joins two ports at the console, in a VLAN of their own; label 0 takes them out of VLAN 1. */
  joinByHand(a: string, z: string, label: number): void {
    this.foreign((bridge) => {
      const ports = bridge.ports
        .filter(({ name }) => name === a || name === z)
        .map((port) => port.bridgePort);
      const id = label === 0 ? 4_000 : label;
      const old = bridge.vlans.get(1);
      if (label === 0 && old !== undefined) {
        const left = (set: ReadonlySet<number>): Set<number> =>
          new Set([...set].filter((p) => !ports.includes(p)));
        bridge.vlans.set(1, { ...old, egress: left(old.egress), untagged: left(old.untagged) });
        for (const port of ports) bridge.pvids.set(port, id);
      }
      bridge.vlans.set(id, {
        name: 'by hand',
        egress: new Set(ports),
        forbidden: new Set(),
        untagged: new Set(label === 0 ? ports : []),
        status: 'active',
      });
    });
  }

  /** A cable is pulled, or put back: a trap tells of it, if it is to send any. */
  link(name: string, up: boolean): void {
    const port = this.bridge.ports.find((one) => one.name === name);
    if (port === undefined) throw new Error(`${this.id} has no port ${name}`);
    port.up = up;
    this.bridge.changed(this.#clock.now(), 0);
    const to = this.#options.trapsTo;
    const index = { oid: `1.3.6.1.2.1.2.2.1.1.${port.ifIndex}`, value: integer(port.ifIndex) };
    if (to !== undefined) this.trap(to, up ? Oid.linkUp : Oid.linkDown, [index]);
  }

  /** Sends an SNMPv2 trap to somebody who listens, in the version and with the keys that it is asked by. */
  trap(
    to: { readonly host: string; readonly port: number },
    oid: string,
    more: readonly VarBind[] = [],
  ): void {
    const upTicks = Math.floor((this.#clock.now() - this.#bootedAt) / 10);
    const varbinds = [
      { oid: Oid.sysUpTime, value: ticks(upTicks) },
      { oid: Oid.snmpTrapOid, value: oidValue(oid) },
      ...more,
    ];
    const pdu: Pdu = { type: PduType.Trap, id: this.#random.int(2 ** 23), status: 0, index: 0, varbinds };
    const { community, user } = this.#options;
    const scoped = { contextEngineId: this.#engineId, contextName: Buffer.alloc(0), pdu };
    const bytes =
      user === undefined
        ? writeCommunity(Buffer.from(community ?? 'public'), pdu)
        : this.#seal({ id: pdu.id, user: user.user }, Flag.Auth | Flag.Priv, scoped);
    this.#socket?.send(bytes, to.port, to.host);
  }

  #reply(bytes: Buffer, to: RemoteInfo): void {
    if (this.faults.loss > 0 && this.#chance(this.faults.loss)) return;
    this.#socket?.send(bytes, to.port, to.address);
  }

  #chance(share: number): boolean {
    return this.#random.int(1_000_000) < share * 1_000_000;
  }

  async #receive(datagram: Buffer, from: RemoteInfo): Promise<void> {
    if (this.faults.mute) return;
    if (this.faults.loss > 0 && this.#chance(this.faults.loss)) return;
    const message = readMessage(datagram);
    if (message.version === 1) {
      const { community } = this.#options;
      if (community === undefined || !message.community.equals(Buffer.from(community))) return;
      const answer = await this.#answer(message.pdu);
      if (answer !== undefined) this.#reply(writeCommunity(message.community, answer), from);
      return;
    }
    const scoped = this.#admit(datagram, message);
    if (typeof scoped === 'number') {
      this.#reply(this.#report(message, scoped), from);
      return;
    }
    const answer = await this.#answer(scoped.pdu);
    if (answer === undefined) return;
    const flags = message.flags & (Flag.Auth | Flag.Priv);
    this.#reply(this.#seal(sender(message), flags, { ...scoped, pdu: answer }), from);
  }

  /** The checks of RFC 3414 section 3.2, in its order; a number is the report that is owed. */
  #admit(datagram: Buffer, message: SecureMessage): Scoped | number {
    const { security, flags } = message;
    if (!security.engineId.equals(this.#engineId)) return Report.engine;
    const keys = this.#userKeys;
    if (keys === undefined || security.user !== this.#options.user?.user) return Report.user;
    // Only protected requests are let in: there is no user with less.
    if ((flags & (Flag.Auth | Flag.Priv)) !== (Flag.Auth | Flag.Priv)) return Report.level;
    let scoped: Scoped | undefined;
    try {
      scoped = openSecure(datagram, message, keys);
    } catch {
      return Report.decrypt;
    }
    if (scoped === undefined) return Report.digest;
    if (security.boots !== this.#boots || Math.abs(security.time - this.#seconds) > TIME_WINDOW_S) {
      return Report.window;
    }
    return scoped;
  }

  #report(message: SecureMessage, which: number): Buffer {
    let id = 0;
    try {
      if ((message.flags & Flag.Priv) === 0) id = readScoped(message.scoped).pdu.id;
    } catch {
      // A report about something that could not be read carries no request's number.
    }
    const pdu: Pdu = {
      type: PduType.Report,
      id,
      status: 0,
      index: 0,
      varbinds: [{ oid: `${USM_STATS}.${which}.0`, value: { tag: Tag.Counter32, value: 1 } }],
    };
    const scoped = { contextEngineId: this.#engineId, contextName: Buffer.alloc(0), pdu };
    // A report of the time is signed, so that the asker may set its clock by it.
    return this.#seal(sender(message), which === Report.window ? Flag.Auth : 0, scoped);
  }

  #seal(to: { readonly id: number; readonly user: string }, flags: number, scoped: Scoped): Buffer {
    const salt = Buffer.alloc(8);
    this.#salt += 1;
    salt.writeUInt32BE(this.#boots, 0);
    salt.writeUInt32BE(this.#salt, 4);
    const security = {
      engineId: this.#engineId,
      boots: this.#boots,
      time: this.#seconds,
      user: to.user,
    };
    return writeSecure({ id: to.id, flags, security }, scoped, this.#userKeys, salt);
  }

  async #answer(pdu: Pdu): Promise<Pdu | undefined> {
    const write = pdu.type === PduType.Set;
    await takeTime(this.faults, write, this.#clock, this.#random);
    const response = (varbinds: readonly VarBind[], refused?: Refused): Pdu => ({
      type: PduType.Response,
      id: pdu.id,
      status: refused === undefined ? 0 : statusNames.indexOf(refused.status),
      index: refused?.index ?? 0,
      varbinds,
    });
    switch (pdu.type) {
      case PduType.Get:
        return response(pdu.varbinds.map(({ oid }) => ({ oid, value: this.mib.get(oid) })));
      case PduType.GetNext:
        return response(
          pdu.varbinds.map(({ oid }) => this.mib.next(oid) ?? { oid, value: END_OF_MIB as Value }),
        );
      case PduType.GetBulk:
        return response(this.#bulk(pdu));
      case PduType.Set: {
        const denied = this.faults.deny.shift();
        const status = statusNames.find((name) => name === denied);
        if (status !== undefined) return response(pdu.varbinds, { status, index: 1 });
        this.mib.failCommits = this.faults.failCommits;
        const refused = this.mib.set(pdu.varbinds, this.faults.settleMs);
        this.faults.failCommits = this.mib.failCommits;
        if (refused === undefined) this.sets += 1;
        if (takeLostAnswer(this.faults)) return undefined;
        return response(pdu.varbinds, refused);
      }
      default:
        return undefined;
    }
  }

  #bulk(pdu: Pdu): VarBind[] {
    const [singles, repeated] = [pdu.varbinds.slice(0, pdu.status), pdu.varbinds.slice(pdu.status)];
    const out: VarBind[] = singles.map(({ oid }) => this.mib.next(oid) ?? { oid, value: END_OF_MIB });
    let froms = repeated.map(({ oid }) => oid);
    let bytes = 0;
    for (let i = 0; i < Math.min(pdu.index, 100) && froms.length > 0; i++) {
      const row = froms.map((oid) => this.mib.next(oid) ?? { oid, value: END_OF_MIB });
      for (const { oid, value } of row)
        bytes += oid.length + (Buffer.isBuffer(value.value) ? value.value.length : 8);
      if (bytes > MOST_ANSWER_BYTES && i > 0) break;
      out.push(...row);
      if (row.every(({ value }) => value.tag === Tag.EndOfMibView)) break;
      froms = row.map(({ oid }) => oid);
    }
    return out;
  }
}
