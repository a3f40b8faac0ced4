/**
 * What holds for every history of a circuit, in both roles: final is final, there is always a way out, what
 * is refused changes nothing, what was stored can be folded again, and the clock is never asked in vain.
 */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { type InstantMs, instant } from '../../src/kernel/clock.ts';
import { type Circuit, isFinal, isLit, localSegment, placements, states } from '../../src/model/circuit.ts';
import type { CircuitEvent } from '../../src/model/events.ts';
import { type Action, allowed, dueAt, fold, matrixOf, type Step, step } from '../../src/model/lifecycle.ts';
import { deepFreeze } from '../support/builders.ts';
import { begin, type History, histories, homeEvent, participantEvent, walk } from './walk.ts';

const roles = ['HOME', 'PARTICIPANT'] as const;
const RUNS = 1500;

const anyEvent = (c: Circuit, kind: number, a: number, b: number, now: InstantMs): CircuitEvent => {
  const draw = { onward: false, kind, a, b, wait: 0 };
  return c.role === 'HOME' ? homeEvent(c, draw, now, true) : participantEvent(c, draw, now);
};

/** Every event that could come next, with a few choices of what it carries. */
function* candidates(c: Circuit, now: InstantMs): Generator<CircuitEvent> {
  for (let kind = 0; kind <= 30; kind++) {
    for (let a = 0; a < 3; a++) for (let b = 0; b < 2; b++) yield anyEvent(c, kind, a, b, now);
  }
}

describe.each(roles)('the matrix of %s', (role) => {
  const matrix = matrixOf(role);
  test('a final state has no cell that leads anywhere', () => {
    for (const state of states.filter(isFinal)) {
      expect(Object.values(matrix[state]).filter((cell) => typeof cell === 'object')).toEqual([]);
    }
  });
  test('every other state has a way to a final one', () => {
    const leads = (state: (typeof states)[number]): readonly (typeof states)[number][] =>
      Object.values(matrix[state]).flatMap((cell) => (typeof cell === 'object' ? cell.to : []));
    for (const state of states.filter((s) => !isFinal(s))) {
      const reached = new Set<(typeof states)[number]>([state]);
      for (const from of reached) for (const to of leads(from)) reached.add(to);
      expect([...reached].some(isFinal), state).toBe(true);
    }
  });
  test('every state knows the same events', () => {
    const events = Object.keys(matrix.RESERVING).sort();
    for (const state of states) expect(Object.keys(matrix[state]).sort()).toEqual(events);
  });
});

