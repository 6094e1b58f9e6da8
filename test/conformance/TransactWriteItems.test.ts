import {
  type AttributeValue,
  GetItemCommand,
  IdempotentParameterMismatchException,
  PutItemCommand,
  ScanCommand,
  TransactionCanceledException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  type TransactWriteItemsCommandInput,
} from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTable, keysOf } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
let tables = 0;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

async function newTable(changes = {}): Promise<string> {
  const name = `Transact${tables++}`;
  await createTable(server.client, name, changes);
  return name;
}

const key = (pk: string) => ({ pk: { S: pk } });
const put = (
  TableName: string,
  pk: string,
  rest: Record<string, AttributeValue> = {},
  more = {},
): TransactWriteItem => ({
  Put: { TableName, Item: { ...key(pk), ...rest }, ...more },
});
const remove = (TableName: string, pk: string, more = {}): TransactWriteItem => ({
  Delete: { TableName, Key: key(pk), ...more },
});
const increment = (TableName: string, pk: string, more = {}): TransactWriteItem => ({
  Update: {
    TableName,
    Key: key(pk),
    UpdateExpression: 'ADD n :one',
    ExpressionAttributeValues: { ':one': { N: '1' } },
    ...more,
  },
});
const check = (TableName: string, pk: string, ConditionExpression = 'attribute_exists(pk)', more = {}) => ({
  ConditionCheck: { TableName, Key: key(pk), ConditionExpression, ...more },
});

/** Without a token, unless one is given: the SDK adds one by itself to what has none. */
function transact(TransactItems: TransactWriteItem[], more: Partial<TransactWriteItemsCommandInput> = {}) {
  return server.client.send(new TransactWriteItemsCommand({ TransactItems, ...more }));
}

const refusal = (answer: Promise<unknown>): Promise<string> =>
  answer.then(
    () => 'not refused',
    (error) => `${error.name}: ${error.message}`,
  );

async function cancellation(answer: Promise<unknown>): Promise<TransactionCanceledException> {
  const error = await answer.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TransactionCanceledException);
  return error as TransactionCanceledException;
}

async function itemOf(TableName: string, pk: string) {
  const { Item } = await server.client.send(new GetItemCommand({ TableName, Key: key(pk), ConsistentRead: true }));
  return Item;
}

async function keysIn(TableName: string): Promise<string[]> {
  const { Items } = await server.client.send(new ScanCommand({ TableName, ConsistentRead: true }));
  return Items!.map(({ pk }) => pk!.S!).toSorted();
}

