/**
 * What operators and their tools ask of the process itself: is it alive, is it ready, how is it doing, which
 * version is it. All of it is public, and none of it tells what is booked. The figures are the broker's own
 * counters, read when they are asked for; only HTTP is measured here.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { Type } from 'typebox';
import type { Readiness, Stats } from '../../broker/calls.ts';
import type { UseCases } from '../../broker/usecases.ts';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { rfc3339 } from '../../kernel/clock.ts';
import { BrokerError } from '../../kernel/errors.ts';
import { answer } from '../answers.ts';
import type { ApiPorts } from '../resource.ts';
import { Time } from '../wire/common.ts';

const Alive = Type.Object({ status: Type.Literal('ok') }, { $id: 'Alive' });

const Ready = Type.Object(
  {
    ready: Type.Boolean(),
    role: Type.Enum(['LEADER', 'STANDBY', 'STARTING', 'STOPPING']),
    leader: Type.Optional(Type.String({ description: 'Who leads, when it is another instance' })),
    epoch: Type.Integer({ minimum: 0, description: 'Grows with each change of the leader' }),
    store: Type.Enum(['OK', 'FULL', 'UNAVAILABLE']),
    policy: Type.Optional(
      Type.Enum(['IN_FORCE', 'CLOSED'], {
        description:
          'Of the leader. CLOSED: the policy does not load, and everything is denied but what gives back',
      }),
    ),
    clock: Time,
    live_circuits: Type.Integer({ minimum: 0 }),
    effects_waiting: Type.Integer({
      minimum: 0,
      description: 'Orders to devices and peers not carried out yet',
    }),
    refusal: Type.Optional(
      Type.String({ description: 'Why it serves nobody until an operator has looked and started it again' }),
    ),
    peers: Type.Array(Type.String(), { description: 'The domains whose ports are known here' }),
  },
  { $id: 'Readiness' },
);

const Version = Type.Object(
  { name: Type.Literal('turnpike'), version: Type.String(), domain: Type.String(), node: Type.String() },
  { $id: 'Version' },
);

/** Streams last as long as their clients like; among requests they would only spoil the figures. */
const NOT_TIMED = new Set(['/v1/events/stream']);
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const tags = ['system'];

export function system(app: HttpServer, { broker, domain, version }: ApiPorts): void {
  for (const schema of [Alive, Ready, Version]) app.addSchema(schema);
  const open = { config: { authorisation: 'public' as const } };

  app.get(
    '/livez',
    {
      ...open,
      schema: {
        operationId: 'getLiveness',
        tags,
        summary: 'Is it alive?',
        security: [],
        response: { 200: answer('It is', ref(Alive)) },
      },
    },
    () => ({ status: 'ok' as const }),
  );

  app.get(
    '/readyz',
    {
      ...open,
      schema: {
        operationId: 'getReadiness',
        tags,
        summary: 'Does it admit circuits?',
        security: [],
        response: {
          200: answer('It does', ref(Ready)),
          503: answer('It does not: it stands by, starts or stops, or has no store', ref(Ready)),
        },
      },
    },
    (_request, reply) => {
      const readiness = broker.readiness();
      if (!readiness.ready) reply.header('retry-after', '5');
      return reply
        .code(readiness.ready ? 200 : 503)
        .header('cache-control', 'no-store')
        .send(readyToWire(readiness, knownDomains(broker, domain)));
    },
  );

  app.get(
    '/version',
    {
      ...open,
      schema: {
        operationId: 'getVersion',
        tags,
        summary: 'Which version is it?',
        security: [],
        response: { 200: answer('This one', ref(Version)) },
      },
    },
    () => ({ name: 'turnpike' as const, version, domain, node: process.version }),
  );

  const registry = new Registry();
  brokerMetrics(
    registry,
    () => broker.stats(),
    () => broker.readiness(),
  );
  timeRequests(app, registry);
  let ofProcess = false;
  app.get(
    '/metrics',
    {
      ...open,
      config: { ...open.config, produces: ['text/plain', 'application/openmetrics-text'] },
      schema: {
        operationId: 'getMetrics',
        tags,
        summary: 'Figures in the format of Prometheus',
        security: [],
        response: { 200: answer('The figures', Type.String(), 'text/plain') },
      },
    },
    async (_request, reply) => {
      // They cost a watch on the garbage collector, so they begin when somebody asks.
      if (!ofProcess) collectDefaultMetrics({ register: registry });
      ofProcess = true;
      return reply.type(registry.contentType).send(await registry.metrics());
    },
  );
}

