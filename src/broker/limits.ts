/** The bounds that several parts of the broker share, each with what it is for. */

/** Nothing is booked further ahead than this, or for longer: calendars stay bounded. */
export const HORIZON_S = 10 * 366 * 86_400;
/** How long the domains of a path may take over one attempt. */
export const ATTEMPT_MS = 30_000;
/** A start further ahead than this may use a link that is out of order now. */
export const MENDED_AFTER_MS = 3_600_000;
/**
 * A label of a border rests so long between two circuits: twice the greatest difference of two clocks that is
 * not an alarm (1 s), and what taking a circuit down may last (5 s).
 */
export const REST_S = 2 * 1 + 5;
