import {
  type AttributeValue,
  BatchGetItemCommand,
  type BatchGetItemCommandInput,
  CreateTableCommand,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
  UpdateTableCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTable, keysOf, tableInput } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

/**
 * Values, keys and paths as the service takes and refuses them: recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1.
 * What PutItem, UpdateItem and DeleteItem refuse for the request alone stands in an envelope.
 */
const TableName = 'Values';
const Key = { pk: { S: 'a' } };
const invalid = 'One or more parameter values were invalid: ';
let server: TestServer;

beforeAll(async () => {
  server = await startServer();
  const byTag = (IndexName: string) => ({
    IndexName,
    KeySchema: [{ AttributeName: 'tag', KeyType: 'HASH' as const }],
    Projection: { ProjectionType: 'ALL' as const },
  });
  await server.client.send(
    new CreateTableCommand({
      ...tableInput(TableName),
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'tag', AttributeType: 'S' },
      ],
      GlobalSecondaryIndexes: [byTag('zebra'), byTag('ant')],
    }),
  );
});
afterAll(() => server.stop());

const send = (rest: Partial<UpdateItemCommandInput>) =>
  server.client.send(new UpdateItemCommand({ TableName, Key, ...rest }));
const put = (Item: Record<string, AttributeValue>, rest = {}) =>
  server.client.send(new PutItemCommand({ TableName, Item: { ...Key, ...Item }, ...rest }));
const get = (rest = {}, name = TableName) =>
  server.client.send(new GetItemCommand({ TableName: name, Key, ConsistentRead: true, ...rest }));
const scan = (rest = {}) => server.client.send(new ScanCommand({ TableName, ...rest }));
const batchGet = (RequestItems: BatchGetItemCommandInput['RequestItems']) =>
  server.client.send(new BatchGetItemCommand({ RequestItems }));

async function refusal(answer: Promise<unknown>): Promise<string> {
  return answer.then(
    () => 'no refusal',
    (error: Error) => `${error.name}: ${error.message}`,
  );
}
/** The refusal of a request alone, by an operation that has the envelope. */
const enveloped = (text: string) => `ValidationException: 1 validation error detected: ${text}`;

describe('sets with duplicates', () => {
  test.each<[AttributeValue, string]>([
    [{ SS: ['b', 'a', 'b'] }, `${invalid}Input collection ["a", "b", "b"] contains duplicates.`],
    [{ NS: ['1', '1.0'] }, `${invalid}Input collection contains duplicates.`],
    [
      { BS: [Uint8Array.of(0), Uint8Array.of(255), Uint8Array.of(0)] },
      `${invalid}Input collection ["AA==","/w==","AA=="]of type BS contains duplicates.`,
    ],
  ])('are refused by PutItem: %j', async (v, text) => {
    expect(await refusal(put({ v }))).toBe(enveloped(text));
    const update = { UpdateExpression: 'SET v = :v', ExpressionAttributeValues: { ':v': v } };
    expect(await refusal(send(update))).toBe(enveloped(text));
  });

  test('are refused by Scan in the older form, and with the name of the placeholder', async () => {
    const values = (v: AttributeValue) => scan({ FilterExpression: 'v = :v', ExpressionAttributeValues: { ':v': v } });
    expect(await refusal(values({ SS: ['b', 'a', 'b'] }))).toBe(
      `ValidationException: ExpressionAttributeValues contains invalid value: ${invalid}Input collection [b, a, b] contains duplicates. for key :v`,
    );
    expect(await refusal(values({ NS: ['1', '1'] }))).toBe(
      'ValidationException: ExpressionAttributeValues contains invalid value: Input collection contains duplicates for key :v',
    );
  });
});

describe('numbers', () => {
  test.each([
    ['', 'The parameter cannot be converted to a numeric value: '],
    ['1e2147483648', 'Number overflow. Attempting to store a number with magnitude larger than supported range'],
    ['0e-131', 'Number underflow. Attempting to store a number with magnitude smaller than supported range'],
    ['1e9223372036854775808', 'The parameter cannot be converted to a numeric value: 1e9223372036854775808'],
  ])('like "%s" are refused', async (number, text) => {
    expect(await refusal(put({ v: { N: number } }))).toBe(enveloped(text));
  });

  test('of zero may have any exponent in the range', async () => {
    await put({ v: { N: '0e125' } });
    expect((await get()).Item?.v).toEqual({ N: '0' });
  });
});

