/**
 * What callers ask of capability tokens by themselves: to have one, to have one narrowed that this domain
 * holds, to withdraw one, to look into one, and to change the issuer's keys. Whoever booked the circuit, or
 * an operator, decides who holds its token; one circuit has one token in a holder's hand at a time.
 */

import type { InstantMs } from '../../kernel/clock.ts';
import { BrokerError } from '../../kernel/errors.ts';
import type { Circuit } from '../../model/circuit.ts';
import { isOperator, type Principal } from '../../model/principal.ts';
import type { Limits } from '../../tokens/grant.ts';
import { type Introspection, introspection } from '../../tokens/introspect.ts';
import { type PublicJwk, publicJwk, thumbprint } from '../../tokens/jwk.ts';
import { attenuate, newJti } from '../../tokens/mint.ts';
import { TokenError } from '../../tokens/refusal.ts';
import { signStatusList } from '../../tokens/status.ts';
import type { Chain } from '../../tokens/verify.ts';
import type { Call } from '../calls.ts';
import type { Term } from '../term.ts';
import type { Tx } from '../tx.ts';
import { StoredRefusal } from '../writer.ts';
import { DEFAULT_USES, LIST_SIZE, type TokenDesk } from './tokenDesk.ts';
import { isDecided } from './tokenGrant.ts';
import type { MintedToken, TokenKeyRecord } from './tokenRecords.ts';

export interface TokenAsk {
  /** Whose token it will be; the key of the booking when absent, this domain's own when that has none either. */
  readonly holder?: PublicJwk;
  readonly uses?: number;
}
export function deskOf(term: Term): TokenDesk {
  if (term.tokens === undefined)
    throw new BrokerError('NOT_SUPPORTED', 'this broker issues no circuit tokens');
  return term.tokens;
}

export function issue(
  tx: Tx,
  term: Term,
  call: Call,
  stored: Circuit,
  ask: TokenAsk,
): MintedToken | StoredRefusal {
  const desk = deskOf(term);
  const circuit = tx.book.circuits.get(stored.id) ?? stored;
  if (circuit.role !== 'HOME') throw new BrokerError('NOT_HOME', 'the home of the circuit issues its tokens');
  if (!mayHandOut(call.principal, circuit))
    throw new BrokerError(
      'POLICY_DENIED',
      'who booked the circuit, or an operator, decides who holds its token',
    );
  const decision = term.authoriser.ask(tx, {
    principal: call.principal,
    requestId: call.requestId,
    action: 'token.issue',
    project: circuit.request.project,
    circuitId: circuit.id,
    facts: {},
  });
  if (decision.denied !== undefined) return new StoredRefusal(decision.denied);
  if (!isDecided(circuit))
    throw new BrokerError('WRONG_STATE', `there is no token for a circuit that is ${circuit.state}`, {
      allowed_actions: [],
    });
  const booked = circuit.request.holderJwk;
  const holder = ask.holder ?? (booked === undefined ? desk.ring.ownHolder : publicJwk(booked));
  const kept = thumbprint(holder) === thumbprint(desk.ring.ownHolder) ? 'HOME' : 'HOLDER';
  const uses = ask.uses ?? (kept === 'HOME' ? undefined : DEFAULT_USES);
  for (const token of [...tx.book.tokens.tokensOf(circuit.id, desk.issuer)]) {
    if (token.kept !== kept) continue;
    const same =
      thumbprint(token.holder) === thumbprint(holder) && (uses === undefined || token.uses === uses);
    if (same) return token;
    desk.revoke(tx, token, call.principal.id);
  }
  return desk.mint(tx, circuit, { kept, holder, ...(uses === undefined ? {} : { uses }) });
}

const mayHandOut = (who: Principal, circuit: Circuit): boolean => circuit.owner === who.id || isOperator(who);

