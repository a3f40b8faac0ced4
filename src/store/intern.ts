/**
 * A hundred thousand circuits name the same few hundred ports, edges, domains and projects, and most have the
 * same reason and no constraints. JSON.parse makes each mention a thing of its own; here equal ones become one,
 * which is most of what a restart would weigh.
 */
import type { Attachment, Circuit, Hop, Placement, Segment, Use } from '../model/circuit.ts';

/** Strings are readonly in the model because nobody may change a circuit. This one is not yet anybody's. */
type Fresh<T> = { -readonly [K in keyof T]: T[K] };

/** Some name what they are about, and are all different. */
const MOST_REASONS = 1_000;
const UNCONSTRAINED: Circuit['request']['constraints'] = {};

export class Interner {
  readonly #known = new Map<string, string>();
  readonly #ends = new Map<string, Circuit['request']['a']>();
  readonly #reasons = new Map<string, Circuit['reason']>();

  circuit(parsed: Circuit): Circuit {
    const c: Fresh<Circuit> = parsed;
    c.owner = this.#one(c.owner);
    const request: Fresh<Circuit['request']> = c.request;
    request.project = this.#one(request.project);
    request.a = this.#end(request.a);
    request.z = this.#end(request.z);
    if (Object.keys(request.constraints).length === 0) request.constraints = UNCONSTRAINED;
    c.reason = this.#reason(c.reason);
    for (const condition of c.conditions) {
      const fresh: Fresh<Circuit['conditions'][number]> = condition;
      fresh.type = this.#one(fresh.type);
      fresh.reason = this.#one(fresh.reason);
    }
    if (c.current !== undefined) this.#placement(c.current);
    if (c.pending !== undefined) this.#placement(c.pending.placement);
    return c;
  }

  /** Ends that leave the label open are alike if their ports are. */
  #end(end: Circuit['request']['a']): Circuit['request']['a'] {
    const fresh = { ...end, port: this.#one(end.port) };
    if (end.vlan !== 'ANY') return fresh;
    const known = this.#ends.get(fresh.port);
    if (known === undefined) this.#ends.set(fresh.port, fresh);
    return known ?? fresh;
  }

  #reason(reason: Circuit['reason']): Circuit['reason'] {
    const key = `${reason.code} ${reason.detail}`;
    const known = this.#reasons.get(key);
    if (known !== undefined) return known;
    if (this.#reasons.size < MOST_REASONS) this.#reasons.set(key, reason);
    return reason;
  }

  #placement(placement: Placement): void {
    for (const segment of placement.segments) this.#segment(segment);
  }

  #segment(parsed: Segment): void {
    const segment: Fresh<Segment> = parsed;
    segment.domain = this.#one(segment.domain);
    const [a, z]: Fresh<Segment['a']>[] = [segment.a, segment.z];
    if (a !== undefined) a.port = this.#one(a.port);
    if (z !== undefined) z.port = this.#one(z.port);
    segment.links = segment.links.map((link) => this.#one(link));
    for (const use of segment.uses as readonly Fresh<Use>[]) use.edge = this.#one(use.edge);
    for (const hop of segment.hops as readonly Fresh<Hop>[]) {
      hop.device = this.#one(hop.device);
      for (const side of [hop.in, hop.out] as readonly Fresh<Attachment>[]) side.port = this.#one(side.port);
    }
  }

  #one<T extends string>(text: T): T {
    const known = this.#known.get(text);
    if (known !== undefined) return known as T;
    this.#known.set(text, text);
    return text;
  }
}
