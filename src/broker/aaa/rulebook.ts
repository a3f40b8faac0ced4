/**
 * The policy as the writer knows it: which version is in force, what the rules may ask about ports and
 * projects of this domain, and the sums that ceilings are about. Like the rest of the book it follows from
 * stored rows, and every change leaves an undo behind.
 */
import type { PolicyWorld } from '../../aaa/attributes.ts';
import type { DecidedAction } from '../../aaa/decide.ts';
import { type InForce, Policies } from '../../aaa/policies.ts';
import type { CircuitId, PolicyId } from '../../kernel/ids.ts';
import type { Circuit } from '../../model/circuit.ts';
import type { TopologyDocument } from '../../topology/document.ts';
import type { TopologyRecord } from '../ports.ts';
import type { Accounts } from './accounts.ts';
import { Aggregates } from './aggregates.ts';
import type { PolicyActivation } from './policyPorts.ts';

/** What the configuration says and no request does. */
export interface RuleSettings {
  /** IANA zone of rules about times of day. */
  readonly zone: string;
}

/** What the rules know of this domain's ports. */
interface Ground {
  readonly document: TopologyDocument;
  readonly groups: ReadonlyMap<string, readonly string[]>;
  /** Of border ports: the domain at the other end of the cable. */
  readonly beyond: ReadonlyMap<string, string>;
  readonly capacities: ReadonlyMap<string, number>;
}

interface Known {
  readonly topology: TopologyRecord;
  readonly circuits: ReadonlyMap<CircuitId, Circuit>;
  readonly accounts: Pick<Accounts, 'projects'>;
}

export class Rulebook {
  readonly policies: Policies;
  readonly #known: Known;
  #activation: PolicyActivation | undefined;
  #ground: Ground | undefined;
  #loads: { readonly ground: Ground; readonly sums: Aggregates } | undefined;

  constructor(known: Known, { zone }: RuleSettings) {
    this.#known = known;
    const world: PolicyWorld = {
      zone,
      get prefixes() {
        return [known.topology.document.prefix];
      },
      portGroups: (port) => this.#here().groups.get(port) ?? [],
      isCommercial: (project) => known.accounts.projects.get(project)?.commercial === true,
    };
    this.policies = new Policies({ closed: 'no policy has been put in force' }, world);
  }

  /** The version that decides, or that should and does not load. */
  get policyId(): PolicyId | undefined {
    return this.#activation?.policyId;
  }
  get activation(): PolicyActivation | undefined {
    return this.#activation;
  }

  activate(activation: PolicyActivation, inForce: InForce, undo: (() => void)[]): void {
    const before = this.#activation;
    const back = this.policies.use(inForce);
    this.#activation = activation;
    undo.push(() => {
      this.#activation = before;
      back();
    });
  }

  /** Does a rule about this action look at one of these? What nobody looks at is not worked out. */
  reads(action: DecidedAction, ...names: readonly string[]): boolean {
    const { set } = this.policies;
    return set !== undefined && names.some((name) => set.reads(action, name));
  }

  /** The domain that a circuit meets behind this port, if that is not our own. */
  domainBehind(port: string): string | undefined {
    return this.#here().beyond.get(port);
  }

  capacityOf(port: string): number | undefined {
    return this.#here().capacities.get(port);
  }

  /** What is taken by everybody; made when it is first asked for. */
  get sums(): Aggregates {
    const ground = this.#here();
    if (this.#loads?.ground !== ground) {
      const groupsOf = (port: string): readonly string[] => ground.groups.get(port) ?? [];
      this.#loads = { ground, sums: new Aggregates(this.#known.circuits.values(), groupsOf) };
    }
    return this.#loads.sums;
  }

  /** A circuit has another state. With another topology the sums would be others: they are made anew. */
  follow(before: Circuit | undefined, after: Circuit | undefined): void {
    if (this.#loads === undefined) return;
    if (this.#loads.ground.document !== this.#known.topology.document) {
      this.#loads = undefined;
      return;
    }
    if (before !== undefined) this.#loads.sums.enter(before, -1);
    if (after !== undefined) this.#loads.sums.enter(after, 1);
  }

  #here(): Ground {
    const { document } = this.#known.topology;
    if (this.#ground?.document === document) return this.#ground;
    const groups = new Map<string, string[]>();
    for (const { id, ports } of document.port_groups ?? [])
      for (const port of ports) groups.set(port, [...(groups.get(port) ?? []), id]);
    const beyond = new Map<string, string>();
    const capacities = new Map<string, number>();
    for (const { id, capacity_mbps, remote } of document.ports) {
      capacities.set(id, capacity_mbps);
      if (remote !== undefined) beyond.set(id, remote.domain);
    }
    for (const { domain, ports } of document.neighbours ?? []) {
      for (const { id, capacity_mbps } of ports) {
        capacities.set(id, capacity_mbps);
        beyond.set(id, domain);
      }
    }
    this.#ground = { document, groups, beyond, capacities };
    return this.#ground;
  }
}
