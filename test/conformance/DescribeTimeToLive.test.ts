import {
  CreateTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  ResourceNotFoundException,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeTemporaryDirectory } from '../../src/env/temporary-directory.ts';
import { startDynaring } from '../../src/index.ts';
import { tableInput } from './requests.ts';
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
  await server.client.send(new CreateTableCommand(tableInput(TableName)));
  expect(await described(server)).toEqual(DISABLED);
  await enable(server);
  const { Table } = await server.client.send(new DescribeTableCommand({ TableName }));
  expect(await described(server, Table!.TableArn)).toEqual(ENABLED);
});

test('a table that is not there is not found', async () => {
  await expect(described(server, 'Missing')).rejects.toThrow(ResourceNotFoundException);
});
