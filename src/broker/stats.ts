/** The broker's counters since its start, put together for /metrics and the bench. */

import type { Stats } from './calls.ts';
import type { Mutations } from './mutations.ts';
import type { Term } from './term.ts';

export const statsOf = (term: Term | undefined, mutations: Mutations): Stats => ({
  transactions: term?.writer.transactions ?? 0,
  groups: Array.from(term?.writer.groups ?? [], (n) => n ?? 0),
  admitted: mutations.done,
  refused: mutations.refused,
  effectsDone: term?.lanes.done ?? 0,
  effectsFailed: term?.lanes.failed ?? 0,
  circuitsByState: { ...(term?.book.byState ?? {}) },
  auditRecords: term?.writer.audit.durable ?? 0,
  auditUnsigned: term?.checkpointer.unsigned ?? 0,
});
