/**
 * The three kinds of claims set, read through closed schemas: every member is named here, is required or
 * known to be optional, and has a range; anything else is refused. Writing is the mirror of reading and
 * lives beside it, so that the two cannot drift apart.
 */
import { parsePort } from '../model/port.ts';
import { membersOf } from './encoding.ts';
import { type Grant, type Limits, type Span, type Stp, type TokenAction, tokenActions } from './grant.ts';
import { type PublicJwk, publicJwk } from './jwk.ts';
import { TokenError } from './refusal.ts';

export const RIGHTS_TYPE = 'urn:turnpike:circuit:1';
/** Links that may follow a root. */
export const MAX_LINKS = 3;
/** As many domains as a path may have; what fits in 8 KiB is less where names are long. */
const MAX_AUDIENCES = 32;
/** Both ends in each. */
const MAX_STPS = 2 * MAX_AUDIENCES;

export interface StatusRef {
  readonly uri: string;
  readonly idx: number;
}

export interface RootClaims {
  readonly iss: string;
  readonly sub: string;
  readonly clientId: string;
  readonly iat: number;
  readonly nbf: number;
  readonly jti: string;
  /** Ties together the tokens and records of one transaction. */
  readonly txn: string;
  readonly grant: Grant;
  /** How often it may be redeemed. */
  readonly uses: number;
  readonly holder: PublicJwk;
  readonly status: StatusRef;
}

export interface LinkClaims {
  readonly prh: string;
  readonly lim: Limits;
  readonly holder: PublicJwk;
  readonly jti: string;
  readonly iat: number;
}

export interface ProofClaims {
  readonly prh: string;
  readonly aud: string;
  readonly action: TokenAction;
  /** SHA-256 of the request's body, of no bytes when there is none. */
  readonly bodyHash: string;
  readonly opKey: string;
  readonly jti: string;
  readonly iat: number;
}

type Members = ReadonlyMap<string, unknown>;

/** Printable ASCII without white space: names are compared byte by byte and shown to people. */
const NAME = /^[!-~]{1,256}$/;
const URL_FORM = /^https?:\/\/[!-~]{1,240}$/;
const HASH = /^[A-Za-z0-9_-]{43}$/;
/** 128 random bits. */
const JTI = /^[A-Za-z0-9_-]{22}$/;
const CIRCUIT = /^cir_[0-9a-hjkmnp-tv-z]{26}$/;
const OP_KEY = /^[!-~]{1,128}$/;

const refuse = (detail: string): never => {
  throw new TokenError('CLAIMS', detail);
};

function only(members: Members, required: readonly string[], optional: readonly string[] = []): void {
  for (const name of required) if (!members.has(name)) refuse(`${name} is missing`);
  for (const name of members.keys()) {
    // The name is somebody else's text: it is not repeated.
    if (!required.includes(name) && !optional.includes(name)) refuse('a member that nobody knows');
  }
}

function text(members: Members, name: string, form: RegExp): string {
  const value = members.get(name);
  if (typeof value !== 'string' || !form.test(value))
    throw new TokenError('CLAIMS', `${name} is not well formed`);
  return value;
}

/** 1e400 reads as Infinity and 2^60 loses digits: neither is a safe integer. */
function whole(members: Members, name: string, least: number): number {
  const value = members.get(name);
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least)
    throw new TokenError('CLAIMS', `${name} is not a whole number of at least ${least}`);
  return value;
}

function list<T>(members: Members, name: string, most: number, read: (item: unknown) => T): readonly T[] {
  const value: unknown = members.get(name);
  if (!Array.isArray(value) || value.length === 0 || value.length > most)
    throw new TokenError('CLAIMS', `${name} is not a list of 1 to ${most}`);
  return value.map((item: unknown) => read(item));
}

const audience = (item: unknown): string =>
  typeof item === 'string' && URL_FORM.test(item) ? item : refuse('aud has an item that is not an URL');

const action = (item: unknown): TokenAction =>
  tokenActions.find((known) => known === item) ?? refuse('actions has one that nobody knows');

function stp(item: unknown): Stp {
  const members = membersOf(item, 'an end point');
  only(members, ['end', 'port'], ['vlan']);
  const [end, port] = [members.get('end'), members.get('port')];
  if (end !== 'a' && end !== 'z') return refuse('an end is not a or z');
  if (typeof port !== 'string' || parsePort(port) === undefined) return refuse('a port is not well formed');
  return members.has('vlan') ? { end, port, vlan: whole(members, 'vlan', 1) } : { end, port };
}

function span(value: unknown): Span {
  const members = membersOf(value, 'window');
  only(members, ['start', 'end']);
  const [start, end] = [whole(members, 'start', 0), whole(members, 'end', 1)];
  return end > start ? { start, end } : refuse('the window ends before it starts');
}

function budget(value: unknown): ReadonlyMap<string, number> {
  const members = membersOf(value, 'bud');
  if (members.size > MAX_AUDIENCES) refuse('bud names too many domains');
  return new Map([...members.keys()].map((domain) => [audience(domain), whole(members, domain, 0)]));
}

function holder(value: unknown): PublicJwk {
  const members = membersOf(value, 'cnf');
  only(members, ['jwk']);
  const jwk = membersOf(members.get('jwk'), 'cnf.jwk');
  only(jwk, ['kty', 'crv', 'x', 'y']);
  return publicJwk(members.get('jwk'));
}

