import {
  type AttributeValue,
  BatchWriteItemCommand,
  type ComparisonOperator,
  DynamoDBClient,
  PutItemCommand,
  paginateQuery,
  QueryCommand,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDynaring } from '../../src/index.ts';
import { createTable, keysOf } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

type Item = Record<string, AttributeValue>;
let server: TestServer;

const key = (pk: string, n: number): Item => ({ pk: { S: pk }, sk: { N: String(n) } });
/** `a` has 30 items with the sort keys -10 to 19, `b` has one. */
const ITEMS: readonly Item[] = [
  ...Array.from({ length: 30 }, (_, at) => ({
    ...key('a', at - 10),
    even: { BOOL: at % 2 === 0 },
    nested: { M: { list: { L: [{ N: String(at) }, { S: 'x' }] } } },
  })),
  key('b', 7),
];

beforeAll(async () => {
  server = await startServer();
  await createTable(server.client, 'Numbers', {
    KeySchema: keysOf('pk', 'sk').KeySchema,
    AttributeDefinitions: [
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'sk', AttributeType: 'N' },
    ],
  });
  for (const [type, name] of [
    ['S', 'Texts'],
    ['B', 'Bytes'],
  ] as const) {
    await createTable(server.client, name, {
      KeySchema: keysOf('pk', 'sk').KeySchema,
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: type },
      ],
    });
  }
  await createTable(server.client, 'Singles');
  await Promise.all(ITEMS.map((Item) => put('Numbers', Item)));
});
afterAll(() => server.stop());

const put = (TableName: string, Item: Item) => server.client.send(new PutItemCommand({ TableName, Item }));

/** Queries the collection `a`. @param condition on the sort key, with values :v and :w */
function query(condition?: string, values: readonly AttributeValue[] = [], rest: Partial<QueryCommandInput> = {}) {
  const { ExpressionAttributeValues, ...others } = rest;
  const [v, w] = values;
  return server.client.send(
    new QueryCommand({
      TableName: 'Numbers',
      KeyConditionExpression: condition === undefined ? 'pk = :pk' : `pk = :pk AND ${condition}`,
      ExpressionAttributeValues: {
        ':pk': { S: 'a' },
        ...(v && { ':v': v }),
        ...(w && { ':w': w }),
        ...ExpressionAttributeValues,
      },
      ...others,
    }),
  );
}

const numbers = ({ Items = [] }: { Items?: readonly Item[] | undefined }) => Items.map(({ sk }) => Number(sk!.N));
const N = (n: number): AttributeValue => ({ N: String(n) });
const upTo = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, at) => first + at);

describe('the items of a partition key', () => {
  test('come by sort key, forward and backward, whole, and counted', async () => {
    const forward = await query();
    expect(forward).toMatchObject({ Count: 30, ScannedCount: 30 });
    expect(forward.Items).toEqual(ITEMS.slice(0, 30));
    expect(forward).not.toHaveProperty('LastEvaluatedKey');
    expect(forward).not.toHaveProperty('ConsumedCapacity');
    expect(numbers(await query(undefined, [], { ScanIndexForward: false }))).toEqual(upTo(-10, 19).reverse());
    expect((await query(undefined, [], { ScanIndexForward: true })).Items).toEqual(forward.Items);
  });

  test('are none for a key that no item has', async () => {
    const none = await query(undefined, [], { ExpressionAttributeValues: { ':pk': { S: 'c' } } });
    expect(none).toMatchObject({ Items: [], Count: 0, ScannedCount: 0 });
    expect(none).not.toHaveProperty('LastEvaluatedKey');
  });

  test.each([true, false])('are the same with ConsistentRead %s', async (ConsistentRead) => {
    expect(numbers(await query('sk > :v', [N(3)], { ConsistentRead }))).toEqual(upTo(4, 19));
  });

  test('may be of a table without a sort key', async () => {
    await put('Singles', { pk: { S: 'one' }, a: { S: 'b' } });
    const found = await query(undefined, [], {
      TableName: 'Singles',
      ExpressionAttributeValues: { ':pk': { S: 'one' } },
    });
    expect(found.Items).toEqual([{ pk: { S: 'one' }, a: { S: 'b' } }]);
  });
});

