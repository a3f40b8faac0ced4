/**
 * The token of a circuit over several domains, as each of them sees it: what comes with a commit, what is refused
 * and why, what a retry is and what a replay, what it costs, and that nobody is kept from giving back.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PeerAnswer, PeerMessage } from '../../src/broker/abroad/peerPorts.ts';
import { claimOf, type Opening } from '../../src/broker/abroad/peerToken.ts';
import { newP256Key, systemRandom } from '../../src/kernel/random.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import type { RootClaims } from '../../src/tokens/claims.ts';
import { mintRoot, newJti, prove } from '../../src/tokens/mint.ts';
import { parsePrefix, splitToken } from '../../src/tokens/parse.ts';
import { topologyOf } from '../sim/network.ts';
import { aRequest, fixed } from '../support/builders.ts';
import { call } from '../support/oneDomain.ts';
import { Several } from '../support/several.ts';

const HOME = 'd0.example';
const THERE = 'd1.example';
const MBIT = 1_000 * 100;

let world: Several;
let commits: { readonly to: string; readonly message: Opening }[];
/** Commits do not arrive while this is set: the test has them instead. */
let silent: boolean;
let id: Circuit['id'];

async function begin(): Promise<void> {
  world = await Several.start([0, 1, 2].map((i) => topologyOf(i, 3)));
  commits = [];
  silent = true;
  world.between = (from, to, message, deliver) => {
    if (message.op !== 'commit' || from !== HOME) return deliver();
    commits.push({ to, message });
    return silent ? Promise.reject(new Error('silence')) : deliver();
  };
  id = await world.book(HOME, across());
  await world.settle();
}
const anew = (): void => {
  beforeEach(begin);
  afterEach(() => world.end());
};

const across = (over = {}) =>
  aRequest({
    a: { port: 'd0:h1', vlan: 'ANY' },
    z: { port: 'd1:h1', vlan: [[4, 4]] },
    mbps: 1_000,
    schedule: fixed(100, 200),
    constraints: { exclude_domains: ['d2.example'] },
    ...over,
  });

const commit = () => commits[0]?.message as Extract<PeerMessage, { op: 'commit' }>;
const send = (message: PeerMessage, from = HOME, to = THERE): Promise<PeerAnswer> =>
  world.at(to).broker.peer(from, JSON.parse(JSON.stringify(message)) as PeerMessage);
const bookOf = (domain = THERE) => {
  const { term } = world.at(domain).broker;
  if (term?.tokens === undefined) throw new Error('not in office');
  return { tokens: term.book.tokens, desk: term.tokens };
};
const redemptions = async () => {
  const { redemptions: all } = await world.at(THERE).store.tokens(world.at(THERE).clock.now());
  return all;
};
const seconds = () => Math.floor(world.at(HOME).clock.now() / 1000);
const rootOf = (token = commit().token ?? ''): RootClaims =>
  parsePrefix(splitToken(token).prefix).root.claims;

/** The same message with a token that the home's issuer makes otherwise, and a proof that fits it. */
function minted(
  over: (root: RootClaims) => Partial<RootClaims>,
  proof: Partial<Parameters<typeof prove>[1]> = {},
  keys = bookOf(HOME).desk.ring,
): Opening {
  const message = commit();
  const root = rootOf();
  const claims = { ...root, jti: newJti(systemRandom), ...over(root) };
  const text = mintRoot(claims, keys.signer());
  return { ...message, token: proven(text, message, proof) };
}
function proven(text: string, message: Opening, proof = {}, key = bookOf(HOME).desk.ring.secret): string {
  const said = { aud: `https://${THERE}`, jti: newJti(systemRandom), iat: seconds(), ...claimOf(message) };
  return prove(splitToken(text).prefix, { ...said, ...proof }, key);
}
const narrowed = (over: Partial<RootClaims['grant']>) =>
  minted(({ grant }) => ({ grant: { ...grant, ...over } }));

