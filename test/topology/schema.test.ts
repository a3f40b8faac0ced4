/** A topology is held to the same rules whether it comes as JSON of the API or as text in any notation. */
import type { TSchema } from 'typebox';
import { expect, test } from 'vitest';
import { topologySchemas } from '../../src/api/wire/topology.ts';
import { topologySchema } from '../../src/topology/schema.ts';

const named = new Map((topologySchemas as readonly TSchema[]).map((s) => [(s as { $id?: string }).$id, s]));

/** What a schema demands, without what it says about it, and without what the checks say better: labels, no capacity. */
function demands(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(demands);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { $ref } = schema as { $ref?: string };
  if ($ref !== undefined) return demands(named.get($ref.replace(/#$/, '')));
  const { type, minimum, pattern } = schema as { type?: string; minimum?: number; pattern?: string };
  if (pattern === '^[0-9,-]+$') return demands({ type, minLength: 1, maxLength: 1024 });
  if (minimum === 0 && type === 'integer') return demands({ ...schema, minimum: 1 });
  const said = ['$id', 'description', 'default', 'examples', 'format', 'title'];
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key]) => !said.includes(key))
      .map(([key, value]) => [
        key,
        key === 'properties'
          ? Object.fromEntries(Object.entries(value as object).map(([name, of]) => [name, demands(of)]))
          : key === 'required'
            ? [...(value as string[])].sort()
            : demands(value),
      ]),
  );
}

test('one schema', () => {
  expect(demands(topologySchema)).toEqual(demands(named.get('Topology')));
});
