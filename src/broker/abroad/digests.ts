/**
 * Comparing with each domain, every five minutes, what is agreed with it; and mending what is not the same. A
 * home says its part again (the commit of what was forgotten, the free of what should have gone), a participant
 * asks its home. What repeats and queries have not mended, because a row was lost on one side, is mended here.
 */
import { type Cancel, type Clock, every, type InstantMs, nextTurn } from '../../kernel/clock.ts';
import { textOf } from '../../kernel/errors.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import type { Log } from '../../kernel/log.ts';
import type { Circuit } from '../../model/circuit.ts';
import type { Tx } from '../tx.ts';
import type { Writer } from '../writer.ts';
import { bucketOf, type DigestLine, differences, linesOf, Sums } from './digest.ts';
import type { PeerAnswer, PeerMessage, Peers } from './peerPorts.ts';

const EVERY_MS = 300_000;
/** What changed a moment ago may be on its way: the next comparison will tell. */
const FRESH_MS = 30_000;
/** Circuits looked at before others have a turn. */
const AT_ONCE = 2_000;
/** Lines in one message, unless a single bucket has more. */
const MOST_LINES = 2_000;
/** As many as a message may have at all: two and a half million circuits between two domains. */
const LONGEST_BUCKET = 10_000;
/** Circuits that one message may make us look into; what is left is found again. */
const MOST_MENDED = 1_000;
/** Messages in a round to one peer; what is left is found in the next. */
const MOST_MESSAGES = 16;
/** Questions of a peer that are answered in one interval: each is a walk over all circuits. */
const MOST_ASKED = 64;

type Digest = Extract<PeerMessage, { readonly op: 'digest' }>;
type Lines = Extract<PeerMessage, { readonly op: 'digest-lines' }>;

export interface DigestPorts {
  readonly domain: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly peers: Peers;
  /** Messages and orders of a circuit that are on their way. */
  readonly outstanding: (id: CircuitId) => number;
}

export class Digests {
  readonly #writer: Writer;
  readonly #ports: DigestPorts;
  readonly #asked = new Map<string, { since: InstantMs; times: number }>();
  readonly #comparing = new Set<string>();
  #cancel: Cancel = () => {};

  constructor(writer: Writer, ports: DigestPorts) {
    this.#writer = writer;
    this.#ports = ports;
  }

  start(): void {
    this.#cancel = every(this.#ports.clock, EVERY_MS, () => void this.round());
  }
  stop(): void {
    this.#cancel();
  }

