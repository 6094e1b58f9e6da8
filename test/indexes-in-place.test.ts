import {
  CreateTableCommand,
  DeleteItemCommand,
  DynamoDBClient,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SeededRandom } from '../src/env/random.ts';
import { type Dynaring, startDynaring } from '../src/index.ts';

let db: Dynaring;
let client: DynamoDBClient;
const random = new SeededRandom(12);
const COLOURS = ['red', 'green', 'blue'];
/** What each item is, by its key. */
const model = new Map<string, { readonly colour?: string; readonly size?: number }>();

beforeEach(async () => {
  model.clear();
  // A slow disk is not what is tested here.
  db = await startDynaring({ nodes: 5, partitions: 16, limits: { node: { entryWaitMs: 10_000 } } });
  client = new DynamoDBClient(db.clientConfig());
  await client.send(
    new CreateTableCommand({
      TableName: 'fruit',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'name', AttributeType: 'S' },
        { AttributeName: 'colour', AttributeType: 'S' },
        { AttributeName: 'size', AttributeType: 'N' },
      ],
      KeySchema: [{ AttributeName: 'name', KeyType: 'HASH' }],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'by-colour',
          KeySchema: [
            { AttributeName: 'colour', KeyType: 'HASH' },
            { AttributeName: 'size', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'ALL' },
        },
      ],
    }),
  );
});
afterEach(async () => {
  client.destroy();
  await db.stop();
});

const below = (limit: number) => Math.floor(random.next() * limit);

/** Puts, changes or deletes one of a few items. */
async function change(): Promise<void> {
  const name = `fruit-${below(12)}`;
  const Key = { name: { S: name } };
  switch (below(6)) {
    case 0:
      await client.send(new DeleteItemCommand({ TableName: 'fruit', Key }));
      model.delete(name);
      break;
    case 1: {
      await client.send(new UpdateItemCommand({ TableName: 'fruit', Key, UpdateExpression: 'REMOVE colour' }));
      const { colour: _, ...rest } = model.get(name) ?? {};
      model.set(name, rest);
      break;
    }
    default: {
      const [colour, size] = [COLOURS[below(3)]!, below(50)];
      const Item = { name: { S: name }, colour: { S: colour }, size: { N: `${size}` } };
      await client.send(new PutItemCommand({ TableName: 'fruit', Item }));
      model.set(name, { colour, size });
    }
  }
}

async function indexed(): Promise<string[]> {
  const pages = COLOURS.map(async (colour) => {
    const query = new QueryCommand({
      TableName: 'fruit',
      IndexName: 'by-colour',
      KeyConditionExpression: 'colour = :colour',
      ExpressionAttributeValues: { ':colour': { S: colour } },
    });
    const { Items = [] } = await client.send(query);
    return Items.map((item) => `${colour} ${item.size!.N} ${item.name!.S}`);
  });
  return (await Promise.all(pages)).flat();
}

function projected(): string[] {
  const entries = [...model].flatMap(([name, { colour, size }]) =>
    colour === undefined ? [] : [{ name, colour, size }],
  );
  return COLOURS.flatMap((colour) =>
    entries
      .filter((entry) => entry.colour === colour)
      .sort((one, other) => one.size! - other.size! || (one.name < other.name ? -1 : 1))
      .map(({ size, name }) => `${colour} ${size} ${name}`),
  );
}

test('a query finds each write as soon as that is answered, if nothing is wrong', async () => {
  for (let i = 0; i < 100; i++) {
    await change();
    expect(await indexed(), `after ${i + 1} writes`).toEqual(projected());
  }
});

test('an index is right once replicas are consistent, whatever became of nodes meanwhile', async () => {
  const [, second, third] = db.ring.describe().nodes.map(({ id }) => id);
  await db.ring.stop(second!);
  for (let i = 0; i < 60; i++) await change();
  await db.ring.start(second!);
  await db.ring.addNode();
  for (let i = 0; i < 20; i++) await change();
  await db.ring.removeNode(third!);
  await db.ring.settled();
  await db.ring.waitUntilConsistent();
  expect(db.ring.describe().nodes.map(({ status }) => status?.owed)).toEqual([0, 0, 0, 0, 0]);
  expect(await indexed()).toEqual(projected());
});
