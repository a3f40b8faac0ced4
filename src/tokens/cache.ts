/**
 * The memory of verified prefixes: so many, and the one unused for longest goes first. It holds what cannot
 * change any more; verify.ts asks everything else again on every hit.
 */
import { forgetOldest } from '../kernel/forget.ts';
import type { Chain, PrefixCache } from './verify.ts';

/** A chain is about 4 kB in memory: 16 MB at most. */
export const REMEMBERED_PREFIXES = 4_096;

export function prefixCache(most: number = REMEMBERED_PREFIXES): PrefixCache & { readonly size: number } {
  const chains = new Map<string, Chain>();
  return {
    get size() {
      return chains.size;
    },
    get(prh) {
      const chain = chains.get(prh);
      if (chain === undefined) return undefined;
      // A Map keeps the order of entry, so entering again makes it the latest used.
      chains.delete(prh);
      chains.set(prh, chain);
      return chain;
    },
    set(prh, chain) {
      chains.set(prh, chain);
      forgetOldest(chains, most);
    },
  };
}
