/**
 * Who comes with bad credentials too often is not listened to for a while. Verifying a signature costs more
 * than sending one, so that this is asked before authentication and by address: there is no principal yet.
 * Good credentials cost nothing here, however many there are. Windows are fixed and start with the first
 * refusal; how many addresses are remembered is bounded.
 */
import ipaddr from 'ipaddr.js';
import type { Clock } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';

/** Some MB at most. Beyond it the address that was refused first is forgotten, and begins anew. */
const REMEMBERED = 50_000;

interface Tally {
  refused: number;
  readonly until: number;
}

export class CredentialGuard {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #windowMs: number;
  readonly #tallies = new Map<string, Tally>();

  constructor(clock: Clock, limit: { readonly max: number; readonly windowMs: number }) {
    this.#clock = clock;
    this.#max = limit.max;
    this.#windowMs = limit.windowMs;
  }

  /** Throws RATE_LIMITED when this address has used up its refusals. */
  check(address: string): void {
    // Almost always there is nobody here.
    if (this.#tallies.size === 0) return;
    const tally = this.#tallies.get(sourceOf(address));
    if (tally === undefined || tally.refused < this.#max) return;
    const left = tally.until - this.#clock.now();
    if (left <= 0) return;
    throw new BrokerError('RATE_LIMITED', 'too many requests with bad credentials came from this address', {
      retry_after_s: Math.ceil(left / 1000),
    });
  }

  refused(address: string): void {
    const source = sourceOf(address);
    const now = this.#clock.now();
    const tally = this.#tallies.get(source);
    if (tally !== undefined && tally.until > now) {
      tally.refused++;
      return;
    }
    this.#tallies.delete(source);
    if (this.#tallies.size >= REMEMBERED) this.#tallies.delete(this.#tallies.keys().next().value as string);
    this.#tallies.set(source, { refused: 1, until: now + this.#windowMs });
  }
}

/** One customer has a /64 of IPv6 at least, and may use every address in it. */
export function sourceOf(address: string): string {
  if (!address.includes(':') || !ipaddr.IPv6.isValid(address)) return address;
  const parsed = ipaddr.IPv6.parse(address);
  if (parsed.isIPv4MappedAddress()) return parsed.toIPv4Address().toString();
  return `${parsed.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
}
