import {
  CreateTableCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  ListTablesCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { expect, onTestFinished, test } from 'vitest';
import { type Dynaring, type DynaringOptions, startDynaring } from '../src/index.ts';
import { createTable, tableInput } from './parts/tables.ts';
import { openClient } from './parts/whole-server.ts';

const HOUR_MS = 3_600_000;
/** How long a test may take between two looks at a clock. */
const SLACK_MS = 30_000;

async function start(options: DynaringOptions = {}): Promise<{ db: Dynaring; client: DynamoDBClient }> {
  const db = await startDynaring({ partitions: 8, ...options });
  const client = openClient(db);
  onTestFinished(async () => {
    client.destroy();
    await db.stop();
  });
  return { db, client };
}

const put = (pk: string, TableName = 'things') => new PutItemCommand({ TableName, Item: { pk: { S: pk } } });

/** How far one time is ahead of the present, in whole hours. */
const hoursAhead = (timeMs: number) => Math.round((timeMs - Date.now()) / HOUR_MS) + 0;

test('dates go by the clock, ballots do not', async () => {
  const { db, client } = await start();
  expect(hoursAhead(db.clock.advance('49h'))).toBe(49);
  const { TableDescription } = await createTable(client, 'things');
  expect(hoursAhead(TableDescription!.CreationDateTime!.getTime())).toBe(49);
  await client.send(put('a'));
  const { replicas } = await db.locate('things', { pk: { S: 'a' } });
  const committed = replicas.flatMap(({ committedAtMs }) => committedAtMs ?? []);
  expect(committed.length).toBeGreaterThanOrEqual(2);
  for (const timeMs of committed) expect(hoursAhead(timeMs)).toBe(0);
  expect(hoursAhead(db.clock.advance('-50h'))).toBe(-1);
  await client.send(put('a'));
  expect((await client.send(new DescribeTableCommand({ TableName: 'things' }))).Table!.TableStatus).toBe('ACTIVE');
});

test('throughput comes back as it goes', async () => {
  const { db, client } = await start({ throttle: true });
  const units = { ReadCapacityUnits: 1, WriteCapacityUnits: 1 };
  await client.send(
    new CreateTableCommand(tableInput('things', { BillingMode: 'PROVISIONED', ProvisionedThroughput: units })),
  );
  /** How many of so many writes are let through. */
  const letThrough = async (count: number) => {
    const outcomes = await Promise.allSettled(Array.from({ length: count }, (_, i) => client.send(put(`k${i}`))));
    return outcomes.filter(({ status }) => status === 'fulfilled').length;
  };
  expect(await letThrough(40)).toBeLessThan(40);
  db.clock.advance('5m');
  expect(await letThrough(100)).toBe(100);
  // Back in time nothing is taken away, and nothing is given twice.
  db.clock.advance('-1h');
  expect(await letThrough(100)).toBe(100);
  expect(await letThrough(250)).toBeLessThan(250);
});

test('statuses end as it goes, and a table that was to be deleted is gone', async () => {
  const { db, client } = await start({ delayTransientStatuses: true, limits: { transientStatusMs: HOUR_MS } });
  await createTable(client, 'things');
  const status = async () => (await client.send(new DescribeTableCommand({ TableName: 'things' }))).Table!.TableStatus;
  expect(await status()).toBe('CREATING');
  db.clock.advance('61m');
  expect(await status()).toBe('ACTIVE');
  expect((await client.send(new ListTablesCommand({}))).TableNames).toEqual(['things']);
});

test('a reset of everything puts it back to the start, one of a namespace does not', async () => {
  const { db } = await start({ timeOffsetMs: 24 * HOUR_MS });
  expect(hoursAhead(db.clock.now())).toBe(24);
  db.clock.set('2050-01-01');
  await db.reset('worker-1');
  expect(db.clock.now() - Date.UTC(2050, 0)).toBeLessThan(SLACK_MS);
  await db.reset();
  expect(hoursAhead(db.clock.now())).toBe(24);
  expect(hoursAhead(db.clock.set(new Date()))).toBe(0);
  expect(hoursAhead(db.clock.reset())).toBe(24);
});

test('it is moved over HTTP', async () => {
  const { db } = await start();
  const clock = async (method: string, move?: object) => {
    const answer = await fetch(`${db.endpoint}/_dynaring/clock`, {
      method,
      ...(move && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(move) }),
    });
    return (await answer.json()) as { offsetMs?: number; error?: string; field?: string };
  };
  expect(await clock('POST', { advance: '49h' })).toMatchObject({ offsetMs: 49 * HOUR_MS });
  expect(await clock('GET')).toMatchObject({ offsetMs: 49 * HOUR_MS });
  expect(await clock('POST', { advance: 'a while' })).toMatchObject({ field: 'advance' });
  expect(await clock('POST', { advance: '1h', set: 0 })).toMatchObject({ field: 'body' });
  expect(await clock('POST', { turn: '1h' })).toMatchObject({ field: 'turn' });
  expect(await clock('POST', { advance: ['1h'] })).toMatchObject({ field: 'advance' });
  expect(await clock('DELETE')).toMatchObject({ offsetMs: 0 });
});
