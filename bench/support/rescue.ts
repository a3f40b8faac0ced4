/**
 * On one link, whoever can be admitted: everybody who may move and the newcomer are packed anew by a solver
 * (packing.ts), and moved to where it says. What an engine that misses nobody would do, however long it takes. Whole
 * seconds are the granules of time.
 */
import { invariant } from '../../src/kernel/assert.ts';
import { type Ask, type Booking, bookingOf } from '../../src/scheduler/laxity/booking.ts';
import type { Fleet } from '../../src/scheduler/laxity/fleet.ts';
import { place, withoutMoves } from '../../src/scheduler/laxity/place.ts';
import { type Job, Packer } from './packing.ts';

const TIME_LIMIT_S = 20;

export async function rescueOnOneLink(
  linkMbps: number,
): Promise<(fleet: Fleet, ask: Ask, now: number) => Promise<'ADMITTED' | 'IMPOSSIBLE' | 'UNKNOWN'>> {
  const packer = await Packer.of(TIME_LIMIT_S);
  const job = ({ mbps, duration, deadline }: Ask, from: number): Job => ({
    from,
    latest: deadline - duration,
    duration,
    mbps,
  });
  return async (fleet, ask, now) => {
    const used = new Map<number, number>();
    const movable: Booking[] = [];
    const jobs: Job[] = [];
    for (const booking of fleet.bookings()) {
      const { start, duration, mbps, notBefore, notice } = booking;
      const one = job(booking, Math.max(notBefore, now + notice + 1));
      if (start + duration <= now) continue;
      if (!fleet.isRigid(booking.id) && one.from <= one.latest) {
        movable.push(booking);
        jobs.push(one);
      } else {
        for (let t = start; t < start + duration; t++) used.set(t, (used.get(t) ?? 0) + mbps);
      }
    }
    const packed = await packer.pack({
      links: [0],
      jobs: [...jobs, job(ask, Math.max(ask.notBefore, now))],
      room: (_, t) => linkMbps - (used.get(t) ?? 0),
    });
    if (typeof packed === 'string') return packed;
    for (const { id } of movable) fleet.drop(id, []);
    for (const [i, booking] of movable.entries()) fleet.put({ ...booking, start: packed[i] as number }, []);
    const notBefore = packed.at(-1) as number;
    const deadline = notBefore + ask.duration;
    const placed = place(fleet, { ...ask, notBefore, deadline }, now, withoutMoves);
    invariant(placed.placed, 'the place that the solver has found is free');
    fleet.put(
      bookingOf(ask, placed.seat, (edge) => fleet.network.names.intern(edge)),
      [],
    );
    return 'ADMITTED';
  };
}
