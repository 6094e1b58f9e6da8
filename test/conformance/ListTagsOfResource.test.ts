import { ListTagsOfResourceCommand, TagResourceCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTable } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

test('lists fifty tags on one page, and none of a table without', async () => {
  const { TableDescription } = await createTable(server.client, 'Tagged');
  const ResourceArn = TableDescription!.TableArn!;
  const list = () => server.client.send(new ListTagsOfResourceCommand({ ResourceArn }));
  expect(await list()).toMatchObject({ Tags: [], $metadata: { httpStatusCode: 200 } });
  const Tags = Array.from({ length: 50 }, (_, index) => ({ Key: `k${index}`, Value: 'v' }));
  await server.client.send(new TagResourceCommand({ ResourceArn, Tags }));
  const { Tags: listed, NextToken } = await list();
  expect(listed).toEqual(Tags);
  expect(NextToken).toBeUndefined();
});
