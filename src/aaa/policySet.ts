/**
 * A policy set: text that was checked in every way we know, cut into slices (the rules that can matter for
 * one action of one kind of people on one project) so that 200 rules cost what ten do, and asked through one narrow door that is
 * closed on any error. Which set is in force, and where texts are kept, is decided elsewhere.
 */
import { createHash } from 'node:crypto';
import {
  type AuthorizationAnswer,
  type EntityUidJson,
  type PolicyJson,
  policySetTextToParts,
  policyToJson,
  preparsePolicySet,
  preparseSchema,
  statefulIsAuthorized,
  type TypeAndId,
  validate,
} from '@cedar-policy/cedar-wasm/nodejs';
import { invariant } from '../kernel/assert.ts';
import '../kernel/engine.ts';
import { PRINCIPAL_IN } from './attributes.ts';
import { clausesOf, contextNames, objectsIn, type PolicyClause } from './clauses.ts';
import type { DecidedAction, NearMiss, Seen } from './decide.ts';
import { actionGroups, schema, sliceSchema } from './schema.ts';

export interface PolicyProblem {
  readonly rule?: string;
  readonly detail: string;
}

export type Loaded =
  | { readonly ok: true; readonly set: PolicySet }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

/** What is decided, after everything has been worked out: kept in the record, it decides again. */
export interface PolicyQuestion {
  readonly principal: string;
  readonly action: DecidedAction;
  readonly project: string;
  readonly seen: Seen;
}

export interface Judgement {
  readonly effect: 'ALLOW' | 'DENY';
  readonly reasons: readonly string[];
  readonly errors: readonly string[];
}

export const MAX_POLICIES = 1_000;
const MAX_TEXT = 512 * 1024;
const ID = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const PRINTABLE = /^[ -~]*$/;
const ARITHMETIC = ['+', '-', '*', 'neg'];
/** So many slices are kept ready; the one unused for longest makes room. */
const MAX_SLICES = 1_024;
/** So many answers of a slice are remembered. */
const MAX_ANSWERS = 1_024;

/**
 * Cedar keeps what it has parsed under names, for ever. A slot is such a name, for a set of rules and for a
 * schema; those that are given back are used again, so that a thousand uploads take the room of the largest
 * few.
 */
const freeSlots: string[] = [];
let slots = 0;
/** Of sets that nobody holds any more. */
const left = new FinalizationRegistry<Set<string>>((unused) => freeSlots.push(...unused));

interface Rule {
  readonly id: string;
  readonly json: PolicyJson;
  readonly clauses: readonly PolicyClause[];
  readonly reads: readonly string[];
  /** Undefined: every one. */
  readonly actions: ReadonlySet<string> | undefined;
  readonly project: string | undefined;
  /** `Group::lhc`: who is not in it, or is not it, has nothing to do with this rule. */
  readonly who: string | undefined;
}

interface Slice {
  readonly rules: readonly Rule[];
  /** Of the context only this is handed over: what a call costs is the conversion of what it carries. */
  readonly reads: ReadonlySet<string>;
  readonly slot: string;
  /** What was answered to whom about what: asking again costs ten times as much. */
  readonly answers: Map<string, Judgement>;
  /** Clause by clause; parsed at the first denial. */
  clauseSlot?: string;
}

