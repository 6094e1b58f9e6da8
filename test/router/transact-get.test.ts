import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import { RawJson, type TransactGet } from '../../src/api/operations.ts';
import { createRouter } from '../../src/router/router.ts';
import { ThroughputGate } from '../../src/router/throughput.ts';
import { nameOf } from './memory-client.ts';
import { CONTEXT, newRouter, refusal, sortedTableRequest, tableRequest } from './table-fixtures.ts';

let router: ReturnType<typeof newRouter>;

beforeEach(async () => {
  router = newRouter();
  await router.create();
  await router.create(sortedTableRequest({ TableName: 'Sorted' }));
});

const TableName = 'Music';
const key = (pk: string) => ({ pk: { S: pk } });
const get = (pk: string, more: Partial<TransactGet> = {}): TransactGet => ({ TableName, Key: key(pk), ...more });

async function read(gets: readonly TransactGet[], more: object = {}) {
  const TransactItems = structuredClone(gets.map((Get) => ({ Get })));
  const { Responses, ...others } = await router.execute('TransactGetItems', { TransactItems, ...more });
  const items = (Responses as { Item?: RawJson | AttributeMap }[]).map(({ Item }) =>
    Item instanceof RawJson ? JSON.parse(Buffer.from(Item.bytes).toString()) : Item,
  );
  return { items, ...others };
}

const put = (Item: object, table = TableName) => router.execute('PutItem', { TableName: table, Item });

async function reasonsOf(answer: Promise<unknown>) {
  const error = await answer.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error?.name).toBe('TransactionCanceledException');
  return { message: error.message, reasons: error.body.CancellationReasons };
}

test('items are answered in the order asked, whether they are there or not', async () => {
  await put({ ...key('a'), n: { N: '1' }, m: { M: { x: { S: 'y' }, z: { S: 'z' } } } });
  await put({ ...key('b'), sk: { S: '1' } }, 'Sorted');
  const { items } = await read([
    get('none'),
    get('', { TableName: 'Sorted', Key: { ...key('b'), sk: { S: '1' } } }),
    get('a'),
    get('z', { ProjectionExpression: 'n' }),
  ]);
  expect(items).toEqual([
    undefined,
    { ...key('b'), sk: { S: '1' } },
    { ...key('a'), n: { N: '1' }, m: { M: { x: { S: 'y' }, z: { S: 'z' } } } },
    undefined,
  ]);
  expect(router.client.calls.filter((call) => call.startsWith('read'))).toEqual(['read-together']);
});

test('each Get has a projection of its own', async () => {
  await put({ ...key('a'), n: { N: '1' }, m: { M: { x: { S: 'y' }, z: { S: 'z' } } } });
  const names = { ExpressionAttributeNames: { '#m': 'm' } };
  expect((await read([get('a', { ProjectionExpression: '#m.x', ...names })])).items).toEqual([
    { m: { M: { x: { S: 'y' } } } },
  ]);
  // Names without an expression are accepted.
  expect((await read([get('a', names)])).items[0]).toHaveProperty('n');
});

test('what is large together is refused', async () => {
  for (let at = 0; at < 11; at++) await put({ ...key(`${at}`), s: { S: 'x'.repeat(390_000) } });
  const gets = Array.from({ length: 11 }, (_, at) => get(`${at}`));
  expect(await refusal(read(gets))).toBe(
    'ValidationException: The aggregate size of the items in the transaction exceeded 4 MB.',
  );
  expect((await read(gets.slice(1))).items).toHaveLength(10);
});

