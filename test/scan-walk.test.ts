import {
  type AttributeValue,
  DynamoDBClient,
  PutItemCommand,
  ScanCommand,
  type ScanCommandInput,
} from '@aws-sdk/client-dynamodb';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Dynaring, type DynaringOptions, startDynaring } from '../src/index.ts';
import { temporaryDirectory } from './parts/directory.ts';
import { insideOf } from './parts/inside.ts';
import { createTable, keysOf } from './parts/tables.ts';

type Item = Record<string, AttributeValue>;

const SINGLES: readonly Item[] = Array.from({ length: 60 }, (_, i) => ({ pk: { S: `key-${i}` } }));
/** Many items of few partition keys, so that pages end within one. */
const COLLECTIONS: readonly Item[] = Array.from({ length: 60 }, (_, i) => ({
  pk: { S: `key-${i % 3}` },
  sk: { S: `${i}` },
}));

function clientOf(db: Dynaring): DynamoDBClient {
  const client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 1 });
  onTestFinished(() => client.destroy());
  return client;
}

async function fill(client: DynamoDBClient, TableName: string, items: readonly Item[]): Promise<void> {
  await createTable(client, TableName, keysOf(...Object.keys(items[0]!)));
  await putAll(client, TableName, items);
}

async function putAll(client: DynamoDBClient, TableName: string, items: readonly Item[]): Promise<void> {
  await Promise.all(items.map((Item) => client.send(new PutItemCommand({ TableName, Item }))));
}

/** Every item of all pages, as often as it is found. */
async function scanAll(client: DynamoDBClient, input: ScanCommandInput): Promise<Item[]> {
  const found: Item[] = [];
  for (let next: Item | undefined; ; ) {
    const page = await client.send(new ScanCommand({ ...input, ...(next && { ExclusiveStartKey: next }) }));
    found.push(...page.Items!);
    next = page.LastEvaluatedKey;
    if (next === undefined) return found;
    expect(page.ScannedCount).toBeGreaterThan(0);
  }
}

async function scanSegments(client: DynamoDBClient, input: ScanCommandInput, TotalSegments: number): Promise<Item[]> {
  const segments = Array.from({ length: TotalSegments }, (_, Segment) => ({ ...input, Segment, TotalSegments }));
  return (await Promise.all(segments.map((segment) => scanAll(client, segment)))).flat();
}

const sorted = (items: readonly Item[]) => items.map((item) => JSON.stringify(item)).sort();

describe('however a table is cut', () => {
  let db: Dynaring;
  let client: DynamoDBClient;
  beforeAll(async () => {
    db = await startDynaring({ partitions: 16 });
    client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 1 });
    await fill(client, 'singles', SINGLES);
    await fill(client, 'collections', COLLECTIONS);
  });
  afterAll(async () => {
    client.destroy();
    await db.stop();
  });

  const TABLES = { singles: SINGLES, collections: COLLECTIONS } as const;
  const cut = fc.record({
    TableName: fc.constantFrom('singles' as const, 'collections' as const),
    Limit: fc.option(fc.integer({ min: 1, max: 70 }), { nil: undefined }),
    segments: fc.integer({ min: 1, max: 40 }),
    ConsistentRead: fc.boolean(),
  });

  test('its pages and segments have every item, once', async () => {
    await fc.assert(
      fc.asyncProperty(cut, async ({ segments, ...input }) => {
        expect(sorted(await scanSegments(client, input, segments))).toEqual(sorted(TABLES[input.TableName]));
      }),
      { numRuns: 25 },
    );
  });

  test('a million segments have every item, in the one that it belongs to', async () => {
    const TotalSegments = 1_000_000;
    for (const Item of SINGLES) {
      const Segment = insideOf(db).ring.client.segmentOf({ table: '', partitionKey: Item.pk!.S! }, TotalSegments);
      const input = { TableName: 'singles', TotalSegments };
      const { Items } = await client.send(new ScanCommand({ ...input, Segment }));
      expect(Items).toEqual([Item]);
      const neighbours = [Segment - 1, Segment + 1].filter((other) => other >= 0 && other < TotalSegments);
      for (const other of neighbours) {
        expect((await client.send(new ScanCommand({ ...input, Segment: other }))).Items).not.toContainEqual(Item);
      }
    }
  });

  test('a start key of another segment is refused, and its own is named', async () => {
    const input = { TableName: 'singles', TotalSegments: 4 };
    const Segment = 3;
    const { LastEvaluatedKey } = await client.send(new ScanCommand({ ...input, Segment, Limit: 1 }));
    await expect(
      client.send(new ScanCommand({ ...input, Segment: 0, ExclusiveStartKey: LastEvaluatedKey })),
    ).rejects.toMatchObject({
      name: 'ValidationException',
      message:
        'The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: 4 Segment: 3',
    });
  });
});

async function start(options: DynaringOptions = {}): Promise<Dynaring> {
  const db = await startDynaring({ partitions: 16, ...options });
  onTestFinished(() => db.stop());
  return db;
}

