/**
 * The configuration of one domain: every setting with its default, and how a Config is made of defaults, a
 * YAML file, `TURNPIKE__SECTION__KEY` variables and flags, each stronger than the one before. This is the
 * only reader of process.env. How single values are read is in settings.ts.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { apiSection, frontDoorFaults, identitySection } from './configIdentity.ts';
import { DOMAIN, peerFaults, peeringSection } from './configPeering.ts';
import { textOf } from './kernel/errors.ts';
import {
  choice,
  type Field,
  type Fields,
  flag,
  integer,
  items,
  type Layer,
  path,
  put,
  ratio,
  SettingsError,
  secret,
  section,
  settle,
  text,
  type Values,
  writtenKey,
  zone,
} from './settings.ts';

const table = {
  domain: text(
    { required: true, help: 'Name of the administrative domain, the same in its topology' },
    DOMAIN,
    'a name such as ams.example',
  ),
  http: section({
    host: text({
      fallback: '127.0.0.1',
      help: 'Address to listen on',
    }),
    port: integer({ fallback: 8080, help: 'Port to listen on; 0 takes any free one' }, 0, 65_535),
    rate_limit_per_minute: integer(
      { fallback: 600_000, help: 'Requests that one principal may make in a minute' },
      1,
      100_000_000,
    ),
  }),
  store: section({
    client: choice(['sqlite', 'postgres'], { fallback: 'sqlite', help: 'The database' }),
    file: path({ fallback: 'turnpike.db', help: 'SQLite: the database file' }),
    url: text(
      { help: 'PostgreSQL: postgres://user@host:port/database, without a password' },
      /^postgres(ql)?:\/\//,
      'a postgres:// URL',
    ),
    password: secret({ help: 'PostgreSQL: a file that holds the password' }),
  }),
  lease: section({
    ttl_s: integer({ fallback: 10, help: 'A leader that is silent for so long is succeeded' }, 2, 600),
  }),
  audit: section({
    key_file: path({
      help: 'The key that signs the audit log; made at the first start beside an SQLite file. Instances on one PostgreSQL database share one; without it their log is not signed',
    }),
    keep_days: integer(
      {
        fallback: 0,
        help: 'Records of the audit log are kept so long, afterwards only their hashes; 0 keeps all',
      },
      0,
      36_500,
    ),
  }),
  seeds: section({
    topology: path({
      help: 'YAML, JSON, GraphML, NML, SNDlib or graphology; read when the store has no topology yet',
    }),
    policies: path({
      help: 'A Cedar file, or a folder of them, each with its tests beside it (NAME.tests.json); read when the store has no policy yet. None: the default one',
    }),
  }),
  policy: section({
    zone: zone({ fallback: 'UTC', help: 'IANA zone of rules about times of day' }),
  }),
  api: apiSection,
  identity: identitySection,
  tokens: section({
    issuer: text(
      {
        help: 'URL by which other domains know the issuer of our circuit tokens; https:// and the domain when absent',
      },
      /^https?:\/\/[!-~]{1,200}[^/]$/,
      'a URL without a slash at its end',
    ),
  }),
  devices: section({
    driver: choice(['memory', 'elements'], {
      fallback: 'memory',
      help: 'memory: cross-connects are kept in this process and light nothing; elements: those listed below',
    }),
    delay_ms: integer(
      { fallback: 0, help: 'memory: the longest time that one cross-connect takes' },
      0,
      60_000,
    ),
    least_delay_ms: integer(
      { fallback: 0, help: 'memory: the shortest time that one cross-connect takes' },
      0,
      60_000,
    ),
    failure_ratio: ratio({
      fallback: 0,
      help: 'memory: the share of orders that fail and are worth a retry',
    }),
    seed: integer({ fallback: 1, help: 'memory: delays and failures are drawn from it' }, 0, 2 ** 31 - 1),
    traps: section({
      host: text({ fallback: '127.0.0.1', help: 'Address to hear SNMP traps on; 0.0.0.0 is every one' }),
      port: integer(
        { fallback: 0, help: 'UDP port to hear SNMP traps on, usually 162; 0 hears none' },
        0,
        65_535,
      ),
    }),
    elements: items('The network elements, by the names that the topology has for its devices', {
      id: text({ required: true, help: 'The `device` of a node of the topology' }),
      protocol: choice(['tl1', 'snmp'], { required: true, help: 'How it is spoken to' }),
      dialect: text({
        required: true,
        help: 'tl1: polatis, ome6500, ons15454; snmp: standard, dell, leave-first, junos',
      }),
      address: text({ required: true, help: 'Name or address of its management port' }),
      port: integer({ fallback: 0, help: 'TCP (tl1) or UDP (snmp) port; 0 is the usual one' }, 0, 65_535),
      user: text({ help: 'tl1, snmp v3: whom to log in as' }),
      password: secret({ help: 'tl1: a file that holds the password' }),
      tid: text({ help: 'tl1: the target identifier, where a gateway stands before it' }),
      size: integer({ fallback: 64, help: 'polatis: how many ports it has' }, 1, 4_096),
      version: choice(['v3', 'v2c'], {
        fallback: 'v3',
        help: 'snmp: v3 is SHA-256 and AES-128; v2c is for laboratories',
      }),
      auth_key: secret({ help: 'snmp v3: a file that holds the authentication pass phrase' }),
      priv_key: secret({ help: 'snmp v3: a file that holds the privacy pass phrase' }),
      context: text({ help: 'snmp v3: contextName, where one address stands for several switches' }),
      community: secret({ help: 'snmp v2c: a file that holds the community' }),
      idle_vlan: integer(
        { fallback: 1, help: 'snmp: the VLAN of untagged ports without a circuit' },
        1,
        4_094,
      ),
      internal_vlans: text(
        {
          fallback: '3900-3999',
          help: 'snmp: VLANs for circuits between two untagged ports; none that the topology hands out',
        },
        /^\d{1,4}-\d{1,4}$/,
        'a range such as 3900-3999',
      ),
      whole_port_label: integer(
        {
          fallback: 0,
          help: 'For an element that switches whole ports: the one label that the topology gives all its links, so that each carries one circuit at a time. 0: labels are what they are',
        },
        0,
        4_094,
      ),
    }),
  }),
  peering: peeringSection,
  webhooks: section({
    allow_private: flag({
      fallback: false,
      help: 'Let webhooks reach private and loopback addresses: for labs',
    }),
  }),
  retention: section({
    keep_days: integer(
      { fallback: 90, help: 'Ended circuits and their records are kept so long; 0 keeps all' },
      0,
      36_500,
    ),
  }),
  log: section({
    level: choice(['debug', 'info', 'warn', 'error', 'silent'], {
      fallback: 'info',
      help: 'The least that is logged',
    }),
  }),
} satisfies Fields;

export type Config = Values<typeof table>;

/** What the process was handed: copied once, here, so that everything else can be given another. */
export type Env = Readonly<Record<string, string | undefined>>;
export const environment = (): Env => ({ ...process.env });

