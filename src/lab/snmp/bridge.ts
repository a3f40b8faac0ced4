/**
 * An emulated VLAN bridge: its ports, its VLANs and the quirks of its maker, without any protocol. What is
 * forwarded follows what is set after the settling time; both can be asked for.
 */
import type { LabPort } from '../ports.ts';

export interface BridgePort extends LabPort {
  readonly ifIndex: number;
  /** The number of the port in port lists and PVIDs: not the ifIndex, on purpose. */
  readonly bridgePort: number;
  alias: string;
  adminUp: boolean;
  up: boolean;
}

export interface Vlan {
  name: string;
  egress: ReadonlySet<number>;
  forbidden: ReadonlySet<number>;
  untagged: ReadonlySet<number>;
  status: 'active' | 'notInService';
}

type Forwarding = ReadonlyMap<
  number,
  { readonly egress: ReadonlySet<number>; readonly untagged: ReadonlySet<number> }
>;

export interface Quirks {
  /** Octets of every port list. */
  readonly listOctets: number;
  /** Port lists of another length are refused. */
  readonly strictLength: boolean;
  /** Lists leave off trailing zeros. */
  readonly trimmed: boolean;
  /** A port may be untagged in one VLAN only: it must leave the old one first. */
  readonly leaveFirst: boolean;
  /** How rows can be made: with all columns at once, bare and then columns, or by waiting only. */
  readonly create: 'one' | 'bare' | 'wait';
  /** Port lists are numbers in ASCII. */
  readonly ascii: boolean;
  readonly maxVlans: number;
  readonly locks: boolean;
  readonly currentTable: boolean;
}

export const standardQuirks: Quirks = {
  listOctets: 4,
  strictLength: true,
  trimmed: false,
  leaveFirst: false,
  create: 'one',
  ascii: false,
  maxVlans: 4094,
  locks: true,
  currentTable: true,
};

/** What each kind of emulated switch is like. */
export const quirksOf: Readonly<Record<string, Quirks>> = {
  standard: standardQuirks,
  dell: { ...standardQuirks, listOctets: 128, strictLength: true, trimmed: true, create: 'bare' },
  'leave-first': { ...standardQuirks, listOctets: 12, leaveFirst: true, create: 'wait', locks: false },
  junos: { ...standardQuirks, ascii: true },
};

export class Bridge {
  readonly id: string;
  readonly ports: readonly BridgePort[];
  readonly quirks: Quirks;
  readonly vlans = new Map<number, Vlan>();
  readonly pvids = new Map<number, number>();
  /** Counts octets of each port, for accounting. */
  readonly octets = new Map<number, { in: bigint; out: bigint }>();
  #settledAt = 0;

  #before: Forwarding = new Map();
  #latest: Forwarding = new Map();
  readonly #onChange = new Set<() => void>();

  constructor(id: string, ports: readonly LabPort[], quirks: Quirks) {
    this.id = id;
    this.quirks = quirks;
    this.ports = ports.map((port, i) => ({
      ...port,
      bridgePort: i + 1,
      ifIndex: 436_281_344 + i * 4_096,
      alias: '',
      adminUp: true,
      up: true,
    }));
    this.reset();
  }

  onChange(listener: () => void): void {
    this.#onChange.add(listener);
  }

  /** The factory state: every port untagged in VLAN 1. */
  reset(): void {
    const all = new Set(this.ports.map((port) => port.bridgePort));
    this.vlans.clear();
    this.vlans.set(1, {
      name: 'default',
      egress: all,
      forbidden: new Set(),
      untagged: all,
      status: 'active',
    });
    for (const port of this.ports) this.pvids.set(port.bridgePort, 1);
    this.changed(0, 0);
  }

  /** Called after a change; what is forwarded follows `settleMs` later. */
  changed(now: number, settleMs: number): void {
    // What was wanted until now is what is forwarded until the change has settled.
    if (now >= this.#settledAt) this.#before = this.#latest;
    this.#latest = this.#wanted();
    this.#settledAt = now + settleMs;
    for (const listener of this.#onChange) listener();
  }

  #wanted(): Forwarding {
    const up = new Set(this.ports.filter((p) => p.up && p.adminUp).map((p) => p.bridgePort));
    const active = [...this.vlans].filter(([, vlan]) => vlan.status === 'active');
    // Ports that are down are left out of what is forwarded, as real agents do.
    return new Map(
      active.map(([id, { egress, untagged }]) => [
        id,
        {
          egress: new Set([...egress].filter((p) => up.has(p))),
          untagged: new Set([...untagged].filter((p) => up.has(p))),
        },
      ]),
    );
  }

  /** What is forwarded now. */
  current(now: number): Forwarding {
    return now >= this.#settledAt ? this.#wanted() : this.#before;
  }

  /** Is a frame that enters one port carried to the other, in one VLAN, both ways? */
  joins(a: string, z: string, now: number): boolean {
    const number = (name: string): number => this.ports.find((p) => p.name === name)?.bridgePort ?? 0;
    return [...this.current(now)].some(
      ([id, vlan]) => id !== 1 && vlan.egress.has(number(a)) && vlan.egress.has(number(z)),
    );
  }
}
