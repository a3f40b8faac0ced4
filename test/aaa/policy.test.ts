/**
 * The policy's one door: attacks 58 to 61, near misses, slices beside the whole set, replay, simulation,
 * and what a policy can see at the edges of clocks and numbers.
 */
import { isAuthorized, preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runAssertions } from '../../src/aaa/assertions.ts';
import { attributes, see } from '../../src/aaa/attributes.ts';
import { actions, type DecisionAsk } from '../../src/aaa/decide.ts';
import { type PastDecision, Policies, replay, simulate } from '../../src/aaa/policies.ts';
import { judgementOf, loadPolicies } from '../../src/aaa/policySet.ts';
import { actionGroups, schema, schemaSha256 } from '../../src/aaa/schema.ts';
import { instant } from '../../src/kernel/clock.ts';
import { ask, inForce, loaded, world } from './world.ts';

const MEMBERS = '@id("members") permit (principal, action, resource) when { principal in resource };';
const FORBID_BIG =
  '@id("big") forbid (principal, action, resource) when { context has bandwidth_mbps && context.bandwidth_mbps > 5 };';

describe('attack 58: a forbid that fails is a no', () => {
  const call = (conditions: string) => {
    preparsePolicySet('test-58', {
      staticPolicies: {
        members: 'permit (principal, action, resource);',
        guard: `forbid (principal, action, resource) when { ${conditions} };`,
      },
    });
    return statefulIsAuthorized({
      principal: { type: 'User', id: 'a' },
      action: { type: 'Action', id: 'circuit.create' },
      resource: { type: 'Project', id: 'lhc' },
      context: { big: Number.MAX_SAFE_INTEGER },
      preparsedPolicySetId: 'test-58',
      entities: [],
    });
  };
  test.each([
    ['overflow', 'context.big * 2000 > 5'],
    ['a missing attribute', 'context.missing > 5'],
    ['another type', 'context.big.contains(1)'],
  ])('%s: Cedar allows, we do not', (_, conditions) => {
    const answer = call(conditions);
    // The trap itself: were Cedar to change, this would tell.
    expect(answer).toMatchObject({ type: 'success', response: { decision: 'allow' } });
    const { effect, reasons, errors } = judgementOf(answer);
    expect([effect, reasons, errors.length]).toEqual(['DENY', [], 1]);
  });
  test.each([
    ['overflow', 'context has bandwidth_mbps && context.bandwidth_mbps * 2000 > 5', /arithmetic/],
    ['subtraction', 'context.month - 1 > 5', /arithmetic/],
    ['negation of a value', 'context.month > -context.month', /arithmetic/],
    ['a missing attribute', 'context.missing > 5', /missing/],
    ['an attribute that may be missing', 'context.bandwidth_mbps > 5', /bandwidth_mbps/],
    ['another type', 'context.month.contains(1)', /month|type/],
  ])('such a set is not even loaded: %s', (_, conditions, complaint) => {
    const result = loadPolicies(`@id("x") forbid (principal, action, resource) when { ${conditions} };`);
    expect(result.ok).toBe(false);
    expect(JSON.stringify(result)).toMatch(complaint);
  });
});

describe('attack 59: facts of the wrong type are a no', () => {
  const policies = inForce(MEMBERS);
  test.each([
    ['a text for a number', { bandwidth_mbps: '5' }],
    ['a fraction', { bandwidth_mbps: 1.5 }],
    ['NaN', { bandwidth_mbps: Number.NaN }],
    ['beyond 2^53', { bandwidth_mbps: 2 ** 53 }],
    ['a number for a text', { schedule: 7 }],
    ['a time that is none', { start_time: 'soon' }],
    [
      'a product beyond 2^53',
      { bandwidth_mbps: 2 ** 40, start_time: '2026-06-01T00:00:00Z', end_time: '2027-06-01T00:00:00Z' },
    ],
  ])('%s', (_, facts) => {
    const verdict = policies.decide(ask({ facts }));
    expect(verdict.effect).toBe('DENY');
    expect(verdict.errors).toHaveLength(1);
  });
  test('and the right ones a yes', () => {
    expect(policies.decide(ask({ facts: { bandwidth_mbps: 5, schedule: 'NOW' } }))).toMatchObject({
      effect: 'ALLOW',
      reasons: ['members'],
    });
  });
  test('a role that does not exist', () => {
    const principal = { ...ask().principal, roles: ['root'] } as unknown as ReturnType<
      typeof ask
    >['principal'];
    expect(policies.decide(ask({ principal })).effect).toBe('DENY');
  });
});

