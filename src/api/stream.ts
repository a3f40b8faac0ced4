/**
 * Server-sent events (WHATWG HTML, 9.2) from the event log. Each client has a cursor and nothing else: what
 * it has not been sent yet is read from the log when the client is ready for it, so that a slow one costs no
 * memory, and one that reads nothing at all is dropped. The newest events are kept here once for all clients,
 * so that those who keep up do not ask the store. The route and its parameters are in resources/events.ts.
 */
import type { ServerResponse } from 'node:http';
import type { EventRecord } from '../broker/ports.ts';
import type { UseCases } from '../broker/usecases.ts';
import { type Cancel, type Clock, every, instant } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import { type CircuitId, eventId } from '../kernel/ids.ts';
import { cloudEvent } from '../model/cloudevent.ts';
import { maySee, type Principal } from '../model/principal.ts';

export const HEARTBEAT_MS = 15_000;
/** A client that takes nothing for so long while there is something for it has gone. */
export const STALL_MS = 30_000;
/** Credentials end some time: the client comes back with its Last-Event-ID and shows them again. */
export const LIFE_MS = 3_600_000;
/** What EventSource waits before it comes back. */
const RETRY_MS = 2_000;
/** A stop waits so long for the last bytes to leave. */
const DRAIN_MS = 1_000;
export const MOST_STREAMS = 500;
/** One caller cannot take them all. */
export const MOST_PER_CALLER = 100;
/** So many events are written before the client's readiness is asked for again. */
const PAGE = 100;
/** So many of the newest events are kept, and at most twice as many: a good part of a second at full load. */
const TAIL = 1_024;

export interface StreamFilter {
  readonly who: Principal;
  readonly types?: readonly string[];
  readonly circuitId?: CircuitId;
}

export interface StreamPorts {
  readonly clock: Clock;
  readonly domain: string;
  readonly broker: Pick<UseCases, 'events' | 'lastEventSeq' | 'onEvents' | 'readiness'>;
}

/** All streams of one server. */
export class EventStreams {
  readonly #ports: StreamPorts;
  readonly #tail = new Tail();
  readonly #clients = new Set<Client>();
  readonly #unsubscribe: () => void;

  constructor(ports: StreamPorts) {
    this.#ports = ports;
    this.#unsubscribe = ports.broker.onEvents((events) => {
      if (this.#clients.size === 0) this.#tail.clear();
      else this.#tail.push(events);
      for (const client of this.#clients) client.wake();
    });
  }

  get open(): number {
    return this.#clients.size;
  }

