/** The broker's side of peering, in one word: it hears what peers say, and is asked what to tell them. */

import type { PeerAnswer, PeerMessage } from '../broker/abroad/peerPorts.ts';
import type { Dealings, Readiness } from '../broker/calls.ts';
import type { TokenUse } from '../broker/tokens/tokenUse.ts';
import type { Cancel } from '../kernel/clock.ts';
import type { TopologyDocument } from '../topology/document.ts';
import type { Withdrawals } from './revocations.ts';
import type { Atlas } from './topologies.ts';
import type { Notary } from './witnesses.ts';

/** What peering needs of the broker that it speaks for. */
export interface Speaker extends Atlas, Withdrawals {
  readonly audit: Notary;
  readonly standings: Atlas['standings'] & { quarantineOf(domain: string): string | undefined };
  peer(from: string, message: PeerMessage): Promise<PeerAnswer>;
  /** What is agreed with a peer, or waits to be told to it. */
  dealings(domain: string): Pick<Dealings, 'circuits' | 'holds' | 'waiting'>;
  readiness(): Pick<Readiness, 'epoch' | 'role'>;
  topology(): { readonly document: TopologyDocument };
  readonly tokens: Pick<TokenUse, 'published' | 'statusList'>;
  onEvents(listen: (events: readonly { readonly type: string }[]) => void): Cancel;
}
