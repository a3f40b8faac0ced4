/**
 * Faults that are planted on purpose, one for each way in which the laws between domains have been seen to be
 * broken, and the seeds at which each is caught: a check that cannot fail proves nothing. They are planted
 * through rules, ports and messages; nothing in src knows of them. What is planted in another test is named with
 * it, and what this design has no place for with the reason.
 */
import { signCheckpoint } from '../../src/aaa/merkle/note.ts';
import { Asks } from '../../src/broker/abroad/asks.ts';
import type { PeerAnswer } from '../../src/broker/abroad/peerPorts.ts';
import { Surroundings } from '../../src/broker/abroad/surroundings.ts';
import { Book } from '../../src/broker/book.ts';
import { type Circuit, claims, isFinal, type Segment } from '../../src/model/circuit.ts';
import type { CircuitEvent } from '../../src/model/events.ts';
import { matrixOf } from '../../src/model/lifecycle.ts';
import { mapSegments, no, type Result } from '../../src/model/rules.ts';
import type { laws } from './laws.ts';
import type { Plants } from './node.ts';
import {
  afterwards,
  all,
  committing,
  isIdle,
  isNext,
  only,
  patch,
  pretending,
  type Run,
  rule,
  storeWith,
  type Undo,
} from './planting.ts';
import type { Swarm } from './swarm.ts';

type Law = keyof typeof laws;

/** Where it is looked for, and the seed at which it was found. */
interface Ground {
  readonly domains: number;
  readonly safetyS: number;
  readonly seed: number;
  readonly swarm?: Partial<Swarm>;
}

export interface Plant {
  readonly law: Law;
  readonly what: string;
  readonly ground: Ground;
  /** Breaks something; the undo mends it. */
  plant(): { readonly plants?: Plants; readonly undo?: Undo };
}

// ---- where ---------------------------------------------------------------------------------------------------

const calm: Partial<Swarm> = { villains: false };
const abroad: Partial<Swarm> = { ...calm, abroad: 0.9, pauseMs: 2_500 };
const torn: Partial<Swarm> = { ...abroad, calamities: 0.015, partitions: 0.9 };
const changing: Partial<Swarm> = { ...torn, touches: 75, extends: 20, lasting: 0.3 };
const doubting: Partial<Swarm> = {
  ...changing,
  calamities: 0,
  net: { lost: 0.5, twice: 0.1, late: 0.05 },
};
const moving: Partial<Swarm> = { ...abroad, abroad: 1, wishes: 'MOVABLE', touches: 5, pauseMs: 8_000 };

// ---- the plants ----------------------------------------------------------------------------------------------

