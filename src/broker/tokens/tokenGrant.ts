/**
 * What a token for a circuit grants: all that its request promises, in the domains that take part. The window
 * is the promise and not the slot, so that a move in time needs no new token. Pure.
 */
import { invariant } from '../../kernel/assert.ts';
import { NEVER } from '../../kernel/clock.ts';
import type { Circuit, Placement } from '../../model/circuit.ts';
import { stands } from '../../model/rules.ts';
import type { Window } from '../../model/window.ts';
import { MAX_LINKS } from '../../tokens/claims.ts';
import { type Grant, narrower, type Span, type Stp, type TokenAction } from '../../tokens/grant.ts';
import { HORIZON_S } from '../limits.ts';
import type { MintedToken, TokenScope } from './tokenRecords.ts';

/** Releases and retries come after the end. */
const AFTER_END_S = 3_600;
const ALL: readonly TokenAction[] = [
  ...(['commit', 'provision', 'modify', 'move', 'extend'] as const),
  ...(['reroute', 'release', 'cancel', 'query'] as const),
];
/** Commit and move are the home's own business. */
const HOLDERS: readonly TokenAction[] = ALL.filter((action) => action !== 'commit' && action !== 'move');
/** On a MANUAL circuit the home commits and moves; to light it, the first time, is for whoever holds the other token. */
const HOMES_ON_MANUAL: readonly TokenAction[] = ['commit', 'move', 'modify', 'query'];

/** `aud`: the domains by their URLs; `iat` in seconds. */
export function grantFor(c: Circuit, kept: MintedToken['kept'], aud: readonly string[], iat: number): Grant {
  const all = agreed(c);
  const [placement] = all;
  invariant(placement !== undefined, 'a token is minted for what has a place');
  const window = promise(c, placement.window, iat);
  const budget = Math.max(...all.map(mbitOf));
  const locked = c.request.provision === 'MANUAL' && !c.armed;
  return {
    aud,
    exp: window.end + AFTER_END_S,
    actions: kept === 'HOLDER' ? HOLDERS : locked ? HOMES_ON_MANUAL : ALL,
    circuit: c.id,
    stps: stpsOf(c, all),
    mbps: Math.max(...all.map((p) => p.mbps)),
    window,
    dlg: MAX_LINKS,
    bud: new Map(aud.map((domain) => [domain, budget])),
  };
}

/** What is kept in memory of a token's rights. */
export const scopeOf = ({ actions, stps, mbps, window, bud }: Grant): TokenScope => ({
  actions,
  stps,
  mbps,
  window,
  mbit: Math.max(...bud.values()),
});

/** Has it room for all that the circuit is by now? Its verbs do not become more by themselves. */
export const hasRoom = (scope: TokenScope | undefined, needed: TokenScope): boolean =>
  scope !== undefined &&
  scope.mbit >= needed.mbit &&
  scope.mbps >= needed.mbps &&
  scope.window.start <= needed.window.start &&
  scope.window.end >= needed.window.end &&
  needed.stps.every((stp) => scope.stps.some((wide) => narrower(stp, wide)));

/** The home has made its decision, and nobody has ended it yet. */
export const isDecided = (c: Circuit): boolean => c.state === 'COMMITTING' || stands(c);

/** What is agreed or being committed. */
export function agreed({ current, pending }: Circuit): Placement[] {
  const also = pending !== undefined && (pending.phase === 'COMMITTING' || pending.phase === 'LIGHTING');
  return [...(current === undefined ? [] : [current]), ...(also ? [pending.placement] : [])];
}

/** The window that was promised, within which the slot may move. */
function promise(c: Circuit, slot: Window, iat: number): Span {
  const { schedule } = c.request;
  const moves = schedule.type === 'FLEXIBLE' || schedule.type === 'VOLUME';
  const start = moves ? (schedule.notBefore ?? c.createTime) : slot.start;
  const end = moves ? Math.max(schedule.deadline, slot.end) : slot.end;
  return {
    start: Math.floor(Math.min(start, slot.start) / 1000),
    end: end === NEVER ? iat + HORIZON_S : Math.ceil(end / 1000),
  };
}

/** Both ends of every domain's part: each finds its own. A label only where one was asked for. */
function stpsOf(c: Circuit, all: readonly Placement[]): Stp[] {
  const found = new Map<string, Stp>();
  const add = (end: Stp['end'], port: string, vlan?: number): void => {
    found.set(`${end} ${port}`, vlan === undefined ? { end, port } : { end, port, vlan });
  };
  for (const { segments } of all) {
    for (const { a, z, backup } of segments) {
      for (const ends of [{ a, z }, backup?.ends ?? []].flat()) {
        add('a', ends.a.port);
        add('z', ends.z.port);
      }
    }
  }
  add('a', c.request.a.port, oneLabel(c.request.a.vlan));
  add('z', c.request.z.port, oneLabel(c.request.z.vlan));
  return [...found.values()];
}

function oneLabel(vlan: Circuit['request']['a']['vlan']): number | undefined {
  if (typeof vlan === 'string') return undefined;
  const [only] = vlan;
  return vlan.length === 1 && only !== undefined && only[0] === only[1] ? only[0] : undefined;
}

/** Bandwidth times duration, in Mbit; an endless one costs all that can be counted. */
export function mbitOf({ mbps, window }: Pick<Placement, 'mbps' | 'window'>): number {
  const seconds = Math.max(0, Math.ceil((window.end - window.start) / 1000));
  return Math.min(mbps * seconds, Number.MAX_SAFE_INTEGER);
}
