/** The holder of the MANUAL circuits' tokens: passes them on to their homes with shares of all sizes. */
import type { Broker } from '../../src/broker/broker.ts';
import type { CircuitId } from '../../src/kernel/ids.ts';
import { newP256Key } from '../../src/kernel/random.ts';
import { sha256 } from '../../src/tokens/encoding.ts';
import { type PublicJwk, publicOf } from '../../src/tokens/jwk.ts';
import { attenuate, newJti, prove } from '../../src/tokens/mint.ts';
import type { Dice } from './devices.ts';
import { anybody, type Node } from './node.ts';
import type { DirectAsk } from './workload.ts';

export class SimHolder {
  readonly #key = newP256Key();
  readonly jwk: PublicJwk = publicOf(this.#key);
  readonly #dice: Dice;
  readonly #node: (home: number) => Node | undefined;
  #operations = 0;

  constructor(dice: Dice, node: (home: number) => Node | undefined) {
    this.#dice = dice;
    this.#node = node;
  }

  /** Lights a circuit with its token, and passes it on to the home: with all of its share, or with less. */
  provision(home: number, id: string): DirectAsk {
    const share = this.#dice.chance(0.5) ? 0.5 : 1;
    const act = async (broker: Broker): Promise<string> => {
      const node = this.#node(home);
      const token = node?.mirror.tokens.held(id as CircuitId);
      if (node === undefined || token === undefined) return 'no token';
      const bud = new Map(token.aud.map((aud) => [aud, Math.floor((token.scope?.mbit ?? 0) * share)]));
      const iat = Math.floor(node.watch.now() / 1000);
      const jti = (): string => newJti(this.#random);
      const holder = broker.tokens.holderKey();
      const link = { lim: { actions: ['provision'] as const, bud }, holder, jti: jti(), iat };
      const passedOn = attenuate(token.text, link, this.#key);
      const aud = `https://${node.name}`;
      const opKey = `holder-${this.#operations++}`;
      const text = prove(
        token.text,
        { aud, action: 'provision', body: '', opKey, jti: jti(), iat },
        this.#key,
      );
      const presented = { text, action: 'provision' as const, bodyHash: sha256(''), opKey, peer: 'api' };
      const capability = { ...presented, link: passedOn.slice(token.text.length, -1) };
      const call = { principal: anybody, requestId: opKey, validateOnly: false, capability };
      const done = await broker.act(call, id as CircuitId, { type: 'provision' });
      return done.kind === 'done' ? `${done.value.state} with ${share} of its share` : done.kind;
    };
    return { kind: 'direct', what: `provision ${id} with its token`, act };
  }

  readonly #random = {
    bytes: (length: number): Uint8Array => Uint8Array.from({ length }, () => this.#dice.int(256)),
  };
}
