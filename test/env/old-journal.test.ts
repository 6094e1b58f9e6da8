import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { open } from 'lmdb';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LmdbStore } from '../../src/env/lmdb-store.ts';

/* What version 0.1.0 wrote, whose journals had neither header nor numbers. */

const GENERATION_AT = 8;
const HEADER_BYTES = 14;
const ITEMS = 0;

let path: string;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'dynaring-test-'));
});

afterEach(() => {
  rmSync(path, { recursive: true });
});

function frame(generation: number, link: number, key: string, value: string): Buffer {
  const entry = Buffer.alloc(8);
  entry[0] = ITEMS;
  entry.writeUInt16BE(key.length, 2);
  entry.writeUInt32BE(value.length, 4);
  const content = Buffer.concat([entry, Buffer.from(key + value)]);
  const bytes = Buffer.concat([Buffer.alloc(HEADER_BYTES), content]);
  bytes.writeUInt32BE(content.length, 0);
  bytes.writeUIntBE(generation, GENERATION_AT, 6);
  bytes.writeUInt32BE(crc32(bytes.subarray(GENERATION_AT), link), 4);
  return bytes;
}

/** A store that was killed: LMDB has generation 4, and the journal the next two. */
async function writeOldStore(): Promise<void> {
  const settled = { generation: 4, link: 77 };
  const root = open({ path, noSubdir: false, encoding: 'binary', maxDbs: 5 });
  const rows = root.openDB<Buffer, Buffer>({ name: 'journal', encoding: 'binary', keyEncoding: 'binary' });
  await rows.put(Buffer.from('settled'), Buffer.from(JSON.stringify(settled)));
  await root.close();
  const first = frame(5, settled.link, 'a', 'first');
  const second = frame(5, first.readUInt32BE(4), 'b', 'second');
  const third = frame(6, second.readUInt32BE(4), 'a', 'third');
  const left = frame(4, 1, 'old', 'of an earlier generation');
  writeFileSync(join(path, 'journal-1'), Buffer.concat([first, second]));
  writeFileSync(join(path, 'journal-0'), Buffer.concat([third, left]));
}

const textOf = (store: LmdbStore, key: string) => Buffer.from(store.get('items', key) ?? '').toString();

test.each(['memory', 'process', 'disk'] as const)('a journal of before is read once (%s)', async (durability) => {
  await writeOldStore();
  for (let time = 0; time < 2; time++) {
    const store = new LmdbStore(path, { durability });
    expect([textOf(store, 'a'), textOf(store, 'b'), textOf(store, 'old')]).toEqual(['third', 'second', '']);
    expect(store.loss).toBeUndefined();
    await store.close();
  }
});
