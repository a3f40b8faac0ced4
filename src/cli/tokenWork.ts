/** What `turnpike token issue`, `attenuate` and `inspect` do. The last two ask nobody. */
import { instant, rfc3339 } from '../kernel/clock.ts';
import { systemRandom } from '../kernel/random.ts';
import { type Limits, type Stp, type TokenAction, tokenActions } from '../tokens/grant.ts';
import { thumbprint } from '../tokens/jwk.ts';
import { attenuate, newJti } from '../tokens/mint.ts';
import { TokenError } from '../tokens/refusal.ts';
import { effective } from '../tokens/verify.ts';
import { parsed, readKey, readPublic, readToken, writeSecret } from './capability.ts';
import { idOf } from './change.ts';
import type { Context } from './context.ts';
import { usage } from './io.ts';
import { type Column, dig, field, object, text } from './output.ts';
import { parseBandwidth, parseCount } from './units.ts';

export interface IssueOptions {
  readonly holderJwk?: string;
  readonly uses?: string;
  readonly out?: string;
}
export interface AttenuateOptions {
  readonly token: string;
  readonly key: string;
  readonly to: string;
  readonly action?: readonly string[];
  readonly bw?: string;
  readonly from?: string;
  readonly until?: string;
  readonly expire?: string;
  readonly aud?: readonly string[];
  readonly end?: readonly string[];
  readonly depth?: string;
  readonly budget?: readonly string[];
  readonly out?: string;
}

const issuedColumns: Column[] = [
  field('circuit_id'),
  field('jti'),
  field('kept'),
  field('uses'),
  field('expire_time'),
  field('holder_jkt'),
  ['token', (row) => row['token']],
];
export async function issue(context: Context, ref: string, options: IssueOptions): Promise<void> {
  const holder = options.holderJwk === undefined ? undefined : await readPublic(options.holderJwk);
  const uses = options.uses === undefined ? undefined : parseCount(options.uses, 'uses', 1, 1_000_000);
  const circuit = await idOf(context, ref);
  const { body } = await context.client.call('POST', '/v1/tokens', {
    body: {
      circuit_id: circuit,
      ...(holder === undefined ? {} : { holder_jwk: holder }),
      ...(uses === undefined ? {} : { uses }),
    },
  });
  const issued = object(body);
  const out = options.out;
  if (out === undefined) return context.out.one(issued, issuedColumns);
  await writeSecret(out, text(issued['token']));
  context.out.say(`the token is in ${out}`);
  const { token: _token, access_token: _same, ...rest } = issued;
  await context.out.one(rest, issuedColumns);
}

export async function passOn(context: Context, options: AttenuateOptions): Promise<void> {
  const token = await readToken(options.token);
  const link = {
    lim: await limitsOf(context, options, token),
    holder: await readPublic(options.to),
    jti: newJti(systemRandom),
    iat: Math.floor(context.now / 1000),
  };
  const key = await readKey(options.key);
  let narrower: string;
  try {
    narrower = attenuate(token, link, key);
  } catch (error) {
    throw error instanceof TokenError ? usage(error.message) : error;
  }
  if (options.out === undefined) return context.out.line(narrower);
  await writeSecret(options.out, narrower);
  context.out.say(`the token is in ${options.out}`);
}

async function limitsOf(context: Context, options: AttenuateOptions, token: string): Promise<Limits> {
  const { grant } = narrowed(token);
  const at = async (said: string): Promise<number> => Math.floor((await context.time(said)) / 1000);
  const { action, bw, from, until, expire, aud, end, depth, budget } = options;
  return {
    ...(action === undefined ? {} : { actions: action.map(actionOf) }),
    ...(bw === undefined ? {} : { mbps: parseBandwidth(bw) }),
    ...(from === undefined && until === undefined
      ? {}
      : {
          window: {
            start: from === undefined ? grant.window.start : await at(from),
            end: until === undefined ? grant.window.end : await at(until),
          },
        }),
    ...(expire === undefined ? {} : { exp: await at(expire) }),
    ...(aud === undefined ? {} : { aud }),
    ...(end === undefined ? {} : { stps: end.map(endOf) }),
    ...(budget === undefined ? {} : { bud: new Map(budget.map(budgetOf)) }),
    ...(depth === undefined ? {} : { dlg: parseCount(depth, 'depth', 0, 3) }),
  };
}

