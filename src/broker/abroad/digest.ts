/**
 * What two domains have agreed, in short: of each circuit that both have a part in, who is its home and which
 * versions stand. Lines are summed into buckets by their circuit, so that two brokers with a hundred thousand
 * circuits compare two kilobytes, and then the lines of those buckets only that are not the same. Pure; what is
 * done about a difference is in digests.ts.
 */
import { hash } from 'node:crypto';
import type { Circuit } from '../../model/circuit.ts';
import { stands } from '../../model/rules.ts';
import { hashText } from '../../topology/network.ts';

export interface DigestLine {
  readonly home: string;
  /** The home's id of it. */
  readonly circuit: string;
  /** In force, or committed in the place of what is; ascending. None: the sender has nothing of it. */
  readonly versions: readonly number[];
}

export const BUCKETS = 256;
const BYTES = 8;

/** Folded to one byte. */
export function bucketOf(circuit: string): number {
  const sum = hashText(circuit);
  return (sum ^ (sum >>> 8) ^ (sum >>> 16) ^ (sum >>> 24)) & (BUCKETS - 1);
}

/** The circuit as its home and each participant should see it alike; undefined while nothing is agreed. */
export function linesOf(circuit: Circuit, us: string): readonly (readonly [domain: string, DigestLine])[] {
  const { current, pending, home } = circuit;
  if (!stands(circuit) || current === undefined) return [];
  if (home !== undefined) {
    const both = pending?.phase === 'COMMITTING' ? [current.version, pending.placement.version] : [];
    const versions = both.length === 0 ? [current.version] : both.sort((a, b) => a - b);
    return [[home.domain, { home: home.domain, circuit: home.circuit, versions }]];
  }
  const line = { home: us, circuit: circuit.id, versions: [current.version] };
  return current.segments.flatMap(({ local, domain }) => (local ? [] : [[domain, line] as const]));
}

/** One sum for each bucket. The order of the lines does not matter. */
export class Sums {
  readonly #bytes: Buffer;

  constructor(bytes = Buffer.alloc(BUCKETS * BYTES)) {
    this.#bytes = bytes;
  }

  /** Undefined when it is not the text of one. */
  static read(text: string): Sums | undefined {
    const bytes = Buffer.from(text, 'base64url');
    return bytes.length === BUCKETS * BYTES ? new Sums(bytes) : undefined;
  }

  add({ home, circuit, versions }: DigestLine): void {
    const digest = hash('sha256', `${home}/${circuit}/${versions.join(',')}`, 'buffer');
    const at = bucketOf(circuit) * BYTES;
    for (let i = 0; i < BYTES; i++) this.#bytes[at + i] = (this.#bytes[at + i] ?? 0) ^ (digest[i] ?? 0);
  }

  differing(other: Sums): number[] {
    const found: number[] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const [from, to] = [bucket * BYTES, (bucket + 1) * BYTES];
      if (this.#bytes.compare(other.#bytes, from, to, from, to) !== 0) found.push(bucket);
    }
    return found;
  }

  toString(): string {
    return this.#bytes.toString('base64url');
  }
}

const keyOf = ({ home, circuit }: DigestLine): string => `${home}/${circuit}`;

/** What the one has otherwise than the other, in the words of each: [ours, theirs] by circuit. */
export function differences(
  ours: readonly DigestLine[],
  theirs: readonly DigestLine[],
): { readonly ours: readonly DigestLine[]; readonly theirs: readonly DigestLine[] } {
  const left = new Map(theirs.map((line) => [keyOf(line), line]));
  const found = { ours: [] as DigestLine[], theirs: [] as DigestLine[] };
  const differ = (mine: DigestLine, other: DigestLine): void => {
    found.ours.push(mine);
    found.theirs.push(other);
  };
  for (const line of ours) {
    const other = left.get(keyOf(line)) ?? { ...line, versions: [] };
    left.delete(keyOf(line));
    if (other.versions.join() !== line.versions.join()) differ(line, other);
  }
  for (const line of left.values()) if (line.versions.length > 0) differ({ ...line, versions: [] }, line);
  return found;
}
