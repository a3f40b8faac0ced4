/**
 * Ways to plant a fault without a word of it in src: another rule in the cells of a matrix, another method on a
 * class, ports that do not do what they say. Each comes with what mends it again.
 */
import type { DeviceReport, Devices, LightContext } from '../../src/broker/devices/devicePorts.ts';
import type { Group, Store } from '../../src/broker/ports.ts';
import type { Circuit, Pending, Placement, State } from '../../src/model/circuit.ts';
import type { CircuitEvent } from '../../src/model/events.ts';
import { matrixOf } from '../../src/model/lifecycle.ts';
import type { Cell, Next, Result, Rule } from '../../src/model/rules.ts';
import type { Node } from './node.ts';

export type Undo = () => void;

export type Run = Rule<CircuitEvent>['run'];

/** Another rule in every cell of a role for that event, in those states. */
export function rule(
  role: Circuit['role'],
  event: CircuitEvent['type'],
  change: (run: Run, circuit: Circuit, event: CircuitEvent) => Result,
  states?: readonly State[],
): Undo {
  const rows = Object.entries(matrixOf(role)).filter(([state]) => states?.includes(state as State) ?? true);
  const cells = new Set(rows.map(([, row]) => row[event] as Cell<CircuitEvent>));
  const undos = [...cells].map((cell) => {
    if (typeof cell === 'string') return () => {};
    const { run } = cell;
    cell.run = (c, e) => change(run, c, e);
    return () => {
      cell.run = run;
    };
  });
  return () => {
    for (const undo of undos) undo();
  };
}

export function patch<T extends object, K extends keyof T>(
  on: T,
  name: K,
  make: (original: T[K]) => T[K],
): Undo {
  const original = on[name];
  on[name] = make(original);
  return () => {
    on[name] = original;
  };
}

export const all =
  (...undos: readonly Undo[]): Undo =>
  () => {
    for (const undo of undos) undo();
  };

export const isNext = (result: Result): result is Next => result !== 'same' && result.kind === 'next';

export const afterwards = (result: Result, change: (c: Circuit) => Circuit): Result =>
  isNext(result) ? { ...result, circuit: change(result.circuit) } : result;

export const only = (c: Circuit, placement: Placement | undefined): Circuit => {
  const { pending: _, current: _current, ...rest } = c;
  return placement === undefined ? rest : { ...rest, current: placement };
};

/** Some orders are answered as if they had been carried out, and are not. */
export const pretending =
  (skips: (row: Circuit, context: LightContext) => boolean) =>
  (devices: Devices, node: Node): Devices => ({
    light: (segment, context) => {
      const row = node.mirror.circuits.get(context.circuit);
      return row !== undefined && skips(row, context)
        ? Promise.resolve({ ok: true, retry: false, detail: '', elements: [] } satisfies DeviceReport)
        : devices.light(segment, context);
    },
    dark: (segment, context) => devices.dark(segment, context),
    observe: () => devices.observe(),
  });

export const committing = (c: Circuit): Pending | undefined =>
  c.pending?.phase === 'COMMITTING' ? c.pending : undefined;

/** Says that effects are done, or what another domain publishes: no line of either log. */
export const isIdle = ({ events, audit }: Group): boolean =>
  events.length === 0 && audit.rows.length === 0 && audit.checkpoints.length === 0;

/** A store of which only one method is another. */
export const storeWith = (store: Store, over: Partial<Store>): Store =>
  new Proxy(store, {
    get: (target, name: keyof Store) => {
      const own = over[name] ?? target[name];
      // Its private fields are its own: methods must be called on it, not on the proxy.
      return typeof own === 'function' ? (own as (...args: never) => unknown).bind(target) : own;
    },
  });
