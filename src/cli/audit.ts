/**
 * The audit log in the hands of an auditor: fetched into a folder, verified there without asking anybody, one
 * record proved by itself. `continue` and `erase` are an operator's. What verification means is aaa/merkle's
 * and aaa/inspect's matter; files and exit codes are this one's.
 */
import type { Command } from 'commander';
import { files, type VerifyOptions } from './auditFiles.ts';
import type { Run } from './circuit.ts';
import { seg } from './client.ts';
import type { Context } from './context.ts';
import { CliError, exits, usage } from './io.ts';
import { type Column, dig, type Json, object, text } from './output.ts';

const NDJSON = 'application/x-ndjson';

export function addAudit(program: Command, run: Run, local: () => Promise<void>): void {
  const audit = program.command('audit').description('the log of all decisions: fetch, verify, prove');
  audit
    .command('checkpoint')
    .description('the last signed checkpoint, and the key that verifies it')
    .action((_options: object, command: Command) =>
      run(command, async (context) => {
        const body = object((await context.client.get('/v1/audit/checkpoint')).body);
        const columns = ['origin', 'size', 'root', 'create_time', 'key'];
        await context.out.one(
          body,
          columns.map((name): Column => [name, (row) => row[name]]),
        );
      }),
    );
  audit
    .command('export <dir>')
    .description('fetch the whole log into a folder that is new or empty')
    .action((dir: string, _options: object, command: Command) =>
      run(command, (context) => exportTo(context, dir)),
    );
  audit
    .command('verify <path>')
    .description('verify an export, or a proof of one record; asks nobody')
    .option('--key <key>', 'the key of the log, as you know it from elsewhere; or a file that holds it')
    .option('--known <file>', 'a checkpoint seen before (repeatable): the log must contain it', collect)
    .option('--witness <key>', 'the key of a witness (repeatable)', collect)
    .option('--quorum <n>', 'some checkpoint must have so many witnesses; `witnessed` says up to where', '0')
    .action((path: string, options: VerifyOptions, command: Command) =>
      run(command, async (context) => {
        // Cedar and its policies are loaded for those who verify only.
        const { verify } = await import('./auditVerify.ts');
        await verify(context, path, options);
      }),
    );
  audit
    .command('prove <decision>')
    .description('the record of a decision with the proof that it is in the signed log, as JSON')
    .option('--from <dir>', 'from an export, asking nobody')
    .action((id: string, options: { from?: string }, command: Command) =>
      run(command, async (context) => {
        context.out.line(JSON.stringify(await proofOf(context, id, options.from)));
      }),
    );
  audit
    .command('erase <principal>')
    .description('forget who a principal was; every proof still holds')
    .action((principal: string, _options: object, command: Command) =>
      run(command, async (context) => {
        await context.client.call('POST', '/v1/audit/erasures', { body: { principal } });
        context.out.say('forgotten');
      }),
    );
  audit
    .command('continue [words...]')
    .description("after a restore: let the log go on under a new name (works on the broker's own files)")
    .allowUnknownOption()
    .helpOption(false)
    .action(() => local());
}

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

async function exportTo(context: Context, dir: string): Promise<void> {
  const { appendFile, mkdir, readdir, writeFile } = await import('node:fs/promises');
  const { join } = await import('node:path');
  await mkdir(dir, { recursive: true, mode: 0o700 });
  if ((await readdir(dir)).length > 0) throw usage(`${dir} is not empty; an export overwrites nothing`);
  const file = (name: string): string => join(dir, name);
  // Names of people are among them.
  for (const name of [files.records, files.checkpoints, files.asides])
    await writeFile(file(name), '', { mode: 0o600 });
  let log: Json | undefined;
  for (let from = 0, size = Number.POSITIVE_INFINITY; from < size; ) {
    const { raw } = await context.client.call('GET', '/v1/audit/export', {
      query: { from, size: log === undefined ? undefined : size },
      accept: `${NDJSON}, application/problem+json`,
    });
    const lines: Record<'records' | 'checkpoints' | 'asides', string[]> = {
      records: [],
      checkpoints: [],
      asides: [],
    };
    for (const line of raw.split('\n')) {
      if (line === '') continue;
      // A record is kept as it came: its hash is that of these very bytes.
      if (line.startsWith('{"leaf":')) lines.records.push(line);
      else {
        const { type, ...rest } = object(JSON.parse(line));
        if (type === 'log') log ??= rest;
        else if (type === 'checkpoint') lines.checkpoints.push(JSON.stringify(rest));
        else if (type === 'aside') lines.asides.push(JSON.stringify(rest));
      }
    }
    for (const kind of ['records', 'checkpoints', 'asides'] as const)
      if (lines[kind].length > 0) await appendFile(file(files[kind]), `${lines[kind].join('\n')}\n`);
    size = Number(dig(log, 'size'));
    from += lines.records.length;
    if (lines.records.length === 0 && from < size)
      throw new CliError(exits.ERROR, `the export breaks off at record ${from} of ${size}`);
    context.out.progress(`${from} of ${size} records`);
  }
  context.out.endProgress();
  await writeFile(file(files.log), `${JSON.stringify(log)}\n`, { mode: 0o600 });
  const policies = await exportPolicies(context, file(files.policies));
  context.out.say(
    `${text(dig(log, 'size'))} records of ${text(dig(log, 'origin'))} and ${policies} policies`,
  );
}

const SHA256 = /^[0-9a-f]{64}$/;

/** The rules, by their hash: with them the decisions can be decided again. */
async function exportPolicies(context: Context, folder: string): Promise<number> {
  const { mkdir, writeFile } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const versions = await context.pages('/v1/policies', {}, 10_000).catch((error: unknown) => {
    if (!(error instanceof CliError)) throw error;
    context.out.say(`without the policies: ${error.message}`);
    return [];
  });
  if (versions.length > 0) await mkdir(folder, { mode: 0o700 });
  for (const version of versions) {
    const { sha256, text: rules } = object(
      (await context.client.get(`/v1/policies/${seg(text(version['id']))}`)).body,
    );
    // What a server says becomes the name of a file only in this one form.
    if (typeof rules === 'string' && typeof sha256 === 'string' && SHA256.test(sha256))
      await writeFile(join(folder, `${sha256}.cedar`), rules, { mode: 0o600 });
  }
  return versions.length;
}

async function proofOf(context: Context, id: string, dir: string | undefined): Promise<Json> {
  if (dir !== undefined) return (await import('./auditVerify.ts')).proofFrom(dir, id);
  const proof = dig((await context.client.get(`/v1/decisions/${seg(id)}`)).body, 'proof');
  if (proof === undefined)
    throw new CliError(exits.ERROR, `there is no proof of ${id} yet`, ['a second after it there will be']);
  return object(proof);
}
