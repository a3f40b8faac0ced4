import type { PolicyWorld } from '../../src/aaa/attributes.ts';
import type { DecisionAsk } from '../../src/aaa/decide.ts';
import { Book } from '../../src/aaa/ledger/book.ts';
import { holdFor } from '../../src/aaa/ledger/money.ts';
import { type Booking, indexQuotas, type Quota, QuotaBook } from '../../src/aaa/ledger/quota.ts';
import { MerkleLog } from '../../src/aaa/merkle/log.ts';
import { seal } from '../../src/aaa/merkle/record.ts';
import { inWords, Policies } from '../../src/aaa/policies.ts';
import { loadPolicies, type PolicySet } from '../../src/aaa/policySet.ts';
import { instant } from '../../src/kernel/clock.ts';
import { atLeast, atMost, type BenchLine } from '../line.ts';
import { cpu, line, NOW, random, rateOf, record } from './measure.ts';

const PROJECTS = 20;
const EACH = 9;

/** 20 common rules, and 9 for each of 20 projects. */
function twoHundredPolicies(): string {
  const rules: string[] = [];
  for (let i = 0; i < 18; i++) {
    rules.push(`@id("deny-${i}") forbid (principal in Group::"suspended/${i}", action, resource);`);
  }
  rules.push(
    '@id("no-transit") forbid (principal, action, resource) when { context.commercial && context has transit && context.transit };',
  );
  rules.push(
    '@id("operator") permit (principal in Role::"operator", action, resource) when { context.override };',
  );
  for (let p = 0; p < PROJECTS; p++) {
    for (let i = 0; i < EACH; i++) {
      rules.push(
        `@id("p${p}-${i}") permit (principal, action in Action::"book", resource == Project::"p${p}")
           when { principal in resource }
           when { context has bandwidth_mbps && context.bandwidth_mbps <= ${(i + 1) * 10_000} }
           when { context.assurance >= ${i < 3 ? 1 : 2} && context.weekday >= ${i % 3} };`,
      );
    }
  }
  return rules.join('\n');
}

const world: PolicyWorld = {
  zone: 'Europe/Amsterdam',
  prefixes: ['ams'],
  portGroups: () => [],
  isCommercial: () => false,
};

function setOf(text: string): PolicySet {
  const loaded = loadPolicies(text);
  if (!loaded.ok) throw new Error(inWords(loaded.problems));
  return loaded.set;
}

function question(i: number): DecisionAsk {
  const project = `p${i % PROJECTS}`;
  return {
    principal: { id: `idp|u${i % 50}`, name: 'u', roles: ['user'], projects: [project], assurance: 1 },
    groups: ['lhc/cms'],
    action: 'circuit.create',
    project,
    at: NOW,
    facts: {
      a_port: 'ams:host1',
      z_port: 'sdg:host1',
      bandwidth_mbps: 10_000,
      schedule: 'FIXED',
      provision: 'AUTOMATIC',
      priority: 50,
      start_time: '2027-01-15T08:00:00Z',
      end_time: '2027-01-15T09:00:00Z',
      project_circuits: 3,
      project_mbps: 30_000,
    },
  };
}

export async function* policy(scale: number): AsyncGenerator<BenchLine> {
  const text = twoHundredPolicies();
  const set = setOf(text);
  const policies = new Policies(set, world);
  const asks = Array.from({ length: 100 }, (_, i) => question(i));
  const ask = (i: number): DecisionAsk => asks[i % asks.length] ?? question(i);
  const small = new Policies(
    setOf('@id("members") permit (principal, action, resource) when { principal in resource };'),
    world,
  );
  // What was asked before is remembered: here no two questions are the same.
  let asked = 0;
  const fresh = (i: number): DecisionAsk => {
    const one = ask(i);
    return {
      ...one,
      principal: { ...one.principal, id: `u${asked++}` },
    };
  };
  const least = rateOf(5_000 * scale, (i) => small.decide(fresh(i)));
  yield line('one policy', 'decisions per second', least, '1/s');
  const rate = rateOf(5_000 * scale, (i) => policies.decide(fresh(i)));
  yield line(`${set.rules.length} policies, sliced`, 'decisions per second', rate, '1/s', {
    against: 'one policy',
    ratio: rate / least,
    ...atLeast(rate, 4_000),
  });
  const again = rateOf(5_000 * scale, (i) => policies.decide(ask(i)));
  yield line(`${set.rules.length} policies, asked before`, 'decisions per second', again, '1/s');
  const denied = rateOf(1_000 * scale, (i) =>
    policies.decide({ ...fresh(i), facts: { ...ask(i).facts, bandwidth_mbps: 500_000 } }),
  );
  yield line(`${set.rules.length} policies, denied with near misses`, 'decisions per second', denied, '1/s');

  const quotas = indexQuotas(
    Array.from({ length: PROJECTS }, (_, i) => `p${i}`).flatMap((id): Quota[] => {
      const scope = { type: 'PROJECT', id } as const;
      return [
        { id: `${id}-n`, scope, kind: 'CIRCUITS', period: 'LIVE', limit: 1e9 },
        { id: `${id}-b`, scope, kind: 'BANDWIDTH', period: 'LIVE', limit: 1e12 },
        { id: `${id}-v`, scope, kind: 'VOLUME', period: 'MONTH', limit: 2 ** 52 },
      ];
    }),
  );
  const use = new QuotaBook();
  const book = new Book();
  for (let p = 0; p < PROJECTS; p++)
    book.enter({ id: p + 1, at: NOW, project: `p${p}`, unit: 'MBIT', kind: 'GRANT', amount: 2 ** 50 });
  const log = new MerkleLog();
  let seq = 0;
  const each =
    cpu(5_000 * scale, (i) => {
      const one = fresh(i);
      const verdict = policies.decide(one);
      const booking: Booking = {
        circuit: `cir_${seq}`,
        project: one.project,
        portGroups: [],
        mbps: 10_000,
        window: { start: instant(NOW + seq * 60_000), end: instant(NOW + seq * 60_000 + 3_600_000) },
      };
      if (verdict.effect !== 'ALLOW' || use.check(quotas, booking) !== undefined) throw new Error('refused');
      use.enter(booking);
      for (const row of holdFor(
        book,
        { project: one.project, circuit: booking.circuit, at: NOW },
        36_000_000,
      ))
        book.enter(row);
      const { leaf } = seal(
        {
          ...record(seq++),
          ...(verdict.seen === undefined ? {} : { facts: verdict.seen }),
          reasons: verdict.reasons,
        },
        (n) => random.bytes(n),
      );
      log.append(leaf);
    }) /
    (5_000 * scale);
  yield line(
    'one admission: decision, quota, hold, record',
    'CPU',
    each * 1000,
    'ms',
    atMost(each * 1000, 0.25),
  );
}
