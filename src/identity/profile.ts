/**
 * From the claims of a verified token to a principal. An OpenID token may name roles, projects and groups
 * itself; of a grid token (WLCG Common JWT Profiles, SciTokens) only what its profile defines is looked at:
 * groups, scopes and how its owner logged in. What groups, scopes and subjects mean here, the operator maps.
 */
import { BrokerError } from '../kernel/errors.ts';
import type { Principal } from '../model/principal.ts';

export const profiles = ['oidc', 'wlcg', 'scitokens'] as const;
export type Profile = (typeof profiles)[number];

/** What one group, scope or subject is worth here. */
export interface Mapping {
  /** Of this issuer only; of every one when absent. */
  readonly issuer?: string;
  readonly claim: 'group' | 'scope' | 'subject';
  /** A group holds those below it, too; a scope and a subject must be the very text. */
  readonly value: string;
  readonly role?: 'operator' | 'user';
  readonly project?: string;
  readonly group?: string;
}

export interface Naming {
  readonly issuer: string;
  readonly profile: Profile;
  /** `acr` values that stand for several factors. */
  readonly strongAcr: readonly string[];
  readonly mappings: readonly Mapping[];
}

const no = (detail: string): BrokerError => new BrokerError('UNAUTHENTICATED', detail);

/** Names go into columns, logs and terminals: NUL fits into no column, and the others mean no good there. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROLS = /[\u0000-\u001f\u007f]/;
const MOST_NAMES = 64;

export const isName = (value: unknown, longest: number): value is string =>
  typeof value === 'string' && value !== '' && value.length <= longest && !CONTROLS.test(value);

const texts = (value: unknown): string[] =>
  Array.isArray(value) && value.length <= MOST_NAMES
    ? value.filter((name): name is string => isName(name, 128))
    : [];

const words = (value: unknown): string[] =>
  typeof value === 'string' ? texts(value.split(' ').filter((word) => word !== '')) : [];

/** `/cms/uscms` and `cms/uscms` are the same group. */
const groupsOf = (value: unknown): string[] =>
  texts(value)
    .map((group) => group.replace(/^\/+|\/+$/g, ''))
    .filter((group) => group !== '');

interface Said {
  readonly name: string;
  readonly roles: readonly string[];
  readonly projects: readonly string[];
  readonly groups: readonly string[];
  readonly scopes: readonly string[];
  readonly strong: boolean;
}

/** RFC 8176: several factors, or a key in hardware. */
const STRONG_METHODS = ['mfa', 'hwk'];

function sayOidc(claims: Readonly<Record<string, unknown>>, sub: string, naming: Naming): Said {
  // A profile that says what may be used must not be read by another.
  if (claims['wlcg.ver'] !== undefined || isSciToken(claims))
    throw no('this is a grid token: its issuer is not configured for them');
  const { name, roles, projects, groups, scope, acr, amr } = claims;
  return {
    name: isName(name, 128) ? name : sub,
    roles: texts(roles),
    projects: texts(projects),
    groups: groupsOf(groups),
    scopes: words(scope),
    strong: isStrong(acr, naming) || texts(amr).some((method) => STRONG_METHODS.includes(method)),
  };
}

/** WLCG 1.x: these claims must be there, and none but its own may authorise. */
function sayWlcg(claims: Readonly<Record<string, unknown>>, sub: string, naming: Naming): Said {
  const version = claims['wlcg.ver'];
  if (typeof version !== 'string' || !/^1\.\d{1,3}$/.test(version)) throw no('the token is not a WLCG token');
  for (const claim of ['nbf', 'iat', 'jti'])
    if (claims[claim] === undefined) throw no(`a WLCG token needs ${claim}`);
  return {
    name: sub,
    roles: [],
    projects: [],
    groups: groupsOf(claims['wlcg.groups']),
    scopes: words(claims['scope']),
    strong: isStrong(claims['acr'], naming),
  };
}

const isSciToken = (claims: Readonly<Record<string, unknown>>): boolean =>
  typeof claims['ver'] === 'string' && claims['ver'].startsWith('scitoken');

/** SciTokens 2.0: scopes and nothing else. */
function saySciTokens(claims: Readonly<Record<string, unknown>>, sub: string): Said {
  if (!/^scitokens?:2\.0$/.test(String(claims['ver']))) throw no('the token is not a SciToken');
  const scopes = words(claims['scope']);
  if (scopes.length === 0) throw no('a SciToken needs scope');
  return { name: sub, roles: [], projects: [], groups: [], scopes, strong: false };
}

const isStrong = (acr: unknown, { strongAcr }: Naming): boolean =>
  typeof acr === 'string' && strongAcr.includes(acr);

export function principalOf(claims: Readonly<Record<string, unknown>>, naming: Naming): Principal {
  const { sub } = claims;
  if (!isName(sub, 255)) throw no('the token names nobody');
  const say = { oidc: sayOidc, wlcg: sayWlcg, scitokens: saySciTokens }[naming.profile];
  const said = say(claims, sub, naming);
  const mapped = naming.mappings.filter(
    (m) => (m.issuer === undefined || m.issuer === naming.issuer) && holds(m, sub, said),
  );
  const given = [...said.roles, ...mapped.map((m) => m.role)];
  const groups = unique([...said.groups, ...mapped.map((m) => m.group)]);
  return {
    id: `${naming.issuer}|${sub}`,
    name: said.name,
    roles: (['operator', 'user'] as const).filter((role) => given.includes(role)),
    projects: unique([...said.projects, ...mapped.map((m) => m.project)]),
    ...(groups.length === 0 ? {} : { groups }),
    assurance: said.strong ? 2 : 1,
  };
}

function holds({ claim, value }: Mapping, sub: string, said: Said): boolean {
  if (claim === 'subject') return sub === value;
  if (claim === 'scope') return said.scopes.includes(value);
  const wanted = value.replace(/^\/+|\/+$/g, '');
  return said.groups.some((group) => group === wanted || group.startsWith(`${wanted}/`));
}

const unique = (names: readonly (string | undefined)[]): string[] => [
  ...new Set(names.filter((name) => name !== undefined)),
];
