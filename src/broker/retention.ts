/** Retention from beginning to end: the store takes a bounded piece at a time, so that the writer never waits long. */
import type { InstantMs } from '../kernel/clock.ts';
import type { BrokerPorts } from './brokerPorts.ts';

export async function pruneAll(
  { store, clock, log }: BrokerPorts,
  epoch: () => number,
  before: InstantMs,
): Promise<{ readonly circuits: number; readonly events: number }> {
  const sum = { circuits: 0, events: 0 };
  for (let more = true; more; ) {
    const done = await store.prune(epoch(), before, clock.now());
    sum.circuits += done.circuits;
    sum.events += done.events;
    more = done.more;
  }
  log.info({ event: 'store.pruned', ...sum });
  return sum;
}