/** Only a leader knows the network. */
function knownDomains(broker: UseCases, own: string): string[] {
  try {
    const domains = new Set(broker.ports().map((port) => port.domain));
    return [...domains].filter((domain) => domain !== own).sort();
  } catch (error) {
    if (error instanceof BrokerError) return [];
    throw error;
  }
}

const readyToWire = (r: Readiness, peers: string[]) => ({
  ready: r.ready,
  role: r.role,
  ...(r.leader === undefined ? {} : { leader: r.leader }),
  epoch: r.epoch,
  store: r.store,
  ...(r.policy === undefined ? {} : { policy: r.policy.state }),
  clock: rfc3339(r.clock),
  live_circuits: r.liveCircuits,
  effects_waiting: r.effectsWaiting,
  ...(r.refusal === undefined ? {} : { refusal: r.refusal }),
  peers,
});

function brokerMetrics(registry: Registry, stats: () => Stats, readiness: () => Readiness): void {
  const registers = [registry];
  /** Counts on its own; a counter here is set to what it has come to. */
  const total = (name: string, help: string, read: (stats: Stats) => number): void => {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read(stats()));
      },
    });
  };
  total('turnpike_transactions_total', 'Database transactions', (s) => s.transactions);
  total('turnpike_admitted_total', 'Changes that clients asked for and got', (s) => s.admitted);
  total('turnpike_refused_total', 'Changes that clients asked for in vain', (s) => s.refused);
  total('turnpike_effects_done_total', 'Orders to devices and peers carried out', (s) => s.effectsDone);
  total('turnpike_effects_failed_total', 'Attempts at such orders that failed', (s) => s.effectsFailed);

  total('turnpike_audit_records_total', 'Durable records of the audit log', (s) => s.auditRecords);

  new Gauge({
    name: 'turnpike_audit_unsigned',
    help: 'Records that no checkpoint covers yet',
    registers,
    collect() {
      this.set(stats().auditUnsigned);
    },
  });
  new Gauge({
    name: 'turnpike_circuits',
    help: 'Circuits in memory, by state',
    labelNames: ['state'],
    registers,
    collect() {
      this.reset();
      for (const [state, count] of Object.entries(stats().circuitsByState)) this.set({ state }, count);
    },
  });
  const now = (name: string, help: string, read: (readiness: Readiness) => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read(readiness()));
      },
    });
  };
  now('turnpike_ready', '1 when this instance admits circuits', (r) => Number(r.ready));
  now('turnpike_leader', '1 when this instance leads', (r) => Number(r.role === 'LEADER'));
  now('turnpike_epoch', 'The epoch of the lease', (r) => r.epoch);
  now('turnpike_store_ok', '1 when the store takes writes', (r) => Number(r.store === 'OK'));
  now('turnpike_policy_in_force', '1 when the policy loads and decides', (r) =>
    Number(r.policy?.state === 'IN_FORCE'),
  );
  now('turnpike_effects_waiting', 'Orders not carried out yet', (r) => r.effectsWaiting);
}

function timeRequests(app: HttpServer, registry: Registry): void {
  const seconds = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from a request to its answer',
    labelNames: ['method', 'route', 'status'],
    buckets: SECONDS,
    registers: [registry],
  });
  // The patterns of routes and the statuses are few, so this stays small.
  const known = new Map<string, ReturnType<typeof seconds.labels>>();
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    if (!NOT_TIMED.has(route)) {
      const { method } = request;
      const status = String(reply.statusCode);
      const key = `${method} ${route} ${status}`;
      let child = known.get(key);
      if (child === undefined) {
        child = seconds.labels(method, route, status);
        known.set(key, child);
      }
      child.observe(reply.elapsedTime / 1000);
    }
    done();
  });
}
