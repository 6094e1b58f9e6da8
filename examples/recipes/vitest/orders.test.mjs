import { CreateTableCommand, GetItemCommand, ListTablesCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { beforeAll, expect, test } from 'vitest';
import { client } from './client.mjs';

const TableName = 'Orders';

beforeAll(async () => {
  await client.send(
    new CreateTableCommand({
      TableName,
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  );
});

test('an order is found', async () => {
  await client.send(new PutItemCommand({ TableName, Item: { id: { S: '7' }, state: { S: 'open' } } }));
  const { Item } = await client.send(new GetItemCommand({ TableName, Key: { id: { S: '7' } } }));
  expect(Item.state.S).toBe('open');
});

test('no other file sees its tables', async () => {
  const { TableNames } = await client.send(new ListTablesCommand({}));
  expect(TableNames).toEqual([TableName]);
});
