import { DynamoDBClient, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import {
  $add,
  $append,
  $delete,
  $get,
  $remove,
  $set,
  BatchDeleteRequest,
  BatchGetCommand,
  BatchGetRequest,
  BatchPutRequest,
  BatchWriteCommand,
  ConditionCheck,
  DeleteItemCommand,
  DeletePartitionCommand,
  DeleteTransaction,
  Entity,
  executeBatchGet,
  executeBatchWrite,
  executeTransactGet,
  executeTransactWrite,
  GetItemCommand,
  GetTransaction,
  item,
  list,
  map,
  number,
  PutItemCommand,
  PutTransaction,
  QueryCommand,
  ScanCommand,
  set,
  string,
  Table,
  UpdateItemCommand,
  UpdateTransaction,
} from 'dynamodb-toolbox';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Dynaring, startDynaring } from '../../src/index.ts';
import { createTable, keysOf } from '../parts/tables.ts';

/** DynamoDB-Toolbox, version 2: schemas, entities in one table, and queries of local, global and multi-attribute indexes. */

const Shop = new Table({
  name: 'Shop',
  partitionKey: { name: 'customer', type: 'string' },
  sortKey: { name: 'order', type: 'string' },
  indexes: {
    byTotal: { type: 'local', sortKey: { name: 'total', type: 'number' } },
    byCity: {
      type: 'global',
      partitionKey: { name: 'city', type: 'string' },
      sortKey: { name: 'total', type: 'number' },
    },
    byPlace: {
      type: 'global',
      partitionKeys: [
        { name: 'country', type: 'string' },
        { name: 'city', type: 'string' },
      ],
      sortKeys: [
        { name: 'year', type: 'number' },
        { name: 'order', type: 'string' },
      ],
    },
  },
});
const Order = new Entity({
  name: 'Order',
  table: Shop,
  timestamps: false,
  schema: item({
    customer: string().key(),
    order: string().key(),
    total: number().optional(),
    city: string(),
    country: string(),
    year: number(),
    notes: list(string()).optional(),
    tags: set(string()).optional(),
    address: map({ street: string(), number: number().optional() }).optional(),
    visits: number().default(1),
  }),
});
const Customer = new Entity({
  name: 'Customer',
  table: Shop,
  timestamps: false,
  schema: item({ customer: string().key(), order: string().key().default('-').savedAs('order'), name: string() }),
});

/** Thirty orders of two customers. */
const ORDERS = Array.from({ length: 30 }, (_, i) => ({
  customer: i % 2 === 0 ? 'ann' : 'bob',
  order: `o${String(i).padStart(2, '0')}`,
  total: (i * 7) % 30,
  city: i % 3 === 0 ? 'Basel' : 'Bern',
  country: 'CH',
  year: 2020 + (i % 4),
  visits: 1,
}));
const nameOf = ({ order }: { order?: string }) => order;
const ofAnn = ORDERS.filter(({ customer }) => customer === 'ann');

let db: Dynaring;
let client: DynamoDBClient;

