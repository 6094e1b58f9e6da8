import { beforeEach, describe, expect, test, vi } from 'vitest';
import { isOlderThanEntries } from '../../src/api/index-storage.ts';
import type { SecondaryIndex, Table } from '../../src/api/table-definition.ts';
import { type ItemKey, type ScanOutcome, type ScanRequest, SYSTEM_TABLE } from '../../src/dynamo/client.ts';
import { BuildProgress } from '../../src/router/build-progress.ts';
import { needsBuild } from '../../src/router/index-builder.ts';
import { MemoryClient } from './memory-client.ts';
import { definitions, index, newRouter, refusal, tableRequest } from './table-fixtures.ts';

const CREATE = {
  AttributeDefinitions: definitions('a'),
  GlobalSecondaryIndexUpdates: [{ Create: index('by-a', 'a') }],
};
const deletion = (IndexName: string) => ({ GlobalSecondaryIndexUpdates: [{ Delete: { IndexName } }] });
const SCAN = { TableName: 'Music', IndexName: 'by-a' };
const ITEMS = 300;

/** A client whose strong scans and barrier wait until they are let through. */
class HeldClient extends MemoryClient {
  /** In the order in which they came. */
  readonly scans: ScanRequest[] = [];
  isHeld = false;
  isBarrierHeld = false;
  dueItems = 0;
  readonly #waiting: (() => void)[] = [];

  override async scan(request: ScanRequest): Promise<ScanOutcome> {
    if (request.from === 'latest') {
      this.scans.push(request);
      await this.#pass(() => this.isHeld);
    }
    return super.scan(request);
  }

  override async useDerivation(): Promise<void> {
    await super.useDerivation();
    await this.#pass(() => this.isBarrierHeld);
  }

  /** Items that were written just now are due, always. */
  isWritten = false;

  override async due(_table?: string, ageMs = 0): Promise<number> {
    return this.isWritten && ageMs === 0 ? 1 : this.dueItems;
  }

