import {
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  ResourceNotFoundException,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startDynaring } from '../../src/index.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { createTable } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

const TableName = 'Sessions';
const DISABLED = { TimeToLiveStatus: 'DISABLED' };
const ENABLED = { TimeToLiveStatus: 'ENABLED', AttributeName: 'expires' };
let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const described = async ({ client }: Pick<TestServer, 'client'>, name = TableName) => {
  const { TimeToLiveDescription } = await client.send(new DescribeTimeToLiveCommand({ TableName: name }));
  return TimeToLiveDescription;
};
const enable = ({ client }: Pick<TestServer, 'client'>) =>
  client.send(
    new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification: { Enabled: true, AttributeName: 'expires' } }),
  );

test('a new table has none, and the table may be named by its ARN', async () => {
  await createTable(server.client, TableName);
  expect(await described(server)).toEqual(DISABLED);
  await enable(server);
  const { Table } = await server.client.send(new DescribeTableCommand({ TableName }));
  expect(await described(server, Table!.TableArn)).toEqual(ENABLED);
});

test('a table that is not there is not found', async () => {
  await expect(described(server, 'Missing')).rejects.toThrow(ResourceNotFoundException);
});

test('it is there after a restart', async () => {
  const dataDir = temporaryDirectory();
  let own = await startServer({ dataDir });
  await createTable(own.client, TableName);
  await enable(own);
  await own.stop();
  own = await startServer({ dataDir });
  onTestFinished(() => own.stop());
  expect(await described(own)).toEqual(ENABLED);
});

test('a snapshot has it, and restore brings it back', async () => {
  await using db = await startDynaring();
  const client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 1 });
  onTestFinished(() => client.destroy());
  await createTable(client, TableName);
  await enable({ client });
  const snapshot = await db.snapshot();
  await db.reset();
  await db.restore(JSON.parse(JSON.stringify(snapshot)));
  expect(await described({ client })).toEqual(ENABLED);
});
