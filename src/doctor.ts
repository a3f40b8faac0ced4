/**
 * `turnpike doctor`: looks at everything a broker stands on and says what is wrong and what to do. It changes
 * nothing and may be asked while the broker runs.
 */
import { existsSync, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { loadPolicies } from './aaa/policySet.ts';
import { auditKeyFile, readAuditKey } from './auditKey.ts';
import { inForceOf, type PolicyDraft } from './broker/aaa/policy.ts';
import { AuditMismatch, openLog } from './broker/audit/auditStart.ts';
import { StoreError } from './broker/ports.ts';
import type { Config } from './config.ts';
import { packageVersion, storeOptions } from './domain.ts';
import { type Io, StartError } from './flags.ts';
import { checkKeySets } from './identities.ts';
import { type Clock, instant, rfc3339, wallClock } from './kernel/clock.ts';
import { printable } from './kernel/printable.ts';
import { readPolicy } from './policySeed.ts';
import { readTopology } from './seeds.ts';
import { type Beside, openBeside } from './store/beside.ts';
import type { TopologyDocument } from './topology/document.ts';

type Level = 'ok' | 'warning' | 'problem';
interface Finding {
  readonly level: Level;
  readonly what: string;
  readonly detail: string;
}

const finding = (level: Level, what: string, detail: string): Finding => ({ level, what, detail });

/** Less than this and somebody should look; less than a tenth of it and it is too late. */
const LITTLE_ROOM_BYTES = 1 << 30;
/** A store that has seen a later time than ours stands still until we have caught up. */
const CLOCK_SLACK_MS = 2_000;

export async function doctor(config: Config, io: Io): Promise<number> {
  const clock = wallClock();
  const findings: Finding[] = [];
  const tell = (found: readonly Finding[]): void => {
    for (const { level, what, detail } of found)
      io.stdout.write(`${level.padEnd(8)} ${what.padEnd(12)} ${printable(detail)}\n`);
    findings.push(...found);
  };
  tell([node()]);
  tell(await identity(config));
  tell(room(config));
  tell(await store(config, clock));
  const problems = findings.filter(({ level }) => level === 'problem').length;
  const warnings = findings.filter(({ level }) => level === 'warning').length;
  io.stdout.write(
    problems + warnings === 0 ? 'all is well\n' : `${problems} problems, ${warnings} warnings\n`,
  );
  return problems > 0 ? 1 : 0;
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const enough = major > 20 || (major === 20 && minor >= 19);
  return enough
    ? finding('ok', 'program', `turnpike ${packageVersion()} on Node ${process.versions.node}`)
    : finding('problem', 'program', `Node ${process.versions.node} is too old: 20.19 or later is needed`);
}

async function identity(config: Config): Promise<Finding[]> {
  const found: Finding[] = [];
  const { issuers, development_dir } = config.identity;
  try {
    await checkKeySets(config);
    if (issuers.length > 0)
      found.push(finding('ok', 'identity', `tokens of ${issuers.map((i) => i.issuer).join(', ')}`));
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    found.push(finding('problem', 'identity', error.message));
  }
  if (development_dir !== undefined) {
    const text = `the development issuer in ${development_dir} makes anybody an operator who can read it`;
    found.push(finding('warning', 'identity', text));
    const key = join(development_dir, 'development-issuer.jwk');
    if (existsSync(key) && (statSync(key).mode & 0o077) !== 0)
      found.push(finding('problem', 'identity', `${key} can be read by others: chmod 600`));
  }
  return found;
}

function room(config: Config): Finding[] {
  if (config.store.client !== 'sqlite') return [];
  const { file } = config.store;
  // A folder that is still to be made lies on the disk of the nearest one that is there.
  let folder = dirname(file);
  while (!existsSync(folder)) folder = dirname(folder);
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const text = `${Math.floor(free / (1 << 20))} MiB free on the disk of ${file}`;
  if (free < LITTLE_ROOM_BYTES / 10)
    return [finding('problem', 'disk', `${text}: soon nothing can be booked`)];
  return [finding(free < LITTLE_ROOM_BYTES ? 'warning' : 'ok', 'disk', text)];
}

async function store(config: Config, clock: Clock): Promise<Finding[]> {
  let beside: Beside | undefined;
  try {
    beside = await openBeside(storeOptions(config));
    if (beside === undefined)
      return [
        finding('ok', 'store', 'there is none yet; the first start makes it'),
        ...(await topology(config, undefined)),
        ...(await policy(config, undefined)),
      ];
    return [
      ...(await contents(beside)),
      ...(await leaseAndClock(beside, clock)),
      ...(await audit(config, beside)),
      ...(await topology(config, await beside.topology())),
      ...(await policy(config, await beside.activePolicy())),
    ];
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return [finding('problem', 'store', error.message)];
  } finally {
    await beside?.close();
  }
}

async function contents(beside: Beside): Promise<Finding[]> {
  const { live, ended, effects } = await beside.counts();
  const integrity = await beside.integrity();
  const found = [
    integrity === 'ok'
      ? finding(
          'ok',
          'store',
          `${beside.where}: ${live} live circuits, ${ended} ended, ${effects} effects waiting`,
        )
      : finding('problem', 'store', `${beside.where} is damaged: ${integrity}. Restore a backup`),
  ];
  found.push(
    beside.pending.length === 0
      ? finding('ok', 'schema', beside.schema)
      : finding(
          'warning',
          'schema',
          `the next start will migrate: ${beside.pending.join(', ')}. Make a backup first`,
        ),
  );
  return found;
}

async function leaseAndClock(beside: Beside, clock: Clock): Promise<Finding[]> {
  const { holder, epoch, expire, clock: mark } = await beside.lease();
  const now = clock.now();
  const leader =
    holder === undefined
      ? 'nobody leads; no broker is running'
      : expire > now
        ? `${holder} leads in epoch ${epoch}`
        : `${holder} led until ${rfc3339(expire)} and did not give it back; no broker is running`;
  const ahead = mark - now;
  return [
    finding(holder !== undefined && expire <= now ? 'warning' : 'ok', 'lease', leader),
    ahead > CLOCK_SLACK_MS
      ? finding(
          'problem',
          'clock',
          `the store has seen ${rfc3339(mark)}, this machine says ${rfc3339(now)}: time stands still until it has caught up. Look at NTP`,
        )
      : finding('ok', 'clock', rfc3339(instant(now))),
  ];
}

/** The log against what was signed, as the next start will compare it. */
async function audit(config: Config, beside: Beside): Promise<Finding[]> {
  if (beside.pending.length > 0) return [];
  const file = auditKeyFile(config);
  if (file === undefined)
    return [finding('warning', 'audit', 'nobody vouches for the log: set `audit.key_file`')];
  const found: Finding[] = [];
  if (existsSync(file) && (statSync(file).mode & 0o077) !== 0)
    found.push(finding('problem', 'audit', `${file} can be read by others: chmod 600`));
  try {
    const { tree, last, signer, continues } = await openLog(beside.audit, config.domain, readAuditKey(file));
    const next = continues === undefined ? '' : `; the next start goes on as ${signer?.name}`;
    found.push(
      finding('ok', 'audit', `${tree.size} records, of which ${last?.size ?? 0} are signed for${next}`),
    );
  } catch (error) {
    if (!(error instanceof AuditMismatch || error instanceof StartError)) throw error;
    found.push(finding('problem', 'audit', error.message));
  }
  return found;
}

/** The version in force loads, and is the seed's; or how the two differ. */
async function policy(
  { seeds }: Config,
  active: Awaited<ReturnType<Beside['activePolicy']>>,
): Promise<Finding[]> {
  let seed: PolicyDraft;
  const named = seeds.policies ?? 'the default policy';
  try {
    seed = await readPolicy(seeds.policies);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    // A seed that is no longer read does no harm.
    return [finding(active === undefined ? 'problem' : 'warning', 'policy', error.message)];
  }
  if (active === undefined) return [finding('ok', 'policy', `${named} will be read at the first start`)];
  const { id, text, rules } = active.policy;
  const stored = inForceOf(active.policy);
  if ('closed' in stored)
    return [finding('problem', 'policy', `everything is denied but what gives back: ${stored.closed}`)];
  stored.close();
  if (text === seed.text) return [finding('ok', 'policy', `${id}, the same as ${named}`)];
  const loaded = loadPolicies(seed.text);
  const seeded = loaded.ok ? loaded.set.rules.map((rule) => rule.id) : [];
  const kept = rules.map((rule) => rule.id);
  const said = [
    ...kept.filter((rule) => !seeded.includes(rule)).map((rule) => `+${rule}`),
    ...seeded.filter((rule) => !kept.includes(rule)).map((rule) => `-${rule}`),
  ];
  const how = said.length === 0 ? 'in the text of its rules' : said.slice(0, SHOWN).join(' ');
  return [finding('warning', 'policy', `${id} rules and differs from ${named}: ${how}`)];
}

async function topology(
  config: Config,
  stored: { readonly version: number; readonly document: TopologyDocument } | undefined,
): Promise<Finding[]> {
  const file = config.seeds.topology;
  if (file === undefined) {
    return stored === undefined
      ? [
          finding(
            'problem',
            'topology',
            'the store has none and `seeds.topology` names no file to start from',
          ),
        ]
      : [finding('ok', 'topology', `version ${stored.version}, no seed`)];
  }
  let seed: TopologyDocument;
  try {
    seed = await readTopology(file, config.domain);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    // A seed that is no longer read does no harm.
    return [finding(stored === undefined ? 'problem' : 'warning', 'topology', error.message)];
  }
  if (stored === undefined) return [finding('ok', 'topology', `${file} will be read at the first start`)];
  const changes = differences(seed, stored.document);
  return changes.length === 0
    ? [finding('ok', 'topology', `version ${stored.version}, the same as ${file}`)]
    : [
        finding(
          'warning',
          'topology',
          `version ${stored.version} rules and differs from ${file}: ${changes.join('; ')}`,
        ),
      ];
}

const SHOWN = 8;

/** What the stored topology has more, has less, or has otherwise than the seed. */
export function differences(seed: TopologyDocument, stored: TopologyDocument): string[] {
  const found: string[] = [];
  for (const kind of ['nodes', 'ports', 'links'] as const) {
    const before = new Map<string, unknown>(seed[kind].map((item) => [item.id, item]));
    const now = new Map<string, unknown>(stored[kind].map((item) => [item.id, item]));
    const list = (word: string, ids: string[]): void => {
      if (ids.length === 0) return;
      const more = ids.length > SHOWN ? ` and ${ids.length - SHOWN} more` : '';
      found.push(`${kind} ${word}: ${ids.slice(0, SHOWN).join(', ')}${more}`);
    };
    list(
      'added',
      [...now.keys()].filter((id) => !before.has(id)),
    );
    list(
      'removed',
      [...before.keys()].filter((id) => !now.has(id)),
    );
    list(
      'changed',
      [...now.keys()].filter((id) => before.has(id) && !isDeepStrictEqual(before.get(id), now.get(id))),
    );
  }
  if (!isDeepStrictEqual(seed.neighbours ?? [], stored.neighbours ?? [])) found.push('neighbours changed');
  return found;
}
