/** What a notation of topologies is to the rest: a reader, a writer, or both, and how a reader says "no". */
import type { Mistake } from '../check.ts';
import type { TopologyDocument } from '../document.ts';

/** Longer texts are refused before they are looked at. */
export const MAX_TEXT = 50_000_000;

export interface ReadOptions {
  /** For notations that do not say whose network it is. */
  readonly domain: string;
  readonly prefix: string;
  /** For links and ports whose capacity is not said. */
  readonly capacityMbps: number;
}
export const defaultOptions: ReadOptions = { domain: 'local.example', prefix: 'local', capacityMbps: 10_000 };

export interface Problem extends Mistake {
  /** From 1. */
  readonly line: number;
}

/** What a reader found: a document as far as there is one, its own complaints, and where things stand. */
export interface Draft {
  /** Not checked yet: it may not even have the right shape. */
  readonly value?: unknown;
  readonly problems: readonly Problem[];
  /** The line of a place in the document (a JSON pointer), or of what encloses it. */
  readonly lineOf: (pointer: string) => number;
}

export interface Format {
  readonly name: string;
  readonly mediaType: string;
  readonly read?: (text: string, options: ReadOptions) => Draft;
  readonly write?: (document: TopologyDocument) => string;
}

/** A file that cannot be read at all. */
export const unreadable = (line: number, code: string, message: string): Draft => ({
  problems: [{ severity: 'ERROR', code, pointer: '', line, message }],
  lineOf: () => line,
});

/** Looks lines up by pointer, and by what encloses it when the place itself is not known. */
export function linesBy(lines: ReadonlyMap<string, number>): (pointer: string) => number {
  return (pointer) => {
    for (let at = pointer; ; at = at.slice(0, at.lastIndexOf('/'))) {
      const line = lines.get(at);
      if (line !== undefined) return line;
      if (at === '') return 1;
    }
  };
}

/** A name as ids can have it: letters and digits of ASCII, dots, dashes; accents are dropped, not letters. */
export function slug(text: string): string {
  return text
    .slice(0, 200)
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 56);
}

/** Hands out every name once: the second "Paris" becomes "Paris-2". */
export class Namer {
  readonly #given = new Set<string>();
  /** Where to go on counting: a hundred thousand things of one name are not counted through each time. */
  readonly #counts = new Map<string, number>();

  give(wanted: string, otherwise: string): string {
    const stem = wanted === '' ? otherwise : wanted;
    let name = stem;
    while (this.#given.has(name)) {
      const count = (this.#counts.get(stem) ?? 1) + 1;
      this.#counts.set(stem, count);
      name = `${stem}-${count}`;
    }
    this.#given.add(name);
    return name;
  }
}

/** Great-circle distance in fibre at 200 km per millisecond; 50 us at least, 1 ms where a place is unknown. */
export function fibreLatency(
  a: { latitude?: number | undefined; longitude?: number | undefined },
  z: { latitude?: number | undefined; longitude?: number | undefined },
): number {
  const toRadians = Math.PI / 180;
  const [la, lo, lb, lp] = [a.latitude, a.longitude, z.latitude, z.longitude];
  if (la === undefined || lo === undefined || lb === undefined || lp === undefined) return 1;
  const half =
    Math.sin(((lb - la) * toRadians) / 2) ** 2 +
    Math.cos(la * toRadians) * Math.cos(lb * toRadians) * Math.sin(((lp - lo) * toRadians) / 2) ** 2;
  const km = 12_742 * Math.asin(Math.min(1, Math.sqrt(half)));
  return Math.max(0.05, Math.round(km * 5) / 1000);
}

/** One client port on every node: what a notation that knows only nodes and links is given to book between. */
export const clientPorts = (nodes: readonly { readonly id: string }[], options: ReadOptions) =>
  nodes.map(({ id }) => ({
    id: `${options.prefix}:${id}`,
    node: id,
    kind: 'CLIENT' as const,
    capacity_mbps: options.capacityMbps,
    device_port: 'client',
  }));