describe('keys of indexes', () => {
  test('of a wrong type are reported of the first index by name', async () => {
    const end = `${invalid}Type mismatch for Index Key tag Expected: S Actual: N IndexName: ant`;
    expect(await refusal(put({ tag: { N: '1' } }))).toBe(`ValidationException: ${end}`);
  });

  test('that UpdateItem makes empty are reported without the index', async () => {
    const empty = { UpdateExpression: 'SET tag = :v', ExpressionAttributeValues: { ':v': { S: '' } } };
    expect(await refusal(send(empty))).toBe(
      'ValidationException: One or more parameter values are not valid. The update expression attempted to update a ' +
        'secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an ' +
        'empty string value.',
    );
    const legacy = await refusal(send({ AttributeUpdates: { tag: { Value: { S: '' } } } }));
    expect(legacy).toMatch(/The AttributeValue for a key attribute cannot contain an empty string value\.$/);
  });

  test('are no place in an index that is added later, where items have others: empty, too long, of another type', async () => {
    const name = 'Grows';
    await createTable(server.client, name);
    const tags: AttributeValue[] = [
      { S: 'good' },
      { S: '' },
      { S: 'x'.repeat(2_049) },
      { S: 'x'.repeat(2_048) },
      { N: '1' },
    ];
    for (const [at, tag] of tags.entries()) await put({ pk: { S: `p${at}` }, tag }, { TableName: name });
    await server.client.send(
      new UpdateTableCommand({
        TableName: name,
        AttributeDefinitions: keysOf('tag').AttributeDefinitions,
        GlobalSecondaryIndexUpdates: [
          {
            Create: {
              IndexName: 'late',
              KeySchema: keysOf('tag').KeySchema,
              Projection: { ProjectionType: 'ALL' },
            },
          },
        ],
      }),
    );
    const { Items } = await scan({ TableName: name, IndexName: 'late' });
    expect(Items!.map(({ pk }) => pk!.S).sort()).toEqual(['p0', 'p3']);
  });
});

describe('UpdateItem', () => {
  test('of an item that is not there finds its key attributes', async () => {
    for (const [pk, UpdateExpression] of [
      ['new-1', 'SET b = pk'],
      ['new-2', 'SET b = if_not_exists(b, pk)'],
    ] as const) {
      const item = { pk: { S: pk } };
      const { Attributes } = await send({ Key: item, UpdateExpression, ReturnValues: 'ALL_NEW' });
      expect(Attributes).toEqual({ ...item, b: { S: pk } });
    }
  });

  test('that removes what is below nothing makes no item', async () => {
    const none = { pk: { S: 'none' } };
    await send({ Key: none, UpdateExpression: 'REMOVE x.y, z[0]' });
    expect((await get({ Key: none })).Item).toBeUndefined();
  });

  test('that removes a list element returns the one that stands there now', async () => {
    await put({ a: { M: { c: { L: ['0', '1', '2'].map((N) => ({ N })) } } } });
    const { Attributes } = await send({ UpdateExpression: 'REMOVE a.c[1]', ReturnValues: 'UPDATED_NEW' });
    expect(Attributes).toEqual({ a: { M: { c: { L: [{ N: '2' }] } } } });
    const last = await send({ UpdateExpression: 'REMOVE a.c[1]', ReturnValues: 'UPDATED_NEW' });
    expect(last.Attributes).toBeUndefined();
  });

  test('by an expression makes items that are a little smaller than those of AttributeUpdates', async () => {
    const sized = (bytes: number): AttributeValue => ({ S: 'x'.repeat(bytes - 'pk'.length - 'a'.length - 'v'.length) });
    const byExpression = (bytes: number) =>
      send({ UpdateExpression: 'SET v = :v', ExpressionAttributeValues: { ':v': sized(bytes) } });
    const legacy = (bytes: number) => send({ AttributeUpdates: { v: { Value: sized(bytes) } } });
    const tooLarge = 'ValidationException: Item size to update has exceeded the maximum allowed size';
    await put({});
    await byExpression(409_581);
    expect(await refusal(byExpression(409_582))).toBe(tooLarge);
    await legacy(409_600);
    expect(await refusal(legacy(409_601))).toBe(tooLarge);
  });

  test('with an empty name is refused', async () => {
    const text = `${invalid}Empty attribute name`;
    expect(await refusal(send({ AttributeUpdates: { '': { Value: { S: 'x' } } } }))).toBe(enveloped(text));
    expect(await refusal(send({ Expected: { '': { Exists: false } } }))).toBe(enveloped(text));
    expect(await refusal(get({ AttributesToGet: [''] }))).toBe(`ValidationException: ${text}`);
    const filter = { ScanFilter: { '': { ComparisonOperator: 'NULL' } } };
    expect(await refusal(scan(filter))).toBe(`ValidationException: ${text}`);
  });
});

