/**
 * Maintenance windows: announced by operators, seen by everybody, since they explain refusals. What a window
 * does to circuits is for operators alone: the circuits are other people's. A window never changes; it is
 * cancelled and announced anew, so that its ETag is always the same.
 */
import { Type } from 'typebox';
import type { MaintenanceView } from '../../broker/calls.ts';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { BrokerError } from '../../kernel/errors.ts';
import { answer, BODIES, CHANGES, created, KEYS, nothingNew, refusals, resource } from '../answers.ts';
import { callOf, type Rendered, sendMutated, sendRead } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import {
  IdParams,
  listOf,
  MutationQuery,
  NoBody,
  NoQuery,
  pageInMemory,
  pageQuery,
  readId,
  readIfMatch,
} from '../wire/common.ts';
import { IdempotencyHeader, IfMatchHeader } from '../wire/headers.ts';
import {
  MaintenanceImpactSchema,
  MaintenanceOutcomeSchema,
  MaintenanceRequestSchema,
  MaintenanceSchema,
  maintenanceSchemas,
  readMaintenance,
  writeImpactOf,
  writeMaintenance,
  writeOutcome,
} from '../wire/maintenance.ts';

const tags = ['maintenance'];
const operator = { authorisation: 'decided:topology.write', atDoor: true } as const;
const inspect = { authorisation: 'decided:network.inspect', atDoor: true } as const;
const visible = { authorisation: 'visible' } as const;
const params = IdParams;

/** The only revision that a window has. */
const REVISION = 1;

export const renderNew = (view: MaintenanceView): Rendered => ({
  status: 201,
  body: writeOutcome(view),
  revision: REVISION,
  location: `/v1/maintenance-windows/${view.window.id}`,
});
const renderMoved = (view: MaintenanceView): Rendered => ({
  status: 200,
  body: writeOutcome(view),
  revision: REVISION,
});
const renderGone = (): Rendered => ({ status: 204 });

export function maintenance(app: HttpServer, { broker }: ApiPorts): void {
  for (const schema of maintenanceSchemas) app.addSchema(schema);

  app.post(
    '/v1/maintenance-windows',
    {
      config: operator,
      schema: {
        operationId: 'createMaintenanceWindow',
        summary: 'Announce maintenance',
        description:
          'With validate_only it says what would become of the circuits that have their place there, and changes nothing.',
        tags,
        querystring: MutationQuery,
        headers: Type.Object(IdempotencyHeader),
        body: ref(MaintenanceRequestSchema),
        response: {
          201: created('The window, and what became of circuits', ref(MaintenanceOutcomeSchema)),
          ...refusals(...CHANGES, ...BODIES, ...KEYS, 'MAINTENANCE_CONFLICT'),
        },
      },
    },
    async (request, reply) => {
      const call = callOf(request, renderNew);
      const made = await broker.createMaintenance(call, readMaintenance(request.body));
      return sendMutated(request, reply, made, renderNew);
    },
  );

  app.get(
    '/v1/maintenance-windows',
    {
      config: visible,
      schema: {
        operationId: 'listMaintenanceWindows',
        summary: 'List maintenance windows',
        tags,
        querystring: Type.Object(pageQuery, { additionalProperties: false }),
        response: { 200: answer('A page', listOf(MaintenanceSchema)), ...refusals('INVALID_REQUEST') },
      },
    },
    async (request) =>
      pageInMemory(broker.maintenances().map(writeMaintenance), (window) => window.id, request.query),
  );

  app.get(
    '/v1/maintenance-windows/:id',
    {
      config: visible,
      schema: {
        operationId: 'getMaintenanceWindow',
        summary: 'Read a maintenance window',
        tags,
        params,
        querystring: NoQuery,
        response: {
          200: resource('The window', ref(MaintenanceSchema)),
          ...nothingNew,
          ...refusals('NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const id = readId('mnt', request.params.id);
      const window = broker.maintenances().find((one) => one.id === id);
      if (window === undefined) throw new BrokerError('NOT_FOUND', `there is no maintenance window ${id}`);
      return sendRead(request, reply, REVISION, writeMaintenance(window));
    },
  );

  app.get(
    '/v1/maintenance-windows/:id/impact',
    {
      config: inspect,
      schema: {
        operationId: 'getMaintenanceImpact',
        summary: 'Which circuits a maintenance window meets now',
        tags,
        params,
        querystring: NoQuery,
        response: {
          200: answer('All of them', listOf(MaintenanceImpactSchema)),
          ...refusals('NOT_FOUND', 'POLICY_DENIED'),
        },
      },
    },
    async (request) => ({
      items: broker.maintenance(readId('mnt', request.params.id)).impact.map(writeImpactOf),
    }),
  );

  app.post(
    '/v1/maintenance-windows/:id/migrate',
    {
      config: { ...operator, bodyOptional: true },
      schema: {
        operationId: 'migrateMaintenanceWindow',
        summary: 'Look once more for other roads for what the window meets',
        tags,
        params,
        querystring: MutationQuery,
        headers: Type.Object(IdempotencyHeader),
        body: NoBody,
        response: {
          200: resource('The window, and what became of circuits', ref(MaintenanceOutcomeSchema)),
          ...refusals(...CHANGES, ...BODIES, ...KEYS, 'NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const id = readId('mnt', request.params.id);
      const moved = await broker.migrateMaintenance(callOf(request, renderMoved), id);
      return sendMutated(request, reply, moved, renderMoved);
    },
  );

  app.delete(
    '/v1/maintenance-windows/:id',
    {
      config: operator,
      schema: {
        operationId: 'cancelMaintenanceWindow',
        summary: 'Cancel maintenance, or end it before its time',
        tags,
        params,
        querystring: MutationQuery,
        headers: IfMatchHeader,
        response: { 204: { description: 'It is gone' }, ...refusals(...CHANGES, 'NOT_FOUND') },
      },
    },
    async (request, reply) => {
      const id = readId('mnt', request.params.id);
      const revision = readIfMatch(request.headers['if-match']);
      if (revision !== undefined && revision !== REVISION) {
        throw new BrokerError('STALE_REVISION', 'a maintenance window has no other revision than its first');
      }
      const gone = await broker.cancelMaintenance(callOf(request, renderGone), id);
      return sendMutated(request, reply, gone, renderGone);
    },
  );
}
