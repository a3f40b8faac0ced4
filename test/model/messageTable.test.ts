/**
 * The message table of peering, cell by cell: what a participant answers to each message when it has nothing,
 * holds, has let a hold expire, has committed, or has closed the version; and what it then has. The messages
 * go in where a peer's go in, and the answers are those that a peer would get.
 */
import { describe, expect, it, test } from 'vitest';
import { loadPolicies } from '../../src/aaa/policySet.ts';
import { Authoriser } from '../../src/broker/aaa/authorise.ts';
import { PeerDesk } from '../../src/broker/abroad/peer.ts';
import type { PeerAnswer, PeerMessage, PeerSegment } from '../../src/broker/abroad/peerPorts.ts';
import { Book } from '../../src/broker/book.ts';
import { Tx } from '../../src/broker/tx.ts';
import { type InstantMs, instant } from '../../src/kernel/clock.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import { dueAt } from '../../src/model/lifecycle.ts';
import { topologyOf } from '../sim/network.ts';
import { at, span, T0 } from '../support/builders.ts';
import { OPEN_POLICY } from '../support/policies.ts';

const HOME = 'd1.example';
const EPOCH = 4;

/** One participant, with nothing but its memory: each message is a transaction of its own. */
class Participant {
  readonly book = new Book({ version: 1, time: T0, document: topologyOf(0, 2) });
  readonly #desk: PeerDesk;
  readonly #sequences = { event: 0, effect: 0 };
  now: InstantMs = T0;
  effects: string[] = [];

  constructor() {
    const random = seededRandom(1);
    this.#desk = new PeerDesk(new Authoriser(random), random, EPOCH);
    const loaded = loadPolicies(OPEN_POLICY);
    if (loaded.ok) this.book.rules.policies.use(loaded.set);
  }

  #tx(): Tx {
    return new Tx(this.book, this.now, EPOCH, this.#sequences);
  }

  hears(message: PeerMessage, from = HOME): PeerAnswer {
    const tx = this.#tx();
    const answer = this.#desk.answer(tx, from, message);
    this.effects.push(...tx.effects.map((e) => e.effect.type));
    // A refusal that is stored is a policy's; nobody is denied here.
    return answer as PeerAnswer;
  }

  /** The clock goes on, and tells everybody who is due. */
  waits(seconds: number): void {
    const until = instant(this.now + seconds * 1000);
    for (;;) {
      const next = [...this.book.circuits.values()]
        .map((c) => ({ id: c.id, due: dueAt(c) }))
        .filter((c) => c.due !== undefined && c.due <= until)
        .sort((x, y) => (x.due as number) - (y.due as number))[0];
      if (next === undefined) break;
      this.now = instant(Math.max(this.now, next.due as number));
      const tx = this.#tx();
      tx.apply(next.id, { type: 'due', at: this.now });
      this.effects.push(...tx.effects.map((e) => e.effect.type));
    }
    this.now = until;
  }

  /** Our devices report. */
  shines(version: number): void {
    this.#tx().apply((this.circuit as Circuit).id, {
      type: 'up',
      domain: 'd0.example',
      version,
      at: this.now,
    });
  }

  get circuit(): Circuit | undefined {
    return [...this.book.circuits.values()][0];
  }

  /** How much of the border port is taken in the slot. */
  get taken(): number {
    const edge = this.book.names.intern('port:d0:to-d1');
    const from = (at(100) - Date.parse('2020-01-01T00:00:00Z')) / 1000;
    return 10_000 - this.book.calendar.free(edge, from, from + 100);
  }
}

const segment: PeerSegment = {
  a: { port: 'd0:to-d1', labels: [[2, 5]] },
  z: { port: 'd0:h1', labels: [[2, 5]] },
  window: span(100, 200),
  mbps: 6_000,
  provision: 'MANUAL',
  requester: 'somebody',
};
const header = { circuit: 'cir_home', epoch: 1, floor: 0 };

const messages = {
  hold: { ...header, op: 'hold', version: 1, segment, until: at(60) },
  extend: { ...header, op: 'extend', version: 1, until: at(90) },
  commit: { ...header, op: 'commit', version: 1, segment },
  abort: { ...header, op: 'abort', version: 1 },
  free: { ...header, op: 'free', version: 1, active: 2 },
  provision: { ...header, op: 'provision', version: 1 },
  release: { ...header, op: 'release', reason: 'done' },
  cancel: { ...header, op: 'cancel', floor: 1 },
  query: { ...header, op: 'query' },
} as const satisfies Record<string, PeerMessage>;

