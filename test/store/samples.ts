/**
 * Circuits, events and the rest as the broker would make them, for tests of the store: of a real size and
 * shape, from a number, so that two calls with one number give equal records.
 */

import type { PolicyActivation, PolicyRecord } from '../../src/broker/aaa/policyPorts.ts';
import { type AuditGroup, NO_AUDIT } from '../../src/broker/audit/auditPorts.ts';
import type { DecisionRecord, EffectRecord, EventRecord, Group } from '../../src/broker/ports.ts';
import { type InstantMs, instant } from '../../src/kernel/clock.ts';
import { type CircuitId, type DecisionId, newId } from '../../src/kernel/ids.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import type { Circuit, Placement, Segment } from '../../src/model/circuit.ts';

export const T0 = instant(1_800_000_000_000);

export const circuitId = (n: number): CircuitId => newId('cir', instant(T0 + n), seededRandom(n));
export const decisionId = (n: number): DecisionId => newId('dec', instant(T0 + n), seededRandom(n));

export function placement(n: number): Placement {
  const start = instant(T0 + 3_600_000 + (n % 1_000) * 60_000);
  const a = `ams:host${n % 40}` as const;
  const z = `ams:host${(n + 7) % 40}` as const;
  const label = 2 + (n % 4_000);
  const segment: Segment = {
    domain: 'ams.example',
    local: true,
    a: { port: a, label },
    z: { port: z, label },
    links: [`ams-core${n % 4}-core${(n + 1) % 4}`, `ams-core${(n + 1) % 4}-edge${n % 3}`],
    latencyMs: 1.25,
    uses: [
      { edge: `port/${a}`, label },
      { edge: `link/ams-core${n % 4}-core${(n + 1) % 4}`, label },
      { edge: `link/ams-core${(n + 1) % 4}-edge${n % 3}`, label },
      { edge: `port/${z}`, label },
    ],
    hops: [0, 1, 2].map((hop) => ({
      device: `switch-core${(n + hop) % 4}`,
      in: { port: `1/0/${(n + hop) % 48}`, label },
      out: { port: `1/1/${(n + hop) % 48}`, label },
    })),
    agreed: 'COMMITTED',
    light: 'DARK',
  };
  return {
    version: 1,
    window: { start, end: instant(start + 3_600_000) },
    mbps: 10_000,
    segments: [segment],
  };
}

export function circuit(n: number, over: Partial<Circuit> = {}): Circuit {
  const at = instant(T0 + n);
  const current = placement(n);
  return {
    id: circuitId(n),
    role: 'HOME',
    shortCode: 'CXA5',
    owner: `user${n % 20}`,
    request: {
      project: n % 3 === 0 ? 'lhc' : 'ska',
      description: `replay of run ${n}`,
      clientRef: `slurm:${n}`,
      a: { port: `ams:host${n % 40}`, vlan: 'ANY' },
      z: { port: `ams:host${(n + 7) % 40}`, vlan: 'ANY' },
      mbps: 10_000,
      protection: 'UNPROTECTED',
      constraints: {},
      provision: 'AUTOMATIC',
      holdS: 0,
      pinned: false,
      noticeS: 60,
      priority: 50,
      schedule: { type: 'FIXED', start: current.window.start, end: current.window.end },
    },
    state: 'SCHEDULED',
    reason: { code: 'COMMITTED', detail: 'the slot is reserved' },
    revision: 2,
    version: 1,
    current,
    armed: false,
    conditions: [{ type: 'DataPlaneUp', status: 'FALSE', reason: 'NOT_YET_DUE', since: at }],
    laxityS: 0,
    moves: 0,
    createTime: at,
    updateTime: at,
    decisionIds: [decisionId(n)],
    ...over,
  };
}

export const event = (seq: number, c: Circuit, over: Partial<EventRecord> = {}): EventRecord => ({
  seq,
  type: 'circuit.created',
  time: c.createTime,
  circuitId: c.id,
  project: c.request.project,
  owner: c.owner,
  revision: c.revision,
  epoch: 1,
  data: { state: c.state, start_time: '2027-01-15T08:00:00Z', end_time: '2027-01-15T09:00:00Z' },
  ...over,
});

