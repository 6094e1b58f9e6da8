import {
  type AttributeValue,
  ExecuteTransactionCommand,
  type ExecuteTransactionCommandInput,
  IdempotentParameterMismatchException,
  type ParameterizedStatement,
  PutItemCommand,
  ResourceNotFoundException,
  ScanCommand,
  TransactionCanceledException,
} from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, ExecuteTransactionCommand as TransactDocuments } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTable, keysOf } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
let tables = 0;
let T: string;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

beforeEach(async () => {
  T = `Statements${tables++}`;
  await createTable(server.client, T, keysOf('pk', 'sk'));
  for (const sk of ['a', 'b']) {
    const Item = { pk: { S: 'p' }, sk: { S: sk }, n: { N: '1' }, m: { M: { x: { S: sk } } } };
    await server.client.send(new PutItemCommand({ TableName: T, Item }));
  }
});

function transact(statements: (string | ParameterizedStatement)[], rest: Partial<ExecuteTransactionCommandInput> = {}) {
  const TransactStatements = statements.map((each) => (typeof each === 'string' ? { Statement: each } : each));
  return server.client.send(new ExecuteTransactionCommand({ TransactStatements, ...rest }));
}

const refusal = (answer: Promise<unknown>): Promise<string> =>
  answer.then(
    () => 'not refused',
    (error) => `${error.name}: ${error.message}`,
  );

async function reasonsOf(answer: Promise<unknown>) {
  const error = await answer.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TransactionCanceledException);
  return (error as TransactionCanceledException).CancellationReasons;
}

const stored = async () => {
  const { Items } = await server.client.send(new ScanCommand({ TableName: T, ConsistentRead: true }));
  return Object.fromEntries((Items as Record<string, AttributeValue>[]).map(({ sk, n }) => [sk!.S, n && Number(n.N)]));
};
const where = (sk: string) => `WHERE pk = 'p' AND sk = '${sk}'`;

test('statements that read are answered in their order, from one moment', async () => {
  const { Responses, ConsumedCapacity } = await transact(
    [
      `SELECT * FROM ${T} ${where('b')}`,
      { Statement: `SELECT sk, m.x FROM "${T}" WHERE sk = ? AND pk = ?`, Parameters: [{ S: 'a' }, { S: 'p' }] },
      `SELECT * FROM ${T} ${where('none')}`,
    ],
    { ReturnConsumedCapacity: 'TOTAL' },
  );
  expect(Responses).toEqual([
    { Item: { pk: { S: 'p' }, sk: { S: 'b' }, n: { N: '1' }, m: { M: { x: { S: 'b' } } } } },
    { Item: { sk: { S: 'a' }, x: { S: 'a' } } },
    {},
  ]);
  expect(ConsumedCapacity).toEqual([{ TableName: T, CapacityUnits: 6, ReadCapacityUnits: 6 }]);
});

test('statements that write happen together', async () => {
  const { Responses, ConsumedCapacity } = await transact(
    [
      `EXISTS(SELECT * FROM ${T} ${where('a')} AND n = 1)`,
      { Statement: `INSERT INTO ${T} VALUE {'pk': 'p', 'sk': ?, 'n': 7}`, Parameters: [{ S: 'c' }] },
      `UPDATE ${T} SET n = n + 4 ${where('b')} AND m.x = 'b'`,
      `DELETE FROM ${T} ${where('gone')} AND n = 5`,
    ],
    { ReturnConsumedCapacity: 'TOTAL' },
  );
  expect(Responses).toEqual([{}, {}, {}, {}]);
  expect(await stored()).toEqual({ a: 1, b: 5, c: 7 });
  expect(ConsumedCapacity).toEqual([{ TableName: T, CapacityUnits: 8, WriteCapacityUnits: 8 }]);
});

