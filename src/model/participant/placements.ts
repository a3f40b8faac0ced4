/**
 * The placements that a participant has committed: which they are, whether they end, and whether they shine or may.
 * What follows from that is in light.ts and due.ts.
 */
import { NEVER } from '../../kernel/clock.ts';
import { type Circuit, isLit, type Placement } from '../circuit.ts';

/** What is committed: the current placement and, until the home has told, the one that is to replace it. */
export const inForce = (c: Circuit): Placement[] => [
  ...(c.current === undefined ? [] : [c.current]),
  ...(c.pending?.phase === 'COMMITTING' ? [c.pending.placement] : []),
];

export const isEndless = (p: Placement): boolean => p.window.end === NEVER;

export const mayShine = (c: Circuit): boolean => c.request.provision === 'AUTOMATIC' || c.armed;

export const isDark = (p: Placement): boolean => p.segments.every((s) => !isLit(s));

/** On, or being turned on. */
export const shines = (p: Placement): boolean =>
  p.segments.some((s) => s.light === 'LIT' || s.light === 'LIGHTING');
