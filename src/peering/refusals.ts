/**
 * Refusals that are made here and not by the peer's broker: what it could not read, what it answered to the message
 * itself and not to what the message says. What can never be agreed is a refusal, so that another way is tried at
 * once; what passes is no answer, and said again.
 */
import type { PeerAnswer, PeerMessage } from '../broker/peerPorts.ts';
import { type Answered, NoAnswer } from './client.ts';
import type { Peer } from './peer.ts';
import { needsTwoWays, TWO_WAYS } from './wire.ts';

export const refused = ({ epoch }: Peer, cause: string): PeerAnswer => ({
  state: 'REFUSED',
  kind: 'INVALID',
  cause,
  epoch,
});

/** Why it cannot be asked that; it has said hello, if only it could. */
export function unreadBy({ domain, protocol }: Peer, message: PeerMessage): string | undefined {
  if (!needsTwoWays(message) || protocol === undefined || protocol >= TWO_WAYS) return undefined;
  return `${domain} speaks version ${protocol} of the peer protocol, which knows no second way`;
}

/** A refusal of the message itself. Some will not pass by waiting; the others are tried again. */
export function problemOf(peer: Peer, { status, body }: Answered): PeerAnswer {
  const code = String(body['code']);
  const detail = `${code}: ${String(body['detail']).slice(0, 200)}`;
  const passes = status === 429 || status >= 500 || code === 'STALE_EPOCH' || code === 'CLOCK_SKEW';
  // Nothing was written there, which is certain; and room on a disk does not come by waiting.
  if (!passes || code === 'STORE_FULL') return refused(peer, detail);
  peer.failed(detail);
  throw new NoAnswer(`${peer.domain} answered ${detail}`);
}
