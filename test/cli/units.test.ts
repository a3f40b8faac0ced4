import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { CliError } from '../../src/cli/io.ts';
import {
  formatBandwidth,
  formatDuration,
  parseBandwidth,
  parseDuration,
  parsePositiveDuration,
  parseVolume,
} from '../../src/cli/units.ts';

const refusal = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof CliError) return [error.message, ...error.hints].join(' | ');
    throw error;
  }
  return 'accepted';
};

describe('bandwidth', () => {
  it.each([
    ['10G', 10_000],
    ['10g', 10_000],
    ['2.5G', 2_500],
    ['500M', 500],
    ['1T', 1_000_000],
    ['0.1T', 100_000],
    ['1500000k', 1_500],
    ['10Gbps', 10_000],
    ['10 Gbit/s', 10_000],
    ['10GBit/s', 10_000],
    ['10Gb/s', 10_000],
    ['10Gbit', 10_000],
    ['1000000bps', 1],
    // 0.29 * 1000 is 290.00000000000006 in floating point.
    ['0.29G', 290],
  ])('%s is %d Mb/s', (said, mbps) => expect(parseBandwidth(said)).toBe(mbps));

  it.each([
    ['10000', 'has no unit | write 10000M for Mb/s or 10000G for Gb/s'],
    ['10GB/s', 'counts bytes'],
    ['10GB', 'counts bytes'],
    ['0G', 'at least 1M'],
    ['1.0005G', 'no whole number of Mb/s'],
    ['-1G', 'is no bandwidth'],
    ['1e3M', 'is no bandwidth'],
    ['', 'is no bandwidth'],
    ['10X', 'is no bandwidth'],
    ['999999999999999P', 'too large'],
  ])('%s is refused', (said, why) => expect(refusal(() => parseBandwidth(said))).toContain(why));

  test('what is formatted reads back as the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000_000 }), (mbps) => {
        expect(parseBandwidth(formatBandwidth(mbps))).toBe(mbps);
      }),
    );
  });
});

describe('volume', () => {
  it.each([
    ['20TB', 20e12],
    ['20T', 20e12],
    ['1.5PB', 1.5e15],
    ['800GiB', 800 * 2 ** 30],
    ['1KiB', 1024],
    ['100kB', 100_000],
    ['7B', 7],
    ['4.35GB', 4_350_000_000],
  ])('%s is %d bytes', (said, bytes) => expect(parseVolume(said)).toBe(bytes));

  it.each([
    ['20Tb', 'counts bits'],
    ['20Tbit', 'counts bits'],
    ['20', 'has no unit'],
    ['0TB', 'at least one byte'],
    ['0.5B', 'no whole number'],
    ['10PB', 'more than 2^53'],
    ['lots', 'is no volume'],
  ])('%s is refused', (said, why) => expect(refusal(() => parseVolume(said))).toContain(why));
});

describe('duration', () => {
  it.each([
    ['2h30m', 9000],
    ['90m', 5400],
    ['90min', 5400],
    ['45s', 45],
    ['1d', 86_400],
    ['1w2d', 777_600],
    ['2h 30m', 9000],
    ['PT2H30M', 9000],
    ['P1DT1S', 86_401],
  ])('%s is %d seconds', (said, seconds) => expect(parseDuration(said)).toBe(seconds));

  it.each([
    ['30', 'write 30m for minutes or 30s for seconds'],
    ['', 'is no duration'],
    ['P', 'is no duration'],
    ['30m2h', 'is no duration'],
    ['-2h', 'is no duration'],
    ['1.5h', 'is no duration'],
    ['0s', 'longer than nothing'],
  ])('%s is refused', (said, why) => expect(refusal(() => parsePositiveDuration(said))).toContain(why));

  test('what is formatted reads back as the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 * 366 * 86_400 }), (seconds) => {
        expect(parseDuration(formatDuration(seconds))).toBe(seconds);
      }),
    );
  });
});
