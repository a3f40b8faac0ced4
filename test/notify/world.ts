/** A log and hooks in memory, as the deliverer sees them, and a receiver that answers as it is told. */
import type { EventRecord, WebhookRecord } from '../../src/broker/ports.ts';
import type { WebhookId } from '../../src/kernel/ids.ts';
import type { Log, LogEvent } from '../../src/kernel/log.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { Deliverer, type DeliverPorts } from '../../src/notify/deliver.ts';
import type { SendOutcome } from '../../src/notify/send.ts';
import { T0 } from '../support/builders.ts';
import { HandClock } from '../support/handClock.ts';

export function aHook(name: string, over: Partial<WebhookRecord> = {}): WebhookRecord {
  return {
    id: `whk_${name}`,
    project: 'lhc',
    owner: 'iss|user',
    all: false,
    revision: 1,
    createTime: T0,
    url: `https://${name}.example/`,
    types: [],
    secret: `whsec_${Buffer.from('a secret of thirty-two bytes ...').toString('base64')}`,
    state: 'ENABLED',
    cursor: 0,
    failures: 0,
    ...over,
  };
}

export function anEvent(seq: number, over: Partial<EventRecord> = {}): EventRecord {
  return {
    seq,
    type: 'circuit.created',
    time: T0,
    circuitId: 'cir_1',
    project: 'lhc',
    owner: 'iss|user',
    revision: 1,
    epoch: 1,
    data: { circuit_id: 'cir_1', state: 'SCHEDULED' },
    ...over,
  };
}

export interface Call {
  readonly hook: string;
  readonly event: string;
  readonly at: number;
}

export class World {
  readonly clock = new HandClock(T0);
  readonly hooks = new Map<WebhookId, WebhookRecord>();
  readonly log: EventRecord[] = [];
  readonly calls: Call[] = [];
  readonly logged: LogEvent[] = [];
  reads = 0;
  writes = 0;
  /** Thrown by every call of the store while it is set. */
  storeError: Error | undefined;
  /** Thrown by writes alone: a full store can still be read. */
  writeError: Error | undefined;
  /** What each receiver answers; delivered when it is not named. */
  readonly answers = new Map<string, (signal: AbortSignal) => SendOutcome | Promise<SendOutcome>>();
  readonly #listeners = new Set<(events: readonly EventRecord[]) => void>();

  constructor(...hooks: WebhookRecord[]) {
    for (const hook of hooks) this.hooks.set(hook.id, hook);
  }

  /** A line for each call that was made: seconds since the start, the receiver, the event. */
  get story(): string[] {
    return this.calls.map(({ hook, event, at }) => `${Math.round((at - T0) / 1000)}s ${hook} ${event}`);
  }

  hook(name: string): WebhookRecord {
    const hook = this.hooks.get(`whk_${name}`);
    if (hook === undefined) throw new Error(`no hook ${name}`);
    return hook;
  }

  publish(...events: EventRecord[]): void {
    this.log.push(...events);
    for (const listen of this.#listeners) listen(events);
  }

  deliverer(): Deliverer {
    const note = (event: LogEvent): void => {
      this.logged.push(event);
    };
    const log: Log = { info: note, warn: note, error: note };
    const ports: DeliverPorts = {
      clock: this.clock,
      random: seededRandom(1),
      log,
      domain: 'ams.example',
      send: async (target, event, signal) => {
        const name = new URL(target.url).hostname.split('.')[0] as string;
        this.calls.push({ hook: name, event: event.id.replace(/^evt_0*/, ''), at: this.clock.now() });
        return (await this.answers.get(name)?.(signal)) ?? { kind: 'delivered' };
      },
      broker: {
        enabledWebhooks: () => [...this.hooks.values()].filter((hook) => hook.state === 'ENABLED'),
        lastEventSeq: async () => {
          if (this.storeError !== undefined) throw this.storeError;
          return this.log.at(-1)?.seq ?? 0;
        },
        eventsFor: async (hook, limit) => {
          if (this.storeError !== undefined) throw this.storeError;
          this.reads++;
          return this.log
            .filter(
              ({ seq, type }) => seq > hook.cursor && (hook.types.length === 0 || hook.types.includes(type)),
            )
            .slice(0, limit);
        },
        onEvents: (listen) => {
          this.#listeners.add(listen);
          return () => this.#listeners.delete(listen);
        },
        webhookProgress: async (id, { cursor, failures, lastError, disable }) => {
          const error = this.storeError ?? this.writeError;
          if (error !== undefined) throw error;
          this.writes++;
          const hook = this.hooks.get(id);
          if (hook === undefined) return;
          const { lastError: _old, ...rest } = hook;
          this.hooks.set(id, {
            ...rest,
            cursor,
            failures,
            ...(lastError === undefined ? {} : { lastError }),
            ...(disable === true ? { state: 'DISABLED' } : {}),
          });
        },
      },
    };
    return new Deliverer(ports);
  }
}
