import { ListTagsOfResourceCommand, UntagResourceCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTable } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

test('of two requests at once each takes its own tags away', async () => {
  const Tags = Array.from({ length: 10 }, (_, index) => ({ Key: `k${index}`, Value: 'v' }));
  const { TableDescription } = await createTable(server.client, 'Tagged', { Tags });
  const ResourceArn = TableDescription!.TableArn!;
  await Promise.all(
    Tags.slice(0, 9).map(({ Key }) => server.client.send(new UntagResourceCommand({ ResourceArn, TagKeys: [Key] }))),
  );
  const left = await server.client.send(new ListTagsOfResourceCommand({ ResourceArn }));
  expect(left.Tags).toEqual([{ Key: 'k9', Value: 'v' }]);
});
