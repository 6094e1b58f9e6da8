import {
  type AttributeValue,
  ConditionalCheckFailedException,
  CreateTableCommand,
  GetItemCommand,
  PutItemCommand,
  type PutItemCommandInput,
  ResourceNotFoundException,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTable, keysOf, tableInput } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

const TableName = 'Items';
let server: TestServer;

beforeAll(async () => {
  server = await startServer();
  const { client } = server;
  await createTable(client, TableName);
  const keys = keysOf('pk', 'sk', 'date', 'tag');
  await client.send(
    new CreateTableCommand(
      tableInput('Indexed', {
        KeySchema: keys.KeySchema.slice(0, 2),
        AttributeDefinitions: keys.AttributeDefinitions,
        LocalSecondaryIndexes: [
          {
            IndexName: 'byDate',
            KeySchema: keysOf('pk', 'date').KeySchema,
            Projection: { ProjectionType: 'KEYS_ONLY' },
          },
        ],
        GlobalSecondaryIndexes: [
          { IndexName: 'byTag', KeySchema: keysOf('tag').KeySchema, Projection: { ProjectionType: 'ALL' } },
        ],
      }),
    ),
  );
});
afterAll(() => server.stop());

const put = (Item: PutItemCommandInput['Item'], rest: Partial<PutItemCommandInput> = {}) =>
  server.client.send(new PutItemCommand({ TableName, Item, ...rest }));
const stored = async (pk: string) =>
  (await server.client.send(new GetItemCommand({ TableName, Key: { pk: { S: pk } }, ConsistentRead: true }))).Item;

test('an item of every type comes back, numbers normalised and sets sorted', async () => {
  const Item: Record<string, AttributeValue> = {
    pk: { S: 'types' },
    s: { S: 'Zażółć 😀' },
    empty: { S: '' },
    n: { N: '-0012.3400e2' },
    tiny: { N: '1e-130' },
    exact: { N: '12345678901234567890123456789012345678' },
    b: { B: Uint8Array.of(0, 255, 127) },
    noBytes: { B: new Uint8Array(0) },
    ss: { SS: ['b', 'a', ''] },
    ns: { NS: ['10', '9.0', '-1'] },
    bs: { BS: [Uint8Array.of(2), Uint8Array.of(1, 1)] },
    m: { M: { l: { L: [{ N: '1.0' }, { M: {} }] } } },
    l: { L: [] },
    null: { NULL: true },
    yes: { BOOL: true },
    no: { BOOL: false },
  };
  await put(Item);
  expect(await stored('types')).toEqual({
    ...Item,
    n: { N: '-1234' },
    tiny: { N: `0.${'0'.repeat(129)}1` },
    ss: { SS: ['', 'a', 'b'] },
    ns: { NS: ['-1', '9', '10'] },
    bs: { BS: [Uint8Array.of(1, 1), Uint8Array.of(2)] },
    m: { M: { l: { L: [{ N: '1' }, { M: {} }] } } },
  });
});

test('the old item is returned on request only', async () => {
  expect((await put({ pk: { S: 'old' }, v: { N: '1' } }, { ReturnValues: 'ALL_OLD' })).Attributes).toBeUndefined();
  expect((await put({ pk: { S: 'old' }, v: { N: '2' } })).Attributes).toBeUndefined();
  const { Attributes } = await put({ pk: { S: 'old' } }, { ReturnValues: 'ALL_OLD' });
  expect(Attributes).toEqual({ pk: { S: 'old' }, v: { N: '2' } });
});

test('a conditional put of what is there already is refused, and shows what is there', async () => {
  await put({ pk: { S: 'once' }, v: { N: '1' } });
  const again = put(
    { pk: { S: 'once' }, v: { N: '2' } },
    { ConditionExpression: 'attribute_not_exists(pk)', ReturnValuesOnConditionCheckFailure: 'ALL_OLD' },
  );
  const error = await again.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConditionalCheckFailedException);
  expect(error).toMatchObject({
    message: 'The conditional request failed',
    Item: { pk: { S: 'once' }, v: { N: '1' } },
  });
  expect(await stored('once')).toEqual({ pk: { S: 'once' }, v: { N: '1' } });
});

test('the legacy Expected works as a condition', async () => {
  await put({ pk: { S: 'legacy' }, v: { N: '1' } });
  await put({ pk: { S: 'legacy' }, v: { N: '2' } }, { Expected: { v: { Value: { N: '1.0' } } } });
  const late = put({ pk: { S: 'legacy' }, v: { N: '3' } }, { Expected: { v: { Value: { N: '1' } } } });
  await expect(late).rejects.toThrow(ConditionalCheckFailedException);
  expect(await stored('legacy')).toMatchObject({ v: { N: '2' } });
});

