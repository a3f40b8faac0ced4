/**
 * Ids say what they name (`cir_`, `evt_`, ...) and sort by the time they were made: 48 bits of time and 80
 * of chance in Crockford's base 32, like a ULID in lower case. An event's id is its place in the log
 * instead, so that "resume after this one" needs no lookup.
 */
import type { InstantMs } from './clock.ts';
import type { Random } from './random.ts';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

type Id<P extends string> = `${P}_${string}`;
export type CircuitId = Id<'cir'>;
export type SeriesId = Id<'ser'>;
export type SetId = Id<'set'>;
export type OfferId = Id<'off'>;
export type DecisionId = Id<'dec'>;
export type EventId = Id<'evt'>;
export type WebhookId = Id<'whk'>;
export type PolicyId = Id<'pol'>;

export type IdPrefix = 'cir' | 'ser' | 'set' | 'off' | 'tok' | 'dec' | 'pol' | 'mnt' | 'whk' | 'quo' | 'req';

export function newId<P extends IdPrefix>(prefix: P, now: InstantMs, random: Random): Id<P> {
  let text = '';
  let time = now as number;
  for (let i = 0; i < 10; i++) {
    text = ALPHABET[time % 32] + text;
    time = Math.floor(time / 32);
  }
  // 16 characters of 5 bits: each byte gives one, its upper bits are thrown away.
  for (const byte of random.bytes(16)) text += ALPHABET[byte & 31];
  return `${prefix}_${text}`;
}

/** `evt_` and the log's sequence number, padded so that ids sort as their numbers do (32^11 > 2^53). */
export function eventId(seq: number): EventId {
  let text = '';
  for (let rest = seq; text.length < 11; rest = Math.floor(rest / 32)) text = ALPHABET[rest % 32] + text;
  return `evt_${text}`;
}

/** The sequence number in an event's id, or undefined when it is not one. */
export function eventSeq(id: string): number | undefined {
  if (!/^evt_[0-9a-hjkmnp-tv-z]{11}$/.test(id)) return undefined;
  let seq = 0;
  for (const char of id.slice(4)) seq = seq * 32 + ALPHABET.indexOf(char);
  return Number.isSafeInteger(seq) ? seq : undefined;
}

const SHORT_ALPHABET = '234679CDFGHJKMNPRTWXYZ';

/** Four characters that can be told over a telephone: no 0/O, 1/I/L, 5/S, 8/B, A/E, Q/U/V. */
export function shortCode(random: Random): string {
  let text = '';
  for (let i = 0; i < 4; i++) text += SHORT_ALPHABET[random.int(SHORT_ALPHABET.length)];
  return text;
}
