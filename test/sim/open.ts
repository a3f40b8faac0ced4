/**
 * What the simulation has found and nobody has mended yet. Such violations are counted and told apart from
 * others, so that a run still says whether there is anything new. What is mended is told as a story in
 * test/broker, and its line goes from here.
 */
export const open: readonly { readonly what: string; readonly looksLike: RegExp }[] = [
  {
    what: 'a lower rate frees its room before the devices have taken it back',
    looksLike: /carries \d+ of \d+ Mb\/s, \S+ still at the rate that it had/,
  },
  {
    what: 'one device that is silent keeps another version from being put out on all of them',
    looksLike: /is not put out, which waits behind the dark of/,
  },
];