test('capacity and collection metrics are told for a table with indexes', async () => {
  const answer = await put(
    { pk: { S: 'p' }, sk: { S: 's' }, date: { S: 'd' }, tag: { S: 't' } },
    { TableName: 'Indexed', ReturnConsumedCapacity: 'INDEXES', ReturnItemCollectionMetrics: 'SIZE' },
  );
  expect(answer).toMatchObject({
    ConsumedCapacity: {
      TableName: 'Indexed',
      CapacityUnits: 3,
      Table: { CapacityUnits: 1 },
      LocalSecondaryIndexes: { byDate: { CapacityUnits: 1 } },
      GlobalSecondaryIndexes: { byTag: { CapacityUnits: 1 } },
    },
    ItemCollectionMetrics: { ItemCollectionKey: { pk: { S: 'p' } }, SizeEstimateRangeGB: [0, 1] },
  });
});

test('an item of 400 KB is stored, a byte more is not', async () => {
  const room = 409_600 - 'pk'.length - 'large'.length - 'a'.length;
  await put({ pk: { S: 'large' }, a: { S: 'x'.repeat(room) } });
  const more = put({ pk: { S: 'large' }, a: { S: 'x'.repeat(room + 1) } });
  await expect(more).rejects.toThrow('Item size has exceeded the maximum allowed size');
});

test('a table that is not there is not found', async () => {
  const answer = put({ pk: { S: 'x' } }, { TableName: 'Missing' });
  await expect(answer).rejects.toThrow(ResourceNotFoundException);
  await expect(answer).rejects.toThrow('Requested resource not found');
});

describe('a bad item is refused with the words of the service:', () => {
  const invalid = 'One or more parameter values were invalid: ';
  // Recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1: what the request alone is refused for is enveloped.
  const detected = '1 validation error detected: ';
  test.each<[Record<string, AttributeValue>, string]>([
    [{ v: { S: 'x' } }, `${invalid}Missing the key pk in the item`],
    [{ pk: { N: '1' } }, `${invalid}Type mismatch for key pk expected: S actual: N`],
    [
      { pk: { S: 'x' }, v: { N: '1e126' } },
      `${detected}Number overflow. Attempting to store a number with magnitude larger than supported range`,
    ],
    [
      { pk: { S: 'x' }, v: { SS: ['a', 'a'] } },
      `${detected}${invalid}Input collection ["a", "a"] contains duplicates.`,
    ],
    [{ pk: { S: 'x' }, v: { NS: [] } }, `${detected}${invalid}An number set  may not be empty`],
    [
      { pk: { S: '' } },
      'One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk',
    ],
    [{ pk: { S: 'x'.repeat(2049) } }, `${invalid}Size of hashkey has exceeded the maximum size limit of2048 bytes`],
  ])('%j', async (Item, message) => {
    await expect(put(Item)).rejects.toMatchObject({
      name: 'ValidationException',
      message,
      $metadata: { httpStatusCode: 400 },
    });
  });
});

test('what no SDK sends is refused as well, and changes nothing', async () => {
  const send = async (body: string) => {
    const response = await fetch(server.endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': 'DynamoDB_20120810.PutItem',
        authorization:
          'AWS4-HMAC-SHA256 Credential=any/20260101/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00',
        'x-amz-date': '20260101T000000Z',
      },
      body,
    });
    return { status: response.status, ...((await response.json()) as object) };
  };
  const item = (attribute: string) => `{"TableName":"${TableName}","Item":{"pk":{"S":"raw"},"v":${attribute}}}`;
  expect(await send(item('{"B":"a"}'))).toMatchObject({
    status: 400,
    __type: 'com.amazon.coral.service#SerializationException',
  });
  expect(await send(item('{"S":"a","N":"1"}'))).toMatchObject({
    status: 400,
    __type: 'com.amazon.coral.validate#ValidationException',
    message:
      '1 validation error detected: ' +
      'Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes',
  });
  const deep = `${'{"L":['.repeat(32)}{"NULL":true}${']}'.repeat(32)}`;
  expect(await send(item(deep))).toMatchObject({
    status: 400,
    message: expect.stringMatching(/^1 validation error detected: Nesting Levels/),
  });
  expect(await stored('raw')).toBeUndefined();
  expect(await send(item('{"M":{"__proto__":{"N":"01"},"constructor":{"S":""}}}'))).toEqual({ status: 200 });
  expect(JSON.stringify((await stored('raw'))?.v?.M?.constructor)).toBe('{"S":""}');
});