export const plants: readonly Plant[] = [
  {
    law: 1,
    what: 'SCHEDULED after the first acknowledgement',
    ground: { domains: 4, safetyS: 120, seed: 1, swarm: abroad },
    plant: () => ({
      undo: rule(
        'HOME',
        'committed',
        (run, c, e) => {
          const current =
            c.current && mapSegments(c.current, (s) => (s.local ? s : { ...s, agreed: 'COMMITTED' }));
          return run(current === undefined ? c : { ...c, current }, e);
        },
        ['COMMITTING'],
      ),
    }),
  },
  {
    law: 2,
    what: 'the expiry of a hold is ignored',
    ground: { domains: 3, safetyS: 300, seed: 2, swarm: { ...abroad, villains: true } },
    plant: () => ({ undo: rule('PARTICIPANT', 'due', () => 'same', ['HELD']) }),
  },
  {
    law: 3,
    what: 'the tombstone is dropped',
    ground: {
      domains: 2,
      safetyS: 120,
      seed: 2,
      swarm: { ...abroad, net: { lost: 0.1, twice: 0.5, late: 0.2 }, touches: 60 },
    },
    plant: () => ({
      undo: patch(
        Book.prototype,
        'byHomeRef',
        (byHomeRef) =>
          function (this: Book, domain, circuit) {
            const id = byHomeRef.call(this, domain, circuit);
            const row = id === undefined ? undefined : this.circuits.get(id);
            return row === undefined || isFinal(row.state) || row.state === 'RESERVING' ? undefined : id;
          },
      ),
    }),
  },
  {
    law: 3,
    what: 'a version is used again',
    ground: { domains: 3, safetyS: 120, seed: 1, swarm: torn },
    plant: () => {
      const again = (run: Run, c: Circuit, e: CircuitEvent): Result =>
        afterwards(run(c, e), (now) =>
          now.state === 'RESERVING' && now.pending === undefined ? { ...now, version: now.version - 1 } : now,
        );
      return {
        undo: all(...(['held', 'refused', 'due'] as const).map((event) => rule('HOME', event, again))),
      };
    },
  },
  {
    law: 4,
    what: 'nobody asks what has become of a commit',
    ground: { domains: 2, safetyS: 60, seed: 1, swarm: { ...abroad, lasting: 0.8, touches: 0 } },
    plant: () => ({
      plants: {
        peers: (peers) => ({
          send: (domain, message) =>
            message.op === 'query' ? Promise.reject(new Error('no answer')) : peers.send(domain, message),
        }),
      },
    }),
  },
  {
    law: 5,
    what: 'a commit frees what it is to replace',
    ground: { domains: 2, safetyS: 200, seed: 7, swarm: changing },
    plant: () => ({
      undo: rule('PARTICIPANT', 'commit', (run, c, e) => {
        const result = run(c, e);
        const next = isNext(result) ? committing(result.circuit) : undefined;
        if (!isNext(result) || next === undefined || c.current === undefined) return result;
        const free = matrixOf('PARTICIPANT')[result.circuit.state]['free'];
        if (free === undefined || typeof free === 'string') return result;
        const freed = free.run(result.circuit, {
          type: 'free',
          version: c.current.version,
          active: next.placement.version,
          at: e.at,
        });
        return isNext(freed) ? { ...freed, effects: [...result.effects, ...freed.effects] } : result;
      }),
    }),
  },
  {
    law: 5,
    what: 'a commit supersedes what it is to replace, and an abort finds nothing to go back to',
    ground: { domains: 2, safetyS: 200, seed: 10, swarm: doubting },
    plant: () => ({
      undo: rule('PARTICIPANT', 'abort', (run, c, e) => {
        if (e.type !== 'abort' || !('version' in e)) return run(c, e);
        if (committing(c)?.placement.version !== e.version) return run(c, e);
        const { active: _, ...rest } = e;
        return run(c, rest);
      }),
    }),
  },
  {
    law: 5,
    what: 'only a version that the home has confirmed shines',
    ground: { domains: 2, safetyS: 200, seed: 2, swarm: torn },
    plant: () => ({ plants: { devices: pretending((row) => row.home?.told === false) } }),
  },
  {
    law: 6,
    what: 'the version in force is not counted while another is agreed',
    ground: { domains: 2, safetyS: 300, seed: 1, swarm: abroad },
    plant: () => ({
      plants: {
        seams: {
          claimsOf: (c) => claims(c.pending === undefined ? c : only(c, c.pending.placement)),
        },
      },
    }),
  },
  {
    law: 6,
    what: 'both versions are added up',
    ground: { domains: 2, safetyS: 300, seed: 1, swarm: abroad },
    plant: () => ({
      plants: {
        seams: {
          claimsOf: (c) =>
            c.pending === undefined || c.pending.phase === 'EXPIRED'
              ? claims(c)
              : [...claims(only(c, c.current)), ...claims(only(c, c.pending.placement))],
        },
      },
    }),
  },
  {
    law: 7,
    what: 'the freeze is checked on free',
    ground: { domains: 2, safetyS: 300, seed: 2, swarm: { ...abroad, touches: 65 } },
    plant: () => ({
      undo: rule('PARTICIPANT', 'free', (run, c, e) => {
        const starts = [c.current, committing(c)?.placement].flatMap((p) => (p ? [p.window.start] : []));
        return e.type === 'free' && e.at >= Math.min(...starts) - c.request.noticeS * 1000
          ? no('WRONG_STATE', 'its notice has begun')
          : run(c, e);
      }),
    }),
  },
  {
    law: 8,
    what: 'a label is guessed',
    ground: { domains: 2, safetyS: 300, seed: 1, swarm: abroad },
    plant: () => {
      const guess = (end: Segment['a']): Segment['a'] =>
        end.border === undefined || end.label === undefined
          ? end
          : { ...end, label: end.label === 2 ? 3 : 2 };
      return {
        undo: rule(
          'PARTICIPANT',
          'commit',
          (run, c, e) => {
            if (e.type !== 'commit' || !('placement' in e)) return run(c, e);
            const placement = mapSegments(e.placement, (s) => ({ ...s, a: guess(s.a), z: guess(s.z) }));
            return run(c, { ...e, placement });
          },
          ['HELD'],
        ),
      };
    },
  },
  {
    law: 9,
    what: 'what has moved away is not handed over',
    ground: { domains: 2, safetyS: 300, seed: 1, swarm: moving },
    plant: () => ({ undo: rule('HOME', 'room', () => 'same') }),
  },
  {
    law: 9,
    what: 'what has moved away as it was asked to is not handed over',
    ground: { domains: 3, safetyS: 300, seed: 4, swarm: moving },
    plant: () => ({ undo: patch(Asks.prototype, 'freed', () => () => []) }),
  },
  {
    law: 12,
    what: 'a checkpoint is signed before its records are durable',
    ground: { domains: 1, safetyS: 30, seed: 1 },
    plant: () => ({
      plants: {
        tamper: (broker, node) => {
          const log = broker.term?.writer.audit;
          const signer = broker.term?.signer;
          if (log === undefined || signer === undefined) return;
          const form = log.form.bind(log);
          log.form = (txs) => {
            const group = form(txs);
            const { size } = log.tree;
            const checkpoint = { origin: signer.name, size, root: log.tree.root(size), extensions: [] };
            if (group.rows.length > 0) node.audit.keepHead(signCheckpoint(checkpoint, signer));
            return group;
          };
        },
      },
    }),
  },
  {
    law: 14,
    what: 'one write is left unfenced',
    ground: { domains: 3, safetyS: 200, seed: 1, swarm: { ...abroad, deaths: 0.02 } },
    plant: () => ({
      plants: {
        store: (store) => {
          let epoch = 0;
          return storeWith(store, {
            acquireLease: async (holder, ttlMs) => {
              const answer = await store.acquireLease(holder, ttlMs);
              if (answer.held) epoch = answer.epoch;
              return answer;
            },
            // What only says that an effect is done, whoever says it.
            commit: (group) => store.commit(isIdle(group) ? { ...group, epoch } : group),
          });
        },
      },
    }),
  },
  {
    law: 15,
    what: 'the epoch is looked at before the device is locked',
    ground: {
      domains: 1,
      safetyS: 300,
      seed: 10,
      swarm: { deaths: 0.015, astray: 0.7, pauseMs: 1_200, touches: 65, calamities: 0.01 },
    },
    plant: () => ({ plants: { looseFence: true } }),
  },
  {
    law: 15,
    what: 'an order that got no answer is repeated blindly',
    ground: { domains: 1, safetyS: 300, seed: 2, swarm: { pauseMs: 2_500, touches: 60 } },
    plant: () => ({
      plants: {
        devices: (devices, _node, clock) => ({
          light: async (segment, context) => {
            const report = await devices.light(segment, context);
            if (!report.ok) void clock.sleep(20_000).then(() => devices.light(segment, context));
            return report;
          },
          dark: (segment, context) => devices.dark(segment, context),
          observe: () => devices.observe(),
        }),
      },
    }),
  },
  {
    law: 16,
    what: 'a standby answers, from what it read when it was started',
    ground: { domains: 2, safetyS: 200, seed: 2, swarm: { ...abroad, deaths: 0.02 } },
    plant: () => {
      const read = new Map<string, PeerAnswer>();
      let questions = 0;
      return {
        plants: {
          answered: (by, message, answer) => {
            if (message.op !== 'query') return answer;
            const key = `${by} ${message.circuit}`;
            const first = read.get(key) ?? answer;
            read.set(key, first);
            return questions++ % 2 === 0 ? answer : first;
          },
        },
      };
    },
  },
  {
    law: 17,
    what: 'the version of a document is not looked at',
    ground: {
      domains: 3,
      safetyS: 200,
      seed: 1,
      swarm: { ...calm, deaths: 0.01, touches: 10, net: { lost: 0.06, twice: 0.7, late: 0.05 } },
    },
    plant: () => ({
      undo: patch(
        Surroundings.prototype,
        'judge',
        (judge) =>
          function (this: Surroundings, record) {
            const said = judge.call(this, record);
            return said === 'OLDER' ? 'NEW' : said;
          },
      ),
    }),
  },
  {
    law: 18,
    what: 'all peers share one lane',
    ground: { domains: 3, safetyS: 200, seed: 2, swarm: { ...torn, pauseMs: 1_000, calamities: 0.02 } },
    plant: () => ({
      plants: {
        peers: (peers) => {
          let last: Promise<unknown> = Promise.resolve();
          return {
            send: (domain, message) => {
              const mine = last.then(() => peers.send(domain, message));
              last = mine.catch(() => {});
              return mine;
            },
          };
        },
      },
    }),
  },
];

