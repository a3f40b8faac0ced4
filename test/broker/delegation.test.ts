/**
 * A MANUAL circuit over several domains: its holder lights it with a proof of his own and a link that passes his
 * token on to the home, which shows the others that chain with proofs of now.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Presented } from '../../src/broker/tokens/tokenDesk.ts';
import { BrokerError } from '../../src/kernel/errors.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import { sha256 } from '../../src/tokens/encoding.ts';
import type { Limits, TokenAction } from '../../src/tokens/grant.ts';
import type { PublicJwk } from '../../src/tokens/jwk.ts';
import { splitToken } from '../../src/tokens/parse.ts';
import { topologyOf } from '../sim/network.ts';
import { aRequest, fixed } from '../support/builders.ts';
import { Holder } from '../support/holder.ts';
import { call, operator, user } from '../support/oneDomain.ts';
import { Several } from '../support/several.ts';

const HOME = 'd0.example';
const THERE = 'd1.example';

let world: Several;
let alice: Holder;
let id: Circuit['id'];
let token: string;

beforeEach(async () => {
  world = await Several.start([0, 1].map((i) => topologyOf(i, 2)));
  alice = new Holder(world.at(HOME).clock);
  const ends = { a: { port: 'd0:h1', vlan: 'ANY' }, z: { port: 'd1:h1', vlan: 'ANY' } } as const;
  const request = {
    ...ends,
    provision: 'MANUAL',
    schedule: fixed(50, 400),
    holderJwk: { ...alice.jwk },
  } as const;
  id = await world.book(HOME, aRequest(request));
  await world.pass(2);
  token = await issued();
});
afterEach(() => world.end());

async function issued(): Promise<string> {
  const done = await world.at(HOME).broker.tokens.issueToken(call(), id, {});
  return done.kind === 'done' ? (done.value.text ?? '') : '';
}
const home = (): PublicJwk => world.at(HOME).broker.tokens.holderKey();
/** The one link with which a holder passes a token on. */
const linkOf = (
  text: string,
  from: Holder,
  to: { readonly jwk: PublicJwk },
  lim: Limits = { actions: ['provision'] },
) => from.passes(text, to as Holder, lim).slice(splitToken(text).prefix.length, -1);

const show = (
  link: string | undefined,
  action: TokenAction = 'provision',
  by = alice,
  text = token,
  opKey = 'op-1',
) => {
  const proof = { action, opKey, aud: `https://${HOME}` };
  const presented: Presented = {
    text: by.shows(text, proof).authorization.slice(4),
    action,
    bodyHash: sha256(''),
    opKey,
    peer: 'api',
    ...(link === undefined ? {} : { link }),
  };
  const asked = call({ ...user, id: 'cct|holder' }, { capability: presented });
  const verb = action === 'reroute' ? 'reroute' : 'provision';
  return world.at(HOME).broker.act(asked, id, { type: verb });
};
const reason = async (asked: Promise<unknown>): Promise<string> => {
  const error = await asked.catch((thrown: unknown) => thrown);
  if (!(error instanceof BrokerError)) throw new Error(`not refused: ${String(error)}`);
  return `${error.details.token_reason}: ${error.message}`;
};
const stateAt = (domain: string) =>
  domain === HOME ? world.at(HOME).broker.term?.book.circuits.get(id)?.state : world.guest(domain, id)?.state;
const provisions = () => world.said.filter(({ message }) => message.op === 'provision');

