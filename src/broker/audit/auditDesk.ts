/**
 * What others may ask of the audit log: its last checkpoint, proofs that a record is in it and that it only
 * grew, all of it as lines, and that what is personal in it be forgotten. Proofs are made against checkpoints
 * that are stored, so that whoever gets one can have it again.
 */
import { bareLine, exportLine } from '../../aaa/merkle/export.ts';
import { type MerkleLog, TILE, type Tiles } from '../../aaa/merkle/log.ts';
import { readNote, verifierKey } from '../../aaa/merkle/note.ts';
import type { Clock, InstantMs } from '../../kernel/clock.ts';
import { BrokerError } from '../../kernel/errors.ts';
import { DoorCount } from '../aaa/doorCount.ts';
import type { Mutated, Mutation } from '../calls.ts';
import type { Mutations } from '../mutations.ts';
import type { Office } from '../office.ts';
import type { Store } from '../ports.ts';
import type { CheckpointRow, StoredAuditRow } from './auditPorts.ts';
import { WitnessDesk, type WitnessPorts } from './witnessDesk.ts';

export interface CheckpointView extends CheckpointRow {
  /** base64, as in the note. */
  readonly root: string;
  /** The public key as C2SP writes it. */
  readonly key: string;
}

/** One record and the way from it to a signed root: enough to believe it without seeing any other. */
export interface DecisionProof {
  readonly seq: number;
  readonly record: string;
  /** base64url, nearest first. */
  readonly inclusion: readonly string[];
  readonly checkpoint: string;
}

export interface ConsistencyView {
  readonly from: number;
  readonly size: number;
  readonly proof: readonly string[];
}

const PAGE = 512;

export class AuditDesk {
  readonly #office: Office;
  readonly #clock: Clock;
  readonly #mutations: Mutations;
  readonly #store: Store;

  /** Of those who are turned away before there is a decision. */
  readonly door: DoorCount;
  /** For the peers that cosign each other's checkpoints. */
  readonly witness: WitnessDesk;

  constructor(office: Office, mutations: Mutations, ports: WitnessPorts & { readonly clock: Clock }) {
    const { store, clock } = ports;
    this.door = new DoorCount(office, clock);
    this.witness = new WitnessDesk(office, ports);
    this.#office = office;
    this.#clock = clock;
    this.#mutations = mutations;
    this.#store = store;
  }

  async checkpoint(): Promise<CheckpointView> {
    const last = await this.#last();
    if (last === undefined) throw new BrokerError('NOT_FOUND', 'no checkpoint has been signed yet');
    return last;
  }

  async #last(): Promise<CheckpointView | undefined> {
    const signer = this.#office.now().signer;
    const last = await this.#store.lastCheckpoint();
    if (signer === undefined || last === undefined || last.origin !== signer.name) return undefined;
    const root = readNote(last.note)?.checkpoint.root.toString('base64') ?? '';
    return { ...last, root, key: verifierKey(signer) };
  }

  /** The hashes that show the log of `size` to begin with that of `from`; of the last checkpoint, without a size. */
  async consistency(from: number, upTo?: number): Promise<ConsistencyView> {
    const size = upTo ?? (await this.checkpoint()).size;
    const { tree, durable } = this.#office.now().writer.audit;
    if (from > size || size > durable)
      throw new BrokerError('INVALID_REQUEST', `from and size must be in order, and at most ${durable}`);
    const tiles = await this.#tiles(tree.tilesForConsistency(from, size));
    return { from, size, proof: texts(tree.consistency(from, size, tiles)) };
  }

  /** Undefined while no checkpoint covers the record, where there is none, and on an instance that stands by. */
  async proofOf(decisionId: string): Promise<DecisionProof | undefined> {
    const { term } = this.#office;
    const signer = term?.signer;
    if (term === undefined || signer === undefined) return undefined;
    const seq = await this.#store.auditSeqOf(decisionId);
    if (seq === undefined) return undefined;
    const [over] = await this.#store.checkpoints(signer.name, seq, 1);
    const [row] = await this.#store.auditRows(seq, 1);
    if (over === undefined || row?.text === undefined) return undefined;
    const { tree } = term.writer.audit;
    const inclusion = await this.#inclusion(tree, seq, over.size);
    return { seq, record: row.text, inclusion, checkpoint: over.note };
  }

  async #inclusion(tree: MerkleLog, seq: number, size: number): Promise<string[]> {
    const tiles = await this.#tiles(tree.tilesForInclusion(seq, size));
    return texts(tree.inclusion(seq, size, tiles));
  }

  async #tiles(numbers: readonly number[]): Promise<Tiles> {
    const tiles = new Map<number, Buffer[]>();
    for (const tile of numbers) {
      const leaves = await this.#store.auditLeaves(tile * TILE, (tile + 1) * TILE);
      tiles.set(
        tile,
        leaves.map((leaf) => Buffer.from(leaf, 'base64url')),
      );
    }
    return tiles;
  }

  /** Lets go of the texts of old records; their leaves stay, and with them every proof. */
  async prune(before: InstantMs): Promise<void> {
    while (await this.#store.pruneAudit(this.#office.now().epoch, before, this.#clock.now())) {}
  }

  /**
   * Forgets who a principal was: in the log the value and its salt, in the decisions the name. The records and
   * every proof stay as they are. Circuits that live and their events keep their owner until retention.
   */
  erase(call: Mutation<undefined>, principal: string): Promise<Mutated<undefined>> {
    return this.#mutations.run(call, (tx, term) => {
      const refusal = term.authoriser.refusal(tx, { ...call, action: 'audit.erase', project: '', facts: {} });
      if (refusal !== undefined) return refusal;
      tx.erasures.push(principal);
      tx.record({ op: 'personal.erase', txn: call.requestId, actor: call.principal.id });
      return undefined;
    });
  }

  /**
   * The log as lines, `limit` records from `from` on and none beyond `upTo`: what it is, the checkpoints of
   * that stretch, then each record followed by what is personal in it and has not been erased.
   */
  async *export(from: number, limit: number, upTo?: number): AsyncGenerator<string> {
    const { origin, key, size: signed } = await this.checkpoint();
    const size = Math.min(signed, upTo ?? signed);
    yield line({ type: 'log', origin, key, size });
    const end = Math.min(size, from + limit);
    for (let after = from; after < end; ) {
      const page = (await this.#store.checkpoints(origin, after, PAGE)).filter((c) => c.size <= end);
      yield page.map(({ note }) => line({ type: 'checkpoint', note })).join('');
      after = page.length < PAGE ? end : (page.at(-1)?.size ?? end);
    }
    for (let at = from; at < end; ) {
      const rows = await this.#store.auditRows(at, Math.min(PAGE, end - at));
      if (rows.length === 0) return;
      yield rows.map(recordLines).join('');
      at += rows.length;
    }
  }
}

const texts = (hashes: readonly Buffer[]): string[] => hashes.map((hash) => hash.toString('base64url'));

const line = (value: unknown): string => `${JSON.stringify(value)}\n`;

function recordLines({ leaf, text, asides }: StoredAuditRow): string {
  const hash = Buffer.from(leaf, 'base64url');
  const record = text === undefined ? bareLine(hash) : exportLine(text, hash);
  return `${record}\n${asides.map((aside) => line({ type: 'aside', ...aside })).join('')}`;
}