test('one that fails cancels all, and its reason is told', async () => {
  const answer = transact([
    `INSERT INTO ${T} VALUE {'pk': 'p', 'sk': 'c', 'n': 7}`,
    { Statement: `UPDATE ${T} SET n = 2 ${where('a')} AND n = 9`, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' },
    `DELETE FROM ${T} ${where('b')}`,
  ]);
  expect(await reasonsOf(answer)).toEqual([
    { Code: 'None' },
    {
      Code: 'ConditionalCheckFailed',
      Message: 'The conditional request failed',
      Item: { pk: { S: 'p' }, sk: { S: 'a' }, n: { N: '1' }, m: { M: { x: { S: 'a' } } } },
    },
    { Code: 'None' },
  ]);
  expect(await stored()).toEqual({ a: 1, b: 1 });

  expect(await reasonsOf(transact([`INSERT INTO ${T} VALUE {'pk': 'p', 'sk': 'a'}`]))).toEqual([
    { Code: 'DuplicateItem', Message: 'Duplicate primary key exists in table' },
  ]);
  for (const condition of ['n = 9', 'x IS NOT MISSING']) {
    const check = transact([
      `EXISTS(SELECT * FROM ${T} ${where('a')} AND ${condition})`,
      `DELETE FROM ${T} ${where('b')}`,
    ]);
    expect((await reasonsOf(check))!.map(({ Code }) => Code)).toEqual(['ConditionalCheckFailed', 'None']);
  }
  const ofNothing = transact([`EXISTS(SELECT * FROM ${T} ${where('none')} AND x IS MISSING)`]);
  expect((await reasonsOf(ofNothing))!.map(({ Code }) => Code)).toEqual(['ConditionalCheckFailed']);
  expect(await reasonsOf(transact([`UPDATE ${T} SET n = 1 ${where('none')}`]))).toHaveLength(1);
  expect(await stored()).toEqual({ a: 1, b: 1 });
});

test('a token makes a repetition do nothing', async () => {
  const statements = [{ Statement: `UPDATE ${T} SET n = n + ? ${where('a')}`, Parameters: [{ N: '1' }] }];
  const ClientRequestToken = `token-${T}`;
  await transact(statements, { ClientRequestToken });
  await transact(statements, { ClientRequestToken });
  await transact([{ ...statements[0]!, Parameters: [{ N: '1.0' }] }], { ClientRequestToken });
  expect(await stored()).toEqual({ a: 2, b: 1 });
  await expect(
    transact([{ ...statements[0]!, Parameters: [{ N: '2' }] }], { ClientRequestToken }),
  ).rejects.toBeInstanceOf(IdempotentParameterMismatchException);
  await expect(transact([`DELETE FROM ${T} ${where('a')}`], { ClientRequestToken })).rejects.toBeInstanceOf(
    IdempotentParameterMismatchException,
  );
  expect(await stored()).toEqual({ a: 2, b: 1 });
});

describe('what no transaction can have', () => {
  const select = 'Select statements within ExecuteTransaction must specify the primary key in the where clause.';
  test.each<[string, (table: string) => string[], string]>([
    ['a read of a partition', (table) => [`SELECT * FROM ${table} WHERE pk = 'p'`], select],
    ['a read with a filter', (table) => [`SELECT * FROM ${table} ${where('a')} AND n = 1`], select],
    [
      'a read of an index',
      (table) => [`SELECT * FROM ${table}.i ${where('a')}`],
      'Reads on indices are not supported within transactions.',
    ],
    [
      'EXISTS without a condition',
      (table) => [`EXISTS(SELECT * FROM ${table} ${where('a')})`],
      'EXISTS() must contain a single item read with additional condition',
    ],
    [
      'EXISTS of a partition',
      (table) => [`EXISTS(SELECT * FROM ${table} WHERE pk = 'p' AND n = 1)`],
      'EXISTS() must contain a single item read with additional condition',
    ],
    [
      'RETURNING',
      (table) => [`DELETE FROM ${table} ${where('a')} RETURNING ALL OLD *`],
      'RETURNING clause is not supported in ExecuteTransaction.',
    ],
    [
      'a write without the key',
      (table) => [`DELETE FROM ${table} WHERE pk = 'p'`],
      'Where clause does not contain a mandatory equality on all key attributes',
    ],
    [
      'no statement',
      () => ['nonsense'],
      "Statement wasn't well formed, can't be processed: Expected data manipulation",
    ],
  ])('%s', async (_, statements, message) => {
    const refused = `ValidationException: Validation failed in TransactStatements[0]: ${message}`;
    expect(await refusal(transact(statements(T)))).toBe(refused);
    expect(await stored()).toEqual({ a: 1, b: 1 });
  });

  test('reads and writes together, an item twice, too many, and a table that is not there', async () => {
    expect(await refusal(transact([`SELECT * FROM ${T} ${where('a')}`, `DELETE FROM ${T} ${where('b')}`]))).toBe(
      'ValidationException: ExecuteTransaction API does not support both read and write operations in the same request.',
    );
    const twice = [`UPDATE ${T} SET n = 2 ${where('a')}`, `DELETE FROM ${T} ${where('a')}`];
    expect(await refusal(transact(twice))).toBe(
      'ValidationException: Transaction request cannot include multiple operations on one item',
    );
    const many = Array.from({ length: 101 }, (_, at) => `DELETE FROM ${T} ${where(`x${at}`)}`);
    expect(await refusal(transact(many))).toContain('Member must have length less than or equal to 100');
    await transact(many.slice(1));
    await expect(transact([`DELETE FROM Absent ${where('a')}`])).rejects.toBeInstanceOf(ResourceNotFoundException);
    expect(await stored()).toEqual({ a: 1, b: 1 });
  });
});

test('the document client sends and receives plain values', async () => {
  const client = DynamoDBDocumentClient.from(server.client);
  await client.send(
    new TransactDocuments({
      TransactStatements: [
        { Statement: `INSERT INTO ${T} VALUE {'pk': 'p', 'sk': 'd', 'list': ?}`, Parameters: [[1, 'two']] },
      ],
    }),
  );
  const { Responses } = await client.send(
    new TransactDocuments({
      TransactStatements: [
        { Statement: `SELECT list[1] FROM ${T} WHERE pk = ? AND sk = ?`, Parameters: ['p', 'd'] },
      ].map((each) => ({ ...each, Statement: each.Statement.replace('list', '"list"') })),
    }),
  );
  expect(Responses).toEqual([{ Item: { 'list[1]': 'two' } }]);
});
