/**
 * Seed files: what a store that is still empty starts from, in any notation that topologies are read in. They
 * are read once; afterwards the stored version rules, and `doctor` shows where the two differ.
 */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { StartError } from './flags.ts';
import type { TopologyDocument } from './topology/document.ts';
import { guessFormat, readTopology as readText } from './topology/formats/index.ts';

/**
 * A topology, checked; throws a StartError whose lines name file and line. Where the notation does not say
 * whose network it is, it is this domain's, and its ports begin with the first word of the domain's name.
 */
export async function readTopology(file: string, domain: string): Promise<TopologyDocument> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new StartError(`the topology ${file}: ${(error as Error).message}`);
  }
  const name = basename(file);
  const format = guessFormat(file, text);
  if (format === undefined) throw new StartError(`${name} is in none of the notations that are read`);
  const { document, problems } = readText(text, format, { domain, prefix: prefixFor(domain) });
  if (document === undefined) {
    throw new StartError(
      problems
        .filter(({ severity }) => severity === 'ERROR')
        .map(({ line, pointer, message }) => `${name}:${line}: ${pointer} ${message}`)
        .join('\n'),
    );
  }
  if (document.domain !== domain)
    throw new StartError(
      `${name} is the topology of ${document.domain}, but the configuration is of ${domain}`,
    );
  return document;
}

function prefixFor(domain: string): string {
  const [word = ''] = domain.toLowerCase().split('.');
  const prefix = word
    .replace(/^[^a-z]+/, '')
    .replace(/[^a-z0-9-]/g, '')
    .slice(0, 16);
  return prefix === '' ? 'local' : prefix;
}
