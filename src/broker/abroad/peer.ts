/**
 * The other half of peering: what this broker does when a peer's message comes in. As a participant it holds,
 * commits and lets go of segments; as a home it answers queries and hears news. Every answer is made from the
 * present state, never from an older answer, and only the recorded home of a segment may move it.
 */
import { type InstantMs, instant } from '../../kernel/clock.ts';
import { BrokerError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import type { Random } from '../../kernel/random.ts';
import { type Circuit, type CircuitRequest, isFinal, placements } from '../../model/circuit.ts';
import type { ParticipantEvent } from '../../model/events.ts';
import { ALL_LABELS } from '../../model/label.ts';
import { anyLight } from '../../model/rules.ts';
import type { Authoriser } from '../aaa/authorise.ts';
import type { Book } from '../book.ts';
import { withoutAll } from '../circuits/instead.ts';
import { applyMoves } from '../circuits/place.ts';
import { placementOf } from '../circuits/plan.ts';
import { blank } from '../circuits/request.ts';
import type { Ground } from '../ground.ts';
import { HORIZON_S } from '../limits.ts';
import type { TokenDesk } from '../tokens/tokenDesk.ts';
import type { Tx } from '../tx.ts';
import type { StoredRefusal } from '../writer.ts';
import { hearAgreed } from './agreed.ts';
import { answerAsHome, hasPart } from './asHome.ts';
import { Asks, guestOf } from './asks.ts';
import { AvailabilityDesk } from './availability.ts';
import { matchOf } from './borderMatch.ts';
import { type Caps, PeerCaps } from './caps.ts';
import { heardOf } from './currentPeers.ts';
import { type Guest, heldAsSecond, planGuest, planInstead, requestOf } from './guest.ts';
import type { Freeing, PeerAnswer, PeerMessage, PeerSegment, RefusalKind } from './peerPorts.ts';
import { peerQuestion } from './peerQuestion.ts';
import { type Brought, subjectIn, subjectOf, unlocked, unlockPeer } from './peerToken.ts';
import { isFrozen, isSameAsk, named, presentOf, type Taking } from './present.ts';

/** A hold lasts no longer than this, whatever the home asks for. */
const LONGEST_HOLD_MS = 24 * 3_600_000;

export class PeerDesk {
  readonly #authoriser: Authoriser;
  readonly #random: Random;
  readonly #tokens: TokenDesk | undefined;
  readonly #epoch: number;
  readonly #availability = new AvailabilityDesk();
  readonly asks = new Asks();
  readonly caps: PeerCaps;

  constructor(
    authoriser: Authoriser,
    random: Random,
    epoch: number,
    more: { caps?: Caps; tokens?: TokenDesk } = {},
  ) {
    this.caps = new PeerCaps(more.caps);
    this.#tokens = more.tokens;
    this.#authoriser = authoriser;
    this.#random = random;
    this.#epoch = epoch;
  }

  /** Whether a message only takes things away: it must pass whatever else is refused. */
  static reduces(message: PeerMessage): boolean {
    return (
      message.op !== 'hold' &&
      message.op !== 'commit' &&
      message.op !== 'provision' &&
      message.op !== 'extend'
    );
  }

  /** Questions that change nothing are answered from memory, without a transaction. */
  look(book: Book, ground: Ground, from: string, message: PeerMessage): PeerAnswer | undefined {
    if (message.op === 'border-match') return matchOf(book, message, this.#epoch);
    return message.op === 'availability'
      ? this.#availability.answer(ground, from, message, this.#epoch)
      : undefined;
  }

  /** `brought`: the token that came with the message, read. */
  answer(tx: Tx, from: string, message: PeerMessage, brought?: Brought): PeerAnswer | StoredRefusal {
    heardOf(tx, from, message.epoch);
    if (message.op === 'ask-move') {
      const own = tx.book.circuits.get(message.circuit as Circuit['id']);
      if (own === undefined || !hasPart(own, from)) return { state: 'UNKNOWN', epoch: this.#epoch };
      return this.asks.asked(tx, own, from, message);
    }
    if (message.op === 'query' || message.op === 'notify') {
      const own = tx.book.circuits.get(message.circuit as Circuit['id']);
      if (own?.role === 'HOME') return answerAsHome(tx, own, from, message, this.#epoch);
      if (message.op === 'notify') return { state: 'UNKNOWN', epoch: this.#epoch };
    }
    if (message.op === 'hold' || message.op === 'commit') hearAgreed(tx, from, message);
    return this.#asParticipant(tx, guestOf(tx, from, message.circuit), from, message, brought);
  }

  #asParticipant(
    tx: Tx,
    known: Circuit | undefined,
    from: string,
    message: PeerMessage,
    brought: Brought | undefined,
  ): PeerAnswer | StoredRefusal {
    const at = tx.now;
    switch (message.op) {
      case 'hold':
      case 'commit':
        return this.#take(tx, known, from, message, brought);
      case 'query':
        return known === undefined
          ? { state: 'UNKNOWN', epoch: this.#epoch }
          : this.present(known, undefined);
      case 'extend':
        return this.#step(
          tx,
          known,
          { type: 'extend-hold', version: message.version, until: this.#cap(at, message.until), at },
          message.version,
        );
      case 'provision':
        return this.#provision(tx, known, from, message, brought);
      case 'release': {
        const subject = known ?? this.#tombstone(tx, from, message);
        const answer = this.#step(tx, subject, { type: 'release', detail: message.reason, at }, undefined);
        // That there was nothing to release is said, although a late hold or commit finds the door closed now.
        return known === undefined ? { state: 'UNKNOWN', epoch: this.#epoch } : answer;
      }
      case 'abort':
      case 'free': {
        const subject = known ?? this.#tombstone(tx, from, message);
        const active = message.active === undefined ? {} : { active: message.active };
        const event: ParticipantEvent =
          message.op === 'free' && message.active !== undefined
            ? { type: 'free', version: message.version, active: message.active, at }
            : { type: 'abort', version: message.version, ...active, at };
        const holding = subject.pending?.phase === 'HOLDING';
        tx.apply(subject.id, event);
        const after = tx.mustGet(subject.id);
        if (holding && after.pending === undefined) this.caps.abandoned(from, at);
        for (const waiting of this.asks.freed(tx, after)) this.#again(tx, waiting.from, waiting.message);
        this.asks.forget(from, message.circuit);
        return this.present(after, message.version);
      }
      case 'cancel': {
        const subject = known ?? this.#tombstone(tx, from, message);
        tx.apply(subject.id, { type: 'cancel', floor: message.floor, at });
        const now = tx.mustGet(subject.id);
        return { state: 'CLOSED', dark: !anyLight(now), epoch: this.#epoch };
      }
      default:
        return { state: 'UNKNOWN', epoch: this.#epoch };
    }
  }

  /** hold and commit: find room if it is not ours already, then the step. */
  #take(
    tx: Tx,
    known: Circuit | undefined,
    from: string,
    message: Taking,
    brought?: Brought,
  ): PeerAnswer | StoredRefusal {
    const { version, segment } = message;
    const request = requestOf(segment, from);
    if (known !== undefined) {
      const was = known.pending?.placement.version === version ? known.pending.placement : undefined;
      if (was !== undefined && !isSameAsk(was, segment))
        return this.#refused('INVALID', `version ${version} was asked for as something else`);
      const now = this.present(known, version);
      const expired = known.pending?.phase === 'EXPIRED' && known.pending.placement.version === version;
      if (now.state === 'COMMITTED' && message.op === 'commit') {
        const again = this.#unlock(tx, from, { message, brought, request }, known);
        if ('denied' in again) return this.#refused('TOKEN', again.denied);
        again.enter();
        return now;
      }
      if (now.state === 'COMMITTED' || (now.state === 'HELD' && message.op === 'hold')) return now;
      if (isFinal(known.state) || known.state === 'RELEASING')
        return { state: 'CLOSED', dark: !anyLight(known), epoch: this.#epoch };
      if (message.op === 'hold' && expired) return { state: 'EXPIRED', version, epoch: this.#epoch };
      const held = known.pending?.phase === 'HOLDING' && known.pending.placement.version === version;
      if (!held && !expired && version <= Math.max(known.version, known.home?.floor ?? 0))
        return { state: 'CLOSED', dark: true, epoch: this.#epoch };
    }
    const asked = segment.window;
    if (asked.end <= tx.now || asked.start >= asked.end || asked.start > tx.now + HORIZON_S * 1000)
      return this.#refused('WINDOW', 'the slot has passed or is too far ahead');
    if (isFrozen(tx.now, known, message))
      return this.#refused('FROZEN', 'its notice has begun: it can no longer be moved');
    const tooMuch = message.op === 'hold' ? this.caps.over(tx.book, from, known, segment, tx.now) : undefined;
    if (tooMuch !== undefined) return this.#refused('CAP', tooMuch);
    const key =
      message.op === 'commit' ? this.#unlock(tx, from, { message, brought, request }, known) : unlocked;
    if ('denied' in key) return this.#refused('TOKEN', key.denied);
    const slot = { window: segment.window, mbps: segment.mbps };
    const decision = this.#authoriser.ask(tx, peerQuestion(tx, from, message, { request, slot, known }, key));
    if (decision.denied !== undefined) return this.#refused('POLICY', 'denied by policy');
    if (message.op === 'hold') this.#free(tx, from, message.frees ?? []);
    const held =
      known?.pending?.phase === 'HOLDING' && known.pending.placement.version === version
        ? known.pending.placement
        : undefined;
    let placement = held === undefined ? undefined : named(held, segment);
    if (held !== undefined && placement === undefined)
      return this.#refused('LABEL', 'the label that is named is not one that is held');
    let subject = known;
    if (placement === undefined) {
      const second = known && heldAsSecond(known, tx.ground, segment);
      const look = (): Guest =>
        second === undefined ? planGuest(tx.ground, segment, request) : { segment: second };
      let guest: Guest;
      try {
        guest = known === undefined ? look() : tx.book.without(known, look);
      } catch (error) {
        if (error instanceof BrokerError) return this.#refused('INVALID', error.message);
        throw error;
      }
      const instead =
        'segment' in guest || message.op !== 'hold' || (known !== undefined && placements(known).length > 0)
          ? undefined
          : planInstead(tx, known?.id ?? message.circuit, segment, request);
      if (instead !== undefined) {
        subject ??= this.#begin(tx, from, message.circuit, request, segment.requester);
        applyMoves(tx, instead.moves, subject.id, decision.id);
        guest = { segment: instead.segment };
      }
      if (!('segment' in guest)) {
        const { kind, cause, opens } = guest;
        if (message.op === 'hold' && (kind === 'ROOM' || kind === 'LABEL')) {
          if (this.#fitsAfter(tx, from, message)) return { state: 'WAITS', version, epoch: this.#epoch };
          // For a label alone nobody is asked: its home has others, mostly.
          if (kind === 'ROOM' && this.asks.ask(tx, from, message))
            return { state: 'BUSY', epoch: this.#epoch };
        }
        return this.#refused(kind, cause, opens === undefined ? {} : { opens });
      }
      placement = placementOf(version, { window: segment.window, mbps: segment.mbps }, [guest.segment]);
    }
    subject ??= this.#begin(tx, from, message.circuit, request, segment.requester);
    const committed = {
      ...placement,
      segments: placement.segments.map((s) => ({ ...s, agreed: 'COMMITTED' as const })),
    };
    const event: ParticipantEvent =
      message.op === 'hold'
        ? {
            type: 'hold',
            placement,
            until: this.#cap(tx.now, message.until),
            at: tx.now,
            ...(message.replaces === undefined ? {} : { replaces: message.replaces }),
          }
        : { type: 'commit', placement: committed, epoch: message.epoch, at: tx.now };
    if (message.op === 'hold') this.caps.granted(from, tx.now);
    else this.caps.committed(from, tx.now);
    const answer = this.#step(tx, subject, event, version, decision.id);
    if (answer.state === 'COMMITTED') key.enter();
    return answer;
  }

  #unlock(
    tx: Tx,
    from: string,
    of: { message: Extract<Taking, { op: 'commit' }>; brought: Brought | undefined; request: CircuitRequest },
    known: Circuit | undefined,
  ): ReturnType<typeof unlockPeer> {
    const { message, brought, request } = of;
    const stored = known && placements(known).find((p) => p.version === message.version);
    const subject = subjectOf(message.segment, stored);
    return unlockPeer(tx, this.#tokens, { from, message, brought, project: request.project, subject, known });
  }

  /** Light for what is committed here, for whoever shows the token of the circuit. */
  #provision(
    tx: Tx,
    known: Circuit | undefined,
    from: string,
    message: Extract<PeerMessage, { op: 'provision' }>,
    brought: Brought | undefined,
  ): PeerAnswer {
    const { version } = message;
    const committed = known === undefined ? undefined : presentOf(known, version, this.#epoch);
    const placement = known && placements(known).find((p) => p.version === version);
    const subject = placement && subjectIn(placement);
    const event: ParticipantEvent = { type: 'provision', version, at: tx.now };
    if (committed?.state === 'HELD') return this.#refused('INVALID', `version ${version} is not committed`);
    if (known === undefined || committed?.state !== 'COMMITTED' || subject === undefined)
      return committed ?? { state: 'UNKNOWN', epoch: this.#epoch };
    const { request } = known;
    const key = unlockPeer(tx, this.#tokens, {
      from,
      message,
      brought,
      project: request.project,
      subject,
      known,
    });
    if ('denied' in key) return this.#refused('TOKEN', key.denied);
    if (key.present || known.armed) {
      key.enter();
      return committed;
    }
    const decision = this.#authoriser.ask(
      tx,
      peerQuestion(tx, from, message, { request, slot: subject, known }, key),
    );
    if (decision.denied !== undefined) return this.#refused('POLICY', 'denied by policy');
    const answer = this.#step(tx, known, event, version, decision.id);
    if (answer.state === 'COMMITTED') key.enter();
    return answer;
  }

  /** A hold that has waited for room gets it before anybody else can ask. */
  #again(tx: Tx, from: string, message: Taking): void {
    const answer = this.#take(tx, guestOf(tx, from, message.circuit), from, message);
    if ('state' in answer && answer.state === 'HELD') this.asks.forget(from, message.circuit);
  }

  /** Versions of other circuits of the same home that are no longer in force. */
  #free(tx: Tx, from: string, frees: readonly Freeing[]): void {
    for (const { circuit, version, active } of frees) {
      const guest = guestOf(tx, from, circuit);
      if (guest !== undefined) tx.apply(guest.id, { type: 'free', version, active, at: tx.now });
    }
  }

  /** Is there room once the circuits have gone that the same home means to move away first? */
  #fitsAfter(tx: Tx, from: string, { after = [], segment }: Extract<PeerMessage, { op: 'hold' }>): boolean {
    const going = after.flatMap((name) => guestOf(tx, from, name) ?? []);
    const request = requestOf(segment, from);
    const fits = (): boolean => 'segment' in planGuest(tx.ground, segment, request);
    return going.length > 0 && withoutAll(tx.book, going, fits);
  }

  #step(
    tx: Tx,
    known: Circuit | undefined,
    event: ParticipantEvent,
    version: number | undefined,
    decisionId = '',
  ): PeerAnswer {
    if (known === undefined) return { state: 'UNKNOWN', epoch: this.#epoch };
    try {
      tx.apply(known.id, event, decisionId);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      const now = this.present(known, version);
      return now.state === 'HELD' || now.state === 'COMMITTED'
        ? this.#refused('INVALID', error.message)
        : now;
    }
    return this.present(tx.mustGet(known.id), version);
  }

  present(c: Circuit, version: number | undefined): PeerAnswer {
    return presentOf(c, version, this.#epoch);
  }

  #refused(kind: RefusalKind, cause: string, more: { readonly opens?: InstantMs } = {}): PeerAnswer {
    return { state: 'REFUSED', kind, cause, ...more, epoch: this.#epoch };
  }

  #cap(now: InstantMs, until: InstantMs): InstantMs {
    return instant(Math.min(until, now + LONGEST_HOLD_MS));
  }

  #begin(tx: Tx, from: string, circuit: string, request: CircuitRequest, owner: string): Circuit {
    const id = newId('cir', tx.now, this.#random);
    const keepUntil = instant(tx.now + 86_400_000);
    tx.create({
      ...blank(tx, id, this.#random, request, owner),
      role: 'PARTICIPANT',
      home: {
        domain: from,
        circuit,
        floor: 0,
        told: false,
        asks: 0,
        sequence: 0,
        unknowns: 0,
        epoch: 0,
        keepUntil,
      },
    });
    return tx.mustGet(id);
  }

  /** What lets go and has overtaken its hold or commit is remembered, so that those find the door closed. */
  #tombstone(tx: Tx, from: string, message: PeerMessage): Circuit {
    const nowhere = { port: `${from}:none` as PeerSegment['a']['port'], labels: ALL_LABELS };
    const at = tx.now;
    const window = { start: at, end: instant(at + 1000) };
    const request = requestOf({ a: nowhere, z: nowhere, mbps: 1, provision: 'AUTOMATIC', window }, from);
    return this.#begin(tx, from, message.circuit, request, `peer|${from}`);
  }
}
