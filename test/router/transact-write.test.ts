import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { ApiError } from '../../src/api/errors.ts';
import { RawJson, type TransactWriteItem, type TransactWriteItemsRequest } from '../../src/api/operations.ts';
import { createRouter } from '../../src/router/router.ts';
import { ThroughputGate } from '../../src/router/throughput.ts';
import { nameOf } from './memory-client.ts';
import { CONTEXT, definitions, index, newRouter, refusal, sortedTableRequest, tableRequest } from './table-fixtures.ts';

type Router = ReturnType<typeof newRouter>;

let router: Router;

beforeEach(async () => {
  router = newRouter();
  await router.create(
    tableRequest({ AttributeDefinitions: definitions('pk', 'a'), GlobalSecondaryIndexes: [index('by-a', 'a')] }),
  );
  await router.create(sortedTableRequest({ TableName: 'Sorted' }));
});

const TableName = 'Music';
const key = (pk: string) => ({ pk: { S: pk } });
const put = (pk: string, more: object = {}): TransactWriteItem => ({
  Put: { TableName, Item: { ...key(pk) }, ...more },
});
const remove = (pk: string, more: object = {}): TransactWriteItem => ({
  Delete: { TableName, Key: key(pk), ...more },
});
const update = (pk: string, UpdateExpression = 'ADD n :one', more: object = {}): TransactWriteItem => ({
  Update: {
    TableName,
    Key: key(pk),
    UpdateExpression,
    ExpressionAttributeValues: { ':one': { N: '1' } },
    ...more,
  },
});
const check = (pk: string, ConditionExpression = 'attribute_exists(pk)', more: object = {}): TransactWriteItem => ({
  ConditionCheck: { TableName, Key: key(pk), ConditionExpression, ...more },
});

function transact(members: readonly TransactWriteItem[], more: Partial<TransactWriteItemsRequest> = {}) {
  // The router owns its request.
  return router.execute('TransactWriteItems', structuredClone({ TransactItems: members, ...more }));
}

async function itemOf(pk: string, table = TableName) {
  const { Item } = await router.execute('GetItem', { TableName: table, Key: key(pk), ConsistentRead: true });
  return Item instanceof RawJson ? JSON.parse(Buffer.from(Item.bytes).toString()) : undefined;
}

async function errorOf(answer: Promise<unknown>): Promise<ApiError> {
  const error = await answer.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ApiError)) throw new Error(`expected an ApiError, got ${error}`);
  return error;
}

/** Message and reasons of a transaction that is cancelled. */
async function cancellation(answer: Promise<unknown>) {
  const { name, message, body, status } = await errorOf(answer);
  expect([name, status]).toEqual(['TransactionCanceledException', 400]);
  return { message, reasons: body.CancellationReasons as { Code: string; Message?: string; Item?: unknown }[] };
}

describe('actions of all four kinds', () => {
  test('happen together', async () => {
    await transact([put('old', { Item: { ...key('old'), n: { N: '5' } } }), put('there')]);
    const answer = await transact([
      put('new', { ConditionExpression: 'attribute_not_exists(pk)' }),
      update('old'),
      remove('there', { ConditionExpression: 'attribute_exists(pk)' }),
      check('absent', 'attribute_not_exists(pk)'),
    ]);
    expect(answer).toEqual({});
    expect(await itemOf('new')).toEqual(key('new'));
    expect(await itemOf('old')).toEqual({ ...key('old'), n: { N: '6' } });
    expect(await itemOf('there')).toBeUndefined();
    expect(await itemOf('absent')).toBeUndefined();
  });

  test('over several tables happen together, or none does', async () => {
    const other = { Put: { TableName: 'Sorted', Item: { ...key('a'), sk: { S: 'b' } } } };
    await cancellation(transact([put('a'), other, check('none')]));
    expect(await itemOf('a')).toBeUndefined();
    await transact([put('a'), other]);
    expect(await itemOf('a')).toEqual(key('a'));
  });

  test('name their tables by ARN too', async () => {
    const arn = 'arn:aws:dynamodb:eu-west-1:000000000000:table/Music';
    await transact([put('a', { TableName: arn }), put('b')]);
    expect(await itemOf('a')).toEqual(key('a'));
    const twice = transact([put('a', { TableName: arn }), put('a')]);
    expect(await refusal(twice)).toMatch(/multiple operations on one item$/);
  });
});

