import { beforeEach, describe, expect, test } from 'vitest';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import { ApiError } from '../../src/api/errors.ts';
import { RawJson } from '../../src/api/operations.ts';
import { createItemOperations, type ItemOperations } from '../../src/router/item-operations.ts';
import { TableCatalog } from '../../src/router/table-catalog.ts';
import { attribute, globalIndex, localIndex, sampleTable } from '../api/sample-table.ts';
import { MemoryClient } from './memory-client.ts';
import { CONTEXT } from './table-fixtures.ts';

let client: MemoryClient;
let catalog: TableCatalog;
/** In the default namespace. */
let operations: {
  [Name in keyof ItemOperations]: (request: Parameters<ItemOperations[Name]>[0]) => ReturnType<ItemOperations[Name]>;
};

beforeEach(async () => {
  client = new MemoryClient();
  catalog = new TableCatalog(client);
  const { putItem, getItem, deleteItem } = createItemOperations({ client, catalog, throughput: undefined });
  operations = {
    putItem: (request) => putItem(request, CONTEXT, ''),
    getItem: (request) => getItem(request, CONTEXT, ''),
    deleteItem: (request) => deleteItem(request, CONTEXT, ''),
  };
  const key = { partition: attribute('S:pk'), sort: attribute('N:sk') };
  await catalog.create({ ...sampleTable({ partition: attribute('S:pk') }), name: 'Simple', storageId: 'simple00' });
  await catalog.create({
    ...sampleTable(key, [
      localIndex('byDate', { partition: 'S:pk', sort: 'S:date' }),
      globalIndex('byTag', { partition: 'S:tag' }),
    ]),
    name: 'Indexed',
    storageId: 'indexed0',
  });
  client.calls.length = 0;
});

const TableName = 'Simple';
const put = (Item: AttributeMap, rest: object = {}) => operations.putItem({ TableName, Item, ...rest });
const get = async (Key: AttributeMap, rest: object = {}) =>
  plain(await operations.getItem({ TableName, Key, ...rest }));
const remove = async (Key: AttributeMap, rest: object = {}) =>
  plain(await operations.deleteItem({ TableName, Key, ...rest }));

/** What a client would parse from the answer. */
function plain(response: object): unknown {
  const unwrap = (_: string, value: unknown) =>
    value instanceof RawJson ? JSON.parse(Buffer.from(value.bytes).toString()) : value;
  return JSON.parse(JSON.stringify(response, unwrap));
}

async function errorOf(answer: Promise<unknown>): Promise<ApiError> {
  const error = await answer.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ApiError)) throw new Error(`expected an ApiError, got ${error}`);
  return error;
}

const messageOf = async (answer: Promise<unknown>) => (await errorOf(answer)).message;

