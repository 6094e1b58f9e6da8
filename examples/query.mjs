// Query: the orders of a customer by day, the newest first, and by an index the open orders of all customers.
//   npm start                  (in one terminal)
//   node examples/query.mjs    (in another)
import {
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  PutItemCommand,
  paginateQuery,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';

const client = new DynamoDBClient({
  endpoint: process.env.AWS_ENDPOINT_URL_DYNAMODB ?? 'http://127.0.0.1:8000',
  region: 'local',
  credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
});
const TableName = 'CustomerOrders';
const keySchema = (hash, range) => [
  { AttributeName: hash, KeyType: 'HASH' },
  { AttributeName: range, KeyType: 'RANGE' },
];
await client.send(
  new CreateTableCommand({
    TableName,
    AttributeDefinitions: ['customer', 'day', 'state'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: keySchema('customer', 'day'),
    GlobalSecondaryIndexes: [
      { IndexName: 'byState', KeySchema: keySchema('state', 'day'), Projection: { ProjectionType: 'ALL' } },
    ],
    BillingMode: 'PAY_PER_REQUEST',
  }),
);
for (const [customer, days] of Object.entries({ ann: ['01-07', '02-03', '02-21'], bob: ['01-15', '02-14', '03-01'] })) {
  for (const day of days) {
    const Item = { customer: { S: customer }, day: { S: `2026-${day}` }, state: { S: 'open' } };
    await client.send(new PutItemCommand({ TableName, Item }));
  }
}
const show = ({ customer, day }) => `${customer.S} ${day.S}`;

const february = await client.send(
  new QueryCommand({
    TableName,
    KeyConditionExpression: 'customer = :customer AND begins_with(#day, :month)',
    ExpressionAttributeNames: { '#day': 'day' }, // a reserved word
    ExpressionAttributeValues: { ':customer': { S: 'ann' }, ':month': { S: '2026-02' } },
    ScanIndexForward: false,
  }),
);
console.log('of ann in February, newest first:', february.Items.map(show).join(', '));

await client.send(
  new UpdateItemCommand({
    TableName,
    Key: { customer: { S: 'bob' }, day: { S: '2026-01-15' } },
    UpdateExpression: 'SET #state = :paid',
    ExpressionAttributeNames: { '#state': 'state' },
    ExpressionAttributeValues: { ':paid': { S: 'paid' } },
  }),
);
const open = {
  TableName,
  IndexName: 'byState',
  KeyConditionExpression: '#state = :open',
  ExpressionAttributeNames: { '#state': 'state' },
  ExpressionAttributeValues: { ':open': { S: 'open' } },
};
for await (const page of paginateQuery({ client, pageSize: 3 }, open)) {
  console.log(`open, ${page.Count} on this page:`, page.Items.map(show).join(', ') || 'none');
}
await client.send(new DeleteTableCommand({ TableName }));
