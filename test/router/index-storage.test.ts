import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Snapshot } from '../../src/api/admin.ts';
import { derivationKey, derivationOf, parseDerivation } from '../../src/api/derivation.ts';
import { storageIdsOf } from '../../src/api/index-storage.ts';
import type { Table } from '../../src/api/table-definition.ts';
import { type ItemKey, SYSTEM_TABLE } from '../../src/dynamo/client.ts';
import type { MemoryClient } from './memory-client.ts';
import { definitions, index, keys, newRouter, tableRequest } from './table-fixtures.ts';

const GLOBAL = index('by-a', 'a');
const WITH_INDEXES = tableRequest({
  AttributeDefinitions: definitions('pk', 'sk', 'a', 'b'),
  KeySchema: keys('pk', 'sk'),
  GlobalSecondaryIndexes: [GLOBAL, index('by-b', 'b', 'a')],
  LocalSecondaryIndexes: [index('local', 'pk', 'b')],
});

let router: ReturnType<typeof newRouter>;
let client: MemoryClient;
beforeEach(() => {
  router = newRouter();
  client = router.client;
});

function stored(name = 'Music'): Table {
  return router.catalog.cached('', name)!;
}

async function registered({ storageId }: Table) {
  const key: ItemKey = { table: SYSTEM_TABLE, partitionKey: derivationKey(storageId), sortKey: '' };
  const found = await client.read({ key, from: 'latest', consistency: 'strict' });
  return found.kind === 'found' ? parseDerivation(found.item) : undefined;
}

