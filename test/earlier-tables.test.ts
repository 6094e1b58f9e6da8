import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DynamoDBClient, PutItemCommand, QueryCommand, type QueryCommandInput } from '@aws-sdk/client-dynamodb';
import { afterEach, expect, test } from 'vitest';
import { type Dynaring, startDynaring } from '../src/index.ts';
import { storedDirectory } from './parts/stored-directory.ts';

/*
 * A directory as the code of 2026-11-30 left it (commit e7ea0df), which kept no entries of indexes: four partitions, and two
 * tables with one global and one local index, `Strict` and `Paper` (in `dynamo` mode), of 24 items each. Item i is {pk: p(i mod
 * 3), sk: s(i), n: i}, with a: a(i mod 2) unless i mod 4 = 3, and b: b(99 - i) unless i mod 5 = 4. Item 0 of Strict was deleted.
 */
const WITHOUT_ENTRIES = 'format-3-without-entries.json.gz';
const ALL = Array.from({ length: 24 }, (_, i) => i);

let db: Dynaring;
let client: DynamoDBClient;
afterEach(async () => {
  client.destroy();
  await db.stop();
});

async function open(dataDir: string): Promise<void> {
  db = await startDynaring({ dataDir, partitions: 4, logLevel: 'silent' });
  client = new DynamoDBClient({ ...db.clientConfig(), region: 'eu-west-1', maxAttempts: 1 });
}

/** The items that a query finds, by their numbers. */
async function query(TableName: string, key: string, value: string, more: Partial<QueryCommandInput>) {
  const { Items } = await client.send(
    new QueryCommand({
      TableName,
      KeyConditionExpression: `${key} = :value`,
      ExpressionAttributeValues: { ':value': { S: value } },
      ...more,
    }),
  );
  return Items!.map(({ sk }) => Number(sk!.S!.slice(1)));
}

const group = (table: string, a: string) => query(table, 'a', a, { IndexName: 'by-a' });
const local = (table: string, pk: string, more: Partial<QueryCommandInput> = {}) =>
  query(table, 'pk', pk, { IndexName: 'local', ...more });

/** In the order of `b`, which is against that of the items. */
const backward = (wanted: (i: number) => boolean) => ALL.filter(wanted).reverse();
const inGroup = (i: number, a: number) => i % 4 !== 3 && i % 5 !== 4 && i % 2 === a;

test.each([
  ['Strict', 1],
  ['Paper', 0],
])('the first queries of the indexes of %s find what an earlier version has written', async (table, first) => {
  await open(storedDirectory(WITHOUT_ENTRIES));
  const found = await Promise.all([
    group(table, 'a0'),
    local(table, 'p1', { ConsistentRead: true }),
    group(table, 'a1'),
  ]);
  expect(found).toEqual([
    backward((i) => i >= first && inGroup(i, 0)),
    backward((i) => i % 3 === 1 && i % 5 !== 4),
    backward((i) => inGroup(i, 1)),
  ]);
  expect(await local(table, 'p0', { ScanIndexForward: false })).toEqual(
    ALL.filter((i) => i >= first && i % 3 === 0 && i % 5 !== 4),
  );
});

test('their indexes follow what is written from then on, also in the next process', async () => {
  const directory = storedDirectory(WITHOUT_ENTRIES);
  await open(directory);
  // So that the version that wrote it does not misread it now.
  expect(JSON.parse(readFileSync(join(directory, 'dynaring.json'), 'utf8')).formatVersion).toBe(4);
  const put = (i: number, a: string, b: string) =>
    client.send(
      new PutItemCommand({
        TableName: 'Strict',
        Item: { pk: { S: `p${i % 3}` }, sk: { S: `s${String(i).padStart(2, '0')}` }, a: { S: a }, b: { S: b } },
      }),
    );
  // Before anybody has read an index, and after.
  await put(2, 'moved', 'b1');
  expect(await group('Strict', 'a1')).toEqual(backward((i) => inGroup(i, 1)));
  await put(5, 'moved', 'b0');
  expect(await group('Strict', 'moved')).toEqual([5, 2]);
  expect((await group('Strict', 'a0')).includes(2)).toBe(false);
  expect((await group('Strict', 'a1')).includes(5)).toBe(false);
  expect((await local('Strict', 'p2', { ConsistentRead: true })).slice(0, 2)).toEqual([5, 2]);
  client.destroy();
  await db.stop();
  await open(directory);
  expect(await group('Strict', 'moved')).toEqual([5, 2]);
  expect(await group('Strict', 'a1')).toEqual(backward((i) => i !== 5 && inGroup(i, 1)));
});
