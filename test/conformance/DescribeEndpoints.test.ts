import { DescribeEndpointsCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { startServer } from './server.ts';

test('a client that discovers endpoints is sent back to the host that it asked', async () => {
  const server = await startServer();
  const { Endpoints } = await server.client.send(new DescribeEndpointsCommand({}));
  expect(Endpoints).toEqual([{ Address: new URL(server.endpoint).host, CachePeriodInMinutes: 1440 }]);
  await server.stop();
});
