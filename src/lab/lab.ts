/**
 * The emulated network of a scenario: its elements on their sockets, their cables as their neighbours see them,
 * and the scenario's events as the clock comes to them. Says of each element what a person needs to look for
 * himself.
 */
import { type Cancel, type Clock, instant } from '../kernel/clock.ts';
import { seededRandom } from '../kernel/random.ts';
import type { LabPort } from './ports.ts';
import type { ElementSpec, LabEvent, Scenario } from './scenario.ts';
import { SnmpElement } from './snmp/agent.ts';
import { Tl1Element } from './tl1/element.ts';

export interface RunningElement {
  readonly id: string;
  readonly protocol: 'snmp' | 'tl1';
  readonly dialect: string;
  readonly address: string;
  readonly port: number;
  readonly login: Readonly<Record<string, string>>;
}

type Element = SnmpElement | Tl1Element;

export class Lab {
  readonly #scenario: Scenario;
  readonly #clock: Clock;
  readonly #elements = new Map<string, Element>();
  readonly #cancels: Cancel[] = [];

  /** The seed decides every delay and loss. */
  constructor(scenario: Scenario, clock: Clock, seed: number) {
    this.#scenario = scenario;
    this.#clock = clock;
    for (const [i, spec] of scenario.elements.entries()) {
      // One stream of chance for each, so that one element's traffic does not change another's luck.
      this.#elements.set(spec.id, build(spec, portsOf(spec, scenario), clock, seed * 1_009 + i));
    }
  }

  element(id: string): Element {
    const found = this.#elements.get(id);
    if (found === undefined) throw new Error(`the lab has no element ${id}`);
    return found;
  }

  async start(host = '127.0.0.1'): Promise<readonly RunningElement[]> {
    const running = await Promise.all(
      this.#scenario.elements.map(async (spec) => ({
        id: spec.id,
        protocol: spec.protocol,
        dialect: spec.dialect,
        address: host,
        port: await this.element(spec.id).listen(spec.port ?? 0, host),
        login: loginOf(spec),
      })),
    );
    const begun = this.#clock.now();
    for (const event of this.#scenario.events ?? []) {
      const at = instant(begun + event.at_s * 1_000);
      this.#cancels.push(this.#clock.alarm(at, () => this.happen(event)));
    }
    return running;
  }

  /** What a scenario's event does, also by hand. */
  happen(event: LabEvent): void {
    const element = this.element(event.element);
    switch (event.do) {
      case 'faults':
        Object.assign(element.faults, event.faults);
        return;
      case 'reboot':
        element.reboot();
        return;
      case 'link':
        element.link(event.port, event.up);
        return;
      case 'foreign':
        if (element instanceof Tl1Element) element.joinByHand(event.a, event.z);
        else element.joinByHand(event.a, event.z, event.label);
    }
  }

  async close(): Promise<void> {
    for (const cancel of this.#cancels) cancel();
    await Promise.all([...this.#elements.values()].map((element) => element.close()));
  }
}

function portsOf(spec: ElementSpec, { cables = [] }: Scenario): LabPort[] {
  return spec.ports.map(({ name, speed_mbps }) => {
    const far = cables
      .flatMap(({ a, z }) => [
        { near: a, far: z },
        { near: z, far: a },
      ])
      .find(({ near }) => near.element === spec.id && near.port === name)?.far;
    return {
      name,
      ...(speed_mbps === undefined ? {} : { speedMbps: speed_mbps }),
      ...(far === undefined ? {} : { neighbour: { device: far.element, port: far.port } }),
    };
  });
}

function build(spec: ElementSpec, ports: readonly LabPort[], clock: Clock, seed: number): Element {
  const random = seededRandom(seed);
  const { id, faults = {} } = spec;
  if (spec.protocol === 'tl1') {
    return new Tl1Element({ id, dialect: spec.dialect, ports, ...spec.login, faults }, clock, random);
  }
  const { login, dialect } = spec;
  const access =
    login.version === 'v2c'
      ? { community: login.community }
      : { user: { user: login.user, authKey: login.auth_key, privKey: login.priv_key } };
  return new SnmpElement({ id, dialect, ports, ...access, faults }, clock, random);
}

function loginOf(spec: ElementSpec): Readonly<Record<string, string>> {
  if (spec.protocol === 'tl1' || spec.login.version === 'v2c') return spec.login;
  return { ...spec.login, auth_protocol: 'SHA-256', priv_protocol: 'AES-128' };
}