  /** Asks every domain that we have something with. */
  async round(): Promise<void> {
    const sums = new Map<string, Sums>();
    await this.#walk((domain, line) => {
      const sum = sums.get(domain) ?? new Sums();
      sums.set(domain, sum);
      sum.add(line);
    });
    await Promise.all([...sums].map(([domain, sum]) => this.#compareWith(domain, sum)));
  }

  async #compareWith(domain: string, sums: Sums): Promise<void> {
    // A silent one may still be at the last.
    if (this.#comparing.has(domain)) return;
    this.#comparing.add(domain);
    const header = { circuit: 'digest', epoch: this.#writer.epoch, floor: 0 };
    try {
      const answer = await this.#ports.peers.send(domain, { ...header, op: 'digest', sums: `${sums}` });
      if (answer.state !== 'DIFFERS') return;
      const lines = await this.#linesIn(domain, new Set(answer.buckets));
      for (const { buckets, ours } of parcels(answer.buckets, lines)) {
        const said = await this.#ports.peers.send(domain, {
          ...header,
          op: 'digest-lines',
          buckets,
          lines: ours,
        });
        if (said.state !== 'LINES') return;
        await this.#mend(domain, said.lines);
      }
    } catch (error) {
      // The next round asks again.
      this.#ports.log.warn({
        event: 'peer.failed',
        peer: domain,
        message: 'digest',
        error: textOf(error),
      });
    } finally {
      this.#comparing.delete(domain);
    }
  }

  /** A domain compares: which of its sums are not ours, and then which lines. */
  async answer(from: string, message: Digest | Lines): Promise<PeerAnswer> {
    const { epoch } = this.#writer;
    if (!this.#mayAsk(from)) return { state: 'BUSY', epoch };
    if (message.op === 'digest') {
      const theirs = Sums.read(message.sums);
      if (theirs === undefined) return { state: 'REFUSED', kind: 'INVALID', cause: 'no digest', epoch };
      const ours = new Sums();
      await this.#walk((domain, line) => {
        if (domain === from) ours.add(line);
      });
      return { state: 'DIFFERS', buckets: ours.differing(theirs), epoch };
    }
    const buckets = new Set(message.buckets);
    const ours = await this.#linesIn(from, buckets);
    const found = differences(
      ours,
      message.lines.filter(({ circuit }) => buckets.has(bucketOf(circuit))),
    );
    await this.#mend(from, found.theirs);
    return { state: 'LINES', lines: found.ours.slice(0, LONGEST_BUCKET), epoch };
  }

  #mayAsk(from: string): boolean {
    const now = this.#ports.clock.now();
    const before = this.#asked.get(from);
    const asked = before === undefined || now - before.since >= EVERY_MS ? { since: now, times: 0 } : before;
    this.#asked.set(from, asked);
    return ++asked.times <= MOST_ASKED;
  }

  async #linesIn(with_: string, buckets: ReadonlySet<number>): Promise<DigestLine[]> {
    const lines: DigestLine[] = [];
    await this.#walk((domain, line) => {
      if (domain === with_ && buckets.has(bucketOf(line.circuit))) lines.push(line);
    });
    return lines;
  }

  /** Over all circuits, a little at a time: what changes meanwhile is found otherwise, and asked about in vain. */
  async #walk(take: (domain: string, line: DigestLine) => void): Promise<void> {
    let looked = 0;
    for (const circuit of this.#writer.book.circuits.values()) {
      for (const [domain, line] of linesOf(circuit, this.#ports.domain)) take(domain, line);
      if (++looked % AT_ONCE === 0) await nextTurn();
    }
  }

  /** What the other has otherwise than we: each of ours does what its role has to do about it. */
  async #mend(domain: string, theirs: readonly DigestLine[]): Promise<void> {
    if (theirs.length === 0) return;
    const mended = await this.#writer.submit((tx) => {
      let count = 0;
      for (const line of theirs) if (count < MOST_MENDED && this.#mendOne(tx, domain, line)) count++;
      return count;
    });
    if (mended > 0) this.#ports.log.warn({ event: 'peer.differs', peer: domain, circuits: mended });
  }

  #mendOne(tx: Tx, domain: string, { home, circuit: name, versions }: DigestLine): boolean {
    const id = home === domain ? tx.book.byHomeRef(domain, name) : (name as CircuitId);
    const circuit = id === undefined ? undefined : tx.book.circuits.get(id);
    if (circuit === undefined || circuit.role !== (home === domain ? 'PARTICIPANT' : 'HOME')) return false;
    if (this.#isUnderWay(circuit, tx.now)) return false;
    return tx.apply(circuit.id, { type: 'differs', domain, versions, at: tx.now }) !== undefined;
  }

  #isUnderWay({ id, updateTime }: Circuit, now: InstantMs): boolean {
    return now - updateTime < FRESH_MS || this.#ports.outstanding(id) > 0;
  }
}

/** Buckets with their lines in messages of a bounded size. */
function* parcels(
  buckets: readonly number[],
  lines: readonly DigestLine[],
): Generator<{ readonly buckets: readonly number[]; readonly ours: readonly DigestLine[] }> {
  const byBucket = new Map<number, DigestLine[]>();
  for (const line of lines) {
    const bucket = bucketOf(line.circuit);
    const others = byBucket.get(bucket);
    if (others === undefined) byBucket.set(bucket, [line]);
    else others.push(line);
  }
  let parcel = { buckets: [] as number[], ours: [] as DigestLine[] };
  let sent = 0;
  for (const bucket of buckets) {
    const more = byBucket.get(bucket) ?? [];
    // Told in part it would say that the rest is not there.
    if (more.length > LONGEST_BUCKET) continue;
    if (parcel.buckets.length > 0 && parcel.ours.length + more.length > MOST_LINES) {
      yield parcel;
      if (++sent >= MOST_MESSAGES) return;
      parcel = { buckets: [], ours: [] };
    }
    parcel.buckets.push(bucket);
    parcel.ours.push(...more);
  }
  if (parcel.buckets.length > 0) yield parcel;
}
