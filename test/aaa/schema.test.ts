/** The schema and the page for writers of policies are made from the declared attributes; here they are compared. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { schemaToJson, validate } from '@cedar-policy/cedar-wasm/nodejs';
import { describe, expect, test } from 'vitest';
import { attributes } from '../../src/aaa/attributes.ts';
import { actions } from '../../src/aaa/decide.ts';
import { policyMarkdown, schema } from '../../src/aaa/schema.ts';

const committed = (file: string): string => readFileSync(join(import.meta.dirname, '../..', file), 'utf8');

test.each([
  ['docs/POLICY.md', policyMarkdown()],
  ['examples/policies/turnpike.cedarschema', schema],
])('%s is what `npm run gen` writes', (file, text) => {
  expect(committed(file)).toBe(text);
});

test('the schema parses and knows every action', () => {
  const answer = schemaToJson(schema);
  expect(answer.type).toBe('success');
  const known = answer.type === 'success' ? Object.keys(answer.json['']?.actions ?? {}) : [];
  for (const action of actions) expect(known).toContain(action);
});

describe('an attribute that may be missing must be guarded, one that is always there need not', () => {
  const sample = { Long: '== 1', Bool: '== true', String: '== "x"', Names: '.contains("x")' } as const;
  test.each(attributes.map((a) => [a.name, a] as const))('%s', (name, a) => {
    const term = a.type === 'Names' ? `context.${name}${sample.Names}` : `context.${name} ${sample[a.type]}`;
    const errors = (body: string): number => {
      const answer = validate({
        schema,
        policies: { staticPolicies: { x: `permit(principal, action, resource) when { ${body} };` } },
      });
      return answer.type === 'success' ? answer.validationErrors.length : -1;
    };
    expect(errors(`context has ${name} && ${term}`)).toBe(0);
    if (a.always) expect(errors(term)).toBe(0);
    else expect(errors(term)).toBeGreaterThan(0);
  });
});
