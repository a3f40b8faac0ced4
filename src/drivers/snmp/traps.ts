/**
 * Traps (RFC 3416, and RFC 3414 for version 3). One is believed to come from a device if it comes from the address
 * that we ask there and proves the same credentials as an answer would: the community, or the user, the keys and
 * the engine, in time. Even then nothing in it is taken for true: it is a reason to ask the device.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../kernel/clock.ts';
import {
  Flag,
  type Keys,
  localizedKey,
  openSecure,
  type Pdu,
  PduType,
  readMessage,
  type SecureMessage,
} from './codec.ts';
import { Oid } from './oids.ts';
import { type Credentials, hearDatagrams } from './session.ts';

/** What is older than this beside the newest that was heard is a repetition (RFC 3414, 2.2.3). */
const TIME_WINDOW_S = 150;

export class TrapReader {
  readonly #credentials: Credentials;
  #keys: { readonly engineId: Buffer; readonly keys: Keys } | undefined;
  #boots = 0;
  #time = 0;

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  /** What kind of trap it is, by its OID; undefined when it is none of this device's. */
  read(datagram: Buffer, engineId: Buffer | undefined): string | undefined {
    try {
      const message = readMessage(datagram);
      const pdu = message.version === 1 ? this.#open(message) : this.#openSecure(datagram, message, engineId);
      if (pdu?.type !== PduType.Trap) return undefined;
      const kind = pdu.varbinds.find(({ oid }) => oid === Oid.snmpTrapOid)?.value.value;
      return typeof kind === 'string' ? kind : undefined;
    } catch {
      return undefined;
    }
  }

  #open({ community, pdu }: { readonly community: Buffer; readonly pdu: Pdu }): Pdu | undefined {
    if (this.#credentials.version !== 'v2c') return undefined;
    const ours = Buffer.from(this.#credentials.community());
    return ours.length === community.length && timingSafeEqual(ours, community) ? pdu : undefined;
  }

  #openSecure(datagram: Buffer, message: SecureMessage, engineId: Buffer | undefined): Pdu | undefined {
    const credentials = this.#credentials;
    const { security, flags } = message;
    const both = Flag.Auth | Flag.Priv;
    if (credentials.version !== 'v3' || security.user !== credentials.user || (flags & both) !== both)
      return undefined;
    // Keys belong to an engine and cost some milliseconds: they are made for the one that we ask, and no other.
    if (engineId === undefined || !security.engineId.equals(engineId)) return undefined;
    if (this.#keys?.engineId.equals(engineId) !== true) {
      const auth = localizedKey(credentials.authKey(), engineId);
      this.#keys = { engineId, keys: { auth, priv: localizedKey(credentials.privKey(), engineId) } };
    }
    const scoped = openSecure(datagram, message, this.#keys.keys);
    if (scoped === undefined || scoped.contextName.toString() !== (credentials.context ?? ''))
      return undefined;
    const { boots, time } = security;
    if (boots < this.#boots || (boots === this.#boots && time < this.#time - TIME_WINDOW_S)) return undefined;
    if (boots > this.#boots || time > this.#time) [this.#boots, this.#time] = [boots, time];
    return scoped.pdu;
  }
}

/** Something that may know the sender of a datagram; true when it did. */
export interface Hearer {
  hear?(datagram: Buffer, address: string): boolean;
}

/** More datagrams than this in one second are dropped unread: no storm of them may cost us more than that. */
const MOST_PER_SECOND = 500;

/** One socket for the traps of all devices. */
export class TrapEar {
  readonly #hearers: readonly Hearer[];
  readonly #clock: Clock;
  #second = 0;
  #heard = 0;
  #socket: { close(): void } | undefined;

  constructor(hearers: readonly Hearer[], clock: Clock) {
    this.#hearers = hearers;
    this.#clock = clock;
  }

  /** Says which port it is, when any free one was asked for. */
  async listen(port: number, host: string): Promise<number> {
    const socket = await hearDatagrams(host, port, (datagram, address) => {
      const second = Math.floor(this.#clock.now() / 1000);
      if (second !== this.#second) [this.#second, this.#heard] = [second, 0];
      this.#heard += 1;
      if (this.#heard > MOST_PER_SECOND) return;
      for (const hearer of this.#hearers) hearer.hear?.(datagram, address);
    });
    this.#socket = socket;
    return socket.port;
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}
