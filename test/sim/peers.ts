/**
 * The network between brokers: messages and answers get lost, come late or twice, and nobody is told which.
 * What arrives is carried as JSON, as it would be on a wire.
 */
import type { PeerAnswer, PeerMessage, Peers } from '../../src/broker/abroad/peerPorts.ts';
import type { SimClock } from './clock.ts';
import type { Dice } from './devices.ts';
import type { Owner } from './gate.ts';

export interface NetFaults {
  readonly lost: number;
  readonly twice: number;
  readonly late: number;
}

/** Hands a message to a domain's broker; rejects when nobody is there to take it. */
export type Deliver = (to: string, from: string, message: PeerMessage) => Promise<PeerAnswer>;

const TIMEOUT_MS = 5_000;
const LATE_MS = 10_000;
const LONG_LOST_MS = 40_000;

const wired = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** What may befall messages besides chance: no way at all between two, or a sender who lies. */
export interface Bearings {
  readonly faults: () => NetFaults;
  /** Is there a way to that domain now? */
  readonly reaches: (domain: string) => boolean;
  readonly sent?: (to: string, message: PeerMessage) => PeerMessage;
  readonly answered?: (from: string, answer: PeerAnswer) => PeerAnswer;
}

export class SimPeers implements Peers {
  readonly #clock: SimClock;
  readonly #owner: Owner;
  readonly #dice: Dice;
  readonly #bearings: Bearings;
  readonly #deliver: Deliver;
  readonly #note: (text: string) => void;

  constructor(
    clock: SimClock,
    owner: Owner,
    dice: Dice,
    bearings: Bearings,
    deliver: Deliver,
    note: (text: string) => void,
  ) {
    this.#clock = clock;
    this.#owner = owner;
    this.#dice = dice;
    this.#bearings = bearings;
    this.#deliver = deliver;
    this.#note = note;
  }

  async send(domain: string, message: PeerMessage): Promise<PeerAnswer> {
    const said = this.#bearings.sent?.(domain, message) ?? message;
    const outcome = await this.#carry(domain, wired(said)).catch((error: unknown) => error as Error);
    // A process that has died hears nothing.
    if (!this.#owner.alive) return new Promise(() => {});
    if (outcome instanceof Error) throw outcome;
    return outcome;
  }

  async #carry(domain: string, message: PeerMessage): Promise<PeerAnswer> {
    const { name } = this.#owner;
    const faults = this.#bearings.faults();
    const version = 'version' in message ? ` v${message.version}` : '';
    const what = `${name}->${domain} ${message.op}${version} ${message.circuit}`;
    await this.#travel(faults);
    if (!this.#bearings.reaches(domain)) return this.#nothing(`${what} has no way`);
    if (this.#dice.chance(faults.lost)) return this.#nothing(`${what} lost`);
    if (this.#dice.chance(faults.twice)) {
      // The copy may come long after everybody has moved on.
      const again = this.#clock
        .sleep(this.#dice.int(LONG_LOST_MS))
        .then(() => this.#deliver(domain, name, wired(message)));
      again.then(
        (answer) => this.#note(`${what} again: ${answer.state}`),
        () => this.#note(`${what} again: nobody`),
      );
    }
    let answer: PeerAnswer;
    try {
      answer = wired(await this.#deliver(domain, name, message));
    } catch (error) {
      return this.#nothing(`${what} not taken: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.#note(`${what}: ${answer.state}`);
    await this.#travel(faults);
    if (!this.#bearings.reaches(domain)) return this.#nothing(`${what} answer has no way`);
    if (this.#dice.chance(faults.lost)) return this.#nothing(`${what} answer lost`);
    return this.#bearings.answered?.(domain, answer) ?? answer;
  }

  async #travel(faults: NetFaults): Promise<void> {
    await this.#clock.sleep(
      this.#dice.chance(faults.late) ? 1_000 + this.#dice.int(LATE_MS - 1_000) : 1 + this.#dice.int(100),
    );
  }

  async #nothing(why: string): Promise<never> {
    this.#note(why);
    await this.#clock.sleep(TIMEOUT_MS);
    throw new Error('no answer');
  }
}
