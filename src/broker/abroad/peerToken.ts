/**
 * The token of a circuit between two brokers. What takes or changes something at a participant (commit, the
 * commit of a change, provision) comes with a token of the home's issuer and a proof that the home has signed for
 * this very message; what only gives back never needs one. The home finds what to show; the participant checks
 * it offline, against the keys that are pinned for the home and the segment as it is stored here, counts what it
 * costs of this domain's share, and writes down who showed what.
 */
import { schemaSha256 } from '../../aaa/schema.ts';
import { type InstantMs, NEVER } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { type Circuit, type Placement, placements } from '../../model/circuit.ts';
import type { PortId } from '../../model/port.ts';
import type { Window } from '../../model/window.ts';
import { sha256 } from '../../tokens/encoding.ts';
import type { GrantAsk, Span, Stp, TokenAction } from '../../tokens/grant.ts';
import { TokenError } from '../../tokens/refusal.ts';
import type { DecisionRecord, Store } from '../ports.ts';
import type { Shown, TokenDesk } from '../tokens/tokenDesk.ts';
import { mbitOf } from '../tokens/tokenGrant.ts';
import type { Tx } from '../tx.ts';
import type { PeerEnd, PeerMessage, PeerSegment } from './peerPorts.ts';

/** The messages that need a token. */
export type Opening = Extract<PeerMessage, { readonly op: 'commit' | 'provision' }>;

export const opens = (message: PeerMessage): message is Opening =>
  message.op === 'commit' || message.op === 'provision';

/** What the proof must be over: the verb, its operation key, and what is asked, in one form on both sides. */
export interface Claim {
  readonly action: TokenAction;
  readonly opKey: string;
  readonly body: string;
}

export function claimOf(message: Opening): Claim {
  const { op, circuit, version } = message;
  const opKey = `${circuit}/${version}/${op}`;
  if (op === 'provision') return { action: op, opKey, body: JSON.stringify([op, circuit, version]) };
  const { a, z, second, window, mbps, provision } = message.segment;
  const other = second === undefined ? [] : [second.a.port, second.a.labels, second.z.port, second.z.labels];
  const asked = [a.port, a.labels, z.port, z.labels, window.start, window.end, mbps, provision, ...other];
  const action = message.kind === 'MOVE' ? 'move' : message.kind === 'MODIFY' ? 'modify' : 'commit';
  return { action, opKey, body: JSON.stringify([action, circuit, version, ...asked]) };
}

// ---- at the home -----------------------------------------------------------------------------------------

/** The message with the token that opens it there and a fresh proof; without one where we have none. */
export async function dressed(
  desk: TokenDesk,
  to: { readonly domain: string; readonly message: Opening },
  circuit: Circuit,
  store: Store,
  now: InstantMs,
): Promise<Opening> {
  const { domain, message } = to;
  const claim = claimOf(message);
  const aud = desk.issuerOf(domain);
  const slot = placements(circuit).find((p) => p.version === message.version);
  for (const token of desk.kept(circuit.id, claim.action)) {
    if (!token.aud.includes(aud)) continue;
    const text = await desk.text(token, store);
    if (text === undefined) continue;
    if (token.kept === 'DELEGATED' && !stillGood(desk, text, slot, now)) continue;
    return { ...message, token: desk.proven(text, aud, claim, now) };
  }
  return message;
}

/** Its root may be withdrawn, and the circuit have become more than its holder has passed on. */
function stillGood(desk: TokenDesk, text: string, slot: Slot | undefined, now: InstantMs): boolean {
  try {
    const { grant } = desk.chain(text, now);
    const needed = slot === undefined ? undefined : spanOf(slot.window);
    return (
      slot === undefined ||
      needed === undefined ||
      (slot.mbps <= grant.mbps && grant.window.start <= needed.start && needed.end <= grant.window.end)
    );
  } catch (error) {
    if (error instanceof TokenError) return false;
    throw error;
  }
}

// ---- at the participant ----------------------------------------------------------------------------------

/** Read before the writer is asked: signatures take time, and do not change. */
export type Brought = { readonly shown: Shown } | { readonly error: TokenError };

export async function bring(
  desk: TokenDesk | undefined,
  from: string,
  message: PeerMessage,
  now: InstantMs,
): Promise<Brought | undefined> {
  if (desk === undefined || !opens(message)) return undefined;
  const { token } = message;
  if (token === undefined)
    return { error: new TokenError('HOLDER', `${message.op} needs the token of the circuit`) };
  const { action, opKey, body } = claimOf(message);
  const presented = { text: token, action, opKey, bodyHash: sha256(body), peer: from };
  const read = (): Brought => {
    try {
      return { shown: desk.read(presented, now) };
    } catch (error) {
      if (error instanceof TokenError) return { error };
      throw error;
    }
  };
  const brought = read();
  if (!('error' in brought) || brought.error.reason !== 'STATUS_UNKNOWN') return brought;
  await desk.refresh(token);
  return read();
}