  release(): void {
    this.isHeld = false;
    this.isBarrierHeld = false;
    for (const go of this.#waiting.splice(0)) go();
  }

  async #pass(isHeld: () => boolean): Promise<void> {
    while (isHeld()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

let client: HeldClient;
let router: ReturnType<typeof newRouter>;
beforeEach(async () => {
  client = new HeldClient();
  router = newRouter(client, {}, 0, () => true);
  await router.create();
  for (let i = 0; i < ITEMS; i++) {
    await router.execute('PutItem', { TableName: 'Music', Item: { pk: { S: `item ${i}` }, a: { S: 'x' } } });
  }
});

async function seen(from = router): Promise<unknown[]> {
  const { TableStatus, GlobalSecondaryIndexes: indexes = [] } = await from.describe();
  return [
    TableStatus,
    ...indexes.flatMap((each: { IndexStatus: string; Backfilling?: boolean }) => [each.IndexStatus, each.Backfilling]),
  ];
}

const until = (check: () => Promise<boolean> | boolean) =>
  vi.waitFor(async () => expect(await check()).toBe(true), { timeout: 20_000, interval: 1 });

describe('an index that is added', () => {
  test('has its entries when UpdateTable answers, if the table is small', async () => {
    await router.update(CREATE);
    expect(await seen()).toEqual(['ACTIVE', 'ACTIVE', undefined]);
    expect(client.scans.every(({ derivation }) => derivation?.version === 1)).toBe(true);
    expect(await router.execute('Scan', SCAN)).toHaveProperty('Count');
    expect(router.indexes.figures()).toEqual([]);
  });

  test('waits until nobody writes without it, then fills, then until the last entry has arrived', async () => {
    client.isBarrierHeld = true;
    client.isHeld = true;
    await router.update(CREATE);
    expect(await seen()).toEqual(['UPDATING', 'CREATING', false]);
    expect(client.scans).toEqual([]);
    expect(await refusal(router.update(deletion('by-a')))).toMatch(/^ResourceInUse.* Table is being updated: Music$/);
    expect(await refusal(router.execute('DeleteTable', { TableName: 'Music' }))).toMatch(/Table is being updated/);
    expect(await refusal(router.execute('Scan', SCAN))).toBe(
      'ValidationException: Cannot read from backfilling global secondary index',
    );

    client.isBarrierHeld = false;
    client.dueItems = 1;
    client.release();
    client.isHeld = true;
    await until(async () => (await seen())[0] === 'ACTIVE');
    expect(await seen()).toEqual(['ACTIVE', 'CREATING', true]);
    expect(await refusal(router.execute('Scan', SCAN))).toMatch(/Cannot read from backfilling/);
    expect((await router.execute('Scan', { TableName: 'Music' })).Count).toBe(ITEMS);

    client.release();
    await until(() => router.indexes.figures()[0]?.partitionsDone === client.partitions);
    expect(router.indexes.figures()).toEqual([
      { namespace: '', table: 'Music', indexes: ['by-a'], partitionsDone: client.partitions, items: ITEMS },
    ]);
    expect(await seen()).toEqual(['ACTIVE', 'CREATING', true]);
    client.dueItems = 0;
    await until(async () => (await seen())[1] === 'ACTIVE');
    expect(await router.execute('Scan', SCAN)).toHaveProperty('Count');
  });

  test('is built although UpdateTable has failed after it had stored the definition', async () => {
    const write = client.write.bind(client);
    client.write = async (key, ...rest) =>
      key.partitionKey.startsWith('derivation') ? { kind: 'unavailable', needed: 2, got: 1 } : write(key, ...rest);
    expect(await refusal(router.update(CREATE))).toMatch(/^ServiceUnavailable|^InternalServer/);
    await expect(seen()).rejects.toThrow();
    client.write = write;
    expect((await seen())[1]).toBe('CREATING');
    await until(async () => (await seen())[1] === 'ACTIVE');
    expect(await router.execute('Scan', SCAN)).toHaveProperty('Count', ITEMS);
  });

  test('is read although the table is written all the time', async () => {
    client.isWritten = true;
    await router.update(CREATE);
    await until(async () => (await seen())[1] === 'ACTIVE');
  });

  test('keeps others from being added or deleted, and the table from being deleted, but not itself', async () => {
    client.isHeld = true;
    await router.update(CREATE);
    await until(async () => (await seen())[0] === 'ACTIVE');
    const other = {
      AttributeDefinitions: definitions('b'),
      GlobalSecondaryIndexUpdates: [{ Create: index('b', 'b') }],
    };
    expect(await refusal(router.update(other))).toMatch(/^LimitExceeded.*Only 1 online index/);
    expect(await refusal(router.execute('DeleteTable', { TableName: 'Music' }))).toBe(
      'ResourceInUseException: Attempt to change a resource which is still in use: ' +
        'Index is being created.  Table: Music Index: by-a',
    );
    const stored = router.catalog.cached('', 'Music')!;
    await router.update(deletion('by-a'));
    expect(await seen()).toEqual(['ACTIVE']);
    expect(client.forgotten).toEqual([stored.indexes[0]!.storageId]);
    client.release();
    await router.built();
    await router.update(other);
    expect(await seen()).toEqual(['ACTIVE', 'ACTIVE', undefined]);
    expect(router.catalog.cached('', 'Music')!.derivation).toBe(3);
  });

  test('goes on where another process has stopped, without the barrier', async () => {
    client.isHeld = true;
    await router.update(CREATE);
    await until(() => client.scans.length === client.partitions);
    // The first partition is done and kept; then the process ends.
    router.indexes.stop();
    client.release();
    await router.built();
    expect((await seen())[1]).toBe('CREATING');
    const before = client.scans.length;
    client.calls.length = 0;
    const next = newRouter(client, {}, 0, () => true);
    await next.indexes.resume();
    await next.built();
    expect(await seen(next)).toEqual(['ACTIVE', 'ACTIVE', undefined]);
    expect(client.calls).not.toContain('use-derivation');
    expect(client.scans.length).toBeGreaterThanOrEqual(before);
  });

  test('is tried again when the cluster fails', async () => {
    client.isHeld = true;
    await router.update(CREATE);
    await until(() => client.scans.length === client.partitions);
    client.failRead = { kind: 'unavailable', needed: 2, got: 1 };
    client.calls.length = 0;
    client.release();
    await until(() => client.calls.length > client.partitions + 3);
    expect((await seen())[1]).toBe('CREATING');
    client.failRead = undefined;
    await until(async () => (await seen())[1] === 'ACTIVE');
  });

  test('ends with its table', async () => {
    client.isHeld = true;
    await router.update(CREATE);
    await until(() => client.scans.length === client.partitions);
    const { storageId } = router.catalog.cached('', 'Music')!;
    const key: ItemKey = { table: SYSTEM_TABLE, partitionKey: `progress:${storageId}`, sortKey: '' };
    const kept = async () => (await client.read({ key, from: 'latest', consistency: 'strict' })).kind;
    expect(await kept()).toBe('found');
    await router.tables.drop('Music', '');
    client.release();
    await until(() => router.indexes.isIdle);
    expect(await kept()).toBe('none');
    expect(await router.catalog.forgetDeleted()).toBe(0);
  });
});

describe('what is kept of a build', () => {
  const stateOf = async (storageId: string) => {
    const key: ItemKey = { table: SYSTEM_TABLE, partitionKey: `progress:${storageId}`, sortKey: '' };
    return (await client.read({ key, from: 'latest', consistency: 'strict' })).kind;
  };

  test('goes with a table that is deleted before the first of it is kept', async () => {
    client.isBarrierHeld = true;
    await router.update(CREATE);
    await until(() => client.calls.includes('use-derivation'));
    const { storageId } = router.catalog.cached('', 'Music')!;
    await router.tables.drop('Music', '');
    client.release();
    await until(() => router.indexes.isIdle);
    expect(await stateOf(storageId)).toBe('none');
  });

  test('does not come back with the next step of the build after the table was deleted', async () => {
    client.isHeld = true;
    await router.update(CREATE);
    await until(() => client.scans.length === client.partitions);
    const table = router.catalog.cached('', 'Music')!;
    const progress = await BuildProgress.load(client, table);
    expect(progress.isBegun).toBe(true);
    await progress.save();
    expect(await stateOf(table.storageId)).toBe('found');
    await router.tables.drop('Music', '');
    await expect(progress.save()).rejects.toThrow('gone');
    expect(await stateOf(table.storageId)).toBe('none');
    client.release();
    await until(() => router.indexes.isIdle);
  });
});

describe('a table of a version that kept no entries', () => {
  const OLD = 'Old';

  async function makeOld(changes: Partial<Table> = {}): Promise<void> {
    const GlobalSecondaryIndexes = [index('by-a', 'a')];
    await router.create(
      tableRequest({ TableName: OLD, AttributeDefinitions: definitions('pk', 'a'), GlobalSecondaryIndexes }),
    );
    await router.catalog.change('', OLD, ({ derivation: _, ...table }) => ({
      ...table,
      ...changes,
      indexes: table.indexes.map(({ storageId: __, ...each }): SecondaryIndex => each),
    }));
    await router.execute('PutItem', { TableName: OLD, Item: { pk: { S: '1' }, a: { S: 'x' } } });
    client.scans.length = 0;
  }

  test('gets entries when the server starts, while its index seems ACTIVE', async () => {
    await makeOld();
    client.isHeld = true;
    const next = newRouter(client, {}, 0, () => true);
    await next.indexes.resume();
    await until(() => client.scans.length === client.partitions);
    expect((await next.describe(OLD)).GlobalSecondaryIndexes[0].IndexStatus).toBe('ACTIVE');
    let isAnswered = false;
    const answer = next.execute('Scan', { ...SCAN, TableName: OLD }).then((found) => {
      isAnswered = true;
      return found;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isAnswered).toBe(false);
    client.release();
    expect(await answer).toHaveProperty('Count');
    const table = next.catalog.cached('', OLD)!;
    expect([needsBuild(table), table.indexes[0]!.storageId?.length]).toEqual([false, 8]);
    expect(table.derivation).toBeGreaterThan(0);
  });

  test('gets them with the first read of an index, too', async () => {
    await makeOld();
    expect(await router.execute('Scan', { ...SCAN, TableName: OLD })).toHaveProperty('Count');
    expect(isOlderThanEntries(router.catalog.cached('', OLD)!)).toBe(false);
  });

  test('stays as it is in dynamo mode', async () => {
    await makeOld({ consistency: 'dynamo' });
    const next = newRouter(client, {}, 0, () => true);
    await next.indexes.resume();
    await next.built(OLD);
    expect((await next.execute('Scan', { ...SCAN, TableName: OLD })).Count).toBe(1);
    expect(next.catalog.cached('', OLD)!.derivation).toBeUndefined();
  });

  test('gets them when an index is added to it', async () => {
    await makeOld();
    const other = {
      AttributeDefinitions: definitions('b'),
      GlobalSecondaryIndexUpdates: [{ Create: index('b', 'b') }],
    };
    await router.execute('UpdateTable', { TableName: OLD, ...other });
    await router.built(OLD);
    const { indexes, derivation } = router.catalog.cached('', OLD)!;
    expect(indexes.map(({ storageId, building }) => [storageId?.length, building])).toEqual([
      [8, undefined],
      [8, undefined],
    ]);
    expect(derivation).toBeGreaterThan(0);
  });
});
