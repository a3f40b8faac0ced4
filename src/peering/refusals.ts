/**
 * Refusals that are made here and not by the peer's broker: what it could not read, what it answered to the message
 * itself and not to what the message says. What can never be agreed is a refusal, so that another way is tried at
 * once; what passes is no answer, and said again.
 */
import type { PeerAnswer, PeerMessage } from '../broker/abroad/peerPorts.ts';
import { type Answered, NoAnswer } from './client.ts';
import type { Peer } from './peer.ts';
import { TAKING } from './routes.ts';
import { needsTwoWays, TWO_WAYS } from './wire.ts';

export const refused = ({ epoch }: Peer, cause: string): PeerAnswer => ({
  state: 'REFUSED',
  kind: 'INVALID',
  cause,
  epoch,
});

const NO_LONGER = 'it is no longer one of the peers in the configuration';
/** What begins something: that alone is over with a peer that is named no longer. */
const BEGINS: ReadonlySet<string> = new Set(['hold', 'extend']);

/** Why that is not said to it, nor taken from it. */
export function closedTo(
  { quarantined, dismissed }: Pick<Peer, 'quarantined' | 'dismissed'>,
  { op }: PeerMessage,
): string | undefined {
  if (quarantined !== undefined && TAKING.has(op)) return quarantined;
  return dismissed && BEGINS.has(op) ? NO_LONGER : undefined;
}

/** A commit takes what is free even if it was never held. Who is named no longer may commit what is here already. */
export async function newToUs(
  { domain, dismissed }: Pick<Peer, 'domain' | 'dismissed'>,
  message: PeerMessage,
  ask: (from: string, query: PeerMessage) => Promise<PeerAnswer>,
): Promise<string | undefined> {
  if (!dismissed || message.op !== 'commit') return undefined;
  const { circuit, epoch, version } = message;
  const now = await ask(domain, { op: 'query', circuit, epoch, floor: 0 });
  const isHere = (now.state === 'HELD' || now.state === 'COMMITTED') && now.version === version;
  return isHere ? undefined : NO_LONGER;
}

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