describe('what comes with a commit', () => {
  anew();
  test('is a token for all domains of the circuit, each with its share, held by the home', () => {
    const root = rootOf();
    expect([root.iss, root.grant.circuit, root.grant.mbps]).toEqual([`https://${HOME}`, id, 1_000]);
    expect(root.grant.aud).toEqual([`https://${HOME}`, `https://${THERE}`]);
    expect([...root.grant.bud]).toEqual(root.grant.aud.map((domain) => [domain, MBIT]));
    expect(root.holder).toEqual(bookOf(HOME).desk.ring.ownHolder);
  });

  test('is checked there offline, and written down with the decision', async () => {
    expect(await send(commit())).toMatchObject({ state: 'COMMITTED' });
    const { jti, iss } = rootOf();
    const { items } = await world.at(THERE).store.decisions({ sort: 'time', limit: 10 } as never);
    const taken = items.find(({ token }) => token !== undefined);
    expect(taken).toMatchObject({ effect: 'ALLOW', sequence: 'PUSH', token: { iss, jti, links: [] } });
    const ops = (await world.at(THERE).store.auditRows(0, 100)).map((row) => JSON.parse(row.text ?? '{}').op);
    expect(ops.filter((op) => op === 'token.redeem')).toHaveLength(1);
    expect(await redemptions()).toMatchObject([{ opKey: `${id}/1/commit`, mbit: MBIT, uses: 1 }]);
  });

  test('lets the circuit shine, and end', async () => {
    silent = false;
    await world.pass(110);
    expect((await world.circuit(HOME, id)).state).toBe('ACTIVE');
    await world.pass(100);
    expect((await world.circuit(HOME, id)).state).toBe('ENDED');
  });
});

