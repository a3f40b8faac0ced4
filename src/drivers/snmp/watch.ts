/**
 * What a switch is watched for: that it has restarted, that its neighbours or the state of its ports have changed.
 * It is asked every now and then, which is cheap, and at once when it sends a trap; a storm of traps makes one
 * question a second.
 */
import { type Cancel, type Clock, every, instant } from '../../kernel/clock.ts';
import type { WatchEvent } from '../driver.ts';
import { numberOf, readPortStates } from './inventory.ts';
import { Oid } from './oids.ts';
import type { SwitchReader } from './reader.ts';
import type { Credentials, SnmpSession } from './session.ts';
import { TrapReader } from './traps.ts';

const WATCH_MS = 30_000;
/** However many traps come, a switch is asked no more often than this for their sake. */
const LOOK_MS = 1_000;
const ABOUT_PORTS: ReadonlySet<string> = new Set([Oid.linkDown, Oid.linkUp]);

export class SwitchWatch {
  readonly #session: SnmpSession;
  readonly #reader: SwitchReader;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #traps: TrapReader;
  readonly #watchers = new Set<(event: WatchEvent) => void>();
  readonly #ports = new Map<string, boolean>();
  #stop: Cancel | undefined;
  #lldpChange: number | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking: Cancel | undefined;

  constructor(
    session: SnmpSession,
    reader: SwitchReader,
    clock: Clock,
    options: { readonly credentials: Credentials; readonly watchMs?: number },
  ) {
    this.#session = session;
    this.#reader = reader;
    this.#clock = clock;
    this.#everyMs = options.watchMs ?? WATCH_MS;
    this.#traps = new TrapReader(options.credentials);
  }

  add(listener: (event: WatchEvent) => void): () => void {
    this.#watchers.add(listener);
    this.#stop ??= every(this.#clock, this.#everyMs, () => {
      this.poll().catch(() => {});
    });
    return () => {
      this.#watchers.delete(listener);
      if (this.#watchers.size === 0) this.close();
    };
  }

  say(event: WatchEvent): void {
    for (const watcher of this.#watchers) watcher(event);
  }

  close(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#looking?.();
    this.#looking = undefined;
  }

  hear(datagram: Buffer, address: string): boolean {
    if (this.#watchers.size === 0 || address !== this.#session.peer) return false;
    const kind = this.#traps.read(datagram, this.#session.engineId);
    if (kind === undefined) return false;
    const look = (): void => {
      this.#looking = undefined;
      this.#lookedAt = this.#clock.now();
      this.poll().catch(() => {});
    };
    const soonest = this.#lookedAt + LOOK_MS;
    if (this.#clock.now() >= soonest) look();
    else this.#looking ??= this.#clock.alarm(instant(soonest), look);
    // What a port does is read with the rest; of anything else nobody knows what it means.
    if (!ABOUT_PORTS.has(kind) && this.#looking === undefined)
      this.say({ type: 'changed', foreign: true, detail: 'it sent a trap' });
    return true;
  }

  async poll(): Promise<void> {
    const [up, lldp] = await this.#session.get([Oid.sysUpTime, Oid.lldpStatsRemTablesLastChangeTime]);
    if (!this.#reader.noteUpTime(up)) {
      const change = numberOf(lldp);
      if (this.#lldpChange !== undefined && change !== this.#lldpChange)
        this.say({ type: 'changed', foreign: true, detail: 'its neighbours have changed' });
      this.#lldpChange = change;
    }
    const states = await readPortStates(this.#session, await this.#reader.known());
    const news = states.filter((port) => this.#ports.get(port.name) !== port.up);
    for (const { name, up: isUp } of news) this.#ports.set(name, isUp);
    if (news.length > 0) this.say({ type: 'ports', ports: news });
  }
}
