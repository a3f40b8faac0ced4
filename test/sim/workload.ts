/**
 * The clients: they ask for circuits that nearly fit, hold and commit, provision, change, extend, release and
 * cancel, at random but within reason, over the real routes. What was acknowledged to them they remember, to
 * be compared at the end. When they want it is in wishes.ts, what is asked more rarely in errands.ts.
 */
import type { Broker } from '../../src/broker/broker.ts';
import type { InstantMs } from '../../src/kernel/clock.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import type { Dice } from './devices.ts';
import { Offers, operate, set } from './errands.ts';
import type { SimHolder } from './holder.ts';
import { clientPorts } from './network.ts';
import type { Swarm } from './swarm.ts';
import { patch, pick, wish } from './wishes.ts';

export interface HttpAsk {
  readonly kind: 'http';
  readonly method: 'POST' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** What is asked of whom, for the trace and the memory. */
  readonly circuit?: string;
  /** Only tried: nothing may change. */
  readonly dry?: boolean;
}

/** Of a use case that has no route yet. */
export interface DirectAsk {
  readonly kind: 'direct';
  readonly what: string;
  /** Says what came of it, for the trace; a refusal is thrown. */
  act(broker: Broker): Promise<string>;
}

export type Ask = HttpAsk | DirectAsk;
export interface Errand {
  readonly home: number;
  readonly ask: Ask;
}

interface Known {
  readonly id: string;
  readonly home: number;
  etag: string;
  readonly endMs: number;
  readonly ports: readonly string[];
  readonly manual: boolean;
  readonly held: boolean;
  readonly set?: string;
  cancelled: boolean;
  over: boolean;
}

/** What a client could read of a circuit at any time. */
export type Look = (home: number, id: string) => Circuit | undefined;

/** How many maintenance windows are remembered, to be cancelled or looked at again. */
const WINDOWS_KNOWN = 4;

export class Workload {
  readonly known: Known[] = [];
  readonly #domains: number;
  readonly #swarm: Swarm;
  readonly #dice: Dice;
  readonly #look: Look;
  readonly #holder: SimHolder | undefined;
  readonly #offers = new Offers();
  readonly #windows = new Map<number, string[]>();
  #keys = 0;

  constructor(domains: number, swarm: Swarm, dice: Dice, look: Look, holder?: SimHolder) {
    this.#holder = holder;
    this.#domains = domains;
    this.#swarm = swarm;
    this.#dice = dice;
    this.#look = look;
  }

