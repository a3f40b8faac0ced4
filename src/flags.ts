/**
 * The flags of the verbs that run on the broker's own files: `serve`, `lab`, `config`, `backup`, `prune` and
 * `doctor`. Also what all of them say when they cannot go on: a message without a stack, and an exit code.
 */
import { parseArgs } from 'node:util';
import { StoreError } from './broker/ports.ts';
import { type Config, type ConfigSources, type Env, loadConfig } from './config.ts';
import { printable } from './kernel/printable.ts';
import { SettingsError } from './settings.ts';

export interface Io {
  readonly env: Env;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** The command line makes no sense: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What a person can mend: told without a stack, exit code 1. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

type Kinds = Readonly<Record<string, 'string' | 'boolean' | 'list'>>;
type Flags<K extends Kinds> = {
  readonly [F in keyof K]?: K[F] extends 'boolean' ? boolean : K[F] extends 'list' ? string[] : string;
};

export function readFlags<const K extends Kinds>(argv: readonly string[], kinds: K): Flags<K> {
  const options = Object.fromEntries(
    Object.entries(kinds).map(([name, kind]) => [
      name,
      { type: kind === 'boolean' ? ('boolean' as const) : ('string' as const), multiple: kind === 'list' },
    ]),
  );
  try {
    // parseArgs gives exactly what `options` declares, which its types cannot follow through a computed object.
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }).values as Flags<K>;
  } catch (error) {
    throw new UsageError((error as Error).message.split('. To specify')[0]);
  }
}

/** `--set section.key=value`, as often as wanted. */
export function readSets(sets: readonly string[] = []): [key: string, value: string][] {
  return sets.map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw new UsageError(`--set ${text}: write it as --set section.key=value`);
    return [text.slice(0, at), text.slice(at + 1)];
  });
}

/** The configuration that `--config` and `--set` name; the verb's own flags come last. */
export function configFrom(
  flags: { readonly config?: string; readonly set?: readonly string[] },
  io: Io,
  own: ConfigSources['flags'] = [],
): Promise<Config> {
  if (flags.config === undefined) throw new UsageError('name the configuration: --config domain.yaml');
  return loadConfig({
    file: flags.config,
    env: io.env,
    flags: [...readSets(flags.set), ...own],
    folder: process.cwd(),
  });
}

/** Runs a verb and turns what it throws into a message and an exit code. */
export async function withMessages(verb: string, io: Io, act: () => Promise<number>): Promise<number> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof UsageError) {
      io.stderr.write(`turnpike ${verb}: ${printable(error.message)}\n  try: turnpike ${verb} --help\n`);
      return 2;
    }
    const lines =
      error instanceof SettingsError
        ? error.faults
        : error instanceof StartError || error instanceof StoreError
          ? [error.message]
          : undefined;
    if (lines === undefined) {
      const shown = error instanceof Error ? (error.stack ?? error.message) : String(error);
      io.stderr.write(`turnpike ${verb}: this is a fault of the program: ${shown}\n`);
      return 1;
    }
    for (const line of lines) io.stderr.write(`turnpike ${verb}: ${printable(line)}\n`);
    return 1;
  }
}