describe('attack 60: look-alikes are not loaded', () => {
  test.each([
    ['a role', '@id("x") permit (principal in Role::"\u043eperator", action, resource);'],
    ['a group', '@id("x") permit (principal in Group::"lh\u0441", action, resource);'],
    ['a project', '@id("x") permit (principal, action, resource == Project::"lh\u0441");'],
    ['a text', '@id("x") permit (principal, action, resource) when { context.sequence == "PUL\u216c" };'],
    ['an escape', '@id("x") permit (principal in Group::"lh\\u{441}", action, resource);'],
    ['bidirectional marks', '@id("x") permit (principal in Group::"\u202elhc", action, resource);'],
  ])('%s', (_, text) => {
    expect(loadPolicies(text)).toMatchObject({ ok: false, problems: [{ rule: 'x' }] });
  });
  test('in a comment they do no harm', () => {
    expect(loadPolicies(`// für alle\n${MEMBERS}`).ok).toBe(true);
  });
  test.each([
    ['a role that does not exist', '@id("x") permit (principal in Role::"root", action, resource);'],
    [
      'an action that does not exist',
      '@id("x") permit (principal, action == Action::"circuit.fly", resource);',
    ],
    [
      'a guard with a slip of the pen',
      '@id("x") forbid (principal, action, resource) when { context has bandwith && context.month > 5 };',
    ],
    ['a rule that can never hold', '@id("x") forbid (principal, action, resource) when { false };'],
    ['no id', 'permit (principal, action, resource);'],
    ['the same id twice', MEMBERS + MEMBERS],
    ['a template', '@id("x") permit (principal == ?principal, action, resource);'],
    ['no policy language', 'permit everything'],
    ['more than half a megabyte', `//${'x'.repeat(600_000)}`],
  ])('%s', (_, text) => {
    expect(loadPolicies(text).ok).toBe(false);
  });
});

describe('attack 61: a broken set', () => {
  test.each(['permit', FORBID_BIG.replace('bandwidth_mbps &&', 'bandwith &&'), MEMBERS + MEMBERS])(
    'is never made, and says what is wrong: %s',
    (broken) => {
      const result = loadPolicies(broken);
      expect(result.ok).toBe(false);
      expect(result.ok || result.problems.length).toBeGreaterThan(0);
    },
  );
  test('another takes its place whole, and can be taken back', () => {
    const policies = inForce(MEMBERS);
    const before = policies.set;
    const big = ask({ facts: { bandwidth_mbps: 6 } });
    const back = policies.use(loaded(MEMBERS + FORBID_BIG));
    expect(policies.decide(big)).toMatchObject({
      effect: 'DENY',
      reasons: ['big'],
      policy: policies.set?.sha256,
      schema: schemaSha256,
    });
    back();
    expect(policies.set).toBe(before);
    expect(policies.decide(big).effect).toBe('ALLOW');
  });
  test('what a set had parsed is gone with it: the next one in its slots decides its own way', () => {
    for (let i = 0; i < 20; i++) {
      const policies = inForce(i % 2 === 0 ? MEMBERS + FORBID_BIG : MEMBERS);
      expect(policies.decide(ask({ facts: { bandwidth_mbps: 6 } })).effect).toBe(
        i % 2 === 0 ? 'DENY' : 'ALLOW',
      );
      policies.set?.close();
    }
  });
});

describe('with no set in force', () => {
  const policies = new Policies({ closed: 'the stored set does not load' }, world);
  const operator = { ...ask().principal, roles: ['operator' as const] };
  test('everything is denied, and says why', () => {
    for (const action of actions.filter((one) => actionGroups[one] !== 'reduce'))
      expect(policies.decide(ask({ action })), action).toMatchObject({
        effect: 'DENY',
        reasons: [],
        policy: 'NONE',
        errors: ['the stored set does not load'],
      });
  });
  test('but what only gives back', () => {
    for (const action of actions.filter((one) => actionGroups[one] === 'reduce'))
      expect(policies.decide(ask({ action })), action).toMatchObject({
        effect: 'ALLOW',
        reasons: ['REDUCE_ONLY'],
        errors: ['the stored set does not load'],
      });
  });
  test.each([
    ['policy.activate', operator, 'ALLOW'],
    ['policy.write', operator, 'ALLOW'],
    ['policy.activate', ask().principal, 'DENY'],
    ['topology.write', operator, 'DENY'],
    ['circuit.create', operator, 'DENY'],
  ] as const)('and what puts one in force: %s', (action, principal, effect) => {
    expect(policies.decide(ask({ action, principal })).effect).toBe(effect);
  });
  test('a set that is in force is not mended past its own rules', () => {
    const facts = { bandwidth_mbps: 0.5 };
    expect(
      inForce(MEMBERS).decide(ask({ action: 'policy.activate', principal: operator, facts })).effect,
    ).toBe('DENY');
    expect(inForce(MEMBERS).decide(ask({ action: 'circuit.release', facts }))).toMatchObject({
      effect: 'ALLOW',
      reasons: ['REDUCE_ONLY'],
    });
    expect(inForce(MEMBERS).decide(ask({ action: 'circuit.release', project: 'atlas' })).effect).toBe('DENY');
  });
});

