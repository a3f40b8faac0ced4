/** Waiting for a circuit that is still being decided: over the event log, until it is, or until time is up. */
import type { Clock, InstantMs } from '../kernel/clock.ts';
import type { CircuitId } from '../kernel/ids.ts';
import type { Circuit } from '../model/circuit.ts';
import type { UseCases } from './usecases.ts';

const isOpen = (state: unknown): boolean => state === 'RESERVING' || state === 'COMMITTING';

export async function settled(
  ports: Pick<UseCases, 'onEvents'> & { readonly clock: Clock },
  id: CircuitId,
  read: () => Promise<Circuit>,
  until: InstantMs,
): Promise<Circuit> {
  let done: () => void = () => {};
  const news = new Promise<void>((resolve) => {
    done = resolve;
  });
  // Listening begins before the look, so that nothing can happen between the two.
  const stop = ports.onEvents((events) => {
    const last = events.findLast((event) => event.circuitId === id);
    if (last !== undefined && !isOpen(last.data['state'])) done();
  });
  const cancel = ports.clock.alarm(until, done);
  try {
    const circuit = await read();
    if (!isOpen(circuit.state)) return circuit;
    await news;
    return await read();
  } finally {
    stop();
    cancel();
  }
}
