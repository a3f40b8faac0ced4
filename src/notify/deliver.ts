/**
 * Webhooks are carried out here, one lane each. A lane reads the event log from its own cursor and delivers
 * in order, at least once; a receiver tells a repeated call by its webhook-id. A failing receiver holds up
 * its own lane alone: it is tried again with growing waits, about a day in all, and then disabled. Nothing is
 * queued in memory: what has not been delivered is what the log has behind the cursor.
 */
import type { EventRecord, WebhookRecord } from '../broker/ports.ts';
import type { UseCases } from '../broker/usecases.ts';
import { type Cancel, type Clock, every, instant } from '../kernel/clock.ts';
import { textOf } from '../kernel/errors.ts';
import type { WebhookId } from '../kernel/ids.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import { cloudEvent } from '../model/cloudevent.ts';
import type { Send } from './send.ts';

const S = 1_000;
const MIN = 60 * S;
const H = 60 * MIN;
/** The waits after each failed call, 24 h in all; the call after the last one is the last. */
export const BACK_OFF_MS = [5 * S, 30 * S, 2 * MIN, 10 * MIN, 30 * MIN, H, 2 * H, 4 * H, 8 * H, 8 * H];
/** Up to a tenth more, so that hooks that failed together do not come back together. */
const JITTER = 0.1;
/** A receiver may ask for a longer wait than ours, but not for a longer one than this. */
const LONGEST_ASKED_MS = H;
/** So many events are read at once, and the cursor is stored after each such batch. */
const BATCH = 50;
/** A cursor that has only passed over events of others is stored when it is so far ahead. */
const PASSED_OVER = 1_000;
/** When our own store fails, the lane waits and looks again. */
const STORE_RETRY_MS = 5 * S;
/** How often hooks without a lane are looked for: an instance that begins to lead has a log full of news. */
const LOOK_MS = 5 * S;
/** A stop waits so long for the calls under way; they are made again after a restart. */
const DRAIN_MS = 2 * S;

export interface DeliverPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly domain: string;
  readonly send: Send;
  readonly broker: Pick<
    UseCases,
    'enabledWebhooks' | 'eventsFor' | 'lastEventSeq' | 'onEvents' | 'webhookProgress'
  >;
}

export class Deliverer {
  readonly #ports: DeliverPorts;
  readonly #lanes = new Map<WebhookId, Lane>();
  readonly #cancels: Cancel[] = [];

  constructor(ports: DeliverPorts) {
    this.#ports = ports;
  }

  start(): void {
    const { broker, clock } = this.#ports;
    this.#cancels.push(
      broker.onEvents((events) => {
        if (events.length > 0) this.#open((lane) => lane.wake());
      }),
      every(clock, LOOK_MS, () => this.#open()),
    );
    this.#open();
  }

