/**
 * A server with the resources for events, webhooks and the system over a broker that is only a log, hooks and
 * counters in memory. Whoever says `Bearer user` is the user.
 */
import type { AddressInfo } from 'node:net';
import { events } from '../../src/api/resources/events.ts';
import { system } from '../../src/api/resources/system.ts';
import { webhooks } from '../../src/api/resources/webhooks.ts';
import { ProblemSchema } from '../../src/api/wire/common.ts';
import type { Mutated, Mutation, Readiness } from '../../src/broker/calls.ts';
import type { EventQuery, EventRecord, StoredAnswer, WebhookRecord } from '../../src/broker/ports.ts';
import type { UseCases } from '../../src/broker/usecases.ts';
import { buildServer, type HttpServer } from '../../src/http/server.ts';
import { BrokerError } from '../../src/kernel/errors.ts';
import { newId } from '../../src/kernel/ids.ts';
import type { Log } from '../../src/kernel/log.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { isOperator, maySee, type Principal } from '../../src/model/principal.ts';
import { T0 } from '../support/builders.ts';
import { HandClock } from '../support/handClock.ts';

export const people: Readonly<Record<string, Principal>> = {
  operator: { id: 'iss|operator', name: 'O', roles: ['operator', 'user'], projects: ['lhc'], assurance: 1 },
  user: { id: 'iss|user', name: 'U', roles: ['user'], projects: ['lhc'], assurance: 1 },
  stranger: { id: 'iss|stranger', name: 'S', roles: ['user'], projects: ['elsewhere'], assurance: 1 },
};

export const bearer = (person: string): { authorization: string } => ({ authorization: `Bearer ${person}` });

export function anEvent(seq: number, over: Partial<EventRecord> = {}): EventRecord {
  return {
    seq,
    type: 'circuit.scheduled',
    time: T0,
    circuitId: 'cir_00000000000000000000000001',
    project: 'lhc',
    owner: 'iss|user',
    revision: 1,
    epoch: 1,
    data: { circuit_id: 'cir_00000000000000000000000001', state: 'SCHEDULED' },
    ...over,
  };
}

export class World {
  readonly clock = new HandClock(T0);
  readonly random = seededRandom(7);
  readonly log: EventRecord[] = [];
  readonly hooks = new Map<string, WebhookRecord>();
  /** Questions that reached the store's log. */
  reads = 0;
  ready: Partial<Readiness> = {};
  app!: HttpServer; // set by open(), which every test calls first
  #listeners = new Set<(events: readonly EventRecord[]) => void>();
  #answers = new Map<string, StoredAnswer>();

  static async open({ allowPrivateWebhooks = false } = {}): Promise<World> {
    const world = new World();
    const quiet: Log = { info() {}, warn() {}, error() {} };
    world.app = await buildServer({
      log: quiet,
      clock: world.clock,
      random: world.random,
      authenticate({ authorization }) {
        const person = people[authorization?.replace('Bearer ', '') ?? ''];
        if (person === undefined) throw new BrokerError('UNAUTHENTICATED', 'nobody known');
        return person;
      },
      limits: { rate: false },
      openapi: { openapi: '3.1.0', info: { title: 'test', version: '0' } },
    });
    // The app adds the schema of problems before any resource does.
    for (const id of ['FieldError', 'Bottleneck', 'Alternative']) world.app.addSchema({ $id: id });
    world.app.addSchema(ProblemSchema);
    const ports = {
      broker: world.#broker(),
      clock: world.clock,
      log: quiet,
      domain: 'ams.example',
      version: '1.2.3',
      allowPrivateWebhooks,
    };
    for (const resource of [events, webhooks, system]) resource(world.app, ports);
    await world.app.ready();
    return world;
  }

