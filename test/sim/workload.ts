/**
 * The clients: they ask for circuits that nearly fit, hold and commit, provision, change, extend, release and
 * cancel, at random but within reason, over the real routes. What was acknowledged to them they remember, to
 * be compared at the end.
 */
import { type InstantMs, instant, rfc3339 } from '../../src/kernel/clock.ts';
import type { Dice } from './devices.ts';
import { clientPorts, neighboursOf } from './network.ts';

export interface Ask {
  readonly method: 'POST' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** What is asked of whom, for the trace and the memory. */
  readonly circuit?: string;
}

interface Known {
  readonly id: string;
  readonly home: number;
  etag: string;
  readonly endMs: number;
  readonly ports: readonly string[];
  readonly manual: boolean;
  readonly held: boolean;
  cancelled: boolean;
  over: boolean;
}

const RATES = [1_000, 2_500, 5_000, 10_000] as const;

export class Workload {
  readonly known: Known[] = [];
  readonly #domains: number;
  readonly #dice: Dice;
  #keys = 0;

  constructor(domains: number, dice: Dice) {
    this.#domains = domains;
    this.#dice = dice;
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#dice.int(list.length)] as T;
  }

  /** A request for a circuit at domain `home`, sometimes exactly where another one ends. */
  create(home: number, now: InstantMs): Ask {
    const dice = this.#dice;
    const near = this.#pick(clientPorts(home));
    const neighbours = neighboursOf(home, this.#domains);
    const abroad = neighbours.length > 0 && dice.chance(0.5);
    const far = abroad
      ? this.#pick(clientPorts(this.#pick(neighbours)))
      : this.#pick(clientPorts(home).filter((port) => port !== near));
    const [a, z] = dice.chance(0.5) ? [near, far] : [far, near];
    const second = Math.floor(now / 1000) * 1000;
    const before = dice.chance(0.4)
      ? this.known.findLast((k) => k.home === home && k.endMs > now && k.ports.includes(near))
      : undefined;
    const start = before?.endMs ?? second + (5 + dice.int(120)) * 1000;
    // Some last long enough to see everything healed while they run.
    const durationS = dice.chance(0.12) ? 600 + dice.int(900) : 10 + dice.int(110);
    const end = start + durationS * 1000;
    const schedule = dice.chance(0.2)
      ? { type: 'NOW', duration_s: 10 + dice.int(90) }
      : { type: 'FIXED', start_time: rfc3339(instant(start)), end_time: rfc3339(instant(end)) };
    const body = {
      project: 'sim',
      a: { port: a },
      z: { port: z },
      bandwidth_mbps: this.#pick(RATES),
      provision: dice.chance(0.2) ? 'MANUAL' : 'AUTOMATIC',
      hold_s: dice.chance(0.3) ? 5 + dice.int(40) : 0,
      schedule,
    };
    return {
      method: 'POST',
      url: '/v1/circuits',
      headers: dice.chance(0.3) ? { 'idempotency-key': `key-${this.#keys++}` } : {},
      body,
    };
  }

  /** Something to do to a circuit that a client knows of. */
  touch(now: InstantMs): { readonly home: number; readonly ask: Ask } | undefined {
    const open = this.known.filter((k) => !k.over && !k.cancelled && k.endMs > now);
    if (open.length === 0) return undefined;
    const dice = this.#dice;
    const one = this.#pick(open);
    const at = `/v1/circuits/${one.id}`;
    const ask = (method: Ask['method'], url: string, body?: unknown, headers = {}): Ask => ({
      method,
      url,
      headers,
      circuit: one.id,
      ...(body === undefined ? {} : { body }),
    });
    const change = (): Ask =>
      ask('PATCH', at, { bandwidth_mbps: this.#pick(RATES) }, { 'if-match': one.etag });
    const extend = (): Ask => ask('POST', `${at}/extend`, { extend_s: 5 + dice.int(30) });
    const choices: readonly (() => Ask)[] = [
      ...(one.held
        ? [
            () => ask('POST', `${at}/commit`),
            () => ask('POST', `${at}/commit`),
            () => ask('POST', `${at}/commit`),
            () => ask('POST', `${at}/extend-hold`, { hold_s: 5 + dice.int(40) }),
          ]
        : []),
      ...(one.manual ? [() => ask('POST', `${at}/provision`), () => ask('POST', `${at}/provision`)] : []),
      () => ask('POST', `${at}/abort`),
      extend,
      extend,
      change,
      change,
      change,
      () => ask('POST', `${at}/release`),
      () => ask('DELETE', at),
    ];
    return { home: one.home, ask: this.#pick(choices)() };
  }

  /** An answer came. */
  heard(home: number, ask: Ask, now: InstantMs, status: number, headers: Headers, body: unknown): void {
    const circuit = asCircuit(body);
    if (ask.circuit === undefined) {
      if (status !== 201 || circuit === undefined) return;
      this.known.push({
        id: circuit.id,
        home,
        etag: headers.etag ?? '',
        // One that is still being asked for elsewhere has no placement yet.
        endMs: circuit.end ?? now + 120_000,
        ports: circuit.ports,
        manual: circuit.manual,
        held: circuit.held,
        cancelled: false,
        over: false,
      });
      return;
    }
    const known = this.known.find((k) => k.id === ask.circuit);
    if (known === undefined) return;
    if (headers.etag !== undefined) known.etag = headers.etag;
    if (
      status < 300 &&
      (ask.method === 'DELETE' || ask.url.endsWith('/release') || ask.url.endsWith('/abort'))
    )
      known.cancelled = true;
    if (status === 404) known.over = true;
  }
}

export interface Headers {
  readonly etag?: string;
}

interface Read {
  readonly id: string;
  readonly end?: number;
  readonly ports: string[];
  readonly manual: boolean;
  readonly held: boolean;
}

function asCircuit(body: unknown): Read | undefined {
  if (typeof body !== 'object' || body === null || !('id' in body)) return undefined;
  // The answers of our own API, of which no more is believed than is read here.
  const circuit = body as {
    readonly id: string;
    readonly request?: {
      readonly a?: { readonly port?: string };
      readonly z?: { readonly port?: string };
      readonly provision?: string;
      readonly hold_s?: number;
    };
    readonly placement?: { readonly end_time?: string };
  };
  const { placement, request } = circuit;
  return {
    id: circuit.id,
    ports: [request?.a?.port ?? '', request?.z?.port ?? ''],
    manual: request?.provision === 'MANUAL',
    held: (request?.hold_s ?? 0) > 0,
    ...(placement?.end_time === undefined ? {} : { end: Date.parse(placement.end_time) }),
  };
}
