import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { OperationName } from '../../src/api/operations.ts';
import { randomBelow, SeededRandom } from '../../src/env/random.ts';
import { createRouter } from '../../src/router/router.ts';
import { DEFAULT_ROUTER_LIMITS } from '../../src/router/router-limits.ts';
import { TableCatalog } from '../../src/router/table-catalog.ts';
import { MemoryClient } from './memory-client.ts';
import { CONTEXT, refusal, tableRequest } from './table-fixtures.ts';
import { isTableHistory, type TableOperation } from './table-history.ts';

/** Two routers of one cluster, each with a cache of its own. */
class TwoRouters {
  readonly client: MemoryClient;
  readonly routers: { readonly catalog: TableCatalog; readonly execute: ReturnType<typeof createRouter>['execute'] }[] =
    [];
  /** Whether a router hears of what the other one has changed. */
  hears = true;
  elapsedMs = 0;
  /** What was waited for, in ms. */
  readonly waits: number[] = [];
  nowMs = CONTEXT.nowMs;
  #lastId = 0;

  constructor(client = new MemoryClient()) {
    this.client = client;
    for (let at = 0; at < 2; at++) this.routers.push(this.#router(at));
  }

  #router(at: number) {
    const { client } = this;
    const others = {
      tellChanged: async (place: { readonly namespace: string; readonly name: string }) => {
        await undefined;
        if (this.hears) this.routers[1 - at]!.catalog.noteChanged(place);
        return this.hears;
      },
      elapsedMs: () => this.elapsedMs,
      nowMs: () => this.nowMs,
    };
    const catalog = new TableCatalog(client, DEFAULT_ROUTER_LIMITS, others);
    const newId = () => `${String(++this.#lastId).padStart(8, '0')}-0000-4000-8000-000000000000`;
    const wait = async (ms: number) => {
      this.waits.push(ms);
      return true;
    };
    const { execute } = createRouter({ client, streams: client.streams, catalog, newId, others, wait });
    return { catalog, execute };
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests read members of answers as they like.
  ask(at: number, operation: OperationName, request: object): Promise<any> {
    return this.routers[at]!.execute(operation, request, CONTEXT);
  }

  create(at: number, changes: object = {}) {
    return this.ask(at, 'CreateTable', tableRequest(changes));
  }

  delete(at: number) {
    return this.ask(at, 'DeleteTable', { TableName: 'Music' });
  }

  put(at: number, v: string, pk = 'one') {
    return this.ask(at, 'PutItem', { TableName: 'Music', Item: { pk: { S: pk }, v: { S: v } } });
  }

  async get(at: number, pk = 'one'): Promise<string | undefined> {
    const { Item } = await this.ask(at, 'GetItem', {
      TableName: 'Music',
      Key: { pk: { S: pk } },
      ConsistentRead: true,
    });
    // Without a projection it is the stored bytes.
    return Item === undefined ? undefined : (JSON.parse(Buffer.from(Item.bytes).toString()).v.S as string);
  }
}

const NOT_FOUND = 'ResourceNotFoundException: Requested resource not found';

let two: TwoRouters;
beforeEach(() => {
  two = new TwoRouters();
});

describe.each([
  ['that has heard of it', true],
  ['that has not heard of it', false],
])('a table that another router has deleted, at one %s', (_, hears) => {
  beforeEach(async () => {
    two.hears = hears;
    await two.create(0);
    await two.put(1, 'old');
    await two.delete(0);
  });

  test('is not written to, and not found', async () => {
    expect(await refusal(two.put(1, 'lost'))).toBe(NOT_FOUND);
    expect(await refusal(two.get(1))).toBe(NOT_FOUND);
    expect(await refusal(two.ask(1, 'Query', queryOf('one')))).toBe(NOT_FOUND);
    expect(await refusal(two.ask(1, 'Scan', { TableName: 'Music' }))).toBe(NOT_FOUND);
    expect(await refusal(two.ask(1, 'DescribeTable', { TableName: 'Music' }))).toMatch(/^ResourceNotFoundException/);
    expect(await refusal(two.delete(1))).toMatch(/^ResourceNotFoundException/);
  });

  test('is another one if there is one of its name', async () => {
    await two.create(0);
    expect(await two.get(1)).toBeUndefined();
    await two.put(1, 'new');
    expect(await two.get(0)).toBe('new');
    await two.ask(1, 'UpdateItem', {
      TableName: 'Music',
      Key: { pk: { S: 'one' } },
      UpdateExpression: 'ADD n :n',
      ExpressionAttributeValues: { ':n': { N: '01.0' } },
    });
    expect((await two.ask(1, 'Scan', { TableName: 'Music' })).Count).toBe(1);
  });

  test('may be made again by either', async () => {
    await two.create(1);
    await two.put(0, 'new');
    expect(await two.get(1)).toBe('new');
    expect(await refusal(two.create(0))).toBe('ResourceInUseException: Table already exists: Music');
  });
});

function queryOf(pk: string) {
  return {
    TableName: 'Music',
    KeyConditionExpression: 'pk = :pk',
    ExpressionAttributeValues: { ':pk': { S: pk } },
  };
}

describe('a batch', () => {
  beforeEach(async () => {
    two.hears = false;
    await two.create(0);
    await two.create(0, { TableName: 'Other' });
    await two.put(1, 'old');
    await two.ask(1, 'PutItem', { TableName: 'Other', Item: { pk: { S: 'one' } } });
    await two.delete(0);
  });
  const Item = { pk: { S: 'two' } };

  test('leaves writes of a deleted table unprocessed, and does the others once', async () => {
    const RequestItems = { Music: [{ PutRequest: { Item } }], Other: [{ PutRequest: { Item } }] };
    const writes = two.client.calls.filter((call) => call === 'write').length;
    const { UnprocessedItems } = await two.ask(1, 'BatchWriteItem', { RequestItems });
    expect(Object.keys(UnprocessedItems)).toEqual(['Music']);
    expect(two.client.calls.filter((call) => call === 'write').length - writes).toBe(2);
    expect(await refusal(two.ask(1, 'BatchWriteItem', { RequestItems: { Music: RequestItems.Music } }))).toBe(
      NOT_FOUND,
    );
  });

  test('leaves reads of a deleted table unprocessed', async () => {
    const Keys = [{ pk: { S: 'one' } }];
    const { Responses, UnprocessedKeys } = await two.ask(1, 'BatchGetItem', {
      RequestItems: { Music: { Keys }, Other: { Keys } },
    });
    expect(Object.keys(UnprocessedKeys)).toEqual(['Music']);
    expect(Responses.Other).toHaveLength(1);
    expect(await refusal(two.ask(1, 'BatchGetItem', { RequestItems: { Music: { Keys } } }))).toBe(NOT_FOUND);
  });

  test('of nothing else is asked again by the present table', async () => {
    await two.create(0);
    const RequestItems = { Music: [{ PutRequest: { Item } }] };
    expect(await two.ask(1, 'BatchWriteItem', { RequestItems })).toEqual({ UnprocessedItems: {} });
    expect((await two.ask(0, 'Scan', { TableName: 'Music' })).Count).toBe(1);
  });
});

describe('a definition that another router has changed, unheard', () => {
  beforeEach(async () => {
    two.hears = false;
    await two.create(0);
    await two.put(1, 'v');
  });

  test('is described as it is', async () => {
    await two.ask(0, 'UpdateTable', { TableName: 'Music', DeletionProtectionEnabled: true });
    const { Table } = await two.ask(1, 'DescribeTable', { TableName: 'Music' });
    expect(Table.DeletionProtectionEnabled).toBe(true);
    await two.ask(0, 'TagResource', { ResourceArn: Table.TableArn, Tags: [{ Key: 'a', Value: 'b' }] });
    expect((await two.ask(1, 'ListTagsOfResource', { ResourceArn: Table.TableArn })).Tags).toHaveLength(1);
    expect(await refusal(two.delete(1))).toMatch(/^ValidationException: Resource cannot be deleted as it is/);
  });

  test('is read anew after five minutes, and once for all requests', async () => {
    const TimeToLiveSpecification = { AttributeName: 'until', Enabled: true };
    await two.ask(0, 'UpdateTimeToLive', { TableName: 'Music', TimeToLiveSpecification });
    const { catalog } = two.routers[1]!;
    two.elapsedMs = 5 * 60_000 - 1;
    expect(catalog.cached('', 'Music')?.expiryAttribute).toBeUndefined();
    two.elapsedMs += 1;
    expect(catalog.cached('', 'Music')).toBeUndefined();
    two.client.calls.length = 0;
    await Promise.all([two.get(1), two.get(1), two.get(1)]);
    // The definition is read and written back, and then each item is read.
    expect(two.client.calls.filter((call) => call === 'write')).toHaveLength(1);
    expect(catalog.cached('', 'Music')?.expiryAttribute).toBe('until');
  });

  test('is taken from one that has told at once', async () => {
    two.hears = true;
    const TimeToLiveSpecification = { AttributeName: 'until', Enabled: true };
    await two.ask(0, 'UpdateTimeToLive', { TableName: 'Music', TimeToLiveSpecification });
    expect(two.routers[1]!.catalog.cached('', 'Music')).toBeUndefined();
  });
});

describe.each([
  ['once the requests of others have ended that know of it', true, 6_000],
  ['once no router can go by the definition without it', false, 306_000],
])('an index that is added', (when, hears, ms) => {
  test(`is filled ${when}`, async () => {
    two.hears = hears;
    await two.create(0);
    await two.put(1, 'v');
    const AttributeDefinitions = [{ AttributeName: 'v', AttributeType: 'S' }];
    const Create = {
      IndexName: 'by-v',
      KeySchema: [{ AttributeName: 'v', KeyType: 'HASH' }],
      Projection: { ProjectionType: 'ALL' },
    };
    two.client.calls.length = 0;
    await two.ask(0, 'UpdateTable', {
      TableName: 'Music',
      AttributeDefinitions,
      GlobalSecondaryIndexUpdates: [{ Create }],
    });
    await vi.waitFor(() => expect(two.client.calls).toContain('use-derivation'));
    expect(two.waits).toContain(ms);
  });
});

describe('a deletion of which too few nodes can be told', () => {
  beforeEach(async () => {
    two.hears = false;
    await two.create(0);
    await two.put(1, 'old');
    two.client.failFence = true;
    expect(await refusal(two.delete(0))).toMatch(/^InternalServerError/);
  });

  test('keeps the name, and is ended by whoever looks for the table when that is possible', async () => {
    // It may not have happened yet: a router that has not heard of it goes on.
    await two.put(1, 'newer');
    expect(await refusal(two.create(0))).toMatch(/^InternalServerError/);
    two.client.failFence = false;
    expect(await refusal(two.get(0))).toBe(NOT_FOUND);
    expect(await refusal(two.put(1, 'lost'))).toBe(NOT_FOUND);
    await two.create(0);
    expect(await two.get(1)).toBeUndefined();
  });

  test('is ended by the same deletion again, which then finds no table', async () => {
    two.client.failFence = false;
    expect(await refusal(two.delete(0))).toMatch(/^ResourceNotFoundException/);
    expect(await refusal(two.put(1, 'lost'))).toBe(NOT_FOUND);
  });

  test('is ended by the sweep', async () => {
    two.client.failFence = false;
    await two.routers[1]!.catalog.finishDeletions(CONTEXT.nowMs);
    expect(two.client.fenced.size).toBe(1);
    expect(await refusal(two.put(1, 'lost'))).toBe(NOT_FOUND);
  });
});

describe('the sweep of one router', () => {
  test('spares tables that come by another one', async () => {
    await two.create(0);
    const [here, there] = two.routers;
    const id = '\x11\x12\x13\x14\x15\x16\x17\x18';
    await here!.catalog.whileComing([id], async () => {
      await two.client.write(
        { table: id, partitionKey: 'k', sortKey: '' },
        { kind: 'put', item: { size: 1, json: Buffer.from('{}') } },
      );
      expect(await there!.catalog.forgetDeleted()).toBe(0);
    });
    expect(await there!.catalog.forgetDeleted()).toBe(1);
    expect(two.client.forgotten).toContain(id);
    expect(two.client.fenced.has(id)).toBe(true);
  });

  test('does not wait for ever for a router that has ended in the middle of a restore', async () => {
    const [here, there] = two.routers;
    const id = '\x11\x12\x13\x14\x15\x16\x17\x18';
    const restore = here!.catalog.whileComing([id], () => new Promise(() => {}));
    await two.client.write(
      { table: id, partitionKey: 'k', sortKey: '' },
      { kind: 'put', item: { size: 1, json: Buffer.from('{}') } },
    );
    expect(await there!.catalog.forgetDeleted()).toBe(0);
    two.nowMs += 25 * 3_600_000;
    expect(await there!.catalog.forgetDeleted()).toBe(1);
    expect(restore).toBeInstanceOf(Promise);
  });

  test('finds a table that is deleted although this router still has its definition', async () => {
    two.hears = false;
    await two.create(0);
    await two.put(1, 'old');
    await two.delete(0);
    // Of a node that was down.
    const storageId = two.routers[1]!.catalog.cached('', 'Music')!.storageId;
    two.client.fenced.clear();
    await two.client.write(
      { table: storageId, partitionKey: 'k', sortKey: '' },
      { kind: 'put', item: { size: 1, json: Buffer.from('{}') } },
    );
    expect(await two.routers[1]!.catalog.forgetDeleted()).toBe(1);
  });
});

/** A cluster each of whose calls takes a random number of turns. */
class SlowClient extends MemoryClient {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    super();
    this.#random = new SeededRandom(seed);
  }

