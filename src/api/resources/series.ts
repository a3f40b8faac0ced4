/** Series: what a RECURRING request has made. They are made through POST /v1/circuits. */
import type { SeriesRecord } from '../../broker/ports.ts';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { CHANGES, nothingNew, refusals, resource } from '../answers.ts';
import { callOf, type Rendered, sendMutated, sendRead } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import { IdParams, MutationQuery, NoQuery, readId, readIfMatch } from '../wire/common.ts';
import { IfMatchHeader } from '../wire/headers.ts';
import { SeriesSchema, writeSeries } from '../wire/series.ts';

const tags = ['series'];

const render = (series: SeriesRecord): Rendered => ({
  status: 200,
  body: writeSeries(series),
  revision: series.revision,
});

export function series(app: HttpServer, { broker }: ApiPorts): void {
  app.get(
    '/v1/series/:id',
    {
      config: { authorisation: 'visible' },
      schema: {
        operationId: 'getSeries',
        summary: 'Read a series with its occurrences',
        tags,
        params: IdParams,
        querystring: NoQuery,
        response: { 200: resource('The series', ref(SeriesSchema)), ...nothingNew, ...refusals('NOT_FOUND') },
      },
    },
    async (request, reply) => {
      const found = await broker.series(request.principal, readId('ser', request.params.id));
      return sendRead(request, reply, found.revision, writeSeries(found));
    },
  );

  app.delete(
    '/v1/series/:id',
    {
      config: { authorisation: 'decided:series.cancel' },
      schema: {
        operationId: 'cancelSeries',
        summary: 'Cancel the rest of a series',
        description: 'What has begun goes on; cancel those circuits by themselves.',
        tags,
        params: IdParams,
        querystring: MutationQuery,
        headers: IfMatchHeader,
        response: {
          200: resource('The series', ref(SeriesSchema)),
          ...refusals(...CHANGES, 'NOT_FOUND', 'WRONG_STATE'),
        },
      },
    },
    async (request, reply) => {
      const id = readId('ser', request.params.id);
      const revision = readIfMatch(request.headers['if-match']);
      const cancelled = await broker.cancelSeries(callOf(request, render), id, revision);
      return sendMutated(request, reply, cancelled, render);
    },
  );
}