interface Slot {
  readonly mbps: number;
  readonly window: Window;
}
/** What the verb is about, as it is stored here; of what is not held any more, as it is asked for. */
export interface Subject extends Slot {
  readonly a: Pick<PeerEnd, 'port'> & { readonly label?: number };
  readonly z: Pick<PeerEnd, 'port'> & { readonly label?: number };
}

export function subjectOf(asked: PeerSegment, held: Placement | undefined): Subject {
  const segment = held?.segments[0];
  const { mbps, window } = held ?? asked;
  return {
    mbps,
    window,
    a: endOf(segment?.a ?? asked.a, asked.a),
    z: endOf(segment?.z ?? asked.z, asked.z),
  };
}

export const subjectIn = ({ segments: [segment], mbps, window }: Placement): Subject | undefined =>
  segment === undefined ? undefined : { mbps, window, a: segment.a, z: segment.z };

/** Of several labels that are held the commit names one. */
function endOf(
  { port, label, offered }: { readonly port: PortId; readonly label?: number; readonly offered?: unknown },
  { labels }: PeerEnd,
): Subject['a'] {
  const [first] = labels === 'UNTAGGED' ? [] : labels;
  const named = first !== undefined && first[0] === first[1] ? first[0] : undefined;
  const chosen = offered === undefined ? (label ?? named) : named;
  return chosen === undefined ? { port } : { port, label: chosen };
}

export interface PeerKey {
  /** A retry: answer with what is there. */
  readonly present: boolean;
  readonly question: Pick<DecisionRecord, 'sequence' | 'token'>;
  /** In the transaction of the effect, and only if there is one. */
  enter(): void;
}
/** Where no tokens are issued, the home's certificate is all there is. */
export const unlocked: PeerKey = { present: false, question: { sequence: 'PULL' }, enter: () => {} };

export interface Attempt {
  readonly from: string;
  readonly message: Opening;
  readonly brought: Brought | undefined;
  readonly project: string;
  readonly subject: Subject;
  readonly known: Circuit | undefined;
}

/** Whether what was brought opens the verb: a denial is recorded like any other, and nothing else changes. */
export function unlockPeer(
  tx: Tx,
  desk: TokenDesk | undefined,
  attempt: Attempt,
): PeerKey | { readonly denied: string } {
  const { brought } = attempt;
  if (desk === undefined || brought === undefined) return unlocked;
  try {
    if ('error' in brought) throw brought.error;
    return turn(tx, desk, attempt, brought.shown);
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    deny(tx, desk, attempt, error);
    return { denied: `token ${error.reason}: ${error.message}` };
  }
}

function turn(tx: Tx, desk: TokenDesk, { from, message, subject }: Attempt, shown: Shown): PeerKey {
  const { root, counters, linkJtis } = shown.chain;
  const ask: GrantAsk = {
    action: shown.proof.action,
    circuit: message.circuit,
    stps: [stp('a', subject.a), stp('z', subject.z)],
    mbps: subject.mbps,
    window: spanOf(subject.window),
  };
  // Each domain counts its own share: what the circuit costs here beyond what was paid for it with this root.
  const paid = tx.book.tokens.redemptions.spent(counters[0]?.id ?? '', shown.proof.aud);
  const outcome = desk.present(tx, shown, ask, Math.max(0, mbitOf(subject) - paid));
  if (root.iss !== desk.issuerOf(from))
    throw new TokenError('ISSUER', `${from} is not the home that this token is of`);
  return {
    present: outcome.kind === 'PRESENT',
    question: { sequence: 'PUSH', token: { iss: root.iss, jti: root.jti, links: linkJtis } },
    enter: () => desk.enter(tx, shown, outcome),
  };
}

const stp = (end: Stp['end'], { port, label }: Subject['a']): Stp =>
  label === undefined || label === 0 ? { end, port } : { end, port, vlan: label };

/** Of an endless slot a token covers what has begun: each verb is asked about anew. */
function spanOf({ start, end }: Window): Span {
  const from = Math.floor(start / 1000);
  return { start: from, end: end === NEVER ? from + 1 : Math.ceil(end / 1000) };
}

function deny(
  tx: Tx,
  desk: TokenDesk,
  { from, message, brought, project, known }: Attempt,
  error: TokenError,
): void {
  const chain = brought !== undefined && 'shown' in brought ? brought.shown.chain : undefined;
  tx.decided({
    id: newId('dec', tx.now, desk.random),
    time: tx.now,
    principal: `peer|${from}`,
    action: 'peer.segment',
    project,
    requestId: claimOf(message).opKey,
    sequence: 'PUSH',
    facts: { peer: from, op: message.op },
    ...(known === undefined ? {} : { circuitId: known.id }),
    ...(chain === undefined
      ? {}
      : { token: { iss: chain.root.iss, jti: chain.root.jti, links: chain.linkJtis } }),
    effect: 'DENY',
    reasons: [`token:${error.reason}`],
    policy: 'circuit token',
    schema: schemaSha256,
  });
}
