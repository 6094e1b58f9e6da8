import {
  DeleteTableCommand,
  DynamoDBClient,
  GetItemCommand,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { expect, onTestFinished, test } from 'vitest';
import { startDynaring } from '../../src/index.ts';
import { createTable } from '../parts/tables.ts';

/** As a suite has it whose tests all make the same order: the token is derived from its number. */
async function start() {
  const db = await startDynaring();
  const client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 1 });
  onTestFinished(async () => {
    client.destroy();
    await db.stop();
  });
  const order = (TableName: string, count: string) =>
    client.send(
      new TransactWriteItemsCommand({
        ClientRequestToken: 'order-1',
        TransactItems: [
          {
            Update: {
              TableName,
              Key: { pk: { S: 'order' } },
              UpdateExpression: 'ADD made :n',
              ExpressionAttributeValues: { ':n': { N: count } },
            },
          },
        ],
      }),
    );
  const made = async (TableName: string) => {
    const { Item } = await client.send(
      new GetItemCommand({ TableName, Key: { pk: { S: 'order' } }, ConsistentRead: true }),
    );
    return Item?.made?.N;
  };
  return { db, client, order, made };
}

test('a token that was used for a table that is gone is free in the one that has its name now', async () => {
  const { db, client, order, made } = await start();
  await createTable(client, 'Orders');
  await createTable(client, 'Others');
  await order('Orders', '1');
  await order('Orders', '1');
  expect(await made('Orders')).toBe('1');

  await client.send(new DeleteTableCommand({ TableName: 'Orders' }));
  await createTable(client, 'Orders');
  await order('Orders', '1');
  expect(await made('Orders')).toBe('1');
  await order('Orders', '1');
  expect(await made('Orders')).toBe('1');

  await db.reset();
  await createTable(client, 'Orders');
  await order('Orders', '2');
  expect(await made('Orders')).toBe('2');
});

test('a token that was used for a table that is there is taken for every other', async () => {
  const { client, order, made } = await start();
  await createTable(client, 'Orders');
  await createTable(client, 'Others');
  await order('Orders', '1');
  await expect(order('Others', '1')).rejects.toMatchObject({ name: 'IdempotentParameterMismatchException' });
  expect(await made('Others')).toBeUndefined();
});
