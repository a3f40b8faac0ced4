/**
 * The lifecycle for people, made from its matrices: for each role a table of what every event does in every
 * state, and a diagram of where it may lead. Nothing here knows a rule; docs/LIFECYCLE.md is compared with
 * what this writes.
 */
import { isFinal, type State, states } from '../src/model/circuit.ts';
import { matrixOf } from '../src/model/lifecycle.ts';

const roles = ['HOME', 'PARTICIPANT'] as const;
type Role = (typeof roles)[number];

const about: Readonly<Record<Role, string>> = {
  HOME: 'The domain where the client asked. It places the circuit, asks the other domains of the path, decides, and tells them. A circuit inside one domain walks the same cells with nobody to ask.',
  PARTICIPANT:
    'A domain that holds a segment for another domain’s circuit. It stands by what it has committed until its home tells it otherwise, and asks when it is not told. Its RESERVING means that nothing is held at present; the row is kept as a tombstone that answers CLOSED to a late hold or commit.',
};

const NAMES: Readonly<Record<string, string>> = {
  due: 'the clock: something is due',
  up: 'a segment carries light, read back',
  down: 'a segment should carry light and does not',
  dark: 'a segment is out, read back',
};

type Row = Readonly<Record<string, unknown>>;

/** A rule's other states; undefined for refuse and ignore. */
const leads = (cell: unknown): readonly State[] | undefined =>
  typeof cell === 'object' && cell !== null ? (cell as { readonly to: readonly State[] }).to : undefined;

function said(cell: unknown, state: State): string {
  const to = leads(cell);
  if (to === undefined) return cell === 'refuse' ? '✗' : '·';
  const others = to.filter((s) => s !== state);
  return others.length === 0 ? '↻' : others.join(', ');
}

function table(role: Role): string {
  const matrix = matrixOf(role);
  const lasting = states.filter((s) => !isFinal(s));
  const finals = states.filter(isFinal);
  const events = Object.keys(matrix.RESERVING);
  const lines = events.map((event) => {
    const cells = lasting.map((state) => said((matrix[state] as Row)[event], state));
    const last = new Set(finals.map((state) => said((matrix[state] as Row)[event], state)));
    return `| \`${event}\` | ${[...cells, [...last].join(' ')].join(' | ')} |`;
  });
  return [`| | ${lasting.join(' | ')} | final |`, `|---${'|---'.repeat(lasting.length + 1)}|`, ...lines].join(
    '\n',
  );
}

/** One arrow for each pair of states, with all events that lead along it. */
function diagram(role: Role): string {
  const matrix = matrixOf(role);
  const arrows = new Map<string, string[]>();
  for (const from of states) {
    for (const [event, cell] of Object.entries(matrix[from])) {
      for (const to of leads(cell) ?? []) {
        if (to === from) continue;
        const arrow = `${from} --> ${to}`;
        arrows.set(arrow, [...(arrows.get(arrow) ?? []), event]);
      }
    }
  }
  const reached = new Set([...arrows.keys()].flatMap((arrow) => arrow.split(' --> ')));
  return [
    '```mermaid',
    'stateDiagram-v2',
    '  [*] --> RESERVING',
    ...[...arrows].map(([arrow, events]) => `  ${arrow}: ${events.join(', ')}`),
    ...states.filter((s) => isFinal(s) && reached.has(s)).map((s) => `  ${s} --> [*]`),
    '```',
  ].join('\n');
}

export function lifecycleMarkdown(): string {
  const parts = roles.flatMap((role) => [`## ${role}`, about[role], diagram(role), table(role)]);
  return `${[
    '# Lifecycle of a circuit',
    'Generated from the matrices in `src/model/home.ts` and `src/model/participant.ts` by `npm run gen`. Do not edit.',
    [
      'Every state answers every event. In the tables:',
      '',
      '- a state: where the event may lead, if its rule allows; it may also stay',
      '- ↻: the circuit may change, its state does not',
      '- ✗: refused; a client gets 409 `WRONG_STATE` with the actions that are allowed',
      '- ·: ignored; late or repeated news, nothing happens',
    ].join('\n'),
    `Observations come from devices and the clock: ${Object.entries(NAMES)
      .map(([event, name]) => `\`${event}\` (${name})`)
      .join(', ')}.`,
    ...parts,
  ].join('\n\n')}\n`;
}
