/** Reading: from the store, which knows only what is durable, and only what the asker may see. */
import { BrokerError } from '../kernel/errors.ts';
import type { CircuitId, DecisionId, SeriesId, SetId, WebhookId } from '../kernel/ids.ts';
import type { Circuit } from '../model/circuit.ts';
import { isOperator, maySee, type Principal } from '../model/principal.ts';
import type { SetResult } from './calls.ts';
import type { Page } from './page.ts';
import type {
  CircuitQuery,
  DecisionQuery,
  DecisionRecord,
  EventQuery,
  EventRecord,
  SeriesRecord,
  SetRecord,
  Store,
  Visibility,
  WebhookRecord,
} from './ports.ts';

/** Somebody else's is as absent as what never was. */
const absent = (what: string): BrokerError => new BrokerError('NOT_FOUND', `there is no ${what}`);

const limits = (who: Principal): { readonly visibleTo: Visibility } | Record<string, never> =>
  isOperator(who) ? {} : { visibleTo: { owner: who.id, projects: who.projects } };

export class Queries {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async circuit(who: Principal, id: CircuitId): Promise<Circuit> {
    const circuit = await this.#store.circuit(id);
    if (circuit === undefined || !maySee(who, { project: circuit.request.project, owner: circuit.owner }))
      throw absent(`circuit ${id}`);
    return circuit;
  }

  circuits(who: Principal, query: Omit<CircuitQuery, 'visibleTo'>): Promise<Page<Circuit>> {
    return this.#store.circuits({ ...query, ...limits(who) });
  }

  async set(who: Principal, id: SetId): Promise<SetRecord> {
    const set = await this.#store.set(id);
    if (set === undefined || !maySee(who, set)) throw absent(`circuit set ${id}`);
    return set;
  }

  async setResult(who: Principal, id: SetId): Promise<SetResult> {
    const set = await this.set(who, id);
    const circuits = await Promise.all(set.members.map((member) => this.#store.circuit(member.circuitId)));
    return { set, circuits: circuits.filter((c) => c !== undefined) };
  }

  async series(who: Principal, id: SeriesId): Promise<SeriesRecord> {
    const series = await this.#store.series(id);
    if (series === undefined || !maySee(who, series)) throw absent(`series ${id}`);
    return series;
  }

  events(who: Principal, query: Omit<EventQuery, 'visibleTo'>): Promise<readonly EventRecord[]> {
    return this.#store.events({ ...query, ...limits(who) });
  }

  /** What a webhook is owed next: its owner's view, its own types, from its own place in the log. */
  eventsFor(hook: WebhookRecord, limit: number): Promise<readonly EventRecord[]> {
    return this.#store.events({
      afterSeq: hook.cursor,
      limit,
      ...(hook.types.length === 0 ? {} : { types: hook.types }),
      ...(hook.all ? {} : { visibleTo: { owner: hook.owner, projects: [hook.project] } }),
    });
  }

  async decision(who: Principal, id: DecisionId): Promise<DecisionRecord> {
    const decision = await this.#store.decision(id);
    if (decision === undefined || !maySee(who, { project: decision.project, owner: decision.principal }))
      throw absent(`decision ${id}`);
    return decision;
  }

  decisions(who: Principal, query: Omit<DecisionQuery, 'visibleTo'>): Promise<Page<DecisionRecord>> {
    return this.#store.decisions({ ...query, ...limits(who) });
  }

  async webhooks(who: Principal): Promise<readonly WebhookRecord[]> {
    return (await this.#store.webhooks()).filter((hook) => maySee(who, hook));
  }

  async webhook(who: Principal, id: WebhookId): Promise<WebhookRecord> {
    const hook = (await this.webhooks(who)).find((one) => one.id === id);
    if (hook === undefined) throw absent(`webhook ${id}`);
    return hook;
  }
}
