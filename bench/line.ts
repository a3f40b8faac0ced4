/** What a benchmark says: one figure, beside the peer, the oracle or the limit that it is compared with. */

export interface BenchLine {
  readonly bench: string;
  readonly case: string;
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  /** What it stands beside, in words; `ratio` is ours to it. */
  readonly against?: string;
  readonly ratio?: number;
  /** The figure aimed at; a lower one is better where the unit is a time or a size. */
  readonly target?: number;
  readonly ok?: boolean;
}

/** Says the lines of one bench. */
export const linesOf =
  (bench: string) =>
  (name: string, metric: string, value: number, unit: string, more: Partial<BenchLine> = {}): BenchLine => ({
    bench,
    case: name,
    metric,
    value,
    unit,
    ...more,
  });

/** Options as given on the command line: `--live 1000` is {live: '1000'}. */
export type BenchOptions = Readonly<Record<string, string | undefined>>;

export type Bench = (options: BenchOptions) => AsyncIterable<BenchLine>;

export const atLeast = (
  value: number,
  target: number,
): { readonly target: number; readonly ok: boolean } => ({ target, ok: value >= target });
export const atMost = (value: number, target: number): { readonly target: number; readonly ok: boolean } => ({
  target,
  ok: value <= target,
});

export const numberOf = (options: BenchOptions, name: string, otherwise: number): number => {
  const text = options[name];
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isFinite(value)) throw new Error(`--${name} takes a number`);
  return value;
};

/** The value below which the share `p` of the sorted samples lies. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN;
}