/** What this domain itself holds, narrowed for somebody else. Any other holder does that without us. */
export function attenuateKept(
  tx: Tx,
  term: Term,
  call: Call,
  circuit: Circuit,
  text: string,
  link: { readonly limits: Limits; readonly holder: PublicJwk },
): string | StoredRefusal {
  const desk = deskOf(term);
  if (!mayHandOut(call.principal, circuit))
    throw new BrokerError(
      'POLICY_DENIED',
      'who booked the circuit, or an operator, decides who holds its token',
    );
  const decision = term.authoriser.ask(tx, {
    principal: call.principal,
    requestId: call.requestId,
    action: 'token.attenuate',
    project: circuit.request.project,
    circuitId: circuit.id,
    facts: {},
  });
  if (decision.denied !== undefined) return new StoredRefusal(decision.denied);
  desk.chain(text, tx.now);
  const { limits: lim, holder } = link;
  const made = { lim, holder, jti: newJti(desk.random), iat: Math.floor(tx.now / 1000) };
  const narrower = attenuate(text, made, desk.ring.secret);
  const { root, linkJtis, grant, holderThumbprint } = desk.chain(narrower, tx.now);
  tx.record({
    op: 'token.seen',
    txn: root.txn,
    circuit: grant.circuit,
    holder: holderThumbprint,
    token: { iss: root.iss, jti: root.jti, links: linkJtis.length },
  });
  return narrower;
}

/** `chain`: the last of it is withdrawn, with all that was made from it. `kill`: the light goes out, too. */
export function revoke(
  tx: Tx,
  term: Term,
  call: Call,
  stored: Circuit,
  what: { readonly chain: Chain } | { readonly jti: string },
  kill: boolean,
): boolean | StoredRefusal {
  const desk = deskOf(term);
  const decision = term.authoriser.ask(tx, {
    principal: call.principal,
    requestId: call.requestId,
    action: 'token.revoke',
    project: stored.request.project,
    circuitId: stored.id,
    facts: { kill },
  });
  if (decision.denied !== undefined) return new StoredRefusal(decision.denied);
  const jti = 'chain' in what ? what.chain.root.jti : what.jti;
  const token = tx.book.tokens.minted(jti);
  const isLink = 'chain' in what && what.chain.linkJtis.length > 0;
  let revoked = false;
  if (isLink) revoked = desk.revokeLink(tx, what.chain, call.principal.id);
  else if (token !== undefined) revoked = desk.revoke(tx, token, call.principal.id);
  const circuit = tx.book.circuits.get(stored.id);
  const lit = circuit?.state === 'PROVISIONING' || circuit?.state === 'ACTIVE';
  // Armed, it would be lit at its start all the same.
  const armed = circuit?.state === 'SCHEDULED' && circuit.armed;
  if (kill && (lit || armed))
    tx.apply(
      stored.id,
      { type: 'release', detail: 'its token was withdrawn, and its light with it', at: tx.now },
      decision.id,
    );
  return revoked;
}

/** An operator's word about keys: a new one signs, or one is worth nothing any more. */
export function changeKeys(
  tx: Tx,
  term: Term,
  call: Call,
  project: string,
  change: { readonly rotate: 'ISSUER' } | { readonly compromised: string },
): readonly TokenKeyRecord[] | StoredRefusal {
  const desk = deskOf(term);
  const decision = term.authoriser.ask(tx, {
    principal: call.principal,
    requestId: call.requestId,
    action: 'token.keys',
    project,
    facts: {},
  });
  if (decision.denied !== undefined) return new StoredRefusal(decision.denied);
  if ('rotate' in change) desk.ring.make(tx, change.rotate);
  else if (desk.ring.compromise(tx, change.compromised) === undefined)
    throw new BrokerError('NOT_FOUND', 'no issuer key has this kid');
  return [...tx.book.tokens.keys.values()];
}

/** RFC 7662. Of what is not accepted here it says nothing but that. */
export function look(desk: TokenDesk, text: string, now: InstantMs): Introspection {
  try {
    return introspection(desk.chain(text, now));
  } catch (error) {
    if (error instanceof TokenError) return introspection(undefined);
    throw error;
  }
}

/** For how long a status list may be believed. */
const LIST_LIFE_S = 900;

export function statusList(term: Term, list: number, now: InstantMs): string | undefined {
  const desk = deskOf(term);
  const { nextIdx, withdrawn } = term.book.tokens;
  const first = list * LIST_SIZE;
  if (list > 0 && first >= nextIdx) return undefined;
  const iat = Math.floor(now / 1000);
  const revoked = [...withdrawn].filter((idx) => idx >= first && idx < first + LIST_SIZE);
  return signStatusList(
    {
      iss: desk.issuer,
      uri: `${desk.issuer}/v1/tokens/status/${list}`,
      iat,
      exp: iat + LIST_LIFE_S,
      // Whole from the beginning: how many tokens there are is nobody's business.
      size: LIST_SIZE,
      revoked: revoked.map((idx) => idx - first),
    },
    desk.ring.signer(),
  );
}
