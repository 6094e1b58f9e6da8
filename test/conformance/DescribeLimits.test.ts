import { DescribeLimitsCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { startServer } from './server.ts';

test('the limits are those of a new account', async () => {
  const server = await startServer();
  const { $metadata, ...limits } = await server.client.send(new DescribeLimitsCommand({}));
  expect($metadata.httpStatusCode).toBe(200);
  expect(limits).toEqual({
    AccountMaxReadCapacityUnits: 80_000,
    AccountMaxWriteCapacityUnits: 80_000,
    TableMaxReadCapacityUnits: 40_000,
    TableMaxWriteCapacityUnits: 40_000,
  });
  await server.stop();
});
