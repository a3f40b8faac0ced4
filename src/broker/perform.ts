/**
 * Does what one effect asks, by the port it belongs to, and turns the answer into the next event. Each looks
 * at the circuit as it is now, not as it was when the effect was stored: what no longer makes sense is done
 * by doing nothing.
 */
import type { Clock } from '../kernel/clock.ts';
import { instant } from '../kernel/clock.ts';
import { textOf } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import { type Circuit, isFinal, localSegment, type Placement, placements } from '../model/circuit.ts';
import type { Effect } from '../model/effects.ts';
import type { HomeEvent, ParticipantEvent } from '../model/events.ts';
import { Agreed } from './abroad/agreed.ts';
import { mismatch } from './abroad/borderMatch.ts';
import { giveUpAt } from './abroad/giveUp.ts';
import { handOver } from './abroad/handOver.ts';
import { messageFor } from './abroad/messages.ts';
import type { PeerAnswer, PeerMessage, Peers } from './abroad/peerPorts.ts';
import { dressed, opens } from './abroad/peerToken.ts';
import type { Book } from './book.ts';
import { inTheWay } from './circuits/gate.ts';
import type { Devices, LightContext } from './devices/devicePorts.ts';
import type { Meter } from './devices/meter.ts';
import { backOff, type Tried } from './lanes.ts';
import type { EffectRecord, Store } from './ports.ts';
import type { TokenDesk } from './tokens/tokenDesk.ts';
import type { Writer } from './writer.ts';

const DEVICE_RETRY_MS = 30_000;
const PEER_RETRY_MS = 5_000;
/** How soon a light that waits for another's dark looks again, if nothing tells it before. */
const GATE_MS = 1_000;
/** A participant that is still going out is asked again after this long. */
const STILL_LIT_MS = 1_000;
/** The first times sooner: most devices are done within a second or two. */
const SOON_DARK_MS = 100;
const SOON = 20;

interface PerformerPorts {
  readonly devices: Devices;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly store: Store;
  /** Counts, for each domain, what was said in vain for long enough. */
  readonly givenUp: Map<string, number>;
  /** Absent where no circuit tokens are issued. */
  readonly desk: TokenDesk | undefined;
}

type AnyEvent = HomeEvent | ParticipantEvent;

export class Performer {
  readonly #writer: Writer;
  readonly #book: Book;
  readonly #devices: Devices;
  readonly #peers: Peers;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #meter: Meter;
  readonly #store: Store;
  readonly #desk: TokenDesk | undefined;
  readonly #givenUp: Map<string, number>;
  readonly #agreed = new Agreed();
  readonly #wentDark: () => void;

  constructor(writer: Writer, ports: PerformerPorts, wentDark: () => void) {
    this.#writer = writer;
    this.#book = writer.book;
    this.#devices = ports.devices;
    this.#peers = ports.peers;
    this.#clock = ports.clock;
    this.#log = ports.log;
    this.#meter = ports.meter;
    this.#store = ports.store;
    this.#desk = ports.desk;
    this.#givenUp = ports.givenUp;
    this.#wentDark = wentDark;
  }

  async perform(
    record: EffectRecord,
    attempt: number,
    answered: () => void,
    isFirst: () => boolean,
  ): Promise<Tried> {
    const circuit = this.#book.circuits.get(record.circuitId);
    if (circuit === undefined) return this.#finish(record, undefined);
    const { effect } = record;
    switch (effect.type) {
      case 'device.light':
        return this.#light(record, effect, circuit, attempt, answered);
      case 'device.dark':
        return this.#dark(record, effect, circuit, attempt, answered, isFirst);
      default:
        return this.#tell(record, effect, circuit, attempt, answered);
    }
  }

