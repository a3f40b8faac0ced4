/**
 * Rebuilds the tree of the audit log from what is stored: one hash for each 256 records, and the leaves of
 * the rest.
 */
import { MerkleLog, TILE } from '../aaa/merkle/log.ts';
import type { AuditStore } from './auditPorts.ts';

const hash = (text: string): Buffer => Buffer.from(text, 'base64url');

export async function loadTree(store: AuditStore): Promise<MerkleLog> {
  const tiles = await store.auditTiles();
  const tail = await store.auditLeaves(tiles.length * TILE, Number.MAX_SAFE_INTEGER);
  return new MerkleLog(tiles.map(hash), tail.map(hash));
}
