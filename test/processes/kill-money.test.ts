import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AttributeValue,
  CreateTableCommand,
  type DynamoDBClient,
  ScanCommand,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { expect, test, vi } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { readWholeStream } from '../parts/read-stream.ts';
import { type Server, startServer } from './server-process.ts';

/** Of these, `.ci/run` does more (`DYNARING_TEST_KILLS`). */
const KILLS = Number(process.env.DYNARING_TEST_KILLS ?? 5);
const TELLERS = 8;
const ACCOUNTS = 10;
const EACH_HAS = 100;
const LOAD_MS = 400;

const TableName = 'Accounts';
const idOf = (account: number) => `account-${account}`;

/** One account with the money of all is opened by hand; the others get theirs by transactions. */
async function open(client: DynamoDBClient): Promise<void> {
  await client.send(
    new CreateTableCommand({
      TableName,
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    }),
  );
  const items = Array.from({ length: ACCOUNTS }, (_, account) => ({
    Put: { TableName, Item: { id: { S: idOf(account) }, balance: { N: String(EACH_HAS) } } },
  }));
  await client.send(new TransactWriteItemsCommand({ TransactItems: items }));
}

/** Moves money between two accounts until the server is gone. What conflicts, or finds too little, is let be. */
async function transferUntilGone(client: DynamoDBClient, counts: { done: number }): Promise<void> {
  const some = (limit: number) => Math.floor(Math.random() * limit);
  for (;;) {
    const from = some(ACCOUNTS);
    const to = (from + 1 + some(ACCOUNTS - 1)) % ACCOUNTS;
    const amount = { N: String(1 + some(20)) };
    const change = (account: number, sign: '+' | '-') => ({
      TableName,
      Key: { id: { S: idOf(account) } },
      UpdateExpression: `SET balance = balance ${sign} :amount`,
      ExpressionAttributeValues: { ':amount': amount },
    });
    try {
      await client.send(
        new TransactWriteItemsCommand({
          TransactItems: [
            { Update: { ...change(from, '-'), ConditionExpression: 'balance >= :amount' } },
            { Update: change(to, '+') },
          ],
        }),
      );
      counts.done++;
    } catch (error) {
      if ((error as Error).name !== 'TransactionCanceledException') return;
    }
  }
}

async function balances(client: DynamoDBClient): Promise<Map<string, number>> {
  const { Items = [] } = await client.send(new ScanCommand({ TableName, ConsistentRead: true }));
  return new Map(Items.map(({ id, balance }) => [id!.S!, Number(balance!.N)]));
}

/** What the records of the stream, played from its beginning, leave in the table; each has to follow the one before. */
async function replay(server: Server): Promise<Map<string, number>> {
  const streams = new DynamoDBStreamsClient({
    endpoint: server.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'x', secretAccessKey: 'y' },
  });
  const table = new Map<string, number>();
  const balanceIn = (image: Record<string, AttributeValue> | undefined) => image && Number(image.balance!.N);
  try {
    for (const { dynamodb } of await readWholeStream(streams, TableName)) {
      const id = dynamodb!.Keys!.id!.S!;
      const { OldImage, NewImage } = dynamodb! as {
        readonly OldImage?: Record<string, AttributeValue>;
        readonly NewImage?: Record<string, AttributeValue>;
      };
      expect(balanceIn(OldImage), `before a change of ${id}`).toBe(table.get(id));
      table.set(id, balanceIn(NewImage)!);
    }
  } finally {
    streams.destroy();
  }
  return table;
}

test.each(['process', 'disk'])(
  'kill -9 in the middle of transactions with --durability %s: no money is made or lost, and the stream is the table',
  async (durability) => {
    const args = ['--data-dir', temporaryDirectory(), '--durability', durability];
    let server = await startServer(args);
    await open(server.client());
    const counts = { done: 0 };
    for (let kill = 0; kill < KILLS; kill++) {
      const client = server.client();
      const transferring = Array.from({ length: TELLERS }, () => transferUntilGone(client, counts));
      const before = counts.done;
      await sleep(LOAD_MS);
      await vi.waitFor(() => expect(counts.done).toBeGreaterThan(before), 10_000);
      await server.stop('SIGKILL');
      await Promise.all(transferring);

      server = await startServer(args);
      const found = await balances(server.client());
      expect([...found.values()].reduce((sum, each) => sum + each, 0)).toBe(ACCOUNTS * EACH_HAS);
      await expect.poll(() => replay(server), { timeout: 20_000 }).toEqual(await balances(server.client()));
    }
  },
  60_000 + KILLS * 20_000,
);
