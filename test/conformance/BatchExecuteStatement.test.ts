import {
  BatchExecuteStatementCommand,
  type BatchExecuteStatementCommandInput,
  type BatchStatementRequest,
  PutItemCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { BatchExecuteStatementCommand as BatchOnDocuments, DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTable, keysOf } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
  await createTable(server.client, 'Problems', keysOf('pk', 'sk'));
  await createTable(server.client, 'Others', keysOf('pk'));
  for (const sk of ['a', 'b', 'c']) {
    const Item = { pk: { S: 'p' }, sk: { S: sk }, m: { M: { n: { N: '1' } } } };
    await server.client.send(new PutItemCommand({ TableName: 'Problems', Item }));
  }
});
afterAll(() => server.stop());

const run = (Statements: (string | BatchStatementRequest)[], rest: Partial<BatchExecuteStatementCommandInput> = {}) =>
  server.client.send(
    new BatchExecuteStatementCommand({
      Statements: Statements.map((each) => (typeof each === 'string' ? { Statement: each } : each)),
      ...rest,
    }),
  );

test('each read has its own answer, in the order of the statements', async () => {
  const { Responses, ConsumedCapacity } = await run(
    [
      "SELECT pk, m.n FROM Problems WHERE pk = 'p' AND sk = 'b'",
      { Statement: 'SELECT * FROM "Problems" WHERE sk = ? AND pk = ?', Parameters: [{ S: 'a' }, { S: 'p' }] },
      "SELECT * FROM Problems WHERE pk = 'p' AND sk = 'none'",
      "SELECT * FROM Others WHERE pk = 'none'",
    ],
    { ReturnConsumedCapacity: 'TOTAL' },
  );
  expect(Responses).toEqual([
    { TableName: 'Problems', Item: { pk: { S: 'p' }, n: { N: '1' } } },
    { TableName: 'Problems', Item: { pk: { S: 'p' }, sk: { S: 'a' }, m: { M: { n: { N: '1' } } } } },
    { TableName: 'Problems' },
    { TableName: 'Others' },
  ]);
  expect(ConsumedCapacity).toEqual([
    { TableName: 'Problems', CapacityUnits: 1.5 },
    { TableName: 'Others', CapacityUnits: 0.5 },
  ]);
});

test('a read that is not of one item by its key alone has an error of its own', async () => {
  const Message = 'Select statements within BatchExecuteStatement must specify the primary key in the where clause.';
  const { Responses } = await run([
    "SELECT * FROM Problems WHERE pk = 'p'",
    "SELECT * FROM Problems WHERE pk = 'p' AND sk = 'a' AND x = 1",
    "SELECT * FROM Absent WHERE pk = 'p'",
    "SELECT sk FROM Problems WHERE pk = 'p' AND sk = 'a'",
    'SLECT * FROM Problems',
  ]);
  expect(Responses).toEqual([
    { TableName: 'Problems', Error: { Code: 'ValidationError', Message } },
    { TableName: 'Problems', Error: { Code: 'ValidationError', Message } },
    { Error: { Code: 'ResourceNotFound', Message: 'Requested resource not found' } },
    { TableName: 'Problems', Item: { sk: { S: 'a' } } },
    {
      Error: {
        Code: 'ValidationError',
        Message: "Statement wasn't well formed, can't be processed: Expected data manipulation",
      },
    },
  ]);
});

test('writes happen or fail each by itself', async () => {
  const { Responses } = await run([
    { Statement: "INSERT INTO Others VALUE {'pk': ?, 'n': 1}", Parameters: [{ S: 'new' }] },
    "INSERT INTO Others VALUE {'pk': ?, 'n': 1}",
    "UPDATE Problems SET n = 1 WHERE pk = 'p' AND sk = 'a' RETURNING ALL NEW *",
    {
      Statement: "DELETE FROM Problems WHERE pk = 'p' AND sk = 'b' AND n = 1",
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    },
    "INSERT INTO Problems VALUE {'pk': 'p', 'sk': 'c'}",
    "DELETE FROM Problems WHERE pk = 'p' AND sk = 'gone'",
  ]);
  const m = { M: { n: { N: '1' } } };
  expect(Responses).toEqual([
    { TableName: 'Others' },
    { Error: { Code: 'ValidationError', Message: "Number of parameters in request and statement don't match." } },
    { TableName: 'Problems', Item: { pk: { S: 'p' }, sk: { S: 'a' }, m, n: { N: '1' } } },
    {
      TableName: 'Problems',
      Error: {
        Code: 'ConditionalCheckFailed',
        Message: 'The conditional request failed',
        Item: { pk: { S: 'p' }, sk: { S: 'b' }, m },
      },
    },
    { TableName: 'Problems', Error: { Code: 'DuplicateItem', Message: 'Duplicate primary key exists in table' } },
    { TableName: 'Problems' },
  ]);
  const { Items } = await server.client.send(new ScanCommand({ TableName: 'Others' }));
  expect(Items).toEqual([{ pk: { S: 'new' }, n: { N: '1' } }]);
});

test('reads and writes do not go together, and nothing is done', async () => {
  await expect(
    run(["SELECT * FROM Others WHERE pk = 'new'", "DELETE FROM Others WHERE pk = 'new'"]),
  ).rejects.toMatchObject({ name: 'ValidationException' });
  await expect(run([])).rejects.toMatchObject({ name: 'ValidationException' });
  await expect(run(Array(26).fill("DELETE FROM Others WHERE pk = 'new'"))).rejects.toMatchObject({
    message: expect.stringContaining('Member must have length less than or equal to 25'),
  });
  expect((await server.client.send(new ScanCommand({ TableName: 'Others' }))).Count).toBe(1);
});

test('the document client sends and receives plain values', async () => {
  const client = DynamoDBDocumentClient.from(server.client);
  const { Responses } = await client.send(
    new BatchOnDocuments({
      Statements: [{ Statement: 'SELECT * FROM Others WHERE pk = ?', Parameters: ['new'] }],
    }),
  );
  expect(Responses).toEqual([{ TableName: 'Others', Item: { pk: 'new', n: 1 } }]);
});
