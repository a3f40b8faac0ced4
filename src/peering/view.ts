/** A peer as operators see it. */
import type { PeerMessageLine, PeerOffice, PeerState, PeerView } from '../broker/abroad/peerOffice.ts';
import type { DomainRecord } from '../broker/ports.ts';
import { instant } from '../kernel/clock.ts';
import type { TopologyDocument } from '../topology/document.ts';
import { lastEnd } from './certificate.ts';
import { bordersTo } from './hello.ts';
import type { Peer } from './peer.ts';

/** The score is taken over so many of our last messages. */
const SCORED = 100;

const failed = ({ outcome }: PeerMessageLine): boolean => outcome.startsWith(FAILED);

/** How the journal writes that no answer came. */
export const FAILED = 'no answer: ';

function viewOf(peer: Peer, own: TopologyDocument, topology: PeerView['topology']): PeerView {
  const { settings, protocol, skewMs, lastSeen, lastError } = peer;
  const asked = peer.journal.filter((line) => line.direction === 'OUT').slice(-SCORED);
  const [state, reason] = stateOf(peer);
  return {
    domain: settings.domain,
    prefix: settings.prefix,
    url: settings.url,
    state,
    ...(reason === undefined ? {} : { reason }),
    ...(protocol === undefined ? {} : { protocol }),
    epoch: peer.epoch,
    certificateEnd: instant(lastEnd(settings.pins)),
    fingerprints: settings.pins.map((pin) => pin.fingerprint),
    keys: [...settings.keys.keys()],
    ...(skewMs === undefined ? {} : { skewMs }),
    ...(lastSeen === undefined ? {} : { lastSeen }),
    ...(lastError === undefined ? {} : { lastError }),
    breaker: peer.breaker.state,
    messagesIn: peer.messagesIn,
    messagesOut: peer.messagesOut,
    failures: peer.failures,
    score: asked.length === 0 ? 1 : 1 - asked.filter(failed).length / asked.length,
    links: bordersTo(peer.domain, own).map(({ port, remote, capacity_mbps }) => {
      const theirs = peer.borders.find((one) => one.port === remote && one.remote === port);
      const capacityMbps = Math.min(capacity_mbps, theirs?.capacity_mbps ?? capacity_mbps);
      return { port, remote, capacityMbps, agreed: theirs !== undefined };
    }),
    ...(peer.vouched === undefined ? {} : { vouched: peer.vouched }),
    ...(topology === undefined ? {} : { topology }),
  };
}

export function officeOf(
  speaker: () => {
    domains(): readonly DomainRecord[];
    topology(): { readonly document: TopologyDocument };
  },
  peers: ReadonlyMap<string, Peer>,
  greet: (peer: Peer) => Promise<void>,
): PeerOffice {
  const view = (peer: Peer): PeerView => {
    const record = speaker()
      .domains()
      .find(({ document }) => document.domain === peer.domain);
    const known = record === undefined ? undefined : { ...record.document.version, expires: record.expires };
    return viewOf(peer, speaker().topology().document, known);
  };
  return {
    peers: () => [...peers.values()].map(view),
    check: async (domain) => {
      const peer = peers.get(domain);
      if (peer === undefined) return undefined;
      // How it went is with the peer.
      await greet(peer).catch(() => {});
      return view(peer);
    },
    messages: (domain) => (peers.get(domain)?.journal ?? []).toReversed(),
  };
}

function stateOf(peer: Peer): readonly [PeerState, (string | undefined)?] {
  if (peer.quarantined !== undefined) return ['QUARANTINED', peer.quarantined];
  if (peer.dismissed) return ['DISMISSED', 'the configuration names it no longer; what was agreed goes on'];
  if (peer.unfit !== undefined) return ['UNFIT', peer.unfit];
  const last = peer.journal.findLast((line) => line.direction === 'OUT');
  const silent = last !== undefined && failed(last) && (peer.lastSeen ?? 0) <= last.time;
  if (peer.session === undefined || silent)
    return [peer.lastSeen === undefined ? 'NEVER_SEEN' : 'SILENT', peer.lastError?.text];
  return ['CONNECTED'];
}
