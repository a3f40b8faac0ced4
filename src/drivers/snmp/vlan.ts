/**
 * What is set in a VLAN switch and the requests that lead from there to what is wanted. Pure: an image and a
 * wish in, steps out; each step is one PDU, all or nothing. Order and style of the steps are the dialect's.
 */
import { DeviceFault } from '../fault.ts';
import { type Owner, ownerOf, sameCircuit, tagOf } from '../owner.ts';
import { mayRemove, mayReplace } from '../rules.ts';
import { gauge, integer, octets } from './ber.ts';
import type { VarBind } from './codec.ts';
import type { Order, Style } from './dialect.ts';
import { Oid, RowStatus } from './oids.ts';
import { writePorts } from './portlist.ts';

export interface Row {
  readonly name: string;
  readonly egress: ReadonlySet<number>;
  readonly untagged: ReadonlySet<number>;
  /** The length of its port lists. */
  readonly octets: number;
  readonly active: boolean;
}

export interface Image {
  readonly rows: ReadonlyMap<number, Row>;
  /** VLAN of untagged frames, by bridge port. */
  readonly pvids: ReadonlyMap<number, number>;
  /** Octets of a port list in a row that is made new. */
  readonly octets: number;
  /**
   * The lock's value before the rest was read: a write that is tied to it fails when anybody who minds the lock
   * has written since.
   */
  readonly lock?: number;
}

/** One connection in terms of this switch: two bridge ports in one VLAN. */
export interface Wish {
  readonly owner: Owner;
  readonly vlan: number;
  readonly ports: readonly [number, number];
  readonly untagged: readonly number[];
}

export interface Step {
  readonly what: 'create' | 'columns' | 'activate' | 'pvid' | 'leave' | 'return' | 'destroy';
  readonly varbinds: readonly VarBind[];
}

export interface Way {
  readonly order: Order;
  readonly style: Style;
}

export type Decision =
  | { readonly type: 'steps'; readonly steps: readonly Step[] }
  | { readonly type: 'already' }
  | { readonly type: 'rejected'; readonly retry: boolean; readonly detail: string };

const isEmpty = (row: Row): boolean => row.name === '' && row.egress.size === 0;
const same = (a: ReadonlySet<number>, b: ReadonlySet<number>): boolean =>
  a.size === b.size && [...a].every((x) => b.has(x));

const status = (vlan: number, value: number): VarBind => ({
  oid: `${Oid.dot1qVlanStaticRowStatus}.${vlan}`,
  value: integer(value),
});

const lists = (
  vlan: number,
  egress: Iterable<number>,
  untagged: Iterable<number>,
  length: number,
): VarBind[] => [
  { oid: `${Oid.dot1qVlanStaticEgressPorts}.${vlan}`, value: octets(writePorts(egress, length)) },
  { oid: `${Oid.dot1qVlanStaticUntaggedPorts}.${vlan}`, value: octets(writePorts(untagged, length)) },
];

const columns = (vlan: number, row: Row): VarBind[] => [
  { oid: `${Oid.dot1qVlanStaticName}.${vlan}`, value: octets(row.name) },
  ...lists(vlan, row.egress, row.untagged, row.octets),
];

const pvid = (port: number, vlan: number): VarBind => ({
  oid: `${Oid.dot1qPvid}.${port}`,
  value: gauge(vlan),
});

function create(vlan: number, row: Row, style: Style): Step[] {
  const filled = columns(vlan, row);
  switch (style) {
    case 'one':
      return [{ what: 'create', varbinds: [status(vlan, RowStatus.createAndGo), ...filled] }];
    case 'bare':
      return [
        { what: 'create', varbinds: [status(vlan, RowStatus.createAndGo)] },
        { what: 'columns', varbinds: filled },
      ];
    case 'wait':
      return [
        { what: 'create', varbinds: [status(vlan, RowStatus.createAndWait)] },
        { what: 'columns', varbinds: filled },
        { what: 'activate', varbinds: [status(vlan, RowStatus.active)] },
      ];
  }
}

const without = (set: ReadonlySet<number>, gone: Iterable<number>): Set<number> => {
  const left = new Set(set);
  for (const x of gone) left.delete(x);
  return left;
};

/** The ports whose untagged frames go into a VLAN. */
export const sendingTo = (image: Image, vlan: number): number[] =>
  [...image.pvids].filter(([, id]) => id === vlan).map(([port]) => port);

