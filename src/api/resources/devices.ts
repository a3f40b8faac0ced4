/** Devices: the elements behind the topology and the cross-connects that they really have. For operators. */
import { Type } from 'typebox';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { BrokerError } from '../../kernel/errors.ts';
import { answer, refusals } from '../answers.ts';
import type { ApiPorts } from '../resource.ts';
import { IdParams, listOf, NoQuery, pageInMemory, pageQuery } from '../wire/common.ts';
import { CrossConnectSchema, DeviceSchema, writeCrossConnect } from '../wire/topology.ts';

const tags = ['devices'];
const config = { authorisation: 'operator' } as const;
const PageQuery = Type.Object(pageQuery, { additionalProperties: false });

export function devices(app: HttpServer, { broker }: ApiPorts): void {
  const all = () => {
    const nodes = new Map<string, string[]>();
    for (const node of broker.topology().document.nodes) {
      const device = node.device ?? node.id;
      nodes.set(device, [...(nodes.get(device) ?? []), node.id]);
    }
    return [...nodes].map(([id, of]) => ({ id, nodes: of }));
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
}
