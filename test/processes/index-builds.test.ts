import {
  BatchWriteItemCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  PutItemCommand,
  paginateQuery,
  UpdateTableCommand,
} from '@aws-sdk/client-dynamodb';
import { expect, test, vi } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { createTable, startServer } from './server-process.ts';

const TABLE = 'Things';
const ITEMS = 3_000;
const GROUPS = 3;
const KILLS = 2;

const itemOf = (i: number) => ({ id: { S: `item ${i}` }, a: { S: `group ${i % GROUPS}` }, n: { N: String(i) } });

async function putAll(client: DynamoDBClient): Promise<void> {
  for (let from = 0; from < ITEMS; from += 500) {
    const batches = Array.from({ length: 20 }, (_, batch) =>
      Array.from({ length: 25 }, (__, i) => ({ PutRequest: { Item: itemOf(from + 25 * batch + i) } })),
    );
    const send = (batch: (typeof batches)[number]) =>
      client.send(new BatchWriteItemCommand({ RequestItems: { [TABLE]: batch } }));
    for (const { UnprocessedItems } of await Promise.all(batches.map(send))) expect(UnprocessedItems).toEqual({});
  }
}

async function indexStatus(client: DynamoDBClient) {
  const { Table } = await client.send(new DescribeTableCommand({ TableName: TABLE }));
  return Table?.GlobalSecondaryIndexes?.[0]?.IndexStatus;
}

async function group(client: DynamoDBClient, a: string): Promise<number[]> {
  const found: number[] = [];
  const query = {
    TableName: TABLE,
    IndexName: 'by-a',
    KeyConditionExpression: 'a = :a',
    ExpressionAttributeValues: { ':a': { S: a } },
  };
  for await (const { Items = [] } of paginateQuery({ client }, query))
    found.push(...Items.map(({ n }) => Number(n!.N)));
  return found.sort((one, other) => one - other);
}

test('kill -9 while an index is filled: the next process fills it to the end', async () => {
  const args = ['--data-dir', temporaryDirectory(), '--partitions', '8'];
  let server = await startServer(args);
  await createTable(server.client(), TABLE);
  await putAll(server.client());
  await server.client().send(
    new UpdateTableCommand({
      TableName: TABLE,
      AttributeDefinitions: [{ AttributeName: 'a', AttributeType: 'S' }],
      GlobalSecondaryIndexUpdates: [
        {
          Create: {
            IndexName: 'by-a',
            KeySchema: [{ AttributeName: 'a', KeyType: 'HASH' }],
            Projection: { ProjectionType: 'ALL' },
          },
        },
      ],
    }),
  );
  for (let kill = 0; kill < KILLS; kill++) {
    await server.stop('SIGKILL');
    server = await startServer(args);
    const Item = { ...itemOf(ITEMS + kill), a: { S: 'later' } };
    await server.client().send(new PutItemCommand({ TableName: TABLE, Item }));
  }
  const client = server.client();
  await vi.waitFor(async () => expect(await indexStatus(client)).toBe('ACTIVE'), 100_000);
  for (let a = 0; a < GROUPS; a++) {
    const expected = Array.from({ length: ITEMS }, (_, i) => i).filter((i) => i % GROUPS === a);
    expect(await group(client, `group ${a}`)).toEqual(expected);
  }
  expect(await group(client, 'later')).toEqual([ITEMS, ITEMS + 1]);
});
