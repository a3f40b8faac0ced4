/**
 * Small builders of requests, placements and circuits for tests: everything has a plain default, and a test
 * names only what it is about. Times are given in seconds after T0, so that a table stays readable.
 */
import { type InstantMs, instant } from '../../src/kernel/clock.ts';
import type {
  Circuit,
  CircuitRequest,
  Hop,
  Pending,
  PendingPhase,
  Placement,
  Schedule,
  Segment,
} from '../../src/model/circuit.ts';
import type { Window } from '../../src/model/window.ts';

/** 2026-01-01T00:00:00Z, a full second. */
export const T0 = instant(1_767_225_600_000);

/** `seconds` after T0. */
export const at = (seconds: number): InstantMs => instant(T0 + seconds * 1000);

export const span = (start: number, end: number): Window => ({ start: at(start), end: at(end) });

export const fixed = (start: number, end: number): Schedule => ({ type: 'FIXED', ...span(start, end) });

export function aRequest(over: Partial<CircuitRequest> = {}): CircuitRequest {
  return {
    project: 'lhc',
    a: { port: 'ams:host1', vlan: 'ANY' },
    z: { port: 'ams:host2', vlan: 'ANY' },
    mbps: 1000,
    protection: 'UNPROTECTED',
    constraints: {},
    provision: 'AUTOMATIC',
    holdS: 0,
    pinned: false,
    noticeS: 60,
    priority: 50,
    schedule: fixed(100, 200),
    ...over,
  };
}

export const aHop = (over: Partial<Hop> = {}): Hop => ({
  device: 'sw1',
  in: { port: '1', label: 100 },
  out: { port: '2', label: 100 },
  ...over,
});

/** Our own share: one hop through sw1, over the link l1 between host1 and host2. */
export function aSegment(over: Partial<Segment> = {}): Segment {
  return {
    domain: 'ams.example',
    local: true,
    a: { port: 'ams:host1', label: 100 },
    z: { port: 'ams:host2', label: 100 },
    links: ['l1'],
    latencyMs: 1,
    uses: [
      { edge: 'port:ams:host1', label: 100 },
      { edge: 'link:l1', label: 100 },
      { edge: 'port:ams:host2', label: 100 },
    ],
    hops: [aHop()],
    agreed: 'HELD',
    light: 'DARK',
    ...over,
  };
}

/** A peer's share, reached by messages only. */
export const theirSegment = (domain = 'sdg.example', over: Partial<Segment> = {}): Segment =>
  aSegment({
    domain,
    local: false,
    a: { port: 'sdg:border' },
    z: { port: 'sdg:host1' },
    links: [],
    uses: [],
    hops: [],
    agreed: 'ASKED',
    ...over,
  });

export function aPlacement(version: number, over: Partial<Placement> = {}): Placement {
  return { version, window: span(100, 200), mbps: 1000, segments: [aSegment()], ...over };
}

export const aPending = (
  phase: PendingPhase,
  placement: Placement,
  over: Partial<Pending> = {},
): Pending => ({ phase, placement, ...over });

/** A circuit as it is created, before anything was decided. */
export function aCircuit(over: Partial<Circuit> = {}): Circuit {
  return {
    id: 'cir_0000000000test',
    role: 'HOME',
    shortCode: 'CXA5',
    owner: 'issuer|user',
    request: aRequest(),
    state: 'RESERVING',
    reason: { code: 'NEW', detail: 'not decided yet' },
    revision: 1,
    version: 0,
    armed: false,
    conditions: [],
    laxityS: 0,
    moves: 0,
    createTime: T0,
    updateTime: T0,
    decisionIds: [],
    ...over,
  };
}

/** A participant's circuit as it is created for the first message of its home. */
export function aParticipant(over: Partial<Circuit> = {}): Circuit {
  return aCircuit({
    role: 'PARTICIPANT',
    owner: 'sdg.example|pseudonym',
    home: {
      domain: 'sdg.example',
      circuit: 'cir_0000000000home',
      floor: 0,
      told: false,
      asks: 0,
      sequence: 0,
      unknowns: 0,
      epoch: 1,
      keepUntil: at(86_400 + 200),
    },
    ...over,
  });
}

/** Freezes a value all the way down: whoever writes into it throws. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
