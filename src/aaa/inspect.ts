/**
 * Questions that the verifier of an export puts to each record beyond its hash: do the rows of the ledger
 * add up, and does each decision come out the same when the rules of its hash decide it again. Each
 * inspector is for one reading of one log from its first record on.
 */
import { actions, type Seen } from './decide.ts';
import { Book, LedgerError, type Transfer } from './ledger/book.ts';
import type { Json } from './merkle/canonical.ts';
import { asideKey, type StoredRecord } from './merkle/export.ts';
import { type Aside, reveal } from './merkle/record.ts';
import { isPardon, replay } from './policies.ts';
import type { PolicySet } from './policySet.ts';

/** A complaint, or undefined when all is well. */
export type Inspector = (record: StoredRecord) => string | undefined;

const transferOps: Readonly<Record<string, Transfer['kind']>> = {
  'ledger.grant': 'GRANT',
  'ledger.hold': 'HOLD',
  'ledger.capture': 'CAPTURE',
  'ledger.void': 'VOID',
  'ledger.refund': 'REFUND',
};

export function ledgerInspector(book: Book = new Book()): Inspector {
  return (record) => {
    const kind = transferOps[String(record['op'])];
    if (kind === undefined) return undefined;
    const row = record['transfer'];
    if (!isObject(row) || row['kind'] !== kind) return 'a row of the ledger of another kind than it says';
    if (typeof row['project'] !== 'string' || (row['unit'] !== 'MBIT' && row['unit'] !== 'CREDIT'))
      return 'a row of the ledger without project or unit';
    try {
      // What has been looked at here makes the row one; numbers and references the book looks at itself.
      book.enter(row as unknown as Transfer);
    } catch (error) {
      if (error instanceof LedgerError) return `the ledger does not add up: ${error.message}`;
      throw error;
    }
    return book.sum() === 0 ? undefined : 'the books do not sum to zero';
  };
}

export interface Replayed {
  same: number;
  erased: number;
}

/**
 * `sets` by their hash, all that the log names. A decision that failed has nothing to replay: it must have
 * been a no. `counted` is added to, so that "all the same" can be told from "all erased".
 */
export function replayInspector(
  sets: ReadonlyMap<string, PolicySet>,
  asides: ReadonlyMap<string, Aside> = new Map(),
  counted: Replayed = { same: 0, erased: 0 },
): Inspector {
  return (record) => {
    const hash = record['policy_set_sha256'];
    if (record['op'] !== 'decision' || typeof hash !== 'string') return undefined;
    const effect = record['decision'];
    if (effect !== 'ALLOW' && effect !== 'DENY') return 'a decision that is neither yes nor no';
    const action = actions.find((known) => known === record['action']);
    if (action === undefined) return 'a decision on an action that nobody knows';
    if (record['errors'] !== undefined)
      return effect === 'DENY' || isPardon(action, hash, texts(record['reasons']))
        ? undefined
        : 'allowed in spite of errors';
    const set = sets.get(hash);
    if (set === undefined) return `there is no policy set ${hash}`;
    if (!isObject(record['facts'])) return 'a decision without what it saw';
    const who = reveal(record['actor'], asides.get(asideKey(Number(record['seq']), 'actor')));
    const again = replay(set, {
      id: String(record['decision_id']),
      action,
      project: String(record['project']),
      // Flat by its schema; anything else the policy's own schema refuses, and that is a no.
      seen: record['facts'] as Seen,
      effect,
      reasons: texts(record['reasons']),
      ...(who === 'ERASED' || who === 'WRONG' ? {} : { principal: who }),
    });
    if (again === 'ERASED') counted.erased++;
    else if (again === 'SAME') counted.same++;
    else return `decided again it is ${again.effect} by ${again.reasons.join(', ') || 'no rule'}`;
    return undefined;
  };
}

const isObject = (value: Json | undefined): value is StoredRecord =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const texts = (value: Json | undefined): string[] => (Array.isArray(value) ? value.map(String) : []);