function actionOf(said: string): TokenAction {
  const found = tokenActions.find((action) => action === said);
  if (found === undefined) throw usage(`"${said}" is no action`, tokenActions.join(', '));
  return found;
}

function endOf(said: string): Stp {
  const match = /^([az])=([^@\s]+)(?:@(\d{1,4}))?$/.exec(said);
  if (match === null) throw usage(`"${said}" is no end`, 'write it as a=ams:host1 or z=ams:host2@1801');
  const [, end, port = '', vlan] = match;
  const which = end === 'a' ? 'a' : 'z';
  return vlan === undefined ? { end: which, port } : { end: which, port, vlan: Number(vlan) };
}

function budgetOf(said: string): [string, number] {
  const at = said.lastIndexOf('=');
  if (at < 1) throw usage(`"${said}" is no budget`, 'write it as https://ams.example=3600000');
  return [said.slice(0, at), parseCount(said.slice(at + 1), 'budget', 0, Number.MAX_SAFE_INTEGER)];
}

function narrowed(token: string): ReturnType<typeof effective> {
  try {
    return effective(parsed(token));
  } catch (error) {
    throw error instanceof TokenError ? usage(error.message) : error;
  }
}

export async function inspect(context: Context, file: string, check: boolean): Promise<void> {
  const token = await readToken(file);
  const columns: Column[] = [
    ['active', (row) => row['active']],
    ['issuer', (row) => row['iss']],
    ['circuit', (row) => dig(row, 'authorization_details', 0, 'circuit')],
    ['actions', (row) => dig(row, 'authorization_details', 0, 'actions')],
    ['bandwidth_mbps', (row) => dig(row, 'authorization_details', 0, 'bandwidth_mbps')],
    ['from', (row) => secondsOf(dig(row, 'authorization_details', 0, 'window', 'start'))],
    ['until', (row) => secondsOf(dig(row, 'authorization_details', 0, 'window', 'end'))],
    ['ends', (row) => dig(row, 'authorization_details', 0, 'stps')],
    ['for', (row) => row['aud']],
    ['expires', (row) => secondsOf(row['exp'])],
    ['uses', (row) => dig(row, 'use', 'max')],
    ['may be passed on', (row) => dig(row, 'authorization_details', 0, 'dlg')],
    ['holder', (row) => dig(row, 'cnf', 'jkt')],
    ['jti', (row) => row['jti']],
    ['links', (row) => row['links']],
  ];
  if (check) {
    const { body } = await context.client.call('POST', '/v1/tokens/introspect', { body: { token } });
    return context.out.one(object(body), columns);
  }
  context.out.say('as the token says; no signature was checked (--check asks the broker)');
  const { root, links } = parsed(token);
  const { grant, holder } = narrowed(token);
  await context.out.one(
    {
      iss: root.claims.iss,
      jti: root.claims.jti,
      aud: grant.aud,
      iat: root.claims.iat,
      exp: grant.exp,
      use: { max: root.claims.uses },
      authorization_details: [
        {
          circuit: grant.circuit,
          actions: grant.actions,
          stps: grant.stps,
          bandwidth_mbps: grant.mbps,
          window: grant.window,
          dlg: grant.dlg,
        },
      ],
      bud: Object.fromEntries(grant.bud),
      cnf: { jkt: thumbprint(holder) },
      links: links.map((link) => link.claims.jti),
    },
    columns,
  );
}

const secondsOf = (value: unknown): unknown =>
  typeof value === 'number' && value <= 8_640_000_000_000 ? rfc3339(instant(value * 1000)) : value;
