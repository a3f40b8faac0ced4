/**
 * What every command is handed once the global options are read: the client, the output, the clock, and the
 * times of people. Also how a list is read page by page.
 */
import type { InstantMs } from '../kernel/clock.ts';
import type { Client, Query } from './client.ts';
import type { CliIo } from './io.ts';
import { dig, items, type Json, type Output, text } from './output.ts';
import { parseTime, zoneOf } from './times.ts';

export class Context {
  readonly io: CliIo;
  readonly client: Client;
  readonly out: Output;
  readonly interrupt: AbortSignal;
  readonly #zone: string | undefined;
  constructor(parts: {
    io: CliIo;
    client: Client;
    out: Output;
    interrupt: AbortSignal;
    zone: string | undefined;
  }) {
    this.io = parts.io;
    this.client = parts.client;
    this.out = parts.out;
    this.interrupt = parts.interrupt;
    this.#zone = parts.zone;
  }

  get now(): InstantMs {
    return this.io.clock.now();
  }

  /** The zone for times that name none. */
  zoneFor(asked: string | undefined = this.#zone): string {
    return zoneOf(asked ?? this.io.zone, this.io.env);
  }

  time(said: string): Promise<InstantMs> {
    return this.timeAfter(said, this.now);
  }

  /** A time of day means the first one after `from`. */
  timeAfter(said: string, from: InstantMs): Promise<InstantMs> {
    return parseTime(said, { now: from, zone: this.zoneFor() });
  }

  /** Up to `limit` items over as many pages as it takes. Tells when there are more. */
  async pages(path: string, query: Query, limit: number): Promise<readonly Json[]> {
    const found: Json[] = [];
    let token: string | undefined;
    do {
      const { body } = await this.client.get(path, {
        ...query,
        page_size: Math.min(PAGE, limit - found.length),
        page_token: token,
      });
      found.push(...items(dig(body, 'items')));
      const next = text(dig(body, 'next_page_token'));
      // A token that repeats itself would go round for ever.
      token = next === '' || next === token ? undefined : next;
      if (token !== undefined) this.out.progress(`${found.length} so far`);
    } while (token !== undefined && found.length < limit);
    this.out.endProgress();
    if (token !== undefined) this.out.say(`there are more than these ${found.length}: raise --limit`);
    return found.slice(0, limit);
  }
}

const PAGE = 500;
export const DEFAULT_LIMIT = '100';
