/**
 * The condition `Protected` of a home's circuit: whether what asked for a second way has one, and what is wrong
 * with it. Only homes have it; a participant tells its home what it sees.
 */
import type { InstantMs } from '../../kernel/clock.ts';
import { type Circuit, type Condition, localSegment, type Placement } from '../circuit.ts';
import { condition } from '../rules.ts';

/** Does a circuit that asked for protection have its second road, and over several domains light on both? */
export function protection(c: Circuit, placement: Placement, at: InstantMs): Circuit['conditions'] {
  if (!isProtected(c)) return c.conditions;
  const say = (status: Condition['status'], reason: string, detail?: string) =>
    condition(c, 'Protected', status, reason, at, detail);
  if (localSegment(placement)?.backup === undefined) return say('FALSE', 'NO_BACKUP');
  const { segments } = placement;
  for (const { domain, impaired, lost, backup } of segments) {
    const bad = impaired?.detail ?? lost ?? backup?.impaired?.detail;
    if (bad !== undefined) return say('FALSE', 'DEGRADED', `${domain}: ${bad}`);
  }
  const dark = segments.find((s) => s.standby === true && s.light !== 'LIT');
  return c.state === 'ACTIVE' && dark !== undefined
    ? say('UNKNOWN', 'NO_LIGHT_YET', `${dark.domain} has not said that it has light`)
    : say('TRUE', 'BACKUP_HELD');
}

export const protectedNow = (c: Circuit, at: InstantMs): Circuit['conditions'] =>
  c.current === undefined ? c.conditions : protection(c, c.current, at);

/** What holds no road any more is not protected, nor the opposite. */
export const unprotected = (conditions: Circuit['conditions']): Circuit['conditions'] =>
  conditions.filter(({ type }) => type !== 'Protected');

export const isProtected = ({ request }: Circuit): boolean => request.protection === 'PROTECTED';
