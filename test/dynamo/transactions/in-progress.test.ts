import { afterAll, beforeAll, expect, test } from 'vitest';
import { completeConfig } from '../../../src/config.ts';
import type { ItemKey } from '../../../src/dynamo/client.ts';
import { storeKeyOf } from '../../../src/dynamo/keyspace.ts';
import { DEFAULT_NODE_LIMITS } from '../../../src/dynamo/node-settings.ts';
import { beginAttempt, type LedgerEntry, ledgerEntryOf, ledgerKey } from '../../../src/dynamo/transactions/ledger.ts';
import type { DataDirectory } from '../../../src/env/data-directory.ts';
import { silentLog } from '../../../src/env/log.ts';
import { openTemporaryDirectory } from '../../../src/env/temporary-directory.ts';
import { LocalRing } from '../../../src/host/local-ring.ts';

const STRICT = { consistency: 'strict', wantsOld: true } as const;

let directory: DataDirectory;
let ring: LocalRing;
beforeAll(async () => {
  directory = await openTemporaryDirectory();
  ring = await LocalRing.open({ settings: completeConfig({ partitions: 8 }, {}), directory, log: silentLog });
});
afterAll(async () => {
  await ring.close();
  await directory.close();
});

test('a transaction whose leader has a clock that is ahead a little is in progress for who has its token', async () => {
  const { client } = ring;
  const key: ItemKey = { table: '\0\0\0\0\0\0@a', partitionKey: 'a', sortKey: '' };
  const entry: LedgerEntry = {
    state: 'PREPARING',
    attempt: 'a'.repeat(16),
    keys: [storeKeyOf(key, 8)],
    digest: 'one',
    createdAtMs: Date.now() + 2_000,
    isSettled: false,
  };
  await client.write(ledgerKey('ahead'), beginAttempt(entry, DEFAULT_NODE_LIMITS.tokenKeptMs), STRICT);
  const actions = [{ key, change: { kind: 'delete', condition: undefined } as const }];
  expect(await client.transact({ actions, token: { name: 'ahead', digest: 'one' } })).toEqual({ kind: 'in-progress' });
  const read = await client.read({ key: ledgerKey('ahead'), from: 'latest', consistency: 'strict' });
  expect(ledgerEntryOf(read.kind === 'found' ? read.item : undefined)).toMatchObject({ state: 'PREPARING' });
});
