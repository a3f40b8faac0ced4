/**
 * What operators ask of devices beyond light and dark, as a port, and the two answers that the broker makes of
 * it: what a circuit needs from its devices, and how one device differs from what it should have. Only looks;
 * mending is reconcile.ts's work.
 */
import type { Clock, InstantMs } from '../../kernel/clock.ts';
import { textOf } from '../../kernel/errors.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import { type Circuit, type Hop, isFinal, localSegment, type Segment } from '../../model/circuit.ts';
import { desired, hopKey } from '../../model/desired.ts';
import type { LinkDocument, TopologyDocument } from '../../topology/document.ts';
import type { ElementReport, LightContext, ObservedConnect } from './devicePorts.ts';

export interface DeviceState {
  readonly device: string;
  /** `memory` for one that lights nothing. */
  readonly protocol: 'snmp' | 'tl1' | 'memory';
  readonly dialect: string;
  /** OPEN: it has not answered lately and is left alone for a while. */
  readonly breaker: 'CLOSED' | 'OPEN';
  /** Orders in its queue. */
  readonly waiting: number;
  readonly lastSeen?: InstantMs;
  /** From order to light: nine of the last ten have not taken longer. */
  readonly setupMs?: number;
  /** Ports closed to all but one circuit, because nobody knows what they are set to. */
  readonly quarantine: readonly { readonly ports: readonly string[]; readonly circuit: string }[];
  readonly capabilities?: {
    readonly layer: 'fibre' | 'tdm' | 'ethernet';
    readonly labels: 'none' | 'timeslot' | 'vlan';
    readonly swapsLabels: boolean;
    readonly rateLimit: 'none' | 'port' | 'vlan';
    readonly atomicBatch: boolean;
    readonly fence: 'lock' | 'none';
    readonly events: boolean;
  };
}

/** The exact requests, without secrets. */
export interface PlannedCommands {
  readonly device: string;
  readonly commands: readonly string[];
  /** Why they cannot be told now. */
  readonly error?: string;
}

/** One order that was carried out, or not, and what the device made of it. */
export interface DeviceOrder {
  readonly kind: 'light' | 'dark';
  readonly version: number;
  readonly at: InstantMs;
  readonly detail: string;
  readonly report: ElementReport;
}

interface FoundEnd {
  readonly device: string;
  readonly port: string;
}

export interface Discovery {
  readonly asked: readonly string[];
  readonly unreachable: readonly { readonly device: string; readonly error: string }[];
  readonly add: readonly LinkDocument[];
  readonly remove: readonly string[];
  readonly capacity: readonly { readonly link: string; readonly was: number; readonly is: number }[];
  /** Found at devices that no node of the topology stands for, or of unknown speed. */
  readonly unplaced: readonly { readonly a: FoundEnd; readonly z: FoundEnd }[];
  /** What only one end says. */
  readonly doubts: readonly { readonly from: FoundEnd; readonly to: FoundEnd; readonly why: string }[];
  /** The running topology with the difference applied; nobody has applied it. */
  readonly proposed: TopologyDocument;
}

export interface Inspection {
  state(device: string): DeviceState | undefined;
  plan(
    kind: 'light' | 'dark',
    segment: Segment,
    context: Pick<LightContext, 'circuit' | 'version' | 'mbps' | 'fence'>,
  ): Promise<readonly PlannedCommands[]>;
  /** Since this process started. */
  orders(circuit: string): readonly DeviceOrder[];
  /** Rejects when the device does not answer. */
  read(device: string): Promise<readonly ObservedConnect[]>;
  discover(running: TopologyDocument): Promise<Discovery>;
}

// ---- what a circuit needs ---------------------------------------------------------------------------------

export interface DevicePlan {
  /** In the order of the path, the present placement first. */
  readonly connects: readonly ObservedConnect[];
  /** What would be sent now: nothing for a device that is set already. */
  readonly commands: readonly (PlannedCommands & {
    readonly kind: 'light' | 'dark';
    readonly version: number;
  })[];
  readonly orders: readonly DeviceOrder[];
}