/**
 * The ports that a row of ours has taken from the idle VLAN: its members, and those that a release which was
 * broken off left sending here. A stranger's port that sends here has a VLAN of its own, and stays as it is.
 */
function taken(image: Image, row: Row, wish: Wish): number[] {
  const nowhere = (port: number): boolean =>
    ![...image.rows.values()].some((other) => other.untagged.has(port));
  const left = sendingTo(image, wish.vlan).filter((port) => wish.ports.includes(port) || nowhere(port));
  return [...new Set([...row.untagged, ...left])];
}

/** Whose is the untagged port besides us? */
function blocked(image: Image, wish: Wish, idleVlan: number): Decision | undefined {
  for (const [vlan, row] of image.rows) {
    if (vlan === wish.vlan || vlan === idleVlan) continue;
    const shared = wish.untagged.filter((port) => row.egress.has(port));
    if (shared.length === 0) continue;
    const verdict = mayReplace(ownerOf(row.name), wish.owner);
    if (verdict.may === 'not') {
      return { type: 'rejected', retry: verdict.retry, detail: `port in VLAN ${vlan}: ${verdict.detail}` };
    }
  }
  return undefined;
}

export function decideLight(image: Image, wish: Wish, way: Way, idleVlan: number): Decision {
  const row = image.rows.get(wish.vlan);
  if (row !== undefined && !isEmpty(row)) {
    const verdict = mayReplace(ownerOf(row.name), wish.owner);
    if (verdict.may === 'not') {
      return { type: 'rejected', retry: verdict.retry, detail: `VLAN ${wish.vlan}: ${verdict.detail}` };
    }
  }
  const stopped = blocked(image, wish, idleVlan);
  if (stopped !== undefined) return stopped;
  const target: Row = {
    name: tagOf(wish.owner),
    egress: new Set(wish.ports),
    untagged: new Set(wish.untagged),
    octets: row?.octets ?? image.octets,
    active: true,
  };
  const making =
    row === undefined
      ? create(wish.vlan, target, way.style)
      : [
          ...(row.name === target.name &&
          same(row.egress, target.egress) &&
          same(row.untagged, target.untagged)
            ? []
            : [{ what: 'columns' as const, varbinds: columns(wish.vlan, target) }]),
          ...(row.active
            ? []
            : [{ what: 'activate' as const, varbinds: [status(wish.vlan, RowStatus.active)] }]),
        ];
  const wrongPvids = wish.untagged.filter((port) => image.pvids.get(port) !== wish.vlan);
  const pvids: Step[] =
    wrongPvids.length === 0
      ? []
      : [{ what: 'pvid', varbinds: wrongPvids.map((port) => pvid(port, wish.vlan)) }];
  // Untagged ports that an older placement had in this VLAN and this one has not go where idle ports are.
  const dropped =
    row === undefined || isEmpty(row)
      ? []
      : taken(image, row, wish).filter((port) => !wish.ports.includes(port));
  const returning = giveBack(image, dropped, wish.vlan, idleVlan, wish.untagged);
  const leaving: Step[] = [...image.rows].flatMap(([vlan, other]) => {
    const shared = wish.untagged.filter((port) => other.egress.has(port));
    if (vlan === wish.vlan || shared.length === 0) return [];
    const left = lists(vlan, without(other.egress, shared), without(other.untagged, shared), other.octets);
    return [{ what: 'leave' as const, varbinds: left }];
  });
  const steps =
    way.order === 'create-first'
      ? [...making, ...pvids, ...leaving, ...returning]
      : [...leaving, ...making, ...pvids, ...returning];
  return steps.length === 0 ? { type: 'already' } : { type: 'steps', steps };
}

/** Ports that become free: untagged in the idle VLAN again, where there is one. `leaving` are on their way out of it. */
function giveBack(
  image: Image,
  ports: readonly number[],
  from: number,
  idleVlan: number,
  leaving: readonly number[],
): Step[] {
  const idle = image.rows.get(idleVlan);
  if (idle === undefined || ports.length === 0) return [];
  const theirs = ports.filter((port) => image.pvids.get(port) === from);
  const steps: Step[] = [
    {
      what: 'return',
      varbinds: lists(
        idleVlan,
        without(new Set([...idle.egress, ...ports]), leaving),
        without(new Set([...idle.untagged, ...ports]), leaving),
        idle.octets,
      ),
    },
  ];
  if (theirs.length > 0) steps.push({ what: 'pvid', varbinds: theirs.map((port) => pvid(port, idleVlan)) });
  return steps;
}