const columns = {
  NONE: () => {},
  HELD: (p) => p.hears(messages.hold),
  EXPIRED: (p) => {
    p.hears(messages.hold);
    p.waits(70);
  },
  COMMITTED: (p) => p.hears(messages.commit),
  CLOSED: (p) => {
    p.hears(messages.hold);
    p.hears(messages.abort);
  },
} as const satisfies Record<string, (p: Participant) => unknown>;

type Column = keyof typeof columns;
type Row = keyof typeof messages;

const ALL: readonly Column[] = ['NONE', 'HELD', 'EXPIRED', 'COMMITTED', 'CLOSED'];

/** The answer's state, in the order of the columns. What the table calls 409 is REFUSED, or the state that stands in the way. */
const table: Readonly<Record<Row, readonly PeerAnswer['state'][]>> = {
  hold: ['HELD', 'HELD', 'EXPIRED', 'COMMITTED', 'CLOSED'],
  extend: ['UNKNOWN', 'HELD', 'EXPIRED', 'COMMITTED', 'CLOSED'],
  commit: ['COMMITTED', 'COMMITTED', 'COMMITTED', 'COMMITTED', 'CLOSED'],
  abort: ['CLOSED', 'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED'],
  free: ['CLOSED', 'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED'],
  provision: ['UNKNOWN', 'REFUSED', 'EXPIRED', 'COMMITTED', 'CLOSED'],
  release: ['UNKNOWN', 'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED'],
  cancel: ['CLOSED', 'CLOSED', 'CLOSED', 'CLOSED', 'CLOSED'],
  query: ['UNKNOWN', 'HELD', 'EXPIRED', 'COMMITTED', 'CLOSED'],
};

const cells = (Object.keys(table) as Row[]).flatMap((row) =>
  ALL.map((column, i) => [row, column, table[row][i] as PeerAnswer['state']] as const),
);

describe('the message table', () => {
  test.each(cells)('%s to %s: %s', (row, column, expected) => {
    const p = new Participant();
    columns[column](p);
    expect(p.hears(messages[row])).toMatchObject({ state: expected, epoch: EPOCH });
  });

  test.each(cells)('%s to %s, twice: the same answer from the present state', (row, column) => {
    const p = new Participant();
    columns[column](p);
    const first = p.hears(messages[row]);
    const before = p.circuit;
    const second = p.hears(messages[row]);
    // A release of what was never heard of says so, and leaves a tombstone for whoever comes next.
    const buried = row === 'release' && column === 'NONE';
    expect(second.state).toBe(buried ? 'CLOSED' : first.state);
    expect(p.circuit).toEqual(before);
  });

  test.each(cells)('%s to %s: what it has is claimed, and nothing else', (row, column) => {
    const p = new Participant();
    columns[column](p);
    p.hears(messages[row]);
    const has = p.hears(messages.query).state;
    expect(p.taken).toBe(has === 'HELD' || has === 'COMMITTED' ? 6_000 : 0);
  });
});

describe('a version that is closed stays closed', () => {
  test.each([
    ['abort', 'hold'],
    ['abort', 'commit'],
    ['cancel', 'hold'],
    ['cancel', 'commit'],
    ['free', 'commit'],
    ['release', 'hold'],
    ['release', 'commit'],
  ] as const)('%s overtakes its %s', (first, late) => {
    const p = new Participant();
    p.hears(messages[first]);
    expect(p.hears(messages[late]).state).toBe('CLOSED');
    expect(p.taken).toBe(0);
  });
  test('but a newer version is open after an abort', () => {
    const p = new Participant();
    columns.CLOSED(p);
    expect(p.hears({ ...messages.hold, version: 2 }).state).toBe('HELD');
  });
  test.each(['HELD', 'EXPIRED'] as const)('and a release closes what is %s for good', (column) => {
    const p = new Participant();
    columns[column](p);
    p.hears(messages.release);
    expect(p.hears(messages.commit).state).toBe('CLOSED');
    expect(p.hears({ ...messages.hold, version: 2 }).state).toBe('CLOSED');
    expect(p.taken).toBe(0);
  });
  test('and none is after a cancel', () => {
    const p = new Participant();
    p.hears(messages.commit);
    p.hears(messages.cancel);
    expect(p.hears({ ...messages.hold, version: 2 }).state).toBe('CLOSED');
  });
});