/** What is shown, and what is said to it. */
const refused: readonly [string, () => Opening, string][] = [
  ['attack 48: none at all', () => ({ ...commit(), token: undefined }) as unknown as Opening, 'HOLDER'],
  [
    'attack 24: a proof by another key',
    () => ({ ...commit(), token: proven(commit().token ?? '', commit(), {}, newP256Key()) }),
    'HOLDER',
  ],
  ['attack 24: no proof', () => ({ ...commit(), token: splitToken(commit().token ?? '').prefix }), 'HOLDER'],
  [
    'attack 25: a proof for another domain',
    () => minted(() => ({}), { aud: 'https://d2.example' }),
    'AUDIENCE',
  ],
  ['attack 26: a proof over another body', () => minted(() => ({}), { body: '{}' }), 'REQUEST'],
  ['attack 26: a proof for another verb', () => minted(() => ({}), { action: 'provision' }), 'REQUEST'],
  [
    'attack 26: a proof for another version',
    () => minted(() => ({}), { opKey: `${id}/2/commit` }),
    'REQUEST',
  ],
  ['attack 27: a proof of a minute ago', () => minted(() => ({}), { iat: seconds() - 61 }), 'PROOF_STALE'],
  ['attack 27: a proof from the future', () => minted(() => ({}), { iat: seconds() + 60 }), 'PROOF_STALE'],
  ['attack 40: for another circuit', () => narrowed({ circuit: 'cir_00000000000000000000000000' }), 'SCOPE'],
  [
    'attack 40: for another port',
    () =>
      narrowed({
        stps: [
          { end: 'a', port: 'd1:to-d0' },
          { end: 'z', port: 'd1:h2' },
        ],
      }),
    'SCOPE',
  ],
  [
    'attack 40: for another label',
    () =>
      narrowed({
        stps: [
          { end: 'a', port: 'd1:to-d0' },
          { end: 'z', port: 'd1:h1', vlan: 5 },
        ],
      }),
    'SCOPE',
  ],
  [
    'attack 40: for the other direction',
    () =>
      narrowed({
        stps: [
          { end: 'z', port: 'd1:to-d0' },
          { end: 'a', port: 'd1:h1' },
        ],
      }),
    'SCOPE',
  ],
  ['attack 31: for less bandwidth', () => narrowed({ mbps: 999 }), 'SCOPE'],
  [
    'attack 46: for a shorter window',
    () =>
      minted(({ grant }) => ({
        grant: { ...grant, window: { ...grant.window, end: grant.window.end - 1 } },
      })),
    'SCOPE',
  ],
  ['attack 47: for another verb', () => narrowed({ actions: ['provision', 'release', 'query'] }), 'SCOPE'],
  [
    'attack 41: with a smaller share for this domain',
    () => narrowed({ bud: new Map([[`https://${THERE}`, MBIT - 1]]) }),
    'BUDGET',
  ],
  [
    'attack 41: with a share for others only',
    () => narrowed({ bud: new Map([[`https://${HOME}`, MBIT]]) }),
    'BUDGET',
  ],
  [
    'attack 16: for other domains',
    () => narrowed({ aud: [`https://${HOME}`, 'https://d2.example'] }),
    'AUDIENCE',
  ],
  [
    'attack 11: past its end',
    () =>
      minted(({ grant }) => ({
        iat: seconds() - 100,
        nbf: seconds() - 100,
        grant: { ...grant, exp: seconds() },
      })),
    'EXPIRED',
  ],
  ['attack 12: before its beginning', () => minted(() => ({ nbf: seconds() + 60 })), 'NOT_YET_VALID'],
  [
    'attack 15: with too long a life',
    () => minted(({ grant }) => ({ grant: { ...grant, exp: seconds() + 12 * 366 * 86_400 } })),
    'LIFETIME',
  ],
  [
    'attack 10: of an issuer that nobody knows',
    () => minted(() => ({ iss: 'https://d9.example' })),
    'ISSUER',
  ],
  ['attack 3: by another issuer’s key', () => minted(() => ({}), {}, bookOf('d2.example').desk.ring), 'KEY'],
  [
    'attack 53: of another domain’s issuer, for a circuit of this home',
    () => minted(() => ({ iss: 'https://d2.example' }), {}, bookOf('d2.example').desk.ring),
    'ISSUER',
  ],
  ['attack 18: ten thousand parts', () => ({ ...commit(), token: '~'.repeat(10_000) }), 'TOO_LARGE'],
  [
    'attack 9: a proof where the root belongs',
    () => ({ ...commit(), token: `${(commit().token ?? '').split('~')[1]}~` }),
    'HEADER',
  ],
];

describe('a commit with a token that is not good', () => {
  beforeAll(begin);
  afterAll(() => world.end());

  test.each(refused)('%s: refused, with its cause, and nothing is taken', async (_, message, reason) => {
    const answer = await send(message());
    expect(answer).toMatchObject({ state: 'REFUSED', kind: 'TOKEN' });
    expect(answer.state === 'REFUSED' && answer.cause).toMatch(new RegExp(`^token ${reason}: `));
    expect(world.guest(THERE, id)?.state).toBe('HELD');
    expect(await redemptions()).toEqual([]);
    const log = (await world.at(THERE).store.auditRows(0, 1_000)).map((row) => JSON.parse(row.text ?? '{}'));
    const here = world.guest(THERE, id)?.id;
    expect(log.at(-1)).toMatchObject({ decision: 'DENY', circuit: here, reasons: [`token:${reason}`] });
  });

  test('and after all of them the right one is as good as before', async () => {
    expect(await send(commit())).toMatchObject({ state: 'COMMITTED' });
  });
});

