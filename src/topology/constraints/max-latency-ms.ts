/** max_latency_ms: the latencies of the path's links sum up to at most this. */
import { Type } from 'typebox';
import { constraint } from './constraint.ts';

export const maxLatencyMs = constraint(
  'max_latency_ms',
  Type.Number({ minimum: 0, maximum: 1e9, description: 'The most one-way latency, in milliseconds.' }),
  (most) => ({ bound: { metric: 'latency', most } }),
);