describe.each(roles)('in any history of %s', (role) => {
  const check = (look: (before: Circuit, event: CircuitEvent, result: Step) => void): void =>
    fc.assert(
      fc.property(histories(role), (h) => {
        walk(h, look);
      }),
      { numRuns: RUNS },
    );

  it('no event leads out of a final state', () => {
    check((before, _, result) => {
      if (isFinal(before.state)) expect(result.kind).not.toBe('stepped');
    });
  });

  it('the same event in the same state always comes to the same', () => {
    // The circuits and events of a walk are frozen, so that whatever writes into them throws.
    check((before, event, result) => expect(step(before, event)).toEqual(result));
  });

  it('a step counts one revision, keeps its time, and never takes a version back', () => {
    check((before, event, result) => {
      if (result.kind !== 'stepped') return;
      expect(result.circuit.revision).toBe(before.revision + 1);
      expect(result.circuit.updateTime).toBe(event.at);
      expect(result.circuit.version).toBeGreaterThanOrEqual(before.version);
      expect(result.circuit.id).toBe(before.id);
    });
  });

  it('no placement carries a version that was never issued, and no two the same', () => {
    check((before) => {
      const versions = placements(before).map((p) => p.version);
      expect(new Set(versions).size).toBe(versions.length);
      for (const version of versions) expect(version).toBeLessThanOrEqual(before.version);
    });
  });

  it('folding the stored events gives the stored circuit, also when they come back from JSON', () => {
    fc.assert(
      fc.property(histories(role), (h) => {
        const stored: CircuitEvent[] = [];
        const end = walk(h, (_, event, result) => {
          if (result.kind === 'stepped') stored.push(event);
        });
        const read = JSON.parse(JSON.stringify({ first: begin(h), stored }));
        expect(fold(begin(h), stored)).toEqual(end);
        expect(fold(read.first, read.stored)).toEqual(JSON.parse(JSON.stringify(end)));
      }),
      { numRuns: RUNS },
    );
  });

  it('a circuit survives JSON: nothing in it is undefined', () => {
    check((before) => expect(JSON.parse(JSON.stringify(before))).toStrictEqual(before));
  });

  it('a final circuit waits for no time, and every other for one or for news', () => {
    check((before) => {
      if (isFinal(before.state)) expect(dueAt(before)).toBeUndefined();
    });
  });

  it('a due that is due never comes in vain: else the broker would ask again for ever', () => {
    check((before) => {
      const due = dueAt(before);
      // A home's RESERVING without an attempt is not the clock's but the broker's to go on with.
      if (due === undefined || (role === 'HOME' && before.state === 'RESERVING' && !before.pending)) return;
      for (const late of [0, 1, 60_000, 7_200_000]) {
        const at = instant(Math.max(before.updateTime, due) + late);
        const result = step(before, { type: 'due', at });
        const after = result.kind === 'stepped' ? dueAt(result.circuit) : due;
        expect(after === undefined || after > at || result.kind === 'stepped', `due at ${at}`).toBe(true);
      }
    });
  });

  it('from everywhere a final state can be reached, by search', () => {
    fc.assert(
      fc.property(histories(role), (h) => {
        const end = walk(h, () => {});
        expect(wayOut(end, 4), JSON.stringify(end)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('time and obedient devices alone end whatever has an end', () => {
    fc.assert(
      fc.property(histories(role), (h) => {
        expect(
          timeEnds(
            walk(h, () => {}),
            h,
          ),
        ).toBe('final');
      }),
      { numRuns: RUNS },
    );
  });

  it('what is final carries no light of ours', () => {
    check((_, __, result) => {
      if (result.kind === 'stepped' && isFinal(result.circuit.state)) {
        const lit = placements(result.circuit)
          .map(localSegment)
          .filter((s) => s !== undefined && isLit(s));
        expect(lit).toEqual([]);
      }
    });
  });
});

/** Breadth first over what may come next. */
function wayOut(from: Circuit, depth: number): boolean {
  let border: Circuit[] = [from];
  for (let i = 0; i <= depth; i++) {
    if (border.some((c) => isFinal(c.state))) return true;
    const seen = new Map<string, Circuit>();
    for (const c of border) {
      const now = instant(Math.max(c.updateTime, dueAt(c) ?? 0));
      for (const event of candidates(c, now)) {
        const result = step(c, event);
        if (result.kind === 'stepped') {
          seen.set(shape(result.circuit), deepFreeze(result.circuit));
        }
      }
    }
    border = [...seen.values()];
  }
  return false;
}

/** What a search may take for the same: state, outcome, and which segment is how far. */
const shape = (c: Circuit): string =>
  `${c.state} ${c.outcome} ${placements(c).map((p) => p.segments.map((s) => s.light + s.agreed))}`;

/** Goes on with nothing but the clock, devices that do as told, and a broker that finds no further road. */
function timeEnds(from: Circuit, h: History): string {
  let c = from;
  let now: InstantMs = c.updateTime;
  for (let i = 0; i < 60; i++) {
    if (isFinal(c.state)) return 'final';
    const due = dueAt(c);
    const event: CircuitEvent = stuck(c)
      ? {
          type: 'reject',
          problem: { type: 'urn:x', title: 'x', status: 409, code: 'NO_FEASIBLE_SLOT', detail: 'full' },
          at: now,
        }
      : goesOut(c) !== undefined
        ? { type: 'dark', domain: 'ams.example', version: goesOut(c) as number, at: now }
        : { type: 'due', at: instant(Math.max(now, due ?? now)) };
    const result = step(c, event);
    if (result.kind !== 'stepped')
      return `${c.role} ${c.state} stays on ${JSON.stringify(event)} of ${JSON.stringify(h)}`;
    c = result.circuit;
    now = event.at;
  }
  return `${c.role} ${c.state} goes round`;
}

const stuck = (c: Circuit): boolean =>
  c.role === 'HOME' && c.state === 'RESERVING' && c.pending === undefined;

/** The version of ours that is being put out, if one is. */
const goesOut = (c: Circuit): number | undefined =>
  placements(c).find((p) => localSegment(p)?.light === 'DARKENING')?.version;

describe('allowed()', () => {
  const eventOf = (c: Circuit, action: Action): CircuitEvent => {
    const now = c.updateTime;
    const until = instant(now + 1000);
    switch (action) {
      case 'extend-hold':
        return { type: 'extend-hold', until: instant(now + 10_000_000), at: now };
      case 'release':
      case 'cancel':
        return action === 'release'
          ? { type: 'release', detail: 'asked', at: now }
          : { type: 'cancel', detail: 'asked', at: now };
      case 'extend':
      case 'modify':
      case 'reroute':
        return { type: 'modify', request: c.request, until, at: now };
      case 'commit':
        return { type: 'commit', at: now };
      case 'abort':
        return { type: 'abort', at: now };
      case 'provision':
        return { type: 'provision', at: now };
    }
  };
  const actions: readonly Action[] = [
    'commit',
    'abort',
    'extend-hold',
    'provision',
    'release',
    'cancel',
    'extend',
    'modify',
  ];
  it('names exactly what step() would not refuse for the state', () => {
    fc.assert(
      fc.property(histories('HOME'), (h) => {
        walk(h, (c) => {
          const may = allowed(c);
          for (const action of actions) {
            const result = step(c, eventOf(c, action));
            const refused = result.kind === 'refused' && result.code !== 'HOLD_EXPIRED';
            if (may.includes(action)) expect(refused, `${action} in ${c.state} is allowed`).toBe(false);
            else expect(result.kind, `${action} in ${c.state} is not allowed`).not.toBe('stepped');
          }
        });
      }),
      { numRuns: RUNS },
    );
  });
  it('gives a participant’s clients nothing: its home acts', () => {
    fc.assert(
      fc.property(histories('PARTICIPANT'), (h) => {
        walk(h, (c) => expect(allowed(c)).toEqual([]));
      }),
      { numRuns: 100 },
    );
  });
});
