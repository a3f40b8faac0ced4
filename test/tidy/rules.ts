/**
 * The house rules as functions from one file's text to its breaches, so that a test can show each rule
 * catching a planted one. Where something may be done is a list with reasons; a list entry that nothing
 * needs any more is a breach too.
 */
import { posix } from 'node:path';
import { type Import, imports, type Token, tokens } from './source.ts';

export interface SourceFile {
  /** Relative to src, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const pure = ['kernel', 'model', 'topology', 'scheduler', 'aaa', 'tokens'] as const;
const underBroker = [...pure] as const;
const adapter = [...pure, 'broker'] as const;

/** What a folder may import besides itself. Siblings never import each other. */
const layers: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  model: ['kernel'],
  topology: ['kernel', 'model'],
  scheduler: ['kernel', 'model', 'topology'],
  aaa: ['kernel', 'model'],
  tokens: ['kernel', 'model'],
  http: ['kernel', 'model'],
  broker: underBroker,
  store: adapter,
  drivers: adapter,
  identity: adapter,
  peering: [...adapter, 'http'],
  api: [...adapter, 'http'],
  // Webhooks are sent through the connector that refuses private addresses, which the kit has.
  notify: [...adapter, 'http'],
  cli: adapter,
  lab: ['kernel', 'model'],
};

/** Files directly in src put the rest together: nothing imports them but each other. */
const TOP = 'top';

/** Single edges that the layers do not allow, each with its reason. */
export const bridges: readonly { readonly from: RegExp; readonly to: RegExp; readonly why: string }[] = [
  {
    from: /^lab\/(?:tl1|snmp)\//,
    to: /^drivers\/(?:tl1|snmp)\/(?:parse|format|codec|ber|oids|portlist)\.ts$/,
    why: 'both ends share parsers and codecs; golden transcripts are the witness that they are not wrong together',
  },
];

const folderOf = (path: string): string => (path.includes('/') ? (path.split('/')[0] as string) : TOP);

export interface Place {
  readonly files: RegExp;
  readonly why: string;
}

const clock: Place = { files: /^kernel\/clock\.ts$/, why: 'time enters here' };
const chance: Place = { files: /^kernel\/random\.ts$/, why: 'chance enters here' };
const config: Place = { files: /^config\.ts$/, why: 'the environment enters here' };

