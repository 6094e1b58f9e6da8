const { CreateTableCommand, GetItemCommand, ListTablesCommand, PutItemCommand } = require('@aws-sdk/client-dynamodb');
const { client } = require('./client.cjs');

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

test('an order is paid', async () => {
  await client.send(new PutItemCommand({ TableName, Item: { id: { S: '7' }, state: { S: 'paid' } } }));
  const { Item } = await client.send(new GetItemCommand({ TableName, Key: { id: { S: '7' } } }));
  expect(Item.state.S).toBe('paid');
});

test('no other file sees its tables', async () => {
  const { TableNames } = await client.send(new ListTablesCommand({}));
  expect(TableNames).toEqual([TableName]);
});
