import { ListTablesCommand, paginateListTables } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTable } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

const NAMES = ['Bands', 'Cities', '_old', 'albums', 'songs'];

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  for (const name of NAMES.toReversed()) await createTable(server.client, name);
});
afterAll(() => server.stop());

test('the paginator of the SDK finds all tables in byte order', async () => {
  const pages = [];
  for await (const page of paginateListTables({ client: server.client, pageSize: 2 }, {})) pages.push(page.TableNames);
  expect(pages).toEqual([['Bands', 'Cities'], ['_old', 'albums'], ['songs']]);
});

test('a page ends with the key of the next one, the last page with none', async () => {
  const first = await server.client.send(new ListTablesCommand({ Limit: 4 }));
  expect(first.LastEvaluatedTableName).toBe('albums');
  const all = await server.client.send(new ListTablesCommand({ Limit: 5 }));
  expect(all.LastEvaluatedTableName).toBeUndefined();
});

test('a key that names no table, or an ARN', async () => {
  const { TableNames } = await server.client.send(new ListTablesCommand({ ExclusiveStartTableName: 'b-o-b' }));
  expect(TableNames).toEqual(['songs']);
  const arn = 'arn:aws:dynamodb:eu-west-1:000000000000:table/songs';
  const answer = server.client.send(new ListTablesCommand({ ExclusiveStartTableName: arn }));
  await expect(answer).rejects.toMatchObject({
    name: 'ValidationException',
    message: expect.stringContaining("'exclusiveStartTableName' failed to satisfy constraint"),
  });
});
