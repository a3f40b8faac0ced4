/**
 * Checkpoints between domains: each shows its peers the newest checkpoint of its audit log with the proof that the
 * log only grew since the last that the peer cosigned, and keeps the cosignatures; and each asks at its start what
 * the others have seen. All of it beside everything else: one question at a time to each peer, never an old
 * checkpoint, and further apart the longer there is no answer.
 */
import { type Static, Type } from 'typebox';
import { readVerifierKey, verifierKey } from '../aaa/merkle/note.ts';
import type { ConsistencyView } from '../broker/audit/auditDesk.ts';
import type { WitnessDesk } from '../broker/audit/witnessDesk.ts';
import type { Testimony } from '../broker/brokerPorts.ts';
import { newAjv } from '../http/schema.ts';
import { type Cancel, type Clock, type InstantMs, instant } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import type { Tell } from './client.ts';
import type { Peer, Vouched } from './peer.ts';

export const CHECKPOINTS_PATH = '/peer/v1/checkpoints';
export const SEEN_PATH = '/peer/v1/checkpoints/seen';

const TIMEOUT_MS = 5_000;
/** One push for all the checkpoints that are signed within so long. */
const SOON_MS = 2_000;
const RETRY_FIRST_MS = 5_000;
const RETRY_LAST_MS = 300_000;
/** Enough for a tree of 2^53 records. */
const LONGEST_PROOF = 128;

const strict = { additionalProperties: false } as const;
const Size = Type.Integer({ minimum: 0 });
const Note = Type.String({ maxLength: 16_384, description: 'A signed note (C2SP tlog-checkpoint)' });
const Key = Type.String({ maxLength: 512, description: 'As C2SP writes the key of a note' });
const Hash = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', description: 'base64url' });

export const ShownSchema = Type.Object(
  {
    key: Type.String({ ...Key, description: "The key of the sender's log" }),
    note: Note,
    from: Type.Integer({ ...Size, description: 'The size that the proof begins at' }),
    proof: Type.Array(Hash, { maxItems: LONGEST_PROOF }),
  },
  { $id: 'CheckpointShown', ...strict, description: "The newest checkpoint of the sender's log" },
);
type Shown = Static<typeof ShownSchema>;

export const WitnessedSchema = Type.Object(
  {
    outcome: Type.Enum(['COSIGNED', 'STALE', 'FORKED'], {
      description: 'STALE: ask again from `size`. FORKED: it does not go on from `note`, and is not cosigned',
    }),
    line: Type.Optional(Type.String({ maxLength: 1_024, description: 'The cosignature' })),
    key: Type.Optional(Type.String({ ...Key, description: 'The key of the witness' })),
    size: Type.Optional(Size),
    note: Type.Optional(Type.String({ ...Note, description: 'What the sender has signed before' })),
  },
  { $id: 'CheckpointWitnessed', ...strict },
);
type Witnessed = Static<typeof WitnessedSchema>;

export const SeenSchema = Type.Object(
  { notes: Type.Array(Note, { maxItems: 64 }) },
  { $id: 'CheckpointsSeen', ...strict, description: "What was cosigned of the asker's own logs" },
);
export const NothingSchema = Type.Object({}, { $id: 'Nothing', ...strict });

const ajv = newAjv();
const isWitnessed = ajv.compile(WitnessedSchema);
const isSeen = ajv.compile(SeenSchema);

/** The broker's side: its own log, and what it has seen of others. */
export interface Notary {
  readonly witness: Pick<WitnessDesk, 'signer' | 'cosign' | 'seen' | 'newest' | 'confronted' | 'cosigned'>;
  consistency(from: number, size: number): Promise<ConsistencyView>;
}

export interface WitnessesPorts {
  readonly clock: Clock;
  /** Throws while nobody is in office. */
  notary(): Notary;
  peers(): readonly Peer[];
  readonly tell: Tell;
}

export class Witnesses {
  readonly #ports: WitnessesPorts;
  readonly #asking = new Set<string>();
  readonly #retries = new Map<string, { readonly failures: number; readonly at: InstantMs }>();
  #alarm: { readonly at: InstantMs; readonly cancel: Cancel } | undefined;
  #stopped = false;

  constructor(ports: WitnessesPorts) {
    this.#ports = ports;
  }

  /** There is a checkpoint, or a peer, that there was not before. */
  wake(): void {
    this.#wakeAt(instant(this.#ports.clock.now() + SOON_MS));
  }
  stop(): void {
    this.#stopped = true;
    this.#alarm?.cancel();
  }