describe('holds', () => {
  it('last until their time and no longer', () => {
    const p = new Participant();
    p.hears(messages.hold);
    p.waits(59);
    expect(p.hears(messages.query).state).toBe('HELD');
    p.waits(1);
    expect(p.hears(messages.query).state).toBe('EXPIRED');
    expect(p.taken).toBe(0);
  });
  it('are extended, never shortened', () => {
    const p = new Participant();
    p.hears(messages.hold);
    expect(p.hears(messages.extend)).toMatchObject({ until: at(90) });
    expect(p.hears({ ...messages.extend, until: at(30) })).toMatchObject({ until: at(90) });
  });
  it('that expired are taken again by a commit, if the room is still there', () => {
    const p = new Participant();
    columns.EXPIRED(p);
    p.hears({ ...messages.commit, circuit: 'cir_other' });
    expect(p.hears(messages.commit)).toMatchObject({ state: 'REFUSED' });
    expect(p.taken).toBe(6_000);
  });
  it('are refused with the cause when there is no room', () => {
    const p = new Participant();
    p.hears({ ...messages.commit, circuit: 'cir_other' });
    const answer = p.hears(messages.hold);
    expect(answer).toMatchObject({ state: 'REFUSED' });
    expect(JSON.stringify(answer)).toMatch(/no room|free/i);
  });
});

describe('two ways', () => {
  const other = { a: { port: 'd0:to-d1', labels: [[3, 3]] }, z: segment.z } as const;
  it('over one border are none', () => {
    const p = new Participant();
    const asked = { ...messages.hold, segment: { ...segment, second: other } } as const;
    expect(p.hears(asked)).toMatchObject({ state: 'REFUSED', kind: 'INVALID' });
    expect(p.taken).toBe(0);
  });
});

describe('a move', () => {
  const second = { ...messages.hold, version: 2, replaces: 1 } as const;
  it('reserves and keeps both versions until it is told, and counts the larger only', () => {
    const p = new Participant();
    p.hears(messages.commit);
    expect(p.hears({ ...second, segment: { ...segment, mbps: 8_000 } }).state).toBe('HELD');
    expect(p.taken).toBe(8_000);
    p.hears({ ...messages.commit, version: 2, segment: { ...segment, mbps: 8_000 } });
    expect(p.circuit).toMatchObject({
      current: { version: 1 },
      pending: { phase: 'COMMITTING', placement: { version: 2 } },
    });
    p.hears(messages.free);
    expect(p.circuit?.current?.version).toBe(2);
    expect(p.circuit?.pending).toBeUndefined();
  });
  it('that is aborted leaves the old version as it was', () => {
    const p = new Participant();
    p.hears(messages.commit);
    p.hears(second);
    p.hears({ ...messages.abort, version: 2, active: 1 });
    expect(p.circuit?.current?.version).toBe(1);
    expect(p.circuit?.pending).toBeUndefined();
    expect(p.taken).toBe(6_000);
  });
});

describe('light', () => {
  it('comes at the start when the home has asked, and the order may come before', () => {
    const p = new Participant();
    p.hears(messages.commit);
    p.hears(messages.provision);
    expect(p.effects).not.toContain('device.light');
    p.waits(100);
    expect(p.effects).toContain('device.light');
  });
  it('never comes when nobody asked, and the home is told at the end', () => {
    const p = new Participant();
    p.hears(messages.commit);
    p.waits(200);
    expect(p.effects).not.toContain('device.light');
    expect(p.effects).toContain('peer.notify');
    expect(p.circuit?.state).toBe('FAILED');
  });
  it('goes out on release, and a provision tried again afterwards does not bring it back', () => {
    const p = new Participant();
    p.hears(messages.commit);
    p.hears(messages.provision);
    p.waits(100);
    p.shines(1);
    expect(p.hears(messages.release)).toMatchObject({ state: 'CLOSED', dark: false });
    expect(p.effects).toContain('device.dark');
    p.effects = [];
    expect(p.hears(messages.provision).state).toBe('CLOSED');
    expect(p.effects).toEqual([]);
  });
});

describe('only the recorded home moves a segment', () => {
  test.each(['abort', 'free', 'provision', 'release', 'cancel'] as const)('%s of a stranger', (row) => {
    const p = new Participant();
    p.hears(messages.commit);
    const before = p.circuit;
    p.hears(messages[row], 'd9.example');
    expect(p.circuit).toEqual(before);
    expect(p.taken).toBe(6_000);
  });
});

describe('in doubt', () => {
  it('a participant asks until it is told, less and less often', () => {
    const p = new Participant();
    p.hears(messages.commit);
    p.waits(99);
    expect(p.effects.filter((type) => type === 'peer.query').length).toBe(4);
  });
});
