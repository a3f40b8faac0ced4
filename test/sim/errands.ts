/**
 * What is asked less often: sets with an order, offers and their taking, and what operators do to links. Where
 * there is a route it goes over it; the rest asks the use cases, as the routes will.
 */
import type { Broker } from '../../src/broker/broker.ts';
import type { SetMemberAsk } from '../../src/broker/calls.ts';
import { type InstantMs, instant, rfc3339 } from '../../src/kernel/clock.ts';
import type { Circuit, CircuitRequest } from '../../src/model/circuit.ts';
import { aRequest } from '../support/builders.ts';
import type { Dice } from './devices.ts';
import { CAPACITY_MBPS, clientPorts, LINKS } from './network.ts';
import { anybody } from './node.ts';
import { writePlan } from './promises.ts';
import { pick, RATES, secondOf } from './wishes.ts';
import type { DirectAsk, HttpAsk } from './workload.ts';

const call = { principal: anybody, requestId: 'sim', validateOnly: false };

const http = (method: HttpAsk['method'], url: string, body?: unknown, headers = {}): HttpAsk => ({
  kind: 'http',
  method,
  url,
  headers,
  ...(body === undefined ? {} : { body }),
});

function request(dice: Dice, home: number, now: InstantMs): CircuitRequest {
  const ports = clientPorts(home);
  const a = pick(dice, ports);
  const z = pick(
    dice,
    ports.filter((port) => port !== a),
  );
  const notBefore = instant(secondOf(now) + (5 + dice.int(60)) * 1000);
  const durationS = 10 + dice.int(50);
  const laxityS = dice.int(300);
  return aRequest({
    project: 'sim',
    a: { port: a, vlan: 'ANY' },
    z: { port: z, vlan: 'ANY' },
    mbps: pick(dice, RATES),
    noticeS: pick(dice, [0, 5, 30]),
    schedule: {
      type: 'FLEXIBLE',
      durationS,
      notBefore,
      deadline: instant(notBefore + (durationS + laxityS) * 1000),
    },
  });
}

/** Two or three circuits, each after the one before it or clear of its links, placed as one. */
export function set(
  dice: Dice,
  home: number,
  now: InstantMs,
  heard: (circuits: readonly Circuit[]) => void,
): DirectAsk {
  const holdS = dice.chance(0.3) ? 5 + dice.int(30) : 0;
  const apart = dice.chance(0.25);
  const members = Array.from({ length: 2 + dice.int(2) }, (_, i): SetMemberAsk => {
    const base = request(dice, home, now);
    const later = base.schedule.type === 'FLEXIBLE' ? base.schedule.deadline + i * 100_000 : 0;
    const schedule = { ...base.schedule, deadline: instant(later) } as CircuitRequest['schedule'];
    const before = i === 0 ? undefined : `m${i - 1}`;
    const gapS = dice.int(20);
    const order = before === undefined || (apart && i === 1) ? {} : { after: before, gapS };
    const diverse = apart && i === 1 ? { diverse: ['m0'] } : {};
    const plan = { ...order, ...(apart && i === 1 ? { diverse: 'm0' } : {}) };
    const mbps = apart ? Math.min(base.mbps, CAPACITY_MBPS / 4) : base.mbps;
    return {
      key: `m${i}`,
      request: { ...base, mbps, schedule, holdS, description: writePlan(plan) },
      ...order,
      ...diverse,
    };
  });
  return {
    kind: 'direct',
    what: `set of ${members.length}${apart ? ' apart' : ''}`,
    act: async (broker: Broker) => {
      const made = await broker.createSet(call, dice.chance(0.3) ? [...members].reverse() : members);
      if (made.kind === 'done') heard(made.value.circuits);
      return 'made';
    },
  };
}

interface Offered {
  readonly home: number;
  readonly id: Parameters<Broker['takeOffer']>[1];
  readonly options: number;
  readonly request: CircuitRequest;
}

/** Offers made and not yet taken. */
export class Offers {
  readonly #known: Offered[] = [];

  ask(dice: Dice, home: number, now: InstantMs): DirectAsk {
    const asked = request(dice, home, now);
    const wanted = pick(dice, ['EARLIEST_START', 'EARLIEST_FINISH', 'MAX_BANDWIDTH', 'ALL_SLOTS'] as const);
    const firm = dice.chance(0.5) ? { firmS: 5 + dice.int(60) } : {};
    const most = 1 + dice.int(4);
    return {
      kind: 'direct',
      what: `${wanted} offers${'firmS' in firm ? ', firm' : ''}`,
      act: async (broker) => {
        const made = await broker.offers(call, { request: asked, wanted, most, ...firm });
        if (made.kind !== 'done') return 'replayed';
        const { id, options } = made.value;
        this.#known.push({ home, id, options: options.length, request: asked });
        return `${options.length} options`;
      },
    };
  }

  take(dice: Dice, heard: (circuit: Circuit) => void): { home: number; ask: DirectAsk } | undefined {
    const one = this.#known.at(-1 - dice.int(3));
    if (one === undefined) return undefined;
    const option = dice.int(one.options + 1);
    const act: DirectAsk['act'] = async (broker) => {
      const taken = await broker.takeOffer(call, one.id, option, one.request);
      if (taken.kind === 'done') heard(taken.value);
      return 'taken';
    };
    return { home: one.home, ask: { kind: 'direct', what: `take option ${option}`, act } };
  }
}

/** A link fails or is mended, or closes for a while; a window is cancelled or looked at once more. */
export function operate(dice: Dice, now: InstantMs, windows: readonly string[]): HttpAsk {
  const known = windows.length === 0 ? undefined : pick(dice, windows);
  const what = dice.int(10);
  if (known !== undefined && what === 0) return http('DELETE', `/v1/maintenance-windows/${known}`);
  if (known !== undefined && what === 1) return http('POST', `/v1/maintenance-windows/${known}/migrate`);
  if (what < 5) {
    const start = secondOf(now) + (dice.int(100) - 5) * 1000;
    return http('POST', '/v1/maintenance-windows', {
      links: [pick(dice, LINKS)],
      start_time: rfc3339(instant(start)),
      end_time: rfc3339(instant(start + (10 + dice.int(80)) * 1000)),
      conflict: pick(dice, ['REJECT', 'MIGRATE_FLEXIBLE', 'MIGRATE_FLEXIBLE', 'PREEMPT']),
    });
  }
  const state = dice.chance(0.5) ? 'DOWN' : 'UP';
  const change = dice.chance(0.8) ? { oper_state: state } : { admin_state: state };
  return http('PATCH', `/v1/links/${pick(dice, LINKS)}`, change, { 'if-match': '*' });
}

/** Everything is mended. */
export const mend = (): HttpAsk[] =>
  LINKS.map((link) =>
    http('PATCH', `/v1/links/${link}`, { oper_state: 'UP', admin_state: 'UP' }, { 'if-match': '*' }),
  );
