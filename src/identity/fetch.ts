/**
 * JSON from an issuer's own addresses, as carefully as it can be fetched: https only, no redirect (one could
 * point at a metadata service), so many bytes and so many seconds, and nothing that is not JSON.
 */
import { Agent, type Dispatcher, request } from 'undici';
import { type Clock, instant } from '../kernel/clock.ts';

export type FetchJson = (url: string) => Promise<unknown>;

/** From the first look-up of the name to the last byte. */
const FETCH_TIMEOUT_MS = 10_000;
/** A set of 64 RSA keys is 40 kB. */
export const MAX_DOCUMENT_BYTES = 256 * 1024;

/** `ca`: authorities in PEM that are trusted besides those of the system. Close it when done. */
export function issuerAgent(ca?: string): Agent {
  return new Agent({
    connect: { timeout: FETCH_TIMEOUT_MS, ...(ca === undefined ? {} : { ca }) },
    connections: 1,
    maxResponseSize: MAX_DOCUMENT_BYTES,
    // One limit for the whole call, on our own clock.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

export function jsonFetcher(ports: { readonly clock: Clock; readonly dispatcher: Dispatcher }): FetchJson {
  const { clock, dispatcher } = ports;
  return async (url) => {
    if (!URL.canParse(url) || new URL(url).protocol !== 'https:')
      throw new Error('only https addresses are fetched');
    const late = new AbortController();
    const cancel = clock.alarm(instant(clock.now() + FETCH_TIMEOUT_MS), () => late.abort());
    try {
      const answer = await request(url, {
        dispatcher,
        method: 'GET',
        headers: { accept: 'application/json', 'user-agent': 'turnpike' },
        signal: late.signal,
      });
      if (answer.statusCode !== 200) {
        await answer.body.dump({ limit: MAX_DOCUMENT_BYTES }).catch(() => {});
        throw new Error(
          `HTTP ${answer.statusCode}${answer.statusCode < 400 ? ': redirects are not followed' : ''}`,
        );
      }
      const parsed: unknown = JSON.parse(await answer.body.text());
      return parsed;
    } catch (error) {
      if (late.signal.aborted) throw new Error(`no answer within ${FETCH_TIMEOUT_MS / 1000} s`);
      throw error;
    } finally {
      cancel();
    }
  };
}