describe('what the home hears', () => {
  anew();
  test('attack 48: it is told why, and so is its client', async () => {
    await world.pass(40);
    silent = false;
    world.between = (_from, _to, message, deliver) => {
      if (message.op === 'commit') delete (message as { token?: string }).token;
      return deliver();
    };
    const other = await world.book(
      HOME,
      across({ a: { port: 'd0:h2', vlan: 'ANY' }, schedule: fixed(300, 400) }),
    );
    await world.pass(3);
    const circuit = await world.circuit(HOME, other);
    expect(circuit.state).toBe('REJECTED');
    expect(circuit.problem?.detail).toBe(`${THERE}: token HOLDER: commit needs the token of the circuit`);
  });
});

describe('a retry and a replay', () => {
  anew();
  const once = async () => {
    expect(await send(commit())).toMatchObject({ state: 'COMMITTED' });
    return commit();
  };
  const counted = async () => {
    expect(await redemptions()).toHaveLength(1);
    const { counters } = bookOf().desk.chain(commit().token ?? '', world.at(THERE).clock.now());
    expect(bookOf().tokens.redemptions.spent(counters[0]?.id ?? '', `https://${THERE}`)).toBe(MBIT);
  };

  test('attack 28: the same message of the same peer gets the present state, however often and late', async () => {
    await once();
    expect(await send(commit())).toMatchObject({ state: 'COMMITTED' });
    await Promise.all([send(commit()), send(commit())]);
    await counted();
  });

  test('attack 28: also after a restart', async () => {
    await once();
    await world.at(THERE).restart();
    expect(await send(commit())).toMatchObject({ state: 'COMMITTED' });
    await counted();
  });

  test('a new proof over the old operation is a retry: one effect, one charge', async () => {
    await once();
    const again = { ...commit(), token: proven(commit().token ?? '', commit()) };
    expect(await send(again)).toMatchObject({ state: 'COMMITTED' });
    await counted();
  });

  test('attack 28: the same proof brought by another peer is a replay', async () => {
    await once();
    const answer = await send(commit(), 'd2.example');
    expect(answer).toMatchObject({ state: 'REFUSED', kind: 'TOKEN' });
    expect(answer.state === 'REFUSED' && answer.cause).toMatch(/^token REPLAY: /);
    expect(world.guest(THERE, id)?.home?.domain).toBe(HOME);
    await counted();
  });

  test('attack 24: and one that was caught on its way is of another home', async () => {
    const answer = await send(commit(), 'd2.example');
    expect(answer.state === 'REFUSED' && answer.cause).toMatch(/^token ISSUER: d2.example is not the home/);
    await once();
  });

  test('the same operation with other contents is none', async () => {
    await once();
    const segment = { ...commit().segment, mbps: 999 };
    const other = { ...commit(), segment };
    const answer = await send({ ...other, token: proven(commit().token ?? '', other) });
    expect(answer.state).not.toBe('COMMITTED');
    await counted();
  });

  test('attack 29: a token with one use opens one operation', async () => {
    const single = minted(() => ({ uses: 1 }));
    expect(await send(single)).toMatchObject({ state: 'COMMITTED' });
    expect(await send({ ...single, token: proven(single.token ?? '', single) })).toMatchObject({
      state: 'COMMITTED',
    });
    const light: Opening = { op: 'provision', circuit: id, version: 1, epoch: 1, floor: 0 };
    const answer = await send({ ...light, token: proven(single.token ?? '', light) });
    expect(answer.state === 'REFUSED' && answer.cause).toMatch(/^token SPENT: /);
  });
});