describe('the reasons of a cancelled transaction', () => {
  test('are in the order of the actions, and the message names their codes', async () => {
    await transact([put('there')]);
    const { message, reasons } = await cancellation(
      transact([put('new'), put('there', { ConditionExpression: 'attribute_not_exists(pk)' }), check('none')]),
    );
    expect(message).toBe(
      'Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed, ConditionalCheckFailed]',
    );
    expect(reasons).toEqual([
      { Code: 'None' },
      { Code: 'ConditionalCheckFailed', Message: 'The conditional request failed' },
      { Code: 'ConditionalCheckFailed', Message: 'The conditional request failed' },
    ]);
    expect(await itemOf('new')).toBeUndefined();
  });

  test('have the item where the action asks for it', async () => {
    await transact([put('there', { Item: { ...key('there'), n: { N: '1' } } })]);
    const wanted = { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' };
    const { reasons } = await cancellation(
      transact([
        check('there', 'n = :v', { ExpressionAttributeValues: { ':v': { N: '2' } }, ...wanted }),
        check('none', 'attribute_exists(pk)', wanted),
      ]),
    );
    expect(JSON.parse(Buffer.from((reasons[0]!.Item as RawJson).bytes).toString())).toEqual({
      ...key('there'),
      n: { N: '1' },
    });
    expect(reasons[1]).toEqual({ Code: 'ConditionalCheckFailed', Message: 'The conditional request failed' });
  });

  test.each([
    ['an operand of a wrong type', 'ADD pkk :one', 'An operand in the update expression has an incorrect data type'],
    [
      'an absent attribute',
      'SET a = absent',
      'The provided expression refers to an attribute that does not exist in the item',
    ],
    ['an invalid path', 'SET m.x = :one', 'The document path provided in the update expression is invalid for update'],
  ])('tell of an update that does not fit the item: %s', async (_, expression, text) => {
    await transact([put('there', { Item: { ...key('there'), pkk: { S: 'x' } } })]);
    const values = expression.includes(':one') ? {} : { ExpressionAttributeValues: undefined };
    const { reasons } = await cancellation(transact([put('new'), update('there', expression, values)]));
    expect(reasons).toEqual([{ Code: 'None' }, { Code: 'ValidationError', Message: text }]);
  });

  test('tell of an item that gets too large', async () => {
    const big = { ':one': { S: 'x'.repeat(410_000) } };
    const { reasons } = await cancellation(transact([update('a', 'SET n = :one', { ExpressionAttributeValues: big })]));
    expect(reasons).toEqual([
      { Code: 'ValidationError', Message: 'Item size to update has exceeded the maximum allowed size' },
    ]);
  });

  test('tell of conflicts and item collections', async () => {
    const three = [put('a'), put('b'), put('c')];
    router.client.failTransact = {
      kind: 'cancelled',
      reasons: [{ kind: 'conflict' }, { kind: 'collection-full' }, { kind: 'none' }],
    };
    expect(await cancellation(transact(three))).toEqual({
      message:
        'Transaction cancelled, please refer cancellation reasons for specific reasons [TransactionConflict, ItemCollectionSizeLimitExceeded, None]',
      reasons: [
        { Code: 'TransactionConflict', Message: 'Transaction is ongoing for the item' },
        { Code: 'ItemCollectionSizeLimitExceeded', Message: 'Collection size exceeded.' },
        { Code: 'None' },
      ],
    });
  });

  test('are none that a client could read if no action is to blame', async () => {
    router.client.failTransact = { kind: 'cancelled', reasons: [{ kind: 'none' }] };
    expect((await errorOf(transact([put('a')]))).name).toBe('ServiceUnavailableException');
    router.client.failTransact = { kind: 'cancelled', reasons: [{ kind: 'index-behind', index: 'nowhere' }] };
    expect((await errorOf(transact([put('a')]))).name).toBe('ServiceUnavailableException');
  });

  test('tell of an index that is behind, as of one that is throttled', async () => {
    const { indexes } = router.catalog.cached('', TableName)!;
    router.client.failTransact = {
      kind: 'cancelled',
      reasons: [{ kind: 'index-behind', index: indexes[0]!.storageId! }, { kind: 'none' }],
    };
    const { reasons } = await cancellation(transact([put('a'), put('b')]));
    expect(reasons).toEqual([
      { Code: 'ThrottlingError', Message: expect.stringMatching(/^Throughput exceeds the current capacity/) },
      { Code: 'None' },
    ]);
  });
});

describe('a request is refused as a whole', () => {
  const nested = (levels: number): object => (levels === 0 ? { S: 'x' } : { L: [nested(levels - 1)] });
  const refused: [string, TransactWriteItem[], string | RegExp][] = [
    [
      'for a member without an action',
      [put('a'), {}],
      'Invalid Request: TransactWriteRequest should contain Delete or Put or Update request',
    ],
    [
      'for a member with two',
      [{ ...put('a'), ...remove('b') }],
      'TransactItems can only contain one of Check, Put, Update or Delete',
    ],
    [
      'for one item twice',
      [put('a'), check('a')],
      'Transaction request cannot include multiple operations on one item',
    ],
    [
      'for bad syntax of a condition',
      [put('a', { ConditionExpression: 'a =' })],
      /^Invalid ConditionExpression: Syntax error; /,
    ],
    ['for bad syntax of an update', [update('a', 'ADD')], /^Invalid UpdateExpression: Syntax error; /],
    [
      'for paths that overlap',
      [update('a', 'SET a = :one REMOVE a.b')],
      /^Invalid UpdateExpression: Two document paths overlap/,
    ],
    [
      'for an unused value',
      [update('a', 'REMOVE a')],
      'Value provided in ExpressionAttributeValues unused in expressions: keys: {:one}',
    ],
    [
      'for an unused name',
      [check('a', 'attribute_exists(a)', { ExpressionAttributeNames: { '#b': 'b' } })],
      'Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}',
    ],
    [
      'for an empty map of values',
      [check('a', 'attribute_exists(a)', { ExpressionAttributeValues: {} })],
      'ExpressionAttributeValues must not be empty',
    ],
    [
      'for an invalid value of an expression',
      [update('a', 'SET a = :one', { ExpressionAttributeValues: { ':one': { SS: ['b', 'a', 'b'] } } })],
      'ExpressionAttributeValues contains invalid value: One or more parameter values were invalid: Input collection [b, a, b] contains duplicates. for key :one',
    ],
    [
      'for an invalid value of an item',
      [put('a', { Item: { ...key('a'), n: { N: '' } } })],
      'The parameter cannot be converted to a numeric value: ',
    ],
    [
      'for an item nested too deeply',
      [put('a', { Item: { ...key('a'), l: nested(40) } })],
      /^Nesting Levels have exceeded supported limits/,
    ],
    [
      'for an item that is too large',
      [put('a', { Item: { ...key('a'), s: { S: 'x'.repeat(410_000) } } })],
      'Item size has exceeded the maximum allowed size',
    ],
    [
      'for an empty key',
      [check('none'), remove('')],
      'One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk',
    ],
    [
      'for an empty key of an index',
      [put('a', { Item: { ...key('a'), a: { S: '' } } })],
      'One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: by-a, IndexKey: a',
    ],
    [
      'for an update that empties a key of an index',
      [update('a', 'SET a = :one', { ExpressionAttributeValues: { ':one': { S: '' } } })],
      'One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty string value.',
    ],
  ];
  test.each(refused)('%s', async (_, members, text) => {
    const error = await errorOf(transact(members));
    expect(error.name).toBe('ValidationException');
    expect(error.message).toEqual(typeof text === 'string' ? text : expect.stringMatching(text));
    expect(router.client.calls).not.toContain('transact');
  });

  test('for a table that is not there', async () => {
    const error = await errorOf(transact([check('none'), put('a', { TableName: 'Nowhere' })]));
    expect([error.name, error.message]).toEqual(['ResourceNotFoundException', 'Requested resource not found']);
  });

  test('for more than 4 MB, and not for 4 MB', async () => {
    const itemOfBytes = (pk: string, bytes: number) =>
      put(pk, { Item: { ...key(pk), s: { S: 'x'.repeat(bytes - 4) } } });
    const items = Array.from({ length: 10 }, (_, at) => itemOfBytes(`${at}`, 409_600));
    const rest = 4 * 1024 * 1024 - 10 * 409_600;
    expect(await refusal(transact([...items, itemOfBytes('x', rest + 1)]))).toBe(
      'ValidationException: The aggregate size of the items in the transaction exceeded 4 MB.',
    );
    expect(router.client.calls).not.toContain('transact');
    await transact([...items, itemOfBytes('x', rest)]);
    expect(await itemOf('9')).toBeDefined();
  });

  test('for a table in dynamo mode', async () => {
    await router.create(tableRequest({ TableName: 'Loose', Tags: [{ Key: 'dynaring:consistency', Value: 'dynamo' }] }));
    expect(await refusal(transact([put('a', { TableName: 'Loose' })]))).toBe(
      'ValidationException: Transactions are not supported on a table in dynamo mode, whose writes are not ordered. Table: Loose',
    );
  });

  test('but not for names and values without any expression', async () => {
    const unused = { ExpressionAttributeNames: { '#a': 'a' }, ExpressionAttributeValues: { ':a': { S: 'a' } } };
    await transact([put('a', unused), remove('b', unused)]);
    expect(await itemOf('a')).toEqual(key('a'));
  });
});

describe('a fault of a key is a reason', () => {
  const mismatch = 'The provided key element does not match the schema';
  const number = { pk: { N: '1' } };
  test.each<[string, TransactWriteItem, string]>([
    ['a key of a wrong type', remove('', { Key: number }), mismatch],
    ['a key with too many parts', update('', 'ADD n :one', { Key: { ...key('a'), sk: { S: 'a' } } }), mismatch],
    ['a key that is no scalar', check('', 'attribute_exists(a)', { Key: { pk: { L: [] } } }), mismatch],
    [
      'an item whose key has a wrong type',
      put('', { Item: number }),
      'One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N',
    ],
    [
      'an item without its key',
      put('', { Item: { a: { S: 'a' } } }),
      'One or more parameter values were invalid: Missing the key pk in the item',
    ],
    [
      'an item with a key of an index of a wrong type',
      put('a', { Item: { ...key('a'), a: { N: '1' } } }),
      'One or more parameter values were invalid: Type mismatch for Index Key a Expected: S Actual: N IndexName: by-a',
    ],
    [
      'an update of a key of an index to a wrong type',
      update('a', 'SET a = :one'),
      'One or more parameter values were invalid: Type mismatch for Index Key a Expected: S Actual: N IndexName: by-a',
    ],
    [
      'an update of the key',
      update('a', 'SET pk = :one'),
      'One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key',
    ],
    [
      'a path into the key',
      update('a', 'REMOVE pk.b', { ExpressionAttributeValues: undefined }),
      "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk",
    ],
  ])('%s', async (_, member, Message) => {
    const { message, reasons } = await cancellation(transact([check('none'), member, remove('', { Key: number })]));
    expect(message).toMatch(/\[None, ValidationError, None\]$/);
    expect(reasons).toEqual([{ Code: 'None' }, { Code: 'ValidationError', Message }, { Code: 'None' }]);
    expect(router.client.calls).not.toContain('transact');
  });

  test('and so is a value of an update that is nested too deeply', async () => {
    const value = JSON.parse(`${'{"L":['.repeat(40)}${']}'.repeat(40)}`);
    const { reasons } = await cancellation(
      transact([put('a'), update('b', 'SET a = :one', { ExpressionAttributeValues: { ':one': value } })]),
    );
    expect(reasons).toEqual([
      { Code: 'None' },
      { Code: 'ValidationError', Message: expect.stringMatching(/^Nesting Levels have exceeded supported limits/) },
    ]);
  });

  test('before it is looked whether an item is named twice', async () => {
    const { reasons } = await cancellation(transact([put('a'), put('a'), remove('', { Key: number })]));
    expect(reasons.map(({ Code }) => Code)).toEqual(['None', 'None', 'ValidationError']);
  });
});

describe('a token', () => {
  const ClientRequestToken = 'token';

  test('makes a repetition succeed without doing it again', async () => {
    await transact([update('a')], { ClientRequestToken });
    expect(await transact([update('a')], { ClientRequestToken })).toEqual({});
    expect(await itemOf('a')).toEqual({ ...key('a'), n: { N: '1' } });
    await transact([update('a')]);
    await transact([update('a')], { ClientRequestToken: 'other' });
    expect(await itemOf('a')).toEqual({ ...key('a'), n: { N: '3' } });
  });

  test('is one of a namespace', async () => {
    const context = { accessKeyId: 'dynaringnsother' };
    await router.execute('CreateTable', tableRequest(), context);
    await transact([update('a')], { ClientRequestToken });
    const request = { TransactItems: [update('a')], ClientRequestToken };
    await router.execute('TransactWriteItems', request, context);
    const { Item } = await router.execute('GetItem', { TableName, Key: key('a') }, context);
    expect(Buffer.from(Item.bytes).toString()).toContain('"n"');
  });

  test('is refused with another transaction', async () => {
    await transact([update('a')], { ClientRequestToken });
    for (const other of [[update('b')], [update('a', 'SET n = :one')], [update('a'), put('b')], [remove('a')]]) {
      const error = await errorOf(transact(other, { ClientRequestToken }));
      expect([error.name, error.message]).toEqual([
        'IdempotentParameterMismatchException',
        expect.stringMatching(/^DynamoDB rejected the request because you retried a request with a different payload/),
      ]);
    }
  });

  test('is good for whatever means the same', async () => {
    const M = { x: { SS: ['a', 'b'] }, y: { L: [{ M: { p: { N: '1' }, q: { S: '' } } }] } };
    const item = { ...key('a'), n: { N: '1' }, m: { M } };
    await transact([put('a', { Item: item })], { ClientRequestToken });
    const same = {
      m: { M: { y: { L: [{ M: { q: { S: '' }, p: { N: '1.0' } } }] }, x: { SS: ['b', 'a'] } } },
      n: { N: '01' },
      ...key('a'),
    };
    const TableArn = 'arn:aws:dynamodb:us-east-1:000000000000:table/Music';
    const again = { Put: { Item: same, TableName: TableArn } };
    expect(await transact([again], { ClientRequestToken, ReturnConsumedCapacity: 'TOTAL' })).toBeDefined();
    const other = { ...same, m: { M: { ...same.m.M, x: { L: [{ S: 'a' }, { S: 'b' }] } } } };
    expect(await refusal(transact([put('a', { Item: other })], { ClientRequestToken }))).toMatch(/^Idempotent/);
  });

  test('of a transaction under way is told so', async () => {
    router.client.failTransact = { kind: 'in-progress' };
    const error = await errorOf(transact([put('a')], { ClientRequestToken }));
    expect([error.name, error.message]).toEqual([
      'TransactionInProgressException',
      'Transaction from previous request is still in progress',
    ]);
  });

  test('of a transaction that was cancelled may be used again', async () => {
    await cancellation(transact([check('a')], { ClientRequestToken }));
    await transact([put('a')], { ClientRequestToken });
    expect(await itemOf('a')).toEqual(key('a'));
  });
});

describe('what the cluster cannot do', () => {
  test.each([
    [{ kind: 'unavailable', needed: 2, got: 1 }, 'ServiceUnavailableException', 503],
    [{ kind: 'overloaded' }, 'ServiceUnavailableException', 503],
    [{ kind: 'unknown' }, 'InternalServerError', 500],
  ] as const)('%o', async (outcome, name, status) => {
    router.client.failTransact = outcome;
    const error = await errorOf(transact([put('a')]));
    expect([error.name, error.status]).toEqual([name, status]);
  });

  test('a single write that meets a transaction is told so', async () => {
    const { storageId } = router.catalog.cached('', TableName)!;
    await transact([put('a')]);
    router.client.held.add(nameOf({ table: storageId, partitionKey: 'a', sortKey: '' }));
    const requests = [
      ['PutItem', { TableName, Item: key('a') }],
      ['DeleteItem', { TableName, Key: key('a') }],
      ['UpdateItem', { TableName, Key: key('a'), UpdateExpression: 'REMOVE n' }],
    ] as const;
    for (const [operation, request] of requests) {
      const error = await errorOf(router.execute(operation, request));
      expect([error.name, error.message]).toEqual([
        'TransactionConflictException',
        'Transaction is ongoing for the item',
      ]);
    }
    const batch = [{ DeleteRequest: { Key: key('a') } }];
    const answer = await router.execute('BatchWriteItem', { RequestItems: { [TableName]: batch } });
    expect(answer).toEqual({ UnprocessedItems: { [TableName]: batch } });
    const { reasons } = await cancellation(transact([put('b'), put('a')]));
    expect(reasons.map(({ Code }) => Code)).toEqual(['None', 'TransactionConflict']);
  });
});

describe('consumed capacity', () => {
  const big = (pk: string, bytes: number) => put(pk, { Item: { ...key(pk), s: { S: 'x'.repeat(bytes - 5) } } });
  const other = { Put: { TableName: 'Sorted', Item: { ...key('a'), sk: { S: 'b' } } } };
  const capacity = async (members: readonly TransactWriteItem[], level: 'TOTAL' | 'INDEXES', token?: string) => {
    const more = { ReturnConsumedCapacity: level, ...(token !== undefined && { ClientRequestToken: token }) };
    return (await transact(members, more)).ConsumedCapacity;
  };

  test('is twice that of single writes, by table', async () => {
    expect(
      await capacity([big('a', 1_500), put('b'), other, check('none', 'attribute_not_exists(pk)')], 'TOTAL'),
    ).toEqual([
      { TableName, CapacityUnits: 8, WriteCapacityUnits: 8 },
      { TableName: 'Sorted', CapacityUnits: 2, WriteCapacityUnits: 2 },
    ]);
  });

  test('is that of the larger item before and after, and of the item that a check looks at', async () => {
    await transact([big('a', 3_000), big('b', 3_000)]);
    expect(await capacity([remove('a'), check('b')], 'INDEXES')).toEqual([
      { TableName, CapacityUnits: 12, WriteCapacityUnits: 12, Table: { CapacityUnits: 12, WriteCapacityUnits: 12 } },
    ]);
  });

  test('is once that of single writes for indexes', async () => {
    expect(await capacity([put('a', { Item: { ...key('a'), a: { S: 'x' } } })], 'INDEXES')).toEqual([
      {
        TableName,
        CapacityUnits: 3,
        WriteCapacityUnits: 3,
        Table: { CapacityUnits: 2, WriteCapacityUnits: 2 },
        GlobalSecondaryIndexes: { 'by-a': { CapacityUnits: 1, WriteCapacityUnits: 1 } },
      },
    ]);
  });

  test('is in reads for a repetition', async () => {
    const members = [big('a', 5_000), check('none', 'attribute_not_exists(pk)')];
    await capacity(members, 'TOTAL', 'token');
    expect(await capacity(members, 'INDEXES', 'token')).toEqual([
      { TableName, CapacityUnits: 6, ReadCapacityUnits: 6, Table: { CapacityUnits: 6, ReadCapacityUnits: 6 } },
    ]);
  });
});

describe('item collections', () => {
  test('are told of those that were written', async () => {
    await router.create(
      sortedTableRequest({
        TableName: 'Local',
        AttributeDefinitions: definitions('pk', 'sk', 'a'),
        LocalSecondaryIndexes: [index('by-a', 'pk', 'a')],
      }),
    );
    const local = (pk: string, sk: string) => ({ Put: { TableName: 'Local', Item: { ...key(pk), sk: { S: sk } } } });
    const checked = {
      ConditionCheck: {
        TableName: 'Local',
        Key: { ...key('z'), sk: { S: '1' } },
        ConditionExpression: 'attribute_not_exists(pk)',
      },
    };
    const answer = await transact([local('x', '1'), local('x', '2'), local('y', '1'), put('a'), checked], {
      ReturnItemCollectionMetrics: 'SIZE',
    });
    expect(answer).toEqual({
      ItemCollectionMetrics: {
        Local: [
          { ItemCollectionKey: key('x'), SizeEstimateRangeGB: [0, 1] },
          { ItemCollectionKey: key('y'), SizeEstimateRangeGB: [0, 1] },
        ],
      },
    });
  });
});

describe('limited throughput', () => {
  let nowMs: number;
  let limited: (members: readonly TransactWriteItem[], more?: object) => Promise<object>;

  beforeEach(async () => {
    nowMs = 0;
    const throughput = new ThroughputGate({ elapsedMs: () => nowMs });
    const { execute } = createRouter({
      client: router.client,
      streams: router.client.streams,
      newId: randomUUID,
      throughput,
    });
    const { BillingMode: _, ...provisioned } = tableRequest({
      TableName: 'Slow',
      ProvisionedThroughput: { ReadCapacityUnits: 10, WriteCapacityUnits: 5 },
    });
    await execute('CreateTable', provisioned, CONTEXT);
    const ofSlow = (member: TransactWriteItem) =>
      Object.fromEntries(Object.entries(member).map(([kind, action]) => [kind, { ...action, TableName: 'Slow' }]));
    limited = (members, more) =>
      execute('TransactWriteItems', { TransactItems: members.map(ofSlow), ...more }, CONTEXT);
  });

  test('cancels what finds no units, and charges nothing for it', async () => {
    await limited([put('a'), put('b')]);
    const { reasons } = await cancellation(limited([put('c'), put('d')]));
    expect(reasons).toEqual([
      {
        Code: 'ProvisionedThroughputExceeded',
        Message: expect.stringMatching(/^The level of configured provisioned throughput for the table was exceeded\./),
      },
      {
        Code: 'ProvisionedThroughputExceeded',
        Message: expect.stringMatching(/^The level of configured provisioned throughput for the table was exceeded\./),
      },
    ]);
    // One unit is left; the next comes in a fifth of a second.
    nowMs += 200;
    await limited([put('c')]);
    expect((await errorOf(limited([put('c')]))).name).toBe('TransactionCanceledException');
  });

  test('gives back what the first action took if the second finds none', async () => {
    await limited([put('a')]);
    const { reasons } = await cancellation(limited([put('b'), put('c')]));
    expect(reasons.map(({ Code }) => Code)).toEqual(['None', 'ProvisionedThroughputExceeded']);
    await limited([put('b')]);
  });

  test('charges a repetition as reads', async () => {
    const token = { ClientRequestToken: 'token' };
    await limited([put('a'), put('b')], token);
    nowMs += 1_000;
    for (let times = 0; times < 2; times++) await limited([put('a'), put('b')], token);
    // Ten reads in a second were there; eight are used, and no write.
    await limited([put('c'), put('d')]);
    nowMs += 1_000;
    await limited([put('a'), put('b')], token);
  });
});
