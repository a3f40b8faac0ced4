/**
 * A real data plane for an emulated element: its ports are interfaces in a network namespace, a connection is a
 * pair of them patched by the kernel (ingress, u32 that matches everything, mirred redirect), its rate a token
 * bucket on the way out. Needs Linux, iproute2 and the right to use them; nothing else of the lab does.
 */
import { execFile } from 'node:child_process';

export interface Patch {
  readonly a: string;
  readonly z: string;
  readonly mbps?: number;
}

/** An interface's name as the kernel allows it, and no option of `tc`. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/;
const BURST = '64kb';
/** How long a packet may wait for its turn. */
const LATENCY = '50ms';

export class PatchPanel {
  readonly #namespace: string;
  readonly #devices: ReadonlyMap<string, string>;
  #wanted: readonly Patch[] = [];
  #set = new Map<string, Patch>();
  #work: Promise<void> = Promise.resolve();

  /** `devices` names the interface of each port. */
  constructor(namespace: string, devices: ReadonlyMap<string, string>) {
    for (const name of [namespace, ...devices.values()]) {
      if (!NAME.test(name)) throw new Error('not the name of a namespace or an interface');
    }
    this.#namespace = namespace;
    this.#devices = devices;
  }

  /** Makes it so; the last wish counts. Resolves when the kernel has it. */
  follow(patches: readonly Patch[]): Promise<void> {
    this.#wanted = patches.filter(({ a, z }) => this.#devices.has(a) && this.#devices.has(z));
    this.#work = this.#work.then(() => this.#make());
    return this.#work;
  }

  /** Resolves when the kernel has all that was asked for so far. */
  settled(): Promise<void> {
    return this.#work;
  }

  async #make(): Promise<void> {
    const key = ({ a, z, mbps }: Patch): string => JSON.stringify([a, z, mbps ?? 0]);
    const wanted = new Map(this.#wanted.map((patch) => [key(patch), patch]));
    // What goes, goes first: its ports may be wanted again.
    for (const [id, patch] of this.#set) {
      if (wanted.has(id)) continue;
      for (const port of [patch.a, patch.z]) {
        await this.#tc('qdisc', 'del', 'dev', this.#device(port), 'ingress').catch(() => {});
        await this.#tc('qdisc', 'del', 'dev', this.#device(port), 'root').catch(() => {});
      }
      this.#set.delete(id);
    }
    for (const [id, patch] of wanted) {
      if (this.#set.has(id)) continue;
      await this.#oneWay(patch.a, patch.z, patch.mbps);
      await this.#oneWay(patch.z, patch.a, patch.mbps);
      this.#set.set(id, patch);
    }
  }

  async #oneWay(from: string, to: string, mbps: number | undefined): Promise<void> {
    const [enter, leave] = [this.#device(from), this.#device(to)];
    await this.#tc('qdisc', 'add', 'dev', enter, 'handle', 'ffff:', 'ingress');
    const all = ['protocol', 'all', 'prio', '1', 'u32', 'match', 'u32', '0', '0'];
    const redirect = ['action', 'mirred', 'egress', 'redirect', 'dev', leave];
    await this.#tc('filter', 'add', 'dev', enter, 'parent', 'ffff:', ...all, ...redirect);
    if (mbps === undefined) return;
    const rate = `${Math.round(mbps * 1_000)}kbit`;
    await this.#tc(
      'qdisc',
      'add',
      'dev',
      leave,
      'root',
      'tbf',
      'rate',
      rate,
      'burst',
      BURST,
      'latency',
      LATENCY,
    );
  }

  #device(port: string): string {
    return this.#devices.get(port) as string; // patches of other ports were left out
  }

  #tc(...words: readonly string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      execFile('ip', ['netns', 'exec', this.#namespace, 'tc', ...words], (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }
}
