/**
 * The use cases of capability tokens, as the broker offers them: each finds the circuit that the token is
 * for, so that nobody hears of one that he may not see, and lets the writer decide.
 */
import { BrokerError } from '../../kernel/errors.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import type { Circuit } from '../../model/circuit.ts';
import type { Principal } from '../../model/principal.ts';
import type { Introspection } from '../../tokens/introspect.ts';
import type { PublicJwk } from '../../tokens/jwk.ts';
import { TokenError } from '../../tokens/refusal.ts';
import type { Chain } from '../../tokens/verify.ts';
import type { BrokerPorts } from '../brokerPorts.ts';
import type { Mutated, Mutation } from '../calls.ts';
import type { Mutations } from '../mutations.ts';
import type { Office } from '../office.ts';
import type { Queries } from '../queries.ts';
import { refusalOf } from './padlock.ts';
import type { TokenAsk } from './tokenCases.ts';
import * as cases from './tokenCases.ts';
import type { MintedToken, TokenKeyRecord } from './tokenRecords.ts';
import type { PublishedIssuer } from './tokenRing.ts';

/** A token as its owner gets it. Without its text where it was only tried. */
export interface TokenView {
  readonly token: MintedToken;
  readonly text?: string;
}
export type TokenKeyView = Omit<TokenKeyRecord, 'jwk'> & { readonly jwk: PublicJwk };

export interface TokenUse {
  issueToken(call: Mutation<TokenView>, circuit: CircuitId, ask: TokenAsk): Promise<Mutated<TokenView>>;
  attenuateToken(
    call: Mutation<string>,
    text: string,
    link: Parameters<typeof cases.attenuateKept>[5],
  ): Promise<Mutated<string>>;
  revokeToken(
    call: Mutation<boolean>,
    what: { readonly text: string } | { readonly jti: string },
    kill: boolean,
  ): Promise<Mutated<boolean>>;
  introspect(who: Principal, text: string): Promise<Introspection>;
  /** The caller that a circuit token stands for: its holder, for the verbs of its circuit. */
  tokenHolder(text: string): Principal;
  issuerKeys(): { readonly keys: readonly object[] };
  /** The key with which this domain holds tokens: holders pass theirs on to it. */
  holderKey(): PublicJwk;
  /** The same for peers, and the same object for as long as it says the same; undefined: nobody issues here. */
  published(): PublishedIssuer | undefined;
  statusList(list: number): string | undefined;
  tokenKeys(): readonly TokenKeyView[];
  changeTokenKeys(
    call: Mutation<readonly TokenKeyView[]>,
    change: Parameters<typeof cases.changeKeys>[4],
  ): Promise<Mutated<readonly TokenKeyView[]>>;
}

export class TokenOffice implements TokenUse {
  readonly #office: Office;
  readonly #mutations: Mutations;
  readonly #queries: Queries;
  readonly #ports: BrokerPorts;

  constructor(office: Office, mutations: Mutations, queries: Queries, ports: BrokerPorts) {
    this.#office = office;
    this.#mutations = mutations;
    this.#queries = queries;
    this.#ports = ports;
  }

  async issueToken(call: Mutation<TokenView>, id: CircuitId, ask: TokenAsk): Promise<Mutated<TokenView>> {
    const circuit = await this.#queries.circuit(call.principal, id);
    // The same holder gets the same token again, so that no answer with a token in it need be kept.
    const made = await this.#mutations.run(unkept<MintedToken>(call), (tx, term) =>
      cases.issue(tx, term, call, circuit, ask),
    );
    if (made.kind === 'replayed') return made;
    const token = made.value;
    // Its text is read when it is durable.
    if (call.validateOnly) return { kind: 'done', value: { token } };
    const text = (await this.#ports.store.token(token.jti))?.text;
    return { kind: 'done', value: { token, ...(text === undefined ? {} : { text }) } };
  }