  /** Resolves when no call is under way and every cursor is stored. To be called before the broker stops. */
  async stop(): Promise<void> {
    for (const cancel of this.#cancels.splice(0)) cancel();
    await Promise.all([...this.#lanes.values()].map((lane) => lane.stop()));
  }

  /** Sees to it that every enabled hook has a lane. */
  #open(known: (lane: Lane) => void = () => {}): void {
    for (const hook of this.#ports.broker.enabledWebhooks()) {
      const lane = this.#lanes.get(hook.id);
      if (lane !== undefined) known(lane);
      else this.#lanes.set(hook.id, new Lane(this.#ports, hook, () => this.#lanes.delete(hook.id)));
    }
  }
}

/** What a round of a lane ends with: more to do at once, nothing until there is news, a wait, or the end. */
type Next = 'more' | 'idle' | 'over' | { readonly waitMs: number };

interface Failure {
  readonly lastError: string;
  readonly disable: boolean;
}

class Lane {
  readonly #ports: DeliverPorts;
  readonly #id: WebhookId;
  /** Ahead of the stored cursor by what has been delivered or passed over since. */
  #cursor: number;
  #storedCursor: number;
  /** Failed calls of the event behind the cursor. */
  #failures: number;
  /** The next call is the first one since the start of the program. */
  #fresh = true;
  #news = true;
  #idle = false;
  #stopping = false;
  /** Ends the present wait. */
  #resume: () => void = () => {};
  readonly #cutOff = new AbortController();
  readonly #done: Promise<void>;

  constructor(ports: DeliverPorts, hook: WebhookRecord, over: () => void) {
    this.#ports = ports;
    this.#id = hook.id;
    this.#cursor = this.#storedCursor = hook.cursor;
    this.#failures = hook.failures;
    this.#done = this.#run().finally(over);
  }

  /** There is something new in the log. A back-off goes on all the same. */
  wake(): void {
    this.#news = true;
    if (this.#idle) this.#resume();
  }

  async stop(): Promise<void> {
    const { clock } = this.#ports;
    this.#stopping = true;
    this.#resume();
    const cancel = clock.alarm(instant(clock.now() + DRAIN_MS), () => this.#cutOff.abort());
    await this.#done;
    cancel();
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const next = await this.#round().catch((error: unknown): Next => {
        this.#warn(error);
        return { waitMs: STORE_RETRY_MS };
      });
      if (next === 'over') return;
      if (next === 'idle') await this.#untilNews();
      else if (next !== 'more') await this.#pause(next.waitMs);
    }
    // What cannot be stored now is delivered once more after the start: at least once is what was promised.
    if (this.#cursor !== this.#storedCursor) await this.#tryStore();
  }

  async #round(): Promise<Next> {
    const { broker } = this.#ports;
    this.#news = false;
    const hook = broker.enabledWebhooks().find(({ id }) => id === this.#id);
    if (hook === undefined) return 'over';
    // Another instance may have led in the meantime, and delivered.
    this.#storedCursor = hook.cursor;
    this.#cursor = Math.max(this.#cursor, hook.cursor);
    // Read before the events, so that whatever is not among them up to here does not concern this hook.
    const last = await broker.lastEventSeq();
    if (last <= this.#cursor) return 'idle';
    const events = await broker.eventsFor({ ...hook, cursor: this.#cursor }, BATCH);
    for (const event of events) {
      if (this.#stopping) return 'more';
      const failed = await this.#deliver(hook, event);
      if (failed !== undefined) return failed;
    }
    if (events.length < BATCH) this.#cursor = Math.max(this.#cursor, last);
    if (events.length > 0 || this.#cursor - this.#storedCursor >= PASSED_OVER) await this.#store();
    return 'more';
  }

  /** Undefined when the event was delivered; otherwise how the lane goes on. */
  async #deliver(hook: WebhookRecord, event: EventRecord): Promise<Next | undefined> {
    const { domain, log, send } = this.#ports;
    const outcome = await send(hook, cloudEvent(event, domain), this.#cutOff.signal);
    if (outcome.kind === 'delivered') {
      this.#cursor = event.seq;
      this.#failures = 0;
      this.#fresh = false;
      return undefined;
    }
    if (this.#cutOff.signal.aborted) return 'more'; // by our own stop: the receiver has not failed
    // Many restarts must not use up the attempts.
    this.#failures = this.#fresh ? Math.max(1, this.#failures) : this.#failures + 1;
    this.#fresh = false;
    const backOffMs = BACK_OFF_MS[this.#failures - 1];
    const disable = outcome.kind === 'gone' || backOffMs === undefined;
    this.#warn(outcome.error);
    const stored = await this.#tryStore({ lastError: outcome.error, disable });
    if (disable && stored) {
      log.warn({ event: 'webhook.disabled', webhook: this.#id });
      return 'over';
    }
    const askedMs = outcome.kind === 'failed' ? (outcome.retryAfterS ?? 0) * S : 0;
    const ownMs = this.#jittered(backOffMs ?? (BACK_OFF_MS.at(-1) as number));
    return { waitMs: Math.max(ownMs, Math.min(askedMs, LONGEST_ASKED_MS)) };
  }

  async #store(failure?: Failure): Promise<void> {
    const cursor = this.#cursor;
    await this.#ports.broker.webhookProgress(this.#id, { cursor, failures: this.#failures, ...failure });
    this.#storedCursor = cursor;
  }

  /** Our own store's trouble must not make a receiver's worse: the back-off goes on without it. */
  #tryStore(failure?: Failure): Promise<boolean> {
    return this.#store(failure).then(
      () => true,
      (error: unknown) => {
        this.#warn(error);
        return false;
      },
    );
  }

  #jittered(ms: number): number {
    return ms + this.#ports.random.int(ms * JITTER);
  }

  async #untilNews(): Promise<void> {
    if (this.#news || this.#stopping) return;
    this.#idle = true;
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
    });
    this.#idle = false;
  }

  async #pause(ms: number): Promise<void> {
    if (this.#stopping) return;
    const { clock } = this.#ports;
    await new Promise<void>((resolve) => {
      const cancel = clock.alarm(instant(clock.now() + ms), resolve);
      this.#resume = () => {
        cancel();
        resolve();
      };
    });
  }

  #warn(error: unknown): void {
    const text = textOf(error);
    this.#ports.log.warn({
      event: 'webhook.failed',
      webhook: this.#id,
      attempt: this.#failures,
      error: text,
    });
  }
}
