/**
 * What a peer's message must pass before the broker hears of it: the certificate, the signature over exactly
 * this request, the clock, the session, the jti; then the trace, the sender's term of office, and that an
 * operation which came before came with the same contents. Each refusal says which.
 */
import type { PeerMessage } from '../broker/abroad/peerPorts.ts';
import type { Clock } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import { distrust, fingerprintOf } from './certificate.ts';
import { type Peer, SKEW_REFUSED_MS } from './peer.ts';
import { digestOf, openRequest, type RequestSeal, SealError } from './seal.ts';
import { MOST_TRACE } from './wire.ts';

const no = (detail: string): BrokerError => new BrokerError('UNAUTHENTICATED', detail);

/** Whose certificate this is; what the message says about it does not count. */
export function ownerOf(peers: readonly Peer[], certificate: Uint8Array | undefined, clock: Clock): Peer {
  if (certificate === undefined) throw no('a peer shows its certificate');
  const fingerprint = fingerprintOf(certificate);
  const peer = peers.find(({ settings }) => settings.pins.some((pin) => pin.fingerprint === fingerprint));
  if (peer === undefined) throw no('this certificate is not pinned here');
  const why = distrust(peer.settings.pins, certificate, clock.now());
  if (why !== undefined) {
    peer.failed(why);
    throw no(`${peer.domain}: ${why}`);
  }
  return peer;
}

export interface Sealed {
  readonly header: string | undefined;
  readonly path: string;
  readonly body: Uint8Array | string;
}

/** Throws unless the peer has signed exactly this, for us. */
export function provenSeal(peer: Peer, us: string, { header, path, body }: Sealed): RequestSeal {
  let seal: RequestSeal;
  try {
    seal = openRequest(header, peer.settings.keys);
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    throw no(`the message is not believed: ${error.message}`);
  }
  if (seal.iss !== peer.domain) throw no(`the certificate is that of ${peer.domain}, the message another's`);
  if (seal.aud !== us) throw no('the message is for another domain');
  if (seal.path !== path) throw no('the message was signed for another path');
  if (seal.digest !== digestOf(body)) throw no('the body is not what was signed');
  return seal;
}

/** Throws unless it was signed now, in this session (undefined: any), and has not come before. */
export function checkFresh(
  peer: Peer,
  { iat, jti, session }: RequestSeal,
  ours: string | undefined,
  clock: Clock,
): void {
  const now = clock.now();
  const skew = iat - now;
  // Being under way makes a clock seem behind, but never ahead.
  peer.heard(skew, Math.max(0, -skew));
  if (Math.abs(skew) > SKEW_REFUSED_MS)
    throw new BrokerError(
      'CLOCK_SKEW',
      `the message is ${Math.round(Math.abs(skew) / 1000)} s from our clock`,
    );
  if (ours !== undefined && session !== ours)
    throw new BrokerError('STALE_SESSION', 'this broker has begun another session');
  if (peer.jtis.get(jti, now) !== undefined)
    throw new BrokerError('MESSAGE_REPLAYED', 'this message was received before');
  if (!peer.jtis.add(jti, true, now))
    throw new BrokerError('RATE_LIMITED', 'too many messages to remember', { retry_after_s: 60 });
}

/** The domains that a message has come through, its sender last, ourselves not among them. */
export function checkTrace(trace: readonly string[], sender: string, us: string): void {
  const refusal = (detail: string): BrokerError =>
    new BrokerError('INVALID_REQUEST', `the trace ${detail}`, {
      errors: [{ pointer: '/trace', detail }],
    });
  if (trace.length > MOST_TRACE) throw refusal(`is longer than ${MOST_TRACE} domains`);
  if (trace.at(-1) !== sender) throw refusal('does not end with its sender');
  if (trace.includes(us) || new Set(trace).size !== trace.length) throw refusal('goes round in a circle');
}

/** (circuit, version, verb) names one operation: it may be repeated, not changed. */
export function checkOperation(peer: Peer, message: PeerMessage, clock: Clock): void {
  if (message.op !== 'hold' && message.op !== 'commit') return;
  const key = `${message.circuit}/${message.version}/${message.op}`;
  const contents = digestOf(JSON.stringify(message.segment));
  const now = clock.now();
  const before = peer.operations.get(key, now);
  if (before === undefined) peer.operations.add(key, contents, now);
  else if (before !== contents)
    throw new BrokerError('OPERATION_CHANGED', `${message.op} of version ${message.version} came before`);
}
