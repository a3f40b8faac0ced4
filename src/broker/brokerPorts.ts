/** All that a broker is handed: who it is, its adapters, and what it starts from. */
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { TopologyDocument } from '../topology/document.ts';
import type { PolicyDraft } from './aaa/policy.ts';
import type { RuleSettings } from './aaa/rulebook.ts';
import type { Peers } from './abroad/peerPorts.ts';
import type { CheckpointRow } from './audit/auditPorts.ts';
import type { AuditKeeper } from './audit/auditStart.ts';
import type { BookSeams } from './book.ts';
import type { Devices } from './devices/devicePorts.ts';
import type { Inspection } from './devices/inspection.ts';
import type { Store, StoreError } from './ports.ts';
import type { TokenPorts } from './tokens/tokenDesk.ts';

/** A checkpoint of ours, as a witness has it. */
export interface Testimony {
  readonly by: string;
  readonly note: string;
}

export interface BrokerPorts {
  readonly domain: string;
  /** Who this instance is to the lease: unique per process. */
  readonly holder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly store: Store;
  readonly devices: Devices;
  /** Absent where devices are only lit and darkened, as in the simulation. */
  readonly inspection?: Inspection;
  readonly peers: Peers;
  /** Absent in worlds without capability tokens: the bearer is all that a MANUAL circuit asks for there. */
  readonly tokens?: TokenPorts;
  /** What rules may ask that no request says, and the policy of a store that has none yet. */
  readonly policy: RuleSettings & { readonly seed: PolicyDraft };
  /** The topology of a store that has none yet. */
  readonly seedTopology: TopologyDocument;
  /** A leader that has not renewed for so long is replaced. */
  readonly leaseTtlMs?: number;
  /** Signs the audit log; without it the log is kept and nobody vouches for it. */
  readonly audit?: AuditKeeper;
  /** A checkpoint is durable: whoever witnesses may have it. */
  readonly onCheckpoint?: (checkpoint: CheckpointRow) => void;
  /** What witnesses that can be reached have seen of our log; asked before a term signs anything. */
  readonly testimonies?: () => Promise<readonly Testimony[]>;
  readonly seams?: BookSeams;
  /** The lease went to somebody else, or the store is lost: the process decides what to do about it. */
  readonly onLost?: (error: StoreError) => void;
}
