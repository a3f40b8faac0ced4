/**
 * What was used, and the bill: use by reserved time or by the counters of devices, the statement of a
 * project, and its export as CSV. Everything is worked out from rows; nothing is stored here.
 */
import type { InstantMs } from '../../kernel/clock.ts';
import type { Window } from '../../model/window.ts';
import type { Transfer, Unit } from './book.ts';
import { priceOf } from './money.ts';

/**
 * The slot was kept for him until it was given back: from its start to the release, or to its end. A circuit
 * that was released before its slot began used nothing.
 */
export function reservedUse(mbps: number, window: Window, released?: InstantMs): number {
  const end = Math.min(window.end, released ?? window.end);
  return end <= window.start ? 0 : priceOf(mbps, window.start, end);
}

export interface CounterSample {
  readonly at: InstantMs;
  readonly octets: number;
}

/**
 * Mbit between the first and the last sample of an octet counter of `bits`, rounded up. A 32-bit counter that
 * is lower than before has turned over once; a 64-bit one (which we read up to 2^53) has been reset and
 * starts again from 0. Either way no more than `mbps` can have passed between two samples: what is above is
 * somebody else's, or a reset, and is cut off.
 */
export function countedUse(samples: readonly CounterSample[], bits: 32 | 64, mbps: number): number {
  let mbit = 0;
  for (const [i, { at, octets }] of samples.entries()) {
    const before = samples[i - 1];
    if (before === undefined) continue;
    const turned = bits === 32 ? 2 ** 32 : before.octets;
    const delta = octets >= before.octets ? octets - before.octets : octets + turned - before.octets;
    const most = (mbps * Math.max(0, at - before.at)) / 1000;
    mbit += Math.min((delta * 8) / 1_000_000, most);
  }
  return Math.ceil(mbit);
}

export interface StatementLine {
  readonly circuit: string;
  readonly held: number;
  readonly captured: number;
  readonly refunded: number;
  /** Held and not resolved when the statement ends. */
  readonly open: number;
}
export interface Statement {
  readonly project: string;
  readonly unit: Unit;
  readonly opening: number;
  readonly granted: number;
  readonly lines: readonly StatementLine[];
  /** opening + granted - captured + refunded: what is available or held at the end. */
  readonly closing: number;
}

/** Of the rows in [from, to); earlier ones make the opening balance. Undefined without any row. */
export function statementOf(
  rows: Iterable<Transfer>,
  project: string,
  from: InstantMs,
  to: InstantMs,
): Statement | undefined {
  let unit: Unit | undefined;
  let [opening, granted, closing] = [0, 0, 0];
  const holds = new Map<number, number>();
  const lines = new Map<string, { held: number; captured: number; refunded: number; open: number }>();
  for (const row of rows) {
    if (row.project !== project || row.at >= to) continue;
    unit = row.unit;
    const worth =
      row.kind === 'CAPTURE' ? -row.amount : row.kind === 'GRANT' || row.kind === 'REFUND' ? row.amount : 0;
    closing += worth;
    if (row.at < from) opening += worth;
    if (row.kind === 'GRANT') {
      if (row.at >= from) granted += row.amount;
      continue;
    }
    const line = lines.get(row.circuit) ?? { held: 0, captured: 0, refunded: 0, open: 0 };
    lines.set(row.circuit, line);
    if (row.kind === 'HOLD') {
      holds.set(row.id, row.amount);
      line.open += row.amount;
    }
    // Resolving closes the whole hold, whose amount the capture itself does not carry.
    if (row.kind === 'VOID' || row.kind === 'CAPTURE') line.open -= holds.get(row.hold) ?? 0;
    if (row.at < from) continue;
    if (row.kind === 'HOLD') line.held += row.amount;
    if (row.kind === 'CAPTURE') line.captured += row.amount;
    if (row.kind === 'REFUND') line.refunded += row.amount;
  }
  if (unit === undefined) return undefined;
  const kept = [...lines].filter(([, l]) => l.held + l.captured + l.refunded + l.open > 0);
  return { project, unit, opening, granted, lines: kept.map(([circuit, l]) => ({ circuit, ...l })), closing };
}

/** A cell that a spreadsheet would take for a formula is shown as text. */
function cell(value: string | number): string {
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** RFC 4180; the first row is the header. */
export const csv = (rows: readonly (readonly (string | number)[])[]): string =>
  rows.map((row) => `${row.map(cell).join(',')}\r\n`).join('');

export function statementCsv(statement: Statement): string {
  const head = ['project', 'unit', 'circuit', 'held', 'captured', 'refunded', 'open'];
  const { project, unit } = statement;
  const body = statement.lines.map((l) => [project, unit, l.circuit, l.held, l.captured, l.refunded, l.open]);
  return csv([head, ...body]);
}
