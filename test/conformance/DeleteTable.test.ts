import {
  DeleteTableCommand,
  DescribeTableCommand,
  GetItemCommand,
  PutItemCommand,
  ResourceNotFoundException,
  UpdateTableCommand,
  waitUntilTableNotExists,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTable } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

test('a deleted table is gone when the answer says that it is being deleted', async () => {
  const { client } = server;
  await createTable(client, 'Music');
  const { TableDescription } = await client.send(new DeleteTableCommand({ TableName: 'Music' }));
  expect(TableDescription).toMatchObject({ TableName: 'Music', TableStatus: 'DELETING' });
  const startedAtMs = Date.now();
  const { state } = await waitUntilTableNotExists({ client, maxWaitTime: 25 }, { TableName: 'Music' });
  expect(state).toBe('SUCCESS');
  expect(Date.now() - startedAtMs).toBeLessThan(3_000);
  await expect(client.send(new DescribeTableCommand({ TableName: 'Music' }))).rejects.toThrow(
    ResourceNotFoundException,
  );
});

test('a table of the same name starts empty', async () => {
  const { client } = server;
  const Key = { pk: { S: 'a' } };
  await createTable(client, 'Again');
  await client.send(new PutItemCommand({ TableName: 'Again', Item: Key }));
  await client.send(new DeleteTableCommand({ TableName: 'Again' }));
  const missing = client.send(new GetItemCommand({ TableName: 'Again', Key }));
  await expect(missing).rejects.toThrow(ResourceNotFoundException);
  await createTable(client, 'Again');
  const { Item } = await client.send(new GetItemCommand({ TableName: 'Again', Key, ConsistentRead: true }));
  expect(Item).toBeUndefined();
});

test('a protected table stays until it is protected no more', async () => {
  const { client } = server;
  const TableName = 'Protected';
  await createTable(client, TableName, { DeletionProtectionEnabled: true });
  await expect(client.send(new DeleteTableCommand({ TableName }))).rejects.toMatchObject({
    name: 'ValidationException',
    message:
      'Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.',
  });
  await client.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: false }));
  await client.send(new DeleteTableCommand({ TableName }));
});

test('a missing table is named', async () => {
  const answer = server.client.send(new DeleteTableCommand({ TableName: 'Missing' }));
  await expect(answer).rejects.toThrow('Requested resource not found: Table: Missing not found');
});
