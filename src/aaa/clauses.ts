/**
 * A policy taken apart into its clauses, each a policy of its own, so that a denial can say which clause of
 * which rule it failed by. Cedar itself names nothing when nothing permits. `when {a && b}` is two clauses,
 * and so is the `unless {a || b}` of a permit and the `unless {a && b}` of a forbid; a clause keeps the `has`
 * guards before it, else it would fail instead of being false.
 */
import { type Clause, type Expr, type PolicyJson, policyToText } from '@cedar-policy/cedar-wasm/nodejs';

export interface PolicyClause {
  readonly policy: PolicyJson;
  readonly text: string;
  /** Names of `context` that it looks at. */
  readonly reads: readonly string[];
  /** Does it look at whom the question is about, at the project? */
  readonly principal: boolean;
  readonly resource: boolean;
  /** What its being so means: false, and the rule is not satisfied by it; true, and a forbid applies by it. */
  readonly blockedWhen: boolean;
}

export function clausesOf(policy: PolicyJson): PolicyClause[] {
  const forbids = policy.effect === 'forbid';
  return policy.conditions.flatMap(({ kind, body: whole }) => {
    // What gets a forbid out of the way is read like what gets a permit to apply.
    const asked = kind === 'when' || forbids;
    const guards: Expr[] = [];
    return flatten(whole, asked ? '&&' : '||').map((part): PolicyClause => {
      const clause: Clause = {
        kind: asked ? 'when' : kind,
        body: asked ? guards.reduceRight(both, part) : part,
      };
      if (asked && 'has' in part) guards.push(part);
      return {
        policy: { ...policy, effect: 'permit', conditions: [clause] },
        text: textOf({ kind, body: part }),
        reads: contextNames(part),
        principal: names(part, 'principal'),
        resource: names(part, 'resource'),
        blockedWhen: forbids && kind === 'when',
      };
    });
  });
}

const both = (right: Expr, left: Expr): Expr => ({ '&&': { left, right } });

function flatten(body: Expr, joint: '&&' | '||'): Expr[] {
  const pair =
    joint === '&&' && '&&' in body ? body['&&'] : joint === '||' && '||' in body ? body['||'] : undefined;
  // The call of an extension has the same shape but holds a list.
  if (pair === undefined || Array.isArray(pair)) return [body];
  return [...flatten(pair.left, joint), ...flatten(pair.right, joint)];
}

function textOf(clause: Clause): string {
  const answer = policyToText({
    effect: 'permit',
    principal: { op: 'All' },
    action: { op: 'All' },
    resource: { op: 'All' },
    conditions: [clause],
  });
  const text = answer.type === 'success' ? answer.text : '';
  const from = text.indexOf(` ${clause.kind} `);
  return from === -1 ? clause.kind : text.slice(from + 1).replace(/;\s*$/, '');
}

/** Every object inside `value`, itself included. */
export function* objectsIn(value: unknown): Generator<Readonly<Record<string, unknown>>> {
  if (typeof value !== 'object' || value === null) return;
  // An object has no other form than this.
  yield value as Readonly<Record<string, unknown>>;
  for (const inner of Object.values(value)) yield* objectsIn(inner);
}

/** Names of `context` that an expression, or a whole policy, looks at. */
export function contextNames(expression: Expr | readonly Clause[]): string[] {
  const names = new Set<string>();
  for (const object of objectsIn(expression)) {
    const { left, attr } = object;
    if (!isContext(left)) continue;
    for (const name of Array.isArray(attr) ? attr.slice(0, 1) : [attr])
      if (typeof name === 'string') names.add(name);
  }
  return [...names];
}

const isContext = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'Var' in value && value.Var === 'context';

const names = (expression: Expr, variable: string): boolean =>
  [...objectsIn(expression)].some((object) => object['Var'] === variable);