// Developer guide, "Key condition expressions for the Query operation".
describe('a condition on the sort key', () => {
  test.each<[string, number[], number[]]>([
    ['sk = :v', [3], [3]],
    ['sk < :v', [-7], [-10, -9, -8]],
    ['sk <= :v', [-7], [-10, -9, -8, -7]],
    ['sk > :v', [16], [17, 18, 19]],
    ['sk >= :v', [16], [16, 17, 18, 19]],
    ['sk BETWEEN :v AND :w', [-1, 2], [-1, 0, 1, 2]],
    ['sk between :v and :w', [2, 2], [2]],
    ['sk BETWEEN :v AND :w', [100, 200], []],
    // The value may come first (ExtendDB issue 111).
    [':v <= sk', [17], [17, 18, 19]],
    [':v > sk', [-8], [-10, -9]],
    [':v = sk', [5], [5]],
    ['sk > :v', [3.5], upTo(4, 19)],
  ])('%s of %j', async (condition, values, expected) => {
    expect(numbers(await query(condition, values.map(N)))).toEqual(expected);
    const backward = await query(condition, values.map(N), { ScanIndexForward: false });
    expect(numbers(backward)).toEqual([...expected].reverse());
  });

  // ExtendDB pull request 19 (compared with the service).
  test.each([
    'pk = :pk AND sk = :v',
    'sk = :v AND pk = :pk',
    '(pk = :pk) AND (sk = :v)',
    '(pk = :pk AND sk = :v)',
    '(sk = :v) and pk = :pk',
    '#p = :pk AND #s = :v',
    'pk=:pk AND sk=:v',
  ])('may be written %s', async (KeyConditionExpression) => {
    const ExpressionAttributeNames = { '#p': 'pk', '#s': 'sk' };
    const found = await query('', [N(3)], {
      KeyConditionExpression,
      ...(KeyConditionExpression.includes('#') && { ExpressionAttributeNames }),
    });
    expect(numbers(found)).toEqual([3]);
  });

  test('compares texts by their UTF-8 bytes, and finds a prefix', async () => {
    const texts = ['A', 'Z', 'a', 'aa', 'ab', 'b', '\u00e9', '\ue000', '\u{1d11e}'];
    const items = texts.map((sk) => ({ pk: { S: 'a' }, sk: { S: sk } }));
    await Promise.all(items.map((Item) => put('Texts', Item)));
    const found = async (condition?: string, values: readonly string[] = []) => {
      const page = await query(
        condition,
        values.map((S) => ({ S })),
        { TableName: 'Texts' },
      );
      return page.Items!.map(({ sk }) => sk!.S);
    };
    expect(await found()).toEqual(texts);
    expect(await found('begins_with(sk, :v)', ['a'])).toEqual(['a', 'aa', 'ab']);
    expect(await found('sk > :v', ['b'])).toEqual(['\u00e9', '\ue000', '\u{1d11e}']);
    expect(await found('begins_with(sk, :v)', ['\u{1d11e}'])).toEqual(['\u{1d11e}']);
    expect(await found('sk BETWEEN :v AND :w', ['Z', 'aa'])).toEqual(['Z', 'a', 'aa']);
  });

  test('compares binaries by unsigned bytes, and finds a prefix', async () => {
    const bytes = [[0], [0, 0], [0x7f], [0x80], [0xff], [0xff, 0xff], [0xff, 0xff, 1]].map((each) =>
      Uint8Array.from(each),
    );
    await Promise.all(bytes.map((B) => put('Bytes', { pk: { S: 'a' }, sk: { B } })));
    const found = async (condition: string, values: readonly number[][]) => {
      const page = await query(
        condition,
        values.map((each) => ({ B: Uint8Array.from(each) })),
        { TableName: 'Bytes' },
      );
      return page.Items!.map(({ sk }) => [...sk!.B!]);
    };
    expect(await found('sk >= :v', [[0]])).toEqual(bytes.map((each) => [...each]));
    expect(await found('begins_with(sk, :v)', [[0xff, 0xff]])).toEqual([
      [0xff, 0xff],
      [0xff, 0xff, 1],
    ]);
    expect(await found('begins_with(sk, :v)', [[0]])).toEqual([[0], [0, 0]]);
    expect(await found('sk < :v', [[0x80]])).toEqual([[0], [0, 0], [0x7f]]);
  });
});

