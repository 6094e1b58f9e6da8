import { DescribeEndpointsCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

test('a client that discovers endpoints is sent back to the host that it asked', async () => {
  const { Endpoints } = await server.client.send(new DescribeEndpointsCommand({}));
  expect(Endpoints).toEqual([{ Address: new URL(server.endpoint).host, CachePeriodInMinutes: 1440 }]);
});