beforeAll(async () => {
  db = await startDynaring();
  client = new DynamoDBClient(db.clientConfig());
  Shop.documentClient = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
  const numbers = ['total', 'year'];
  const { AttributeDefinitions } = keysOf('customer', 'order', 'total', 'city', 'country', 'year');
  await createTable(client, 'Shop', {
    KeySchema: keysOf('customer', 'order').KeySchema,
    AttributeDefinitions: AttributeDefinitions.map((one) =>
      numbers.includes(one.AttributeName!) ? { ...one, AttributeType: 'N' } : one,
    ),
    LocalSecondaryIndexes: [
      { IndexName: 'byTotal', KeySchema: keysOf('customer', 'total').KeySchema, Projection: { ProjectionType: 'ALL' } },
    ],
    GlobalSecondaryIndexes: [
      { IndexName: 'byCity', KeySchema: keysOf('city', 'total').KeySchema, Projection: { ProjectionType: 'ALL' } },
      {
        IndexName: 'byPlace',
        KeySchema: [
          { AttributeName: 'country', KeyType: 'HASH' },
          { AttributeName: 'city', KeyType: 'HASH' },
          { AttributeName: 'year', KeyType: 'RANGE' },
          { AttributeName: 'order', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'ALL' },
      },
    ],
  });
  for (let from = 0; from < ORDERS.length; from += 25) {
    const puts = ORDERS.slice(from, from + 25).map((order) => Order.build(BatchPutRequest).item(order));
    await executeBatchWrite(Shop.build(BatchWriteCommand).requests(...puts));
  }
  await Customer.build(PutItemCommand).item({ customer: 'ann', name: 'Ann' }).send();
});
afterAll(async () => {
  client?.destroy();
  await db?.stop();
});

describe('an item', () => {
  const key = { customer: 'cat', order: 'o1' };
  const fresh = { ...key, city: 'Rome', country: 'IT', year: 2026, total: 5 };
  const get = async () => (await Order.build(GetItemCommand).key(key).options({ consistent: true }).send()).Item;

  test('is put, got, and refused where a condition says so', async () => {
    await Order.build(PutItemCommand).item(fresh).send();
    expect(await get()).toEqual({ ...fresh, visits: 1 });
    const condition = { attr: 'order', exists: false } as const;
    await expect(Order.build(PutItemCommand).item(fresh).options({ condition }).send()).rejects.toThrow(
      'The conditional request failed',
    );
  });

  test('is updated by extended values', async () => {
    const { Attributes } = await Order.build(UpdateItemCommand)
      .item({
        ...key,
        total: $add(2),
        notes: $set(['first']),
        tags: $add(new Set(['a', 'b'])),
        address: $set({ street: 'Via Appia' }),
        year: $get('visits'),
      })
      .options({ returnValues: 'ALL_NEW' })
      .send();
    const expected = { ...fresh, total: 7, notes: ['first'], address: { street: 'Via Appia' }, year: 1, visits: 1 };
    expect(Attributes).toEqual({ ...expected, tags: new Set(['a', 'b']) });
    await Order.build(UpdateItemCommand)
      .item({
        ...key,
        total: $remove(),
        notes: $append(['second']),
        tags: $delete(new Set(['a'])),
        address: { number: 7 },
      })
      .options({ condition: { attr: 'address.street', beginsWith: 'Via' } })
      .send();
    const { total: _, ...rest } = expected;
    expect(await get()).toEqual({
      ...rest,
      notes: ['first', 'second'],
      tags: new Set(['b']),
      address: { street: 'Via Appia', number: 7 },
    });
    // Without a total it has left these two.
    expect((await Shop.build(QueryCommand).query({ partition: 'cat', index: 'byTotal' }).send()).Items).toEqual([]);
    expect((await Shop.build(QueryCommand).query({ partition: 'Rome', index: 'byCity' }).send()).Items).toEqual([]);
  });

  test('is deleted', async () => {
    const { Attributes } = await Order.build(DeleteItemCommand).key(key).options({ returnValues: 'ALL_OLD' }).send();
    expect(Attributes).toMatchObject(key);
    expect(await get()).toBeUndefined();
  });
});

describe('a query', () => {
  test('of a partition brings the entities that are asked for', async () => {
    const both = await Shop.build(QueryCommand)
      .query({ partition: 'ann' })
      .entities(Order, Customer)
      .options({ consistent: true })
      .send();
    expect(both.Items!.map(nameOf)).toEqual(['-', ...ofAnn.map(nameOf)]);
    const one = await Shop.build(QueryCommand).query({ partition: 'ann' }).entities(Customer).send();
    expect(one.Items).toEqual([{ customer: 'ann', order: '-', name: 'Ann' }]);
  });

  test.each([
    [{ eq: 'o04' }, ['o04']],
    [{ lt: 'o04' }, ['-', 'o00', 'o02']],
    [{ lte: 'o04' }, ['-', 'o00', 'o02', 'o04']],
    [{ gt: 'o24' }, ['o26', 'o28']],
    [{ gte: 'o24' }, ['o24', 'o26', 'o28']],
    [{ between: ['o03', 'o07'] as [string, string] }, ['o04', 'o06']],
    [{ beginsWith: 'o1' }, ['o10', 'o12', 'o14', 'o16', 'o18']],
  ])('of the range %j', async (range, expected) => {
    const { Items } = await Shop.build(QueryCommand).query({ partition: 'ann', range }).send();
    expect(Items!.map(nameOf)).toEqual(expected);
  });

  test('of a local index, backwards, by pages', async () => {
    const query = Shop.build(QueryCommand)
      .query({ partition: 'ann', index: 'byTotal', range: { gte: 10 } })
      .entities(Order)
      .options({ reverse: true, limit: 3, consistent: true });
    const pages = [];
    for await (const { Items } of query.paginate()) pages.push(Items!);
    const expected = ofAnn.filter(({ total }) => total >= 10).sort((a, b) => b.total - a.total);
    expect(pages.flat()).toEqual(expected);
    expect(pages[0]).toEqual(expected.slice(0, 3));
  });

  test('of a global index, with filter, attributes and all pages', async () => {
    const { Items } = await Shop.build(QueryCommand)
      .query({ partition: 'Basel', index: 'byCity', range: { lt: 25 } })
      .entities(Order)
      .options({
        limit: 2,
        maxPages: Number.POSITIVE_INFINITY,
        filters: { Order: { attr: 'customer', eq: 'bob' } },
        attributes: ['order', 'total'],
      })
      .send();
    const expected = ORDERS.filter(({ city, customer, total }) => city === 'Basel' && customer === 'bob' && total < 25);
    expected.sort((a, b) => a.total - b.total);
    expect(Items).toEqual(expected.map(({ order, total }) => ({ order, total })));
  });

  test('of an index whose keys have several attributes', async () => {
    const bern = ORDERS.filter(({ city }) => city === 'Bern');
    bern.sort((a, b) => a.year - b.year || (a.order < b.order ? -1 : 1));
    const partition: [string, string] = ['CH', 'Bern'];
    const command = Shop.build(QueryCommand).entities(Order);
    const all = await command.query({ index: 'byPlace', partition }).send();
    expect(all.Items).toEqual(bern);
    const inYear = await command.query({ index: 'byPlace', partition, range: [2021] }).send();
    expect(inYear.Items).toEqual(bern.filter(({ year }) => year === 2021));
    const later = await command.query({ index: 'byPlace', partition, range: [{ gt: 2021 }] }).send();
    expect(later.Items).toEqual(bern.filter(({ year }) => year > 2021));
    const some = await command
      .query({ index: 'byPlace', partition, range: [2021, { between: ['o05', 'o17'] }] })
      .options({ reverse: true })
      .send();
    expect(some.Items).toEqual(
      bern.filter(({ year, order }) => year === 2021 && order >= 'o05' && order <= 'o17').reverse(),
    );
  });

  test('counts, and says what it consumed', async () => {
    const { Count, Items, ConsumedCapacity } = await Shop.build(QueryCommand)
      .query({ partition: 'ann' })
      .entities(Order)
      .options({ select: 'COUNT', capacity: 'TOTAL', entityAttrFilter: false })
      .send();
    expect(Items ?? []).toEqual([]);
    expect(Count).toBe(ofAnn.length + 1);
    // Sixteen small items are less than 4 KB together.
    expect(ConsumedCapacity).toMatchObject({ TableName: 'Shop', CapacityUnits: 0.5 });
  });
});

test('all orders are scanned', async () => {
  const command = Shop.build(ScanCommand).entities(Order).options({ limit: 7, maxPages: Number.POSITIVE_INFINITY });
  const { Items } = await command.send();
  expect(Items!.map(nameOf).sort()).toEqual(ORDERS.map(nameOf));
  const { Count } = await Shop.build(ScanCommand)
    .entities(Order)
    .options({ index: 'byCity', filters: { Order: { attr: 'year', gt: 2021 } }, select: 'COUNT' })
    .send();
  expect(Count).toBe(ORDERS.filter(({ year }) => year > 2021).length);
});

test('several are got and deleted at once', async () => {
  const keys = [
    { customer: 'ann', order: 'o00' },
    { customer: 'bob', order: 'o01' },
  ] as const;
  const got = await executeBatchGet(
    Shop.build(BatchGetCommand).requests(...keys.map((key) => Order.build(BatchGetRequest).key(key))),
  );
  expect(got.Responses![0]).toEqual(ORDERS.slice(0, 2));
  await executeBatchWrite(
    Shop.build(BatchWriteCommand).requests(...keys.map((key) => Order.build(BatchDeleteRequest).key(key))),
  );
  const { Items } = await Shop.build(QueryCommand).query({ partition: 'Basel', index: 'byCity' }).send();
  expect(Items!.map(nameOf)).not.toContain('o00');
});

test('a partition is deleted', async () => {
  await Shop.build(DeletePartitionCommand).query({ partition: 'bob' }).entities(Order).send();
  expect((await Shop.build(QueryCommand).query({ partition: 'bob' }).send()).Items).toEqual([]);
});

describe('a transaction', () => {
  const key = (order: string) => ({ customer: 'tx', order });
  const written = (order: string, total: number) => ({ ...ORDERS[0]!, ...key(order), total });

  test('writes entities of one table together', async () => {
    await executeTransactWrite(
      Order.build(PutTransaction)
        .item(written('1', 5))
        .options({ condition: { attr: 'order', exists: false } }),
      Order.build(PutTransaction).item(written('2', 5)),
      Customer.build(PutTransaction).item({ customer: 'tx', name: 'Tx' }),
    );
    await executeTransactWrite(
      Order.build(UpdateTransaction).item({ ...key('1'), visits: $add(2) }),
      Order.build(DeleteTransaction).key(key('2')),
      Customer.build(ConditionCheck).key({ customer: 'tx', order: '-' }).condition({ attr: 'name', eq: 'Tx' }),
    );
    const { Item } = await Order.build(GetItemCommand).key(key('1')).send();
    expect(Item).toMatchObject({ total: 5, visits: 3 });
    expect((await Order.build(GetItemCommand).key(key('2')).send()).Item).toBeUndefined();
  });

  test('is cancelled as a whole, with reasons', async () => {
    const error = await executeTransactWrite(
      Order.build(PutTransaction).item(written('3', 5)),
      Order.build(UpdateTransaction)
        .item({ ...key('1'), visits: $add(1) })
        .options({ condition: { attr: 'total', gt: 5 } }),
    ).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TransactionCanceledException);
    expect((error as TransactionCanceledException).CancellationReasons!.map(({ Code }) => Code)).toEqual([
      'None',
      'ConditionalCheckFailed',
    ]);
    expect((await Order.build(GetItemCommand).key(key('3')).send()).Item).toBeUndefined();
  });

  test('reads entities together', async () => {
    const { Responses } = await executeTransactGet(
      Order.build(GetTransaction)
        .key(key('1'))
        .options({ attributes: ['total'] }),
      Customer.build(GetTransaction).key({ customer: 'tx', order: '-' }),
      Order.build(GetTransaction).key(key('none')),
    );
    expect(Responses!.map((response) => response?.Item)).toEqual([
      { total: 5 },
      { customer: 'tx', order: '-', name: 'Tx' },
      undefined,
    ]);
  });
});
