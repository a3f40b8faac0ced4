/**
 * What a token lets its holder do, and the arithmetic of it: narrowing (never widening) along a chain, and
 * whether a grant covers what is asked. Nothing here knows signatures. A list or number that a limit does
 * not name stays as it was; the depth always falls by one.
 */
import { TokenError } from './refusal.ts';

export const tokenActions = [
  'commit',
  'provision',
  'modify',
  'move',
  'extend',
  'reroute',
  'release',
  'cancel',
  'query',
] as const;
export type TokenAction = (typeof tokenActions)[number];

/** Verbs that only reduce never need a token and never cost a use. */
export const takes = (action: TokenAction): boolean =>
  action !== 'release' && action !== 'cancel' && action !== 'query';

/** One end: which of the two it is, its port, and its label when the grant is for that one only. */
export interface Stp {
  readonly end: 'a' | 'z';
  readonly port: string;
  readonly vlan?: number;
}

/** Seconds since the epoch, half-open. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Grant {
  readonly aud: readonly string[];
  readonly exp: number;
  readonly actions: readonly TokenAction[];
  readonly circuit: string;
  readonly stps: readonly Stp[];
  readonly mbps: number;
  readonly window: Span;
  /** How many more links may follow. */
  readonly dlg: number;
  /** Prepaid Mbit for each domain, by its audience; one without an entry has none. */
  readonly bud: ReadonlyMap<string, number>;
}

/** Everything but the circuit, which no link changes. */
export type Limits = Partial<Omit<Grant, 'circuit'>>;

/** What is asked, as the stored circuit has it and never as the request says. */
export interface GrantAsk {
  readonly action: TokenAction;
  readonly circuit: string;
  readonly stps: readonly Stp[];
  readonly mbps: number;
  readonly window: Span;
}

export function narrow(of: Grant, lim: Limits): Grant {
  const refuse = (what: string): never => {
    throw new TokenError('WIDENED', `the link widens ${what}`);
  };
  if (of.dlg === 0) throw new TokenError('DEPTH', 'the holder may not pass it on');
  if (lim.dlg !== undefined && lim.dlg > of.dlg - 1)
    throw new TokenError('DEPTH', 'the link raises the depth');
  const aud = lim.aud ?? of.aud;
  const bud = lim.bud ?? of.bud;
  const { exp = of.exp, actions = of.actions, stps = of.stps, mbps = of.mbps, window = of.window } = lim;
  if (!aud.every((a) => of.aud.includes(a))) refuse('the audience');
  if (!actions.every((a) => of.actions.includes(a))) refuse('the actions');
  if (!stps.every((s) => of.stps.some((wide) => narrower(s, wide)))) refuse('the ports');
  if (mbps > of.mbps) refuse('the bandwidth');
  if (exp > of.exp) refuse('the expiry');
  if (window.start < of.window.start || window.end > of.window.end) refuse('the window');
  for (const [domain, mbit] of bud) if (mbit > (of.bud.get(domain) ?? 0)) refuse('the budget');
  return { aud, exp, actions, stps, mbps, window, bud, circuit: of.circuit, dlg: lim.dlg ?? of.dlg - 1 };
}

/** Throws SCOPE with what is missing. */
export function requireCovers(grant: Grant, ask: GrantAsk): void {
  const missing = uncovered(grant, ask);
  if (missing !== undefined) throw new TokenError('SCOPE', missing);
}

/** What of the ask the grant does not cover, in words; undefined when it covers all. */
export function uncovered(grant: Grant, ask: GrantAsk): string | undefined {
  if (grant.circuit !== ask.circuit) return 'the token is for another circuit';
  if (!grant.actions.includes(ask.action)) return `the token does not allow ${ask.action}`;
  const outside = ask.stps.find((s) => !grant.stps.some((wide) => narrower(s, wide)));
  if (outside !== undefined) return `the token does not cover ${outside.port} as end ${outside.end}`;
  if (ask.mbps > grant.mbps) return `the token covers ${grant.mbps} Mb/s, not ${ask.mbps}`;
  if (ask.window.start < grant.window.start || ask.window.end > grant.window.end)
    return "the slot leaves the token's window";
  return undefined;
}

/** Is the one end within the other? */
export const narrower = (narrowed: Stp, wide: Stp): boolean =>
  narrowed.end === wide.end &&
  narrowed.port === wide.port &&
  (wide.vlan === undefined || wide.vlan === narrowed.vlan);
