import { CreateTableCommand, PutItemCommand, ScanCommand, type ScanCommandInput } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keysOf, tableInput } from './requests.ts';
import { startServer, type TestServer } from './server.ts';

const TableName = 'Things';
const ITEMS = Array.from({ length: 40 }, (_, i) => ({
  pk: { S: `p${i % 10}` },
  sk: { S: `s${i}` },
  n: { N: String(i) },
}));
let server: TestServer;

beforeAll(async () => {
  server = await startServer();
  await server.client.send(new CreateTableCommand(tableInput(TableName, keysOf('pk', 'sk'))));
  await Promise.all(ITEMS.map((Item) => server.client.send(new PutItemCommand({ TableName, Item }))));
});
afterAll(() => server.stop());

const scan = (rest: Partial<ScanCommandInput> = {}) => server.client.send(new ScanCommand({ TableName, ...rest }));
const byName = (items: readonly object[] | undefined) => [...(items ?? [])].map((item) => JSON.stringify(item)).sort();

test.each([true, false])('all items are found (ConsistentRead %s)', async (ConsistentRead) => {
  const answer = await scan({ ConsistentRead });
  expect(byName(answer.Items)).toEqual(byName(ITEMS));
  expect(answer).toMatchObject({ Count: 40, ScannedCount: 40 });
  expect(Object.hasOwn(answer, 'LastEvaluatedKey')).toBe(false);
});
