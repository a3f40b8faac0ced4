/**
 * The audit log of a term: numbers and seals what the decisions of a group want recorded, in the order of the
 * queue, and keeps the tree. A group that was not written is taken back whole; what is durable never is.
 */
import { MerkleLog } from '../../aaa/merkle/log.ts';
import { type Aside, seal } from '../../aaa/merkle/record.ts';
import type { Random } from '../../kernel/random.ts';
import type { Tx } from '../tx.ts';
import { type AuditEntry, type AuditGroup, type AuditRow, type AuditTile, NO_AUDIT } from './auditPorts.ts';

export class AuditLog {
  readonly tree: MerkleLog;
  readonly #domain: string;
  readonly #random: Random;
  #durable: number;

  constructor(domain: string, random: Random, tree = new MerkleLog()) {
    this.#domain = domain;
    this.#random = random;
    this.tree = tree;
    this.#durable = tree.size;
  }

  /** Records before this one are durable. */
  get durable(): number {
    return this.#durable;
  }

  /** Followed by kept() when the store has it, or by takeBack() when it has not. */
  form(txs: readonly Tx[]): AuditGroup {
    if (txs.every((tx) => tx.addsNoAudit)) return NO_AUDIT;
    const rows: AuditRow[] = [];
    const asides: Aside[] = [];
    const tiles: AuditTile[] = [];
    for (const tx of txs) {
      const time = new Date(tx.now).toISOString();
      for (const entry of tx.records) {
        const effect = entry.effect ?? effectOf(tx, entry);
        const sealed = seal(
          {
            ...entry,
            seq: this.tree.size,
            time,
            domain: this.#domain,
            ...(effect === undefined ? {} : { effect }),
          },
          (length) => this.#random.bytes(length),
        );
        rows.push({
          seq: sealed.seq,
          time: tx.now,
          leaf: sealed.leaf.toString('base64url'),
          text: sealed.text,
          ...(entry.decision_id === undefined ? {} : { decisionId: entry.decision_id }),
        });
        asides.push(...sealed.asides);
        const tile = this.tree.append(sealed.leaf);
        if (tile !== undefined) tiles.push({ tile: tile.tile, hash: tile.hash.toString('base64url') });
      }
    }
    return {
      rows,
      asides,
      tiles,
      checkpoints: txs.flatMap((tx) => tx.checkpoints),
      cosignatures: txs.flatMap((tx) => tx.cosignatures),
      witnessed: txs.flatMap((tx) => tx.witnessed),
      erasures: txs.flatMap((tx) => tx.erasures),
    };
  }

  kept(): void {
    this.#durable = this.tree.size;
    this.tree.durable(this.#durable);
  }

  takeBack(): void {
    this.tree.truncate(this.#durable);
  }
}

/** What came of a decision: the lines of the event log that its transaction wrote about its circuit. */
function effectOf(tx: Tx, { op, circuit, decision }: AuditEntry): string | undefined {
  if (op !== 'decision' || decision !== 'ALLOW' || tx.events.length === 0) return undefined;
  const about = circuit === undefined ? tx.events : tx.events.filter((e) => e.circuitId === circuit);
  return about.length === 0 ? undefined : [...new Set(about.map((e) => e.type))].join(' ');
}
