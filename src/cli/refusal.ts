/**
 * A refusal of the broker, told to a person: what was refused and why, where the bottleneck is, what would
 * fit instead, which rules decided, what to try. Also the one place where a refusal gets its exit code.
 */
import { problems } from '../kernel/errors.ts';
import { printable } from '../kernel/printable.ts';
import { needed } from './decision.ts';
import { CliError, type Exit, exits } from './io.ts';
import { dig, isJson, items, type Json, number, text } from './output.ts';
import { formatBandwidth } from './units.ts';

/** An answer that is no success. `problem` is empty when it was not the broker who said so (a proxy). */
export class Refused extends CliError {
  readonly status: number;
  readonly problem: Json;
  /** An earlier attempt of the same call may have been carried out. */
  readonly afterLost: boolean;
  constructor(status: number, body: unknown, afterLost = false) {
    const problem = isJson(body) ? body : {};
    super(exitOf(status, text(problem['code'])), explain(status, problem), tryThis(problem));
    this.status = status;
    this.problem = problem;
    this.afterLost = afterLost;
  }
  get code(): string {
    return text(this.problem['code']);
  }
}

const BY_CODE: Readonly<Record<string, Exit>> = {
  NO_FEASIBLE_SLOT: exits.NO_SLOT,
  DEADLINE_UNREACHABLE: exits.NO_SLOT,
  PEER_FAILED: exits.PEER_OR_DEVICE,
  DEVICE_FAILED: exits.PEER_OR_DEVICE,
  IDEMPOTENCY_KEY_REUSED: exits.CONFLICT,
};
const BY_STATUS: Readonly<Record<number, Exit>> = {
  400: exits.USAGE,
  401: exits.UNAUTHENTICATED,
  403: exits.DENIED,
  409: exits.CONFLICT,
  410: exits.CONFLICT,
  412: exits.CONFLICT,
  428: exits.CONFLICT,
};

export const exitOf = (status: number, code: string): Exit =>
  BY_CODE[code] ?? BY_STATUS[status] ?? exits.ERROR;

function explain(status: number, problem: Json): string {
  const code = text(problem['code']);
  const title = text(problem['title']) || `the server answered ${status}, not in the words of a broker`;
  const lines = [code === '' ? title : `${title} (${code})`];
  const detail = text(problem['detail']);
  if (detail !== '' && detail !== title) lines.push(detail);
  for (const error of items(problem['errors'])) {
    lines.push(`  ${text(error['pointer']) || '/'}: ${text(error['detail'])}`);
  }
  const bottlenecks = items(problem['bottlenecks']);
  if (bottlenecks.length > 0)
    lines.push('what is in the way:', ...bottlenecks.map((b) => `  ${bottleneck(b)}`));
  const alternatives = items(problem['alternatives']);
  if (alternatives.length > 0)
    lines.push('what would fit:', ...alternatives.map((a) => `  ${alternative(a)}`));
  const missing = items(problem['needed']);
  if (missing.length > 0) lines.push('what stood in the way:', ...missing.map((one) => `  ${needed(one)}`));
  const circuits = items(problem['circuits']);
  if (circuits.length > 0) lines.push('circuits in the way:', ...circuits.map((c) => `  ${inTheWay(c)}`));
  if (problem['proof'] === 'BUDGET_SPENT')
    lines.push('the search ended before it was complete: a slot may exist');
  const actions = problem['allowed_actions'];
  if (Array.isArray(actions))
    lines.push(`what it can do now: ${text(actions) || 'nothing more, it is final'}`);
  for (const [name, label] of [
    ['domain', 'domain'],
    ['decision_id', 'decision'],
    ['request_id', 'request'],
  ] as const) {
    const value = text(problem[name]);
    if (value !== '') lines.push(`${label}: ${value}`);
  }
  return lines.map(printable).join('\n');
}

function bottleneck(b: Json): string {
  const free = number(b['free_mbps']);
  const needed = number(b['needed_mbps']);
  const parts = [`${text(b['kind']).toLowerCase().replace('_', ' ')} ${text(b['id'])}`.trim()];
  if (free !== undefined) parts.push(`${formatBandwidth(free)} free`);
  if (needed !== undefined) parts.push(`${formatBandwidth(needed)} needed`);
  const start = text(b['start_time']);
  const end = text(b['end_time']);
  if (start !== '') parts.push(`from ${start}`);
  if (end !== '') parts.push(`until ${end}`);
  const detail = text(b['detail']);
  return parts.join(', ') + (detail === '' ? '' : ` (${detail})`);
}

function alternative(a: Json): string {
  const mbps = number(a['bandwidth_mbps']);
  const end = text(a['end_time']);
  const rate = mbps === undefined ? '' : `${formatBandwidth(mbps)} `;
  return `${rate}from ${text(a['start_time'])}${end === '' ? '' : ` until ${end}`}`;
}

function inTheWay(c: Json): string {
  const start = text(c['start_time']);
  const end = text(c['end_time']);
  const when = `${start === '' ? '' : ` from ${start}`}${end === '' ? '' : ` until ${end}`}`;
  return `${text(c['circuit_id'])}${when}`;
}

/** What a person at a terminal can do next; the registry's own advice speaks of HTTP and is the last resort. */
function tryThis(problem: Json): string[] {
  const code = text(problem['code']);
  const decision = text(problem['decision_id']);
  const first = dig(problem, 'alternatives', 0);
  const hints: string[] = [];
  if (code === 'NO_FEASIBLE_SLOT' && isJson(first)) {
    hints.push(optionsFor(first, dig(problem, 'bottlenecks', 0)));
  } else if (code === 'UNAUTHENTICATED') {
    hints.push('set TURNPIKE_TOKEN to a token of an issuer that the broker knows');
  } else if (code === 'TOKEN_REQUIRED') {
    hints.push(
      'turnpike token issue CIRCUIT --out FILE; then --token FILE --key FILE, with the key of its holder',
    );
  } else if (decision !== '' && (code === 'POLICY_DENIED' || code.startsWith('TOKEN_'))) {
    hints.push(`turnpike decision why ${decision}`);
  } else if (code === 'MAINTENANCE_CONFLICT') {
    hints.push('--conflict migrate, --conflict preempt, or another time');
  } else if (code === 'NOT_HOME') {
    hints.push('set TURNPIKE_URL to the broker of that domain');
  } else if (
    Object.hasOwn(problems, code) &&
    code !== 'NOT_SUPPORTED' &&
    !/\[\]|_id\}/.test(problems[code as keyof typeof problems].help)
  ) {
    hints.push(problems[code as keyof typeof problems].help);
  }
  const retry = number(problem['retry_after_s']);
  if (retry !== undefined) hints.push(`again in ${retry} s`);
  return hints.map(printable);
}

/** The words that book an alternative. In the window that was asked for only the rate differs. */
function optionsFor(offered: Json, asked: unknown): string {
  const said: string[] = [];
  const end = text(offered['end_time']);
  if (offered['start_time'] !== dig(asked, 'start_time') || offered['end_time'] !== dig(asked, 'end_time')) {
    said.push(`--start ${text(offered['start_time'])}`);
    if (end !== '') said.push(`--end ${end}`);
  }
  const mbps = number(offered['bandwidth_mbps']);
  if (mbps !== undefined) said.push(`--bw ${formatBandwidth(mbps)}`);
  return said.join(' ');
}
