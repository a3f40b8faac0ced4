/** Which live circuits other domains have a part in: indexes that the book keeps beside its circuits. */
import type { CircuitId } from '../../kernel/ids.ts';
import { type Circuit, isFinal } from '../../model/circuit.ts';

export class Parties {
  /** Home circuits over several domains: only an agreement moves them. */
  readonly abroad = new Set<CircuitId>();
  /** Home circuits that are held as soon as others have moved away. */
  readonly waiting = new Set<CircuitId>();
  /** By peer, its circuits that are held here and not committed. */
  readonly heldBy = new Map<string, Set<CircuitId>>();

  link(c: Circuit): void {
    if (isFinal(c.state)) return;
    if (c.role === 'HOME' && (c.current?.segments.length ?? 0) > 1) this.abroad.add(c.id);
    if (c.pending?.waitsFor !== undefined) this.waiting.add(c.id);
    if (c.home === undefined || c.pending?.phase !== 'HOLDING') return;
    const held = this.heldBy.get(c.home.domain) ?? new Set();
    this.heldBy.set(c.home.domain, held.add(c.id));
  }

  unlink(c: Circuit): void {
    this.abroad.delete(c.id);
    this.waiting.delete(c.id);
    if (c.home !== undefined) this.heldBy.get(c.home.domain)?.delete(c.id);
  }
}
