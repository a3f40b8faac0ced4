/**
 * Brokers as each other's witnesses. As one, this broker cosigns the checkpoint of another's log once it has seen
 * that the log only grew, and remembers it durably before the cosignature leaves. As a log, it adds what its own
 * witnesses signed to the stored checkpoint. Who asks whom, and when, is the peers' matter.
 */
import {
  cosign,
  cosignedAt,
  isSignedBy,
  type NoteKey,
  readNote,
  type SignedCheckpoint,
  verifierKey,
} from '../../aaa/merkle/note.ts';
import { witness } from '../../aaa/merkle/witness.ts';
import { BrokerError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Office } from '../office.ts';
import type { Store } from '../ports.ts';
import type { CheckpointRow, Witnessed } from './auditPorts.ts';
import { type AuditKeeper, domainOf } from './auditStart.ts';
import type { Confronted } from './confront.ts';

export type Cosigned =
  | { readonly kind: 'COSIGNED'; readonly line: string }
  /** Ask again with the consistency proof from this size; `note` is what its log signed of that size. */
  | { readonly kind: 'STALE'; readonly size: number; readonly note: string }
  | { readonly kind: 'FORKED'; readonly detail: string; readonly note: string };

export interface WitnessPorts {
  readonly domain: string;
  readonly store: Store;
  readonly log: Log;
  readonly audit?: AuditKeeper;
}

/** A domain begins a new log after a restore, and not every day. */
const MOST_LOGS = 64;

const refused = (detail: string): BrokerError => new BrokerError('INVALID_REQUEST', detail);

export class WitnessDesk {
  readonly #office: Office;
  readonly #ports: WitnessPorts;
  /** One at a time: between looking and remembering nobody else may look. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Of each log the last note that did not fit: shown again, it is told again and not recorded again. */
  readonly #forks = new Map<string, string>();

  constructor(office: Office, ports: WitnessPorts) {
    this.#office = office;
    this.#ports = ports;
  }

  /** Who we are when we cosign; undefined where there is no key. */
  get signer(): NoteKey | undefined {
    const { audit, domain } = this.#ports;
    return audit === undefined ? undefined : { name: `${domain}/witness`, key: audit.key };
  }

  // ---- of the logs of others -------------------------------------------------------------------------------

  /** `log` is the other's key, by its own signed word; `from` is the size that the proof begins at. */
  cosign(log: NoteKey, text: string, from: number, proof: readonly Uint8Array[]): Promise<Cosigned> {
    const mine = this.#turn.then(() => this.#cosign(log, text, from, proof));
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async #cosign(log: NoteKey, text: string, from: number, proof: readonly Uint8Array[]): Promise<Cosigned> {
    const { signer } = this;
    const note = readNote(text);
    if (signer === undefined) throw new BrokerError('NOT_SUPPORTED', 'this broker signs nothing');
    if (note === undefined || note.checkpoint.origin !== log.name || !isSignedBy(note, log))
      throw refused('this is not a checkpoint that its log has signed');
    const { origin, size, root } = note.checkpoint;
    const logs = await this.#ports.store.witnessed(domainOf(origin));
    const seen = logs.find((one) => one.origin === origin);
    if (seen === undefined && logs.length >= MOST_LOGS)
      throw refused(`${logs.length} logs of one domain are enough`);
    const before = readNote(seen?.note ?? '');
    if (before !== undefined && !isSignedBy(before, log))
      throw refused('this log was signed with another key before');
    const known = seen && { size: seen.size, root: Buffer.from(seen.root, 'base64') };
    const answer = witness(known, note.checkpoint, from, proof);
    if (answer.kind === 'STALE') return { ...answer, note: seen?.note ?? '' };
    if (answer.kind === 'FORKED') {
      if (seen !== undefined) await this.#forked(seen, note, text);
      return { ...answer, note: seen?.note ?? '' };
    }
    const at = await this.#office.now().writer.submit((tx) => {
      tx.witnessed.push({ origin, size, root: root.toString('base64'), note: text });
      return tx.now;
    });
    if (seen === undefined && logs.length > 0)
      this.#ports.log.warn({ event: 'audit.renamed', origin, before: logs.map((one) => one.origin) });
    return { kind: 'COSIGNED', line: cosign(note, signer, Math.floor(at / 1000)) };
  }

  /** Two notes that one log has signed and that cannot both be true are evidence, and stay in our own log. */
  async #forked(seen: Witnessed, { checkpoint }: SignedCheckpoint, note: string): Promise<void> {
    const { origin, size } = checkpoint;
    if (this.#forks.get(origin) === note) return;
    this.#forks.set(origin, note);
    this.#ports.log.error({ event: 'audit.forked', origin, size, seen: seen.size });
    const root = checkpoint.root.toString('base64');
    const ask = {
      origin,
      size,
      root,
      note,
      seen_size: seen.size,
      seen_root: seen.root,
      seen_note: seen.note,
    };
    await this.#office.now().writer.submit((tx) => tx.record({ op: 'log.forked', ask }));
  }

  /** What we have cosigned of a domain's logs, as it signed them. */
  async seen(domain: string): Promise<readonly string[]> {
    const logs = await this.#ports.store.witnessed(domain);
    return logs.map(({ note }) => note).filter((note) => note !== '');
  }

  // ---- of our own ------------------------------------------------------------------------------------------

  /** The last checkpoint of our log, with the key that it is signed with; undefined when there is none. */
  newest(): (CheckpointRow & { readonly key: string }) | undefined {
    const { signer, checkpointer } = this.#office.now();
    const { last } = checkpointer;
    return signer === undefined || last === undefined ? undefined : { ...last, key: verifierKey(signer) };
  }

  /** A witness shows what it has seen of our log. */
  confronted(by: string, note: string): Promise<Confronted> {
    return this.#office.now().confronted(by, note);
  }

  /** A witness has cosigned our checkpoint of that size: kept with it, once it is seen to be so. */
  async cosigned(size: number, line: string, by: NoteKey): Promise<void> {
    const term = this.#office.now();
    const origin = term.signer?.name ?? '';
    const [stored] = await this.#ports.store.checkpoints(origin, size - 1, 1);
    if (stored?.size !== size) throw refused(`there is no checkpoint of ${size} records`);
    const before = readNote(stored.note);
    if (before !== undefined && cosignedAt(before, by) !== undefined) return;
    const note = readNote(stored.note + line);
    if (note === undefined || cosignedAt(note, by) === undefined)
      throw refused(`this is not a cosignature of ${by.name}`);
    await term.writer.submit((tx) => {
      tx.cosignatures.push({ origin, size, line });
    });
  }
}