export const effect = (seq: number, c: Circuit): EffectRecord => ({
  seq,
  circuitId: c.id,
  effect: { type: 'device.light', version: 1 },
  time: c.updateTime,
  decisionId: decisionId(seq),
});

export const decision = (n: number, c: Circuit, over: Partial<DecisionRecord> = {}): DecisionRecord => ({
  id: decisionId(n),
  effect: 'ALLOW',
  reasons: ['allow-members-of-the-project'],
  policy: 'e3b0c4',
  schema: '98fc1c',
  time: c.createTime,
  principal: c.owner,
  action: 'circuit.create',
  project: c.request.project,
  circuitId: c.id,
  requestId: `req_${n}`,
  sequence: 'AGENT',
  facts: { bandwidth_mbps: 10_000, a: c.request.a.port, z: c.request.z.port },
  ...over,
});

export const policy = (n: number): PolicyRecord => ({
  id: newId('pol', instant(T0 + n), seededRandom(n)),
  createTime: instant(T0 + n),
  author: `operator${n}`,
  description: `version ${n}, für alle`,
  sha256: `sha-${n}`,
  schema: 'schema',
  text: `@id("r${n}") permit (principal, action, resource);`,
  rules: [{ id: `r${n}`, effect: 'permit' }],
  assertions: [{ name: 'all', principal: {}, action: 'circuit.create', project: 'lhc', expect: 'ALLOW' }],
});

export const activation = (seq: number, n: number, before?: number): PolicyActivation => ({
  seq,
  time: instant(T0 + seq),
  policyId: policy(n).id,
  author: 'operator',
  ...(before === undefined ? {} : { before: policy(before).id }),
});

export function group(over: Omit<Partial<Group>, 'epoch'> & { readonly epoch: number }): Group {
  return {
    now: T0 as InstantMs,
    circuits: [],
    events: [],
    effects: [],
    effectsDone: [],
    decisions: [],
    audit: NO_AUDIT,
    idempotency: [],
    series: [],
    sets: [],
    webhooks: [],
    webhooksGone: [],
    policies: [],
    activations: [],
    transfers: [],
    usage: [],
    octets: [],
    projects: [],
    quotas: [],
    quotasGone: [],
    domains: [],
    reduces: false,
    ...over,
  };
}

/** What one admission of a FIXED circuit writes: the circuit, two events, a decision. */
export function admissions(epoch: number, from: number, count: number): Group {
  const circuits: Circuit[] = [];
  const events: EventRecord[] = [];
  const decisions: DecisionRecord[] = [];
  for (let n = from; n < from + count; n++) {
    const c = circuit(n);
    const { current, ...asked } = c;
    const created: Circuit = { ...asked, state: 'RESERVING', revision: 1 };
    circuits.push(c);
    events.push(
      event(2 * n + 1, created, { input: { type: 'created', circuit: created } }),
      event(2 * n + 2, c, {
        type: 'circuit.scheduled',
        input: { type: 'place', at: c.createTime, placement: placement(n), until: c.createTime },
      }),
    );
    decisions.push(decision(n, c));
  }
  return group({
    epoch,
    now: instant(T0 + from + count),
    circuits: circuits.map((c) => ({ circuit: c, isNew: true, due: placement(0).window.start })),
    events,
    decisions,
  });
}

/** `count` audit records from number `from`, with the tiles that they complete and a checkpoint behind them. */
export function auditGroup(from: number, count: number): AuditGroup {
  const numbers = Array.from({ length: count }, (_, i) => from + i);
  const leaf = (n: number): string => Buffer.alloc(32, n % 251).toString('base64url');
  return {
    rows: numbers.map((seq) => ({
      seq,
      time: instant(T0 + seq),
      decisionId: decisionId(seq),
      leaf: leaf(seq),
      text: `{"seq":${seq}}`,
    })),
    asides: numbers.map((seq) => ({ seq, field: 'actor', salt: `salt${seq}`, value: `user${seq % 20}` })),
    tiles: numbers
      .filter((seq) => seq % 256 === 255)
      .map((seq) => ({ tile: (seq - 255) / 256, hash: leaf(seq + 1) })),
    checkpoints: [
      { origin: 'ams.example/audit/1', size: from + count, time: instant(T0 + from), note: `at ${from}` },
    ],
    cosignatures: [],
    witnessed: [],
    erasures: [],
  };
}