  async attenuateToken(
    call: Mutation<string>,
    text: string,
    link: Parameters<typeof cases.attenuateKept>[5],
  ): Promise<Mutated<string>> {
    const { circuit } = await this.#known(call.principal, text);
    return this.#mutations.run(unkept(call), (tx, term) =>
      refusing(() => cases.attenuateKept(tx, term, call, circuit, text, link)),
    );
  }

  async revokeToken(
    call: Mutation<boolean>,
    what: { readonly text: string } | { readonly jti: string },
    kill: boolean,
  ): Promise<Mutated<boolean>> {
    let circuit: Circuit;
    let target: { readonly chain: Chain } | { readonly jti: string };
    try {
      if ('text' in what) {
        const known = await this.#known(call.principal, what.text);
        circuit = known.circuit;
        target = known;
      } else {
        const minted = this.#office.now().book.tokens.minted(what.jti);
        if (minted === undefined) return { kind: 'done', value: false };
        circuit = await this.#queries.circuit(call.principal, minted.circuitId);
        target = what;
      }
    } catch (error) {
      // RFC 7009: what is no token any more is withdrawn already.
      if (error instanceof BrokerError && (error.status === 404 || error.status === 401))
        return { kind: 'done', value: false };
      throw error;
    }
    return this.#mutations.run(call, (tx, term) => cases.revoke(tx, term, call, circuit, target, kill), true);
  }

  async introspect(who: Principal, text: string): Promise<Introspection> {
    const desk = cases.deskOf(this.#office.now());
    const said = cases.look(desk, text, this.#ports.clock.now());
    if (!said.active) return said;
    const visible = await this.#known(who, text).catch(() => undefined);
    return visible === undefined ? { active: false } : said;
  }

  tokenHolder(text: string): Principal {
    const desk = cases.deskOf(this.#office.now());
    return refusing(() => desk.holder(text, this.#ports.clock.now()));
  }

  issuerKeys(): { readonly keys: readonly object[] } {
    return cases.deskOf(this.#office.now()).ring.jwks(this.#ports.clock.now());
  }
  holderKey(): PublicJwk {
    return cases.deskOf(this.#office.now()).ring.ownHolder;
  }
  published(): PublishedIssuer | undefined {
    return this.#office.now().tokens?.ring.published();
  }
  statusList(list: number): string | undefined {
    return cases.statusList(this.#office.now(), list, this.#ports.clock.now());
  }
  tokenKeys(): readonly TokenKeyView[] {
    return [...this.#office.now().book.tokens.keys.values()].map(shown);
  }
  async changeTokenKeys(
    call: Mutation<readonly TokenKeyView[]>,
    change: Parameters<typeof cases.changeKeys>[4],
  ): Promise<Mutated<readonly TokenKeyView[]>> {
    const project = call.principal.projects[0] ?? '';
    return this.#mutations.run(call, (tx, term) => {
      const keys = cases.changeKeys(tx, term, call, project, change);
      return Array.isArray(keys)
        ? keys.map(shown)
        : (keys as Exclude<typeof keys, readonly TokenKeyRecord[]>);
    });
  }

  /** A token of ours that is still good, and its circuit, which the caller may see. */
  async #known(who: Principal, text: string): Promise<{ readonly chain: Chain; readonly circuit: Circuit }> {
    const desk = cases.deskOf(this.#office.now());
    const chain = refusing(() => desk.chain(text, this.#ports.clock.now()));
    // The claims were read by their pattern, so that this is the id of a circuit.
    const circuit = await this.#queries.circuit(who, chain.grant.circuit as CircuitId);
    return { chain, circuit };
  }
}

const shown = ({ jwk: { kty, crv, x, y }, ...key }: TokenKeyRecord): TokenKeyView => ({
  ...key,
  jwk: { kty, crv, x, y },
});

/** Without its Idempotency-Key: the answer must not be kept. */
function unkept<T>(call: Mutation<unknown>): Mutation<T> {
  const { idempotency: _unused, ...rest } = call;
  return rest;
}

function refusing<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw error instanceof TokenError ? refusalOf(error) : error;
  }
}