describe('pages', () => {
  test.each<[boolean, number]>([
    [true, 7],
    [false, 7],
    [true, 1],
    [false, 30],
  ])('put together are the answer (forward: %s, Limit %i)', async (ScanIndexForward, Limit) => {
    const all = upTo(-5, 14);
    const found: number[] = [];
    let pages = 0;
    let ExclusiveStartKey: Item | undefined;
    do {
      const page = await query('sk BETWEEN :v AND :w', [N(-5), N(14)], { ScanIndexForward, Limit, ExclusiveStartKey });
      expect(page.Count).toBeLessThanOrEqual(Limit);
      found.push(...numbers(page));
      ExclusiveStartKey = page.LastEvaluatedKey;
      if (ExclusiveStartKey !== undefined) expect(ExclusiveStartKey).toEqual(key('a', found.at(-1)!));
      pages++;
    } while (ExclusiveStartKey !== undefined);
    expect(found).toEqual(ScanIndexForward ? all : all.reverse());
    expect(pages).toBe(Math.ceil(all.length / Limit));
  });

  test('end at Limit, and tell where, even if no item follows', async () => {
    const page = await query('sk > :v', [N(17)], { Limit: 2 });
    expect(numbers(page)).toEqual([18, 19]);
    expect(page.LastEvaluatedKey).toEqual(key('a', 19));
    const next = await query('sk > :v', [N(17)], { Limit: 2, ExclusiveStartKey: page.LastEvaluatedKey });
    expect(next).toMatchObject({ Items: [], Count: 0, ScannedCount: 0 });
    expect(next).not.toHaveProperty('LastEvaluatedKey');
  });

  // aws-sdk-js issue 3290: of one item, with Limit 1.
  test('are the last at the end of the range', async () => {
    expect(await query('sk = :v', [N(3)], { Limit: 1 })).not.toHaveProperty('LastEvaluatedKey');
    const backward = await query('sk >= :v', [N(18)], { Limit: 2, ScanIndexForward: false });
    expect(numbers(backward)).toEqual([19, 18]);
    expect(backward).not.toHaveProperty('LastEvaluatedKey');
  });

  test('begin behind a key that no item has', async () => {
    expect(numbers(await query(undefined, [], { ExclusiveStartKey: { pk: { S: 'a' }, sk: N(16.5) } }))).toEqual(
      upTo(17, 19),
    );
    const backward = { ScanIndexForward: false, ExclusiveStartKey: { pk: { S: 'a' }, sk: N(-7.5) } };
    expect(numbers(await query(undefined, [], backward))).toEqual([-8, -9, -10]);
  });

  test.each([true, false])('end above 1 MB (forward: %s)', async (ScanIndexForward) => {
    const pk = { S: `large-${ScanIndexForward}` };
    const items = Array.from({ length: 10 }, (_, n) => ({ pk, sk: N(n), text: { S: 'x'.repeat(200_000) } }));
    await Promise.all(items.map((Item) => put('Numbers', Item)));
    const found: number[][] = [];
    const input = {
      TableName: 'Numbers',
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': pk },
    };
    for await (const page of paginateQuery({ client: server.client }, { ...input, ScanIndexForward })) {
      found.push(numbers(page));
    }
    const expected = [upTo(0, 5), upTo(6, 9)];
    const backward = [upTo(4, 9).reverse(), upTo(0, 3).reverse()];
    expect(found).toEqual(ScanIndexForward ? expected : backward);
  });

  test('of many items are read by the paginator of the SDK', async () => {
    const pk = { S: 'many' };
    const puts = upTo(1, 300).map((n) => ({ PutRequest: { Item: { pk, sk: N(n) } } }));
    for (let at = 0; at < puts.length; at += 25) {
      const RequestItems = { Numbers: puts.slice(at, at + 25) };
      await server.client.send(new BatchWriteItemCommand({ RequestItems }));
    }
    const found: number[] = [];
    const input = {
      TableName: 'Numbers',
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': pk },
    };
    for await (const page of paginateQuery({ client: server.client, pageSize: 90 }, input))
      found.push(...numbers(page));
    expect(found).toEqual(upTo(1, 300));
  });
});

describe('a filter', () => {
  const FilterExpression = 'even = :even';
  const ExpressionAttributeValues = { ':even': { BOOL: true } };

  test('leaves out items after they were read and counted', async () => {
    const page = await query('sk < :v', [N(0)], { FilterExpression, ExpressionAttributeValues });
    expect(numbers(page)).toEqual([-10, -8, -6, -4, -2]);
    expect(page).toMatchObject({ Count: 5, ScannedCount: 10 });
    const limited = await query(undefined, [], { FilterExpression, ExpressionAttributeValues, Limit: 3 });
    expect(limited).toMatchObject({ Count: 2, ScannedCount: 3, LastEvaluatedKey: key('a', -8) });
  });

  test('may leave a page empty that is not the last', async () => {
    const none = { FilterExpression: 'even = :even', ExpressionAttributeValues: { ':even': { S: 'no' } }, Limit: 4 };
    expect(await query(undefined, [], none)).toMatchObject({
      Items: [],
      Count: 0,
      ScannedCount: 4,
      LastEvaluatedKey: key('a', -7),
    });
  });
});

