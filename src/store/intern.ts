/**
 * A hundred thousand circuits name the same few hundred ports, edges, domains and projects. JSON.parse makes
 * each mention a string of its own; here equal ones become one, which is most of what a restart would weigh.
 */
import type { Attachment, Circuit, Hop, Placement, Segment, Use } from '../model/circuit.ts';

/** Strings are readonly in the model because nobody may change a circuit. This one is not yet anybody's. */
type Fresh<T> = { -readonly [K in keyof T]: T[K] };

export class Interner {
  readonly #known = new Map<string, string>();

  circuit(parsed: Circuit): Circuit {
    const c: Fresh<Circuit> = parsed;
    c.owner = this.#one(c.owner);
    const request: Fresh<Circuit['request']> = c.request;
    request.project = this.#one(request.project);
    const [a, z]: Fresh<Circuit['request']['a']>[] = [request.a, request.z];
    if (a !== undefined) a.port = this.#one(a.port);
    if (z !== undefined) z.port = this.#one(z.port);
    const reason: Fresh<Circuit['reason']> = c.reason;
    reason.code = this.#one(reason.code);
    reason.detail = this.#one(reason.detail);
    for (const condition of c.conditions) {
      const fresh: Fresh<Circuit['conditions'][number]> = condition;
      fresh.type = this.#one(fresh.type);
      fresh.reason = this.#one(fresh.reason);
    }
    if (c.current !== undefined) this.#placement(c.current);
    if (c.pending !== undefined) this.#placement(c.pending.placement);
    return c;
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
