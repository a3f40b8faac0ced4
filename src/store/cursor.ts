/**
 * Where a page ended, as an opaque word for clients: the sort it belongs to, the last value and the last id.
 * A cursor that is not ours is the asker's mistake, not ours.
 */
import { BrokerError } from '../kernel/errors.ts';

export interface Cursor {
  readonly sort: string;
  readonly value: number;
  readonly id: string;
}

export const encodeCursor = ({ sort, value, id }: Cursor): string =>
  Buffer.from(JSON.stringify([sort, value, id])).toString('base64url');

export function decodeCursor(text: string, sort: string): Cursor {
  const parsed = parse(text);
  if (!Array.isArray(parsed) || parsed.length !== 3) throw bad('is not one that we gave');
  const [of, value, id] = parsed as readonly unknown[];
  if (of !== sort) throw bad('belongs to another sort order');
  if (!Number.isSafeInteger(value) || typeof id !== 'string') throw bad('is not one that we gave');
  return { sort, value: value as number, id };
}

function parse(text: string): unknown {
  if (text.length > 512) return undefined;
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

const bad = (what: string): BrokerError =>
  new BrokerError('INVALID_REQUEST', `page_token ${what}`, {
    errors: [{ pointer: 'page_token', detail: what }],
  });
