import {
  ConditionalCheckFailedException,
  CreateTableCommand,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  ResourceNotFoundException,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTable, keysOf, tableInput } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

const TableName = 'Items';
const Key = { pk: { S: 'a' } };
const Item = {
  ...Key,
  n: { N: '10' },
  s: { S: 'text' },
  l: { L: [{ S: 'zero' }, { S: 'one' }, { S: 'two' }] },
  m: { M: { x: { N: '1' }, y: { M: { z: { S: 'deep' } } } } },
  ss: { SS: ['a', 'b'] },
};
let server: TestServer;

beforeAll(async () => {
  server = await startServer();
  await createTable(server.client, TableName);
});
beforeEach(() => server.client.send(new PutItemCommand({ TableName, Item })));
afterAll(() => server.stop());

type Values = UpdateItemCommandInput['ExpressionAttributeValues'];

const send = (rest: Partial<UpdateItemCommandInput>) =>
  server.client.send(new UpdateItemCommand({ TableName, Key, ...rest }));
const update = (UpdateExpression: string, ExpressionAttributeValues?: Values, rest = {}) =>
  send({ UpdateExpression, ExpressionAttributeValues, ...rest });
const stored = async (key = Key) =>
  (await server.client.send(new GetItemCommand({ TableName, Key: key, ConsistentRead: true }))).Item;

test('all clauses together change the item as it was', async () => {
  await update('SET n = n - :one, m.y.z = s, was = n REMOVE l[0], m.x ADD ss :c, fresh :one DELETE bs :b', {
    ':one': { N: '1' },
    ':c': { SS: ['c', 'a'] },
    ':b': { BS: [Uint8Array.of(1)] },
  });
  expect(await stored()).toEqual({
    ...Key,
    n: { N: '9' },
    was: { N: '10' },
    s: { S: 'text' },
    l: { L: [{ S: 'one' }, { S: 'two' }] },
    m: { M: { y: { M: { z: { S: 'text' } } } } },
    ss: { SS: ['a', 'b', 'c'] },
    fresh: { N: '1' },
  });
});

test('an item that is not there is made, with its key, even by an update that says nothing', async () => {
  const other = { pk: { S: 'nothing-said' } };
  expect((await send({ Key: other, ReturnValues: 'ALL_NEW' })).Attributes).toEqual(other);
  expect(await stored(other)).toEqual(other);
  await server.client.send(new DeleteItemCommand({ TableName, Key }));
  const answer = await update('ADD n :n SET l = list_append(if_not_exists(l, :l), :l)', {
    ':n': { N: '-0.5' },
    ':l': { L: [{ N: '1' }] },
  });
  expect(answer.Attributes).toBeUndefined();
  expect(await stored()).toEqual({ ...Key, n: { N: '-0.5' }, l: { L: [{ N: '1' }, { N: '1' }] } });
});

test.each<[NonNullable<UpdateItemCommandInput['ReturnValues']>, object | undefined]>([
  ['NONE', undefined],
  ['ALL_OLD', Item],
  ['UPDATED_OLD', { n: { N: '10' }, m: { M: { x: { N: '1' } } }, l: { L: [{ S: 'one' }] }, s: { S: 'text' } }],
  [
    'ALL_NEW',
    { ...Item, n: { N: '11' }, m: { M: { ...Item.m.M, x: { S: 'new' } } }, l: expect.anything(), s: undefined },
  ],
  ['UPDATED_NEW', { n: { N: '11' }, m: { M: { x: { S: 'new' } } }, l: { L: [{ S: 'new' }] } }],
])('ReturnValues %s', async (ReturnValues, attributes) => {
  const values = { ':one': { N: '1' }, ':new': { S: 'new' } };
  const answer = await update('SET m.x = :new, l[1] = :new REMOVE s ADD n :one', values, { ReturnValues });
  expect(answer.Attributes).toEqual(attributes);
});

test('a condition that fails changes nothing, and shows the item on request', async () => {
  const refused = await update(
    'SET n = :n',
    { ':n': { N: '0' }, ':old': { N: '11' } },
    { ConditionExpression: 'n = :old', ReturnValuesOnConditionCheckFailure: 'ALL_OLD' },
  ).catch((error) => error);
  expect(refused).toBeInstanceOf(ConditionalCheckFailedException);
  expect(refused.Item).toEqual(Item);
  expect(await stored()).toEqual(Item);
});

test('units are those of the larger item', async () => {
  const level = { ReturnConsumedCapacity: 'TOTAL' };
  const units = async (expression: string, values?: Values) =>
    (await update(expression, values, level)).ConsumedCapacity?.CapacityUnits;
  expect(await units('SET t = :t', { ':t': { S: '' } })).toBe(1);
  expect(await units('SET s = :s', { ':s': { S: 'x'.repeat(3100) } })).toBe(4);
  expect(await units('REMOVE s')).toBe(4);
});

// Recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1: what the request alone is refused for is enveloped.
const detected = '1 validation error detected: ';

describe('the legacy AttributeUpdates', () => {
  test('put, add and delete', async () => {
    const answer = await send({
      AttributeUpdates: {
        s: { Value: { S: 'put' } },
        n: { Action: 'ADD', Value: { N: '2.5' } },
        l: { Action: 'ADD', Value: { L: [{ S: 'three' }] } },
        ss: { Action: 'DELETE', Value: { SS: ['a', 'b'] } },
        m: { Action: 'DELETE' },
      },
      Expected: { n: { Value: { N: '10' } } },
      ReturnValues: 'ALL_NEW',
    });
    expect(answer.Attributes).toEqual({
      ...Key,
      s: { S: 'put' },
      n: { N: '12.5' },
      l: { L: [...Item.l.L, { S: 'three' }] },
    });
  });

  test('that only delete make no item', async () => {
    await send({ Key: { pk: { S: 'gone' } }, AttributeUpdates: { s: { Action: 'DELETE' } } });
    expect(await stored({ pk: { S: 'gone' } })).toBeUndefined();
  });

  const invalid = 'One or more parameter values were invalid: ';
  test.each<[string, UpdateItemCommandInput['AttributeUpdates'], string]>([
    ['a key', { pk: { Value: { S: 'b' } } }, `${invalid}Cannot update attribute pk. This attribute is part of the key`],
    [
      'a put of nothing',
      { s: { Action: 'PUT' } },
      `${detected}${invalid}Only DELETE action is allowed when no attribute value is specified`,
    ],
    [
      'ADD of a string',
      { s: { Action: 'ADD', Value: { S: '' } } },
      `${detected}${invalid}ADD action is not supported for the type S`,
    ],
    [
      'DELETE of a number',
      { n: { Action: 'DELETE', Value: { N: '1' } } },
      `${detected}${invalid}DELETE action with value is not supported for the type N`,
    ],
    ['another type', { s: { Action: 'ADD', Value: { N: '1' } } }, 'Type mismatch for attribute to update'],
  ])('%s is refused', async (_, AttributeUpdates, message) => {
    await expect(send({ AttributeUpdates })).rejects.toMatchObject({ name: 'ValidationException', message });
    expect(await stored()).toEqual(Item);
  });
});

const one = { ':v': { N: '1' } };
const text = { ':v': { S: 'x' } };
const inExpression = `${detected}Invalid UpdateExpression: `;
const noPath = 'The document path provided in the update expression is invalid for update';
const noAttribute = 'The provided expression refers to an attribute that does not exist in the item';
const wrongType = 'An operand in the update expression has an incorrect data type';

test.each<[string, Values, string]>([
  ['', undefined, `${inExpression}The expression can not be empty;`],
  ['SET', undefined, `${inExpression}Syntax error; token: "<EOF>", near: "SET"`],
  ['SET x = n + n + n', undefined, `${inExpression}Syntax error; token: "+", near: "n + n"`],
  ['ADD x n', undefined, `${inExpression}Syntax error; token: "n", near: "x n"`],
  ['SET x = n SET y = n', undefined, `${inExpression}The "SET" section can only be used once in an update expression;`],
  [
    'SET x = :v, x.y = :v',
    one,
    `${inExpression}Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [x], path two: [x, y]`,
  ],
  [
    'SET x.y = :v REMOVE x[0]',
    one,
    `${inExpression}Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [x, y], path two: [x, [0]]`,
  ],
  ['SET size = :v', one, `${inExpression}Attribute name is a reserved keyword; reserved keyword: size`],
  ['SET x = size(s)', undefined, `${inExpression}The function is not allowed in an update expression; function: size`],
  ['SET x = later(s)', undefined, `${inExpression}Invalid function name; function: later`],
  [
    'SET x = if_not_exists(:v, n)',
    one,
    `${inExpression}Operator or function requires a document path; operator or function: if_not_exists`,
  ],
  [
    'SET x = list_append(l)',
    undefined,
    `${inExpression}Incorrect number of operands for operator or function; operator or function: list_append, number of operands: 1`,
  ],
  [
    'SET x = n + :v',
    text,
    `${inExpression}Incorrect operand type for operator or function; operator or function: +, operand type: S`,
  ],
  [
    'ADD n :v',
    text,
    `${inExpression}Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND`,
  ],
  [
    'DELETE n :v',
    one,
    `${inExpression}Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND`,
  ],
  [
    'SET x = :w',
    one,
    `${inExpression}An expression attribute value used in expression is not defined; attribute value: :w`,
  ],
  [
    'SET #x = n',
    undefined,
    `${inExpression}An expression attribute name used in the document path is not defined; attribute name: #x`,
  ],
  ['REMOVE n', one, `${detected}Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}`],
  [
    'REMOVE pk',
    undefined,
    'One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key',
  ],
  ['SET gone.x = :v', one, noPath],
  ['SET l.x = :v', one, noPath],
  ['SET m[0] = :v', one, noPath],
  ['SET l[9].x = :v', one, noPath],
  ['REMOVE gone[1]', undefined, noPath],
  ['SET x = gone', undefined, noAttribute],
  ['SET gone = gone + :v', one, noAttribute],
  ['SET x = s + :v', one, wrongType],
  ['SET x = list_append(l, n)', undefined, wrongType],
  ['ADD s :v', one, wrongType],
  ['DELETE n :v', { ':v': { SS: ['a'] } }, wrongType],
  // Recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1: also what needs more than 38 digits.
  [
    'ADD n :v',
    { ':v': { N: '1e50' } },
    'Number overflow. Attempting to store a number with magnitude larger than supported range',
  ],
  [
    'SET big = :v + :v',
    { ':v': { N: '9e125' } },
    'Number overflow. Attempting to store a number with magnitude larger than supported range',
  ],
  ['SET x = :v', { ':v': { S: 'x'.repeat(409_600) } }, 'Item size to update has exceeded the maximum allowed size'],
])('%s is refused in the words of the service', async (expression, values, message) => {
  await expect(update(expression, values)).rejects.toMatchObject({ name: 'ValidationException', message });
  expect(await stored()).toEqual(Item);
});

