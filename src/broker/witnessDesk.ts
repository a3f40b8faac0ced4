/**
 * Brokers as each other's witnesses. As one, this broker cosigns the checkpoint of another's log once it has seen
 * that the log only grew, and remembers it durably before the cosignature leaves. As a log, it adds what its own
 * witnesses signed to the stored checkpoint. Who asks whom, and when, is the peers' matter.
 */
import { cosign, cosignedAt, isSignedBy, type NoteKey, readNote } from '../aaa/merkle/note.ts';
import { witness } from '../aaa/merkle/witness.ts';
import { BrokerError } from '../kernel/errors.ts';
import type { AuditKeeper } from './auditStart.ts';
import type { Office } from './office.ts';
import type { Store } from './ports.ts';

export type Cosigned =
  | { readonly kind: 'COSIGNED'; readonly line: string }
  /** Ask again with the consistency proof from this size. */
  | { readonly kind: 'STALE'; readonly size: number }
  | { readonly kind: 'FORKED'; readonly detail: string };

export interface WitnessPorts {
  readonly domain: string;
  readonly store: Store;
  readonly audit?: AuditKeeper;
}

const refused = (detail: string): BrokerError => new BrokerError('INVALID_REQUEST', detail);

export class WitnessDesk {
  readonly #office: Office;
  readonly #ports: WitnessPorts;
  /** One at a time: between looking and remembering nobody else may look. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(office: Office, ports: WitnessPorts) {
    this.#office = office;
    this.#ports = ports;
  }

  /** Who we are when we cosign; undefined where there is no key. */
  get signer(): NoteKey | undefined {
    const { audit, domain } = this.#ports;
    return audit === undefined ? undefined : { name: `${domain}/witness`, key: audit.key };
  }

  /** `log` is the other's key as it was pinned; `from` is the size that the proof begins at. */
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
    const seen = await this.#ports.store.witnessed(origin);
    const known = seen && { size: seen.size, root: Buffer.from(seen.root, 'base64') };
    const answer = witness(known, note.checkpoint, from, proof);
    if (answer.kind === 'FORKED') {
      // The two roots are evidence, and stay in our own log.
      const ask = {
        origin,
        size,
        root: root.toString('base64'),
        seen_size: seen?.size ?? 0,
        seen_root: seen?.root ?? '',
      };
      await this.#office.now().writer.submit((tx) => tx.record({ op: 'log.forked', ask }));
    }
    if (answer.kind !== 'COSIGN') return answer;
    const at = await this.#office.now().writer.submit((tx) => {
      tx.witnessed.push({ origin, size, root: root.toString('base64') });
      return tx.now;
    });
    return { kind: 'COSIGNED', line: cosign(note, signer, Math.floor(at / 1000)) };
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
