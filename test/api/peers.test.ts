/** A circuit that needs a neighbour, as its client sees it: stored first, decided later, and told either way. */
import { afterEach, describe, expect, it } from 'vitest';
import type { PeerAnswer, PeerMessage } from '../../src/broker/abroad/peerPorts.ts';
import { rfc3339 } from '../../src/kernel/clock.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { at } from '../support/builders.ts';
import { twoSwitches } from '../support/oneDomain.ts';
import { Api } from './harness.ts';

const withNeighbour: TopologyDocument = {
  ...twoSwitches,
  ports: [
    ...twoSwitches.ports,
    {
      id: 'ams:border',
      node: 'sw2',
      kind: 'BORDER',
      capacity_mbps: 10_000,
      remote: { domain: 'sdg.example', port: 'sdg:border' },
    },
  ],
  neighbours: [
    {
      domain: 'sdg.example',
      prefix: 'sdg',
      api: 'https://sdg.example/',
      ports: [
        { id: 'sdg:border', capacity_mbps: 10_000 },
        { id: 'sdg:host1', capacity_mbps: 10_000 },
      ],
    },
  ],
};

const ask = {
  a: { port: 'ams:host1' },
  z: { port: 'sdg:host1', vlan: 7 },
  bandwidth_mbps: 100,
  schedule: { type: 'FIXED', start_time: rfc3339(at(3600)), end_time: rfc3339(at(7200)) },
};

let api: Api;
afterEach(() => api.end());

/** A neighbour that answers as told, when told. */
async function neighbour(answer: (message: PeerMessage) => PeerAnswer): Promise<{ speak(): void }> {
  let speak = (): void => {};
  const spoken = new Promise<void>((resolve) => {
    speak = resolve;
  });
  api = await Api.start({
    topology: withNeighbour,
    peers: { send: (_domain, message) => spoken.then(() => answer(message)) },
  });
  return { speak };
}

const agrees = (message: PeerMessage): PeerAnswer =>
  message.op === 'hold'
    ? {
        state: 'HELD',
        version: message.version,
        until: message.until,
        peerRef: 'cir_there',
        aLabels: message.segment.a.candidates?.slice(0, 1) ?? [],
        zLabel: 7,
        epoch: 1,
      }
    : message.op === 'commit'
      ? { state: 'COMMITTED', version: message.version, lit: false, peerRef: 'cir_there', epoch: 1 }
      : { state: 'CLOSED', dark: true, epoch: 1 };
const declines = (message: PeerMessage): PeerAnswer =>
  message.op === 'hold'
    ? { state: 'REFUSED', kind: 'ROOM', cause: 'port sdg:host1 is full', epoch: 1 }
    : { state: 'CLOSED', dark: true, epoch: 1 };

describe('a circuit into a neighbour', () => {
  it('is answered at once as RESERVING, with the placement under negotiation', async () => {
    const { speak } = await neighbour(agrees);
    const made = await api.post('/v1/circuits', ask);
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      state: 'RESERVING',
      pending: { phase: 'HOLDING', bandwidth_mbps: 100 },
      segments: [{ domain: 'ams.example' }, { domain: 'sdg.example', state: 'ASKED' }],
    });
    expect(made.body).not.toHaveProperty('placement');
    speak();
    await api.world.settle();
    expect((await api.get(`/v1/circuits/${made.body.id}`)).body).toMatchObject({
      state: 'SCHEDULED',
      placement: { z_vlan: 7 },
      path: { domains: ['ams.example', 'sdg.example'] },
      segments: [{ state: 'COMMITTED' }, { state: 'COMMITTED', peer_ref: 'cir_there' }],
    });
  });

  it('with Prefer: wait is answered when it is settled', async () => {
    const { speak } = await neighbour(agrees);
    const asked = api.post('/v1/circuits', ask, { headers: { prefer: 'wait=30' } });
    await api.world.settle();
    speak();
    const made = await asked;
    expect([made.status, made.body.state]).toEqual([201, 'SCHEDULED']);
    expect(made.headers['etag']).toBe(`"${made.body.revision}"`);
  });

  it('with Prefer: wait is answered as it is when the time is over', async () => {
    await neighbour(agrees);
    const asked = api.post('/v1/circuits', ask, { headers: { prefer: 'wait=5' } });
    await api.world.settle();
    await api.world.pass(6);
    expect((await asked).body.state).toBe('RESERVING');
  });

  it('that the neighbour declines is REJECTED, with the problem that a refusal would have been', async () => {
    const { speak } = await neighbour(declines);
    speak();
    const made = await api.post('/v1/circuits', ask, { headers: { prefer: 'wait=60' } });
    let body = made.body;
    for (let i = 0; i < 10 && body.state !== 'REJECTED'; i++) {
      await api.world.pass(1);
      body = (await api.get(`/v1/circuits/${made.body.id}`)).body;
    }
    expect(body).toMatchObject({
      state: 'REJECTED',
      problem: { status: 409, code: 'NO_FEASIBLE_SLOT', detail: expect.stringContaining('full') },
      allowed_actions: [],
    });
  });

  it('is asked for at a domain of one of its ends: elsewhere is NOT_HOME, with the domain to ask', async () => {
    await neighbour(agrees);
    const refused = await api.post('/v1/circuits', { ...ask, a: { port: 'sdg:border' } });
    expect([refused.status, refused.body.code, refused.body.domain]).toEqual([
      422,
      'NOT_HOME',
      'sdg.example',
    ]);
    expect((await api.get('/v1/domains')).body.items).toContainEqual({
      name: 'sdg.example',
      prefix: 'sdg',
      role: 'NEIGHBOUR',
      api: 'https://sdg.example/',
      ports: 2,
    });
    expect((await api.get('/v1/ports?domain=sdg.example')).body.items).toHaveLength(2);
  });

  it('a change that needs the neighbour is answered with 202 and what is pending', async () => {
    const { speak } = await neighbour(agrees);
    speak();
    const made = await api.post('/v1/circuits', ask, { headers: { prefer: 'wait=30' } });
    const url = `/v1/circuits/${made.body.id}`;
    const changed = await api.patch(url, { bandwidth_mbps: 200 }, { headers: { 'if-match': '*' } });
    expect(changed.status).toBe(202);
    expect(changed.body).toMatchObject({
      placement: { bandwidth_mbps: 100 },
      pending: { bandwidth_mbps: 200 },
    });
    await api.world.settle();
    await api.world.pass(1);
    const after = (await api.get(url)).body;
    expect(after.placement.bandwidth_mbps).toBe(200);
    expect(after).not.toHaveProperty('pending');
  });
});