describe('a request is refused', () => {
  test.each([
    [
      'for one item twice',
      [get('a'), get('b'), get('a')],
      'Transaction request cannot include multiple operations on one item',
    ],
    [
      'for an unused name',
      [get('a', { ProjectionExpression: 'b', ExpressionAttributeNames: { '#a': 'a' } })],
      'Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}',
    ],
    [
      'for a bad projection',
      [get('a', { ProjectionExpression: 'a,' })],
      /^Invalid ProjectionExpression: Syntax error; /,
    ],
    [
      'for an empty key',
      [get('a'), get('')],
      /^One or more parameter values are not valid\. .* empty string value\. Key: pk$/,
    ],
  ])('%s', async (_, gets, text) => {
    expect(await refusal(read(gets))).toMatch(
      text instanceof RegExp
        ? new RegExp(text.source.replace('^', '^ValidationException: '))
        : `ValidationException: ${text}`,
    );
    expect(router.client.calls).not.toContain('read-together');
  });

  test('for a table that is not there', async () => {
    expect(await refusal(read([get('a', { TableName: 'Nowhere' })]))).toBe(
      'ResourceNotFoundException: Requested resource not found',
    );
  });

  test('for a key that does not match, with a reason', async () => {
    const wrong = { Key: { pk: { N: '1' } } };
    expect(await reasonsOf(read([get('a'), get('', wrong), get('', wrong)]))).toEqual({
      message:
        'Transaction cancelled, please refer cancellation reasons for specific reasons [None, ValidationError, None]',
      reasons: [
        { Code: 'None' },
        { Code: 'ValidationError', Message: 'The provided key element does not match the schema' },
        { Code: 'None' },
      ],
    });
  });
});

test('a conflict is told at its place', async () => {
  const { storageId } = router.catalog.cached('', TableName)!;
  router.client.held.add(nameOf({ table: storageId, partitionKey: 'b', sortKey: '' }));
  expect(await reasonsOf(read([get('a'), get('b')]))).toEqual({
    message:
      'Transaction cancelled, please refer cancellation reasons for specific reasons [None, TransactionConflict]',
    reasons: [{ Code: 'None' }, { Code: 'TransactionConflict', Message: 'Transaction is ongoing for the item' }],
  });
});

test('what the cluster cannot do is told as for single reads', async () => {
  router.client.failRead = { kind: 'unavailable', needed: 2, got: 1 };
  expect(await refusal(read([get('a')]))).toMatch(/^ServiceUnavailableException/);
});

test('capacity is twice that of single reads, also for what is not there', async () => {
  await put({ ...key('a'), s: { S: 'x'.repeat(5_000) } });
  const gets = [get('a'), get('none'), get('', { TableName: 'Sorted', Key: { ...key('a'), sk: { S: 'a' } } })];
  expect((await read(gets, { ReturnConsumedCapacity: 'TOTAL' })).ConsumedCapacity).toEqual([
    { TableName, CapacityUnits: 6, ReadCapacityUnits: 6 },
    { TableName: 'Sorted', CapacityUnits: 2, ReadCapacityUnits: 2 },
  ]);
  expect((await read([get('a')], { ReturnConsumedCapacity: 'INDEXES' })).ConsumedCapacity).toEqual([
    { TableName, CapacityUnits: 4, ReadCapacityUnits: 4, Table: { CapacityUnits: 4, ReadCapacityUnits: 4 } },
  ]);
});

test('what finds no units is cancelled, and charged nothing', async () => {
  const throughput = new ThroughputGate({ elapsedMs: () => 0 });
  const { execute } = createRouter({
    client: router.client,
    streams: router.client.streams,
    newId: randomUUID,
    throughput,
  });
  const { BillingMode: _, ...provisioned } = tableRequest({
    TableName: 'Slow',
    ProvisionedThroughput: { ReadCapacityUnits: 5, WriteCapacityUnits: 5 },
  });
  await execute('CreateTable', provisioned, CONTEXT);
  const slow = (...keys: string[]) =>
    execute(
      'TransactGetItems',
      { TransactItems: keys.map((pk) => ({ Get: get(pk, { TableName: 'Slow' }) })) },
      CONTEXT,
    );
  await slow('a');
  const { reasons } = await reasonsOf(slow('b', 'c'));
  expect(reasons.map(({ Code }: { Code: string }) => Code)).toEqual(['None', 'ProvisionedThroughputExceeded']);
  await slow('b');
});