describe('a denial explains itself', () => {
  const policies = inForce(
    `@id("big-pipe") permit (principal in Group::"lhc/ops", action in Action::"book", resource)
       when { context has bandwidth_mbps && context.bandwidth_mbps <= 100 && context.bandwidth_mbps >= 10 }
       unless { context.weekday == 7 || context.commercial };
     @id("other-project") permit (principal, action, resource == Project::"atlas");
     @id("other-action") permit (principal, action == Action::"topology.write", resource);`,
  );
  const near = (facts: Record<string, number>, groups = ['lhc/ops'], at = '2026-06-03T10:00:00Z') =>
    policies
      .decide(ask({ facts, groups, at: instant(Date.parse(at)) }))
      .nearMisses?.map((m) => [m.rule, m.clause, m.values]);
  test('by the clauses that failed, with the values they saw', () => {
    expect(near({ bandwidth_mbps: 500 })).toEqual([
      ['big-pipe', 'when { (context.bandwidth_mbps) <= 100 }', { bandwidth_mbps: 500 }].map((v) =>
        typeof v === 'string' && v.startsWith('when') ? expect.stringContaining('context.bandwidth_mbps') : v,
      ),
    ]);
    expect(near({ bandwidth_mbps: 5 })).toEqual([
      ['big-pipe', expect.stringContaining('>= 10'), { bandwidth_mbps: 5 }],
    ]);
  });
  test('by an unless, by itself', () => {
    const sunday = near({ bandwidth_mbps: 50 }, ['lhc/ops'], '2026-06-07T10:00:00Z');
    expect(sunday).toEqual([['big-pipe', expect.stringMatching(/^unless .*weekday == 7/), { weekday: 7 }]]);
  });
  test('by the guard and what it guards, when the value is missing', () => {
    expect(near({})?.map((m) => m[1])).toEqual([
      expect.stringContaining('has bandwidth_mbps'),
      expect.stringContaining('<= 100'),
      expect.stringContaining('>= 10'),
    ]);
  });
  test('rules out of whose scope it lies are not near', () => {
    expect(near({ bandwidth_mbps: 50 }, ['lhc'])).toEqual([]);
  });
  test('an allowed one has none, but explain says what else would have been needed', () => {
    expect(policies.decide(ask({ project: 'atlas' })).nearMisses).toBeUndefined();
    expect(policies.explain(ask({ project: 'atlas', groups: ['lhc/ops'] }))).toMatchObject({
      effect: 'ALLOW',
      reasons: ['other-project'],
      nearMisses: [{ rule: 'big-pipe' }, { rule: 'big-pipe' }, { rule: 'big-pipe' }],
    });
  });
  test('a forbid, by what made it apply and what would have kept it away', () => {
    const { decide } = withForbid;
    const denied = decide(ask({ facts: { bandwidth_mbps: 50, priority: 9 } }));
    expect(denied.reasons).toEqual(['cap']);
    expect(denied.nearMisses).toEqual([
      {
        rule: 'cap',
        effect: 'forbid',
        clause: expect.stringMatching(/^when .*month == 6/),
        values: { month: 6 },
      },
      {
        rule: 'cap',
        effect: 'forbid',
        clause: expect.stringMatching(/^unless .*<= 10/),
        values: { bandwidth_mbps: 50 },
      },
    ]);
  });
  test('a clause with an or in when is one clause', () => {
    const set = inForce(
      '@id("x") permit (principal, action, resource) when { context.month == 1 || context.month == 2 };',
    );
    expect(set.decide(ask()).nearMisses).toMatchObject([{ rule: 'x', values: { month: 6 } }]);
  });
});

