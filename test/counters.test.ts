import { DynamoDBClient, type DynamoDBClientConfig, GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Dynaring, startDynaring } from '../src/index.ts';
import { createTable } from './parts/tables.ts';

const clients: DynamoDBClient[] = [];
let dynaring: Dynaring;

beforeAll(async () => {
  dynaring = await startDynaring({ nodes: 4 });
  const client = connect();
  await createTable(client, 'strict');
  const Tags = [{ Key: 'dynaring:consistency', Value: 'dynamo' }];
  await createTable(client, 'dynamo', { Tags });
});
afterEach(() => dynaring.faults.clear());
afterAll(async () => {
  for (const client of clients) client.destroy();
  await dynaring.stop();
});

/** An unmodified client of the official SDK, with its own retries unless told otherwise. */
function connect(config: DynamoDBClientConfig = {}): DynamoDBClient {
  const client = new DynamoDBClient({ ...dynaring.clientConfig(), ...config });
  clients.push(client);
  return client;
}

const increment = (client: DynamoDBClient, TableName: string, id: string) =>
  client.send(
    new UpdateItemCommand({
      TableName,
      Key: { pk: { S: id } },
      UpdateExpression: 'ADD #n :one',
      ExpressionAttributeNames: { '#n': 'n' },
      ExpressionAttributeValues: { ':one': { N: '1' } },
      ReturnValues: 'UPDATED_NEW',
    }),
  );
const countOf = async (TableName: string, id: string) => {
  const get = new GetItemCommand({ TableName, Key: { pk: { S: id } }, ConsistentRead: true });
  return Number((await clients[0]!.send(get)).Item?.n?.N);
};

describe.each(['strict', 'dynamo'])('a counter in a table in %s mode', (table) => {
  const hundredTimes = async (id: string) => {
    const several = [connect(), connect(), connect(), connect()];
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => increment(several[i % 4]!, table, id)));
    return answers.map(({ Attributes }) => Number(Attributes?.n?.N)).sort((a, b) => a - b);
  };
  const oneToHundred = Array.from({ length: 100 }, (_, i) => i + 1);

  test('that 100 requests at once add one to, through several clients, shows each value once and ends at 100', async () => {
    expect(await hundredTimes('calm')).toEqual(oneToHundred);
    expect(await countOf(table, 'calm')).toBe(100);
  });

  test('does so too while a home replica of it is stopped', async () => {
    const { preferenceList } = await dynaring.locate(table, { pk: { S: 'stopped' } });
    const first = preferenceList[0]!;
    await dynaring.ring.stop(first);
    expect(await hundredTimes('stopped')).toEqual(oneToHundred);
    await dynaring.ring.start(first);
    expect(await countOf(table, 'stopped')).toBe(100);
  });

  test('has all that was answered, and at most what may have happened beside, if its coordinator stops meanwhile', async () => {
    const { preferenceList } = await dynaring.locate(table, { pk: { S: 'stops' } });
    const first = preferenceList[0]!;
    const alone = connect({ maxAttempts: 1 });
    const before = Array.from({ length: 50 }, () => increment(alone, table, 'stops'));
    await before[0];
    await dynaring.ring.stop(first);
    const after = Array.from({ length: 50 }, () => increment(alone, table, 'stops'));
    const answers = await Promise.allSettled([...before, ...after]);
    await dynaring.ring.start(first);
    const done = answers.filter(({ status }) => status === 'fulfilled').length;
    const unknown = answers.filter((answer) => answer.status === 'rejected' && statusOf(answer.reason) === 500).length;
    const count = await countOf(table, 'stops');
    expect(done).toBeGreaterThan(50);
    expect(count).toBeGreaterThanOrEqual(done);
    expect(count).toBeLessThanOrEqual(done + unknown);
  });
});

const statusOf = (reason: { readonly $metadata?: { readonly httpStatusCode?: number } }) =>
  reason.$metadata?.httpStatusCode;

test('an answer that is lost is retried by the SDK, which counts twice: at least once is all that a retry promises', async () => {
  dynaring.faults.add({ kind: 'drop-connection', when: 'after', operation: 'UpdateItem', times: 3 });
  const alone = connect({ maxAttempts: 1 });
  await expect(increment(alone, 'strict', 'lost')).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(await countOf('strict', 'lost')).toBe(1);
  const { $metadata, Attributes } = await increment(connect(), 'strict', 'lost');
  expect($metadata.attempts).toBe(3);
  expect(Attributes?.n?.N).toBe('4');
  expect(await countOf('strict', 'lost')).toBe(4);
});

test('an error of a rule that comes after the write leaves it written', async () => {
  dynaring.faults.add({
    kind: 'error',
    error: 'InternalServerError',
    when: 'after',
    operation: 'UpdateItem',
    times: 1,
  });
  expect((await increment(connect(), 'strict', 'told-late')).$metadata.attempts).toBe(2);
  expect(await countOf('strict', 'told-late')).toBe(2);
});
