import {
  DescribeTableCommand,
  LimitExceededException,
  ResourceNotFoundException,
  UpdateTableCommand,
  type UpdateTableCommandInput,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTable, keysOf } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

const TableName = 'Music';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  await createTable(server.client, TableName);
});
afterAll(() => server.stop());

async function update(changes: Partial<UpdateTableCommandInput>) {
  const { TableDescription } = await server.client.send(new UpdateTableCommand({ TableName, ...changes }));
  const { Table } = await server.client.send(new DescribeTableCommand({ TableName }));
  return { answered: TableDescription!, described: Table! };
}

const index = (IndexName: string) => ({
  IndexName,
  KeySchema: keysOf('a').KeySchema,
  Projection: { ProjectionType: 'ALL' as const },
});

test('billing, protection, stream, encryption, class and warm throughput change one at a time', async () => {
  const units = { ReadCapacityUnits: 3, WriteCapacityUnits: 4 };
  const switched = await update({ BillingMode: 'PROVISIONED', ProvisionedThroughput: units });
  expect(switched.answered.TableStatus).toBe('UPDATING');
  expect(switched.described).toMatchObject({ TableStatus: 'ACTIVE', ProvisionedThroughput: units });
  expect((await update({ BillingMode: 'PAY_PER_REQUEST' })).described.BillingModeSummary?.BillingMode).toBe(
    'PAY_PER_REQUEST',
  );
  expect((await update({ DeletionProtectionEnabled: true })).described.DeletionProtectionEnabled).toBe(true);
  const stream = { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' as const };
  expect((await update({ StreamSpecification: stream })).described.StreamSpecification).toEqual(stream);
  expect((await update({ SSESpecification: { Enabled: true } })).described.SSEDescription?.Status).toBe('ENABLED');
  const rare = 'STANDARD_INFREQUENT_ACCESS';
  expect((await update({ TableClass: rare })).described.TableClassSummary?.TableClass).toBe(rare);
  const warm = await update({ WarmThroughput: { ReadUnitsPerSecond: 20_000 } });
  expect(warm.described.WarmThroughput?.ReadUnitsPerSecond).toBe(20_000);
});

test('an index is added and removed, one per request', async () => {
  const { AttributeDefinitions } = keysOf('a');
  const two = [{ Create: index('one') }, { Create: index('two') }];
  await expect(update({ AttributeDefinitions, GlobalSecondaryIndexUpdates: two })).rejects.toThrow(
    LimitExceededException,
  );
  const added = await update({ AttributeDefinitions, GlobalSecondaryIndexUpdates: two.slice(0, 1) });
  expect(added.answered.GlobalSecondaryIndexes).toMatchObject([{ IndexStatus: 'CREATING', Backfilling: false }]);
  expect(added.described.GlobalSecondaryIndexes).toMatchObject([{ IndexName: 'one', IndexStatus: 'ACTIVE' }]);
  const removed = await update({ GlobalSecondaryIndexUpdates: [{ Delete: { IndexName: 'one' } }] });
  expect(removed.answered.GlobalSecondaryIndexes).toMatchObject([{ IndexStatus: 'DELETING' }]);
  expect(removed.described.GlobalSecondaryIndexes).toBeUndefined();
});

test('a request without change is refused, also for a missing table', async () => {
  const answer = server.client.send(new UpdateTableCommand({ TableName: 'Missing' }));
  await expect(answer).rejects.toMatchObject({
    name: 'ValidationException',
    message: expect.stringMatching(/^At least one of ProvisionedThroughput, .* or TableClass is required$/),
  });
});

test('a missing table is named', async () => {
  const answer = server.client.send(new UpdateTableCommand({ TableName: 'Missing', DeletionProtectionEnabled: true }));
  await expect(answer).rejects.toThrow(ResourceNotFoundException);
});