/** What is sent and answered, without the SDK. */
async function post(body: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(server.endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': 'DynamoDB_20120810.TransactWriteItems',
      'x-amz-date': '20260101T000000Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=any/20260101/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00',
    },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

test('all four kinds of actions over two tables happen together', async () => {
  const [one, other] = [await newTable(), await newTable(keysOf('pk', 'sk'))];
  await transact([put(one, 'gone'), put(one, 'count', { n: { N: '41' } })]);
  const answer = await transact([
    put(one, 'new', { set: { SS: ['b', 'a'] } }, { ConditionExpression: 'attribute_not_exists(pk)' }),
    remove(one, 'gone', { ConditionExpression: 'attribute_exists(pk)' }),
    increment(one, 'count'),
    check(one, 'never', 'attribute_not_exists(pk)'),
    { Put: { TableName: other, Item: { ...key('a'), sk: { S: 'b' } } } },
  ]);
  expect({ ...answer, $metadata: undefined }).toEqual({ $metadata: undefined });
  expect(await keysIn(one)).toEqual(['count', 'new']);
  expect(await itemOf(one, 'new')).toEqual({ ...key('new'), set: { SS: ['a', 'b'] } });
  expect(await itemOf(one, 'count')).toEqual({ ...key('count'), n: { N: '42' } });
  expect(await keysIn(other)).toEqual(['a']);
});

test('a hundred actions at once', async () => {
  const table = await newTable();
  const names = Array.from({ length: 100 }, (_, at) => `k${at}`);
  await transact(names.map((name) => put(table, name)));
  expect(await keysIn(table)).toEqual(names.toSorted());
  await transact(names.map((name, at) => (at % 2 === 0 ? remove(table, name) : increment(table, name))));
  expect((await keysIn(table)).length).toBe(50);
});

describe('a cancelled transaction', () => {
  test('tells the reasons in the order of the actions, with items where they are asked for', async () => {
    const table = await newTable();
    await transact([put(table, 'there', { n: { N: '7' } })]);
    const error = await cancellation(
      transact([
        put(table, 'new'),
        put(
          table,
          'there',
          {},
          { ConditionExpression: 'attribute_not_exists(pk)', ReturnValuesOnConditionCheckFailure: 'ALL_OLD' },
        ),
        check(table, 'never'),
      ]),
    );
    expect(error.message).toBe(
      'Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed, ConditionalCheckFailed]',
    );
    expect(error.CancellationReasons).toEqual([
      { Code: 'None' },
      {
        Code: 'ConditionalCheckFailed',
        Message: 'The conditional request failed',
        Item: { ...key('there'), n: { N: '7' } },
      },
      { Code: 'ConditionalCheckFailed', Message: 'The conditional request failed' },
    ]);
    expect(await keysIn(table)).toEqual(['there']);
  });

  test('has the form of the service on the wire', async () => {
    // Recorded by users: smithy-rs, the payload of a test; erlcloud, pull request 607; boto3, issue 2657.
    const table = await newTable();
    await transact([put(table, 'there', { n: { N: '7' } })]);
    const more = { ConditionExpression: 'attribute_not_exists(pk)', ReturnValuesOnConditionCheckFailure: 'ALL_OLD' };
    expect(await post({ TransactItems: [put(table, 'a'), put(table, 'there', {}, more)] })).toEqual({
      status: 400,
      body: {
        __type: 'com.amazonaws.dynamodb.v20120810#TransactionCanceledException',
        CancellationReasons: [
          { Code: 'None' },
          {
            Code: 'ConditionalCheckFailed',
            Item: { ...key('there'), n: { N: '7' } },
            Message: 'The conditional request failed',
          },
        ],
        Message:
          'Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]',
      },
    });
  });

  test.each<[string, (table: string) => TransactWriteItem, string]>([
    // The first is recorded in aws-sdk-net, issue 1292; all are texts of the API reference.
    [
      'that refers to an absent attribute',
      (table) => increment(table, 'there', { UpdateExpression: 'SET n = gone + :one' }),
      'The provided expression refers to an attribute that does not exist in the item',
    ],
    [
      'with an operand of a wrong type',
      (table) => increment(table, 'there', { UpdateExpression: 'ADD s :one' }),
      'An operand in the update expression has an incorrect data type',
    ],
    [
      'with an invalid path',
      (table) => increment(table, 'there', { UpdateExpression: 'SET gone.x = :one' }),
      'The document path provided in the update expression is invalid for update',
    ],
    [
      'whose item gets too large',
      (table) =>
        increment(table, 'there', {
          UpdateExpression: 'SET t = :one',
          ExpressionAttributeValues: { ':one': { S: 'x'.repeat(409_000) } },
        }),
      'Item size to update has exceeded the maximum allowed size',
    ],
    [
      'whose number gets too large',
      (table) =>
        increment(table, 'there', {
          ExpressionAttributeValues: { ':one': { N: '9e125' } },
          UpdateExpression: 'SET n = big + :one',
        }),
      'Number overflow. Attempting to store a number with magnitude larger than supported range',
    ],
    [
      'with a key of a wrong type',
      (table) => ({ Delete: { TableName: table, Key: { pk: { N: '1' } } } }),
      'The provided key element does not match the schema',
    ],
    [
      'of the key',
      (table) => increment(table, 'there', { UpdateExpression: 'SET pk = :one' }),
      'One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key',
    ],
  ])('tells of an update %s', async (_, action, Message) => {
    const table = await newTable();
    const filler = { s: { S: 'text' }, big: { N: '9e125' }, f: { S: 'x'.repeat(1_000) } };
    await transact([put(table, 'there', filler)]);
    const { CancellationReasons, message } = await cancellation(transact([put(table, 'new'), action(table)]));
    expect(CancellationReasons).toEqual([{ Code: 'None' }, { Code: 'ValidationError', Message }]);
    expect(message).toMatch(/\[None, ValidationError\]$/);
    expect(await keysIn(table)).toEqual(['there']);
  });
});

describe('a transaction is refused as a whole', () => {
  const CONSTRAINT = 'ValidationException: 1 validation error detected: Value';
  const TOO_MANY = "at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to 100";
  const echo = (table: string, at: number) =>
    'TransactWriteItem(conditionCheck=null, put=null, ' +
    `delete=Delete(key={pk=AttributeValue(s=k${at}, n=null, b=null, iNT=null, dECIMAL=null, dOUBLE=null, sS=null, nS=null, ` +
    'bS=null, iNTSET=null, dECIMALSET=null, dOUBLESET=null, m=null, l=null, nULL=null, bOOL=null)}, ' +
    `tableName=${table}, conditionExpression=null, expressionAttributeNames=null, expressionAttributeValues=null, ` +
    'returnValuesOnConditionCheckFailure=null), update=null)';

  test.each<[string, (name: string) => TransactWriteItem[], string]>([
    [
      'without an action',
      () => [],
      `${CONSTRAINT} '[]' at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1`,
    ],
    [
      'with 101 actions',
      (name) => Array.from({ length: 101 }, (_, at) => remove(name, `k${at}`)),
      `${CONSTRAINT} '[${Array.from({ length: 101 }, (_, at) => echo('NAME', at)).join(', ')}]' ${TOO_MANY}`,
    ],
    [
      'with one item twice',
      (name) => [put(name, 'a'), increment(name, 'b'), remove(name, 'a')],
      'ValidationException: Transaction request cannot include multiple operations on one item',
    ],
    [
      'with a member of two actions',
      (name) => [{ ...put(name, 'a'), ...remove(name, 'b') }],
      'ValidationException: TransactItems can only contain one of Check, Put, Update or Delete',
    ],
    [
      'with a member of none',
      (name) => [put(name, 'a'), {}],
      'ValidationException: Invalid Request: TransactWriteRequest should contain Delete or Put or Update request',
    ],
    [
      'with a table that there is not',
      (name) => [put(name, 'a'), put('Nowhere', 'a')],
      'ResourceNotFoundException: Requested resource not found',
    ],
    [
      'with an empty key',
      (name) => [put(name, 'a'), remove(name, '')],
      'ValidationException: One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk',
    ],
    // Recorded in moto, issue 8405.
    [
      'with an empty map of values',
      (name) => [put(name, 'a', {}, { ConditionExpression: 'attribute_exists(pk)', ExpressionAttributeValues: {} })],
      'ValidationException: ExpressionAttributeValues must not be empty',
    ],
    // Recorded in moto, issue 8582.
    [
      'with paths that overlap',
      (name) => [increment(name, 'a', { UpdateExpression: 'SET x.y = :one REMOVE x' })],
      'ValidationException: Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [x, y], path two: [x]',
    ],
    [
      'with an item that is too large',
      (name) => [put(name, 'a'), put(name, 'b', { x: { S: 'x'.repeat(410_000) } })],
      'ValidationException: Item size has exceeded the maximum allowed size',
    ],
    [
      'with a number that is none',
      (name) => [put(name, 'a', { x: { N: 'one' } })],
      'ValidationException: The parameter cannot be converted to a numeric value: one',
    ],
  ])('%s', async (_, itemsOf, expected) => {
    const name = await newTable();
    const text = await refusal(transact(itemsOf(name)));
    const whole = expected.replaceAll('NAME', name);
    // Echoes are cut after 64 Ki characters.
    expect(text.length > 64 * 1024 ? text.slice(0, 60_000) : text).toBe(
      text.length > 64 * 1024 ? whole.slice(0, 60_000) : whole,
    );
    expect(await keysIn(name)).toEqual([]);
  });

  test('with members that lack what they need', async () => {
    // Recorded in aws-sdk-net, issue 3095.
    const { body } = await post({ TransactItems: [{ Update: { TableName: 'Music', Key: key('a') } }, { Put: {} }] });
    const missing = (member: string) =>
      `Value null at 'transactItems.${member}' failed to satisfy constraint: Member must not be null`;
    expect(body).toEqual({
      __type: 'com.amazon.coral.validate#ValidationException',
      message: `3 validation errors detected: ${missing('1.member.update.updateExpression')}; ${missing('2.member.put.item')}; ${missing('2.member.put.tableName')}`,
    });
  });

  test('with a token of no or too many characters', async () => {
    const table = await newTable();
    const at = "at 'clientRequestToken' failed to satisfy constraint: Member must have length";
    expect(await refusal(transact([put(table, 'a')], { ClientRequestToken: 'x'.repeat(37) }))).toBe(
      `${CONSTRAINT} '${'x'.repeat(37)}' ${at} less than or equal to 36`,
    );
    const { body } = await post({ TransactItems: [put(table, 'a')], ClientRequestToken: '' });
    expect(body.message).toBe(`1 validation error detected: Value '' ${at} greater than or equal to 1`);
  });

  test('of 4 MB and a byte, and not of 4 MB', async () => {
    const table = await newTable();
    const ofBytes = (pk: string, bytes: number) => put(table, pk, { s: { S: 'x'.repeat(bytes - 4) } });
    const items = Array.from({ length: 10 }, (_, at) => ofBytes(`${at}`, 409_600));
    const rest = 4 * 1024 * 1024 - 10 * 409_600;
    expect(await refusal(transact([...items, ofBytes('x', rest + 1)]))).toBe(
      'ValidationException: The aggregate size of the items in the transaction exceeded 4 MB.',
    );
    expect(await itemOf(table, '0')).toBeUndefined();
    await transact([...items, ofBytes('x', rest)]);
    expect(await itemOf(table, '9')).toBeDefined();
  });

  test('on a table in dynamo mode', async () => {
    const table = await newTable({ Tags: [{ Key: 'dynaring:consistency', Value: 'dynamo' }] });
    expect(await refusal(transact([put(table, 'a')]))).toBe(
      `ValidationException: Transactions are not supported on a table in dynamo mode, whose writes are not ordered. Table: ${table}`,
    );
  });
});

describe('a token', () => {
  const ClientRequestToken = 'token';

  test('makes a repetition succeed without doing it again, also of many at a time', async () => {
    const table = await newTable();
    const once = { ClientRequestToken: `${table}-1` };
    await transact([increment(table, 'a'), put(table, 'b')], once);
    await transact([increment(table, 'a'), put(table, 'b')], once);
    expect(await itemOf(table, 'a')).toEqual({ ...key('a'), n: { N: '1' } });
    const client = server.connect({ maxAttempts: 20 });
    const request = { TransactItems: [increment(table, 'a')], ClientRequestToken: `${table}-2` };
    await Promise.all(Array.from({ length: 8 }, () => client.send(new TransactWriteItemsCommand(request))));
    expect(await itemOf(table, 'a')).toEqual({ ...key('a'), n: { N: '2' } });
  });

  test('is refused with another transaction', async () => {
    const table = await newTable();
    await transact([increment(table, 'a')], { ClientRequestToken });
    const error = await transact([increment(table, 'b')], { ClientRequestToken }).catch((reason) => reason);
    expect(error).toBeInstanceOf(IdempotentParameterMismatchException);
    expect(await itemOf(table, 'b')).toBeUndefined();
    const { body } = await post({ TransactItems: [increment(table, 'b')], ClientRequestToken });
    expect(body).toEqual({
      __type: 'com.amazonaws.dynamodb.v20120810#IdempotentParameterMismatchException',
      Message: expect.stringMatching(/^DynamoDB rejected the request because you retried a request with a different/),
    });
  });

  test('of a transaction that was cancelled may be tried again', async () => {
    const table = await newTable();
    const request = [increment(table, 'a'), check(table, 'b')];
    const once = { ClientRequestToken: table };
    await cancellation(transact(request, once));
    await server.client.send(new PutItemCommand({ TableName: table, Item: key('b') }));
    await transact(request, once);
    await transact(request, once);
    expect(await itemOf(table, 'a')).toEqual({ ...key('a'), n: { N: '1' } });
  });
});

test('capacity is counted for each table, and collections are told once', async () => {
  const { AttributeDefinitions, KeySchema } = keysOf('pk', 'sk');
  const table = await newTable({
    KeySchema,
    AttributeDefinitions: [...AttributeDefinitions, { AttributeName: 'at', AttributeType: 'S' }],
    LocalSecondaryIndexes: [
      { IndexName: 'by-at', KeySchema: keysOf('pk', 'at').KeySchema, Projection: { ProjectionType: 'KEYS_ONLY' } },
    ],
  });
  const other = await newTable();
  const request = [
    put(table, 'a', { sk: { S: '1' }, at: { S: 'x' }, text: { S: 'x'.repeat(1_500) } }),
    put(table, 'a', { sk: { S: '2' } }),
    put(other, 'a'),
    check(other, 'b', 'attribute_not_exists(pk)'),
  ];
  const more = {
    ReturnConsumedCapacity: 'INDEXES',
    ReturnItemCollectionMetrics: 'SIZE',
    ClientRequestToken: table,
  } as const;
  const answer = await transact(request, more);
  const write = (CapacityUnits: number) => ({ CapacityUnits, WriteCapacityUnits: CapacityUnits });
  const read = (CapacityUnits: number) => ({ CapacityUnits, ReadCapacityUnits: CapacityUnits });
  expect(answer.ConsumedCapacity).toEqual([
    { TableName: table, ...write(7), Table: write(6), LocalSecondaryIndexes: { 'by-at': write(1) } },
    { TableName: other, ...write(4), Table: write(4) },
  ]);
  const metrics = { [table]: [{ ItemCollectionKey: key('a'), SizeEstimateRangeGB: [0, 1] }] };
  expect(answer.ItemCollectionMetrics).toEqual(metrics);
  const again = await transact(request, more);
  expect(again.ConsumedCapacity).toEqual([
    { TableName: table, ...read(4), Table: read(4) },
    { TableName: other, ...read(4), Table: read(4) },
  ]);
});

test('the document client writes JavaScript values, and is told the reasons', async () => {
  const TableName = await newTable();
  const documents = DynamoDBDocumentClient.from(server.connect());
  const ann = { pk: 'ann', balance: 10, tags: new Set(['a', 'b']) };
  await documents.send(
    new TransactWriteCommand({
      TransactItems: [
        { Put: { TableName, Item: ann } },
        {
          Update: {
            TableName,
            Key: { pk: 'bob' },
            UpdateExpression: 'SET balance = :b',
            ExpressionAttributeValues: { ':b': 1.5 },
          },
        },
      ],
    }),
  );
  expect(await itemOf(TableName, 'bob')).toEqual({ ...key('bob'), balance: { N: '1.5' } });
  const withdraw = documents.send(
    new TransactWriteCommand({
      TransactItems: [
        {
          Update: {
            TableName,
            Key: { pk: 'ann' },
            UpdateExpression: 'SET balance = balance - :b',
            ConditionExpression: 'balance >= :b',
            ExpressionAttributeValues: { ':b': 11 },
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          },
        },
        { Delete: { TableName, Key: { pk: 'bob' } } },
      ],
    }),
  );
  const { CancellationReasons } = await cancellation(withdraw);
  expect(CancellationReasons!.map(({ Code, Item }) => [Code, Item])).toEqual([
    // The client converts no errors.
    ['ConditionalCheckFailed', { ...key('ann'), balance: { N: '10' }, tags: { SS: ['a', 'b'] } }],
    ['None', undefined],
  ]);
  expect(await itemOf(TableName, 'bob')).toBeDefined();
});

test('indexes follow what transactions write', async () => {
  const { AttributeDefinitions } = keysOf('pk', 'a');
  const table = await newTable({
    AttributeDefinitions,
    GlobalSecondaryIndexes: [
      { IndexName: 'by-a', KeySchema: keysOf('a').KeySchema, Projection: { ProjectionType: 'ALL' } },
    ],
  });
  const inIndex = async () => {
    const { Items } = await server.client.send(new ScanCommand({ TableName: table, IndexName: 'by-a' }));
    return Items!.map(({ pk, a }) => `${pk!.S} ${a!.S}`).toSorted();
  };
  await transact([put(table, '1', { a: { S: 'x' } }), put(table, '2', { a: { S: 'x' } }), put(table, '3')]);
  await expect.poll(inIndex).toEqual(['1 x', '2 x']);
  const move = { UpdateExpression: 'SET a = :one', ExpressionAttributeValues: { ':one': { S: 'y' } } };
  await transact([increment(table, '1', move), remove(table, '2'), increment(table, '3', move)]);
  await expect.poll(inIndex).toEqual(['1 y', '3 y']);
  await cancellation(transact([remove(table, '1'), check(table, 'never')]));
  expect(await inIndex()).toEqual(['1 y', '3 y']);
});
