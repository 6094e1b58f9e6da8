import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { open } from 'lmdb';
import { seal, spoil } from './checksum.ts';
import { DATA_FILE, JOURNAL_TABLE, LMDB_OPTIONS, SETTLED, TABLE_OPTIONS, tableOf } from './lmdb-environment.ts';
import { checkPages } from './lmdb-pages.ts';
import type { StoreKey, StoreName } from './store.ts';

/*
 * Data directories of format 2, as far as they differ from those of today. Their values have no checksum, and stand in
 * databases of other names. The files of their journals have no header, and the frames no number,
 *   u32 length of the content | u32 CRC-32 of what follows, begun with that of the frame before | u48 generation | content
 * so the first frame that cannot be read looks like the end of the journal. This file repeats what other files say
 * today: it describes an old format, and must not change when they do.
 */

/** Rows moved in one transaction. Each may be an item of 400 KB. */
const PAGE = 64;

const JOURNAL_FILES = ['journal-0', 'journal-1'] as const;
const JOURNAL_STORES: readonly StoreName[] = ['items', 'paxos', 'meta', 'hints'];
const FRAME_HEADER_BYTES = 14;
const ENTRY_HEADER_BYTES = 8;

/** The place in the journal up to which LMDB holds everything. */
interface Position {
  readonly generation: number;
  readonly link: number;
}

interface Entry {
  readonly name: StoreName;
  readonly key: StoreKey;
  /** Undefined: removed. */
  readonly value: Uint8Array | undefined;
}

/**
 * Rewrites the data of a node from format 2: each value gets its checksum. The result is durable when the call returns.
 * A crash in between is safe, since the next call goes on: a row moves from the old database to the new one in one
 * transaction, and the database that holds a row tells its form. Its bytes could not: a flipped bit could make the new
 * form look like the old.
 *
 * The old values have no checksum, so it is unknown whether they are what was written. Those that cannot be decoded are
 * written as damaged.
 *
 * @throws StoreDamagedError, or the system's error if the data cannot be written
 */
export async function migrateFromFormat2(path: string): Promise<void> {
  checkPages(join(path, DATA_FILE));
  const root = open<Uint8Array, StoreKey>({
    ...LMDB_OPTIONS,
    path,
    overlappingSync: false,
    eventTurnBatching: false,
    maxDbs: 2 * JOURNAL_STORES.length + 1,
  });
  const table = (name: string) => root.openDB<Uint8Array, StoreKey>({ name, ...TABLE_OPTIONS });
  try {
    const stores = JOURNAL_STORES.map((name) => ({ name, from: table(name), to: table(tableOf(name)) }));
    for (const { name, from, to } of stores) {
      for (;;) {
        const rows = [...from.getRange({ start: '\0', limit: PAGE })];
        if (rows.length === 0) break;
        root.transactionSync(() => {
          for (const { key, value } of rows) {
            to.put(key, sealed(name, key, value));
            from.remove(key);
          }
        });
      }
    }
    const journal = table(JOURNAL_TABLE);
    const settled = journal.getBinary(SETTLED);
    const before = settled === undefined ? { generation: 0, link: 0 } : JSON.parse(settled.toString('latin1'));
    const { entries, position } = readJournal(path, before);
    root.transactionSync(() => {
      for (const { name, key, value } of entries) {
        const { to } = stores.find((store) => store.name === name)!;
        if (value === undefined) to.remove(key);
        else to.put(key, sealed(name, key, value));
      }
      // If the process dies before the files are removed, the next call finds nothing in them that is newer than this.
      journal.put(SETTLED, Buffer.from(JSON.stringify(position), 'latin1'));
    });
    for (const file of JOURNAL_FILES) rmSync(join(path, file), { force: true });
    journal.removeSync(SETTLED);
    for (const { from } of stores) from.dropSync();
  } finally {
    // The environment must not be opened again while it is still being closed.
    await root.close();
  }
}

function sealed(name: StoreName, key: StoreKey, value: Uint8Array): Uint8Array {
  const bytes = seal(name, key, value);
  return isSound(name, key, Buffer.from(value.buffer, value.byteOffset, value.length)) ? bytes : spoil(bytes);
}

function isSound(name: StoreName, key: StoreKey, value: Buffer): boolean {
  if (name === 'hints') return isRecord(value.subarray(8));
  return name === 'meta' && !key.startsWith('staged/') ? isJson(value) : isRecord(value);
}

function isRecord(value: Buffer): boolean {
  if (value.length < 24 || value[0] !== 1 || value[1]! > 1) return false;
  const item = 24 + value.readUInt16BE(20) * 24 + value.readUInt16BE(22);
  return value[1] === 1 ? value.length === item : value.length > item + 4 && isJson(value.subarray(item + 4));
}

function isJson(value: Buffer): boolean {
  try {
    JSON.parse(value.toString());
    return true;
  } catch {
    return false;
  }
}

/** Reads the entries of the journal behind `settled`, up to where its process died. */
function readJournal(path: string, settled: Position): { readonly entries: Entry[]; readonly position: Position } {
  const entries: Entry[] = [];
  let position = settled;
  const files = JOURNAL_FILES.map((file) => join(path, file))
    .map((file) => (existsSync(file) ? readFileSync(file) : Buffer.alloc(0)))
    .filter((bytes) => generationOf(bytes) > settled.generation)
    .sort((a, b) => generationOf(a) - generationOf(b));
  for (const bytes of files) {
    for (let at = 0; at + FRAME_HEADER_BYTES <= bytes.length; ) {
      const end = at + FRAME_HEADER_BYTES + bytes.readUInt32BE(at);
      const link = bytes.readUInt32BE(at + 4);
      if (end > bytes.length || crc32(bytes.subarray(at + 8, end), position.link) !== link) break;
      readEntries(bytes.subarray(at + FRAME_HEADER_BYTES, end), entries);
      position = { generation: generationOf(bytes), link };
      at = end;
    }
  }
  return { entries, position };
}

function generationOf(bytes: Buffer): number {
  return bytes.length < FRAME_HEADER_BYTES ? 0 : bytes.readUIntBE(8, 6);
}

function readEntries(frame: Buffer, entries: Entry[]): void {
  for (let at = 0; at < frame.length; ) {
    const keyEnd = at + ENTRY_HEADER_BYTES + frame.readUInt16BE(at + 2);
    const valueEnd = keyEnd + frame.readUInt32BE(at + 4);
    entries.push({
      name: JOURNAL_STORES[frame[at]!]!,
      key: frame.toString('latin1', at + ENTRY_HEADER_BYTES, keyEnd),
      value: frame[at + 1] === 1 ? undefined : frame.subarray(keyEnd, valueEnd),
    });
    at = valueEnd;
  }
}
