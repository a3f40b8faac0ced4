/** Who the broker takes the caller for. */
import { Type } from 'typebox';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { answer, refusals } from '../answers.ts';
import { NoQuery } from '../wire/common.ts';

const WhoamiSchema = Type.Object(
  {
    id: Type.String({ description: 'issuer|subject' }),
    name: Type.String(),
    roles: Type.Array(Type.Enum(['operator', 'user'])),
    projects: Type.Array(Type.String(), { description: 'The first is the default of a request' }),
    groups: Type.Optional(Type.Array(Type.String(), { description: 'As policies know them' })),
    assurance: Type.Integer({ description: '1 a bearer token, 2 a second factor' }),
  },
  { $id: 'Whoami' },
);

export function whoami(app: HttpServer): void {
  app.addSchema(WhoamiSchema);
  app.get(
    '/v1/whoami',
    {
      config: { authorisation: 'visible' },
      schema: {
        operationId: 'whoami',
        summary: 'Who am I here?',
        tags: ['identity'],
        querystring: NoQuery,
        response: { 200: answer('The principal', ref(WhoamiSchema)), ...refusals() },
      },
    },
    async ({ principal: { id, name, roles, projects, groups, assurance } }) => ({
      id,
      name,
      roles: [...roles],
      projects: [...projects],
      ...(groups === undefined ? {} : { groups: [...groups] }),
      assurance,
    }),
  );
}