export interface Named {
  readonly law: Law | 10 | 11 | 13;
  readonly what: string;
}

/** Planted and caught by other tests. */
export const elsewhere: readonly (Named & { readonly at: string })[] = [
  { law: 7, what: 'the home has no deadline for a move', at: 'test/broker/moves.test.ts' },
  { law: 8, what: 'a label does not rest between two circuits', at: 'test/sim/guard.test.ts' },
  { law: 13, what: 'holds of money are swept by time', at: 'test/broker/accounts.test.ts' },
];

/** What has no place in this design: it is planted all the same, and does no harm. */
export const harmless: readonly (Plant & { readonly because: string })[] = [
  {
    law: 1,
    what: 'ended is ignored',
    because:
      'a participant ends by itself only when its window has passed, and so has the home’s; what it has lost before is refused when it is committed',
    ground: { domains: 2, safetyS: 150, seed: 1, swarm: torn },
    plant: () => ({ undo: rule('HOME', 'ended', () => 'same') }),
  },
  {
    law: 4,
    what: 'a cancel has no floor',
    because: 'a cancelled row is final, and what is final answers CLOSED to every version',
    ground: { domains: 2, safetyS: 150, seed: 1, swarm: abroad },
    plant: () => ({
      plants: { said: (message) => (message.op === 'cancel' ? { ...message, floor: 0 } : message) },
    }),
  },
];
