/**
 * The `Peers` port: what brokers say to each other, free of how it is signed and carried. Every message names
 * the home's circuit; (circuit, version, op) is its operation key. Answers are made from the present state.
 */
import type { InstantMs } from '../../kernel/clock.ts';
import type { News } from '../../model/effects.ts';
import type { HeldLabels } from '../../model/events.ts';
import type { Label, LabelRanges } from '../../model/label.ts';
import type { PortId } from '../../model/port.ts';
import type { Window } from '../../model/window.ts';
import type { DigestLine } from './digest.ts';

interface PeerHeader {
  /** The home's id of the circuit; of an availability or a digest: what the sender calls the question. */
  readonly circuit: string;
  /** The sender's lease epoch. */
  readonly epoch: number;
  /** The version now in force, if there is one: everything else up to `floor` is closed. */
  readonly active?: number;
  readonly floor: number;
}

/**
 * What one end of a segment may be told apart by. `candidates`: at a border, in the order of preference, four
 * at most; whoever is the link's label master holds the first that is free, the other end all that are.
 */
export interface PeerEnd {
  readonly port: PortId;
  readonly labels: LabelRanges | 'UNTAGGED';
  readonly candidates?: readonly Label[];
}

/** Constraints that a domain must keep to inside itself. */
export interface SegmentConstraints {
  readonly maxLatencyMs?: number;
  readonly minMtu?: number;
  readonly excludeSrlgs?: readonly string[];
}

/** Another way through the same domain for the same circuit: held and dark, and sharing no link with the first. */
export interface PeerSecond {
  readonly a: PeerEnd;
  readonly z: PeerEnd;
  readonly maxLatencyMs?: number;
}

export interface PeerSegment {
  readonly a: PeerEnd;
  readonly z: PeerEnd;
  readonly second?: PeerSecond;
  readonly window: Window;
  readonly mbps: number;
  readonly provision: 'AUTOMATIC' | 'MANUAL';
  /** A pairwise pseudonym: the same user has another name at each peer. */
  readonly requester: string;
  readonly constraints?: SegmentConstraints;
  /** Until so many seconds before its start the home may be asked to move it; absent: it stays. */
  readonly noticeS?: number;
  /** The domains that the circuit passes, from a to z, 32 at most. */
  readonly path?: readonly string[];
}

/** Another circuit of the same home that makes room: its version is closed before the hold is looked at. */
export interface Freeing {
  readonly circuit: string;
  readonly version: number;
  readonly active: number;
}

/** A circuit of the same home of which every domain has committed this version: its part need not be asked for. */
export interface Agreement {
  readonly circuit: string;
  readonly version: number;
}

/** MOVE: for another's sake, and not once its notice has begun. */
export type ChangeKind = 'MOVE' | 'MODIFY';

export type PeerMessage = PeerHeader &
  (
    | {
        readonly op: 'hold';
        readonly version: number;
        readonly segment: PeerSegment;
        readonly until: InstantMs;
        readonly kind?: ChangeKind;
        readonly replaces?: number;
        /** Circuits of the same home that move away first: is there room once they are gone? */
        readonly after?: readonly string[];
        readonly frees?: readonly Freeing[];
        readonly agreed?: readonly Agreement[];
      }
    | { readonly op: 'extend'; readonly version: number; readonly until: InstantMs }
    | {
        readonly op: 'commit';
        readonly version: number;
        readonly segment: PeerSegment;
        readonly kind?: ChangeKind;
        /** The token of the circuit, with a proof that the home has signed for this message. */
        readonly token?: string;
        readonly agreed?: readonly Agreement[];
      }
    | { readonly op: 'abort'; readonly version: number }
    | { readonly op: 'free'; readonly version: number }
    | { readonly op: 'provision'; readonly version: number; readonly token?: string }
    | { readonly op: 'release'; readonly reason: string }
    | { readonly op: 'cancel' }
    | { readonly op: 'query' }
    | {
        readonly op: 'notify';
        readonly what: News;
        readonly version: number;
        readonly sequence: number;
        readonly cause?: string;
        /** IMPAIRED: the end of the segment that is out of order, and not what lies between. */
        readonly port?: PortId;
        /** IMPAIRED, MENDED: not the way in use there, but the second one. */
        readonly second?: true;
      }
    /** When could a segment like this start? Changes nothing and reserves nothing. */
    | {
        readonly op: 'availability';
        readonly a: PortId;
        readonly z: PortId;
        readonly mbps: number;
        readonly durationS: number;
        readonly window: Window;
      }
    /** A participant asks the home to move a circuit out of `window`, for a hold that waits for the room. */
    | {
        readonly op: 'ask-move';
        readonly window: Window;
        readonly askId: string;
        readonly waiting: string;
        readonly reason: string;
      }
    /** Between the two ends of a border link, before it is lit: is this the label that you have too? */
    | {
        readonly op: 'border-match';
        readonly home: string;
        readonly port: PortId;
        readonly label: Label;
        readonly version: number;
      }
    /** What the sender has agreed with the receiver, summed (`digest.ts`). */
    | { readonly op: 'digest'; readonly sums: string }
    /** All its lines in some of the buckets. */
    | {
        readonly op: 'digest-lines';
        readonly buckets: readonly number[];
        readonly lines: readonly DigestLine[];
      }
  );