export interface ConfigSources {
  /** The YAML file; its folder is the base of relative paths in it. */
  readonly file?: string;
  readonly env: Env;
  /** `section.key` and its value, from flags. */
  readonly flags: readonly (readonly [key: string, value: string])[];
  readonly folder: string;
}

const ENV_PREFIX = 'TURNPIKE__';

export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const faults: string[] = [];
  const layers: Layer[] = [];
  // Loaded late: most commands read no configuration and should not wait for a YAML parser.
  const { yamlLayer } = await import('./settingsYaml.ts');
  if (sources.file !== undefined) {
    const file = resolve(sources.folder, sources.file);
    let content: string;
    try {
      content = readFileSync(file, 'utf8');
    } catch (error) {
      throw new SettingsError([`${file}: ${textOf(error)}`]);
    }
    layers.push(yamlLayer(table, content, basename(file), dirname(file), faults));
  }

  const env: Layer = new Map();
  for (const [name, value] of Object.entries(sources.env)) {
    if (!name.startsWith(ENV_PREFIX) || value === undefined) continue;
    const keys = name.slice(ENV_PREFIX.length).toLowerCase().split('__');
    put(table, env, keys, value, { where: name, folder: sources.folder }, faults);
  }
  const flags: Layer = new Map();
  for (const [key, value] of sources.flags)
    put(table, flags, key.split('.'), value, { where: `--set ${key}`, folder: sources.folder }, faults);

  const config = settle(table, [...layers, env, flags], sources.folder, faults);
  if (faults.length === 0) faults.push(...contradictions(config));
  if (faults.length > 0) throw new SettingsError(faults);
  return config;
}

