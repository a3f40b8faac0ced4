/**
 * What the simulation has found and nobody has mended yet. Such violations are counted and told apart from
 * others, so that a run still says whether there is anything new. Most have a story in open.test.ts, which
 * fails as soon as the thing is mended: then its line goes from here. The last two need slow devices.
 */
export const open: readonly { readonly what: string; readonly looksLike: RegExp }[] = [
  {
    what: 'a change leaves a volume less than it has to carry, or another rate than it may have',
    looksLike: /changed by its client(?: before)?\) (?:carries less than its|has \d+ Mb\/s of)/,
  },
  {
    what: 'a change of what is locked or pinned, or goes through other domains, leaves it outside the window that it says',
    looksLike:
      /(?:\(|committed, )changed by its client(?: before)?\) (?:starts before its window|ends after its deadline)/,
  },
  {
    what: 'a change of one member of a set breaks the order with another',
    looksLike: /starts -?\d+ s after \S+ and not \d+, one of them changed by its client/,
  },
  {
    what: 'a refused change does not say whether that is proven',
    looksLike: /(?:PATCH|POST) \/v1\/circuits is refused without saying/,
  },
  {
    what: 'a lower rate frees its room before the devices have taken it back',
    looksLike: /carries \d+ of \d+ Mb\/s, \S+ still at the rate that it had/,
  },
  {
    what: 'one device that is silent keeps another version from being put out on all of them',
    looksLike: /is not put out, which waits behind the dark of/,
  },
];
