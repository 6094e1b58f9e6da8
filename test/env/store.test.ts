import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LmdbStore } from '../../src/env/lmdb-store.ts';
import type { LmdbStoreOptions } from '../../src/env/lmdb-store-options.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';
import { type StoreUnderTest, storeSuite } from '../suites/store.ts';

storeSuite('the memory store', { open: () => new MemoryStore(), reopen: undefined, dispose: () => {} });

storeSuite('the memory store with a slow disk', {
  open: () => new MemoryStore({ flushAfter: (complete) => setImmediate(complete) }),
  reopen: undefined,
  dispose: () => {},
});

for (const durability of ['memory', 'process', 'disk'] as const) {
  storeSuite(`the LMDB store, durability ${durability}`, lmdb({ durability }));
}

// So that batches are cut by their size too, and not by flushes alone.
storeSuite('the LMDB store with batches of three writes', lmdb({ durability: 'process', batchEntries: 3 }));

function lmdb(options: LmdbStoreOptions): StoreUnderTest {
  let path = '';
  return {
    open: () => {
      path = mkdtempSync(join(tmpdir(), 'dynaring-test-'));
      return new LmdbStore(path, options);
    },
    reopen: () => new LmdbStore(path, options),
    dispose: () => rmSync(path, { recursive: true }),
  };
}
