/**
 * The schema check at the edge. Bodies are taken as they are: no coercion, no default filled in, unknown
 * fields refused. Paths and query strings are text by nature, so there numbers and booleans are read out of
 * it. Answers are not reshaped by their schema: what a handler gives is what is sent.
 */
import { Ajv2020, type Options } from 'ajv/dist/2020.js';
import type { FastifySchemaCompiler, FastifySerializerCompiler } from 'fastify';
import { type Static, type TSchema, Type } from 'typebox';

const OPTIONS: Options = {
  strict: true,
  strictTypes: false, // oneOf and allOf in TypeBox's output carry their types in the branches
  strictRequired: false,
  allErrors: false, // the first error ends the check: its cost stays bounded by the body's size
  removeAdditional: false,
  useDefaults: false,
  discriminator: true,
  addUsedSchema: false,
  validateSchema: false, // the tests check the schemas themselves; starting up need not
  inlineRefs: false, // a named schema is compiled once, not once per place
  code: { optimize: false },
  keywords: ['example'], // an OpenAPI annotation
};

const DATE_TIME =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[Tt](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** An Ajv that knows the formats we use. */
export function newAjv(coerce = false): Ajv2020 {
  const ajv = new Ajv2020({ ...OPTIONS, coerceTypes: coerce ? 'array' : false });
  ajv.addFormat('date-time', DATE_TIME);
  ajv.addFormat('uri', true);
  return ajv;
}

/**
 * Fastify asks once per encapsulated context, with every schema named so far, and then for each part of each
 * route. A name means the same in all contexts of a server and many parts are alike (an id in the path, an empty
 * query), so all of them share what is known and compiled: this is what start-up waits for.
 */
export function validators(): (named: Readonly<Record<string, unknown>>) => FastifySchemaCompiler<object> {
  const plain = newAjv();
  const coercing = newAjv(true);
  const known = new Set<string>();
  const compiled = new Map<string, ReturnType<Ajv2020['compile']>>();
  const compile: FastifySchemaCompiler<object> = ({ schema, httpPart }) => {
    const ajv = httpPart === 'body' ? plain : coercing;
    const key = `${httpPart === 'body'} ${JSON.stringify(schema)}`;
    const validate = compiled.get(key) ?? ajv.compile(schema);
    compiled.set(key, validate);
    return validate;
  };
  return (named) => {
    for (const [id, schema] of Object.entries(named)) {
      if (known.has(id)) continue;
      known.add(id);
      // The registry holds schema objects only; Fastify types them as unknown.
      for (const ajv of [plain, coercing]) ajv.addSchema(schema as object);
    }
    return compile;
  };
}

export const buildSerializer = (): FastifySerializerCompiler<unknown> => () => JSON.stringify;

/** A named schema used inside another one: `#/components/schemas/<name>` in the document. */
export function ref<T extends TSchema & { readonly $id?: string }>(schema: T) {
  return Type.Unsafe<Static<T>>({ $ref: `${schema.$id}#` });
}

/** A oneOf that is told apart by one field, so that an error names the fault inside the branch that was meant. */
export function taggedUnion<T extends TSchema[]>(tag: string, branches: [...T], options: object = {}) {
  return Type.Unsafe<Static<T[number]>>({
    type: 'object',
    ...options,
    required: [tag],
    discriminator: { propertyName: tag },
    oneOf: branches,
  });
}
