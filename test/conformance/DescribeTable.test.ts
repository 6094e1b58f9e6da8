import { DescribeTableCommand, ResourceNotFoundException } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTable } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

test('a table is active, by its name and by its ARN, from any region', async () => {
  const { TableDescription } = await createTable(server.client, 'Music');
  const elsewhere = server.connect({ region: 'ap-south-1', credentials: { accessKeyId: 'x', secretAccessKey: 'y' } });
  for (const TableName of ['Music', TableDescription!.TableArn!]) {
    const { Table } = await elsewhere.send(new DescribeTableCommand({ TableName }));
    expect(Table).toMatchObject({
      TableStatus: 'ACTIVE',
      TableArn: TableDescription!.TableArn,
      TableId: TableDescription!.TableId,
      CreationDateTime: TableDescription!.CreationDateTime,
      WarmThroughput: { ReadUnitsPerSecond: 12_000, WriteUnitsPerSecond: 4_000, Status: 'ACTIVE' },
    });
  }
});

test('a missing table is named', async () => {
  const answer = server.client.send(new DescribeTableCommand({ TableName: 'Missing' }));
  await expect(answer).rejects.toThrow(ResourceNotFoundException);
  await expect(answer).rejects.toThrow('Requested resource not found: Table: Missing not found');
});

test('the ARN of an index is refused', async () => {
  const TableName = 'arn:aws:dynamodb:eu-west-1:000000000000:table/Music/index/by-a';
  const answer = server.client.send(new DescribeTableCommand({ TableName }));
  await expect(answer).rejects.toMatchObject({
    name: 'ValidationException',
    message: expect.stringContaining("/index/by-a' at 'tableName' failed to satisfy constraint: Valid ARN format is"),
  });
});
