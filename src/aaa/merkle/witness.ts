/**
 * What a witness asks before it signs another's checkpoint, and what a log asks of its own at start: the
 * same question. It keeps one (size, root) per origin; a log that shrinks, or shows two roots of one size,
 * or cannot prove that the old is the beginning of the new, is not signed, and the two notes are evidence.
 */
import type { Checkpoint } from './note.ts';
import { emptyRoot, verifyConsistency } from './tree.ts';

export type Seen = Pick<Checkpoint, 'size' | 'root'>;

export type WitnessAnswer =
  /** `seen` is to be stored before the cosignature leaves. */
  | { readonly kind: 'COSIGN'; readonly seen: Seen }
  /** Not wrong, but the proof starts elsewhere: ask again from this size. */
  | { readonly kind: 'STALE'; readonly size: number }
  | { readonly kind: 'FORKED'; readonly detail: string };

/** `proof` is the consistency proof from size `from`, which the log chose by what it thinks we have seen. */
export function witness(
  seen: Seen | undefined,
  checkpoint: Seen,
  from: number,
  proof: readonly Uint8Array[],
): WitnessAnswer {
  const known = seen ?? { size: 0, root: emptyRoot() };
  if (checkpoint.size === known.size) {
    return checkpoint.root.equals(known.root)
      ? { kind: 'COSIGN', seen: known }
      : { kind: 'FORKED', detail: `two roots of ${known.size} records` };
  }
  if (checkpoint.size < known.size) return { kind: 'STALE', size: known.size };
  if (from !== known.size) return { kind: 'STALE', size: known.size };
  if (!verifyConsistency(known.size, known.root, checkpoint.size, checkpoint.root, proof))
    return {
      kind: 'FORKED',
      detail: `${checkpoint.size} records do not begin with the ${known.size} seen before`,
    };
  return { kind: 'COSIGN', seen: { size: checkpoint.size, root: checkpoint.root } };
}