  async #wait(): Promise<void> {
    for (let turns = randomBelow(this.#random, 12); turns > 0; turns--) await undefined;
  }

  override async write(...parameters: Parameters<MemoryClient['write']>) {
    await this.#wait();
    const outcome = await super.write(...parameters);
    await this.#wait();
    return outcome;
  }

  override async read(...parameters: Parameters<MemoryClient['read']>) {
    await this.#wait();
    const outcome = await super.read(...parameters);
    await this.#wait();
    return outcome;
  }

  override async fenceTables(tables: readonly string[]) {
    await this.#wait();
    const isFenced = await super.fenceTables(tables);
    await this.#wait();
    return isFenced;
  }
}

/** One history of four clients that make, delete, write and read one table by two routers. */
async function history(
  seed: number,
  hears: boolean,
  breakRule: (client: SlowClient) => void = () => {},
): Promise<TableOperation[]> {
  const random = new SeededRandom(seed);
  const slow = new SlowClient(seed);
  breakRule(slow);
  const cluster = new TwoRouters(slow);
  cluster.hears = hears;
  const operations: TableOperation[] = [];
  let time = 0;
  let lastValue = 0;
  const client = async () => {
    for (let left = 6; left > 0; left--) {
      for (let turns = randomBelow(random, 20); turns > 0; turns--) await undefined;
      const at = randomBelow(random, 2);
      const call = (['create', 'delete', 'put', 'put', 'get', 'get'] as const)[randomBelow(random, 6)]!;
      const value = call === 'put' ? `${++lastValue}` : undefined;
      const calledAt = ++time;
      const run = {
        create: () => cluster.create(at),
        delete: () => cluster.delete(at),
        put: () => cluster.put(at, value!),
        get: () => cluster.get(at),
      };
      const outcome = await run[call]().then(
        (found: unknown) => ({
          answer: 'done' as const,
          found: call === 'get' ? (found as string | undefined) : undefined,
        }),
        (error: Error) => ({ answer: error.name, found: undefined }),
      );
      operations.push({ call, value, calledAt, returnedAt: ++time, ...outcome });
    }
  };
  await Promise.all([client(), client(), client(), client()]);
  return operations;
}

describe('histories of one name over two routers', () => {
  test.each([
    ['that hear of each other', true],
    ['that hear nothing of each other', false],
  ])('%s are those of one table that comes and goes', async (_, hears) => {
    const kinds = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const operations = await history(seed, hears);
      for (const { call, answer } of operations) kinds.add(`${call} ${answer}`);
      if (!isTableHistory(operations)) throw new Error(`seed ${seed}: ${JSON.stringify(operations, null, 1)}`);
    }
    // They are no histories of nothing.
    for (const kind of ['create done', 'create ResourceInUseException', 'delete done', 'put done', 'get done']) {
      expect(kinds).toContain(kind);
    }
    expect(kinds).toContain('put ResourceNotFoundException');
  });

  test.each<[string, (cluster: SlowClient) => void]>([
    [
      'nothing is fenced',
      (cluster) => {
        cluster.fenceTables = async () => true;
      },
    ],
    [
      'a table is fenced once its definition is erased',
      (cluster) => {
        const fence = cluster.fenceTables.bind(cluster);
        let fencing: Promise<boolean> = Promise.resolve(true);
        cluster.fenceTables = async (tables) => {
          fencing = fencing.then(() => new Promise((resolve) => setImmediate(resolve))).then(() => fence(tables));
          return true;
        };
      },
    ],
  ])('are not if %s', async (_, breakRule) => {
    let seed = 0;
    while (seed < 1_000 && isTableHistory(await history(seed, false, breakRule))) seed++;
    expect(seed).toBeLessThan(1_000);
  });
});