  /** Puts lines into the log and tells those who listen. */
  publish(...records: EventRecord[]): void {
    this.log.push(...records);
    for (const listen of this.#listeners) listen(records);
  }

  async listen(): Promise<number> {
    await this.app.listen({ port: 0, host: '127.0.0.1' });
    return (this.app.server.address() as AddressInfo).port;
  }

  get(url: string, person?: string) {
    return this.app.inject({ url, ...(person === undefined ? {} : { headers: bearer(person) }) });
  }

  #mutate<T>(call: Mutation<T>, act: () => T): Mutated<T> {
    const kept = call.idempotency;
    const key = `${call.principal.id} ${kept?.key}`;
    const first = this.#answers.get(key);
    if (kept !== undefined && first !== undefined) return { kind: 'replayed', answer: first };
    const value = act();
    if (kept !== undefined) this.#answers.set(key, kept.render({ ok: value }));
    return { kind: 'done', value };
  }

  #hook(who: Principal, id: string): WebhookRecord {
    const hook = this.hooks.get(id);
    if (hook === undefined || !maySee(who, hook)) throw new BrokerError('NOT_FOUND', `there is no ${id}`);
    return hook;
  }

  #broker(): UseCases {
    const broker: Partial<UseCases> = {
      circuit: async (who, id) => {
        const event = this.log.find((line) => line.circuitId === id);
        if (event === undefined || !maySee(who, event)) throw new BrokerError('NOT_FOUND', `no ${id}`);
        return {} as never; // these resources only ask whether it is there
      },
      events: async (who: Principal, query: Omit<EventQuery, 'visibleTo'>) => {
        this.reads++;
        return this.log
          .filter(
            (line) =>
              line.seq > query.afterSeq &&
              maySee(who, line) &&
              (query.types === undefined || query.types.includes(line.type)) &&
              (query.circuitId === undefined || query.circuitId === line.circuitId),
          )
          .slice(0, query.limit);
      },
      lastEventSeq: async () => this.log.at(-1)?.seq ?? 0,
      onEvents: (listen) => {
        this.#listeners.add(listen);
        return () => this.#listeners.delete(listen);
      },
      createWebhook: async (call, { url, types }) =>
        this.#mutate(call, () => {
          const hook: WebhookRecord = {
            id: newId('whk', this.clock.now(), this.random),
            project: call.principal.projects[0] ?? '',
            owner: call.principal.id,
            all: isOperator(call.principal),
            revision: 1,
            createTime: this.clock.now(),
            url,
            types,
            secret: 'whsec_c2VjcmV0IG9mIHRoZSBob29r',
            state: 'ENABLED',
            cursor: this.log.at(-1)?.seq ?? 0,
            failures: 0,
          };
          if (!call.validateOnly) this.hooks.set(hook.id, hook);
          return hook;
        }),
      webhooks: async (who) => [...this.hooks.values()].filter((hook) => maySee(who, hook)),
      webhook: async (who, id) => this.#hook(who, id),
      deleteWebhook: async (call, id, revision) =>
        this.#mutate(call, () => {
          const hook = this.#hook(call.principal, id);
          if (revision !== undefined && revision !== hook.revision) {
            throw new BrokerError('STALE_REVISION', 'it has changed');
          }
          if (!call.validateOnly) this.hooks.delete(id);
          return undefined;
        }),
      ports: () => {
        if (this.ready.ready === false) throw new BrokerError('NOT_LEADER', 'stands by');
        return ['ams.example', 'sdg.example', 'sdg.example'].map((domain) => ({
          id: 'x:1',
          domain,
          kind: 'CLIENT' as const,
          capacityMbps: 1,
          vlans: '2-4094',
        }));
      },
      readiness: () => ({
        ready: true,
        role: 'LEADER',
        epoch: 4,
        store: 'OK',
        clock: this.clock.now(),
        liveCircuits: 12,
        effectsWaiting: 3,
        ...this.ready,
      }),
      stats: () => ({
        transactions: 7,
        groups: [],
        admitted: 100,
        refused: 5,
        effectsDone: 40,
        effectsFailed: 2,
        circuitsByState: { SCHEDULED: 9, ACTIVE: 3 },
        auditRecords: 107,
        auditUnsigned: 6,
      }),
    };
    // The resources under test use no more of it; anything else would fail loudly.
    return broker as UseCases;
  }
}
