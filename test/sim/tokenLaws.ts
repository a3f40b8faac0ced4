/**
 * Laws of the token between domains, from what their stores durably hold and what was said on the way: one redemption
 * for an operation, no share overspent under any part of a chain, nothing opened by what was withdrawn; no light at a
 * participant before its redemption and its record are durable; and what only gives back is never refused.
 */
import type { PeerAnswer, PeerMessage } from '../../src/broker/abroad/peerPorts.ts';
import type { Group } from '../../src/broker/ports.ts';
import type { TokenRecord } from '../../src/broker/tokens/tokenRecords.ts';
import type { CircuitId } from '../../src/kernel/ids.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import { sha256 } from '../../src/tokens/encoding.ts';
import { parsePrefix, splitToken } from '../../src/tokens/parse.ts';

/** What each part of every chain that was ever shown may spend, by domain. */
export class Shares {
  readonly #shares = new Map<string, ReadonlyMap<string, number>>();

  /** The parts of a chain, the root first. */
  see(text: string): readonly string[] {
    const { root, links } = parsePrefix(splitToken(text).prefix);
    let id = sha256(`${root.claims.iss}\n${root.claims.jti}`);
    let bud = root.claims.grant.bud;
    this.#shares.set(id, bud);
    const parts = [id];
    for (const { claims, input } of links) {
      id = sha256(`${id}\n${input}`);
      bud = claims.lim.bud ?? bud;
      this.#shares.set(id, bud);
      parts.push(id);
    }
    return parts;
  }
  /** Of a chain that nobody has seen: its root, if that was seen. */
  only(root: string): readonly string[] {
    return this.#shares.has(root) ? [root] : [];
  }
  of(counter: string, audience: string): number {
    return this.#shares.get(counter)?.get(audience) ?? 0;
  }
}

/** One domain's redemptions, as they became durable. */
export class TokenKeeper {
  readonly #operations = new Set<string>();
  readonly #opened = new Set<string>();
  readonly #revoked = new Set<string>();
  /** By root and operation: the parts of the chain that it was shown with. */
  readonly #shown = new Map<string, readonly string[]>();
  readonly #spent = new Map<string, number>();
  readonly #held = new Map<CircuitId, TokenRecord>();
  readonly #shares: Shares;

  constructor(shares: Shares) {
    this.#shares = shares;
  }

  /** A message is about to be taken here. */
  hear(message: PeerMessage): void {
    if ((message.op !== 'commit' && message.op !== 'provision') || message.token === undefined) return;
    const parts = this.#shares.see(message.token);
    this.#shown.set(`${parts[0]} ${message.circuit}/${message.version}/${message.op}`, parts);
  }

  enter({ tokens, audit }: Group): string[] {
    if (tokens === undefined) return [];
    const wrong: string[] = [];
    for (const token of tokens.minted) if (token.kept === 'HOLDER') this.#held.set(token.circuitId, token);
    for (const { rootId, opKey, audience, mbit } of tokens.redemptions) {
      if (this.#operations.has(`${rootId} ${opKey}`)) wrong.push(`${opKey} is redeemed twice`);
      this.#operations.add(`${rootId} ${opKey}`);
      this.#opened.add(opKey);
      if (this.#revoked.has(rootId)) wrong.push(`${opKey} is opened by a token that was withdrawn`);
      // What our own clients show is not on the wire: what the home counts for itself is another test's subject.
      for (const part of this.#shown.get(`${rootId} ${opKey}`) ?? this.#shares.only(rootId)) {
        const key = `${part} ${audience}`;
        const spent = (this.#spent.get(key) ?? 0) + mbit;
        this.#spent.set(key, spent);
        if (spent > this.#shares.of(part, audience))
          wrong.push(`${opKey} spends ${spent} of ${this.#shares.of(part, audience)} Mbit`);
      }
    }
    const records = audit.rows.filter(({ text }) => text?.includes('"op":"token.redeem"') === true).length;
    if (records < tokens.redemptions.length) wrong.push('a redemption has no record');
    for (const { iss, jti } of tokens.revocations) this.#revoked.add(sha256(`${iss}\n${jti}`));
    return wrong;
  }

  /** Of a device that is told to light: has somebody shown a token for it, and is that durable? */
  lights(circuit: Circuit | undefined, version: number): string[] {
    if (circuit?.home === undefined) return [];
    const { circuit: of } = circuit.home;
    const wrong: string[] = [];
    if (!this.#opened.has(`${of}/${version}/commit`)) wrong.push(`lights ${of} v${version} without a token`);
    const provisioned = [...this.#opened].some((op) => op.startsWith(`${of}/`) && op.endsWith('/provision'));
    if (circuit.request.provision === 'MANUAL' && !provisioned)
      wrong.push(`lights ${of} v${version}, which nobody with a token has asked for`);
    return wrong;
  }

  held(circuit: CircuitId): TokenRecord | undefined {
    return this.#held.get(circuit);
  }
}

const REDUCING = new Set(['abort', 'free', 'release', 'cancel']);

export const refusedToGiveBack = (to: string, message: PeerMessage, answer: PeerAnswer): string[] =>
  REDUCING.has(message.op) && answer.state === 'REFUSED'
    ? [`${to} refuses ${message.op} of ${message.circuit}: ${answer.cause}`]
    : [];
