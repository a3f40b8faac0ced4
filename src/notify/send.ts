/**
 * One call of a webhook: a CloudEvent in structured JSON, signed as Standard Webhooks has it, so that the
 * receiver can tell that it is ours, whole and fresh. Says how it went and never throws. When to call, and
 * when to give up, is deliver.ts; which addresses may be reached is the dispatcher's affair.
 */
import { createHmac } from 'node:crypto';
import { type Dispatcher, request } from 'undici';
import { type Clock, instant } from '../kernel/clock.ts';
import { printable } from '../kernel/printable.ts';
import type { CloudEvent } from '../model/cloudevent.ts';

/** From the first look-up of the name to the end of the answer. */
export const CALL_TIMEOUT_MS = 10_000;
/** So much of an answer is read, to keep the connection; of a longer one it is closed. */
const MAX_ANSWER_BYTES = 16 * 1024;
const MAX_ERROR_LENGTH = 200;

/** `gone`: the receiver wants no more calls (410). `retryAfterS`: when it asks us to come back. */
export type SendOutcome =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'failed'; readonly error: string; readonly retryAfterS?: number }
  | { readonly kind: 'gone'; readonly error: string };

export interface Target {
  readonly url: string;
  /** `whsec_` and base64. */
  readonly secret: string;
}

export type Send = (target: Target, event: CloudEvent, signal: AbortSignal) => Promise<SendOutcome>;

/** `v1,` and the base64 of an HMAC-SHA256 over id, time and body. */
export function signature(secret: string, id: string, timestampS: number, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  return `v1,${createHmac('sha256', key).update(`${id}.${timestampS}.${body}`).digest('base64')}`;
}

/** The dispatcher must not follow redirects: an address is checked for what it is, not for where it points. */
export function sender(ports: { readonly clock: Clock; readonly dispatcher: Dispatcher }): Send {
  const { clock, dispatcher } = ports;
  return async (target, event, signal) => {
    const body = JSON.stringify(event);
    const timestampS = Math.floor(clock.now() / 1000);
    const late = new AbortController();
    const cancel = clock.alarm(instant(clock.now() + CALL_TIMEOUT_MS), () => late.abort());
    try {
      const answer = await request(target.url, {
        dispatcher,
        method: 'POST',
        signal: AbortSignal.any([signal, late.signal]),
        headers: {
          'content-type': 'application/cloudevents+json',
          'user-agent': 'turnpike',
          'webhook-id': event.id,
          'webhook-timestamp': String(timestampS),
          'webhook-signature': signature(target.secret, event.id, timestampS, body),
        },
        body,
      });
      const outcome = judge(answer.statusCode, answer.headers);
      // The status alone counts: an answer that breaks off, or never ends, was still given.
      await answer.body.dump({ limit: MAX_ANSWER_BYTES }).catch(() => {});
      return outcome;
    } catch (error) {
      const why = late.signal.aborted ? `no answer within ${CALL_TIMEOUT_MS / 1000} s` : messageOf(error);
      // It may quote the other side, a certificate's names for example, and ends in logs and on screens.
      return { kind: 'failed', error: printable(why.slice(0, MAX_ERROR_LENGTH)) };
    } finally {
      cancel();
    }
  };
}

function judge(status: number, headers: Record<string, string | string[] | undefined>): SendOutcome {
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  if (status === 410) return { kind: 'gone', error: 'HTTP 410: the receiver wants no more calls' };
  if (status >= 300 && status < 400) {
    return { kind: 'failed', error: `HTTP ${status}: redirects are not followed` };
  }
  const wait = headers['retry-after'];
  const asked = typeof wait === 'string' && /^\d{1,9}$/.test(wait) ? Number(wait) : undefined;
  const error = `HTTP ${status}`;
  return asked === undefined ? { kind: 'failed', error } : { kind: 'failed', error, retryAfterS: asked };
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Several addresses tried and none reached: the sum of the errors has no message of its own.
  if (error.message !== '') return error.message;
  const code = (error as NodeJS.ErrnoException).code;
  return code ?? error.name;
}
