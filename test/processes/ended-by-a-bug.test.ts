import { fileURLToPath } from 'node:url';
import { ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { createTable, startServer } from './server-process.ts';

const BUG = fileURLToPath(new URL('falling-promise.mjs', import.meta.url));

test('a server in which an invariant does not hold ends, says which, and answers nothing more', async () => {
  const server = await startServer([], { env: { NODE_OPTIONS: `--import=${BUG}` } });
  const client = server.client();
  await client.send(new ListTablesCommand());
  await expect(createTable(client, 'Any')).rejects.toThrow();
  const { status, stderr } = await server.exited;
  expect(status).toBe(70);
  expect(stderr).toContain('ended by a bug');
  expect(stderr).toContain('a promise falls (docs/protocol.md I2)');
  await expect(client.send(new ListTablesCommand())).rejects.toThrow();
});
