/**
 * Bandwidths, volumes and durations as people write them: `10G`, `20TB`, `2h30m`. A number without a unit is
 * refused, and so are bytes where bits are meant and the other way round: a factor of eight is a costly
 * guess. The sums are exact: decimals are read as integers, not as floating point.
 */
import { usage } from './io.ts';

/** Bits for b, bytes for B; powers of ten, and of two with an i. */
const PREFIX: Readonly<Record<string, bigint>> = {
  '': 1n,
  k: 10n ** 3n,
  m: 10n ** 6n,
  g: 10n ** 9n,
  t: 10n ** 12n,
  p: 10n ** 15n,
  ki: 2n ** 10n,
  mi: 2n ** 20n,
  gi: 2n ** 30n,
  ti: 2n ** 40n,
  pi: 2n ** 50n,
};
const LARGEST = BigInt(Number.MAX_SAFE_INTEGER);

/** `whole.fraction * factor`, or undefined when that is no whole number. */
function times(decimal: string, factor: bigint): bigint | undefined {
  const [whole = '0', fraction = ''] = decimal.split('.');
  const scale = 10n ** BigInt(fraction.length);
  const product = BigInt(whole + fraction) * factor;
  return product % scale === 0n ? product / scale : undefined;
}

const NUMBER = '(\\d{1,15}(?:\\.\\d{1,15})?)';
const BANDWIDTH = new RegExp(`^${NUMBER} ?([kmgtp]?)(|bps|bits?|bit/s|b/s|B/s|Bps|B)$`, 'i');

/** Mb/s of `10G`, `2.5 Gbit/s`, `500Mbps`. */
export function parseBandwidth(text: string): number {
  const match = BANDWIDTH.exec(text.trim());
  if (match === null)
    throw usage(`"${text}" is no bandwidth`, 'write it as 10G, 2.5G or 500M (bits per second)');
  const [, number = '', prefix = '', unit = ''] = match;
  if (prefix === '' && unit === '') {
    throw usage(`"${text}" has no unit`, `write ${number}M for Mb/s or ${number}G for Gb/s`);
  }
  if (unit.startsWith('B') && !/^bit/i.test(unit)) {
    throw usage(`"${text}" counts bytes; a bandwidth is given in bits per second`, '1 GB/s is 8G');
  }
  const bits = times(number, PREFIX[prefix.toLowerCase()] as bigint);
  if (bits === undefined || bits % 1_000_000n !== 0n) {
    throw usage(`"${text}" is no whole number of Mb/s`, 'bandwidth is reserved in steps of 1M');
  }
  const mbps = bits / 1_000_000n;
  if (mbps < 1n) throw usage('the bandwidth must be at least 1M');
  if (mbps > LARGEST) throw usage(`"${text}" is too large`);
  return Number(mbps);
}

const VOLUME = new RegExp(`^${NUMBER} ?([kmgtp]i?|)(B|b|bit|bits|bytes|)$`, 'i');

/** Bytes of `20TB`, `1.5PB`, `800GiB`. */
export function parseVolume(text: string): number {
  const match = VOLUME.exec(text.trim());
  if (match === null) throw usage(`"${text}" is no volume`, 'write it as 20TB, 1.5PB or 800GiB');
  const [, number = '', prefix = '', unit = ''] = match;
  if (unit === 'b' || unit.toLowerCase().startsWith('bit')) {
    throw usage(`"${text}" counts bits; a volume is given in bytes`, `write ${number}${prefix}B for bytes`);
  }
  if (prefix === '' && unit === '') throw usage(`"${text}" has no unit`, `write ${number}TB or ${number}GB`);
  const bytes = times(number, PREFIX[prefix.toLowerCase()] as bigint);
  if (bytes === undefined) throw usage(`"${text}" is no whole number of bytes`);
  if (bytes < 1n) throw usage('the volume must be at least one byte');
  if (bytes > LARGEST) throw usage(`"${text}" is more than 2^53 bytes (9007 TB)`);
  return Number(bytes);
}

const UNIT_S = { w: 604_800, d: 86_400, h: 3600, m: 60, s: 1 } as const;
const DURATION = /^(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m(?:in)?)?(?:(\d{1,9})s)?$/;
const ISO = /^P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?$/;

/** Seconds of `2h30m`, `90m`, `1d`, `PT2H30M`. A day is 24 hours, whatever the clocks on the wall do. */
export function parseDuration(text: string): number {
  const bare = text.trim().replaceAll(' ', '');
  const match = DURATION.exec(bare.toLowerCase()) ?? ISO.exec(bare.toUpperCase());
  const parts = match?.slice(1);
  if (parts === undefined || parts.every((part) => part === undefined)) {
    throw usage(
      `"${text}" is no duration`,
      /^\d+$/.test(bare)
        ? `write ${bare}m for minutes or ${bare}s for seconds`
        : 'write it as 2h30m, 90m, 45s or 1d',
    );
  }
  const [w, d, h, m, s] = parts.map((part) => Number(part ?? 0));
  const seconds =
    (w ?? 0) * UNIT_S.w + (d ?? 0) * UNIT_S.d + (h ?? 0) * UNIT_S.h + (m ?? 0) * UNIT_S.m + (s ?? 0);
  if (!Number.isSafeInteger(seconds)) throw usage(`"${text}" is too long`);
  return seconds;
}

export function parsePositiveDuration(text: string): number {
  const seconds = parseDuration(text);
  if (seconds === 0) throw usage(`"${text}": the duration must be longer than nothing`);
  return seconds;
}

/** `2h30m` of 9000. */
export function formatDuration(seconds: number): string {
  if (seconds < 0) return `-${formatDuration(-seconds)}`;
  const parts: string[] = [];
  let rest = Math.round(seconds);
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const count = Math.floor(rest / UNIT_S[unit]);
    rest -= count * UNIT_S[unit];
    if (count > 0) parts.push(`${count}${unit}`);
  }
  return parts.length === 0 ? '0s' : parts.join('');
}

/** `10G` of 10000, `2.5G` of 2500: the shortest form that says the same. */
export function formatBandwidth(mbps: number): string {
  if (mbps >= 1_000_000 && mbps % 100_000 === 0) return `${mbps / 1_000_000}T`;
  if (mbps >= 1000 && mbps % 100 === 0) return `${mbps / 1000}G`;
  return `${mbps}M`;
}

/** Four digits are enough for people; the exact number is in the JSON. */
export function formatVolume(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}

export function parseCount(text: string, what: string, low: number, high: number): number {
  const count = Number(text);
  if (!/^\d{1,15}$/.test(text) || count < low || count > high) {
    throw usage(`"${text}" is no ${what}`, `a whole number from ${low} to ${high} is expected`);
  }
  return count;
}
