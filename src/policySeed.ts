/**
 * The seed of the policy: what a store that has none yet starts from, with the tests beside it. Read once;
 * afterwards the stored version rules.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Assertion } from './aaa/assertions.ts';
import { inWords } from './aaa/policies.ts';
import { loadPolicies } from './aaa/policySet.ts';
import { AssertionSchema } from './api/wire/policy.ts';
import type { PolicyDraft } from './broker/aaa/policy.ts';
import { StartError } from './flags.ts';
import { newAjv } from './http/schema.ts';

/** What a domain that names no policy starts with. */
const DEFAULT_POLICY = fileURLToPath(new URL('../examples/policies/default.cedar', import.meta.url));

/** The text of a file, or of all in a folder, with the tests beside each; throws a StartError when it does not load. */
export async function readPolicy(path = DEFAULT_POLICY): Promise<PolicyDraft> {
  const files = await policyFiles(path);
  const parts = await Promise.all(files.map(async (file) => ({ text: await readFile(file, 'utf8'), file })));
  const text = parts.map((part) => part.text).join('\n');
  const loaded = loadPolicies(text);
  if (!loaded.ok) throw new StartError(`the policy ${path}: ${inWords(loaded.problems)}`);
  loaded.set.close();
  const assertions = (await Promise.all(files.map(readAssertions))).flat();
  return { text, assertions, description: basename(path) };
}

async function policyFiles(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = (await readdir(path)).filter((name) => name.endsWith('.cedar')).sort();
    if (names.length === 0) throw new Error('there is no .cedar file in it');
    return names.map((name) => join(path, name));
  } catch (error) {
    throw new StartError(`the policy ${path}: ${(error as Error).message}`);
  }
}

async function readAssertions(policy: string): Promise<Assertion[]> {
  const file = policy.replace(/(\.cedar)?$/, '.tests.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new StartError(`the tests ${file}: ${(error as Error).message}`);
  }
  const isList = newAjv().compile<Assertion[]>({ type: 'array', items: AssertionSchema });
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (error) {
    throw new StartError(`the tests ${file}: ${(error as Error).message}`);
  }
  if (isList(found)) return found;
  const [first] = isList.errors ?? [];
  throw new StartError(`the tests ${file}: ${first?.instancePath ?? ''} ${first?.message ?? 'are none'}`);
}
