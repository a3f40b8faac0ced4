/**
 * Which circuits have a road that cannot be used, as it follows from circuits and topology alone: a link of theirs is
 * out of service, a port has no light, or another domain has said that its segment is impaired.
 */
import type { InstantMs } from '../kernel/clock.ts';
import { type Circuit, localSegment, type Placement, type Road, type Segment } from '../model/circuit.ts';
import type { PortId } from '../model/port.ts';
import { isImpaired } from '../model/rules.ts';
import { ADMIN_UP, USABLE } from '../topology/network.ts';
import type { Ground } from './ground.ts';
import { MENDED_AFTER_MS } from './limits.ts';

/** What is wrong with a circuit's roads. `road`: the one it uses; otherwise only its backup. */
export interface Need {
  readonly current: Placement;
  readonly segment: Segment;
  readonly road: boolean;
  /** The end of the segment that is out of order: no other road between its ends would help. */
  readonly port?: PortId;
  /** Nor would other ends: it is one of the circuit's own ports. */
  readonly stays?: true;
  readonly detail: string;
}

export function needOf(on: Ground, circuit: Circuit): Need | undefined {
  const { current } = circuit;
  if (current === undefined || (circuit.role === 'HOME' && circuit.pending !== undefined)) return undefined;
  if (circuit.state !== 'SCHEDULED' && circuit.state !== 'PROVISIONING' && circuit.state !== 'ACTIVE')
    return undefined;
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
  for (const there of current.segments)
    if (there.impaired !== undefined) return { current, segment: there, road: true, ...there.impaired };
  if (circuit.request.protection !== 'PROTECTED') return undefined;
  const second = segment.backup === undefined ? 'it has none' : unusable(on, segment.backup, soon);
  return second === undefined ? undefined : { current, segment, road: false, detail: `backup: ${second}` };
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