/** Checks a text and makes a set of it, or says everything that is wrong with it and makes nothing. */
export function loadPolicies(text: string): Loaded {
  const problems: PolicyProblem[] = [];
  if (text.length > MAX_TEXT)
    return { ok: false, problems: [{ detail: `longer than ${MAX_TEXT} characters` }] };
  const parts = policySetTextToParts(text);
  if (parts.type === 'failure')
    return { ok: false, problems: parts.errors.map((e) => ({ detail: e.message })) };
  if (parts.policy_templates.length > 0) problems.push({ detail: 'templates are not used here' });
  if (parts.policies.length > MAX_POLICIES) problems.push({ detail: `more than ${MAX_POLICIES} policies` });
  const rules = new Map<string, Rule>();
  for (const part of parts.policies.slice(0, MAX_POLICIES)) {
    const answer = policyToJson(part);
    if (answer.type === 'failure') problems.push(...answer.errors.map((e) => ({ detail: e.message })));
    else problems.push(...enter(answer.json, rules));
  }
  if (problems.length > 0) return { ok: false, problems };
  const staticPolicies = Object.fromEntries([...rules.values()].map((r) => [r.id, r.json]));
  const checked = validate({ schema, policies: { staticPolicies } });
  if (checked.type === 'failure')
    return { ok: false, problems: checked.errors.map((e) => ({ detail: e.message })) };
  // A warning is a rule that can never hold, such as a forbid behind a guard with a slip of the pen in it: as
  // open a door as one that fails.
  const found = [...checked.validationErrors, ...checked.validationWarnings];
  if (found.length > 0)
    return { ok: false, problems: found.map((e) => ({ rule: e.policyId, detail: e.error.message })) };
  return { ok: true, set: new PolicySet(text, [...rules.values()]) };
}

/** What is wrong with one policy beyond what Cedar would say; without a fault it is entered. */
function enter(json: PolicyJson, rules: Map<string, Rule>): PolicyProblem[] {
  const id = json.annotations?.['id'];
  if (id === undefined || !ID.test(id)) return [{ detail: 'a policy without a well-formed @id("...")' }];
  if (rules.has(id)) return [{ rule: id, detail: 'the id is there twice' }];
  const problems: PolicyProblem[] = [];
  if (!PRINTABLE.test(JSON.stringify(json)))
    problems.push({ rule: id, detail: 'a character outside ASCII: names that look alike are not the same' });
  const keys = [...objectsIn(json.conditions)].flatMap(Object.keys);
  if (keys.some((key) => ARITHMETIC.includes(key)))
    problems.push({ rule: id, detail: 'arithmetic, which can overflow; the sums are in the context' });
  rules.set(id, {
    id,
    json,
    clauses: clausesOf(json),
    reads: contextNames(json.conditions),
    ...scopeOf(json),
  });
  return problems;
}

const uid = (entity: EntityUidJson): TypeAndId => ('__entity' in entity ? entity.__entity : entity);

function scopeOf({ principal, action, resource }: PolicyJson): Pick<Rule, 'actions' | 'project' | 'who'> {
  const named: TypeAndId[] = [];
  if (action.op !== 'All') {
    if ('entity' in action) named.push(uid(action.entity));
    if ('entities' in action) named.push(...action.entities.map(uid));
  }
  const members = named.flatMap(({ id }) => [
    id,
    ...Object.entries(actionGroups).flatMap(([name, group]) => (group === id ? [name] : [])),
  ]);
  // Projects have no ancestors, so `in` a project is to be that project.
  const project =
    (resource.op === '==' || resource.op === 'in') && 'entity' in resource ? uid(resource.entity) : undefined;
  const inside = principal.op === 'is' ? principal.in : principal.op === 'All' ? undefined : principal;
  const who = inside !== undefined && 'entity' in inside ? uid(inside.entity) : undefined;
  return {
    who: who === undefined ? undefined : `${who.type}::${who.id}`,
    actions: action.op === 'All' ? undefined : new Set(members),
    project: project?.type === 'Project' ? project.id : undefined,
  };
}

export class PolicySet {
  readonly text: string;
  readonly sha256: string;
  readonly rules: readonly { readonly id: string; readonly effect: 'permit' | 'forbid' }[];
  /** Some rule names a user: then a decision replays only while that user's id has not been erased. */
  readonly namesUsers: boolean;
  readonly #rules: readonly Rule[];
  /** Projects that some rule is only for. */
  readonly #projects: ReadonlySet<string | undefined>;
  /** Whom some rule is only for. */
  readonly #who: ReadonlySet<string | undefined>;
  readonly #slices = new Map<string, Slice>();
  readonly #slots = new Set<string>();
  readonly #readBy = new Map<DecidedAction, ReadonlySet<string>>();
  #closed = false;