test('a projection keeps the paths that it names', async () => {
  const page = await query('sk = :v', [N(0)], {
    ProjectionExpression: 'sk, nested.#l[0]',
    ExpressionAttributeNames: { '#l': 'list' },
  });
  expect(page.Items).toEqual([{ sk: N(0), nested: { M: { list: { L: [N(10)] } } } }]);
  const legacy = {
    TableName: 'Numbers',
    KeyConditions: { pk: { ComparisonOperator: 'EQ' as const, AttributeValueList: [{ S: 'b' }] } },
    AttributesToGet: ['sk'],
  };
  expect((await server.client.send(new QueryCommand(legacy))).Items).toEqual([{ sk: N(7) }]);
});

// Developer guide, "Legacy conditional parameters".
describe('the legacy parameters', () => {
  const is = (ComparisonOperator: ComparisonOperator, ...AttributeValueList: AttributeValue[]) => ({
    ComparisonOperator,
    AttributeValueList,
  });
  const legacy = (KeyConditions: QueryCommandInput['KeyConditions'], rest: Partial<QueryCommandInput> = {}) =>
    server.client.send(
      new QueryCommand({
        TableName: 'Numbers',
        KeyConditions: { pk: is('EQ', { S: 'a' }), ...KeyConditions },
        ...rest,
      }),
    );

  test.each<[ComparisonOperator, number[], number[]]>([
    ['EQ', [3], [3]],
    ['LT', [-8], [-10, -9]],
    ['LE', [-8], [-10, -9, -8]],
    ['GT', [17], [18, 19]],
    ['GE', [17], [17, 18, 19]],
    ['BETWEEN', [0, 2], [0, 1, 2]],
  ])('KeyConditions take %s', async (operator, values, expected) => {
    expect(numbers(await legacy({ sk: is(operator, ...values.map(N)) }))).toEqual(expected);
  });

  test('KeyConditions take BEGINS_WITH, in any order', async () => {
    await put('Texts', { pk: { S: 'legacy' }, sk: { S: 'abc' } });
    const KeyConditions = { sk: is('BEGINS_WITH', { S: 'ab' }), pk: is('EQ', { S: 'legacy' }) };
    expect((await server.client.send(new QueryCommand({ TableName: 'Texts', KeyConditions }))).Count).toBe(1);
  });

  test('QueryFilter leaves out items, by all of its conditions or by any', async () => {
    const QueryFilter = { even: is('EQ', { BOOL: true }), gone: is('NOT_NULL') };
    const sk = is('BETWEEN', N(-10), N(-7));
    const both = await legacy({ sk }, { QueryFilter });
    expect(both).toMatchObject({ Count: 0, ScannedCount: 4 });
    const any = await legacy({ sk }, { QueryFilter, ConditionalOperator: 'OR' });
    expect(numbers(any)).toEqual([-10, -8]);
    expect(any).toMatchObject({ Count: 2, ScannedCount: 4 });
  });
});

test('a staleness rule shows what a replica that lags has, and a consistent query everything', async () => {
  const db = await startDynaring();
  const client = new DynamoDBClient(db.clientConfig());
  try {
    await createTable(client, 'Lagging', keysOf('pk', 'sk'));
    const Item = (sk: string) => ({ pk: { S: 'a' }, sk: { S: sk } });
    await client.send(new PutItemCommand({ TableName: 'Lagging', Item: Item('old') }));
    await db.waitUntilConsistent();
    const rule = db.faults.add({ kind: 'staleness', worst: true, operation: 'Query', table: 'Lagging' });
    await client.send(new PutItemCommand({ TableName: 'Lagging', Item: Item('new') }));
    const found = async (ConsistentRead: boolean) => {
      const input = { KeyConditionExpression: 'pk = :p', ExpressionAttributeValues: { ':p': { S: 'a' } } };
      const page = await client.send(new QueryCommand({ TableName: 'Lagging', ConsistentRead, ...input }));
      return page.Items!.map(({ sk }) => sk!.S);
    };
    expect(await found(false)).toEqual(['old']);
    expect(await found(true)).toEqual(['new', 'old']);
    db.faults.remove(rule.id);
    expect(await found(false)).toEqual(['new', 'old']);
  } finally {
    client.destroy();
    await db.stop();
  }
});
