/**
 * A label tells circuits on one port or link apart: here a VLAN id, 1 to 4094. Label 0 is the whole port
 * (UNTAGGED) and excludes every other label there. Wavelengths and time slots will number the same way.
 */
import { invariant } from '../kernel/assert.ts';

export type Label = number;
export const UNTAGGED: Label = 0;
export const HIGHEST_LABEL = 4094;

/** Inclusive ranges in ascending order that do not touch: the parsed form of "2-99,200-4094". */
export type LabelRanges = readonly (readonly [low: number, high: number])[];

/** What a client asks of one end. */
export type LabelAsk = 'ANY' | 'UNTAGGED' | LabelRanges;

export const ALL_LABELS: LabelRanges = [[2, HIGHEST_LABEL]];

/** Parses "5", "2-99" or "2-99,200-4094"; undefined when it is not such a list. Linear in its length. */
export function parseLabels(text: string): LabelRanges | undefined {
  if (text.length > 1024) return undefined;
  const ranges: [number, number][] = [];
  for (const part of text.split(',')) {
    const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part);
    if (match === null) return undefined;
    const low = Number(match[1]);
    const high = match[2] === undefined ? low : Number(match[2]);
    if (low < 1 || high > HIGHEST_LABEL || low > high) return undefined;
    ranges.push([low, high]);
  }
  ranges.sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const [low, high] of ranges) {
    const last = merged.at(-1);
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else merged.push([low, high]);
  }
  return merged;
}

export const formatLabels = (ranges: LabelRanges): string =>
  ranges.map(([low, high]) => (low === high ? `${low}` : `${low}-${high}`)).join(',');

/** A few labels as ranges. */
export function rangesOf(labels: readonly Label[]): LabelRanges {
  const sorted = [...new Set(labels)].sort((one, other) => one - other);
  const ranges: [Label, Label][] = [];
  for (const label of sorted) {
    const last = ranges.at(-1);
    if (last !== undefined && label === last[1] + 1) last[1] = label;
    else ranges.push([label, label]);
  }
  return ranges;
}

/** A set of labels as a bitset of 4,096 bits. */
export class LabelSet {
  readonly words = new Uint32Array(128);

  static of(ranges: LabelRanges): LabelSet {
    const set = new LabelSet();
    for (const [low, high] of ranges) for (let label = low; label <= high; label++) set.add(label);
    return set;
  }
  has(label: Label): boolean {
    return (((this.words[label >>> 5] as number) >>> (label & 31)) & 1) === 1;
  }
  add(label: Label): void {
    invariant(label >= 0 && label < 4096, `label ${label} in range`);
    this.words[label >>> 5] = (this.words[label >>> 5] as number) | (1 << (label & 31));
  }
  get empty(): boolean {
    return this.words.every((word) => word === 0);
  }
  /** The lowest label of `ranges` that is not in this set. */
  firstFree(ranges: LabelRanges): Label | undefined {
    for (const [low, high] of ranges) {
      for (let label = low; label <= high; label++) if (!this.has(label)) return label;
    }
    return undefined;
  }
}

/** May a circuit have this label beside those that are taken? UNTAGGED excludes all others, and they it. */
export const labelFits = (taken: LabelSet, label: Label): boolean =>
  label === UNTAGGED ? taken.empty : !taken.has(label) && !taken.has(UNTAGGED);
