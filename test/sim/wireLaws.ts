/**
 * Laws about what is said between domains, from the messages themselves: law 7 (what lets go is never refused),
 * law 9 (a circuit that was asked to move makes room for the hold that it was asked for), law 16 (answers never go
 * back, neither to an older epoch nor to an older state) and law 18 (who has something to say to one domain does
 * not wait for the silence of another).
 */
import type { PeerAnswer, PeerMessage } from '../../src/broker/abroad/peerPorts.ts';
import { BrokerError, type ProblemCode } from '../../src/kernel/errors.ts';
import { type Circuit, isFinal } from '../../src/model/circuit.ts';
import { overlaps, type Window } from '../../src/model/window.ts';
import { placementsOf } from './checkers.ts';
import { law } from './laws.ts';
import type { Node } from './node.ts';
import type { Step } from './promises.ts';

/** Not in office, or without its store: no refusal, the sender tries again. And what an earlier process has sent counts no more. */
const AWAY: readonly ProblemCode[] = [
  'NOT_LEADER',
  'STORE_UNAVAILABLE',
  'STORE_FULL',
  'OVERLOADED',
  'STALE_EPOCH',
];
const LETS_GO: readonly PeerMessage['op'][] = ['abort', 'free', 'release', 'cancel'];
/** A message and its answer may each be 10 s under way, a lost one is given up after 5 s, and tried again after 5 s. */
const SENT_WITHIN_MS = 35_000;

const REMEMBERED_MS = 60_000;

interface Asked {
  readonly window: Window;
  readonly waiting: string;
  readonly version: number;
  readonly at: number;
}

export class WireTap {
  readonly #epochs = new Map<string, number>();
  /** By domain and circuit, what its home has answered to a question: the version, or Infinity once it is over. */
  readonly #told = new Map<string, number>();
  /** When a domain has last tried to say something of a circuit to another. */
  readonly #sent = new Map<string, number>();
  /** By domain and circuit, for whose hold that domain has asked to have it moved. */
  readonly #asked = new Map<string, Asked>();
  /** Effects that are the first in their lane, by domain and number, and since when. */
  readonly #first = new Map<string, number>();

  refused(to: string, message: PeerMessage, error: unknown): string[] {
    if (!LETS_GO.includes(message.op) || !(error instanceof BrokerError) || AWAY.includes(error.code))
      return [];
    return [law(7, `${to} refuses the ${message.op} of ${message.circuit}: ${error.message}`)];
  }

  /** In the order in which answers are made, not in that in which they arrive. */
  answered(to: string, message: PeerMessage, answer: PeerAnswer): string[] {
    const wrong: string[] = [];
    if (LETS_GO.includes(message.op) && answer.state === 'REFUSED')
      wrong.push(law(7, `${to} refuses the ${message.op} of ${message.circuit}: ${answer.cause}`));
    const epoch = this.#epochs.get(to) ?? 0;
    if (answer.epoch < epoch)
      wrong.push(law(16, `${to} answers a ${message.op} in epoch ${answer.epoch} after ${epoch}`));
    this.#epochs.set(to, Math.max(epoch, answer.epoch));
    if (message.op !== 'query') return wrong;
    const stands = standing(answer);
    if (stands === undefined) return wrong;
    const key = `${to} ${message.circuit}`;
    const before = this.#told.get(key) ?? 0;
    if (stands < before)
      wrong.push(law(16, `${to} says that ${message.circuit} is ${answer.state} ${stands} after ${before}`));
    this.#told.set(key, Math.max(before, stands));
    return wrong;
  }

  sends(from: string, to: string, message: PeerMessage, now: number): void {
    this.#sent.set(`${from}>${to} ${message.circuit}`, now);
    if (message.op !== 'ask-move') return;
    const { window, waiting, askId } = message;
    const version = Number(askId.split('/')[1]);
    this.#asked.set(`${from} ${message.circuit}`, { window, waiting, version, at: now });
  }

  /** A domain has taken in a message: whoever gives up what waits there waits no more. */
  taken(to: string, { op, circuit }: PeerMessage): void {
    if (op !== 'abort' && op !== 'cancel') return;
    for (const [key, { waiting }] of this.#asked)
      if (waiting === circuit && key.startsWith(`${to} `)) this.#asked.delete(key);
  }

  /** Something is durable: where a circuit has moved away as it was asked to, somebody else is there now. */
  entered(node: Node, steps: readonly Step[], now: number): string[] {
    return steps.flatMap(({ before, after }) => {
      const key = `${node.name} ${after.home?.circuit}`;
      const ask = this.#asked.get(key);
      if (ask === undefined || before === undefined || after.home === undefined) return [];
      const inTheWay = (c: Circuit): boolean => placementsOf(c).some((p) => overlaps(p.window, ask.window));
      if (!inTheWay(before) || inTheWay(after) || isFinal(after.state)) return [];
      this.#asked.delete(key);
      // It is remembered for a minute, and by no later process.
      if (now - ask.at > REMEMBERED_MS || node.upSince > node.watch.now() - (now - ask.at)) return [];
      const waiting = node.byHome(ask.waiting);
      const got = waiting !== undefined && placementsOf(waiting).some((p) => p.version === ask.version);
      return got
        ? []
        : [
            law(
              9,
              `${node.name} ${after.id} has moved for ${ask.waiting} v${ask.version}, who was not given its room`,
            ),
          ];
    });
  }

  /** Whatever is first in its lane is said, or has been said a moment ago, as long as there is a way. */
  overdue(node: Node, now: number, hasWay: (to: string) => boolean): string[] {
    const wrong: string[] = [];
    const lanes = new Set<string>();
    const still = new Set<string>();
    for (const { seq, circuitId, effect } of node.mirror.effects.values()) {
      if (!('domain' in effect)) continue;
      const { domain: to } = effect;
      const lane = `${to} ${circuitId}`;
      if (lanes.has(lane)) continue;
      lanes.add(lane);
      const key = `${node.name} ${seq}`;
      if (!node.up || !hasWay(to)) continue;
      still.add(key);
      const named = node.mirror.circuits.get(circuitId)?.home?.circuit ?? circuitId;
      const since = this.#first.get(key) ?? now;
      this.#first.set(key, since);
      const waited = now - Math.max(since, this.#sent.get(`${node.name}>${to} ${named}`) ?? 0);
      if (waited > SENT_WITHIN_MS)
        wrong.push(law(18, `${node.name} has not said ${effect.type} of ${named} to ${to} for ${waited} ms`));
    }
    for (const key of this.#first.keys())
      if (key.startsWith(`${node.name} `) && !still.has(key)) this.#first.delete(key);
    return wrong;
  }
}

/** Of a home's answer to a question; undefined while nothing is agreed. */
function standing(answer: PeerAnswer): number | undefined {
  switch (answer.state) {
    case 'ACTIVE':
      return answer.version;
    case 'ABORTED':
    case 'UNKNOWN':
      return Number.POSITIVE_INFINITY;
    default:
      return undefined;
  }
}