/** Names that bring something in from outside, and the only place for each. */
export const hidden: readonly {
  readonly what: string;
  readonly pattern: RegExp;
  readonly at: readonly Place[];
}[] = [
  { what: 'Date.now', pattern: /\bDate \. now\b/, at: [clock] },
  // With arguments it only converts.
  { what: 'new Date()', pattern: /\bnew Date(?: \( \)| (?!\())/, at: [clock] },
  { what: 'Date()', pattern: /(?<!new )(?<!\. )\bDate \(/, at: [clock] },
  { what: 'Temporal.Now', pattern: /\bTemporal \. Now\b/, at: [clock] },
  {
    what: 'timers',
    pattern: /(?<!\. )\b(?:setTimeout|setInterval|setImmediate)\b/,
    at: [clock],
  },
  { what: 'global timers', pattern: /\bglobalThis \. set(?:Timeout|Interval|Immediate)\b/, at: [clock] },
  { what: 'AbortSignal.timeout', pattern: /\bAbortSignal \. timeout\b/, at: [clock] },
  { what: 'performance', pattern: /(?<!\. )\bperformance\b/, at: [clock] },
  { what: 'process.hrtime and uptime', pattern: /\bprocess \. (?:hrtime|uptime)\b/, at: [clock] },
  { what: 'Math.random', pattern: /\bMath \. random\b/, at: [chance] },
  {
    what: 'random bytes',
    pattern: /\b(?:randomBytes|randomUUID|randomInt|randomFill|randomFillSync|getRandomValues)\b/,
    at: [chance],
  },
  { what: 'process.env', pattern: /\bprocess \. env\b/, at: [config] },
  { what: 'process.env', pattern: /\bprocess \[/, at: [config] },
  {
    what: 'any',
    // Where a type may stand; a variable may have the name.
    pattern: /(?:[:<|&]|\bas|\bextends|= >|\btype \w+ =) any (?!= =|\| =|& =)[,);>[\]}|&={]|, any [>\]]/,
    at: [],
  },
];

/** Modules that wait, draw or ask behind our back. */
const hiddenModules: readonly { readonly module: RegExp; readonly at: readonly Place[] }[] = [
  { module: /^(?:node:)?(?:timers(?:\/promises)?|perf_hooks)$/, at: [clock] },
];

/** Who may hold a socket. A type-only import is no socket. */
const sockets: readonly Place[] = [
  { files: /^http\/server\.ts$/, why: 'the only listener of our own' },
  { files: /^http\/address\.ts$/, why: 'the connector that checks the address it connected to' },
  { files: /^peering\/client\.ts$/, why: 'messages to peers' },
  { files: /^identity\/fetch\.ts$/, why: 'key sets of issuers' },
  { files: /^notify\/send\.ts$/, why: 'webhooks' },
  { files: /^drivers\/[^/]+\/session\.ts$/, why: 'southbound' },
  { files: /^lab\//, why: 'emulated elements are servers' },
  { files: /^cli\/client\.ts$/, why: 'the command line is a client of the API' },
];
const socketModules =
  /^(?:(?:node:)?(?:net|tls|http|https|http2|dgram|dns|dns\/promises)|undici|net-snmp|fastify|ws)$/;
/** Pure text helpers of socket modules. */
const harmless: Readonly<Record<string, readonly string[]>> = {
  'node:net': ['isIP', 'isIPv4', 'isIPv6'],
  'node:http': ['STATUS_CODES', 'METHODS'],
};
const globalSocket = /(?<!\. )(?<!function )\b(?:fetch \(|new WebSocket\b|new EventSource\b)/;

/** Databases are spoken to in one folder. */
const storeModules = /^(?:knex|pg|sqlite3|better-sqlite3|node:sqlite)$/;

/** Only sums, ciphers and flags of the engine: no module here opens, waits or listens. */
const pureModules = /^(?:node:crypto|node:assert|node:buffer|node:util|node:v8|node:zlib)$/;
const nodeModule = /^node:/;

export const LONG = 400;
/** Files past LONG lines and why they are not two. At present there is none. */
export const longFiles: Readonly<Record<string, string>> = {};

const inside = (places: readonly Place[], path: string): boolean => places.some((p) => p.files.test(path));

function layerBreach(path: string, i: Import): string | undefined {
  const to = posix.normalize(posix.join(posix.dirname(path), i.from));
  if (to.startsWith('../')) {
    return to === '../package.json' ? undefined : `reaches out of src to ${i.from}`;
  }
  if (!/\.(?:ts|json)$/.test(to)) return `imports ${i.from} without its .ts`;
  if (bridges.some((b) => b.from.test(path) && b.to.test(to))) return undefined;
  const [mine, theirs] = [folderOf(path), folderOf(to)];
  if (mine === theirs || mine === TOP) return undefined;
  if (theirs === TOP) return `imports ${to}, which only the top may`;
  const allowed = layers[mine];
  if (allowed === undefined) return `lies in ${mine}, a folder without a layer`;
  return allowed.includes(theirs) ? undefined : `imports ${to}: ${mine} may not know ${theirs}`;
}

function moduleBreach(path: string, i: Import): string | undefined {
  if (i.typeOnly) return undefined;
  const folder = folderOf(path);
  const waits = hiddenModules.find((h) => h.module.test(i.from));
  if (waits !== undefined && !inside(waits.at, path)) return `imports ${i.from}`;
  const safe = harmless[i.from];
  const asks = safe === undefined || i.names.length === 0 || !i.names.every((n) => safe.includes(n));
  if (socketModules.test(i.from) && asks && !inside(sockets, path))
    return `imports ${i.from}: sockets have their places`;
  if (storeModules.test(i.from) && folder !== 'store')
    return `imports ${i.from}: databases are spoken to in store`;
  const isPure = (pure as readonly string[]).includes(folder) || folder === 'broker';
  if (isPure && nodeModule.test(i.from) && !pureModules.test(i.from))
    return `imports ${i.from}: ${folder} is pure`;
  return undefined;
}

/** The file as one line of tokens, with every literal blanked, for the patterns of hidden inputs. */
const blanked = (all: readonly Token[]): string =>
  all
    .map((t) => (t.kind === 'word' || t.kind === 'mark' ? t.text : t.kind === 'number' ? '0' : "''"))
    .join(' ');

/** Everything that the file breaks, in plain words. */
export function breaches(file: SourceFile): string[] {
  const all = tokens(file.text);
  const found: string[] = [];
  const say = (what: string | undefined): void => {
    if (what !== undefined) found.push(`${file.path} ${what}`);
  };
  if (!/^(?:#![^\n]*\n)?\s*(?:\/\*\*|\/\/)/.test(file.text)) say('does not open by saying what is here');
  for (const i of imports(all)) {
    if (i.kind === 'computed') say(`line ${i.line}: imports something computed`);
    else if (i.from.startsWith('.')) say(layerBreach(file.path, i));
    else say(moduleBreach(file.path, i));
    if (i.kind === 'export' && i.names.includes('*')) say(`line ${i.line}: re-exports a whole file`);
  }
  const code = blanked(all);
  for (const h of hidden) {
    if (h.pattern.test(code) && !inside(h.at, file.path)) say(`uses ${h.what}`);
  }
  if (globalSocket.test(code) && !inside(sockets, file.path)) say('opens a connection');
  const lines = file.text.split('\n').length - 1;
  const excused = Object.hasOwn(longFiles, file.path);
  if (lines > LONG && !excused) say(`has ${lines} lines: why?`);
  if (lines <= LONG && excused) say(`has only ${lines} lines and needs no excuse any more`);
  return found;
}
