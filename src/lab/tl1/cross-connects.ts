/**
 * The switching matrix of an emulated TL1 element: which ends are joined, under which name, and since when.
 * No text and no sockets here. Every change is told, so that a data plane can follow it.
 */

export interface Joined {
  readonly rate: string;
  readonly from: string;
  readonly to: string;
  tag: string;
  /** When it carries light. */
  readonly liveAt: number;
}

export type Refusal = 'IEAE' | 'IENE' | 'SRCN';

/** A path takes up STS numbers of its port; a fibre takes up the whole. */
const STS = /^(.*)-(\d+)$/;

export class CrossConnects {
  readonly labels = new Map<string, string>();
  #joined: Joined[] = [];
  readonly #onChange = new Set<() => void>();

  list(): readonly Joined[] {
    return this.#joined;
  }

  onChange(listener: () => void): void {
    this.#onChange.add(listener);
  }

  /** `replace` is what fibre switches do: the new patch wins. */
  join(rate: string, from: string, to: string, tag: string, liveAt: number): Refusal | undefined {
    if (this.#find(rate, from, to) !== undefined) return 'IEAE';
    const wanted = [occupied(from, rate), occupied(to, rate)];
    const busy = this.#joined.some((j) =>
      [occupied(j.from, j.rate), occupied(j.to, j.rate)].some((x) => wanted.some((y) => overlap(x, y))),
    );
    if (busy) return 'SRCN';
    this.#joined.push({ rate, from, to, tag, liveAt });
    this.#changed();
    return undefined;
  }

  part(rate: string, from: string, to: string | undefined): Refusal | undefined {
    const found =
      to === undefined
        ? this.#joined.find((j) => j.from === from || j.to === from)
        : this.#find(rate, from, to);
    if (found === undefined) return 'IENE';
    this.#joined = this.#joined.filter((j) => j !== found);
    this.#changed();
    return undefined;
  }

  retag(rate: string, from: string, to: string, tag: string): Refusal | undefined {
    const found = this.#find(rate, from, to);
    if (found === undefined) return 'IENE';
    found.tag = tag;
    return undefined;
  }

  clear(): void {
    this.#joined = [];
    this.labels.clear();
    this.#changed();
  }

  #find(rate: string, from: string, to: string): Joined | undefined {
    return this.#joined.find(
      (j) => j.rate === rate && ((j.from === from && j.to === to) || (j.from === to && j.to === from)),
    );
  }

  #changed(): void {
    for (const listener of this.#onChange) listener();
  }
}

interface Span {
  readonly port: string;
  readonly first: number;
  readonly last: number;
}

function occupied(aid: string, rate: string): Span {
  if (rate === '') return { port: aid, first: 0, last: 0 };
  const match = STS.exec(aid);
  const first = Number(match?.[2] ?? 1);
  // The AID may begin with the rate; the port behind it is what counts.
  const port = (match?.[1] ?? aid).replace(/^STS\d*C?-/, '');
  return { port, first, last: first + Number(/\d+/.exec(rate)?.[0] ?? 1) - 1 };
}

const overlap = (a: Span, b: Span): boolean => a.port === b.port && a.first <= b.last && b.first <= a.last;
