/**
 * Which verbs of a client need the circuit's token, and whether the one that came opens them. On a MANUAL
 * circuit that has been decided: provision, release, every change, and cancel while it shines. The way round
 * it is an operator's, with a reason that is recorded. What only reduces between brokers never comes by here.
 *
 * The token is compared with the circuit as it is stored. Its own holder may ask its issuer for more than it
 * says, which policy and capacity then judge, and the circuit gets a new token with that; a delegate never.
 */
import type { Facts } from '../../aaa/decide.ts';
import { schemaSha256 } from '../../aaa/schema.ts';
import { instant, NEVER } from '../../kernel/clock.ts';
import { BrokerError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import type { Circuit, Placement } from '../../model/circuit.ts';
import { isOperator } from '../../model/principal.ts';
import { remotes } from '../../model/rules.ts';
import { plusSeconds } from '../../model/window.ts';
import type { Grant, GrantAsk, Span, Stp, TokenAction } from '../../tokens/grant.ts';
import { thumbprint } from '../../tokens/jwk.ts';
import { splitToken } from '../../tokens/parse.ts';
import type { RedeemOutcome } from '../../tokens/redeem.ts';
import { TokenError, type TokenRefusal } from '../../tokens/refusal.ts';
import type { Chain } from '../../tokens/verify.ts';
import type { Call, CircuitAction, CircuitChange } from '../calls.ts';
import type { DecisionRecord } from '../ports.ts';
import type { Term } from '../term.ts';
import type { Tx } from '../tx.ts';
import { StoredRefusal } from '../writer.ts';
import type { Presented, Shown, TokenDesk } from './tokenDesk.ts';
import { isDecided, mbitOf } from './tokenGrant.ts';

type Verb = Extract<CircuitAction['type'], TokenAction> | 'modify' | 'extend';

export type Unlocked =
  /** A retry: answer with what is there. */
  | { readonly present: true }
  | {
      readonly present: false;
      /** What the policy sees of it. */
      readonly facts: Facts;
      readonly question: Pick<DecisionRecord, 'sequence' | 'token'>;
      /** Enters the redemption: in the transaction of the effect, before it. */
      use(): void;
      /** After a change: a new token when the circuit has outgrown the one that was shown. */
      renew(): void;
    };

const nothing = (): void => {};

/** Without a token: by the bearer alone, or by an operator who says why. */
const open = (tx: Tx, call: Call, circuit: Circuit, action: string): Unlocked => {
  const { override: reason, principal } = call;
  return {
    present: false,
    facts: reason === undefined ? {} : { override_reason: reason },
    question: { sequence: 'AGENT' },
    use: () => {
      if (reason === undefined) return;
      tx.record({ op: 'override', actor: principal.id, action, circuit: circuit.id, reason });
    },
    renew: nothing,
  };
};

export function unlock(
  tx: Tx,
  term: Term,
  call: Call,
  circuit: Circuit,
  asked: CircuitAction['type'] | 'modify' | 'extend',
  wish: CircuitChange = {},
): Unlocked | StoredRefusal {
  const desk = term.tokens;
  const verb = verbOf(asked);
  if (call.override !== undefined && !isOperator(call.principal))
    throw new BrokerError('POLICY_DENIED', 'only operators may override');
  if (desk === undefined || verb === undefined) return open(tx, call, circuit, `circuit.${asked}`);
  if (call.capability !== undefined) {
    const shown = shownBy(desk, call.capability, verb, tx);
    try {
      return turn(tx, desk, shown, circuit, verb, wish);
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      return refused(tx, desk, call, circuit, verb, error);
    }
  }
  if (call.override === undefined && isLocked(circuit, verb))
    throw new BrokerError('TOKEN_REQUIRED', `${verb} on this MANUAL circuit needs its token`);
  return open(tx, call, circuit, `circuit.${asked}`);
}

const verbOf = (action: CircuitAction['type'] | 'modify' | 'extend'): Verb | undefined =>
  action === 'commit' || action === 'abort' || action === 'extend-hold' ? undefined : action;

/** Before it is decided there is no token yet, and after its end nothing to open. */
export function isLocked(c: Circuit, verb: Verb): boolean {
  if (c.role !== 'HOME' || c.request.provision !== 'MANUAL' || !isDecided(c)) return false;
  return verb !== 'cancel' || c.state === 'PROVISIONING' || c.state === 'ACTIVE';
}

/** Whoever is not its holder is nobody to us: refused without a record, like other bad credentials. */
function shownBy(desk: TokenDesk, presented: Presented, verb: Verb, tx: Tx): Shown {
  try {
    if (presented.action !== verb) throw new TokenError('REQUEST', 'a proof for another action');
    return desk.read(presented, tx.now);
  } catch (error) {
    throw error instanceof TokenError ? refusalOf(error) : error;
  }
}

function turn(
  tx: Tx,
  desk: TokenDesk,
  shown: Shown,
  circuit: Circuit,
  verb: Verb,
  wish: CircuitChange,
): Unlocked {
  const { root, grant, linkJtis } = shown.chain;
  const asks = askOf(circuit, verb, wish);
  // The holder of the root asks the issuer itself: more than the token says is a matter of policy.
  const outgrown = linkJtis.length === 0 && root.iss === desk.issuer && outgrows(grant, asks.ask);
  const outcome: Exclude<RedeemOutcome, { kind: 'REFUSED' }> = desk.present(
    tx,
    shown,
    outgrown ? { ...asks.ask, mbps: Math.min(asks.ask.mbps, grant.mbps), window: grant.window } : asks.ask,
    outgrown ? 0 : asks.mbit,
  );
  if (outcome.kind === 'PRESENT') {
    desk.enter(tx, shown, outcome);
    return { present: true };
  }
  const passedOn = delegated(tx, desk, shown, circuit, verb);
  return {
    present: false,
    facts: { sequence: 'PUSH' },
    question: { sequence: 'PUSH', token: { iss: root.iss, jti: root.jti, links: linkJtis } },
    use: () => {
      desk.enter(tx, shown, outcome);
      if (passedOn !== undefined) desk.keep(tx, passedOn.chain, passedOn.text);
    },
    renew: () => {
      if (outgrown) renew(tx, desk, circuit, shown);
    },
  };
}

/**
 * What the holder has passed on to us with this verb. Other domains see us, not him, and a proof of his would be
 * stale when one of them comes back after a minute: light in them needs a link for our key, so that we can sign
 * afresh; for a change our own token does as well.
 */
function delegated(
  tx: Tx,
  desk: TokenDesk,
  { presented, chain: own }: Shown,
  circuit: Circuit,
  verb: Verb,
): { readonly chain: Chain; readonly text: string } | undefined {
  const others = circuit.current === undefined ? [] : remotes(circuit.current).map((s) => s.domain);
  if (others.length === 0) return undefined;
  const { link } = presented;
  if (link === undefined) {
    if (verb !== 'provision' || circuit.armed) return undefined;
    throw new TokenError(
      'SCOPE',
      `${others.join(', ')} must see it too: pass it on with a link for this broker's key`,
    );
  }
  const text = `${splitToken(presented.text).prefix}${link}~`;
  const chain = desk.chain(text, tx.now);
  if (chain.linkJtis.length !== own.linkJtis.length + 1) throw new TokenError('CHAIN', 'more than one link');
  if (chain.holderThumbprint !== thumbprint(desk.ring.ownHolder))
    throw new TokenError('HOLDER', 'the link is not for the key of this broker');
  if (!chain.grant.actions.includes(verb)) throw new TokenError('SCOPE', `the link does not allow ${verb}`);
  const left = others.find((domain) => !chain.grant.aud.includes(desk.issuerOf(domain)));
  if (left !== undefined) throw new TokenError('AUDIENCE', `the link does not reach ${left}`);
  return { chain, text };
}

function renew(tx: Tx, desk: TokenDesk, { id }: Circuit, { chain }: Shown): void {
  const minted = tx.book.tokens.minted(chain.root.jti);
  const circuit = tx.book.circuits.get(id);
  // Not while peers are still being asked: what they agree to is not known yet.
  if (minted === undefined || circuit?.current === undefined || circuit.pending?.phase === 'HOLDING') return;
  // Done already, because other domains have a part in it.
  if (tx.book.tokens.revocations.isRevoked(desk.issuer, minted.jti)) return;
  desk.revoke(tx, minted, 'the circuit was changed by its holder');
  desk.mint(tx, circuit, minted);
}

const outgrows = (grant: Grant, ask: GrantAsk): boolean =>
  ask.mbps > grant.mbps || ask.window.start < grant.window.start || ask.window.end > grant.window.end;

/** The circuit as it is stored, and what the verb takes beyond that. */
function askOf(
  c: Circuit,
  verb: Verb,
  wish: CircuitChange,
): { readonly ask: GrantAsk; readonly mbit: number } {
  const { current } = c;
  if (current === undefined) throw new TokenError('SCOPE', 'the circuit has no place');
  const start = current.window.start;
  const wished =
    wish.extendS === undefined
      ? wish.end === 'NEVER'
        ? NEVER
        : (wish.end ?? current.window.end)
      : current.window.end === NEVER
        ? NEVER
        : plusSeconds(current.window.end, wish.extendS);
  // A later deadline promises a later end, and an earlier bound an earlier start.
  const end = instant(Math.max(wished, current.window.end, wish.deadline ?? 0));
  const mbps = Math.max(current.mbps, wish.mbps ?? 0);
  const window: Span = {
    start: Math.floor(Math.min(start, wish.notBefore ?? start) / 1000),
    end: Math.min(Math.ceil(end / 1000), Number.MAX_SAFE_INTEGER),
  };
  const before = mbitOf(current);
  const after = mbitOf({ mbps: wish.mbps ?? current.mbps, window: { start, end: wished } });
  const mbit = verb === 'provision' ? (c.armed ? 0 : before) : Math.max(0, after - before);
  return { ask: { action: verb, circuit: c.id, stps: endsOf(c, current), mbps, window }, mbit };
}

function endsOf(c: Circuit, { segments }: Placement): Stp[] {
  const end = (which: Stp['end'], port: string, label: number | undefined): Stp =>
    label === undefined || label === 0 ? { end: which, port } : { end: which, port, vlan: label };
  return [
    end('a', c.request.a.port, segments[0]?.a.label),
    end('z', c.request.z.port, segments.at(-1)?.z.label),
  ];
}

/** A denial like any other: recorded, and nothing else changed. */
function refused(
  tx: Tx,
  desk: TokenDesk,
  call: Call,
  circuit: Circuit,
  verb: Verb,
  error: TokenError,
): StoredRefusal {
  const id = newId('dec', tx.now, desk.random);
  tx.decided({
    id,
    time: tx.now,
    principal: call.principal.id,
    action: `circuit.${verb}`,
    project: circuit.request.project,
    circuitId: circuit.id,
    requestId: call.requestId,
    sequence: 'PUSH',
    facts: {},
    effect: 'DENY',
    reasons: [`token:${error.reason}`],
    policy: 'circuit token',
    schema: schemaSha256,
  });
  return new StoredRefusal(refusalOf(error, id));
}

const UNCOVERED: readonly TokenRefusal[] = ['SCOPE', 'SPENT', 'BUDGET', 'STATUS_UNKNOWN'];

/** In the words of the API. The detail never quotes the token. */
export function refusalOf(error: TokenError, decisionId?: string): BrokerError {
  const code = UNCOVERED.includes(error.reason) ? 'TOKEN_REFUSED' : 'TOKEN_INVALID';
  return new BrokerError(code, error.message, {
    token_reason: error.reason,
    ...(decisionId === undefined ? {} : { decision_id: decisionId }),
  });
}
