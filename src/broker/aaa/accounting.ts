/**
 * What operators decide about projects, quotas and money, inside the writer; and what everybody may read of
 * his own projects. What circuits do to all this is in accounts.ts.
 */

import type { DecidedAction, Facts } from '../../aaa/decide.ts';
import type { Balance, Transfer, Unit } from '../../aaa/ledger/book.ts';
import type { Quota } from '../../aaa/ledger/quota.ts';
import { BrokerError } from '../../kernel/errors.ts';
import { type CircuitId, newId } from '../../kernel/ids.ts';
import type { Random } from '../../kernel/random.ts';
import type { Book } from '../book.ts';
import type { Call } from '../calls.ts';
import { stale } from '../circuits/actions.ts';
import type { Term } from '../term.ts';
import type { Tx } from '../tx.ts';
import type { StoredRefusal } from '../writer.ts';
import type { ProjectRecord, QuotaRecord } from './accountRecords.ts';
import { ledgerProblem } from './accounts.ts';

export interface ProjectView extends ProjectRecord {
  readonly circuits: number;
  readonly bookedMbit: number;
  /** Absent where it is not charged. */
  readonly account?: Balance & { readonly unit: Unit };
}

export type ProjectAsk = Partial<Pick<ProjectRecord, 'description' | 'commercial'>>;
export type QuotaAsk = Pick<Quota, 'scope' | 'kind' | 'period' | 'limit'>;

export interface QuotaView extends QuotaRecord {
  readonly used: number;
}

/** A project that nobody has described has revision 0. */
const unknown = (id: string): ProjectRecord => ({
  id,
  revision: 0,
  createTime: 0 as ProjectRecord['createTime'],
  commercial: false,
});

export function projectView({ accounts }: Book, id: string, booked = accounts.booked()): ProjectView {
  const { circuits, mbit } = booked.get(id) ?? { circuits: 0, mbit: 0 };
  const unit = accounts.ledger.unit(id);
  return {
    ...(accounts.projects.get(id) ?? unknown(id)),
    circuits,
    bookedMbit: mbit,
    ...(unit === undefined ? {} : { account: { ...accounts.ledger.balance(id), unit } }),
  };
}

/** Everything that has a name here: described, charged, limited or in use. */
export function projectIds({ accounts, circuits }: Book): string[] {
  const ids = new Set([...accounts.projects.keys(), ...accounts.ledger.projects()]);
  for (const { scope } of accounts.quotas.values()) if (scope.type === 'PROJECT') ids.add(scope.id);
  for (const { request } of circuits.values()) ids.add(request.project);
  return [...ids].sort();
}

export function setProject(
  tx: Tx,
  term: Term,
  call: Call,
  id: string,
  ask: ProjectAsk,
  revision: number | undefined,
): ProjectView | StoredRefusal {
  const before = tx.book.accounts.projects.get(id) ?? unknown(id);
  if (revision !== undefined && revision !== before.revision) throw stale(before.revision);
  const denied = authorise(tx, term, call, 'project.write', id, {});
  if (denied !== undefined) return denied;
  tx.setProject({
    id,
    revision: before.revision + 1,
    createTime: before.revision === 0 ? tx.now : before.createTime,
    commercial: ask.commercial ?? false,
    ...(ask.description === undefined ? {} : { description: ask.description }),
  });
  return projectView(tx.book, id);
}

/** Money in; a negative amount corrects a mistake, as far as it is still there. The first one opens the account. */
export function grant(
  tx: Tx,
  term: Term,
  call: Call,
  id: string,
  amount: number,
  reason?: string,
): ProjectView | StoredRefusal {
  const denied = authorise(tx, term, call, 'project.write', id, { amount_mbit: amount });
  if (denied !== undefined) return denied;
  return paying(() => {
    tx.book.accounts.grant(tx, id, amount, { actor: call.principal.id, ...because(reason) });
    return projectView(tx.book, id);
  });
}

/** `rows`: what the store knows of the circuit's transfers; the writer may have forgotten them. */
export function refundCircuit(
  tx: Tx,
  term: Term,
  call: Call,
  of: { readonly project: string; readonly circuit: CircuitId; readonly amount: number },
  rows: readonly Transfer[],
  reason?: string,
): ProjectView | StoredRefusal {
  const facts = { amount_mbit: of.amount };
  const denied = authorise(tx, term, call, 'project.write', of.project, facts, of.circuit);
  if (denied !== undefined) return denied;
  return paying(() => {
    tx.book.accounts.recall(of.circuit, rows, tx.undo);
    tx.book.accounts.refund(tx, of, { actor: call.principal.id, ...because(reason) });
    return projectView(tx.book, of.project);
  });
}

export function createQuota(
  tx: Tx,
  term: Term,
  random: Random,
  call: Call,
  ask: QuotaAsk,
): QuotaView | StoredRefusal {
  const denied = authorise(tx, term, call, 'quota.write', ask.scope.id, { limit: ask.limit });
  if (denied !== undefined) return denied;
  const twin = [...tx.book.accounts.quotas.values()].find(
    (q) =>
      q.scope.type === ask.scope.type &&
      q.scope.id === ask.scope.id &&
      q.kind === ask.kind &&
      q.period === ask.period,
  );
  if (twin !== undefined)
    throw new BrokerError('QUOTA_EXISTS', `${twin.id} is a quota of the same kind already: change its limit`);
  const quota: QuotaRecord = { ...ask, id: newId('quo', tx.now, random), revision: 1, createTime: tx.now };
  tx.setQuota(quota);
  return quotaView(tx.book, quota, tx.now);
}

export function changeQuota(
  tx: Tx,
  term: Term,
  call: Call,
  id: string,
  limit: number,
  revision: number | undefined,
): QuotaView | StoredRefusal {
  const before = mustFind(tx, id, revision);
  const denied = authorise(tx, term, call, 'quota.write', before.scope.id, { limit });
  if (denied !== undefined) return denied;
  const quota = { ...before, limit, revision: before.revision + 1 };
  tx.setQuota(quota);
  return quotaView(tx.book, quota, tx.now);
}

export function dropQuota(
  tx: Tx,
  term: Term,
  call: Call,
  id: string,
  revision: number | undefined,
): undefined | StoredRefusal {
  const before = mustFind(tx, id, revision);
  const denied = authorise(tx, term, call, 'quota.write', before.scope.id, {});
  if (denied !== undefined) return denied;
  tx.dropQuota(id);
  return undefined;
}

export const quotaView = (book: Book, quota: QuotaRecord, now: Tx['now']): QuotaView => ({
  ...quota,
  used: book.accounts.used(quota, now),
});

function mustFind(tx: Tx, id: string, revision: number | undefined): QuotaRecord {
  const quota = tx.book.accounts.quotas.get(id);
  if (quota === undefined) throw new BrokerError('NOT_FOUND', `there is no quota ${id}`);
  if (revision !== undefined && revision !== quota.revision) throw stale(quota.revision);
  return quota;
}

const because = (reason: string | undefined): { readonly reason?: string } =>
  reason === undefined ? {} : { reason };

function paying<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw ledgerProblem(error);
  }
}

function authorise(
  tx: Tx,
  term: Term,
  call: Call,
  action: DecidedAction,
  project: string,
  facts: Facts,
  circuitId?: CircuitId,
): StoredRefusal | undefined {
  return term.authoriser.refusal(tx, {
    ...call,
    action,
    project,
    facts,
    ...(circuitId === undefined ? {} : { circuitId }),
  });
}
