/**
 * The mark on everything that we make in a device: which circuit, which placement of it, and the lease epoch of
 * the broker that made it. 32 characters, because that is all a VLAN name may have (RFC 4363), and readable,
 * because an operator will search a device for a circuit's id. What carries no such mark is somebody else's.
 */
import { invariant } from '../kernel/assert.ts';
import type { CircuitId } from '../kernel/ids.ts';

export interface Owner {
  readonly circuit: string;
  readonly version: number;
  readonly epoch: number;
}

const ID = /^cir_([0-9a-z]{1,26})$/;
const TAG = /T(-*)([0-9a-z]{1,26})([0-9a-v]{3})([0-9a-v]{2})/;
export const TAG_LENGTH = 32;
const EPOCHS = 32 ** 2;
const VERSIONS = 32 ** 3;

/** `T`, the id's 26 characters, 3 of version, 2 of epoch (modulo 1,024), in base 32. */
export function tagOf(owner: Owner): string {
  const id = ID.exec(owner.circuit);
  invariant(id !== null, 'a circuit id fits into an owner tag');
  invariant(owner.version >= 0 && owner.version < VERSIONS, 'a version fits into an owner tag');
  const base32 = (n: number, width: number): string => n.toString(32).padStart(width, '0');
  return `T${(id[1] as string).padStart(26, '-')}${base32(owner.version, 3)}${base32(owner.epoch % EPOCHS, 2)}`;
}

/** Reads a tag, wherever it stands in a name or label. */
export function ownerOf(text: string): Owner | undefined {
  const at = text.search(/T[-0-9a-z]{31}(?![0-9a-z])/);
  if (at < 0) return undefined;
  const match = TAG.exec(text.slice(at, at + TAG_LENGTH));
  if (match === null || (match[1]?.length ?? 0) + (match[2]?.length ?? 0) !== 26) return undefined;
  return {
    circuit: `cir_${match[2]}`,
    version: Number.parseInt(match[3] as string, 32),
    epoch: Number.parseInt(match[4] as string, 32),
  };
}

/** Epochs are kept modulo 1,024: `a` is the later one when it lies less than half a turn ahead. */
export function laterEpoch(a: number, b: number): boolean {
  const ahead = ((a % EPOCHS) - (b % EPOCHS) + EPOCHS) % EPOCHS;
  return ahead > 0 && ahead < EPOCHS / 2;
}

export const sameCircuit = (a: Owner, b: Owner): boolean => a.circuit === b.circuit;
export const samePlacement = (a: Owner, b: Owner): boolean => sameCircuit(a, b) && a.version === b.version;

/** The same as the broker's port has it. */
export const ownedBy = (
  owner: Owner | undefined,
): { readonly owner?: { readonly circuit: CircuitId; readonly version: number } } =>
  owner === undefined
    ? {}
    : {
        owner: {
          circuit: owner.circuit as CircuitId /* the tag's pattern is the id's */,
          version: owner.version,
        },
      };
