import {
  DeleteTableCommand,
  DescribeTableCommand,
  PutItemCommand,
  waitUntilTableExists,
  waitUntilTableNotExists,
} from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { createTable, startServer } from './server-process.ts';

const TABLE = 'Things';
const WAITER = { minDelay: 1, maxDelay: 1, maxWaitTime: 15 };

test.each(['-delayTransientStatuses', '--delay-transient-statuses'])(
  "with %s the SDK's waiters wait for tables to be there and to be gone",
  async (flag) => {
    const server = await startServer([flag]);
    const client = server.client();
    const table = { TableName: TABLE };
    const status = async () => (await client.send(new DescribeTableCommand(table))).Table?.TableStatus;
    const put = () => client.send(new PutItemCommand({ ...table, Item: { id: { S: 'a' } } }));

    await createTable(client, TABLE);
    expect(await status()).toBe('CREATING');
    await expect(put()).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    await expect(createTable(client, TABLE)).rejects.toMatchObject({ name: 'ResourceInUseException' });
    expect((await waitUntilTableExists({ client, ...WAITER }, table)).state).toBe('SUCCESS');
    expect(await status()).toBe('ACTIVE');
    await put();

    await client.send(new DeleteTableCommand(table));
    expect(await status()).toBe('DELETING');
    expect((await waitUntilTableNotExists({ client, ...WAITER }, table)).state).toBe('SUCCESS');
    await expect(status()).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  },
);

test('a table that was CREATING when the process was killed is ACTIVE after its time', async () => {
  const args = ['--data-dir', temporaryDirectory(), '-delayTransientStatuses'];
  const first = await startServer(args);
  await createTable(first.client(), TABLE);
  await first.stop('SIGKILL');
  const second = await startServer(args);
  const { state } = await waitUntilTableExists({ client: second.client(), ...WAITER }, { TableName: TABLE });
  expect(state).toBe('SUCCESS');
});