describe('a path into a key', () => {
  const ofKey =
    "ValidationException: Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk";
  const ofIndex = ofKey.replace('Key: pk', 'IndexKey: tag');

  test.each<[string, () => Promise<unknown>, string]>([
    ['GetItem', () => get({ ProjectionExpression: 'b, pk.x' }), ofKey],
    [
      'GetItem, of an index',
      () => get({ ProjectionExpression: '#t[0]', ExpressionAttributeNames: { '#t': 'tag' } }),
      ofIndex,
    ],
    ['BatchGetItem', () => batchGet({ [TableName]: { Keys: [Key], ProjectionExpression: 'pk[1]' } }), ofKey],
    ['Scan, projection', () => scan({ ProjectionExpression: 'tag.x' }), ofIndex],
    ['Scan, filter', () => scan({ FilterExpression: 'a = b AND size(pk.x) > a' }), ofKey],
    ['PutItem', () => put({}, { ConditionExpression: 'NOT attribute_exists(tag[0])' }), ofIndex],
    [
      'DeleteItem',
      () => server.client.send(new DeleteItemCommand({ TableName, Key, ConditionExpression: 'a IN (b, pk.x)' })),
      ofKey,
    ],
    ['UpdateItem, its path', () => send({ UpdateExpression: 'REMOVE pk.x' }), ofKey],
    ['UpdateItem, its value', () => send({ UpdateExpression: 'SET a = if_not_exists(b, tag[0])' }), ofIndex],
    [
      'UpdateItem, its condition',
      () => send({ UpdateExpression: 'REMOVE a', ConditionExpression: 'tag.x = a' }),
      ofIndex,
    ],
  ])('is refused: %s', async (_, ask, text) => {
    expect(await refusal(ask())).toBe(text);
  });
});

describe('a projection with a path twice, or one inside another', () => {
  const overlap = (one: string, two: string) =>
    'ValidationException: Invalid ProjectionExpression: Two document paths overlap with each other; ' +
    `must remove or rewrite one of these paths; path one: ${one}, path two: ${two}`;

  test.each([
    ['a, b, a', undefined, overlap('[a]', '[a]')],
    ['#x, #y', { '#x': 'a', '#y': 'a' }, overlap('[a]', '[a]')],
    ['a, #x', { '#x': 'a' }, overlap('[a]', '[a]')],
    ['a, a.b', undefined, overlap('[a]', '[a, b]')],
    ['a[0].b, a[0]', undefined, overlap('[a, [0], b]', '[a, [0]]')],
  ])('is refused: %s', async (ProjectionExpression, ExpressionAttributeNames, text) => {
    const projection = { ProjectionExpression, ...(ExpressionAttributeNames && { ExpressionAttributeNames }) };
    expect(await refusal(get(projection))).toBe(text);
    expect(await refusal(scan(projection))).toBe(text);
    expect(await refusal(batchGet({ [TableName]: { Keys: [Key], ...projection } }))).toBe(text);
  });
});

describe('BatchGetItem', () => {
  test('has expressions for all its tables or for none', async () => {
    const mixed = batchGet({
      [TableName]: { Keys: [Key], ProjectionExpression: 'a' },
      Other: { Keys: [Key], AttributesToGet: ['a'] },
    });
    expect(await refusal(mixed)).toBe(
      'ValidationException: Can not use both expression and non-expression parameters in the same request: ' +
        'Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}',
    );
  });

  test('finds a key that is there twice before a table that is not there', async () => {
    const twice = 'ValidationException: Provided list of item keys contains duplicates';
    expect(await refusal(batchGet({ Nowhere: { Keys: [Key, Key] } }))).toBe(twice);
    const keys = [
      { a: { N: '1' }, b: { S: 'x' } },
      { b: { S: 'x' }, a: { N: '1.0' } },
    ];
    expect(await refusal(batchGet({ Nowhere: { Keys: keys } }))).toBe(twice);
  });
});
