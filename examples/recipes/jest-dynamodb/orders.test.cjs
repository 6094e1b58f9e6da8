const { DynamoDBClient, GetItemCommand, PutItemCommand } = require('@aws-sdk/client-dynamodb');

const client = new DynamoDBClient({
  endpoint: process.env.AWS_ENDPOINT_URL_DYNAMODB,
  region: 'local',
  credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
});

test('an order is found', async () => {
  await client.send(new PutItemCommand({ TableName: 'Orders', Item: { id: { S: '7' }, state: { S: 'open' } } }));
  const { Item } = await client.send(new GetItemCommand({ TableName: 'Orders', Key: { id: { S: '7' } } }));
  expect(Item.state.S).toBe('open');
});