  #wakeAt(at: InstantMs): void {
    if (this.#stopped || (this.#alarm !== undefined && this.#alarm.at <= at)) return;
    this.#alarm?.cancel();
    const cancel = this.#ports.clock.alarm(at, () => {
      this.#alarm = undefined;
      this.#pushAll();
    });
    this.#alarm = { at, cancel };
  }

  #pushAll(): void {
    for (const peer of this.#ports.peers()) {
      if (peer.session === undefined || this.#asking.has(peer.domain)) continue;
      const { failures, at } = this.#retries.get(peer.domain) ?? { failures: 0, at: 0 };
      const now = this.#ports.clock.now();
      if (at > now) {
        this.#wakeAt(instant(at));
        continue;
      }
      this.#asking.add(peer.domain);
      this.#push(peer)
        .then((went) => {
          if (went) this.#retries.delete(peer.domain);
          else throw new Error('it did not cosign');
        })
        .catch(() => {
          const wait = Math.min(RETRY_FIRST_MS * 2 ** Math.min(failures, 10), RETRY_LAST_MS);
          const again = instant(this.#ports.clock.now() + wait);
          this.#retries.set(peer.domain, { failures: failures + 1, at: again });
          this.#wakeAt(again);
        })
        .finally(() => this.#asking.delete(peer.domain));
    }
  }

  /** False: to be tried again later. Throws when there is no answer, and out of office. */
  async #push(peer: Peer): Promise<boolean> {
    const notary = this.#ports.notary();
    let from: number | undefined;
    // Once to learn from where, once with the proof.
    for (let attempt = 0; attempt < 3; attempt++) {
      const newest = notary.witness.newest();
      if (newest === undefined) return true;
      const { origin, size, note, key } = newest;
      const known = peer.vouched?.origin === origin ? peer.vouched.size : 0;
      if (known >= size) return true;
      const begin = from ?? known;
      const proof = begin === 0 ? [] : [...(await notary.consistency(begin, size)).proof];
      const body: Shown = { key, note, from: begin, proof };
      const answered = await this.#ports.tell(peer, { path: CHECKPOINTS_PATH, body, timeoutMs: TIMEOUT_MS });
      if (typeof answered === 'string' || answered.status !== 200 || !isWitnessed(answered.body))
        return false;
      // The schema has just been checked.
      const said = answered.body as Witnessed;
      if (said.outcome === 'COSIGNED') {
        await this.#keep(peer, { origin, size }, said);
        if (notary.witness.newest()?.size !== size) this.wake();
        return true;
      }
      // Either it is behind us, or what it has seen is not in our log.
      const met = said.note === undefined ? 'KNOWN' : await notary.witness.confronted(peer.domain, said.note);
      if (met === 'NOT_OURS') peer.failed('it shows a checkpoint that we have not signed');
      // Under its new name it is shown with its first checkpoint.
      if (met === 'CONTINUED') return true;
      if (met === 'NOT_OURS' || said.outcome === 'FORKED') return false;
      from = said.size ?? 0;
      if (from > size) return false;
    }
    return false;
  }

  async #keep(peer: Peer, of: Pick<Vouched, 'origin' | 'size'>, { key = '', line = '' }: Witnessed) {
    const by = readVerifierKey(key, 'witness');
    if (by?.name !== `${peer.domain}/witness`) {
      peer.failed('it cosigns in another name');
      return;
    }
    await this.#ports.notary().witness.cosigned(of.size, line, by);
    peer.vouched = { ...of, at: this.#ports.clock.now(), key };
  }

  /** What the peers that can be reached have seen of our log. */
  async testimonies(): Promise<readonly Testimony[]> {
    const call = { path: SEEN_PATH, body: {}, timeoutMs: TIMEOUT_MS };
    const asked = this.#ports.peers().map(async (peer): Promise<Testimony[]> => {
      const answered = await this.#ports.tell(peer, call);
      if (typeof answered === 'string' || !isSeen(answered.body)) return [];
      // The schema has just been checked.
      const { notes } = answered.body as Static<typeof SeenSchema>;
      return notes.map((note) => ({ by: peer.domain, note }));
    });
    const all = await Promise.allSettled(asked);
    return all.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
  }

  // ---- what we hear ----------------------------------------------------------------------------------------

  async shown(peer: Peer, { key, note, from, proof }: Shown): Promise<Witnessed> {
    const { witness } = this.#ports.notary();
    const log = readVerifierKey(key);
    // The key is its own word, which the signature over this request makes it answer for.
    if (log === undefined || !log.name.startsWith(`${peer.domain}/audit/`))
      throw new BrokerError('INVALID_REQUEST', `this is not the key of a log of ${peer.domain}`);
    const hashes = proof.map((hash) => Buffer.from(hash, 'base64url'));
    const said = await witness.cosign(log, note, from, hashes);
    if (said.kind === 'COSIGNED') {
      const signer = witness.signer;
      const mine = signer === undefined ? {} : { key: verifierKey(signer, 'witness') };
      return { outcome: 'COSIGNED', line: said.line, ...mine };
    }
    if (said.kind === 'FORKED') peer.failed(`its audit log: ${said.detail}`);
    const size = said.kind === 'STALE' ? { size: said.size } : {};
    return { outcome: said.kind, ...size, ...(said.note === '' ? {} : { note: said.note }) };
  }

  async seen(peer: Peer): Promise<Static<typeof SeenSchema>> {
    return { notes: [...(await this.#ports.notary().witness.seen(peer.domain))] };
  }
}