describe('withdrawn and unknown', () => {
  anew();
  const revoke = async () => {
    const { jti, grant } = rootOf();
    await world.at(THERE).broker.hearWithdrawn(HOME, [{ iss: `https://${HOME}`, jti, exp: grant.exp }]);
  };
  const cause = async (message: PeerMessage = commit()) => {
    const answer = await send(message);
    return answer.state === 'REFUSED' ? answer.cause : answer.state;
  };

  test('attacks 42, 44: a withdrawn root opens nothing, also one that was verified before', async () => {
    expect(await cause()).toBe('COMMITTED');
    await revoke();
    expect(await cause()).toMatch(/^token REVOKED: /);
    expect(world.guest(THERE, id)?.state).toBe('SCHEDULED');
  });

  test('attack 45: without a fresh word of the issuer nothing new is opened, and it is asked', async () => {
    world.status = 'STALE';
    expect(await cause()).toMatch(/^token STATUS_UNKNOWN: /);
    expect(world.refreshed).toBe(1);
    world.status = 'VALID';
    expect(await cause()).toBe('COMMITTED');
    world.status = 'REVOKED';
    expect(await cause()).toMatch(/^token REVOKED: /);
  });

  test('attack 56: a key that the issuer tells no more opens nothing', async () => {
    const { kid } = bookOf(HOME).desk.ring.signer();
    await world.at(HOME).broker.tokens.changeTokenKeys(call({ ...call().principal, roles: ['operator'] }), {
      compromised: kid,
    });
    expect(await cause()).toMatch(/^token KEY: /);
  });

  test.each<[string, () => PeerMessage]>([
    ['abort', () => ({ op: 'abort', circuit: id, version: 1, epoch: 1, floor: 0 })],
    ['free', () => ({ op: 'free', circuit: id, version: 1, active: 2, epoch: 1, floor: 0 })],
    ['release', () => ({ op: 'release', circuit: id, reason: 'done', epoch: 1, floor: 0 })],
    ['cancel', () => ({ op: 'cancel', circuit: id, epoch: 1, floor: 1 })],
  ])('%s needs none: whatever became of the token', async (_, message) => {
    expect(await cause()).toBe('COMMITTED');
    await revoke();
    world.status = 'STALE';
    expect((await send(message())).state).toBe('CLOSED');
  });
});

describe('what the home mints', () => {
  anew();
  const tokens = () => [...bookOf(HOME).tokens.tokensOf(id, `https://${HOME}`)];
  const settled = async () => {
    silent = false;
    await world.pass(15);
    expect((await world.circuit(HOME, id)).state).toBe('SCHEDULED');
  };
  const change = async (wish: object) => {
    await world.at(HOME).broker.change(call(), id, wish);
    await world.pass(5);
  };

  test('covers a change that takes more, and the one before is withdrawn', async () => {
    await settled();
    const [before] = tokens();
    await change({ mbps: 2_000 });
    expect((await world.circuit(HOME, id)).current?.mbps).toBe(2_000);
    expect(tokens().map(({ jti }) => jti)).not.toContain(before?.jti);
    expect(tokens()).toHaveLength(1);
    expect(commits.at(-1)?.message).toMatchObject({ op: 'commit', kind: 'MODIFY' });
    // With another root the whole is paid for anew, and with the same one what was added.
    expect((await redemptions()).map(({ mbit }) => mbit)).toEqual([MBIT, 2 * MBIT]);
  });

  test('is not minted anew for a change that takes less, which costs nothing', async () => {
    await settled();
    const before = tokens();
    await change({ mbps: 500 });
    expect((await world.circuit(HOME, id)).current?.mbps).toBe(500);
    expect(tokens()).toEqual(before);
    expect((await redemptions()).map(({ mbit }) => mbit)).toEqual([MBIT, 0]);
  });

  test('is for other domains when others take part', async () => {
    await settled();
    const [before] = tokens();
    const other = await world.book(
      HOME,
      across({
        a: { port: 'd0:h3', vlan: 'ANY' },
        z: { port: 'd1:h3', vlan: 'ANY' },
        constraints: { include_domains: ['d2.example'] },
      }),
    );
    await world.pass(3);
    const [round] = [...bookOf(HOME).tokens.tokensOf(other, `https://${HOME}`)];
    expect(round?.aud).toEqual([HOME, THERE, 'd2.example'].map((one) => `https://${one}`));
    expect(before?.aud).toEqual([HOME, THERE].map((one) => `https://${one}`));
  });
});
