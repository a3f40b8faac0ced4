/**
 * What a participant tells its home of its own accord, as effects. Each is counted, so that the home can put a
 * late one aside.
 */
import type { Circuit } from '../circuit.ts';
import type { Effect, News } from '../effects.ts';
import { homeOf } from './homeRef.ts';

export const counting = (c: Circuit): Circuit => ({
  ...c,
  home: { ...homeOf(c), sequence: homeOf(c).sequence + 1 },
});

export const notify = (
  c: Circuit,
  what: News,
  { version = c.current?.version ?? c.version, cause }: { version?: number; cause?: string } = {},
): Extract<Effect, { type: 'peer.notify' }> => ({
  type: 'peer.notify',
  domain: homeOf(c).domain,
  what,
  version,
  sequence: homeOf(c).sequence,
  ...(cause === undefined ? {} : { cause }),
});