/** LABEL: no common label. ROOM: no room in this slot. FROZEN: too close to a start to change. TOKEN: none, or not a good one. */
export type RefusalKind = 'LABEL' | 'ROOM' | 'POLICY' | 'TOKEN' | 'CAP' | 'FROZEN' | 'WINDOW' | 'INVALID';

/** Always from the present state of the one who answers, never a cached old answer. */
export type PeerAnswer =
  | {
      readonly state: 'HELD';
      readonly version: number;
      readonly until: InstantMs;
      readonly peerRef: string;
      readonly aLabel?: Label;
      readonly zLabel?: Label;
      /** The candidates that are held there, where labels are still to be agreed. */
      readonly aLabels?: readonly Label[];
      readonly zLabels?: readonly Label[];
      /** The same of the second way, where one was asked for. */
      readonly second?: HeldLabels;
      readonly epoch: number;
    }
  | {
      readonly state: 'COMMITTED';
      readonly version: number;
      readonly lit: boolean;
      readonly peerRef: string;
      readonly epoch: number;
    }
  | { readonly state: 'EXPIRED'; readonly version: number; readonly epoch: number }
  /** `dark`: nothing of the circuit shines here any more. */
  | { readonly state: 'CLOSED'; readonly dark: boolean; readonly epoch: number }
  | { readonly state: 'UNKNOWN'; readonly epoch: number }
  | {
      readonly state: 'REFUSED';
      readonly cause: string;
      readonly kind: RefusalKind;
      /** ROOM: when it opens, as far as anybody can tell. */
      readonly opens?: InstantMs;
      readonly epoch: number;
    }
  /** There is room as soon as those have gone that it is to be held after. */
  | { readonly state: 'WAITS'; readonly version: number; readonly epoch: number }
  /** Somebody else's circuit is in the way, and its home has been asked to move it: ask again. */
  | { readonly state: 'BUSY'; readonly epoch: number }
  /** A home's answer to a query. */
  | { readonly state: 'ACTIVE'; readonly version: number; readonly epoch: number }
  | { readonly state: 'PENDING'; readonly epoch: number }
  | { readonly state: 'ABORTED'; readonly epoch: number }
  /** Start times that would do, as half-open intervals; nothing is known from `until` on. */
  | {
      readonly state: 'AVAILABLE';
      readonly intervals: readonly Window[];
      readonly until: InstantMs;
      readonly asOf: InstantMs;
      readonly latencyMs?: number;
      readonly epoch: number;
    }
  | { readonly state: 'MOVED'; readonly version: number; readonly epoch: number }
  | { readonly state: 'MATCH'; readonly label?: Label; readonly epoch: number }
  | { readonly state: 'MISMATCH'; readonly label?: Label; readonly epoch: number }
  /** Which buckets of a digest are other with the answerer. */
  | { readonly state: 'DIFFERS'; readonly buckets: readonly number[]; readonly epoch: number }
  /** What the answerer has, of the circuits of which it has not the same; no versions: nothing. */
  | { readonly state: 'LINES'; readonly lines: readonly DigestLine[]; readonly epoch: number };

export interface Peers {
  /** Rejects when no answer came: nobody knows then whether the message arrived. */
  send(domain: string, message: PeerMessage): Promise<PeerAnswer>;
}
