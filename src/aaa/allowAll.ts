/**
 * The policy that allows everything to everybody who is authenticated. It is named for what it is, and every
 * decision record carries that name. It stands in the place where a real policy set will.
 */
import type { Decide } from './decide.ts';

export const allowAll: Decide = () => ({ effect: 'ALLOW', reasons: ['allow-all'], policy: 'ALLOW_ALL' });
