/**
 * The verbs that work on a domain's own files and not over HTTP: `config check`, `backup`, `prune`,
 * `doctor` and `audit continue`. Only `prune` needs the store for itself; the others may be asked while a broker runs on it.
 */
import { existsSync } from 'node:fs';
import { allowContinuation, auditKeyFile } from './auditKey.ts';
import { StoreError } from './broker/ports.ts';
import { type Config, configReference, shownConfig } from './config.ts';
import { storeOptions } from './domain.ts';
import { configFrom, type Io, readFlags, StartError, UsageError, withMessages } from './flags.ts';
import { checkKeySets } from './identities.ts';
import { instant, rfc3339, wallClock } from './kernel/clock.ts';
import { jsonLog } from './kernel/log.ts';
import { readTopology } from './seeds.ts';
import { openBeside } from './store/beside.ts';
import { openStore } from './store/open.ts';

const DAY_MS = 86_400_000;
const LEASE_TTL_MS = 60_000;

const HELP: Readonly<Record<string, string>> = {
  config: `turnpike config check --config FILE [--set section.key=value ...] [--print]
turnpike config check --reference

Says whether a configuration is right, every fault with its line. --print shows what comes of it.
`,
  backup: `turnpike backup --config FILE --to FILE

Writes a consistent copy of the store while everything goes on. It overwrites nothing.
`,
  prune: `turnpike prune --config FILE [--keep-days N]

Removes circuits that ended more than N days ago (retention.keep_days), with their events and decisions. A
running broker does this by itself once an hour; this is for when none runs.
`,
  audit: `turnpike audit continue --config FILE --reason TEXT

After a restore from a backup the store has fewer records than were signed, and the broker does not serve. This
lets it go on at its next start, under a new name that names the old one; the reason is recorded.
`,
  doctor: `turnpike doctor --config FILE

Looks for what is wrong with an installation. Exit code 1 when there is a problem.
`,
};

export function admin(argv: readonly string[], io: Io): Promise<number> {
  const [verb = '', ...rest] = argv;
  return withMessages(verb, io, async () => {
    if (rest.includes('--help') || rest.includes('-h')) {
      io.stdout.write(HELP[verb] ?? '');
      return 0;
    }
    switch (verb) {
      case 'config':
        return configCheck(rest, io);
      case 'backup':
        return backup(rest, io);
      case 'prune':
        return prune(rest, io);
      case 'audit':
        return auditContinue(rest, io);
      case 'doctor': {
        const flags = readFlags(rest, { config: 'string', set: 'list' });
        const { doctor } = await import('./doctor.ts');
        return doctor(await configFrom(flags, io), io);
      }
      default:
        throw new UsageError(`there is no verb ${verb}`);
    }
  });
}

async function configCheck([word, ...rest]: readonly string[], io: Io): Promise<number> {
  if (word !== 'check') throw new UsageError('the verb is `config check`');
  const flags = readFlags(rest, { config: 'string', set: 'list', print: 'boolean', reference: 'boolean' });
  if (flags.reference === true) {
    io.stdout.write(referenceTable());
    return 0;
  }
  const config = await configFrom(flags, io);
  const { topology } = config.seeds;
  if (topology !== undefined) await readTopology(topology, config.domain);
  await checkKeySets(config);
  // Only then are the drivers and their libraries needed.
  if (config.devices.elements.length > 0) (await import('./devices.ts')).checkElements(config);
  if (flags.print === true) {
    const { stringify } = await import('yaml');
    io.stdout.write(stringify(shownConfig(config)));
  }
  io.stderr.write(`${flags.config}: the configuration of ${config.domain} is right\n`);
  return 0;
}

/** Markdown, as it stands in docs/OPERATIONS.md. */
export function referenceTable(): string {
  const rows = configReference().map(({ key, fallback, help }) => `| \`${key}\` | ${fallback} | ${help} |`);
  return ['| key | default | what it is |', '|---|---|---|', ...rows, ''].join('\n');
}