test.each<[string, Partial<UpdateItemCommandInput>, string]>([
  [
    'both sorts of parameters',
    { UpdateExpression: 'REMOVE n', AttributeUpdates: { s: { Action: 'DELETE' } } },
    `${detected}Can not use both expression and non-expression parameters in the same request: ` +
      'Non-expression parameters: {AttributeUpdates} Expression parameters: {UpdateExpression}',
  ],
  [
    'values without an expression',
    { ExpressionAttributeValues: one },
    `${detected}ExpressionAttributeValues can only be specified when using expressions`,
  ],
  ['another key', { Key: { id: { S: 'a' } } }, 'The provided key element does not match the schema'],
])('%s is refused', async (_, rest, message) => {
  await expect(send(rest)).rejects.toMatchObject({ name: 'ValidationException', message });
});

test('a table that is not there is not found', async () => {
  await expect(send({ TableName: 'Missing' })).rejects.toThrow(ResourceNotFoundException);
});

describe('a table with indexes', () => {
  const inIndexed = (UpdateExpression: string, values?: Values, rest = {}) =>
    update(UpdateExpression, values, { TableName: 'Indexed', Key: { pk: { S: 'p' }, sk: { S: 's' } }, ...rest });

  beforeAll(async () => {
    const keys = keysOf('pk', 'sk', 'date', 'tag');
    const input = tableInput('Indexed', {
      KeySchema: keys.KeySchema.slice(0, 2),
      AttributeDefinitions: keys.AttributeDefinitions,
      LocalSecondaryIndexes: [
        { IndexName: 'byDate', KeySchema: keysOf('pk', 'date').KeySchema, Projection: { ProjectionType: 'KEYS_ONLY' } },
      ],
      GlobalSecondaryIndexes: [
        { IndexName: 'byTag', KeySchema: keysOf('tag').KeySchema, Projection: { ProjectionType: 'ALL' } },
      ],
    });
    await server.client.send(new CreateTableCommand(input));
  });

  test('tells the units of each index, and the collection', async () => {
    const rest = { ReturnConsumedCapacity: 'INDEXES', ReturnItemCollectionMetrics: 'SIZE' };
    await inIndexed('SET tag = :t', { ':t': { S: 'old' } });
    expect(await inIndexed('SET tag = :t', { ':t': { S: 'new' } }, rest)).toMatchObject({
      ConsumedCapacity: {
        CapacityUnits: 3,
        Table: { CapacityUnits: 1 },
        GlobalSecondaryIndexes: { byTag: { CapacityUnits: 2 } },
      },
      ItemCollectionMetrics: { ItemCollectionKey: { pk: { S: 'p' } }, SizeEstimateRangeGB: [0, 1] },
    });
  });

  test.each<[string, Values, string]>([
    [
      'SET tag = :v',
      one,
      'One or more parameter values were invalid: Type mismatch for Index Key tag Expected: S Actual: N IndexName: byTag',
    ],
    [
      'SET tag = if_not_exists(elsewhere, :v)',
      { ':v': { S: '' } },
      'One or more parameter values are not valid. The update expression attempted to update a secondary index key to a ' +
        'value that is not supported. The AttributeValue for a key attribute cannot contain an empty string value.',
    ],
  ])('refuses %s', async (expression, values, message) => {
    await expect(inIndexed(expression, values)).rejects.toMatchObject({ name: 'ValidationException', message });
  });
});