export function readRoot(m: Members): RootClaims {
  only(m, [
    ...['iss', 'sub', 'client_id', 'aud', 'iat', 'nbf', 'exp', 'jti', 'txn'],
    ...['authorization_details', 'bud', 'use', 'cnf', 'status'],
  ]);
  const details = list(m, 'authorization_details', 1, (item) => membersOf(item, 'authorization_details'));
  const rights = details[0] ?? new Map<string, unknown>();
  only(rights, ['type', 'actions', 'circuit', 'stps', 'bandwidth_mbps', 'window', 'dlg']);
  if (rights.get('type') !== RIGHTS_TYPE) refuse('authorization_details are of another type');
  const use = membersOf(m.get('use'), 'use');
  only(use, ['max']);
  const status = membersOf(m.get('status'), 'status');
  only(status, ['status_list']);
  const at = membersOf(status.get('status_list'), 'status_list');
  only(at, ['idx', 'uri']);
  const dlg = whole(rights, 'dlg', 0);
  if (dlg > MAX_LINKS) throw new TokenError('DEPTH', `dlg is above ${MAX_LINKS}`);
  return {
    iss: text(m, 'iss', NAME),
    sub: text(m, 'sub', NAME),
    clientId: text(m, 'client_id', NAME),
    iat: whole(m, 'iat', 0),
    nbf: whole(m, 'nbf', 0),
    jti: text(m, 'jti', JTI),
    txn: text(m, 'txn', NAME),
    grant: {
      aud: list(m, 'aud', MAX_AUDIENCES, audience),
      exp: whole(m, 'exp', 1),
      actions: list(rights, 'actions', tokenActions.length, action),
      circuit: text(rights, 'circuit', CIRCUIT),
      stps: list(rights, 'stps', MAX_STPS, stp),
      mbps: whole(rights, 'bandwidth_mbps', 1),
      window: span(rights.get('window')),
      dlg,
      bud: budget(m.get('bud')),
    },
    uses: whole(use, 'max', 1),
    holder: holder(m.get('cnf')),
    status: { idx: whole(at, 'idx', 0), uri: text(at, 'uri', URL_FORM) },
  };
}

export const writeRoot = (c: RootClaims): object => ({
  iss: c.iss,
  sub: c.sub,
  client_id: c.clientId,
  aud: c.grant.aud,
  iat: c.iat,
  nbf: c.nbf,
  exp: c.grant.exp,
  jti: c.jti,
  txn: c.txn,
  authorization_details: [
    {
      type: RIGHTS_TYPE,
      actions: c.grant.actions,
      circuit: c.grant.circuit,
      stps: c.grant.stps,
      bandwidth_mbps: c.grant.mbps,
      window: c.grant.window,
      dlg: c.grant.dlg,
    },
  ],
  bud: Object.fromEntries(c.grant.bud),
  use: { max: c.uses },
  cnf: { jwk: c.holder },
  status: { status_list: c.status },
});

/** One reader for each key a link may narrow: a key without one is refused. */
export function readLimits(value: unknown): Limits {
  const m = membersOf(value, 'lim');
  only(m, [], ['actions', 'bandwidth_mbps', 'window', 'aud', 'stps', 'exp', 'dlg', 'bud']);
  return {
    ...(m.has('actions') ? { actions: list(m, 'actions', tokenActions.length, action) } : {}),
    ...(m.has('bandwidth_mbps') ? { mbps: whole(m, 'bandwidth_mbps', 1) } : {}),
    ...(m.has('window') ? { window: span(m.get('window')) } : {}),
    ...(m.has('aud') ? { aud: list(m, 'aud', MAX_AUDIENCES, audience) } : {}),
    ...(m.has('stps') ? { stps: list(m, 'stps', MAX_STPS, stp) } : {}),
    ...(m.has('exp') ? { exp: whole(m, 'exp', 1) } : {}),
    ...(m.has('dlg') ? { dlg: whole(m, 'dlg', 0) } : {}),
    ...(m.has('bud') ? { bud: budget(m.get('bud')) } : {}),
  };
}

/** Members in a fixed order; `undefined` ones are left out when it becomes JSON. */
const writeLimits = ({ mbps, bud, ...same }: Limits): object => ({
  ...same,
  bandwidth_mbps: mbps,
  bud: bud === undefined ? undefined : Object.fromEntries(bud),
});

export function readLink(m: Members): LinkClaims {
  only(m, ['prh', 'lim', 'cnf', 'jti', 'iat']);
  return {
    prh: text(m, 'prh', HASH),
    lim: readLimits(m.get('lim')),
    holder: holder(m.get('cnf')),
    jti: text(m, 'jti', JTI),
    iat: whole(m, 'iat', 0),
  };
}

export const writeLink = (c: LinkClaims): object => ({
  prh: c.prh,
  lim: writeLimits(c.lim),
  cnf: { jwk: c.holder },
  jti: c.jti,
  iat: c.iat,
});

export function readProof(m: Members): ProofClaims {
  only(m, ['prh', 'aud', 'action', 'body_hash', 'op_key', 'jti', 'iat']);
  return {
    prh: text(m, 'prh', HASH),
    aud: text(m, 'aud', URL_FORM),
    action: action(m.get('action')),
    bodyHash: text(m, 'body_hash', HASH),
    opKey: text(m, 'op_key', OP_KEY),
    jti: text(m, 'jti', JTI),
    iat: whole(m, 'iat', 0),
  };
}

export const writeProof = (c: ProofClaims): object => ({
  prh: c.prh,
  aud: c.aud,
  action: c.action,
  body_hash: c.bodyHash,
  op_key: c.opKey,
  jti: c.jti,
  iat: c.iat,
});
