/** At most so many milliseconds one way, summed over the links of the path that was found. */
import type { Constraint } from './index.ts';

export const maxLatency: Constraint = {
  name: 'max_latency_ms',
  value: 'number',
  about: 'the most milliseconds that the path may take one way',
  path(value, route) {
    const sum = route.reduce((ms, link) => ms + link.latencyMs, 0);
    return sum <= (value as number)
      ? undefined
      : {
          kind: 'NO_ROUTE',
          id: 'max_latency_ms',
          detail: `the path with the fewest hops takes ${sum} ms, ${value as number} are allowed`,
        };
  },
};
