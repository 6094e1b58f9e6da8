import { createRequire } from 'node:module';
import { DeleteItemCommand, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { DynamoDBStreams } from '@aws-sdk/client-dynamodb-streams';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Dynaring, startDynaring } from '../../src/index.ts';
import { createTable } from '../parts/tables.ts';

/** dynamodb-stream: a poller that tells of inserts, changes and removals of items, and of shards that come and go. */

type Emitted = readonly unknown[];
interface Poller {
  on(event: string, tell: (...values: unknown[]) => void): void;
  fetchStreamState(): Promise<void>;
  fetchStreamRecords(): Promise<unknown>;
  getShardState(): Record<string, { readonly nextShardIterator?: string }>;
  setShardState(state: object): void;
}
const DynamoDBStream: new (client: DynamoDBStreams, arn: string, parse: typeof unmarshall) => Poller = createRequire(
  import.meta.url,
)('dynamodb-stream');

let db: Dynaring;
let client: DynamoDBClient;
let streams: DynamoDBStreams;
beforeAll(async () => {
  db = await startDynaring();
  client = new DynamoDBClient(db.clientConfig());
  streams = new DynamoDBStreams(db.clientConfig());
});
afterAll(async () => {
  client.destroy();
  streams.destroy();
  await db.stop();
});

test('a poller hears of each change, and goes on where it was after a restart', async () => {
  const StreamSpecification = { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' } as const;
  const { TableDescription } = await createTable(client, 'things', { StreamSpecification });
  const heard: Emitted[] = [];
  const open = (): Poller => {
    const poller = new DynamoDBStream(streams, TableDescription!.LatestStreamArn!, unmarshall);
    for (const event of ['insert record', 'modify record', 'remove record', 'new shards', 'error']) {
      poller.on(event, (...values) => heard.push([event, ...values]));
    }
    return poller;
  };
  const put = (more: object) =>
    client.send(new PutItemCommand({ TableName: 'things', Item: { pk: { S: 'a' }, ...more } }));
  const first = open();
  await first.fetchStreamState();
  expect(heard.splice(0)).toEqual([['new shards', [expect.stringMatching(/^shardId-/)]]]);
  await put({ n: { N: '1' } });
  await put({ n: { N: '2' } });
  await expect
    .poll(async () => {
      await first.fetchStreamState();
      return heard.map(([event]) => event);
    })
    .toEqual(['insert record', 'modify record']);
  const key = { pk: 'a' };
  expect(heard.splice(0)).toEqual([
    ['insert record', { pk: 'a', n: 1 }, key],
    ['modify record', { pk: 'a', n: 2 }, { pk: 'a', n: 1 }, key],
  ]);

  const second = open();
  second.setShardState(first.getShardState());
  await client.send(new DeleteItemCommand({ TableName: 'things', Key: { pk: { S: 'a' } } }));
  await expect
    .poll(async () => {
      await second.fetchStreamRecords();
      return heard.length;
    })
    .toBe(1);
  expect(heard[0]).toEqual(['remove record', { pk: 'a', n: 2 }, key]);
});