/** What is right by itself and wrong together. */
function contradictions(config: Config): string[] {
  const found: string[] = [];
  const { store } = config;
  if (store.client === 'postgres') {
    if (store.url === undefined) found.push('configuration: `store.client: postgres` needs `store.url`');
    else if (!URL.canParse(store.url)) found.push('configuration: `store.url` must be a URL');
    else if (new URL(store.url).password !== '')
      found.push(
        'configuration: `store.url` holds a password: put it in a file and name that in `store.password_file`',
      );
  }
  return [...found, ...frontDoorFaults(config), ...peerFaults(config), ...elementFaults(config)];
}

export type ElementConfig = Config['devices']['elements'][number];

function elementFaults({ devices }: Config): string[] {
  const found: string[] = [];
  if (devices.driver === 'elements' && devices.elements.length === 0)
    found.push('configuration: `devices.driver: elements` needs `devices.elements`');
  const ids = new Set<string>();
  for (const element of devices.elements) {
    const { id, protocol, version } = element;
    if (ids.has(id)) found.push(`configuration: the element \`${id}\` is listed twice`);
    ids.add(id);
    const needs =
      protocol === 'tl1'
        ? (['user', 'password'] as const)
        : version === 'v2c'
          ? (['community'] as const)
          : (['user', 'auth_key', 'priv_key'] as const);
    for (const key of needs.filter((name) => element[name] === undefined))
      found.push(
        `configuration: the element \`${id}\` needs \`${key === 'user' ? key : `${key}_file`}\` (${protocol}${protocol === 'tl1' ? '' : ` ${version}`})`,
      );
    const [low = 0, high = 0] = element.internal_vlans.split('-').map(Number);
    if (low < 1 || high > 4_094 || low > high)
      found.push(
        `configuration: the element \`${id}\`: \`internal_vlans\` must be a range within 1-4094, the lower first`,
      );
  }
  return found;
}

export interface SettingLine {
  readonly key: string;
  readonly fallback: string;
  readonly help: string;
}

/** One line per setting, for `config check --reference` and docs/OPERATIONS.md. */
export function configReference(): SettingLine[] {
  const lines: SettingLine[] = [];
  const walk = (fields: Fields, prefix: string): void => {
    for (const [key, field] of Object.entries(fields) as [string, Field][]) {
      const shown = `${prefix}${writtenKey(key, field)}`;
      if (field.kind === 'section') walk(field.fields, `${shown}.`);
      else if (field.kind === 'items') {
        lines.push({ key: shown, fallback: 'none', help: field.help });
        walk(field.fields, `${shown}[].`);
      } else {
        const { fallback } = field;
        lines.push({
          key: shown,
          fallback: field.required ? 'required' : fallback === undefined ? 'none' : String(fallback),
          help: field.help,
        });
      }
    }
  };
  walk(table, '');
  return lines;
}

/** The configuration as it stands, without the secrets in it. */
export function shownConfig(config: Config): Record<string, unknown> {
  const { password, ...store } = config.store;
  const hide = (value: string | undefined): string | undefined => (value === undefined ? undefined : '(set)');
  const elements = config.devices.elements.map((element) => ({
    ...element,
    password: hide(element.password),
    auth_key: hide(element.auth_key),
    priv_key: hide(element.priv_key),
    community: hide(element.community),
  }));
  return {
    ...config,
    api: {
      tls: {
        certificate: hide(config.api.tls.certificate),
        key: hide(config.api.tls.key),
        client_ca: hide(config.api.tls.client_ca),
      },
    },
    identity: { ...config.identity, issuers_ca: hide(config.identity.issuers_ca) },
    peering: {
      ...config.peering,
      key: hide(config.peering.key),
      signing_key: hide(config.peering.signing_key),
    },
    store: { ...store, password: hide(password) },
    devices: { ...config.devices, elements },
  };
}
