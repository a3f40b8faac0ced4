/**
 * Where callers come about projects, quotas, money and use. What is decided is accounting.ts; what circuits do
 * by themselves is accounts.ts. Readers of the past go to the store, page by page.
 */

import type { Transfer } from '../../aaa/ledger/book.ts';
import { type Statement, statementOf } from '../../aaa/ledger/usage.ts';
import { type Clock, type InstantMs, instant } from '../../kernel/clock.ts';
import { BrokerError } from '../../kernel/errors.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import type { Random } from '../../kernel/random.ts';
import { isOperator, type Principal } from '../../model/principal.ts';
import type { Mutated, Mutation } from '../calls.ts';
import type { Mutations } from '../mutations.ts';
import type { Office } from '../office.ts';
import type { Store } from '../ports.ts';
import type { Queries } from '../queries.ts';
import type { ProjectAsk, ProjectView, QuotaAsk, QuotaView } from './accounting.ts';
import * as accounting from './accounting.ts';
import type { UsageRecord } from './accountRecords.ts';

export interface BursarPorts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
}

export class Bursar {
  readonly #office: Office;
  readonly #mutations: Mutations;
  readonly #queries: Queries;
  readonly #ports: BursarPorts;

  constructor(office: Office, mutations: Mutations, queries: Queries, ports: BursarPorts) {
    this.#office = office;
    this.#mutations = mutations;
    this.#queries = queries;
    this.#ports = ports;
  }

  // ---- projects --------------------------------------------------------------------------------------------

  projects(who: Principal): readonly ProjectView[] {
    const { book } = this.#office.now();
    const ids = isOperator(who) ? accounting.projectIds(book) : [...who.projects].sort();
    const booked = book.accounts.booked();
    return ids.map((id) => accounting.projectView(book, id, booked));
  }
  project(who: Principal, id: string): ProjectView {
    const { book } = this.#office.now();
    const known = isOperator(who) ? accounting.projectIds(book).includes(id) : who.projects.includes(id);
    if (!known) throw new BrokerError('NOT_FOUND', `there is no project ${id}`);
    return accounting.projectView(book, id);
  }
  setProject(
    call: Mutation<ProjectView>,
    id: string,
    ask: ProjectAsk,
    revision?: number,
  ): Promise<Mutated<ProjectView>> {
    return this.#mutations.run(call, (tx, term) => accounting.setProject(tx, term, call, id, ask, revision));
  }
  grant(
    call: Mutation<ProjectView>,
    id: string,
    amount: number,
    reason?: string,
  ): Promise<Mutated<ProjectView>> {
    return this.#mutations.run(call, (tx, term) => accounting.grant(tx, term, call, id, amount, reason));
  }
  /** Gives back what a circuit was charged, or a part of it. */
  async refund(
    call: Mutation<ProjectView>,
    of: { readonly project: string; readonly circuit: CircuitId; readonly amount: number },
    reason?: string,
  ): Promise<Mutated<ProjectView>> {
    const { request } = await this.#queries.circuit(call.principal, of.circuit);
    if (request.project !== of.project)
      throw new BrokerError('NOT_FOUND', `there is no circuit ${of.circuit} of project ${of.project}`);
    const rows = await all(this.#ports.store.transfers({ circuit: of.circuit }));
    return this.#mutations.run(call, (tx, term) =>
      accounting.refundCircuit(tx, term, call, of, rows, reason),
    );
  }
  async statement(who: Principal, id: string, from: InstantMs, to: InstantMs): Promise<Statement> {
    this.project(who, id);
    const rows: Transfer[] = await all(this.#ports.store.transfers({ project: id, before: to }));
    const statement = statementOf(rows, id, from, to);
    if (statement === undefined) throw new BrokerError('NOT_FOUND', `project ${id} has no account`);
    return statement;
  }

  // ---- quotas ----------------------------------------------------------------------------------------------

  quotas(who: Principal): readonly QuotaView[] {
    const { book } = this.#office.now();
    const mine = [...book.accounts.quotas.values()].filter(
      ({ scope }) => isOperator(who) || (scope.type === 'PROJECT' && who.projects.includes(scope.id)),
    );
    return mine.map((quota) => accounting.quotaView(book, quota, this.#ports.clock.now()));
  }
  quota(who: Principal, id: string): QuotaView {
    const found = this.quotas(who).find((quota) => quota.id === id);
    if (found === undefined) throw new BrokerError('NOT_FOUND', `there is no quota ${id}`);
    return found;
  }
  createQuota(call: Mutation<QuotaView>, ask: QuotaAsk): Promise<Mutated<QuotaView>> {
    return this.#mutations.run(call, (tx, term) =>
      accounting.createQuota(tx, term, this.#ports.random, call, ask),
    );
  }
  changeQuota(
    call: Mutation<QuotaView>,
    id: string,
    limit: number,
    revision?: number,
  ): Promise<Mutated<QuotaView>> {
    return this.#mutations.run(call, (tx, term) =>
      accounting.changeQuota(tx, term, call, id, limit, revision),
    );
  }
  dropQuota(call: Mutation<undefined>, id: string, revision?: number): Promise<Mutated<undefined>> {
    return this.#mutations.run(call, (tx, term) => accounting.dropQuota(tx, term, call, id, revision));
  }

  // ---- use -------------------------------------------------------------------------------------------------

  /** What circuits of these projects kept from others in the window; what still runs, until now. */
  async usage(
    who: Principal,
    q: { readonly project?: string; readonly from: InstantMs; readonly to: InstantMs },
  ): Promise<readonly UsageRecord[]> {
    const { accounts, circuits } = this.#office.now().book;
    const mayRead = ({ project }: UsageRecord): boolean =>
      (q.project === undefined || project === q.project) &&
      (isOperator(who) || who.projects.includes(project));
    const narrowed = q.project === undefined ? {} : { project: q.project };
    const past = await all(this.#ports.store.usage({ ...narrowed, from: q.from, before: q.to }));
    const running = [...circuits.values()].flatMap(
      (circuit) => accounts.running(circuit, this.#ports.clock.now()) ?? [],
    );
    return [...past, ...running].filter(mayRead).flatMap((used) => {
      const start = instant(Math.max(used.window.start, q.from));
      const end = instant(Math.min(used.window.end, q.to));
      return start < end ? [{ ...used, window: { start, end } }] : [];
    });
  }
}

async function all<T>(pages: AsyncIterable<readonly T[]>): Promise<T[]> {
  const items: T[] = [];
  for await (const page of pages) items.push(...page);
  return items;
}
