/** Devices: the elements behind the topology and the cross-connects that they really have. For operators. */
import { Type } from 'typebox';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { BrokerError } from '../../kernel/errors.ts';
import { answer, BODIES, CHANGES, created, KEYS, refusals } from '../answers.ts';
import { callOf, sendMutated } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import { IdParams, listOf, MutationQuery, NoQuery, pageInMemory, pageQuery } from '../wire/common.ts';
import {
  DeviceAuditSchema,
  DeviceSchema,
  DiscoverySchema,
  DrainSchema,
  deviceSchemas,
  readDrain,
  writeAudit,
  writeDevice,
  writeDiscovery,
} from '../wire/device.ts';
import { IdempotencyHeader } from '../wire/headers.ts';
import { MaintenanceOutcomeSchema } from '../wire/maintenance.ts';
import { CrossConnectSchema, writeCrossConnect } from '../wire/topology.ts';
import { renderNew } from './maintenance.ts';

const tags = ['devices'];
const change = { authorisation: 'decided:topology.write', atDoor: true } as const;
const config = { authorisation: 'decided:network.inspect', atDoor: true } as const;
const PageQuery = Type.Object(pageQuery, { additionalProperties: false });

export function devices(app: HttpServer, { broker, clock }: ApiPorts): void {
  for (const schema of deviceSchemas) app.addSchema(schema);

  const all = () => {
    const nodes = new Map<string, string[]>();
    for (const node of broker.topology().document.nodes) {
      const device = node.device ?? node.id;
      nodes.set(device, [...(nodes.get(device) ?? []), node.id]);
    }
    return [...nodes].map(([id, of]) => writeDevice(id, of, broker.deviceState(id)));
  };
  const one = (id: string) => {
    const device = all().find((candidate) => candidate.id === id);
    if (device === undefined) throw new BrokerError('NOT_FOUND', `there is no device ${id.slice(0, 128)}`);
    return device;
  };

  app.get(
    '/v1/devices',
    {
      config,
      schema: {
        operationId: 'listDevices',
        summary: 'List the devices',
        tags,
        querystring: PageQuery,
        response: {
          200: answer('A page', listOf(DeviceSchema)),
          ...refusals('INVALID_REQUEST', 'POLICY_DENIED'),
        },
      },
    },
    async (request) => pageInMemory(all(), (device) => device.id, request.query),
  );

  app.get(
    '/v1/devices/:id',
    {
      config,
      schema: {
        operationId: 'getDevice',
        summary: 'Read a device',
        tags,
        params: IdParams,
        querystring: NoQuery,
        response: { 200: answer('The device', ref(DeviceSchema)), ...refusals('NOT_FOUND', 'POLICY_DENIED') },
      },
    },
    async (request) => one(request.params.id),
  );

  app.get(
    '/v1/devices/:id/cross-connects',
    {
      config,
      schema: {
        operationId: 'listCrossConnects',
        summary: 'What a device really connects, ours or not',
        tags,
        params: IdParams,
        querystring: PageQuery,
        response: {
          200: answer('A page', listOf(CrossConnectSchema)),
          ...refusals('INVALID_REQUEST', 'NOT_FOUND', 'POLICY_DENIED'),
        },
      },
    },
    async (request) => {
      const { id } = one(request.params.id);
      const observed = (await broker.observed()).filter((connect) => connect.device === id);
      const key = (c: (typeof observed)[number]) => `${c.in.port}/${c.in.label}/${c.out.port}/${c.out.label}`;
      const page = pageInMemory(observed, key, request.query);
      return { ...page, items: page.items.map(writeCrossConnect) };
    },
  );

  app.get(
    '/v1/devices/:id/audit',
    {
      config,
      schema: {
        operationId: 'auditDevice',
        summary: 'What a device connects, against what it should; changes nothing',
        tags,
        params: IdParams,
        querystring: NoQuery,
        response: {
          200: answer('As it was found', ref(DeviceAuditSchema)),
          ...refusals('NOT_FOUND', 'POLICY_DENIED', 'NOT_SUPPORTED'),
        },
      },
    },
    async (request) => writeAudit(await broker.auditDevice(one(request.params.id).id)),
  );

  app.post(
    '/v1/devices/:id/drain',
    {
      config: change,
      schema: {
        operationId: 'drainDevice',
        summary: 'Give the circuits of a device other roads, and let none onto it for a while',
        description:
          'The same as a maintenance window for its nodes that begins now; cancel that to have it back earlier.',
        tags,
        params: IdParams,
        querystring: MutationQuery,
        headers: Type.Object(IdempotencyHeader),
        body: ref(DrainSchema),
        response: {
          201: created('The maintenance window, and what became of circuits', ref(MaintenanceOutcomeSchema)),
          ...refusals(...CHANGES, ...BODIES, ...KEYS, 'NOT_FOUND', 'MAINTENANCE_CONFLICT'),
        },
      },
    },
    async (request, reply) => {
      const { nodes, id } = one(request.params.id);
      const ask = readDrain(request.body, id, nodes, clock.now());
      const made = await broker.createMaintenance(callOf(request, renderNew), ask);
      return sendMutated(request, reply, made, renderNew);
    },
  );

  app.get(
    '/v1/discovery',
    {
      config,
      schema: {
        operationId: 'discover',
        summary: 'What the devices see of their neighbours, against the topology; changes nothing',
        tags,
        querystring: NoQuery,
        response: {
          200: answer('As it was found', ref(DiscoverySchema)),
          ...refusals('POLICY_DENIED', 'NOT_SUPPORTED'),
        },
      },
    },
    async () => writeDiscovery(await broker.discover()),
  );
}
