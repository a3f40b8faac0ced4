/**
 * May this change touch what is there? The same answer for every protocol: nothing foreign, nothing newer,
 * nothing that a later broker made; an older placement of the same circuit may be replaced. Pure.
 */
import { laterEpoch, type Owner, sameCircuit } from './owner.ts';

export type Verdict =
  | { readonly may: 'keep' | 'replace' }
  | { readonly may: 'not'; readonly retry: boolean; readonly detail: string };

/** `there` is the owner of what stands in the way, undefined when it carries no tag of ours. */
export function mayReplace(there: Owner | undefined, wanted: Owner): Verdict {
  if (there === undefined) {
    return { may: 'not', retry: true, detail: 'in use by somebody else' };
  }
  if (laterEpoch(there.epoch, wanted.epoch)) {
    return { may: 'not', retry: false, detail: 'set by a later broker: this order is out of date' };
  }
  if (!sameCircuit(there, wanted)) {
    return { may: 'not', retry: true, detail: `in use by ${there.circuit}` };
  }
  if (there.version > wanted.version) {
    return { may: 'not', retry: false, detail: `placement ${there.version} is in place already` };
  }
  return { may: there.version === wanted.version ? 'keep' : 'replace' };
}

/** May a release by `wanted` remove what `there` owns? Only exactly its own placement. */
export const mayRemove = (there: Owner | undefined, wanted: Owner): boolean =>
  there !== undefined &&
  sameCircuit(there, wanted) &&
  there.version === wanted.version &&
  !laterEpoch(there.epoch, wanted.epoch);
