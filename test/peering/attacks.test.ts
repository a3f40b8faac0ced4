/**
 * What a peer must not get away with, tried over real TLS: certificates that are not the pinned ones, messages
 * that are not what was signed, replays, traces that cannot be, and verbs that are not the sender's to use.
 */
import { createPrivateKey } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PeerMessage } from '../../src/broker/abroad/peerPorts.ts';
import { instant, wallClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { makeCertificate, makePeerFiles, type PeerFiles } from '../../src/lab/certificates.ts';
import { type Answered, type Identity, NoAnswer, PeerClient } from '../../src/peering/client.ts';
import { Peer } from '../../src/peering/peer.ts';
import { REVOCATIONS_PATH } from '../../src/peering/revocations.ts';
import { MESSAGES_PATH } from '../../src/peering/routes.ts';
import { type RequestSeal, signerOf } from '../../src/peering/seal.ts';
import { writeMessage } from '../../src/peering/wire.ts';
import { filesOf, identityOf, settingsOf, Town, until } from './town.ts';

const US = 'd0.example';
const PEER = 'd1.example';

let town: Town;
beforeAll(async () => {
  town = await Town.open({ domains: 3 });
});
afterAll(() => town.end());

const clock = wallClock();
const ports = { clock, random: systemRandom, log: silentLog, perSecond: 1_000 };
const clients: PeerClient[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

const query: PeerMessage = { op: 'query', circuit: 'cir_nothing', epoch: 1_000, floor: 0 };

interface Way {
  readonly as?: Identity;
  readonly message?: PeerMessage;
  readonly trace?: readonly string[];
  readonly session?: string;
  readonly path?: string;
  readonly forge?: (seal: RequestSeal) => RequestSeal;
}

/** One message to d0, as whoever wants to be d1 would send it. */
async function speak(way: Way = {}): Promise<Answered> {
  const us = town.house(0);
  const client = new PeerClient(way.as ?? identityOf(PEER), {
    ...ports,
    ...(way.forge && { forge: way.forge }),
  });
  clients.push(client);
  return client.call(new Peer(settingsOf(US, us.url), ports), {
    path: way.path ?? MESSAGES_PATH,
    body: {
      message: writeMessage(way.message ?? query),
      trace: way.trace ?? [(way.as ?? { domain: PEER }).domain],
    },
    timeoutMs: 5_000,
    session: way.session ?? us.peering.session,
  });
}
const refusal = async (way: Way): Promise<string> => {
  const { status, body } = await speak(way);
  return `${status} ${String(body['code'])}: ${String(body['detail'])}`;
};

test('in good order it is answered', async () => {
  expect(await speak()).toMatchObject({ status: 200, body: { state: 'UNKNOWN' } });
});

describe('attack 49: a certificate that is not the pinned one', () => {
  const files = filesOf(PEER);
  const dressed = (certificate: Pick<PeerFiles, 'certificate' | 'key'>): Identity => ({
    ...identityOf(PEER),
    ...certificate,
  });
  const from = instant(clock.now() - 10 * 86_400_000);

  test.each<[string, () => Identity]>([
    [
      'another self-signed one with the same names',
      () => dressed(makeCertificate({ domain: PEER, from: clock.now(), days: 9 }, systemRandom)),
    ],
    [
      'the right common name, another alternative name',
      () =>
        dressed(
          makeCertificate(
            { domain: 'd9.example', commonName: PEER, from: clock.now(), days: 9 },
            systemRandom,
          ),
        ),
    ],
  ])('%s', async (_, identity) => {
    await expect(speak({ as: identity() })).rejects.toThrow(/401.*not pinned/);
  });

  test.each<[string, number, RegExp]>([
    ['expired', 1, /has expired/],
    ['not valid yet', -60, /not valid yet/],
  ])(
    'pinned, but %s',
    async (_, days, why) => {
      const begins = days < 0 ? instant(clock.now() + 86_400_000) : from;
      const made = makeCertificate({ domain: PEER, from: begins, days: Math.abs(days) }, systemRandom);
      const old = { ...files, ...made };
      const other = await Town.open({ files: (i) => (i === 1 ? old : filesOf(`d${i}.example`)) });
      try {
        const circuit = await other.book();
        expect(circuit.state).not.toBe('SCHEDULED');
        const [view] = other.house(0).peering.office().peers();
        expect(view?.state).not.toBe('CONNECTED');
        expect(view?.lastError?.text).toMatch(why);
      } finally {
        await other.end();
      }
    },
    60_000,
  );

  test('of a server: the client hangs up', async () => {
    const us = town.house(0);
    const client = new PeerClient(identityOf(PEER), ports);
    clients.push(client);
    // d0 answers where d2 is expected.
    const wrong = new Peer(settingsOf('d2.example', us.url), ports);
    await expect(
      client.call(wrong, { path: MESSAGES_PATH, body: {}, timeoutMs: 5_000, session: 'x' }),
    ).rejects.toThrow(/is not d2\.example: its certificate is not pinned/);
  });
});

test('attack 50: the certificate of one peer, the name of another in the message', async () => {
  const d2 = identityOf('d2.example');
  const pretender: Identity = { ...d2, domain: PEER };
  await expect(speak({ as: pretender })).rejects.toThrow(/401|not to|something else|not believed|another/);
  // Signed with the key of the one whose name it bears, sent over the connection of the other.
  const stolen: Identity = { ...identityOf(PEER), key: d2.key, certificate: d2.certificate };
  await expect(speak({ as: stolen })).rejects.toThrow(/not pinned|another/);
});

test('attack 51: what a pinned leaf has signed is not pinned', async () => {
  const leaf = filesOf(PEER);
  const child = makeCertificate(
    { domain: PEER, from: clock.now(), days: 9, issuer: { domain: PEER, key: leaf.key } },
    systemRandom,
  );
  await expect(speak({ as: { ...identityOf(PEER), ...child } })).rejects.toThrow(/401.*not pinned/);
});

test('attack 56: a signing key that was retired is not believed any more', async () => {
  const { signingKey } = makePeerFiles({ domain: PEER, from: clock.now(), days: 9 }, systemRandom);
  const retired: Identity = { ...identityOf(PEER), signer: signerOf(createPrivateKey(signingKey)) };
  await expect(speak({ as: retired })).rejects.toThrow(/401.*not pinned/);
});

describe('attack 57: a trace that cannot be', () => {
  test.each<[string, readonly string[], string]>([
    ['forged: not its sender last', ['d2.example'], 'does not end with its sender'],
    ['looped: through us', ['d0.example', PEER], 'goes round in a circle'],
    ['looped: twice through one', ['d2.example', 'd3.example', 'd2.example', PEER], 'goes round in a circle'],
    ['longer than 32 hops', [...Array.from({ length: 32 }, (_, i) => `x${i}.example`), PEER], '/trace'],
    ['empty', [], '/trace'],
  ])('%s', async (_, trace, why) => {
    const said = await refusal({ trace });
    expect(said).toContain('400 INVALID_REQUEST');
    expect(said).toContain(why);
  });
});

describe('attack 83: a message from before', () => {
  test('the same again is refused', async () => {
    let first: RequestSeal | undefined;
    const forge = (seal: RequestSeal): RequestSeal => {
      first ??= seal;
      return { ...seal, jti: first.jti, iat: first.iat };
    };
    expect((await speak({ forge })).status).toBe(200);
    await expect(speak({ forge })).resolves.toMatchObject({
      status: 409,
      body: { code: 'MESSAGE_REPLAYED' },
    });
  });

  test('of an older session is refused, also right after a restart', async () => {
    const { session } = town.house(0).peering;
    await town.restart(0);
    expect(await refusal({ session })).toContain('409 STALE_SESSION');
    expect((await speak()).status).toBe(200);
  });

  test('signed longer ago than clocks may differ is refused', async () => {
    for (const offset of [-31_000, 31_000]) {
      const forge = (seal: RequestSeal): RequestSeal => ({ ...seal, iat: instant(seal.iat + offset) });
      expect(await refusal({ forge })).toContain('403 CLOCK_SKEW');
    }
  });

  test('of an older term of office is refused', async () => {
    expect((await speak({ message: { ...query, epoch: 2_000 } })).status).toBe(200);
    expect(await refusal({ message: { ...query, epoch: 1_999 } })).toContain('409 STALE_EPOCH');
  });
});

describe('what is not what was signed', () => {
  test.each<[string, (seal: RequestSeal) => RequestSeal]>([
    ['another body', (seal) => ({ ...seal, digest: 'x' })],
    ['another path', (seal) => ({ ...seal, path: '/peer/v1/hello' })],
    ['for another domain', (seal) => ({ ...seal, aud: 'd2.example' })],
    ['in another name', (seal) => ({ ...seal, iss: 'd2.example' })],
  ])('%s', async (_, forge) => {
    await expect(speak({ forge })).rejects.toThrow(NoAnswer);
  });
});

describe('attack 48: verbs that are not the sender’s to use', () => {
  test('what only takes away moves nothing when it does not come from the recorded home', async () => {
    const circuit = await town.book({}, 1, 2);
    const part = town.house(2).partOf(circuit);
    expect(part?.state).toBe('SCHEDULED');
    // d0 has never had anything to do with it.
    for (const op of ['cancel', 'release'] as const) {
      const message = {
        op,
        circuit: circuit.id,
        floor: 1_000,
        epoch: 1_000,
        reason: 'mine now',
      } as PeerMessage;
      await town
        .house(0)
        .peering.send('d2.example', message)
        .catch(() => {});
    }
    await town.house(0).peering.send('d2.example', {
      op: 'abort',
      circuit: circuit.id,
      version: circuit.version,
      epoch: 1_000,
      floor: 1_000,
    });
    const after = town
      .house(2)
      .circuits()
      .find((one) => one.id === part?.id);
    expect(after).toEqual(part);
  });

  test('what takes something is refused without the token of its circuit', async () => {
    const start = instant(clock.now() + 7_200_000);
    const segment = {
      a: { port: 'd0:to-d1', labels: [[2, 2]] },
      z: { port: 'd0:h2', labels: [[2, 2]] },
      window: { start, end: instant(start + 3_600_000) },
      mbps: 10,
      provision: 'AUTOMATIC',
      requester: 'somebody',
    };
    const header = { circuit: 'cir_bare', version: 1, epoch: 2_000, floor: 0, segment };
    const held = { ...header, op: 'hold', until: instant(clock.now() + 60_000) } as unknown as PeerMessage;
    expect((await speak({ message: held })).body).toMatchObject({ state: 'HELD' });
    const cause = 'token HOLDER: commit needs the token of the circuit';
    const commit = { ...header, op: 'commit' } as unknown as PeerMessage;
    expect((await speak({ message: commit })).body).toMatchObject({ state: 'REFUSED', kind: 'TOKEN', cause });
    const garbled = { ...header, op: 'commit', token: 'a.b.c~a.b.c' } as unknown as PeerMessage;
    expect((await speak({ message: garbled })).body).toMatchObject({ state: 'REFUSED', kind: 'TOKEN' });
  });

  test('the same operation with other contents is refused', async () => {
    const start = instant(clock.now() + 3_600_000);
    const hold = (mbps: number): PeerMessage => ({
      op: 'hold',
      circuit: 'cir_changed',
      version: 1,
      epoch: 2_000,
      floor: 0,
      until: instant(clock.now() + 60_000),
      segment: {
        a: { port: 'd0:to-d1', labels: [[2, 5]] },
        z: { port: 'd0:h1', labels: [[2, 5]] },
        window: { start, end: instant(start + 3_600_000) },
        mbps,
        provision: 'AUTOMATIC',
        requester: 'somebody',
      },
    });
    expect((await speak({ message: hold(10) })).body).toMatchObject({ state: 'HELD' });
    expect((await speak({ message: hold(10) })).body).toMatchObject({ state: 'HELD' });
    expect(await refusal({ message: hold(20) })).toContain('422 OPERATION_CHANGED');
  });
});

describe('attack 81: a peer withdraws a token that it did not issue', () => {
  const push = async (...revocations: object[]) => {
    const us = town.house(0);
    const client = new PeerClient(identityOf(PEER), ports);
    clients.push(client);
    return client.call(new Peer(settingsOf(US, us.url), ports), {
      path: REVOCATIONS_PATH,
      body: { revocations },
      timeoutMs: 5_000,
      session: us.peering.session,
    });
  };
  const exp = Math.floor(clock.now() / 1000) + 3_600;
  const known = (iss: string, jti: string) =>
    town.house(0).broker.term?.book.tokens.revocations.isRevoked(iss, jti);

  test.each(['https://d0.example', 'https://d2.example', 'https://d1.example/'])('%s', async (iss) => {
    const own = { iss: 'https://d1.example', jti: `beside ${iss}`, exp };
    const { status, body } = await push(own, { iss, jti: 'not yours', exp });
    expect([status, body['code']]).toEqual([403, 'POLICY_DENIED']);
    expect([known(iss, 'not yours'), known(own.iss, own.jti)]).toEqual([false, false]);
  });

  test('its own it may, once', async () => {
    const own = { iss: 'https://d1.example', jti: 'mine', exp };
    expect((await push(own)).body).toEqual({ news: 1 });
    expect((await push(own)).body).toEqual({ news: 0 });
    expect(known(own.iss, own.jti)).toBe(true);
  });

  test('and what it withdraws, it tells its peers by itself', async () => {
    const { broker } = town.house(1);
    const { term } = broker;
    const own = { iss: 'https://d1.example', jti: 'pushed', exp, time: clock.now(), by: 'an operator' };
    term?.book.tokens.enterRevocation(own, []);
    await until(() => known(own.iss, own.jti), 'd0 has heard');
  });
});

test('a flood is met with 429, and what only takes away still passes', async () => {
  const { peering } = town.house(0);
  const peer = peering.peers().find(({ domain }) => domain === PEER);
  if (peer === undefined) throw new Error('no peer');
  while (peer.bucket.take());
  const provision: PeerMessage = { op: 'provision', circuit: 'cir_none', version: 1, epoch: 2_000, floor: 0 };
  // The bucket fills while this is under way: some pass, most do not.
  const answers = await Promise.all(Array.from({ length: 40 }, () => speak({ message: provision })));
  while (peer.bucket.take());
  const cancel: PeerMessage = { op: 'cancel', circuit: 'cir_none', epoch: 2_000, floor: 1 };
  expect((await speak({ message: cancel })).body).toMatchObject({ state: 'CLOSED' });
  expect(answers.every(({ status }) => status === 200 || status === 429)).toBe(true);
});