export function decideDark(image: Image, wish: Wish, way: Way, idleVlan: number): Decision {
  const row = image.rows.get(wish.vlan);
  if (row === undefined || !mayRemove(ownerOf(row.name), wish.owner)) return { type: 'already' };
  // A release that was broken off may have left ports that send here and are no longer members.
  const back = taken(image, row, wish);
  const steps: Step[] = [];
  // Untagged in two VLANs at once is what some agents forbid: there the port leaves first.
  if (way.order === 'leave-first' && row.untagged.size > 0) {
    steps.push({
      what: 'leave',
      varbinds: lists(wish.vlan, without(row.egress, back), [], row.octets),
    });
  }
  steps.push(...giveBack(image, back, wish.vlan, idleVlan, []));
  steps.push({ what: 'destroy', varbinds: [status(wish.vlan, RowStatus.destroy)] });
  return { type: 'steps', steps };
}

/**
 * From what is there now back to what was there before, in the VLANs and ports of `wish`. Undefined when
 * something stands there now that is neither ours nor was there before.
 */
export function decideRestore(before: Image, now: Image, wish: Wish, way: Way): readonly Step[] | undefined {
  const shrink: Step[] = [];
  const grow: Step[] = [];
  const last: Step[] = [];
  const ports = new Set([
    ...wish.untagged,
    ...(before.rows.get(wish.vlan)?.untagged ?? []),
    ...(now.rows.get(wish.vlan)?.untagged ?? []),
  ]);
  for (const vlan of new Set([...before.rows.keys(), ...now.rows.keys()])) {
    const was = before.rows.get(vlan);
    const is = now.rows.get(vlan);
    const touched = vlan === wish.vlan || [...ports].some((p) => was?.egress.has(p) !== is?.egress.has(p));
    if (!touched) continue;
    const owner = is === undefined ? undefined : ownerOf(is.name);
    const ours = is === undefined || isEmpty(is) || (owner !== undefined && sameCircuit(owner, wish.owner));
    if (is !== undefined && was?.name !== is.name && !ours) return undefined;
    // Every port first leaves what it was not in: then nothing is in the way of going back.
    const kept = (which: 'egress' | 'untagged'): number[] =>
      [...(is?.[which] ?? [])].filter((port) => was?.[which].has(port) === true);
    if (
      way.order === 'leave-first' &&
      is !== undefined &&
      (kept('egress').length < is.egress.size || kept('untagged').length < is.untagged.size)
    ) {
      const untagged = kept('untagged');
      // A port that was tagged before and is untagged now would turn tagged here already: that is right.
      shrink.push({ what: 'leave', varbinds: lists(vlan, kept('egress'), untagged, is.octets) });
    }
    if (was === undefined) {
      if (is !== undefined) last.push({ what: 'destroy', varbinds: [status(vlan, RowStatus.destroy)] });
    } else if (is === undefined) {
      grow.push(...create(vlan, was, way.style));
    } else if (!(is.name === was.name && same(is.egress, was.egress) && same(is.untagged, was.untagged))) {
      grow.push({
        what: 'columns',
        varbinds:
          is.name === was.name ? lists(vlan, was.egress, was.untagged, was.octets) : columns(vlan, was),
      });
    }
  }
  const wrong = [...new Set([...wish.ports, ...ports])].filter((p) => {
    const was = before.pvids.get(p);
    return was !== undefined && was !== now.pvids.get(p);
  });
  const pvids: Step[] =
    wrong.length === 0
      ? []
      : [{ what: 'pvid', varbinds: wrong.map((p) => pvid(p, before.pvids.get(p) as number)) }];
  return [...shrink, ...grow, ...pvids, ...last];
}

/** Which VLAN carries a connection with these labels; 0 when the switch must find one of its own. */
export function vlanOf(a: number, z: number): number {
  if (a !== 0 && z !== 0 && a !== z) {
    throw new DeviceFault('unsupported', `a VLAN switch cannot carry label ${a} out as ${z}`);
  }
  return a === 0 ? z : a;
}

/** The lowest VLAN of a range that is not in use. */
export function freeVlan(image: Image, range: readonly [number, number]): number {
  for (let vlan = range[0]; vlan <= range[1]; vlan++) {
    const row = image.rows.get(vlan);
    // An empty row without a name is what a crash between making and filling it leaves.
    if (row === undefined || isEmpty(row)) return vlan;
  }
  throw new DeviceFault('busy', 'no VLAN is free for another untagged circuit');
}