describe('an item that was put', () => {
  test('is got with its values in canonical form', async () => {
    expect(await put({ pk: { S: 'a' }, n: { N: '1.50e1' }, s: { SS: ['b', 'a'] } })).toEqual({});
    expect(await get({ pk: { S: 'a' } })).toEqual({ Item: { pk: { S: 'a' }, n: { N: '15' }, s: { SS: ['a', 'b'] } } });
  });

  test('is got as the stored bytes, unparsed', async () => {
    await put({ pk: { S: 'a' } });
    expect((await operations.getItem({ TableName, Key: { pk: { S: 'a' } } })).Item).toBeInstanceOf(RawJson);
  });

  test('is got in parts by a projection, and as an empty map if it has none of them', async () => {
    await put({ pk: { S: 'a' }, m: { M: { x: { N: '1' }, y: { N: '2' } } } });
    expect(await get({ pk: { S: 'a' } }, { ProjectionExpression: 'm.y' })).toEqual({
      Item: { m: { M: { y: { N: '2' } } } },
    });
    expect(await get({ pk: { S: 'a' } }, { AttributesToGet: ['pk'] })).toEqual({ Item: { pk: { S: 'a' } } });
    expect(await get({ pk: { S: 'a' } }, { ProjectionExpression: 'z' })).toEqual({ Item: {} });
  });

  test('is found by a number key in any spelling', async () => {
    const key = { pk: { S: 'a' }, sk: { N: '1' } };
    await operations.putItem({ TableName: 'Indexed', Item: key });
    expect(await get({ pk: { S: 'a' }, sk: { N: '0.10e1' } }, { TableName: 'Indexed' })).toEqual({ Item: key });
  });

  test('is found in the table that an ARN names', async () => {
    await put({ pk: { S: 'a' } });
    const arn = 'arn:aws:dynamodb:eu-west-1:123456789012:table/Simple';
    expect(await get({ pk: { S: 'a' } }, { TableName: arn, ReturnConsumedCapacity: 'TOTAL' })).toEqual({
      Item: { pk: { S: 'a' } },
      ConsumedCapacity: { TableName: arn, CapacityUnits: 0.5 },
    });
  });

  test('keeps hostile names', async () => {
    await put(JSON.parse('{"pk":{"S":"a"},"__proto__":{"S":"x"},"constructor":{"N":"01"}}'));
    const answer = (await get({ pk: { S: 'a' } })) as { Item: object };
    expect(JSON.stringify(answer.Item)).toBe('{"pk":{"S":"a"},"__proto__":{"S":"x"},"constructor":{"N":"1"}}');
  });

  test("may have hostile names in its keys, and in an index and that index's key", async () => {
    const key = { partition: attribute('S:__proto__'), sort: attribute('N:constructor') };
    const index = localIndex('__proto__', { partition: 'S:__proto__', sort: 'S:toString' });
    await catalog.create({ ...sampleTable(key, [index]), name: 'Hostile', storageId: 'hostile0' });
    const table = { TableName: 'Hostile', ReturnConsumedCapacity: 'INDEXES', ReturnItemCollectionMetrics: 'SIZE' };
    const Item = JSON.parse('{"__proto__":{"S":"a"},"constructor":{"N":"1"},"toString":{"S":"z"}}');
    const answer = plain(await put(Item, table));
    expect(JSON.stringify(answer)).toBe(
      '{"ConsumedCapacity":{"TableName":"Hostile","CapacityUnits":2,"Table":{"CapacityUnits":1},' +
        '"LocalSecondaryIndexes":{"__proto__":{"CapacityUnits":1}}},' +
        '"ItemCollectionMetrics":{"ItemCollectionKey":{"__proto__":{"S":"a"}},"SizeEstimateRangeGB":[0,1]}}',
    );
    const found = await get(JSON.parse('{"__proto__":{"S":"a"},"constructor":{"N":"1.0"}}'), { TableName: 'Hostile' });
    expect(JSON.stringify(found)).toBe(JSON.stringify({ Item }));
    const missing = JSON.parse('{"constructor":{"N":"1"},"hasOwnProperty":{"S":"a"}}');
    expect(await messageOf(get(missing, { TableName: 'Hostile' }))).toMatch(/does not match the schema/);
  });

  test('replaces the whole item that had its key, which ALL_OLD returns', async () => {
    expect(plain(await put({ pk: { S: 'a' }, old: { BOOL: true } }, { ReturnValues: 'ALL_OLD' }))).toEqual({});
    expect(plain(await put({ pk: { S: 'a' } }, { ReturnValues: 'ALL_OLD' }))).toEqual({
      Attributes: { pk: { S: 'a' }, old: { BOOL: true } },
    });
    expect(plain(await put({ pk: { S: 'a' } }, { ReturnValues: 'NONE' }))).toEqual({});
    expect(await get({ pk: { S: 'a' } })).toEqual({ Item: { pk: { S: 'a' } } });
  });

  test('is gone when it was deleted, and deleting it again is no error', async () => {
    await put({ pk: { S: 'a' }, n: { N: '1' } });
    expect(await remove({ pk: { S: 'a' } }, { ReturnValues: 'ALL_OLD' })).toEqual({
      Attributes: { pk: { S: 'a' }, n: { N: '1' } },
    });
    expect(await get({ pk: { S: 'a' } })).toEqual({});
    expect(await remove({ pk: { S: 'a' } }, { ReturnValues: 'ALL_OLD' })).toEqual({});
  });
});

