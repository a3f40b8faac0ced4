/**
 * What a command line needs of the world, handed in by main.ts, and the numbers it may exit with. Nothing
 * here reads the process: a test hands in strings and a virtual clock. Data goes to `stdout`, all talk to
 * `stderr`.
 */
import type { Clock } from '../kernel/clock.ts';

/** The part of a stream that is written to; process.stdout is one. */
export interface Sink {
  write(text: string): unknown;
}

export interface CliIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** Read only for `--file -`. */
  readonly stdin: AsyncIterable<Uint8Array | string>;
  /** Is stderr a terminal? Then long work shows its progress there. */
  readonly isTTY: boolean;
  readonly clock: Clock;
  readonly fetch?: typeof globalThis.fetch;
  /** Aborted when the user interrupts. Without one, runCli listens to SIGINT for as long as it runs. */
  readonly interrupt?: AbortSignal;
  /** The IANA zone that a time without one is read in; the system's when absent. */
  readonly zone?: string;
  /** Carries out `config`, `backup`, `prune` and `doctor`, which need the broker's own files. */
  readonly local?: (argv: readonly string[]) => Promise<number>;
}

/** The contract with scripts; `turnpike --help` prints it. */
export const exits = {
  OK: 0,
  ERROR: 1,
  USAGE: 2,
  DENIED: 3,
  UNAUTHENTICATED: 4,
  NO_SLOT: 5,
  CONFLICT: 6,
  PEER_OR_DEVICE: 7,
  CIRCUIT_FAILED: 8,
  TIMEOUT: 124,
  INTERRUPTED: 130,
} as const;
export type Exit = (typeof exits)[keyof typeof exits];

export const exitMeanings: readonly (readonly [Exit, string])[] = [
  [exits.OK, 'done'],
  [exits.ERROR, 'error: the broker could not be reached, or failed, or there is no such thing'],
  [exits.USAGE, 'the command line or the request makes no sense'],
  [exits.DENIED, 'denied by policy or quota'],
  [exits.UNAUTHENTICATED, 'not authenticated'],
  [exits.NO_SLOT, 'no feasible slot, or the deadline cannot be met'],
  [exits.CONFLICT, 'conflict: wrong state, expired hold, changed meanwhile'],
  [exits.PEER_OR_DEVICE, 'a peer domain or a device failed'],
  [exits.CIRCUIT_FAILED, 'the circuit failed while waiting for it'],
  [exits.TIMEOUT, 'the --timeout passed'],
  [exits.INTERRUPTED, 'interrupted'],
];

/** Ends the command with this code; the message is for people and goes to stderr. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exit: Exit;
  /** What to try, on lines of its own. */
  readonly hints: readonly string[];
  constructor(exit: Exit, message: string, hints: readonly string[] = [], options?: ErrorOptions) {
    super(message, options);
    this.exit = exit;
    this.hints = hints;
  }
}

export const usage = (message: string, ...hints: string[]): CliError =>
  new CliError(exits.USAGE, message, hints);
