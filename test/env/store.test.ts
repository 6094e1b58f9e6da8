import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LmdbStore } from '../../src/env/lmdb-store.ts';
import type { LmdbStoreOptions } from '../../src/env/lmdb-store-options.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';
import { flipBits } from '../rotten-disk.ts';
import { type StoreUnderTest, storeSuite } from '../suites/store.ts';

storeSuite(
  'the memory store',
  memory(() => new MemoryStore()),
);

storeSuite(
  'the memory store with a slow disk',
  memory(() => new MemoryStore({ flushAfter: (complete) => setImmediate(complete) })),
);

for (const durability of ['memory', 'process', 'disk'] as const) {
  storeSuite(`the LMDB store, durability ${durability}`, lmdb({ durability }));
}

// So that batches are cut by their size too, and not by flushes alone.
storeSuite('the LMDB store with batches of three writes', lmdb({ durability: 'process', batchEntries: 3 }));

function memory(open: () => MemoryStore): StoreUnderTest {
  return {
    open,
    reopen: undefined,
    rot: async (store, key) => {
      (store as MemoryStore).damage('items', key);
      return store;
    },
    dispose: () => {},
  };
}

function lmdb(options: LmdbStoreOptions): StoreUnderTest {
  let path = '';
  return {
    open: () => {
      path = mkdtempSync(join(tmpdir(), 'dynaring-test-'));
      return new LmdbStore(path, options);
    },
    reopen: () => new LmdbStore(path, options),
    rot: async (store, _key, text) => {
      await store.close();
      if (flipBits(join(path, 'data.mdb'), [text]) === 0) throw new Error('it is not in the file');
      return new LmdbStore(path, options);
    },
    dispose: () => rmSync(path, { recursive: true }),
  };
}
