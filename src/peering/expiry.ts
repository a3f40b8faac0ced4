/** Operators are told of certificates before they end: of each peer's, once an hour. */
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { lastEnd } from './certificate.ts';
import type { Peer } from './peer.ts';

const DAY_MS = 86_400_000;
const ALARM_DAYS = 14;

export function warnOfEnds(
  peers: readonly Peer[],
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): void {
  const now = clock.now();
  for (const peer of peers) {
    const days = Math.floor((lastEnd(peer.settings.pins) - now) / DAY_MS);
    if (days < ALARM_DAYS) log.warn({ event: 'peer.certificate', peer: peer.domain, days_left: days });
  }
}
