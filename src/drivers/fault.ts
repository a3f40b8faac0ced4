/**
 * Why a device did not do as it was told. What matters to the caller is one thing: can it have happened
 * nevertheless? `sent` says that the request left us and no answer settled it; then only a read-back can tell.
 */
import { textOf } from '../kernel/errors.ts';

export type FaultKind =
  | 'unreachable' // no connection, or it was lost
  | 'timeout'
  | 'credentials'
  | 'busy' // asked to try again
  | 'conflict' // something is there already, or is in use by somebody else
  | 'fenced' // another broker has taken over: we must not write
  | 'unsupported' // the device cannot do this at all
  | 'refused' // any other refusal
  | 'protocol'; // we or the device broke the protocol

export class DeviceFault extends Error {
  override readonly name = 'DeviceFault';
  readonly kind: FaultKind;
  readonly sent: boolean;
  constructor(kind: FaultKind, message: string, options: { sent?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.kind = kind;
    this.sent = options.sent ?? false;
  }
}

const PERMANENT: ReadonlySet<FaultKind> = new Set(['unsupported', 'protocol', 'fenced']);

/** Worth another attempt later with the same request? Not what the device can never do, or does not understand. */
export const isRetryable = (fault: DeviceFault): boolean => fault.sent || !PERMANENT.has(fault.kind);

export const asFault = (error: unknown): DeviceFault =>
  error instanceof DeviceFault ? error : new DeviceFault('protocol', textOf(error), { cause: error });