  /** Throws when this is not the place, or there are too many already; nothing has been written then. */
  admit(who: Principal): void {
    // Whoever stands by is not told when something happens.
    if (this.#ports.broker.readiness().role !== 'LEADER') {
      throw new BrokerError('NOT_LEADER', 'this instance stands by; listen to the other one', {
        retry_after_s: 5,
      });
    }
    const own = [...this.#clients].filter((client) => client.caller === who.id).length;
    if (this.#clients.size >= MOST_STREAMS || own >= MOST_PER_CALLER) {
      throw new BrokerError('OVERLOADED', 'there are too many event streams already');
    }
  }

  /** Writes what follows `cursor` into the response until one side has had enough. The head is written here. */
  serve(
    response: ServerResponse,
    headers: Record<string, string | string[] | number | undefined>,
    filter: StreamFilter,
    cursor: number,
  ): void {
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    const client = new Client(this.#ports, this.#tail, response, filter, cursor);
    this.#clients.add(client);
    onceOver(response, () => {
      client.end();
      this.#clients.delete(client);
    });
    // Writing to a client that has just gone is no fault of anybody; `close` follows.
    response.on('error', () => {});
    client.start();
  }

  /** Ends every stream; resolves when the last bytes have left, or would not. */
  async close(): Promise<void> {
    this.#unsubscribe();
    await Promise.all([...this.#clients].map((client) => client.finish()));
  }
}

/** Calls `act` once when nothing more will leave. */
function onceOver(response: ServerResponse, act: () => void): void {
  let over = false;
  const once = (): void => {
    if (over) return;
    over = true;
    act();
  };
  response.once('finish', once);
  response.once('close', once);
}

/** The newest events, in order and without a gap. */
class Tail {
  #events: EventRecord[] = [];
  /** Everything after this number is here. */
  #from: number | undefined;

  clear(): void {
    this.#events = [];
    this.#from = undefined;
  }

  push(events: readonly EventRecord[]): void {
    for (const event of events) {
      // Where another instance has written in between, what came before is of no use.
      if (this.#from === undefined || event.seq !== this.#from + this.#events.length + 1) {
        this.#events = [];
        this.#from = event.seq - 1;
      }
      this.#events.push(event);
    }
    if (this.#events.length > 2 * TAIL) {
      this.#events = this.#events.slice(-TAIL);
      this.#from = (this.#events[0] as EventRecord).seq - 1;
    }
  }

  /** What follows `cursor`, as much as is looked at in one go; undefined when that reaches too far back. */
  after(cursor: number): readonly EventRecord[] | undefined {
    if (this.#from === undefined || cursor < this.#from) return undefined;
    const start = cursor - this.#from;
    return this.#events.slice(start, start + 10 * PAGE);
  }
}

class Client {
  readonly #ports: StreamPorts;
  readonly #tail: Tail;
  readonly #response: ServerResponse;
  readonly #filter: StreamFilter;
  #cursor: number;
  #news = true;
  #beat = false;
  #ended = false;
  #resume: () => void = () => {};
  readonly #cancels: Cancel[] = [];

  constructor(
    ports: StreamPorts,
    tail: Tail,
    response: ServerResponse,
    filter: StreamFilter,
    cursor: number,
  ) {
    this.#ports = ports;
    this.#tail = tail;
    this.#response = response;
    this.#filter = filter;
    this.#cursor = cursor;
  }

  get caller(): string {
    return this.#filter.who.id;
  }

  start(): void {
    const { broker, clock } = this.#ports;
    this.#cancels.push(
      every(clock, HEARTBEAT_MS, () => {
        if (broker.readiness().role !== 'LEADER') return this.end();
        this.#beat = true;
        this.#resume();
      }),
      clock.alarm(instant(clock.now() + LIFE_MS), () => this.end()),
    );
    this.#run().then(
      () => this.#response.end(),
      // The store has failed, or the client has. It comes back and resumes; the head has been written long ago.
      () => this.#response.destroy(),
    );
  }

  wake(): void {
    this.#news = true;
    this.#resume();
  }

  /** Writes no more; what has been written still leaves. */
  end(): void {
    this.#ended = true;
    for (const cancel of this.#cancels.splice(0)) cancel();
    this.#resume();
  }

  finish(): Promise<void> {
    const { clock } = this.#ports;
    return new Promise((resolve) => {
      const cancel = clock.alarm(instant(clock.now() + DRAIN_MS), () => this.#response.destroy());
      onceOver(this.#response, () => {
        cancel();
        resolve();
      });
      this.end();
    });
  }

  async #run(): Promise<void> {
    await this.#write(`retry: ${RETRY_MS}\n: connected\n\n`);
    while (!this.#ended) {
      if (this.#beat) {
        this.#beat = false;
        await this.#write(': heartbeat\n\n');
      }
      if (!this.#news) {
        await new Promise<void>((resolve) => {
          this.#resume = resolve;
        });
        continue;
      }
      this.#news = false;
      const events = await this.#read();
      if (events.length > 0 && !this.#ended) {
        await this.#write(events.map((event) => this.#frame(event)).join(''));
      }
    }
  }

  /** Moves the cursor on and gives what this client may and wants to see of that stretch. */
  async #read(): Promise<readonly EventRecord[]> {
    const recent = this.#tail.after(this.#cursor);
    if (recent !== undefined) {
      const page: EventRecord[] = [];
      for (const event of recent) {
        if (page.length === PAGE) break;
        this.#cursor = event.seq;
        if (this.#wants(event)) page.push(event);
      }
      if (recent.length > 0) this.#news = true; // until a look finds nothing
      return page;
    }
    const { broker } = this.#ports;
    const { who, types, circuitId } = this.#filter;
    // Read before the events, so that whatever is not among them up to here does not concern this client.
    const last = await broker.lastEventSeq();
    const events = await broker.events(who, {
      ...(types === undefined ? {} : { types }),
      ...(circuitId === undefined ? {} : { circuitId }),
      afterSeq: this.#cursor,
      limit: PAGE,
    });
    const before = this.#cursor;
    this.#cursor = events.length < PAGE ? Math.max(before, last) : (events.at(-1)?.seq ?? before);
    if (this.#cursor > before) this.#news = true;
    return events;
  }

  #wants(event: EventRecord): boolean {
    const { who, types, circuitId } = this.#filter;
    return (
      maySee(who, event) &&
      (circuitId === undefined || event.circuitId === circuitId) &&
      (types === undefined || types.includes(event.type))
    );
  }

  /** JSON has no line breaks of its own, so nothing in an event can end its frame. */
  #frame(event: EventRecord): string {
    const shown = cloudEvent(event, this.#ports.domain);
    return `id: ${eventId(event.seq)}\nevent: ${shown.type}\ndata: ${JSON.stringify(shown)}\n\n`;
  }

  /** Resolves when the client can take more; drops it when it takes nothing for too long. */
  async #write(text: string): Promise<void> {
    const response = this.#response;
    if (this.#ended || response.write(text)) return;
    const { clock } = this.#ports;
    await new Promise<void>((resolve) => {
      const drained = (): void => {
        cancel();
        response.off('drain', drained);
        response.off('close', drained);
        resolve();
      };
      const cancel = clock.alarm(instant(clock.now() + STALL_MS), () => response.destroy());
      response.on('drain', drained);
      response.on('close', drained);
    });
  }
}
