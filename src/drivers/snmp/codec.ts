/**
 * SNMP messages as bytes: v2c (RFC 3416) and v3 with the user-based security model (RFC 3412, 3414). Reads and
 * writes; what a message means to a MIB is elsewhere. Used by the emulated agents and to look at datagrams. The
 * algorithms are HMAC-SHA-256 cut to 24 octets (RFC 7860) and AES-128 in cipher feedback (RFC 3826).
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { BerError, BerReader, element, Tag, type Value, writeInteger, writeOid, writeValue } from './ber.ts';

export const PduType = {
  Get: 0xa0,
  GetNext: 0xa1,
  Response: 0xa2,
  Set: 0xa3,
  GetBulk: 0xa5,
  Inform: 0xa6,
  Trap: 0xa7,
  Report: 0xa8,
} as const;

export interface VarBind {
  readonly oid: string;
  readonly value: Value;
}

export interface Pdu {
  readonly type: number;
  readonly id: number;
  /** Error status, or the non-repeaters of a GETBULK. */
  readonly status: number;
  /** Error index, or the repetitions of a GETBULK. */
  readonly index: number;
  readonly varbinds: readonly VarBind[];
}

export interface CommunityMessage {
  readonly version: 1;
  readonly community: Buffer;
  readonly pdu: Pdu;
}

export interface Security {
  readonly engineId: Buffer;
  readonly boots: number;
  readonly time: number;
  readonly user: string;
}

export const Flag = { Auth: 1, Priv: 2, Reportable: 4 } as const;

export interface SecureMessage {
  readonly version: 3;
  readonly id: number;
  readonly maxSize: number;
  readonly flags: number;
  readonly security: Security;
  /** Where the digest lies in the datagram, and how long it is. */
  readonly digestAt: number;
  readonly digestLength: number;
  readonly salt: Buffer;
  /** The scoped PDU in clear, or its cipher. */
  readonly scoped: Buffer;
}

export type Message = CommunityMessage | SecureMessage;

/** More than this in one PDU is nobody's honest request. */
const MOST_VARBINDS = 2_048;

function readPdu(reader: BerReader): Pdu {
  const type = reader.peek();
  if (type < 0xa0 || type > 0xa8) throw new BerError('not a PDU');
  const body = reader.sequence(type);
  const [id, status, index] = [body.integer(), body.integer(), body.integer()];
  const list = body.sequence();
  const varbinds: VarBind[] = [];
  while (!list.done) {
    if (varbinds.length >= MOST_VARBINDS) throw new BerError('too many variables');
    const pair = list.sequence();
    varbinds.push({ oid: pair.oid(), value: pair.value() });
  }
  return { type, id, status, index, varbinds };
}

const writePdu = (pdu: Pdu): Buffer =>
  element(
    pdu.type,
    writeInteger(pdu.id),
    writeInteger(pdu.status),
    writeInteger(pdu.index),
    element(
      Tag.Sequence,
      ...pdu.varbinds.map(({ oid, value }) => element(Tag.Sequence, writeOid(oid), writeValue(value))),
    ),
  );

/** Throws a BerError for anything that is not a whole message of version 2c or 3. */
export function readMessage(datagram: Buffer): Message {
  const reader = new BerReader(datagram).sequence();
  const version = reader.integer();
  if (version === 1) return { version, community: reader.octets(), pdu: readPdu(reader) };
  if (version !== 3) throw new BerError(`version ${version}`);
  const global = reader.sequence();
  const [id, maxSize] = [global.integer(), global.integer()];
  const flags = global.octets()[0] ?? 0;
  if (global.integer() !== 3) throw new BerError('not the user-based security model');
  const usm = new BerReader(reader.octets()).sequence();
  const security: Security = {
    engineId: Buffer.from(usm.octets()),
    boots: usm.integer(),
    time: usm.integer(),
    user: usm.octets().toString('utf8'),
  };
  const auth = usm.octets();
  const salt = usm.octets();
  const scoped =
    (flags & Flag.Priv) !== 0 ? Buffer.from(reader.octets()) : Buffer.from(datagram.subarray(reader.offset));
  return {
    version,
    id,
    maxSize,
    flags,
    security,
    digestAt: auth.byteOffset - datagram.byteOffset,
    digestLength: auth.length,
    salt,
    scoped,
  };
}

export const writeCommunity = (community: Buffer, pdu: Pdu): Buffer =>
  element(Tag.Sequence, writeInteger(1), element(Tag.OctetString, community), writePdu(pdu));

export interface Scoped {
  readonly contextEngineId: Buffer;
  readonly contextName: Buffer;
  readonly pdu: Pdu;
}

