/**
 * Room that is kept back for what must go on when the disk is full: releases, cancellations, what devices
 * report. It is a file of ballast beside the database, given up when such a write finds no room. Until it has
 * been put back, writes that ask for more are refused, so that they cannot eat what the others were left.
 *
 * Where the database's own size is bounded (`maxBytes`), the same number of bytes is added to that bound.
 */
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { kindOf } from './errors.ts';
import type { Session } from './session.ts';

const BLOCK = Buffer.alloc(1 << 20, 0xa5);
/** Building the reserve must not be what fills the disk. */
const MARGIN_BYTES = 1 << 20;
/** With fewer free pages than this under the bound, a group would hit it at once. */
const FREE_PAGES = 64;

export interface ReserveOptions {
  readonly file: string;
  readonly bytes: number;
  readonly maxBytes?: number;
}

export class Reserve {
  readonly #options: ReserveOptions;
  #whole = false;

  constructor(options: ReserveOptions) {
    this.#options = options;
  }

  get whole(): boolean {
    return this.#whole;
  }

  /** True once the reserve is whole and there is room beside it. Until then what was given up stays so. */
  async restore(session: Session): Promise<boolean> {
    const { maxBytes } = this.#options;
    if (maxBytes !== undefined && (await freePages(session, maxBytes)) < FREE_PAGES) return false;
    if (!this.#ballast()) return false;
    if (maxBytes !== undefined) await setBound(session, maxBytes);
    this.#whole = true;
    return true;
  }

  /** False when there is nothing left to give. */
  async giveUp(session: Session): Promise<boolean> {
    const { file, bytes, maxBytes } = this.#options;
    if (!this.#whole || bytes === 0) return false;
    this.#whole = false;
    rmSync(file, { force: true });
    if (maxBytes !== undefined) await setBound(session, maxBytes + bytes);
    // Moves the log into the database while there is room to: the log's own room is then used again and
    // again, and the reserve lasts for thousands of releases instead of dozens.
    await session.all('PRAGMA wal_checkpoint(PASSIVE)');
    return true;
  }

  #ballast(): boolean {
    const { file, bytes } = this.#options;
    if (bytes === 0 || (existsSync(file) && statSync(file).size >= bytes)) return true;
    const disk = statfsSync(dirname(file));
    if (disk.blocks > 0 && disk.bavail * disk.bsize < bytes + MARGIN_BYTES) return false;
    try {
      fill(file, bytes);
      return true;
    } catch (error) {
      rmSync(file, { force: true });
      if (kindOf(error) === 'FULL') return false;
      throw error;
    }
  }
}

function fill(file: string, bytes: number): void {
  const descriptor = openSync(file, constants.O_CREAT | constants.O_TRUNC | constants.O_WRONLY, 0o600);
  try {
    for (let written = 0; written < bytes; ) {
      written += writeSync(descriptor, BLOCK, 0, Math.min(BLOCK.length, bytes - written));
    }
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

async function freePages(session: Session, bytes: number): Promise<number> {
  const most = Math.floor(bytes / (await pragma(session, 'page_size')));
  return most - (await pragma(session, 'page_count')) + (await pragma(session, 'freelist_count'));
}

async function setBound(session: Session, bytes: number): Promise<void> {
  const pages = Math.floor(bytes / (await pragma(session, 'page_size')));
  await pragma(session, `max_page_count = ${pages}`);
}

async function pragma(session: Session, text: string): Promise<number> {
  const [row] = await session.all(`PRAGMA ${text}`);
  return Number(Object.values(row ?? {})[0]);
}
