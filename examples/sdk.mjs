// The first steps with the AWS SDK: a table, an item, a conditional put that is refused, an old value, a delete.
//   npm start                  (in one terminal)
//   node examples/sdk.mjs      (in another)
import {
  ConditionalCheckFailedException,
  CreateTableCommand,
  DeleteItemCommand,
  DeleteTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';

const client = new DynamoDBClient({
  endpoint: process.env.AWS_ENDPOINT_URL_DYNAMODB ?? 'http://127.0.0.1:8000',
  region: 'local',
  credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
});
const TableName = 'Music';
const Key = { Artist: { S: 'No One You Know' }, SongTitle: { S: 'Call Me Today' } };

await client.send(
  new CreateTableCommand({
    TableName,
    AttributeDefinitions: ['Artist', 'SongTitle'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: [
      { AttributeName: 'Artist', KeyType: 'HASH' },
      { AttributeName: 'SongTitle', KeyType: 'RANGE' },
    ],
    BillingMode: 'PAY_PER_REQUEST',
  }),
);
console.log('created table', TableName);

await client.send(new PutItemCommand({ TableName, Item: { ...Key, Year: { N: '1999' } } }));
console.log('put the song of 1999');

const Item = { ...Key, Year: { N: '2001' } };
try {
  await client.send(new PutItemCommand({ TableName, Item, ConditionExpression: 'attribute_not_exists(Artist)' }));
} catch (error) {
  if (!(error instanceof ConditionalCheckFailedException)) throw error;
  console.log('conditional put refused:', error.message);
}

const replaced = await client.send(new PutItemCommand({ TableName, Item, ReturnValues: 'ALL_OLD' }));
console.log('replaced; the old year was', replaced.Attributes.Year.N);

const found = await client.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
console.log('got', JSON.stringify(found.Item));

await client.send(new DeleteItemCommand({ TableName, Key }));
const gone = await client.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
console.log('deleted; now there is', gone.Item ?? 'no item');
await client.send(new DeleteTableCommand({ TableName }));
