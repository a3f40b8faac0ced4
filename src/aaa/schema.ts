/**
 * The Cedar schema, made from the declared attributes and actions; and the page for people who write
 * policies. Both are committed and compared with what this file makes.
 */
import { createHash } from 'node:crypto';
import { type Attribute, attributes, cedarType } from './attributes.ts';
import { actions, type DecidedAction } from './decide.ts';

/** Groups of actions, so that a rule need not list them. An action that only gives back is in `reduce`. */
export const actionGroups = {
  'circuit.create': 'book',
  'circuit.commit': 'operate',
  'circuit.abort': 'reduce',
  'circuit.extend-hold': 'operate',
  'circuit.provision': 'operate',
  'circuit.release': 'reduce',
  'circuit.cancel': 'reduce',
  'circuit.modify': 'operate',
  'circuit.reroute': 'operate',
  'series.create': 'book',
  'series.cancel': 'reduce',
  'set.create': 'book',
  'set.commit': 'operate',
  'set.abort': 'reduce',
  'set.cancel': 'reduce',
  'webhook.write': 'watch',
  'topology.write': 'administer',
  'project.write': 'administer',
  'quota.write': 'administer',
  'network.inspect': 'inspect',
  'audit.read': 'inspect',
  'audit.erase': 'administer',
  'policy.read': 'inspect',
  'policy.write': 'administer',
  'policy.activate': 'administer',
  'peer.segment': 'serve',
  'token.issue': 'operate',
  'token.attenuate': 'operate',
  'token.revoke': 'reduce',
  'token.keys': 'administer',
} as const satisfies Readonly<Record<DecidedAction, string>>;

const groupNames = [...new Set(Object.values(actionGroups))];

const ENTITIES = `entity Role enum ["operator", "user"];
entity Group;
entity Project;
entity User in [Role, Group, Project];
`;

const contextType = (of: readonly Attribute[]): string =>
  ['type Seen = {', ...of.map((a) => `  ${a.name}${a.always ? '' : '?'}: ${cedarType(a)},`), '};', ''].join(
    '\n',
  );

const actionText = (name: DecidedAction): string =>
  `action "${name}" in [Action::"${actionGroups[name]}"] appliesTo {\n  principal: [User], resource: [Project], context: Seen\n};\n`;

/** What policies are checked against. */
export const schema: string = [
  '// Generated from src/aaa/attributes.ts and src/aaa/schema.ts.',
  ENTITIES,
  contextType(attributes),
  ...groupNames.map((name) => `action "${name}";`),
  '',
  ...actions.map(actionText),
].join('\n');

export const schemaSha256: string = createHash('sha256').update(schema).digest('hex');

/** The same for one action and the attributes that somebody reads: all that one decision is checked against. */
export const sliceSchema = (action: DecidedAction, reads: ReadonlySet<string>): string =>
  [
    ENTITIES,
    contextType(attributes.filter((a) => reads.has(a.name))),
    `action "${actionGroups[action]}";`,
    actionText(action),
  ].join('\n');

/** docs/POLICY.md */
export function policyMarkdown(): string {
  const rows = attributes.map(
    (a) =>
      `| \`${a.name}\` | ${cedarType(a)} | ${a.always ? 'always' : 'guard it'} | ${a.source} | ${a.doc} |`,
  );
  const grouped = groupNames.map((name) => {
    const members = actions.filter((action) => actionGroups[action] === name);
    return `| \`Action::"${name}"\` | ${members.map((m) => `\`${m}\``).join(', ')} |`;
  });
  return `# What a policy can see

Generated from \`src/aaa/attributes.ts\` and \`src/aaa/schema.ts\`; \`npm run gen\` writes it again. The broker asks
the version in force before everything that somebody wants, and keeps each answer with what the rules saw.

A policy set is text in Cedar. Every policy has an \`@id("...")\` that is unique in the set: decisions name it.
The principal is a \`User\` that is in its roles (\`Role::"operator"\`, \`Role::"user"\`), in its groups with their
ancestors (\`lhc/cms/ops\` is in \`Group::"lhc/cms"\` and in \`Group::"lhc"\`) and in its projects. The resource is the
\`Project\` that the circuit is for, so \`principal in resource\` says "a member".

A set is not loaded unless it validates against the schema. Beyond that, arithmetic is refused (the sums below are
worked out for you), templates are, and so is any character outside ASCII: two letters that look alike are two
different names. Whatever goes wrong while a set decides, the answer is no. There are two exceptions, each named in the
decision: actions of the group \`reduce\` are not kept from anybody by an error (\`REDUCE_ONLY\`), and while no set is in
force an operator may put one there (\`REPAIR\`).

Facts that are not known yet are told as the most that they can become: a VOLUME without a ceiling has the rate of its
narrower port, and the sums of a FLEXIBLE request are those of its whole window. A rule that looks at the calendar is
asked a second time with the slot that the broker chose. A later move inside the window that was agreed is no new
decision.

A value that is not \`always\` there is guarded: \`context has duration_s && context.duration_s <= 86400\`. Write
ceilings as permits: a permit whose value is missing does not apply, a forbid whose value is missing does not either.

## Attributes of \`context\`

| name | type | there | from | meaning |
|---|---|---|---|---|
${rows.join('\n')}

## Groups of actions

| group | actions |
|---|---|
${grouped.join('\n')}
`;
}
