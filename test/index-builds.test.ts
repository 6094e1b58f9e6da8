import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AttributeValue,
  DescribeTableCommand,
  DynamoDBClient,
  PutItemCommand,
  paginateQuery,
  QueryCommand,
  UpdateTableCommand,
} from '@aws-sdk/client-dynamodb';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { fromImage } from '../src/api/item.ts';
import type { SecondaryIndex } from '../src/api/table-definition.ts';
import type { DynaringOptions } from '../src/index.ts';
import { startDynaring } from '../src/index.ts';
import { definitionKey, definitionText, parseDefinition } from '../src/router/definition-item.ts';
import { type InsideDynaring, insideOf } from './parts/inside.ts';
import { createTable, keysOf } from './parts/tables.ts';

let db: InsideDynaring;
let client: DynamoDBClient;

afterEach(async () => {
  client?.destroy();
  await db?.stop();
});

async function start(options: DynaringOptions = {}): Promise<void> {
  db = insideOf(await startDynaring({ partitions: 16, ...options }));
  client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 5 });
}

const ITEMS = 400;
const itemOf = (i: number, a = `group ${i % 4}`): Record<string, AttributeValue> => ({
  pk: { S: `item ${i}` },
  a: { S: a },
  n: { N: String(i) },
});

async function putAll(): Promise<void> {
  for (let from = 0; from < ITEMS; from += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => put(itemOf(from + i))));
  }
}

const put = (Item: Record<string, AttributeValue>) => client.send(new PutItemCommand({ TableName: 'Things', Item }));

const addIndex = () =>
  client.send(
    new UpdateTableCommand({
      TableName: 'Things',
      AttributeDefinitions: keysOf('a').AttributeDefinitions,
      GlobalSecondaryIndexUpdates: [
        {
          Create: { IndexName: 'by-a', ...{ KeySchema: keysOf('a').KeySchema }, Projection: { ProjectionType: 'ALL' } },
        },
      ],
    }),
  );

async function statusOfIndex() {
  const { Table } = await client.send(new DescribeTableCommand({ TableName: 'Things' }));
  const { IndexStatus, Backfilling } = Table!.GlobalSecondaryIndexes![0]!;
  return { table: Table!.TableStatus, IndexStatus, Backfilling };
}

const ACTIVE = { table: 'ACTIVE', IndexStatus: 'ACTIVE', Backfilling: undefined };

/** The items of a group, read through the index, by their number. */
async function group(a: string): Promise<number[]> {
  const found: number[] = [];
  const pages = paginateQuery(
    { client },
    {
      TableName: 'Things',
      IndexName: 'by-a',
      KeyConditionExpression: 'a = :a',
      ExpressionAttributeValues: { ':a': { S: a } },
    },
  );
  for await (const { Items = [] } of pages) found.push(...Items.map(({ n }) => Number(n!.N)));
  return found.sort((one, other) => one - other);
}

/** What the nodes keep of the index: the numbers of the items in each group. */
async function entries(): Promise<Record<string, number[]>> {
  const { client: ring } = db.ring;
  const key = definitionKey({ namespace: '', name: 'Things' });
  const definition = await ring.read({ key, from: 'latest', consistency: 'strict' });
  assert(definition.kind === 'found');
  const [{ storageId }] = parseDefinition(definitionText(definition.item)).indexes as [SecondaryIndex];
  const found: Record<string, number[]> = {};
  for (let partition = 0; partition < ring.partitions; partition++) {
    const start = { kind: 'partition', partition } as const;
    const page = await ring.scan({ table: storageId!, start, limit: 10_000, from: 'committed', consistency: 'strict' });
    assert(page.kind === 'items' && !page.more);
    for (const { a, n } of page.items.map(fromImage)) {
      found[(a as { S: string }).S] ??= [];
      found[(a as { S: string }).S]!.push(Number((n as { N: string }).N));
    }
  }
  for (const group of Object.values(found)) group.sort((one, other) => one - other);
  return found;
}

const numbers = (wanted: (i: number) => boolean) => Array.from({ length: ITEMS }, (_, i) => i).filter(wanted);

