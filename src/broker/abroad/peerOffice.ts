/** What operators may see of the peers: the port that the adapter offers to the API. Quarantines and the last messages are stored. */
import type { InstantMs } from '../../kernel/clock.ts';

/**
 * CONNECTED: it answered lately. SILENT: it did not. UNFIT: it answers, but nothing can be agreed with it.
 * QUARANTINED: it has contradicted itself, and takes nothing more from us or we from it. DISMISSED: the configuration
 * names it no longer, and what was agreed with it is not over. NEVER_SEEN: since the start.
 */
export type PeerState = 'CONNECTED' | 'SILENT' | 'UNFIT' | 'QUARANTINED' | 'DISMISSED' | 'NEVER_SEEN';

export interface PeerView {
  readonly domain: string;
  readonly prefix: string;
  readonly url: string;
  readonly state: PeerState;
  /** Why it is not CONNECTED, as far as anybody knows. */
  readonly reason?: string;
  readonly protocol?: number;
  readonly epoch: number;
  readonly certificateEnd: InstantMs;
  readonly fingerprints: readonly string[];
  readonly keys: readonly string[];
  /** Its clock less ours. */
  readonly skewMs?: number;
  readonly lastSeen?: InstantMs;
  readonly lastError?: { readonly time: InstantMs; readonly text: string };
  readonly breaker: 'OPEN' | 'CLOSED';
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly failures: number;
  /** Of our last messages, the share that it answered. */
  readonly score: number;
  /** The links between us: agreed when both sides claim them. */
  readonly links: readonly {
    readonly port: string;
    readonly remote: string;
    readonly capacityMbps: number;
    readonly agreed: boolean;
  }[];
  /** The last checkpoint of our audit log that it has cosigned, and the key that this is verified with. */
  readonly vouched?: {
    readonly origin: string;
    readonly size: number;
    readonly at: InstantMs;
    readonly key: string;
  };
  readonly topology?: { readonly epoch: number; readonly n: number; readonly expires: InstantMs };
}

/** One line of the journal: the verb and the circuit, never who asked, nor a token. */
export interface PeerMessageLine {
  readonly time: InstantMs;
  readonly direction: 'IN' | 'OUT';
  readonly op: string;
  readonly circuit?: string;
  readonly version?: number;
  readonly outcome: string;
  readonly ms: number;
}

/** The last lines of one peer, the oldest first, as they are kept over restarts. */
export interface PeerJournal {
  readonly domain: string;
  readonly lines: readonly PeerMessageLine[];
}

export interface PeerOffice {
  peers(): readonly PeerView[];
  /** Says hello anew and tells how it went; undefined when there is no such peer. */
  check(domain: string): Promise<PeerView | undefined>;
  /** The last messages each way, the newest first. */
  messages(domain: string): readonly PeerMessageLine[];
}
