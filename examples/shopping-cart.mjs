// The shopping cart that the Dynamo paper was written for, as a small Express app. Two tabs may change one cart at
// once: a change is a put on condition that the version it read is still there, and starts again if it is not.
//   PORT=3000 node examples/shopping-cart.mjs
//   curl -X POST localhost:3000/carts/ann/book
import { CreateTableCommand, DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import express from 'express';

const client = new DynamoDBClient({
  endpoint: process.env.AWS_ENDPOINT_URL_DYNAMODB ?? 'http://127.0.0.1:8000',
  region: 'local',
  credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
});
const TableName = 'Carts';

async function readCart(customer) {
  const Key = { customer: { S: customer } };
  const { Item } = await client.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
  return { version: Number(Item?.version.N ?? 0), counts: Item?.counts.M ?? {} };
}

/** Adds `by` to the count of an item, whoever else changes the cart at the same time. */
async function changeCart(customer, item, by) {
  for (let tries = 0; tries < 100; tries++) {
    const cart = await readCart(customer);
    const count = Math.max(0, Number(cart.counts[item]?.N ?? 0) + by);
    const next = { version: cart.version + 1, counts: { ...cart.counts, [item]: { N: `${count}` } } };
    const put = new PutItemCommand({
      TableName,
      Item: { customer: { S: customer }, version: { N: `${next.version}` }, counts: { M: next.counts } },
      ConditionExpression: 'attribute_not_exists(customer) OR version = :read',
      ExpressionAttributeValues: { ':read': { N: `${cart.version}` } },
    });
    try {
      await client.send(put);
      return next;
    } catch (error) {
      if (error.name !== 'ConditionalCheckFailedException') throw error;
    }
  }
  throw new Error('the cart changed a hundred times in between');
}

const create = new CreateTableCommand({
  TableName,
  AttributeDefinitions: [{ AttributeName: 'customer', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'customer', KeyType: 'HASH' }],
  BillingMode: 'PAY_PER_REQUEST',
});
await client.send(create).catch((error) => error.name === 'ResourceInUseException' || Promise.reject(error));

const app = express();
app.get('/carts/:customer', async ({ params }, response) => response.json(await readCart(params.customer)));
for (const [method, by] of Object.entries({ post: 1, delete: -1 })) {
  app[method]('/carts/:customer/:item', async ({ params }, response) =>
    response.json(await changeCart(params.customer, params.item, by)),
  );
}
const server = app.listen(process.env.PORT ?? 3000, '127.0.0.1', () =>
  console.log(`carts on http://127.0.0.1:${server.address().port}`),
);
