/**
 * Which circuits have a road that cannot be used, as it follows from circuits and topology alone: a link of theirs is
 * out of service, a port has no light, or another domain has said that its segment is impaired.
 */
import type { InstantMs } from '../../kernel/clock.ts';
import { type Circuit, localSegment, type Placement, type Road, type Segment } from '../../model/circuit.ts';
import type { PortId } from '../../model/port.ts';
import { isImpaired, stands } from '../../model/rules.ts';
import { waysOf } from '../../model/ways.ts';
import { ADMIN_UP, USABLE } from '../../topology/network.ts';
import type { Ground } from '../ground.ts';
import { MENDED_AFTER_MS } from '../limits.ts';

/** What is wrong with a circuit's roads. `road`: the one it uses; otherwise only its backup. */
export interface Need {
  readonly current: Placement;
  readonly segment: Segment;
  readonly road: boolean;
  /** The end of the segment that is out of order: no other road between its ends would help. */
  readonly port?: PortId;
  /** Nor would other ends: it is one of the circuit's own ports. */
  readonly stays?: true;
  /** Its light is being brought back: only a second way that has light would be better. */
  readonly passes?: true;
  /** A peer's: only the road that it holds beside the one in use. */
  readonly second?: true;
  readonly detail: string;
}

export function needOf(on: Ground, circuit: Circuit): Need | undefined {
  const { current } = circuit;
  if (current === undefined || (circuit.role === 'HOME' && circuit.pending !== undefined)) return undefined;
  if (!stands(circuit)) return undefined;
  const segment = localSegment(current);
  if (segment === undefined) return undefined;
  const soon = isSoon(current.window.start, on.now);
  const bad = unusable(on, segment, soon);
  if (bad !== undefined) return { current, segment, road: true, detail: `link ${bad} is out of service` };
  const dark = darkEnd(on, circuit, segment, soon);
  if (dark !== undefined) {
    const detail = `port ${dark.port} has no light`;
    const stays = dark.border === undefined ? { stays: true as const } : {};
    return { current, segment, road: true, port: dark.port, ...stays, detail };
  }
  const { first } = waysOf(current);
  for (const there of first)
    if (there.impaired !== undefined) return { current, segment: there, road: true, ...there.impaired };
  if (circuit.role === 'PARTICIPANT') return secondOfGuest(on, current, segment, soon);
  if (circuit.request.protection !== 'PROTECTED') return undefined;
  if (current.segments.length > 1) return needOfTwo(on, current, segment, soon);
  const second = segment.backup === undefined ? 'it has none' : unusable(on, segment.backup, soon);
  return second === undefined ? undefined : { current, segment, road: false, detail: `backup: ${second}` };
}

/** Of what is protected over several domains: a way whose light is lost is left for one that has it. */
function needOfTwo(on: Ground, current: Placement, segment: Segment, soon: boolean): Need | undefined {
  const dark = waysOf(current).first.find(({ lost }) => lost !== undefined);
  const second = secondTrouble(on, current, segment, soon);
  if (dark !== undefined && second === undefined)
    return { current, segment: dark, road: true, passes: true, detail: `${dark.domain}: ${dark.lost}` };
  return second === undefined || second.passes === true
    ? undefined
    : { current, segment, road: false, detail: `backup: ${second.detail}` };
}

/** What its home has not been told yet. */
function secondOfGuest(on: Ground, current: Placement, segment: Segment, soon: boolean): Need | undefined {
  if (segment.backup === undefined) return undefined;
  const trouble = secondTrouble(on, current, segment, soon);
  return trouble === undefined || trouble.detail === segment.backup.impaired?.detail
    ? undefined
    : { current, segment, road: false, second: true, detail: trouble.detail };
}

/** Was the road that is held for a peer beside the one in use out of order, and is it no longer? */
export function isSecondHealed(on: Ground, { role, current }: Circuit): boolean {
  const segment = current === undefined ? undefined : localSegment(current);
  if (role !== 'PARTICIPANT' || current === undefined || segment?.backup?.impaired === undefined)
    return false;
  return secondTrouble(on, current, segment, isSoon(current.window.start, on.now)) === undefined;
}

/** Why nothing is switched to the second way. `passes`: nothing but light is missing, and that is being lit. */
export function secondTrouble(
  on: Ground,
  current: Placement,
  { backup }: Segment,
  soon: boolean,
): { readonly detail: string; readonly passes?: true } | undefined {
  if (backup === undefined) return { detail: 'it has none' };
  const bad = unusable(on, backup, soon);
  if (bad !== undefined) return { detail: bad };
  const { a, z } = backup.ends ?? {};
  const dark = [a, z].find((end) => end?.border !== undefined && soon && on.darkPorts.has(end.port));
  if (dark !== undefined) return { detail: `port ${dark.port} has no light` };
  for (const { domain, local, standby, impaired, lost, backup: theirs } of current.segments) {
    if (!local && theirs?.impaired !== undefined) return { detail: `${domain}: ${theirs.impaired.detail}` };
    if (standby !== true) continue;
    if (impaired !== undefined) return { detail: `${domain}: ${impaired.detail}` };
    if (lost !== undefined) return { detail: `${domain}: ${lost}`, passes: true };
  }
  return undefined;
}

/** Was its road out of order, and is it no longer? */
export function isHealed(on: Ground, circuit: Circuit): boolean {
  const { current, state } = circuit;
  const segment = current === undefined ? undefined : localSegment(current);
  if (current === undefined || segment === undefined || !isImpaired(circuit)) return false;
  // A home's has had its light all the time; of a participant's that is dark its home must hear, too.
  if (circuit.role === 'HOME' && (state !== 'ACTIVE' || segment.light !== 'LIT')) return false;
  const soon = circuit.role === 'HOME' || isSoon(current.window.start, on.now);
  return unusable(on, segment, soon) === undefined && darkEnd(on, circuit, segment, soon) === undefined;
}

/** What is out of order now may well be mended until a later start. */
export const isSoon = (start: InstantMs, now: InstantMs): boolean => start <= now + MENDED_AFTER_MS;

/** A client's port is dark until the client lights it; a border's is lit before anybody needs it. */
function darkEnd({ darkPorts }: Ground, { state }: Circuit, { a, z }: Segment, soon: boolean) {
  return [a, z].find(
    ({ port, border }) => darkPorts.has(port) && (border === undefined ? state === 'ACTIVE' : soon),
  );
}

export function unusable({ network }: Ground, road: Road, soon: boolean): string | undefined {
  const needed = soon ? USABLE : ADMIN_UP;
  return road.links.find((id) => {
    const link = network.linkIndex.get(id);
    return link === undefined || ((network.state[link] as number) & needed) !== needed;
  });
}