  /** Something that somebody wants of domain `home` or of one of its circuits. */
  next(home: number, now: InstantMs): Errand {
    const dice = this.#dice;
    const what = dice.int(100);
    if (what < this.#swarm.touches) {
      const touch = this.touch(now);
      if (touch !== undefined) return touch;
    }
    // Where all is about other domains, what is asked of one alone would only be in the way.
    if (this.#swarm.wishes !== 'ANY') return { home, ask: this.create(home, now) };
    if (what < 52) return { home, ask: operate(dice, now, this.#windows.get(home) ?? []) };
    if (what < 58) {
      const heard = (made: readonly Circuit[]): void => {
        for (const circuit of made) this.#met(home, circuit);
      };
      return { home, ask: set(dice, home, now, heard) };
    }
    if (what < 62) return { home, ask: this.#offers.ask(dice, home, now) };
    if (what < 66) {
      const taking = this.#offers.take(dice, (circuit) => this.#met(home, circuit));
      if (taking !== undefined) return taking;
    }
    return { home, ask: this.create(home, now) };
  }

  /** A request for a circuit at domain `home`, often where another one is. */
  create(home: number, now: InstantMs): HttpAsk {
    const dice = this.#dice;
    const near = pick(dice, clientPorts(home));
    const others = Array.from({ length: this.#domains }, (_, n) => n).filter((n) => n !== home);
    const abroad = others.length > 0 && dice.chance(this.#swarm.abroad);
    const far = abroad
      ? pick(dice, clientPorts(pick(dice, others)))
      : pick(
          dice,
          clientPorts(home).filter((port) => port !== near),
        );
    const [a, z] = dice.chance(0.5) ? [near, far] : [far, near];
    const other = dice.chance(0.6)
      ? this.known.findLast((k) => k.home === home && k.endMs > now && k.ports.includes(near))
      : undefined;
    const { endMs: _, ...wanted } = wish(
      dice,
      now,
      other === undefined ? undefined : this.#look(home, other.id),
      abroad,
      this.#swarm,
    );
    const { type } = wanted.schedule;
    const body = {
      project: 'sim',
      a: { port: a },
      z: { port: z, ...(dice.chance(0.15) ? { vlan: 2 + dice.int(4) } : {}) },
      provision: dice.chance(this.#holder === undefined ? 0.15 : 0.4) ? 'MANUAL' : 'AUTOMATIC',
      ...(this.#holder === undefined ? {} : { holder_jwk: this.#holder.jwk }),
      hold_s: dice.chance(0.25) ? 5 + dice.int(40) : 0,
      priority: pick(dice, [10, 50, 50, 90]),
      ...((!abroad || this.#domains > 2) && type !== 'VOLUME' && dice.chance(abroad ? 0.3 : 0.08)
        ? { protection: 'PROTECTED' }
        : {}),
      ...wanted,
    };
    const dry = dice.chance(0.05);
    return {
      kind: 'http',
      method: 'POST',
      url: dry ? '/v1/circuits?validate_only=true' : '/v1/circuits',
      headers: dice.chance(0.3) ? { 'idempotency-key': `key-${this.#keys++}` } : {},
      body,
      ...(dry ? { dry } : {}),
    };
  }

  /** Something to do to a circuit that a client knows of. */
  touch(now: InstantMs): Errand | undefined {
    const open = this.known.filter((k) => !k.over && !k.cancelled && k.endMs > now);
    if (open.length === 0) return undefined;
    const dice = this.#dice;
    const one = pick(dice, open);
    const at = `/v1/circuits/${one.id}`;
    const ask = (method: HttpAsk['method'], url: string, body?: unknown, headers = {}): HttpAsk => ({
      kind: 'http',
      method,
      url,
      headers,
      circuit: one.id,
      ...(body === undefined ? {} : { body }),
    });
    const circuit = this.#look(one.home, one.id);
    // Most have read the circuit just now; some have not heard that it was moved.
    const etag = circuit === undefined || dice.chance(0.15) ? one.etag : `"${circuit.revision}"`;
    const change = (): Ask => ask('PATCH', at, patch(dice, now, circuit), { 'if-match': etag });
    const extend = (): Ask => ask('POST', `${at}/extend`, { extend_s: 5 + dice.int(30) });
    const { set: setId } = one;
    const sets = `/v1/circuit-sets/${setId}`;
    const held = (): Ask => this.#holder?.provision(one.home, one.id) ?? ask('POST', `${at}/provision`);
    const choices: readonly (() => Ask)[] = [
      ...(one.held
        ? [
            () => ask('POST', `${at}/commit`),
            () => ask('POST', `${at}/commit`),
            () => ask('POST', `${at}/commit`),
            () => ask('POST', `${at}/extend-hold`, { hold_s: 5 + dice.int(40) }),
          ]
        : []),
      ...(setId !== undefined && one.held ? [() => ask('POST', `${sets}/commit`)] : []),
      ...(setId !== undefined ? [() => ask('DELETE', sets)] : []),
      ...(one.manual ? [() => ask('POST', `${at}/provision`), held] : []),
      ...(one.manual && this.#holder !== undefined ? [held, held] : []),
      () => ask('POST', `${at}/abort`),
      ...Array.from({ length: this.#swarm.extends }, () => extend),
      change,
      change,
      change,
      change,
      () => ask('POST', `${at}/reroute`),
      () => ask('POST', `${at}/release`),
      () => ask('DELETE', at),
    ];
    return { home: one.home, ask: pick(dice, choices)() };
  }

  #met(home: number, c: Circuit): void {
    const deadline = 'deadline' in c.request.schedule ? c.request.schedule.deadline : undefined;
    this.known.push({
      id: c.id,
      home,
      etag: `"${c.revision}"`,
      endMs: deadline ?? c.current?.window.end ?? 0,
      ports: [c.request.a.port, c.request.z.port],
      manual: c.request.provision === 'MANUAL',
      held: c.request.holdS > 0 && c.state === 'HELD',
      ...(c.setId === undefined ? {} : { set: c.setId }),
      cancelled: false,
      over: false,
    });
  }

  /** An answer came. */
  heard(home: number, ask: HttpAsk, now: InstantMs, status: number, headers: Headers, body: unknown): void {
    if (ask.dry === true) return;
    this.#hearOfWindows(home, ask, status, body);
    const circuit = asCircuit(body);
    if (ask.circuit === undefined) {
      if (ask.url !== '/v1/circuits' || status !== 201 || circuit === undefined) return;
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

  #hearOfWindows(home: number, ask: HttpAsk, status: number, body: unknown): void {
    if (ask.url !== '/v1/maintenance-windows' || status !== 201) return;
    // An answer of our own API.
    const { id } = body as { readonly id: string };
    this.#windows.set(home, [...(this.#windows.get(home) ?? []), id].slice(-WINDOWS_KNOWN));
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
    readonly placement?: { readonly end_time?: string; readonly slack_s?: number };
  };
  const { placement, request } = circuit;
  return {
    id: circuit.id,
    ports: [request?.a?.port ?? '', request?.z?.port ?? ''],
    manual: request?.provision === 'MANUAL',
    held: (request?.hold_s ?? 0) > 0,
    // A client that was given a window thinks of its deadline.
    ...(placement?.end_time === undefined
      ? {}
      : { end: Date.parse(placement.end_time) + (placement.slack_s ?? 0) * 1000 }),
  };
}
