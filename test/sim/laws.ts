/**
 * The laws that hold between domains, by their numbers, and where each is checked. What breaks one names its
 * number, so that a planted fault can be said to have been caught by the law that it breaks (plants.ts). Laws
 * of one domain alone (windows, room, roads, who may be moved) have no number: promises.ts, refusals.ts. Those of
 * tokens (10 and 11) are in tokenLaws.ts, that of money (13) in test/broker/accounts.test.ts.
 */
export const laws = {
  1: 'what a home calls agreed, every domain has committed, or says that it has ended', // agreements.ts
  2: 'nothing is held beyond its expiry', // domainLaws.ts
  3: 'a closed version is never taken again', // domainLaws.ts
  4: 'once healed, participants have what their home has, and know it', // agreements.ts
  5: 'what the home says shines on time in every domain', // agreements.ts
  6: 'the calendar counts the larger of two versions', // checkers.ts, promises.ts
  7: 'what lets go is never refused; nobody is moved within its notice', // wireLaws.ts, domainLaws.ts, promises.ts
  8: 'one label at both ends of a border, and nobody else close to it', // domainLaws.ts
  9: 'whoever is moved for somebody makes room for him at once', // domainLaws.ts
  12: 'checkpoints are those of the log, across crashes', // mirror.ts, checkers.ts
  14: 'nothing is written by an old epoch', // mirror.ts
  15: 'what was seen dark stays dark', // checkers.ts
  16: 'answers never go back', // wireLaws.ts
  17: 'what a domain publishes never gets older', // domainLaws.ts
  18: 'a silent peer delays nobody else', // wireLaws.ts
} as const;

export const law = (n: keyof typeof laws, text: string): string => `law ${n}: ${text}`;

/** Which law a violation breaks; undefined for one without a number. */
export const lawOf = (violation: string): number | undefined => {
  const n = /\blaw (\d+): /.exec(violation)?.[1];
  return n === undefined ? undefined : Number(n);
};