describe('an index that is added to a table with items', () => {
  test('is read soon, and has them all', async () => {
    await start();
    await createTable(client, 'Things');
    await putAll();
    // What cannot be a key of the index is left out.
    for (const a of [{ N: '1' }, { S: '' }, { S: 'x'.repeat(2_049) }, { M: {} }]) {
      await put({ pk: { S: `item ${JSON.stringify(a).slice(0, 20)}` }, a: a as AttributeValue, n: { N: '-1' } });
    }
    const answer = await addIndex();
    expect(answer.TableDescription).toMatchObject({ TableStatus: 'UPDATING' });
    await vi.waitFor(async () => expect(await statusOfIndex()).toEqual(ACTIVE), 10_000);
    for (let g = 0; g < 4; g++) expect(await group(`group ${g}`)).toEqual(numbers((i) => i % 4 === g));
    expect(await entries()).toEqual(
      Object.fromEntries([0, 1, 2, 3].map((g) => [`group ${g}`, numbers((i) => i % 4 === g)])),
    );
  });

  test('has what is written meanwhile, too', async () => {
    await start();
    await createTable(client, 'Things');
    await putAll();
    let isOver = false;
    const moved = new Set<number>();
    const writing = Array.from({ length: 8 }, async (_, writer) => {
      for (let i = writer; !isOver && i < ITEMS; i += 8) {
        await put(itemOf(i, 'moved'));
        moved.add(i);
      }
    });
    await sleep(20);
    await addIndex();
    await vi.waitFor(async () => expect(await statusOfIndex()).toEqual(ACTIVE), 20_000);
    isOver = true;
    await Promise.all(writing);
    await db.waitUntilConsistent();
    const kept = await entries();
    expect(kept.moved).toEqual([...moved].sort((one, other) => one - other));
    for (let g = 0; g < 4; g++) expect(kept[`group ${g}`]).toEqual(numbers((i) => i % 4 === g && !moved.has(i)));
    expect(await group('moved')).toEqual([...moved].sort((one, other) => one - other));
    for (let g = 0; g < 4; g++) expect(await group(`group ${g}`)).toEqual(numbers((i) => i % 4 === g && !moved.has(i)));
  });

  test('waits for a majority of each partition, and is refused until then', async () => {
    await start();
    await createTable(client, 'Things');
    await putAll();
    // Only the definition and what is derived can be written; then two of three nodes are gone.
    const { client: inner } = db.ring;
    const scan = inner.scan.bind(inner);
    let isHeld = true;
    inner.scan = (request) =>
      isHeld && request.from === 'latest' ? Promise.resolve({ kind: 'unavailable', needed: 2, got: 1 }) : scan(request);
    await addIndex();
    expect(await statusOfIndex()).toEqual({ table: 'ACTIVE', IndexStatus: 'CREATING', Backfilling: true });
    const query = new QueryCommand({
      TableName: 'Things',
      IndexName: 'by-a',
      KeyConditionExpression: 'a = :a',
      ExpressionAttributeValues: { ':a': { S: 'group 1' } },
    });
    await expect(client.send(query)).rejects.toThrow('Cannot read from backfilling global secondary index');
    isHeld = false;
    await vi.waitFor(async () => expect(await statusOfIndex()).toEqual(ACTIVE), 20_000);
    expect(await group('group 1')).toEqual(numbers((i) => i % 4 === 1));
  });

  test('is filled while a node is away, after what that node had begun is over', async () => {
    await start({ limits: { node: { messageLifeMs: 500 } } });
    await createTable(client, 'Things');
    await putAll();
    await db.ring.stop('node-2');
    await addIndex();
    await vi.waitFor(async () => expect(await statusOfIndex()).toEqual(ACTIVE), 30_000);
    for (let g = 0; g < 4; g++) expect(await group(`group ${g}`)).toEqual(numbers((i) => i % 4 === g));
    expect(await entries()).toEqual(
      Object.fromEntries([0, 1, 2, 3].map((g) => [`group ${g}`, numbers((i) => i % 4 === g)])),
    );
  });
});
