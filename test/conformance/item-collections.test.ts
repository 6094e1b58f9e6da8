import {
  BatchWriteItemCommand,
  CreateTableCommand,
  DeleteItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type TestServer } from './server.ts';

/*
 * The size of item collections of tables with local indexes: developer guide, "Item collections in Local Secondary Indexes",
 * and API reference, ItemCollectionMetrics. The service's limit of 10 GB is lowered.
 */

const LIMIT = 3_000;
const TableName = 'Collections';
let server: TestServer;

beforeAll(async () => {
  server = await startServer({ limits: { node: { collectionBytes: LIMIT } } });
  await server.client.send(
    new CreateTableCommand({
      TableName,
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
        { AttributeName: 'at', AttributeType: 'S' },
      ],
      LocalSecondaryIndexes: [
        {
          IndexName: 'whole',
          KeySchema: [
            { AttributeName: 'pk', KeyType: 'HASH' },
            { AttributeName: 'at', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'ALL' },
        },
      ],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  );
});

afterAll(() => server.stop());

const put = (pk: string, sk: string, bytes: number, at: string | undefined = undefined) =>
  server.client.send(
    new PutItemCommand({
      TableName,
      Item: { pk: { S: pk }, sk: { S: sk }, v: { S: 'x'.repeat(bytes) }, ...(at && { at: { S: at } }) },
      ReturnItemCollectionMetrics: 'SIZE',
    }),
  );
const full = { name: 'ItemCollectionSizeLimitExceededException', message: 'Collection size exceeded.' };

test('an item that does not fit into its collection is refused, and one that does not make it larger is not', async () => {
  await put('a', '1', 1_000, 'x');
  await expect(put('a', '2', 1_000)).rejects.toMatchObject(full);
  // Not in the index, it counts once.
  await put('a', '2', 800);
  await expect(put('a', '3', 300)).rejects.toMatchObject(full);
  await put('b', '3', 300);
  const { ItemCollectionMetrics } = await put('a', '1', 900, 'x');
  expect(ItemCollectionMetrics).toEqual({ ItemCollectionKey: { pk: { S: 'a' } }, SizeEstimateRangeGB: [0, 1] });
  await put('a', '3', 150);
});

test('an update is refused as well, and room comes back with what is deleted', async () => {
  await put('c', '1', 1_000, 'x');
  await put('c', '2', 700);
  const grow = new UpdateItemCommand({
    TableName,
    Key: { pk: { S: 'c' }, sk: { S: '2' } },
    UpdateExpression: 'SET #at = :at',
    ExpressionAttributeNames: { '#at': 'at' },
    ExpressionAttributeValues: { ':at': { S: 'y' } },
  });
  await expect(server.client.send(grow)).rejects.toMatchObject(full);
  await server.client.send(new DeleteItemCommand({ TableName, Key: { pk: { S: 'c' }, sk: { S: '1' } } }));
  await server.client.send(grow);
});

test('a batch leaves out what does not fit', async () => {
  const PutRequest = (sk: string, bytes: number) => ({
    PutRequest: { Item: { pk: { S: 'd' }, sk: { S: sk }, v: { S: 'x'.repeat(bytes) } } },
  });
  const batch = (...requests: ReturnType<typeof PutRequest>[]) =>
    server.client.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: requests } }));
  expect((await batch(PutRequest('1', 2_000))).UnprocessedItems).toEqual({});
  const answer = await batch(PutRequest('2', 100), PutRequest('3', 2_000));
  expect(answer.UnprocessedItems).toEqual({ [TableName]: [PutRequest('3', 2_000)] });
  await expect(batch(PutRequest('3', 2_000))).rejects.toMatchObject(full);
});