const withForbid = {
  decide: (asked: DecisionAsk) =>
    inForce(
      `${MEMBERS}@id("cap") forbid (principal, action, resource) when { context.month == 6 }
       unless { context has bandwidth_mbps && context.bandwidth_mbps <= 10 && context has priority && context.priority < 90 };`,
    ).decide(asked),
};

describe('slices', () => {
  const projects = ['p0', 'p1', 'p2', 'p3'];
  const rule = fc.record({
    effect: fc.constantFrom('permit', 'permit', 'forbid'),
    who: fc.constantFrom(
      'principal',
      'principal in Group::"g"',
      'principal == User::"u1"',
      'principal in Project::"p1"',
    ),
    what: fc.constantFrom(
      'action',
      'action == Action::"circuit.create"',
      'action in Action::"reduce"',
      'action in [Action::"book", Action::"circuit.modify"]',
    ),
    where: fc.constantFrom(
      'resource',
      'resource == Project::"p1"',
      'resource in Project::"p2"',
      'resource is Project',
    ),
    when: fc.constantFrom(
      'true',
      'context.month > 3',
      'principal in resource',
      'context has priority && context.priority > 50',
    ),
  });
  test('decide as Cedar does over the whole set, for the same reasons', () => {
    fc.assert(
      fc.property(
        fc.array(rule, { minLength: 1, maxLength: 12 }),
        fc.constantFrom('u1', 'u2'),
        fc.constantFrom(...projects),
        fc.constantFrom(...actions),
        fc.boolean(),
        fc.option(fc.nat(100), { nil: undefined }),
        (rules, id, project, action, grouped, priority) => {
          const bodies = rules.map(
            (r) => `${r.effect} (${r.who}, ${r.what}, ${r.where}) when { ${r.when} };`,
          );
          const set = loaded(bodies.map((b, i) => `@id("r${i}") ${b}`).join('\n'));
          const seen = see(
            ask({
              principal: { id, name: id, roles: ['user'], projects: ['p1', 'p2'], assurance: 1 },
              ...(grouped ? { groups: ['g/h'] } : {}),
              facts: priority === undefined ? {} : { priority },
            }),
            world,
          );
          const { principal_in: inside, ...context } = seen;
          const whole = isAuthorized({
            principal: { type: 'User', id },
            action: { type: 'Action', id: action },
            resource: { type: 'Project', id: project },
            context: context as Parameters<typeof isAuthorized>[0]['context'],
            schema,
            validateRequest: true,
            policies: { staticPolicies: Object.fromEntries(bodies.map((b, i) => [`r${i}`, b])) },
            entities: [
              {
                uid: { type: 'User', id },
                attrs: {},
                parents: (inside as string[]).map((name) => {
                  const [type = '', parent = ''] = name.split('::');
                  return { type, id: parent };
                }),
              },
            ],
          });
          expect(set.judge({ principal: id, action, project, seen })).toEqual(judgementOf(whole));
          // Remembered, with what no rule looks at otherwise, and asked by another.
          const other = { ...seen, bandwidth_mbps: 7 };
          const fresh = loaded(set.text);
          for (const principal of [id, 'u1', 'u2', id])
            expect(set.judge({ principal, action, project, seen: other })).toEqual(
              fresh.judge({ principal, action, project, seen: other }),
            );
          fresh.close();
          set.close();
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('what a policy sees', () => {
  const at = (start: string, facts: Record<string, string | number> = {}) =>
    see(ask({ facts: { start_time: start, ...facts } }), world);
  test.each([
    ['the hour before the clocks go back', '2026-10-25T00:30:00Z', { weekday: 7, minute_of_day: 150 }],
    ['and an hour later, the same on the wall', '2026-10-25T01:30:00Z', { weekday: 7, minute_of_day: 150 }],
    ['past the hour that is left out in spring', '2026-03-29T01:00:00Z', { weekday: 7, minute_of_day: 180 }],
    [
      'midnight belongs to the day that begins',
      '2026-12-31T23:00:00Z',
      { month: 1, day_of_month: 1, minute_of_day: 0 },
    ],
    ['Monday is 1', '2026-06-01T10:00:00Z', { weekday: 1 }],
  ])('%s', (_, start, expected) => {
    expect(at(start)).toMatchObject(expected);
  });
  test('sums are worked out', () => {
    const seen = at('2026-06-01T00:00:00Z', { end_time: '2026-06-01T01:00:00Z', bandwidth_mbps: 10 });
    expect(seen).toMatchObject({ duration_s: 3600, volume_mbit: 36_000, endless: false });
    expect(at('2026-06-01T00:00:00Z')).toMatchObject({ endless: true });
    expect(see(ask(), world)).toMatchObject({ endless: false });
  });
  test('lineage is made from names, without doubles', () => {
    const { principal_in } = see(ask({ groups: ['/lhc/cms/ops', 'lhc/cms', 'lhc'] }), world);
    expect(principal_in).toEqual([
      'Group::lhc',
      'Group::lhc/cms',
      'Group::lhc/cms/ops',
      'Project::lhc',
      'Role::user',
    ]);
  });
  test('the list has every name once', () => {
    const names = attributes.map((a) => a.name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('a decision replayed from its record', () => {
  const text = `${MEMBERS}${FORBID_BIG}@id("anna") permit (principal == User::"idp|anna", action, resource);`;
  const policies = inForce(text);
  const set = loaded(text);
  const past = (id: string, over: Parameters<typeof ask>[0] = {}): PastDecision => {
    const one = ask(over);
    const { effect, reasons, seen } = policies.decide(one);
    // Through JSON, as the record keeps it.
    return JSON.parse(
      JSON.stringify({
        id,
        principal: one.principal.id,
        action: one.action,
        project: one.project,
        effect,
        reasons,
        seen,
      }),
    );
  };
  test('is the same decision, whatever was asked', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...actions),
        fc.constantFrom('lhc', 'atlas'),
        fc.constantFrom('idp|anna', 'idp|bob'),
        fc.nat(10),
        fc.integer({ min: 0, max: 2_000_000_000 }),
        (action, project, id, mbps, s) => {
          const principal = { ...ask().principal, id };
          const one = past('dec_1', {
            action,
            project,
            principal,
            facts: { bandwidth_mbps: mbps },
            at: instant(s * 1000),
          });
          expect(replay(set, one)).toBe('SAME');
        },
      ),
      { numRuns: 100 },
    );
  });
  test('a changed fact is found', () => {
    const one = past('dec_1', { facts: { bandwidth_mbps: 3 } });
    expect(replay(set, { ...one, seen: { ...one.seen, bandwidth_mbps: 9 } })).toMatchObject({
      effect: 'DENY',
    });
  });
  test('with an erased person it is the same where no rule names people, else it says erased', () => {
    const { principal: _, ...erased } = past('dec_1');
    expect(replay(set, erased)).toBe('ERASED');
    const plain = loaded(MEMBERS);
    expect(replay(plain, { ...erased, reasons: ['members'] })).toBe('SAME');
  });
  test('simulation says which would turn round', () => {
    const history = [
      past('dec_1', { facts: { bandwidth_mbps: 3 } }),
      past('dec_2', { facts: { bandwidth_mbps: 9 } }),
      past('dec_3', { project: 'atlas', principal: { ...ask().principal, id: 'idp|bob' } }),
    ];
    expect(history.map((h) => h.effect)).toEqual(['ALLOW', 'DENY', 'DENY']);
    expect(simulate(loaded(MEMBERS), history)).toEqual({
      decisions: 3,
      erased: 0,
      changes: [{ id: 'dec_2', was: 'DENY', becomes: 'ALLOW', reasons: ['members'] }],
    });
  });
});

describe('assertions', () => {
  const set = loaded(MEMBERS + FORBID_BIG);
  const base = {
    name: 'x',
    principal: { projects: ['lhc'] },
    action: 'circuit.create',
    project: 'lhc',
  } as const;
  test.each([
    ['a right one', { ...base, expect: 'ALLOW' as const, because: ['members'] }, undefined],
    ['another effect', { ...base, expect: 'DENY' as const }, 'ALLOW by members'],
    ['another reason', { ...base, expect: 'ALLOW' as const, because: ['big'] }, 'ALLOW by members'],
    ['no near miss', { ...base, project: 'x', expect: 'DENY' as const, near: 'big' }, /no clause of big/],
    ['no such action', { ...base, action: 'fly', expect: 'DENY' as const }, /no action fly/],
    [
      'facts that fail',
      { ...base, facts: { bandwidth_mbps: 'x' }, expect: 'DENY' as const },
      /not a valid Long/,
    ],
  ])('%s', (_, assertion, detail) => {
    const [result] = runAssertions(set, world, [assertion]);
    if (detail === undefined) expect(result).toEqual({ name: 'x', ok: true });
    else expect(result?.detail).toMatch(detail);
  });
});
