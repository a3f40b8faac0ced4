/**
 * What the lifecycle asks of devices, carried out by an emulated switch that does as told at once: nothing
 * shines outside its window, everything that was promised shines, and what is over is dark. The clock is
 * prompt here; lateness and failure belong to the simulation.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { InstantMs } from '../../src/kernel/clock.ts';
import { type Circuit, isFinal, localSegment, type Placement, placements } from '../../src/model/circuit.ts';
import type { Effect } from '../../src/model/effects.ts';
import type { CircuitEvent } from '../../src/model/events.ts';
import { dueAt } from '../../src/model/lifecycle.ts';
import { contains } from '../../src/model/window.ts';
import { histories, LOCAL, walk } from './walk.ts';

const roles = ['HOME', 'PARTICIPANT'] as const;

const versionOf = (c: Circuit, version: number): Placement | undefined =>
  placements(c).find((p) => p.version === version);

const hopsOf = (p: Placement): string[] => (localSegment(p)?.hops ?? []).map((hop) => JSON.stringify(hop));

/** Cross-connects by hop, each with the versions that want it, as a real element's driver counts them. */
class Switch {
  readonly on = new Map<string, Set<number>>();

  carryOut(effects: readonly Effect[], c: Circuit): void {
    for (const effect of effects) {
      if (effect.type !== 'device.light' && effect.type !== 'device.dark') continue;
      const carried = effect.type === 'device.dark' ? effect.segment?.hops : undefined;
      const placement = versionOf(c, effect.version);
      if (carried === undefined)
        expect(placement, `${effect.type} of version ${effect.version}, which nobody knows`).toBeDefined();
      const hops = carried?.map((hop) => JSON.stringify(hop)) ?? hopsOf(placement as Placement);
      for (const hop of hops) {
        const versions = this.on.get(hop) ?? new Set();
        if (effect.type === 'device.light') versions.add(effect.version);
        else versions.delete(effect.version);
        if (versions.size > 0) this.on.set(hop, versions);
        else this.on.delete(hop);
      }
    }
  }
  lit(p: Placement): boolean {
    return hopsOf(p).every((hop) => this.on.get(hop)?.has(p.version) === true);
  }
  /** A report that could really come now. */
  says(c: Circuit, e: CircuitEvent): boolean {
    if ((e.type !== 'up' && e.type !== 'down' && e.type !== 'dark') || e.domain !== LOCAL) return true;
    const placement = e.version === undefined ? undefined : versionOf(c, e.version);
    if (e.type === 'dark') {
      return placement === undefined ? this.on.size === 0 : !this.lit(placement) && goesOut(placement);
    }
    return placement !== undefined && this.lit(placement);
  }
}

const goesOut = (p: Placement): boolean => localSegment(p)?.light === 'DARKENING';

/** The versions that must shine at `at`: what is in force, and for a participant what is to replace it. */
function promised(c: Circuit, at: InstantMs): Placement[] {
  if (c.state !== 'PROVISIONING' && c.state !== 'ACTIVE') return [];
  const committed = [
    ...(c.current === undefined ? [] : [c.current]),
    ...(c.role === 'PARTICIPANT' && c.pending?.phase === 'COMMITTING' ? [c.pending.placement] : []),
  ];
  return committed.filter((p) => contains(p.window, at) && !goesOut(p));
}

describe.each(roles)('what a %s asks of its devices', (role) => {
  const follow = (look: (devices: Switch, c: Circuit, at: InstantMs) => void): void =>
    fc.assert(
      fc.property(histories(role), (h) => {
        const devices = new Switch();
        walk(
          h,
          (_, event, result) => {
            if (result.kind !== 'stepped') return;
            devices.carryOut(result.effects, result.circuit);
            look(devices, result.circuit, event.at);
          },
          { prompt: true, couldBe: (c, e) => devices.says(c, e) },
        );
      }),
      { numRuns: 3000 },
    );

  it('never shines outside a window', () => {
    follow((devices, c, at) => {
      // A change may be agreed when its new end has just passed: the clock's word comes in the same instant.
      const due = dueAt(c);
      if (due !== undefined && due <= at) return;
      for (const [hop, versions] of devices.on) {
        for (const version of versions)
          expect(versionOf(c, version), `${hop} shines for version ${version}, which is gone`).toBeDefined();
        // Either of two versions on one road may be the reason.
        const reasons = placements(c).filter((p) => hopsOf(p).includes(hop));
        expect(
          reasons.some((p) => contains(p.window, at)),
          `${hop} shines at ${at}`,
        ).toBe(true);
      }
    });
  });

  it('is dark when it is over', () => {
    follow((devices, c) => {
      if (isFinal(c.state) || c.state === 'RELEASING' || c.state === 'RESERVING')
        expect([...devices.on]).toEqual([]);
    });
  });

  it('shines as promised', () => {
    follow((devices, c, at) => {
      // One hop carries one label once: two versions on the same road shine as the later one.
      for (const p of promised(c, at)) {
        for (const hop of hopsOf(p)) expect(devices.on.has(hop), `${c.state} ${hop}`).toBe(true);
      }
    });
  });
});