describe('a condition', () => {
  const ConditionExpression = 'attribute_not_exists(pk)';

  test('that fails changes nothing and says so', async () => {
    await put({ pk: { S: 'a' }, n: { N: '1' } });
    const error = await errorOf(put({ pk: { S: 'a' }, n: { N: '2' } }, { ConditionExpression }));
    expect(error).toMatchObject({
      name: 'ConditionalCheckFailedException',
      status: 400,
      message: 'The conditional request failed',
      body: {},
    });
    expect(await get({ pk: { S: 'a' } })).toMatchObject({ Item: { n: { N: '1' } } });
  });

  test('that fails returns the current item on demand, if there is one', async () => {
    const wanted = { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' };
    await put({ pk: { S: 'a' }, n: { N: '1' } });
    const refused = await errorOf(put({ pk: { S: 'a' } }, { ConditionExpression, ...wanted }));
    expect(plain(refused.body)).toEqual({ Item: { pk: { S: 'a' }, n: { N: '1' } } });
    const onNothing = await errorOf(
      remove({ pk: { S: 'b' } }, { ConditionExpression: 'attribute_exists(pk)', ...wanted }),
    );
    expect(onNothing.body).toEqual({});
  });

  test('that holds lets a write through, on delete and in the legacy form too', async () => {
    await put({ pk: { S: 'a' }, n: { N: '1' } }, { ConditionExpression });
    await put({ pk: { S: 'a' }, n: { N: '2' } }, { Expected: { n: { Value: { N: '1.0' } } } });
    const rest = { ConditionExpression: 'n = :n', ExpressionAttributeValues: { ':n': { N: '02' } } };
    expect(await remove({ pk: { S: 'a' } }, rest)).toEqual({});
    expect(await get({ pk: { S: 'a' } })).toEqual({});
  });
});

describe('a wrong request', () => {
  const mixed = { ConditionExpression: 'attribute_exists(pk)', Expected: {} };
  const badItem = { pk: { S: '' }, n: { N: 'one' } };
  const tooLarge = { a: { S: 'x'.repeat(409_601) } };
  const badExpression = { ConditionExpression: 'attribute_exists(' };
  const badReturn = { ReturnValues: 'ALL_NEW' };
  const noTable = { TableName: 'Missing' };

  test('gets the first error in the order of the checks', async () => {
    const all = { ...badReturn, ...noTable };
    expect(await messageOf(put(badItem, { ...all, ...mixed }))).toMatch(
      /^1 validation error detected: Can not use both expression and non-expression/,
    );
    expect(await messageOf(put(badItem, { ...all, ...badExpression }))).toBe(
      '1 validation error detected: The parameter cannot be converted to a numeric value: one',
    );
    expect(await messageOf(put(tooLarge, { ...all, ...badExpression }))).toBe(
      '1 validation error detected: ReturnValues can only be ALL_OLD or NONE',
    );
    expect(await messageOf(put(tooLarge, { ...noTable, ...badExpression }))).toMatch(
      /^1 validation error detected: Invalid ConditionExpression/,
    );
    expect(await messageOf(put(tooLarge, noTable))).toBe('Item size has exceeded the maximum allowed size');
    expect(await messageOf(put({}, noTable))).toBe('Requested resource not found');
    expect(await messageOf(put({}))).toBe('One or more parameter values were invalid: Missing the key pk in the item');
    expect(client.calls).not.toContain('write');
  });

  test('that names a missing table is not found, for every operation', async () => {
    const Key = { pk: { S: 'a' } };
    for (const answer of [put(Key, noTable), get(Key, noTable), remove(Key, noTable)]) {
      expect(await errorOf(answer)).toMatchObject({ name: 'ResourceNotFoundException', status: 400 });
    }
  });

  test('with a key that is not of the schema is refused by get and delete', async () => {
    const wrong: AttributeMap[] = [{}, { id: { S: 'a' } }, { pk: { N: '1' } }, { pk: { S: 'a' }, sk: { N: '1' } }];
    for (const Key of wrong) {
      expect(await messageOf(get(Key))).toBe('The provided key element does not match the schema');
      expect(await messageOf(remove(Key))).toBe('The provided key element does not match the schema');
    }
    expect(await messageOf(remove({}, badReturn))).toBe(
      '1 validation error detected: ReturnValues can only be ALL_OLD or NONE',
    );
    expect(client.calls).toEqual([]);
  });

  test('with a wrong value for the key of an index is refused', async () => {
    const Item = { pk: { S: 'a' }, sk: { N: '1' }, tag: { N: '1' } };
    expect(await messageOf(operations.putItem({ TableName: 'Indexed', Item }))).toBe(
      'One or more parameter values were invalid: Type mismatch for Index Key tag Expected: S Actual: N IndexName: byTag',
    );
  });
});

describe('what a request consumed', () => {
  test('is told at the level that was asked for', async () => {
    const Item = { pk: { S: 'a' }, x: { S: 'x'.repeat(5000) } };
    expect(plain(await put(Item, { ReturnConsumedCapacity: 'NONE' }))).toEqual({});
    expect(plain(await put(Item, { ReturnConsumedCapacity: 'TOTAL' }))).toEqual({
      ConsumedCapacity: { TableName, CapacityUnits: 5 },
    });
    expect(await get({ pk: { S: 'a' } }, { ReturnConsumedCapacity: 'INDEXES', ProjectionExpression: 'pk' })).toEqual({
      Item: { pk: { S: 'a' } },
      ConsumedCapacity: { TableName, CapacityUnits: 1, Table: { CapacityUnits: 1 } },
    });
    expect(await get({ pk: { S: 'a' } }, { ReturnConsumedCapacity: 'TOTAL', ConsistentRead: true })).toMatchObject({
      ConsumedCapacity: { CapacityUnits: 2 },
    });
    expect(await remove({ pk: { S: 'a' } }, { ReturnConsumedCapacity: 'TOTAL' })).toEqual({
      ConsumedCapacity: { TableName, CapacityUnits: 5 },
    });
    expect(await remove({ pk: { S: 'a' } }, { ReturnConsumedCapacity: 'TOTAL' })).toEqual({
      ConsumedCapacity: { TableName, CapacityUnits: 1 },
    });
  });

  test('counts what the write changed in the indexes', async () => {
    const into = { TableName: 'Indexed', ReturnConsumedCapacity: 'INDEXES' as const };
    const Key = { pk: { S: 'a' }, sk: { N: '1' } };
    const Item = { ...Key, tag: { S: 't' }, date: { S: 'd' } };
    const capacity = (units: number) => ({
      ConsumedCapacity: {
        TableName: 'Indexed',
        CapacityUnits: 1 + units,
        Table: { CapacityUnits: 1 },
        GlobalSecondaryIndexes: { byTag: { CapacityUnits: units } },
      },
    });
    expect(plain(await operations.putItem({ ...into, Item }))).toMatchObject({
      ConsumedCapacity: { CapacityUnits: 3, LocalSecondaryIndexes: { byDate: { CapacityUnits: 1 } } },
    });
    await operations.deleteItem({ TableName: 'Indexed', Key });
    await operations.putItem({ TableName: 'Indexed', Item: { ...Key, tag: { S: 't' } } });
    expect(plain(await operations.putItem({ ...into, Item: { ...Key, tag: { S: 'u' } } }))).toEqual(capacity(2));
    expect(plain(await operations.deleteItem({ ...into, Key }))).toEqual(capacity(1));
  });
});

describe('item collection metrics', () => {
  test('are told for a table with a local index only', async () => {
    const asked = { ReturnItemCollectionMetrics: 'SIZE' as const };
    const Key = { pk: { S: 'a' }, sk: { N: '1' } };
    const metrics = { ItemCollectionMetrics: { ItemCollectionKey: { pk: { S: 'a' } }, SizeEstimateRangeGB: [0, 1] } };
    expect(plain(await operations.putItem({ TableName: 'Indexed', Item: Key, ...asked }))).toEqual(metrics);
    expect(plain(await operations.deleteItem({ TableName: 'Indexed', Key, ...asked }))).toEqual(metrics);
    expect(plain(await put({ pk: { S: 'a' } }, asked))).toEqual({});
  });
});

describe('a cluster that cannot', () => {
  test.each([
    [{ kind: 'unavailable', needed: 2, got: 1 }, 'ServiceUnavailableException', 503],
    [{ kind: 'overloaded' }, 'ServiceUnavailableException', 503],
    [{ kind: 'unknown' }, 'InternalServerError', 500],
    [{ kind: 'storage-failed', message: 'disk full' }, 'InternalServerError', 500],
  ] as const)('write or read (%j) gives %s', async (failure, name, status) => {
    client.failWrite = failure;
    client.failRead = failure;
    const Key = { pk: { S: 'a' } };
    for (const answer of [put(Key), get(Key), remove(Key)]) {
      expect(await errorOf(answer)).toMatchObject({ name, status });
    }
  });
});
