/**
 * Logs are events with fields, declared here in one union, so that a reader can search for them and a test
 * can see that no secret has a field to hide in. Free text from outside is escaped before it is written.
 */
import { pino } from 'pino';
import { printable } from './printable.ts';

export type LogEvent =
  | {
      readonly event: 'broker.started';
      readonly domain: string;
      readonly epoch: number;
      readonly circuits: number;
      readonly ms: number;
    }
  | { readonly event: 'broker.stopped'; readonly domain: string; readonly reason: string }
  | { readonly event: 'lease.acquired'; readonly holder: string; readonly epoch: number }
  | { readonly event: 'lease.lost'; readonly holder: string; readonly epoch: number; readonly detail: string }
  | { readonly event: 'lease.standby'; readonly holder: string; readonly leader: string }
  | { readonly event: 'http.listening'; readonly address: string }
  | {
      readonly event: 'http.request';
      readonly request_id: string;
      readonly method: string;
      readonly route: string;
      readonly status: number;
      readonly ms: number;
      readonly principal?: string;
    }
  | { readonly event: 'http.failed'; readonly request_id: string; readonly error: string }
  | { readonly event: 'group.failed'; readonly size: number; readonly error: string }
  | { readonly event: 'store.full'; readonly error: string }
  | { readonly event: 'store.recovered' }
  | { readonly event: 'policy.closed'; readonly detail: string }
  | {
      readonly event: 'effect.failed';
      readonly circuit: string;
      readonly lane: string;
      readonly effect: string;
      readonly attempt: number;
      readonly error: string;
    }
  | { readonly event: 'settle.failed'; readonly error: string }
  | {
      readonly event: 'reconcile.drift';
      readonly device: string;
      readonly circuit: string;
      readonly kind: 'MISSING' | 'EXTRA' | 'FOREIGN';
    }
  | { readonly event: 'device.connected'; readonly device: string; readonly protocol: string }
  | { readonly event: 'device.unreachable'; readonly device: string; readonly error: string }
  | { readonly event: 'device.rebooted'; readonly device: string; readonly detail: string }
  | {
      readonly event: 'device.changed';
      readonly device: string;
      readonly detail: string;
      /** Somebody else did it. */
      readonly foreign: boolean;
    }
  | {
      readonly event: 'device.events_lost';
      readonly device: string;
      readonly from: string;
      readonly to: string;
    }
  | { readonly event: 'device.stray_answer'; readonly device: string; readonly detail: string }
  | { readonly event: 'device.breaker'; readonly device: string; readonly state: 'OPEN' | 'CLOSED' }
  | { readonly event: 'device.rollback_failed'; readonly device: string; readonly circuit: string }
  | {
      readonly event: 'device.quarantined' | 'device.quarantine_lifted';
      readonly device: string;
      readonly ports: readonly string[];
      readonly detail: string;
    }
  /** The topology names a device that no element of the configuration is, or treats it as what it is not. */
  | { readonly event: 'device.mismatch'; readonly device: string; readonly detail: string }
  | {
      readonly event: 'webhook.failed';
      readonly webhook: string;
      readonly attempt: number;
      readonly error: string;
    }
  | { readonly event: 'webhook.disabled'; readonly webhook: string }
  | { readonly event: 'peer.failed'; readonly peer: string; readonly message: string; readonly error: string }
  /** Its clock and ours are further apart than they should be. */
  | { readonly event: 'peer.skew'; readonly peer: string; readonly skew_ms: number }
  | { readonly event: 'peer.breaker'; readonly peer: string; readonly state: 'OPEN' | 'CLOSED' }
  /** Somebody spoke in a way that a peer in good order does not. */
  | { readonly event: 'peer.refused'; readonly peer: string; readonly detail: string }
  /** It has contradicted itself: nothing is agreed with it until an operator has looked. */
  | { readonly event: 'peer.quarantined'; readonly peer: string; readonly detail: string }
  /** A comparison of what is agreed with it has found so many circuits that it has otherwise. */
  | { readonly event: 'peer.differs'; readonly peer: string; readonly circuits: number }
  /** Somebody speaks for it in an earlier term of office than it was in: refused until an operator has looked. */
  | { readonly event: 'peer.stale'; readonly peer: string; readonly epoch: number; readonly known: number }
  /** A home that is in an earlier term than its commit was knows nothing of a circuit: nothing is let go. */
  | {
      readonly event: 'peer.unknown';
      readonly peer: string;
      readonly circuit: string;
      readonly epoch: number;
      readonly committed: number;
    }
  /** It did not answer until this no longer mattered: see whether it is gone for good. */
  | {
      readonly event: 'peer.given_up';
      readonly peer: string;
      readonly circuit: string;
      readonly message: string;
    }
  /** The configuration was read again, and names it now, or names it no longer. */
  | { readonly event: 'peer.joined' | 'peer.dismissed'; readonly peer: string }
  /** The last messages of peers could not be kept; nothing depends on it. */
  | { readonly event: 'peer.journal'; readonly error: string }
  | { readonly event: 'peer.session'; readonly peer: string; readonly protocol: number }
  | { readonly event: 'peer.certificate'; readonly peer: string; readonly days_left: number }
  | { readonly event: 'peering.listening'; readonly address: string }
  /** Certificates, keys and pins were read again, or could not be: then the old ones stay. */
  | { readonly event: 'peering.renewed'; readonly peers: number }
  | { readonly event: 'peering.not_renewed'; readonly error: string }
  /** The stored log is not the one that was signed; nothing is served. */
  | { readonly event: 'audit.refused'; readonly detail: string }
  /** A witness has seen what we signed and cannot show: the log goes on under a new name. */
  | { readonly event: 'audit.behind'; readonly witness: string; readonly detail: string }
  /** Another domain's log has signed two histories. */
  | {
      readonly event: 'audit.forked';
      readonly origin: string;
      readonly size: number;
      readonly seen: number;
    }
  /** Another domain's log goes on under a new name. */
  | { readonly event: 'audit.renamed'; readonly origin: string; readonly before: readonly string[] }
  | { readonly event: 'issuer.unreachable'; readonly issuer: string; readonly error: string }
  | { readonly event: 'store.pruned'; readonly circuits: number; readonly events: number };

export interface Log {
  info(event: LogEvent): void;
  warn(event: LogEvent): void;
  error(event: LogEvent): void;
}

export const silentLog: Log = { info() {}, warn() {}, error() {} };

/** Paths whose values never reach a log line, whatever puts them there. */
const REDACT = [
  'authorization',
  '*.authorization',
  'token',
  '*.token',
  'secret',
  '*.secret',
  'password',
  '*.password',
];

/** Lines of JSON on standard error. */
export function jsonLog(level: 'debug' | 'info' | 'warn' | 'error' | 'silent'): Log {
  const sink = pino(
    { level, redact: REDACT, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
  const clean = (event: LogEvent): Record<string, unknown> =>
    Object.fromEntries(Object.entries(event).map(([k, v]) => [k, typeof v === 'string' ? printable(v) : v]));
  return {
    info: (event) => sink.info(clean(event)),
    warn: (event) => sink.warn(clean(event)),
    error: (event) => sink.error(clean(event)),
  };
}
