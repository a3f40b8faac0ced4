/**
 * Rows of capability tokens. That a proof or an operation counts once is a primary key here, too: the writer
 * decides it in memory, and the database would refuse the group of one who did not.
 */
import type {
  MintedToken,
  RevocationRecord,
  StoredTokens,
  TokenKeyRecord,
  TokenRecord,
  TokenRows,
} from '../broker/tokens/tokenRecords.ts';
import type { InstantMs } from '../kernel/clock.ts';
import type { Redemption, SeenProof } from '../tokens/redeem.ts';
import type { Database } from './database.ts';
import { docOf } from './rows.ts';
import { Insert, type Row, type Session, type Value } from './session.ts';

const keys = new Insert('token_keys', ['kid', 'doc'], 'ON CONFLICT (kid) DO UPDATE SET doc = excluded.doc');
const minted = new Insert('tokens', ['jti', 'circuit_id', 'idx', 'expire_time', 'doc', 'token']);
const redemptions = new Insert('token_redemptions', ['root_id', 'op_key', 'expire_time', 'doc']);
const proofs = new Insert('token_proofs', ['id', 'expire_time', 'doc']);
const revocations = new Insert('token_revocations', ['iss', 'jti', 'expire_time', 'doc']);

interface Table {
  readonly what: string;
  readonly insert: Insert;
  readonly rows: readonly (readonly Value[])[];
}

export function encodeTokens(g: TokenRows | undefined): Table[] {
  if (g === undefined) return [];
  return [
    { what: 'a token key', insert: keys, rows: g.keys.map((k) => [k.kid, JSON.stringify(k)]) },
    {
      what: 'a token',
      insert: minted,
      rows: g.minted.map(({ text, ...t }) => [
        t.jti,
        t.circuitId,
        t.idx,
        t.exp * 1000,
        JSON.stringify(t),
        text,
      ]),
    },
    {
      what: 'a redemption',
      insert: redemptions,
      rows: g.redemptions.map((r) => [r.rootId, r.opKey, r.until, JSON.stringify(r)]),
    },
    {
      what: 'a proof that was used',
      insert: proofs,
      rows: g.proofs.map((p) => [p.id, p.until, JSON.stringify(p)]),
    },
    {
      what: 'a withdrawal',
      insert: revocations,
      rows: g.revocations.map((r) => [r.iss, r.jti, r.exp * 1000, JSON.stringify(r)]),
    },
  ];
}

export async function storedTokens({ readers }: Database, now: InstantMs): Promise<StoredTokens> {
  const all = async <T>(table: string, live: boolean): Promise<T[]> => {
    const query = readers<Row>(table).select('doc');
    if (live) query.where('expire_time', '>', now);
    return (await query).map((row: Row) => docOf<T>(row));
  };
  const last = (await readers<Row>('tokens').max({ idx: 'idx' }).first()) as Row | undefined;
  return {
    keys: await all<TokenKeyRecord>('token_keys', false),
    minted: await all<MintedToken>('tokens', true),
    redemptions: await all<Redemption>('token_redemptions', true),
    proofs: await all<SeenProof>('token_proofs', true),
    revocations: await all<RevocationRecord>('token_revocations', false),
    nextIdx: last?.['idx'] == null ? 0 : Number(last['idx']) + 1,
  };
}

export async function tokenText({ readers }: Database, jti: string): Promise<TokenRecord | undefined> {
  const row = (await readers<Row>('tokens').where({ jti }).first()) as Row | undefined;
  return row === undefined ? undefined : { ...docOf<MintedToken>(row), text: row['token'] as string };
}

/** What has ended goes; the token with the last place stays, so that no place is given twice. */
export async function pruneTokens(session: Session, before: InstantMs, now: InstantMs): Promise<void> {
  await session.run('DELETE FROM token_proofs WHERE expire_time <= ?', [now]);
  await session.run('DELETE FROM token_redemptions WHERE expire_time < ?', [before]);
  await session.run('DELETE FROM tokens WHERE expire_time < ? AND idx < (SELECT max(idx) FROM tokens)', [
    before,
  ]);
}