  async #light(
    record: EffectRecord,
    effect: Extract<Effect, { type: 'device.light' }>,
    circuit: Circuit,
    attempt: number,
    answered: () => void,
  ): Promise<Tried> {
    const placement = wanted(circuit, effect.version);
    const segment = placement === undefined ? undefined : localSegment(placement);
    if (placement === undefined || segment === undefined) return this.#finish(record, undefined);
    if (inTheWay(this.#book, circuit, segment, this.#clock.now())) return { retryInMs: GATE_MS };
    const said = await mismatch(
      this.#book,
      { peers: this.#peers, clock: this.#clock },
      { circuit, segment, version: effect.version, epoch: this.#writer.epoch },
    );
    if (said !== undefined) {
      this.#failed(record, attempt, said);
      return { retryInMs: backOff(attempt, PEER_RETRY_MS) };
    }
    this.#meter.look(circuit.id, segment, 'begins');
    const report = await this.#ask(() =>
      this.#devices.light(segment, this.#context(record, circuit, effect.version, placement)),
    );
    answered();
    const { version } = effect;
    if (report.ok)
      return this.#finish(record, { type: 'up', domain: segment.domain, version, at: this.#clock.now() });
    this.#failed(record, attempt, report.detail);
    await this.#observe(record, {
      type: 'down',
      domain: segment.domain,
      version,
      detail: report.detail,
      at: this.#clock.now(),
    });
    return { retryInMs: report.retry ? backOff(attempt, DEVICE_RETRY_MS) : DEVICE_RETRY_MS };
  }

  async #dark(
    record: EffectRecord,
    effect: Extract<Effect, { type: 'device.dark' }>,
    circuit: Circuit,
    attempt: number,
    answered: () => void,
    isFirst: () => boolean,
  ): Promise<Tried> {
    const placement = placements(circuit).find((p) => p.version === effect.version);
    const segment = effect.segment ?? (placement === undefined ? undefined : localSegment(placement));
    if (segment === undefined) return this.#finish(record, undefined);
    // A placement that another has replaced, or will: the circuit goes on.
    const lasts = circuit.current !== undefined && circuit.state !== 'RELEASING';
    this.#meter.look(circuit.id, segment, lasts ? 'lasts' : 'ends');
    const report = await this.#ask(() =>
      this.#devices.dark(segment, this.#context(record, circuit, effect.version, placement)),
    );
    answered();
    if (report.ok && !isFirst()) return 'early';
    if (report.ok) {
      const tried = await this.#finish(record, {
        type: 'dark',
        domain: segment.domain,
        version: effect.version,
        at: this.#clock.now(),
      });
      this.#wentDark();
      return tried;
    }
    this.#failed(record, attempt, report.detail);
    return { retryInMs: backOff(attempt, DEVICE_RETRY_MS) };
  }

  async #tell(
    record: EffectRecord,
    effect: Exclude<Effect, { type: 'device.light' | 'device.dark' }>,
    circuit: Circuit,
    attempt: number,
    answered: () => void,
  ): Promise<Tried> {
    const message = messageFor(circuit, effect, this.#writer.epoch);
    if (message === undefined) return this.#finish(record, undefined);
    let answer: PeerAnswer;
    try {
      const dressed = await this.#dressed(effect.domain, circuit, message);
      answer = await this.#peers.send(effect.domain, this.#withNews(effect.domain, dressed));
    } catch (error) {
      this.#log.warn({
        event: 'peer.failed',
        peer: effect.domain,
        message: message.op,
        error: textOf(error),
      });
      return this.#later(record, circuit, message.op, backOff(attempt, PEER_RETRY_MS));
    }
    answered();
    if (message.op === 'provision' && answer.state === 'REFUSED') {
      // Told to whoever looks at the circuit, and asked again: a status list may only have been late.
      const { domain } = effect;
      this.#failed(record, attempt, answer.cause);
      const detail = `${domain} gives no light: ${answer.cause}`;
      await this.#observe(record, {
        type: 'down',
        domain,
        version: message.version,
        detail,
        at: this.#clock.now(),
      });
      return this.#later(record, circuit, message.op, DEVICE_RETRY_MS);
    }
    const heard = this.#heard(circuit, effect, answer);
    if (heard !== 'again') {
      const done = await this.#finish(record, heard);
      if (effect.type === 'peer.commit') this.#agreed.note(this.#book.circuits.get(circuit.id));
      return done;
    }
    return this.#later(record, circuit, message.op, attempt < SOON ? SOON_DARK_MS : STILL_LIT_MS);
  }

  /** Said once more, unless it has been said for long enough. */
  async #later(
    record: EffectRecord & { readonly effect: { readonly domain?: string } },
    circuit: Circuit,
    message: string,
    retryInMs: number,
  ): Promise<Tried> {
    const peer = record.effect.domain ?? '';
    if (this.#clock.now() < giveUpAt(circuit, record.time)) return { retryInMs };
    this.#givenUp.set(peer, (this.#givenUp.get(peer) ?? 0) + 1);
    this.#log.error({ event: 'peer.given_up', peer, circuit: circuit.id, message });
    return this.#finish(record, undefined);
  }

  async #dressed(domain: string, circuit: Circuit, message: PeerMessage): Promise<PeerMessage> {
    if (this.#desk === undefined || !opens(message)) return message;
    return dressed(this.#desk, { domain, message }, circuit, this.#store, this.#clock.now());
  }

  #withNews(domain: string, message: PeerMessage): PeerMessage {
    if (message.op !== 'hold' && message.op !== 'commit') return message;
    const agreed = this.#agreed.take(this.#book, domain);
    return agreed.length === 0 ? message : { ...message, agreed };
  }

  /** What a peer's answer means to the lifecycle; `again` when it must be asked once more. */
  #heard(
    circuit: Circuit,
    effect: Effect & { readonly domain: string },
    answer: PeerAnswer,
  ): AnyEvent | undefined | 'again' {
    const at = this.#clock.now();
    const { domain } = effect;
    const refusal = answer.state === 'REFUSED' ? answer.cause : answer.state;
    const more =
      answer.state === 'REFUSED'
        ? { kind: answer.kind, ...(answer.opens === undefined ? {} : { opens: answer.opens }) }
        : { kind: answer.state };
    switch (effect.type) {
      case 'peer.hold':
        if (answer.state === 'HELD') {
          const { state: _, epoch: _epoch, ...held } = answer;
          return { type: 'held', domain, ...held, at };
        }
        if (answer.state === 'WAITS') return { type: 'waits', domain, version: effect.version, at };
        if (answer.state === 'BUSY') return 'again';
        return { type: 'refused', domain, version: effect.version, cause: refusal, ...more, at };
      case 'peer.commit':
        if (answer.state === 'COMMITTED') return { type: 'committed', domain, version: effect.version, at };
        // It had agreed, forgot, and cannot take it again.
        if (circuit.state !== 'COMMITTING' && circuit.current?.version === effect.version)
          return { type: 'ended', domain, cause: `it has lost its part: ${refusal}`, at };
        return { type: 'refused', domain, version: effect.version, cause: refusal, ...more, at };
      case 'peer.extend':
        return answer.state === 'HELD' || answer.state === 'COMMITTED'
          ? undefined
          : { type: 'ended', domain, cause: refusal, at };
      case 'peer.release':
      case 'peer.cancel':
        if (isFinal(circuit.state))
          return answer.state === 'CLOSED' || answer.state === 'UNKNOWN' ? undefined : 'again';
        return answer.state === 'UNKNOWN' || (answer.state === 'CLOSED' && answer.dark)
          ? { type: 'dark', domain, at }
          : 'again';
      case 'peer.query': {
        const told = { at, epoch: answer.epoch };
        const committed = circuit.home?.epoch ?? 0;
        if (answer.state === 'UNKNOWN' && answer.epoch < committed)
          this.#log.error({
            event: 'peer.unknown',
            peer: domain,
            circuit: circuit.id,
            epoch: answer.epoch,
            committed,
          });
        if (answer.state === 'ACTIVE')
          return { type: 'told', state: 'ACTIVE', version: answer.version, ...told };
        return answer.state === 'PENDING' || answer.state === 'ABORTED' || answer.state === 'UNKNOWN'
          ? { type: 'told', state: answer.state, ...told }
          : undefined;
      }
      default:
        return undefined;
    }
  }

  /** Removes the effect and applies what it led to, in one transaction. */
  async #finish(record: EffectRecord, event: AnyEvent | undefined): Promise<Tried> {
    await this.#writer.submit((tx) => {
      tx.effectsDone.push(record.seq);
      if (event === undefined || !tx.book.circuits.has(record.circuitId)) return;
      const before = tx.mustGet(record.circuitId).current;
      const after = tx.apply(record.circuitId, event)?.current;
      // Whoever waited for the room takes it in the same transaction.
      if (after !== undefined && after !== before) handOver(tx, record.circuitId);
    }, true);
    return 'done';
  }

  async #observe(record: EffectRecord, event: AnyEvent): Promise<void> {
    await this.#writer.submit((tx) => {
      if (tx.book.circuits.has(record.circuitId)) tx.apply(record.circuitId, event);
    }, true);
  }

  #context(
    record: EffectRecord,
    circuit: Circuit,
    version: number,
    placement: Placement | undefined,
  ): LightContext {
    return {
      circuit: circuit.id,
      version,
      mbps: placement?.mbps ?? circuit.request.mbps,
      decisionId: record.decisionId,
      fence: this.#writer.epoch,
      deadline: placement?.window.end ?? instant(this.#clock.now() + DEVICE_RETRY_MS),
    };
  }

  async #ask(act: () => ReturnType<Devices['light']>): ReturnType<Devices['light']> {
    try {
      return await act();
    } catch (error) {
      return { ok: false, retry: true, detail: textOf(error), elements: [] };
    }
  }

  #failed(record: EffectRecord, attempt: number, error: string): void {
    this.#log.warn({
      event: 'effect.failed',
      circuit: record.circuitId,
      lane: 'device',
      effect: record.effect.type,
      attempt,
      error,
    });
  }
}

/** The placement of that version, if the circuit still wants it to shine. */
function wanted(circuit: Circuit, version: number): Placement | undefined {
  if (circuit.state !== 'PROVISIONING' && circuit.state !== 'ACTIVE') return undefined;
  // A new road is being lit because the old one failed or closes: nobody waits for the old one any more.
  if (circuit.pending?.phase === 'LIGHTING' && circuit.pending.placement.version !== version)
    return undefined;
  const placement = placements(circuit).find((p) => p.version === version);
  const light = placement === undefined ? undefined : localSegment(placement)?.light;
  return light === 'LIGHTING' || light === 'LIT' ? placement : undefined;
}
