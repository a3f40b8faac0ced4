/** What could be had: free bandwidth between two ports as a step function of time. It books nothing. */
import { type Static, Type } from 'typebox';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { instant, rfc3339 } from '../../kernel/clock.ts';
import { BrokerError } from '../../kernel/errors.ts';
import type { EndpointAsk } from '../../model/circuit.ts';
import { answer, refusals } from '../answers.ts';
import type { ApiPorts } from '../resource.ts';
import { invalid, LONGEST_S, readTime, Time } from '../wire/common.ts';
import { EndpointSchema, PortSchema, readVlan, writeEndpoint } from '../wire/request.ts';

const DEFAULT_SPAN_S = 7 * 86_400;

const Vlan = (end: string) =>
  Type.Optional(
    Type.String({
      maxLength: 1024,
      pattern: '^(?:[0-9]+(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*|ANY|UNTAGGED)$',
      default: 'ANY',
      description: `At ${end}: as in a request for a circuit`,
    }),
  );

const AvailabilityQuery = Type.Object(
  {
    a: PortSchema,
    z: PortSchema,
    a_vlan: Vlan('a'),
    z_vlan: Vlan('z'),
    from: Type.Optional(Type.String({ ...Time, description: 'Now, when absent or in the past' })),
    to: Type.Optional(Type.String({ ...Time, description: 'Seven days after `from`, when absent' })),
  },
  { additionalProperties: false },
);

const AvailabilitySchema = Type.Object(
  {
    a: ref(EndpointSchema),
    z: ref(EndpointSchema),
    from_time: Time,
    to_time: Type.String({
      ...Time,
      description: 'Earlier than asked for where that would take too many steps: ask again from there',
    }),
    steps: Type.Array(Type.Object({ start_time: Time, free_mbps: Type.Integer({ minimum: 0 }) }), {
      description: 'The most that one more circuit could have; each holds until the next begins',
    }),
  },
  { $id: 'Availability' },
);

export function availability(app: HttpServer, { broker, clock, domain }: ApiPorts): void {
  app.addSchema(AvailabilitySchema);
  app.get(
    '/v1/availability',
    {
      config: { authorisation: 'visible' },
      schema: {
        operationId: 'getAvailability',
        summary: 'What is free between two ports over time',
        description:
          'Inside this domain. A circuit of that rate fits while a step lasts; over several steps, one of the least rate among them fits where one road has it throughout.',
        tags: ['network'],
        querystring: AvailabilityQuery,
        response: {
          200: answer('Its steps', ref(AvailabilitySchema)),
          ...refusals('INVALID_REQUEST', 'NOT_SUPPORTED'),
        },
      },
    },
    async ({ query }): Promise<Static<typeof AvailabilitySchema>> => {
      const now = clock.now();
      const asked = query.from === undefined ? now : readTime(query.from, 'from');
      const start = instant(Math.max(asked, now));
      const end = query.to === undefined ? instant(start + DEFAULT_SPAN_S * 1000) : readTime(query.to, 'to');
      if (end <= start) throw invalid('to', 'must lie after from, and after now');
      if (end - start > LONGEST_S * 1000) throw invalid('to', 'is more than ten years after from');
      const a = endpoint(query.a, query.a_vlan, 'a_vlan');
      const z = endpoint(query.z, query.z_vlan, 'z_vlan');
      if (a.port === z.port) throw invalid('z', 'must differ from a: a circuit has two ends');
      for (const end of [a, z]) {
        const elsewhere = broker.ports().find((port) => port.id === end.port && port.domain !== domain);
        if (elsewhere === undefined) continue;
        throw new BrokerError('NOT_SUPPORTED', `${end.port} belongs to ${elsewhere.domain}`, {
          domain: elsewhere.domain,
        });
      }
      const found = broker.availability(a, z, { start, end });
      return {
        a: writeEndpoint(a),
        z: writeEndpoint(z),
        from_time: rfc3339(start),
        to_time: rfc3339(found.until),
        steps: found.steps.map(({ from, freeMbps }) => ({ start_time: rfc3339(from), free_mbps: freeMbps })),
      };
    },
  );
}

const endpoint = (port: string, vlan: string | undefined, pointer: string): EndpointAsk => ({
  // The schema has matched it with the pattern of a port id.
  port: port as EndpointAsk['port'],
  vlan: readVlan(vlan ?? 'ANY', pointer),
});
