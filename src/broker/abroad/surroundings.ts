/**
 * What this broker knows of other domains: the documents that they have signed, else what our own topology
 * says of a neighbour; and the one network that all of it makes together, stitched when it is first asked for.
 */
import { type InstantMs, instant, NEVER } from '../../kernel/clock.ts';
import type { EdgeNames } from '../../model/capacity.ts';
import { assumedOf } from '../../topology/advertise.ts';
import type { TopologyDocument } from '../../topology/document.ts';
import { compareVersions, type DomainDocument, mistakeIn } from '../../topology/domainDocument.ts';
import type { OutOfReach } from '../../topology/network.ts';
import { stitch, type World } from '../../topology/stitch.ts';
import type { DomainRecord } from '../ports.ts';
import { put } from '../put.ts';

/** SAME: only its expiry is later. CONFLICT: the same version with other content, which is evidence. */
export type Learned = 'NEW' | 'SAME' | 'OLDER' | 'CONFLICT' | 'INVALID';

export class Surroundings {
  readonly #names: EdgeNames;
  #own: TopologyDocument;
  #outOfReach: readonly OutOfReach[] = [];
  readonly #records = new Map<string, DomainRecord>();
  #world: { readonly world: World; readonly until: InstantMs } | undefined;

  constructor(names: EdgeNames, own: TopologyDocument) {
    this.#names = names;
    this.#own = own;
  }

  setOwn(document: TopologyDocument): void {
    this.#own = document;
    this.#world = undefined;
  }

  setOutOfReach(list: readonly OutOfReach[]): void {
    this.#outOfReach = list;
    this.#world?.world.network.setOutOfReach(list);
  }

  get records(): readonly DomainRecord[] {
    return [...this.#records.values()];
  }
  record(domain: string): DomainRecord | undefined {
    return this.#records.get(domain);
  }

  /** What entering the document would mean. */
  judge({ document }: Pick<DomainRecord, 'document'>): Learned {
    const taken = [
      { domain: this.#own.domain, prefix: this.#own.prefix },
      ...this.records.map((r) => r.document),
    ];
    const other = taken.some((one) => one.prefix === document.prefix && one.domain !== document.domain);
    if (other || document.domain === this.#own.domain || mistakeIn(document) !== undefined) return 'INVALID';
    const before = this.#records.get(document.domain)?.document;
    if (before === undefined) return 'NEW';
    const order = compareVersions(document.version, before.version);
    if (order !== 0) return order < 0 ? 'OLDER' : 'NEW';
    return JSON.stringify(before) === JSON.stringify(document) ? 'SAME' : 'CONFLICT';
  }

  /** Enters a record; what comes back takes it out again. */
  set(record: DomainRecord): () => void {
    const { domain } = record.document;
    const back = put(this.#records, domain, record);
    this.#world = undefined;
    return () => {
      back();
      this.#world = undefined;
    };
  }

  /** All domains whose documents still count, as one network. */
  world(now: InstantMs): World {
    if (this.#world !== undefined && now < this.#world.until) return this.#world.world;
    const valid = this.records.filter((record) => record.expires > now);
    const said = new Set(this.#records.keys());
    // What a domain says of itself counts, and nothing else once it has spoken.
    const assumed = assumedOf(this.#own).filter((one) => !said.has(one.domain));
    const documents: DomainDocument[] = [...valid.map((record) => record.document), ...assumed];
    const world = stitch(this.#own, documents, this.#names);
    world.network.setOutOfReach(this.#outOfReach);
    const until = instant(Math.min(NEVER, ...valid.map((record) => record.expires)));
    this.#world = { world, until };
    return world;
  }
}