export async function devicePlan(
  circuit: Circuit,
  inspection: Inspection | undefined,
  epoch: number | undefined,
): Promise<DevicePlan> {
  const local = [circuit.current, circuit.pending?.placement].flatMap((placement) => {
    const segment = placement === undefined ? undefined : localSegment(placement);
    return placement === undefined || segment === undefined ? [] : [{ placement, segment }];
  });
  const connects = local.flatMap(({ placement, segment }) =>
    segment.hops.map((hop) => ({ ...hop, owner: { circuit: circuit.id, version: placement.version } })),
  );
  if (inspection === undefined) return { connects, commands: [], orders: [] };
  const orders = inspection.orders(circuit.id);
  // Without an epoch this instance is not in office, and nothing would be sent.
  if (isFinal(circuit.state) || epoch === undefined) return { connects, commands: [], orders };
  const kind = circuit.state === 'RELEASING' ? 'dark' : 'light';
  const planned = await Promise.all(
    local.map(async ({ placement: { version, mbps }, segment }) =>
      (await inspection.plan(kind, segment, { circuit: circuit.id, version, mbps, fence: epoch })).map(
        (commands) => ({ ...commands, kind, version }) as const,
      ),
    ),
  );
  return { connects, commands: planned.flat(), orders };
}

// ---- how a device differs ---------------------------------------------------------------------------------

export interface DeviceAudit {
  readonly device: string;
  readonly time: InstantMs;
  /** Why nobody could look; nothing is said of what is there then. */
  readonly error?: string;
  readonly inStep: number;
  /** Should be there and is not. */
  readonly missing: readonly ObservedConnect[];
  /** Ours, and nobody wants it any more. */
  readonly extra: readonly ObservedConnect[];
  /** Somebody else's: never touched. */
  readonly foreign: readonly ObservedConnect[];
}

export async function auditDevice(
  device: string,
  inspection: Inspection,
  circuits: ReadonlyMap<CircuitId, Circuit>,
  clock: Clock,
): Promise<DeviceAudit> {
  let observed: readonly ObservedConnect[];
  try {
    observed = await inspection.read(device);
  } catch (error) {
    const text = textOf(error);
    const nothing = { inStep: 0, missing: [], extra: [], foreign: [] };
    return { device, time: clock.now(), error: text, ...nothing };
  }
  return compareDevice(device, circuits, observed, clock.now());
}

function compareDevice(
  device: string,
  circuits: ReadonlyMap<CircuitId, Circuit>,
  observed: readonly ObservedConnect[],
  time: InstantMs,
): DeviceAudit {
  const there = new Map(observed.map((connect) => [hopKey(connect), connect]));
  const wanted = new Map<string, CircuitId>();
  const missing: ObservedConnect[] = [];
  for (const circuit of circuits.values()) {
    for (const { segment, version } of desired(circuit)) {
      for (const hop of segment.hops.filter((one: Hop) => one.device === device)) {
        wanted.set(hopKey(hop), circuit.id);
        // What is being lit is on its way, not missing.
        if (segment.light === 'LIT' && there.get(hopKey(hop))?.owner?.circuit !== circuit.id)
          missing.push({ ...hop, owner: { circuit: circuit.id, version } });
      }
    }
  }
  const unwanted = observed.filter(
    (connect) => connect.owner !== undefined && wanted.get(hopKey(connect)) !== connect.owner.circuit,
  );
  // A circuit that is still alive puts out by itself what it no longer wants.
  const gone = (owner: ObservedConnect['owner']): boolean => {
    const circuit = owner === undefined ? undefined : circuits.get(owner.circuit);
    return circuit === undefined || isFinal(circuit.state);
  };
  const ours = observed.filter(({ owner }) => owner !== undefined);
  return {
    device,
    time,
    inStep: ours.length - unwanted.length,
    missing,
    extra: unwanted.filter(({ owner }) => gone(owner)),
    foreign: observed.filter(({ owner }) => owner === undefined),
  };
}