describe('with a link for the home', () => {
  test('it shines everywhere, and the other domain has seen whose token it was', async () => {
    await show(linkOf(token, alice, { jwk: home() }));
    await world.pass(55);
    expect([stateAt(HOME), stateAt(THERE)]).toEqual(['ACTIVE', 'ACTIVE']);
    const { items } = await world.at(THERE).store.decisions({ sort: 'time', limit: 20 } as never);
    const lit = items.find(({ facts }) => facts['op'] === 'provision');
    expect(lit).toMatchObject({ effect: 'ALLOW', sequence: 'PUSH', token: { iss: `https://${HOME}` } });
    expect(lit?.token?.links).toHaveLength(1);
  });

  test('a domain that comes back after two minutes gets a proof of then, and lights', async () => {
    let away = true;
    world.between = (_from, _to, message, deliver) =>
      message.op === 'provision' && away ? Promise.reject(new Error('silence')) : deliver();
    await show(linkOf(token, alice, { jwk: home() }));
    await world.pass(120);
    expect(stateAt(THERE)).toBe('SCHEDULED');
    away = false;
    await world.pass(60);
    expect(stateAt(THERE)).toBe('ACTIVE');
    expect(new Set(provisions().map(({ message }) => 'token' in message && message.token)).size).toBe(
      provisions().length,
    );
    const { redemptions } = await world.at(THERE).store.tokens(world.at(THERE).clock.now());
    expect(redemptions.map(({ opKey }) => opKey).sort()).toEqual([`${id}/1/commit`, `${id}/1/provision`]);
  });

  test('what was passed on outlives a restart of the home', async () => {
    let away = true;
    world.between = (_from, _to, message, deliver) =>
      message.op === 'provision' && away ? Promise.reject(new Error('silence')) : deliver();
    await show(linkOf(token, alice, { jwk: home() }));
    await world.settle();
    await world.at(HOME).restart();
    away = false;
    await world.introduce();
    await world.pass(60);
    expect(stateAt(THERE)).toBe('ACTIVE');
  });

  test('a delegate passes on what he was given', async () => {
    const bob = new Holder(world.at(HOME).clock);
    const narrow = alice.passes(token, bob, { actions: ['provision'] });
    await show(linkOf(narrow, bob, { jwk: home() }), 'provision', bob, narrow);
    await world.pass(55);
    expect(stateAt(THERE)).toBe('ACTIVE');
  });

  test('attack 42: a holder who withdraws his token before it was heard of there is obeyed', async () => {
    world.between = (_from, _to, message, deliver) =>
      message.op === 'provision' ? Promise.reject(new Error('silence')) : deliver();
    await show(linkOf(token, alice, { jwk: home() }));
    await world.at(HOME).broker.tokens.revokeToken(call(), { text: token }, false);
    world.between = (_from, _to, _message, deliver) => deliver();
    await world.pass(60);
    expect(stateAt(THERE)).toBe('SCHEDULED');
    const up = (await world.circuit(HOME, id)).conditions.find(({ type }) => type === 'DataPlaneUp');
    expect(up).toMatchObject({ status: 'FALSE' });
    expect(up?.detail).toMatch(/d1.example gives no light: token HOLDER/);
  });
});

describe('attack 48: not without a good link', () => {
  const other = () => new Holder(world.at(HOME).clock);
  test.each<[string, () => string | undefined, RegExp]>([
    ['none', () => undefined, /^SCOPE: d1.example must see it too/],
    [
      'for another key',
      () => linkOf(token, alice, other()),
      /^HOLDER: the link is not for the key of this broker/,
    ],
    [
      'by another key',
      () => linkOf(token, alice, { jwk: home() }).replace(/[^.]+$/, 'A'.repeat(86)),
      /^HOLDER/,
    ],
    [
      'for another verb',
      () => linkOf(token, alice, { jwk: home() }, { actions: ['extend'] }),
      /^SCOPE: the link does not allow/,
    ],
    [
      'that stays at home',
      () => linkOf(token, alice, { jwk: home() }, { aud: [`https://${HOME}`] }),
      /^AUDIENCE: the link does not reach d1/,
    ],
    ['that is no link', () => 'a.b.c', /^MALFORMED/],
  ])('%s', async (_, link, why) => {
    expect(await reason(show(link()))).toMatch(why);
    await world.pass(55);
    expect([stateAt(HOME), stateAt(THERE), provisions().length]).toEqual(['SCHEDULED', 'SCHEDULED', 0]);
  });

  test('attack 36: one of another chain', async () => {
    const bob = other();
    const narrow = alice.passes(token, bob);
    expect(await reason(show(linkOf(narrow, bob, { jwk: home() })))).toMatch(/^CHAIN/);
  });
});

test('an operator who says why needs none: the home says so in a token of its own', async () => {
  const override = call(operator, { override: 'the holder has lost his key' });
  await world.at(HOME).broker.act(override, id, { type: 'provision' });
  await world.pass(55);
  expect([stateAt(HOME), stateAt(THERE)]).toEqual(['ACTIVE', 'ACTIVE']);
});

describe('a change', () => {
  const change = async (link: string | undefined, mbps: number) => {
    const opKey = `op-${mbps}`;
    const proof = alice.shows(token, { action: 'modify', opKey, aud: `https://${HOME}` });
    const text = proof.authorization.slice(4);
    const capability = { text, action: 'modify', bodyHash: sha256(''), opKey, peer: 'api' } as const;
    const asked = call(user, { capability: { ...capability, ...(link === undefined ? {} : { link }) } });
    await world.at(HOME).broker.change(asked, id, { mbps });
    await world.pass(5);
    expect(world.guest(THERE, id)?.current?.mbps).toBe(mbps);
    const said = world.said.findLast(({ message }) => message.op === 'commit')?.message;
    return said !== undefined && 'token' in said ? (said.token ?? '').split('~').length - 2 : undefined;
  };

  test('is shown with what its holder has passed on for it, as far as that goes', async () => {
    expect(await change(linkOf(token, alice, { jwk: home() }, { actions: ['modify'] }), 500)).toBe(1);
    expect(await change(linkOf(token, alice, { jwk: home() }, { actions: ['modify'] }), 2_000)).toBe(0);
  });

  test('or with the home’s own token', async () => {
    expect(await change(undefined, 500)).toBe(0);
  });
});