  /** Of rules that loadPolicies has checked. */
  constructor(text: string, rules: readonly Rule[]) {
    this.text = text;
    this.sha256 = createHash('sha256').update(text).digest('hex');
    this.#rules = rules;
    this.#projects = new Set(rules.map((r) => r.project));
    this.#who = new Set(rules.map((r) => r.who));
    this.rules = rules.map(({ id, json }) => ({ id, effect: json.effect }));
    left.register(this, this.#slots);
    this.namesUsers = rules.some((r) =>
      [...objectsIn(r.json)].some((o) => o['type'] === 'User' && typeof o['id'] === 'string'),
    );
  }

  judge(question: PolicyQuestion): Judgement {
    invariant(!this.#closed, 'a closed policy set decides nothing');
    try {
      const slice = this.#slice(question);
      // All that Cedar is handed, and nothing else: the same in, the same out.
      const { principal, project, seen } = question;
      const handed = JSON.stringify([principal, project, insideOf(seen), pick(seen, slice.reads)]);
      const known = slice.answers.get(handed);
      if (known !== undefined) return known;
      const judgement = judgementOf(ask(slice, slice.slot, question));
      if (slice.answers.size >= MAX_ANSWERS) slice.answers.clear();
      slice.answers.set(handed, judgement);
      return judgement;
    } catch (error) {
      return closedOn(error instanceof Error ? error.message : 'the policy engine failed');
    }
  }

  /** Does some rule about this action look at that name of `context`? */
  reads(action: DecidedAction, name: string): boolean {
    let names = this.#readBy.get(action);
    if (names === undefined) {
      names = new Set(this.#rules.filter((r) => r.actions?.has(action) ?? true).flatMap((r) => r.reads));
      this.#readBy.set(action, names);
    }
    return names.has(name);
  }

  /**
   * What would have been needed. Of the forbids that decided: what made each apply. Where none did, of each
   * permit in whose scope the question lies: the clauses that did not hold.
   */
  nearMisses(
    question: PolicyQuestion,
    { effect, reasons }: Pick<Judgement, 'effect' | 'reasons'>,
  ): readonly NearMiss[] {
    const slice = this.#slice(question);
    slice.clauseSlot ??= this.#parse(
      Object.fromEntries(slice.rules.flatMap(clausePolicies)),
      sliceSchema(question.action, slice.reads),
    );
    const answer = ask(slice, slice.clauseSlot, question);
    if (answer.type === 'failure') return [];
    const held = new Set(answer.response.diagnostics.reason);
    const forbidden = effect === 'DENY' && reasons.length > 0;
    const inTheWay = (rule: Rule): boolean =>
      forbidden ? reasons.includes(rule.id) : rule.json.effect === 'permit' && held.has(`${rule.id}#`);
    return slice.rules.filter(inTheWay).flatMap((rule) =>
      rule.clauses
        .filter((clause, i) => held.has(`${rule.id}#${i}`) === clause.blockedWhen)
        .map(
          (clause): NearMiss => ({
            rule: rule.id,
            effect: rule.json.effect,
            clause: clause.text,
            values: valuesOf(clause, question),
          }),
        ),
    );
  }

  /** Gives its slots back at once, where the garbage collector would in its time. It answers nothing more. */
  close(): void {
    this.#closed = true;
    freeSlots.push(...this.#slots);
    this.#slots.clear();
    this.#slices.clear();
  }

  #slice({ principal, action, project, seen }: PolicyQuestion): Slice {
    const mine = [`User::${principal}`, ...insideOf(seen)].filter((name) => this.#who.has(name));
    const key = [action, this.#projects.has(project) ? project : '', ...mine].join('\n');
    const known = this.#slices.get(key);
    if (known !== undefined) {
      // A Map keeps the order of entry, so entering again makes it the latest used.
      this.#slices.delete(key);
      this.#slices.set(key, known);
      return known;
    }
    const rules = this.#rules.filter(
      (r) =>
        (r.actions?.has(action) ?? true) &&
        (r.project === undefined || r.project === project) &&
        (r.who === undefined || mine.includes(r.who)),
    );
    const reads = new Set(rules.flatMap((r) => r.reads));
    const slot = this.#parse(
      Object.fromEntries(rules.map((r) => [r.id, r.json])),
      sliceSchema(action, reads),
    );
    const slice: Slice = { rules, reads, slot, answers: new Map() };
    this.#slices.set(key, slice);
    for (const [oldest, unused] of this.#slices) {
      if (this.#slices.size <= MAX_SLICES) break;
      this.#slices.delete(oldest);
      this.#giveBack(unused);
    }
    return slice;
  }

  #parse(staticPolicies: Readonly<Record<string, PolicyJson>>, sliced: string): string {
    const slot = parse(staticPolicies, sliced);
    this.#slots.add(slot);
    return slot;
  }

  #giveBack({ slot, clauseSlot }: Slice): void {
    for (const one of clauseSlot === undefined ? [slot] : [slot, clauseSlot]) {
      this.#slots.delete(one);
      freeSlots.push(one);
    }
  }
}

function parse(staticPolicies: Readonly<Record<string, PolicyJson>>, sliced: string): string {
  const slot = freeSlots.pop() ?? `slot-${slots++}`;
  for (const answer of [
    preparsePolicySet(slot, { staticPolicies: { ...staticPolicies } }),
    preparseSchema(slot, sliced),
  ]) {
    if (answer.type === 'success') continue;
    freeSlots.push(slot);
    throw new Error(answer.errors[0]?.message ?? 'the slice does not parse');
  }
  return slot;
}

const clausePolicies = (rule: Rule): [string, PolicyJson][] => [
  [`${rule.id}#`, { ...rule.json, effect: 'permit', conditions: [] }],
  ...rule.clauses.map((c, i): [string, PolicyJson] => [`${rule.id}#${i}`, c.policy]),
];

function insideOf(seen: Seen): readonly string[] {
  const inside = seen[PRINCIPAL_IN];
  // Array.isArray does not narrow readonly lists.
  return Array.isArray(inside) ? (inside as readonly string[]) : [];
}

function ask(
  slice: Slice,
  slot: string,
  { principal, action, project, seen }: PolicyQuestion,
): AuthorizationAnswer {
  const context = pick(seen, slice.reads);
  const parents = insideOf(seen).map((name): TypeAndId => {
    const at = name.indexOf('::');
    return { type: name.slice(0, at), id: name.slice(at + 2) };
  });
  const user = { type: 'User', id: principal };
  return statefulIsAuthorized({
    principal: user,
    action: { type: 'Action', id: action },
    resource: { type: 'Project', id: project },
    // Cedar's types do not know readonly lists; it only reads them.
    context: context as Parameters<typeof statefulIsAuthorized>[0]['context'],
    preparsedSchemaName: slot,
    validateRequest: true,
    preparsedPolicySetId: slot,
    entities: [{ uid: user, attrs: {}, parents }],
  });
}

/** Cedar skips a rule that fails, also a forbid: so any error at all is a no. */
export function judgementOf(answer: AuthorizationAnswer): Judgement {
  if (answer.type === 'failure') return closedOn(...answer.errors.map((e) => e.message));
  const { reason, errors } = answer.response.diagnostics;
  // Cedar gives reasons in any order.
  const reasons = [...reason].sort();
  if (errors.length > 0) {
    return {
      effect: 'DENY',
      reasons: [],
      errors: errors.map((e) => `${e.policyId}: ${e.error.message}`).sort(),
    };
  }
  return { effect: answer.response.decision === 'allow' ? 'ALLOW' : 'DENY', reasons, errors: [] };
}

export const closedOn = (...errors: string[]): Judgement => ({ effect: 'DENY', reasons: [], errors });

function valuesOf(clause: PolicyClause, { project, seen }: PolicyQuestion): Seen {
  const values = pick(seen, clause.principal ? [PRINCIPAL_IN, ...clause.reads] : clause.reads);
  return clause.resource ? { ...values, project } : values;
}

function pick(seen: Seen, names: Iterable<string>): Seen {
  const picked: Record<string, Seen[string]> = {};
  for (const name of names) {
    const value = seen[name];
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}
