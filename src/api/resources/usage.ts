/** What circuits kept from others, line by line, for whoever makes reports or bills of it. */

import { Type } from 'typebox';
import { csv } from '../../aaa/ledger/usage.ts';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { answer, refusals } from '../answers.ts';
import type { ApiPorts } from '../resource.ts';
import { UsageLineSchema, writeUsageLine } from '../wire/accounting.ts';
import { readPeriod, sendCsv, UsageQuery } from '../wire/period.ts';

type Line = ReturnType<typeof writeUsageLine>;
const columns = [
  'circuit_id',
  'project',
  'start_time',
  'end_time',
  'bandwidth_mbps',
  'reserved_mbit',
] as const satisfies readonly (keyof Line)[];

export function usage(app: HttpServer, { broker: { bursar }, clock }: ApiPorts): void {
  app.get(
    '/v1/usage',
    {
      config: { authorisation: 'visible' },
      schema: {
        operationId: 'listUsage',
        summary: 'What circuits kept from others in a stretch of time',
        description: 'One line for each rate that a circuit had; what still runs counts until now.',
        tags: ['accounting'],
        querystring: UsageQuery,
        response: {
          200: answer(
            'All of it; as CSV where asked for',
            Type.Object({ items: Type.Array(ref(UsageLineSchema)) }),
          ),
          ...refusals('INVALID_REQUEST'),
        },
      },
    },
    async ({ principal, query }, reply) => {
      const window = readPeriod(query, clock.now());
      const { project } = query;
      const used = await bursar.usage(principal, {
        ...window,
        ...(project === undefined ? {} : { project }),
      });
      const items = used.map(writeUsageLine);
      if (query.format !== 'csv') return { items };
      return sendCsv(
        reply,
        csv([[...columns], ...items.map((line) => columns.map((column) => line[column]))]),
      );
    },
  );
}