describe('a walk goes on', () => {
  test('while any one node is stopped, consistently too', async () => {
    const db = await start({ limits: { node: { phaseTimeoutMs: 100 } } });
    const client = clientOf(db);
    await fill(client, 'singles', SINGLES);
    for (const { id } of db.ring.describe().nodes) {
      await db.ring.stop(id);
      for (const ConsistentRead of [true, false]) {
        const found = await scanAll(client, { TableName: 'singles', Limit: 7, ConsistentRead });
        expect(sorted(found)).toEqual(sorted(SINGLES));
      }
      await db.ring.start(id);
      await db.ring.waitUntilConsistent();
    }
  });

  test('when a node is stopped between two pages', async () => {
    const db = await start({ limits: { node: { phaseTimeoutMs: 100 } } });
    const client = clientOf(db);
    await fill(client, 'collections', COLLECTIONS);
    const input = { TableName: 'collections', ConsistentRead: true };
    const first = await client.send(new ScanCommand({ ...input, Limit: 25 }));
    await db.ring.stop('node-1');
    const rest = await client.send(new ScanCommand({ ...input, ExclusiveStartKey: first.LastEvaluatedKey }));
    expect(sorted([...first.Items!, ...rest.Items!])).toEqual(sorted(COLLECTIONS));
  });

  test('as far as it can: without a majority, a consistent one fails, and is not shorter', async () => {
    const db = await start({ limits: { node: { phaseTimeoutMs: 50, opLifeMs: 300 } } });
    const client = clientOf(db);
    await fill(client, 'singles', SINGLES);
    await db.waitUntilConsistent();
    await db.ring.stop('node-1');
    await db.ring.stop('node-2');
    const input = { TableName: 'singles' };
    await expect(scanAll(client, { ...input, ConsistentRead: true })).rejects.toMatchObject({
      $metadata: { httpStatusCode: 503 },
    });
    expect(sorted(await scanAll(client, input))).toEqual(sorted(SINGLES));
  });

  test('from its last key after a restart of the server', async () => {
    const dataDir = temporaryDirectory();
    const before = await start({ dataDir });
    await fill(clientOf(before), 'collections', COLLECTIONS);
    const first = await clientOf(before).send(new ScanCommand({ TableName: 'collections', Limit: 25 }));
    await before.stop();
    const client = clientOf(await start({ dataDir }));
    const input = { TableName: 'collections', ExclusiveStartKey: first.LastEvaluatedKey };
    expect(sorted([...first.Items!, ...(await scanAll(client, input))])).toEqual(sorted(COLLECTIONS));
  });

  test('while a node is added, and finds all that stays', async () => {
    const db = await start();
    const client = clientOf(db);
    await fill(client, 'singles', SINGLES);
    const changing = Array.from({ length: 20 }, (_, i) => ({ pk: { S: `new-${i}` } }));
    let isOver = false;
    const adding = db.ring.addNode().finally(() => {
      isOver = true;
    });
    let walks = 0;
    do {
      const walk = scanAll(client, { TableName: 'singles', Limit: 9, ConsistentRead: true });
      const [found] = await Promise.all([walk, putAll(client, 'singles', changing)]);
      expect(sorted(found)).toEqual(expect.arrayContaining(sorted(SINGLES)));
      expect(new Set(sorted(found)).size).toBe(found.length);
      walks++;
    } while (!isOver || walks < 3);
    await adding;
    const all = await scanAll(client, { TableName: 'singles', ConsistentRead: true });
    expect(sorted(all)).toEqual(sorted([...SINGLES, ...changing]));
  });

  test('in dynamo mode', async () => {
    const client = clientOf(await start());
    const Tags = [{ Key: 'dynaring:consistency', Value: 'dynamo' }];
    await createTable(client, 'singles', { Tags });
    await putAll(client, 'singles', SINGLES);
    for (const ConsistentRead of [true, false]) {
      expect(sorted(await scanAll(client, { TableName: 'singles', Limit: 7, ConsistentRead }))).toEqual(
        sorted(SINGLES),
      );
    }
  });
});

describe('a staleness rule', () => {
  test('shows a scan what a replica that lags has, and a consistent one everything', async () => {
    const db = await start();
    const client = clientOf(db);
    await fill(client, 'singles', SINGLES);
    await db.waitUntilConsistent();
    const rule = db.faults.add({ kind: 'staleness', worst: true, operation: 'Scan', table: 'singles' });
    await putAll(client, 'singles', [{ pk: { S: 'new' } }]);
    const scan = async (ConsistentRead: boolean) =>
      sorted(await scanAll(client, { TableName: 'singles', ConsistentRead }));
    const everything = sorted([...SINGLES, { pk: { S: 'new' } }]);
    expect(await scan(false)).toEqual(sorted(SINGLES));
    expect(await scan(true)).toEqual(everything);
    db.faults.remove(rule.id);
    expect(await scan(false)).toEqual(everything);
  });
});