export function readScoped(bytes: Buffer): Scoped {
  const scoped = new BerReader(bytes).sequence();
  return { contextEngineId: scoped.octets(), contextName: scoped.octets(), pdu: readPdu(scoped) };
}

export interface Keys {
  readonly auth: Buffer;
  readonly priv: Buffer;
}

/** Checks and opens a message; undefined when its digest is not right. */
export function openSecure(datagram: Buffer, message: SecureMessage, keys: Keys): Scoped | undefined {
  if ((message.flags & Flag.Auth) !== 0) {
    if (message.digestLength !== AUTH_LENGTH || !authentic(keys.auth, datagram, message.digestAt)) {
      return undefined;
    }
  }
  const { boots, time } = message.security;
  return readScoped(
    (message.flags & Flag.Priv) !== 0
      ? decrypt(keys.priv, boots, time, message.salt, message.scoped)
      : message.scoped,
  );
}

/** `keys` and `salt` are for messages with Flag.Auth and Flag.Priv. */
export function writeSecure(
  head: { readonly id: number; readonly flags: number; readonly security: Security },
  scoped: Scoped,
  keys?: Keys,
  salt: Buffer = Buffer.alloc(0),
): Buffer {
  const { security, flags } = head;
  const plain = element(
    Tag.Sequence,
    element(Tag.OctetString, scoped.contextEngineId),
    element(Tag.OctetString, scoped.contextName),
    writePdu(scoped.pdu),
  );
  const secret = (flags & Flag.Priv) !== 0 && keys !== undefined;
  const body = secret
    ? element(Tag.OctetString, encrypt(keys.priv, security.boots, security.time, salt, plain))
    : plain;
  const signed = (flags & Flag.Auth) !== 0 && keys !== undefined;
  const usm = element(
    Tag.OctetString,
    element(
      Tag.Sequence,
      element(Tag.OctetString, security.engineId),
      writeInteger(security.boots),
      writeInteger(security.time),
      element(Tag.OctetString, Buffer.from(security.user, 'utf8')),
      element(Tag.OctetString, Buffer.alloc(signed ? AUTH_LENGTH : 0)),
      element(Tag.OctetString, secret ? salt : Buffer.alloc(0)),
    ),
  );
  const whole = element(
    Tag.Sequence,
    writeInteger(3),
    element(
      Tag.Sequence,
      writeInteger(head.id),
      writeInteger(65_507),
      element(Tag.OctetString, Buffer.from([flags])),
      writeInteger(3),
    ),
    usm,
    body,
  );
  if (signed) {
    // The digest's place is found again by reading: one rule for where it lies, not two.
    const message = readMessage(whole);
    if (message.version === 3) digest(keys.auth, whole).copy(whole, message.digestAt);
  }
  return whole;
}

const AUTH_LENGTH = 24;
const PASSWORD_STREAM = 1_048_576;

/** The key of a password for one engine (RFC 3414 A.2): a megabyte of the password, hashed, then bound. */
export function localizedKey(password: string, engineId: Buffer): Buffer {
  const stream = createHash('sha256').update(Buffer.alloc(PASSWORD_STREAM, password)).digest();
  return createHash('sha256').update(stream).update(engineId).update(stream).digest();
}

/** The digest of a whole message whose own field for it is zeros. */
const digest = (key: Buffer, message: Buffer): Buffer =>
  createHmac('sha256', key).update(message).digest().subarray(0, AUTH_LENGTH);

/** Checks the digest that lies at `offset`; the message is left as it was. */
function authentic(key: Buffer, message: Buffer, offset: number): boolean {
  const copy = Buffer.from(message);
  copy.fill(0, offset, offset + AUTH_LENGTH);
  return timingSafeEqual(digest(key, copy), message.subarray(offset, offset + AUTH_LENGTH));
}

function vector(boots: number, time: number, salt: Buffer): Buffer {
  const iv = Buffer.alloc(16);
  iv.writeUInt32BE(boots >>> 0, 0);
  iv.writeUInt32BE(time >>> 0, 4);
  salt.copy(iv, 8, 0, 8);
  return iv;
}

function encrypt(key: Buffer, boots: number, time: number, salt: Buffer, plain: Buffer): Buffer {
  const cipher = createCipheriv('aes-128-cfb', key.subarray(0, 16), vector(boots, time, salt));
  return Buffer.concat([cipher.update(plain), cipher.final()]);
}

function decrypt(key: Buffer, boots: number, time: number, salt: Buffer, secret: Buffer): Buffer {
  const cipher = createDecipheriv('aes-128-cfb', key.subarray(0, 16), vector(boots, time, salt));
  return Buffer.concat([cipher.update(secret), cipher.final()]);
}
