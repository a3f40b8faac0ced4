/**
 * Looks at the counters of circuits' ports: when the light goes on, every few minutes, and when it goes out. What
 * has been counted is kept in the store as totals, so that writing it twice does no harm, and goes on after a
 * restart. The port to what was counted is `Store.octets`: usage shows it, accounts may charge by it.
 */
import { type Cancel, type Clock, every } from '../../kernel/clock.ts';
import { textOf } from '../../kernel/errors.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import type { Log } from '../../kernel/log.ts';
import { type Attachment, localSegment, type Segment } from '../../model/circuit.ts';
import { UNTAGGED } from '../../model/label.ts';
import { advance, begin, type Reading } from '../../model/octets.ts';
import type { Writer } from '../writer.ts';
import type { Devices } from './devicePorts.ts';
import { keyOf, type OctetRecord } from './octetRecords.ts';

const METER_MS = 300_000;
/** Circuits looked at before those whose light has just changed get their turn. */
const AT_ONCE = 100;

type When = 'begins' | 'lasts' | 'ends';
interface Look {
  readonly circuit: CircuitId;
  readonly segment: Segment;
  readonly when: When;
}

export class Meter {
  readonly #writer: Writer;
  readonly #devices: Devices;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #records = new Map<string, OctetRecord>();
  readonly #urgent: Look[] = [];
  readonly #usual: Look[] = [];
  #stopLooking: Cancel = () => {};
  #running = false;
  #over = false;

  constructor(writer: Writer, ports: { devices: Devices; clock: Clock; log: Log }) {
    this.#writer = writer;
    this.#devices = ports.devices;
    this.#clock = ports.clock;
    this.#log = ports.log;
  }

  start(records: readonly OctetRecord[]): void {
    if (this.#devices.counters === undefined) return;
    for (const record of records) this.#records.set(keyOf(record), record);
    this.#stopLooking = every(this.#clock, METER_MS, () => this.round());
  }
  stop(): void {
    this.#over = true;
    this.#stopLooking();
  }

  /** Soon; waits for nobody. */
  look(circuit: CircuitId, segment: Segment, when: When): void {
    if (this.#devices.counters === undefined || this.#over) return;
    this.#urgent.push({ circuit, segment, when });
    void this.#run();
  }

  /** Everything that is lit. */
  round(): void {
    const { circuits } = this.#writer.book;
    for (const [key, record] of this.#records) if (!circuits.has(record.circuit)) this.#records.delete(key);
    if (this.#usual.length > 0) return;
    for (const { id, current } of circuits.values()) {
      const segment = current === undefined ? undefined : localSegment(current);
      if (segment?.light === 'LIT') this.#usual.push({ circuit: id, segment, when: 'lasts' });
    }
    void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    while (!this.#over && this.#urgent.length + this.#usual.length > 0) {
      const from = this.#urgent.length > 0 ? this.#urgent : this.#usual;
      const looks = from.splice(0, AT_ONCE);
      try {
        const found = (await Promise.all(looks.map((look) => this.#read(look)))).flat();
        const news = found.map((one) => this.#enter(one));
        if (news.length > 0 && !this.#over) await this.#writer.submit((tx) => tx.octets.push(...news));
      } catch (error) {
        // Totals are written with the next look.
        this.#log.warn({ event: 'settle.failed', error: `octets: ${textOf(error)}` });
      }
    }
    this.#running = false;
  }

  /** Both ends, as far as their devices have counters and answer. */
  async #read({ circuit, segment, when }: Look): Promise<readonly Found[]> {
    const [first, last] = [segment.hops[0], segment.hops.at(-1)];
    if (first === undefined || last === undefined) return [];
    const ends = [
      { end: 'A', device: first.device, at: first.in },
      { end: 'Z', device: last.device, at: last.out },
    ] as const;
    const found = ends.map(async ({ end, device, at }): Promise<Found | undefined> => {
      const counters = await this.#devices.counters?.(device, at.port);
      if (counters === undefined) return undefined;
      return { circuit, end, device, at, when, reading: { ...counters, at: this.#clock.now() } };
    });
    return (await Promise.all(found)).filter((one) => one !== undefined);
  }

  #enter({ circuit, end, device, at, when, reading }: Found): OctetRecord {
    const known = this.#records.get(keyOf({ circuit, end }));
    const before = known?.device === device && known.port === at.port ? known.octets : undefined;
    const octets =
      before === undefined || when === 'begins'
        ? begin(before, reading)
        : advance(before, reading, when === 'lasts');
    const record: OctetRecord = {
      circuit,
      end,
      device,
      port: at.port,
      exclusive: at.label === UNTAGGED,
      // Light that was found on has carried we do not know what until now.
      octets:
        before === undefined && when !== 'begins' ? { ...octets, open: when === 'lasts', gaps: 1 } : octets,
    };
    this.#records.set(keyOf(record), record);
    return record;
  }
}

interface Found {
  readonly circuit: CircuitId;
  readonly end: 'A' | 'Z';
  readonly device: string;
  readonly at: Attachment;
  readonly when: When;
  readonly reading: Reading;
}