describe('what the nodes keep of indexes', () => {
  test('has ids that differ, and is written when the definition names it', async () => {
    const writes: (boolean | undefined)[] = [];
    const write = client.write.bind(client);
    client.write = (key, ...rest) => {
      writes.push(key.partitionKey === 'tables');
      return write(key, ...rest);
    };
    await router.create(WITH_INDEXES);
    const table = stored();
    expect(storageIdsOf(table)).toHaveLength(3);
    expect(new Set(storageIdsOf(table)).size).toBe(3);
    expect(table.derivation).toBe(1);
    expect(writes).toEqual([true, false]);
    expect(await registered(table)).toEqual(JSON.parse(JSON.stringify(derivationOf(table))));
  });

  test('is nothing for a table without indexes', async () => {
    await router.create();
    expect(stored().derivation).toBeUndefined();
    expect(derivationOf(stored())).toBeUndefined();
  });

  test('is no global index of a table in dynamo mode', async () => {
    const Tags = [{ Key: 'dynaring:consistency', Value: 'dynamo' }];
    await router.create({ ...WITH_INDEXES, Tags });
    expect(stored().consistency).toBe('dynamo');
    expect(derivationOf(stored())!.indexes.map(({ name }) => name)).toEqual(['local']);
    await router.create({ ...WITH_INDEXES, Tags, TableName: 'Other', LocalSecondaryIndexes: undefined });
    expect(derivationOf(stored('Other'))).toBeUndefined();
  });

  test('has a version more when an index is added or deleted, and none when throughput changes', async () => {
    await router.create(WITH_INDEXES);
    const [, first] = storageIdsOf(stored());
    await router.update({ GlobalSecondaryIndexUpdates: [{ Delete: { IndexName: 'by-a' } }] });
    expect(stored().derivation).toBe(2);
    expect(client.forgotten).toEqual([first]);
    await router.update({
      AttributeDefinitions: definitions('a'),
      GlobalSecondaryIndexUpdates: [{ Create: GLOBAL }],
    });
    expect(stored().derivation).toBe(3);
    expect(storageIdsOf(stored())).not.toContain(first);
    await router.update({ OnDemandThroughput: { MaxReadRequestUnits: 5 } });
    expect(stored().derivation).toBe(3);
    expect(await registered(stored())).toMatchObject({ version: 3 });
  });

  test('goes on counting when the last index is gone', async () => {
    await router.create(
      tableRequest({ AttributeDefinitions: definitions('pk', 'a'), GlobalSecondaryIndexes: [GLOBAL] }),
    );
    await router.update({ GlobalSecondaryIndexUpdates: [{ Delete: { IndexName: 'by-a' } }] });
    expect(derivationOf(stored())).toMatchObject({ version: 2, indexes: [] });
  });

  const remove = (IndexName: string) => ({ GlobalSecondaryIndexUpdates: [{ Delete: { IndexName } }] });

  test('keeps all indexes when a change of the definition fails', async () => {
    await router.create(WITH_INDEXES);
    const write = client.write.bind(client);
    client.write = async (key, ...rest) =>
      key.partitionKey === 'tables' ? { kind: 'unavailable', needed: 2, got: 1 } : write(key, ...rest);
    await expect(router.update(remove('by-a'))).rejects.toThrow();
    client.write = write;
    await router.describe();
    expect(await registered(stored())).toMatchObject({ version: 1 });
    await router.update(remove('by-b'));
    expect(stored().derivation).toBe(2);
    expect((await registered(stored()))!.indexes.map(({ name }) => name)).toEqual(['local', 'by-a']);
  });

  test.each(['describes', 'changes'])('is made up for by who %s the table, if it could not be written', async (who) => {
    await router.create(WITH_INDEXES);
    const before = stored();
    const write = client.write.bind(client);
    client.write = async (key, ...rest) =>
      key.partitionKey === 'tables' ? write(key, ...rest) : { kind: 'unavailable', needed: 2, got: 1 };
    await expect(router.update(remove('by-a'))).rejects.toThrow();
    expect(await registered(before)).toMatchObject({ version: 1 });
    await expect(router.describe()).rejects.toThrow();
    expect(router.catalog.cached('', 'Music')).toBeUndefined();
    client.write = write;
    if (who === 'describes') await router.describe();
    else await router.update({ OnDemandThroughput: { MaxReadRequestUnits: 5 } });
    expect(stored().derivation).toBe(2);
    expect(await registered(before)).toEqual(JSON.parse(JSON.stringify(derivationOf(stored()))));
  });

  test('goes with the table, and is not taken for a deleted table before', async () => {
    await router.create(WITH_INDEXES);
    const table = stored();
    const [, entries] = storageIdsOf(table);
    const entry = { json: Buffer.from('{}'), size: 0 };
    await client.write({ table: entries!, partitionKey: 'p', sortKey: 's' }, { kind: 'put', item: entry });
    expect(await router.catalog.forgetDeleted()).toBe(0);
    await router.execute('DeleteTable', { TableName: 'Music' });
    expect(client.forgotten).toEqual(storageIdsOf(table));
    expect(await registered(table)).toBeUndefined();
    // A late entry of it is found by the sweep.
    await client.write({ table: entries!, partitionKey: 'p', sortKey: 's' }, { kind: 'put', item: entry });
    expect(await router.catalog.forgetDeleted()).toBe(1);
  });

  test('is new in a restored table, and there before its items', async () => {
    await router.create(WITH_INDEXES);
    const before = stored();
    await router.execute('PutItem', { TableName: 'Music', Item: { pk: { S: '1' }, sk: { S: '1' } } });
    const snapshot = JSON.parse(JSON.stringify(await router.tables.snapshot())) as Snapshot;
    const seen: (number | undefined)[] = [];
    const write = client.write.bind(client);
    client.write = (async (key: ItemKey, mutation: never, options: { derivation?: { version: number } }) => {
      if (key.table !== SYSTEM_TABLE) seen.push(options.derivation?.version);
      else if (key.partitionKey !== 'tables') seen.push(0);
      return write(key, mutation);
    }) as typeof client.write;
    await router.tables.restore(snapshot);
    expect(seen.slice(0, 2)).toEqual([0, 1]);
    expect(storageIdsOf(stored()).some((id) => storageIdsOf(before).includes(id))).toBe(false);
    expect(client.forgotten).toEqual(storageIdsOf(before));
  });
});

test('no request of the router says by itself what its table derives', () => {
  const folder = fileURLToPath(new URL('../../src/router', import.meta.url));
  const files = readdirSync(folder).filter((file) => /consistency \?\?/.test(readFileSync(join(folder, file), 'utf8')));
  expect(files).toEqual(['of-table.ts']);
});