async function backup(argv: readonly string[], io: Io): Promise<number> {
  const flags = readFlags(argv, { config: 'string', set: 'list', to: 'string' });
  if (flags.to === undefined) throw new UsageError('name the file to write: --to FILE');
  const config = await configFrom(flags, io);
  if (existsSync(flags.to)) throw new StartError(`${flags.to} is there already; a backup overwrites nothing`);
  const beside = await openBeside(storeOptions(config));
  if (beside === undefined) throw new StartError('there is no store yet, so there is nothing to copy');
  try {
    if (config.store.client === 'sqlite') await beside.copy(flags.to);
    else await dump(config, beside.pending, flags.to);
  } finally {
    await beside.close();
  }
  io.stderr.write(`${beside.where} copied to ${flags.to}\n`);
  return 0;
}

async function dump(config: Config, pending: readonly string[], file: string): Promise<void> {
  // Opening it would migrate it, and a copy is what one wants to have before that.
  if (pending.length > 0)
    throw new StartError(
      'this program is newer than the database; copy it with the version that wrote it, or with pg_dump',
    );
  const store = await openStore(storeOptions(config), { clock: wallClock(), log: jsonLog('warn') });
  try {
    await store.backup(file);
  } finally {
    await store.close();
  }
}

async function auditContinue([word, ...rest]: readonly string[], io: Io): Promise<number> {
  if (word !== 'continue') throw new UsageError('the verb is `audit continue`');
  const flags = readFlags(rest, { config: 'string', set: 'list', reason: 'string' });
  if (flags.reason === undefined || flags.reason.trim() === '')
    throw new UsageError('say why, for the record: --reason TEXT');
  const file = auditKeyFile(await configFrom(flags, io));
  if (file === undefined) throw new StartError('the log is not signed: `audit.key_file` names no key');
  allowContinuation(file, flags.reason.trim());
  io.stderr.write('the next start goes on under a new name that names the old one\n');
  return 0;
}

async function prune(argv: readonly string[], io: Io): Promise<number> {
  const flags = readFlags(argv, { config: 'string', set: 'list', 'keep-days': 'string' });
  const days = flags['keep-days'];
  const config = await configFrom(flags, io, days === undefined ? [] : [['retention.keep_days', days]]);
  const { keep_days } = config.retention;
  if (keep_days === 0)
    throw new UsageError('retention.keep_days is 0, which keeps everything: use --keep-days N');
  const before = await openBeside(storeOptions(config));
  if (before === undefined) throw new StartError('there is no store yet, so there is nothing to prune');
  await before.close();

  const store = await openStore(storeOptions(config), { clock: wallClock(), log: jsonLog('warn') }).catch(
    (error: unknown) => {
      if (error instanceof StoreError && error.kind === 'IN_USE')
        throw new StartError(
          `${error.message}. A running broker prunes by itself, as retention.keep_days says`,
        );
      throw error;
    },
  );
  try {
    const clock = wallClock((await store.counters()).clock);
    const holder = `prune/${process.pid}`;
    const lease = await store.acquireLease(holder, LEASE_TTL_MS);
    if (!lease.held)
      throw new StartError(`${lease.leader} is running and prunes by itself, as retention.keep_days says`);
    const until = instant(clock.now() - keep_days * DAY_MS);
    const sum = { circuits: 0, events: 0 };
    try {
      for (let more = true; more; ) {
        const done = await store.prune(lease.epoch, until, clock.now());
        sum.circuits += done.circuits;
        sum.events += done.events;
        more = done.more;
        await store.renewLease(holder, lease.epoch, LEASE_TTL_MS);
      }
    } finally {
      await store.releaseLease(holder, lease.epoch);
    }
    io.stderr.write(
      `removed ${sum.circuits} circuits that ended before ${rfc3339(until)}, and ${sum.events} events\n`,
    );
    return 0;
  } finally {
    await store.close();
  }
}
