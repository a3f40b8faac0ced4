/**
 * The user-based security model (RFC 3414) with the algorithms that we use: HMAC-SHA-256 cut to 24 octets
 * (RFC 7860) and AES-128 in cipher feedback (RFC 3826). Pure but for the salt, which the caller gives.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, timingSafeEqual } from 'node:crypto';

export const AUTH_LENGTH = 24;
const PASSWORD_STREAM = 1_048_576;

/** The key of a password for one engine (RFC 3414 A.2): a megabyte of the password, hashed, then bound. */
export function localizedKey(password: string, engineId: Buffer): Buffer {
  const stream = createHash('sha256').update(Buffer.alloc(PASSWORD_STREAM, password)).digest();
  return createHash('sha256').update(stream).update(engineId).update(stream).digest();
}

/** The digest of a whole message whose own field for it is zeros. */
export const digest = (key: Buffer, message: Buffer): Buffer =>
  createHmac('sha256', key).update(message).digest().subarray(0, AUTH_LENGTH);

/** Checks the digest that lies at `offset`; the message is left as it was. */
export function authentic(key: Buffer, message: Buffer, offset: number): boolean {
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

export function encrypt(key: Buffer, boots: number, time: number, salt: Buffer, plain: Buffer): Buffer {
  const cipher = createCipheriv('aes-128-cfb', key.subarray(0, 16), vector(boots, time, salt));
  return Buffer.concat([cipher.update(plain), cipher.final()]);
}

export function decrypt(key: Buffer, boots: number, time: number, salt: Buffer, secret: Buffer): Buffer {
  const cipher = createDecipheriv('aes-128-cfb', key.subarray(0, 16), vector(boots, time, salt));
  return Buffer.concat([cipher.update(secret), cipher.final()]);
}
