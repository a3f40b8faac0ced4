/**
 * Signs checkpoints: a second after a record became durable, or as soon as 256 are. What is signed is always
 * durable already, and the checkpoint travels with the next group of the writer, so that under load it costs
 * no transaction of its own. Nobody hears of a checkpoint before it is stored, and none is signed before the
 * witnesses have been asked what they have seen of this log.
 */
import { type Checkpoint, type NoteKey, signCheckpoint } from '../../aaa/merkle/note.ts';
import { type Cancel, type Clock, instant } from '../../kernel/clock.ts';
import type { Writer } from '../writer.ts';
import type { CheckpointRow } from './auditPorts.ts';
import { type AuditKeeper, continuing, type OpenedLog } from './auditStart.ts';

const EVERY_RECORDS = 256;
const EVERY_MS = 1_000;

export class Checkpointer {
  readonly #writer: Writer;
  readonly #clock: Clock;
  #opened: Pick<OpenedLog, 'signer' | 'extensions' | 'last'>;
  readonly #keeper: AuditKeeper | undefined;
  readonly #heard: (checkpoint: CheckpointRow) => void;
  #begun = false;
  #signing = false;
  #alarm: Cancel | undefined;
  #stopped = false;
  #continued = false;
  #failed = false;

  constructor(
    writer: Writer,
    opened: OpenedLog,
    ports: { readonly clock: Clock; readonly keeper: AuditKeeper | undefined },
    heard: (checkpoint: CheckpointRow) => void,
  ) {
    this.#writer = writer;
    this.#opened = opened;
    this.#clock = ports.clock;
    this.#keeper = ports.keeper;
    this.#heard = heard;
  }

  get signer(): NoteKey | undefined {
    return this.#opened.signer;
  }
  /** The last checkpoint of the log under its present name. */
  get last(): CheckpointRow | undefined {
    return this.#opened.last;
  }

  /** Records that are durable and in no checkpoint yet. */
  get unsigned(): number {
    return this.#writer.audit.durable - (this.last?.size ?? 0);
  }

  /** Nothing stands against signing any more. */
  begin(): void {
    this.#begun = true;
    this.wake();
  }

  /** From now on it is another log, which names what it goes on from. */
  goOn(from: Checkpoint, signer: NoteKey): NoteKey {
    const next = continuing(from, signer);
    this.#opened = next;
    this.wake();
    return next.signer;
  }

  /** Call when records may have become durable. */
  wake(): void {
    if (!this.#begun || this.#stopped || this.#signing) return;
    if (this.#opened.signer === undefined || this.unsigned === 0) return;
    if (this.unsigned >= EVERY_RECORDS && !this.#failed) void this.#sign();
    else this.#alarm ??= this.#clock.alarm(instant(this.#clock.now() + EVERY_MS), () => void this.#sign());
  }

  stop(): void {
    this.#stopped = true;
    this.#alarm?.();
  }

  async #sign(): Promise<void> {
    this.#alarm?.();
    this.#alarm = undefined;
    const { signer, extensions } = this.#opened;
    if (signer === undefined || this.#signing || this.#stopped) return;
    this.#signing = true;
    // A full store keeps its last room for what reduces: the log is signed when there is room again.
    this.#failed = this.#writer.full;
    try {
      const made = this.#failed
        ? undefined
        : await this.#writer.submit((tx) => {
            // Decided anew when its group failed, and then over what is durable then.
            const size = this.#writer.audit.durable;
            if (size === this.last?.size) return undefined;
            const root = this.#writer.audit.tree.root(size);
            const note = signCheckpoint({ origin: signer.name, size, root, extensions }, signer);
            const checkpoint: CheckpointRow = { origin: signer.name, size, time: tx.now, note };
            tx.checkpoints.push(checkpoint);
            return checkpoint;
          });
      if (made !== undefined) this.#durable(made);
    } catch {
      // What kept it from being written is told by the writer. The alarm tries again.
      this.#failed = true;
    }
    this.#signing = false;
    this.wake();
  }

  #durable(checkpoint: CheckpointRow): void {
    // Signed under a name that it has given up meanwhile: stored, and shown to nobody.
    if (checkpoint.origin !== this.signer?.name) return;
    this.#opened = { ...this.#opened, last: checkpoint };
    this.#keeper?.keepHead(checkpoint.note);
    if (!this.#continued) this.#keeper?.continued();
    this.#continued = true;
    this.#heard(checkpoint);
  }
}
