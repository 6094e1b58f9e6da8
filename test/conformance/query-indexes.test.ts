import {
  type AttributeValue,
  CreateTableCommand,
  DeleteItemCommand,
  PutItemCommand,
  QueryCommand,
  type QueryCommandInput,
  type QueryCommandOutput,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keysOf, tableInput } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

const TableName = 'Things';
type Item = Record<string, AttributeValue>;
let server: TestServer;

const S = (text: string): AttributeValue => ({ S: text });
const N = (number: number): AttributeValue => ({ N: String(number) });

/** Ten items with one color, in two collections; two of them have each tier. Every third lacks a color. */
const ITEMS: readonly Item[] = Array.from({ length: 15 }, (_, at) => ({
  pk: S(at % 2 === 0 ? 'a' : 'b'),
  sk: S(`s${String(at).padStart(2, '0')}`),
  n: N(at),
  note: S('x'.repeat(at)),
  ...(at % 3 === 0 ? {} : { color: S('red'), tier: N(-(at % 5)), weight: { B: Uint8Array.of(at) } }),
}));
const RED = ITEMS.filter((item) => item.color !== undefined);

beforeAll(async () => {
  server = await startServer();
  const { AttributeDefinitions, KeySchema } = keysOf('pk', 'sk');
  const hash = (name: string) => ({ AttributeName: name, KeyType: 'HASH' as const });
  const sort = (name: string) => ({ AttributeName: name, KeyType: 'RANGE' as const });
  const byTier = [hash('color'), sort('tier')];
  await server.client.send(
    new CreateTableCommand({
      ...tableInput(TableName),
      KeySchema,
      AttributeDefinitions: [
        ...AttributeDefinitions,
        { AttributeName: 'color', AttributeType: 'S' },
        { AttributeName: 'tier', AttributeType: 'N' },
        { AttributeName: 'weight', AttributeType: 'B' },
      ],
      GlobalSecondaryIndexes: [
        { IndexName: 'all', KeySchema: byTier, Projection: { ProjectionType: 'ALL' } },
        { IndexName: 'keys', KeySchema: byTier, Projection: { ProjectionType: 'KEYS_ONLY' } },
        { IndexName: 'some', KeySchema: byTier, Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['n'] } },
        {
          IndexName: 'multi',
          KeySchema: [hash('color'), hash('pk'), sort('tier'), sort('weight')],
          Projection: { ProjectionType: 'ALL' },
        },
      ],
      LocalSecondaryIndexes: [
        { IndexName: 'local', KeySchema: [hash('pk'), sort('tier')], Projection: { ProjectionType: 'KEYS_ONLY' } },
        { IndexName: 'local-all', KeySchema: [hash('pk'), sort('tier')], Projection: { ProjectionType: 'ALL' } },
      ],
    }),
  );
  await Promise.all(ITEMS.map((Item) => server.client.send(new PutItemCommand({ TableName, Item }))));
});
afterAll(() => server.stop());

function query(IndexName: string, condition: string, values: Item, rest: Partial<QueryCommandInput> = {}) {
  return server.client.send(
    new QueryCommand({
      TableName,
      IndexName,
      KeyConditionExpression: condition,
      ExpressionAttributeValues: values,
      ...rest,
    }),
  );
}

const keep = (names: readonly string[], items: readonly Item[]) =>
  items.map((item) => Object.fromEntries(Object.entries(item).filter(([name]) => names.includes(name))));
const tierOf = ({ tier }: Item) => Number(tier!.N);
const byTier = (items: readonly Item[]) => [...items].sort((one, other) => tierOf(one) - tierOf(other));
const sortKeys = ({ Items = [] }: QueryCommandOutput) => Items.map(({ sk }) => sk!.S);

describe('a global index', () => {
  const red = (condition = '', values: Item = {}, rest: Partial<QueryCommandInput> = {}, index = 'all') =>
    query(index, `color = :c${condition}`, { ':c': S('red'), ...values }, rest);

  test('has the items that have its keys, by its sort key', async () => {
    const page = await red();
    expect(page).toMatchObject({ Count: 10, ScannedCount: 10 });
    expect(page.Items!.map(tierOf)).toEqual(byTier(RED).map(tierOf));
    expect(new Set(sortKeys(page))).toEqual(new Set(RED.map(({ sk }) => sk!.S)));
    const backward = await red('', {}, { ScanIndexForward: false });
    expect(sortKeys(backward)).toEqual(sortKeys(page).reverse());
    expect((await query('all', 'color = :c', { ':c': S('blue') })).Count).toBe(0);
  });

  test.each<[string, Item, (tier: number) => boolean]>([
    [' AND tier = :t', { ':t': N(-2) }, (tier) => tier === -2],
    [' AND tier < :t', { ':t': N(-2) }, (tier) => tier < -2],
    [' AND tier <= :t', { ':t': N(-2) }, (tier) => tier <= -2],
    [' AND tier > :t', { ':t': N(-2) }, (tier) => tier > -2],
    [' AND tier >= :t', { ':t': N(-2) }, (tier) => tier >= -2],
    [' AND tier BETWEEN :t AND :u', { ':t': N(-3), ':u': N(-1) }, (tier) => tier >= -3 && tier <= -1],
  ])('takes the condition%s', async (condition, values, isMet) => {
    const expected = byTier(RED).map(tierOf).filter(isMet);
    expect((await red(condition, values)).Items!.map(tierOf)).toEqual(expected);
    const backward = await red(condition, values, { ScanIndexForward: false });
    expect(backward.Items!.map(tierOf)).toEqual([...expected].reverse());
  });

  test('answers what it projects, and counts', async () => {
    const names = ['pk', 'sk', 'color', 'tier'];
    const one = { ':t': N(-4) };
    const items = RED.filter((item) => tierOf(item) === -4);
    const sorted = (items: readonly Item[]) => [...items].sort((a, b) => (a.sk!.S! < b.sk!.S! ? -1 : 1));
    expect(sorted((await red(' AND tier = :t', one, {}, 'keys')).Items!)).toEqual(keep(names, items));
    expect(sorted((await red(' AND tier = :t', one, {}, 'some')).Items!)).toEqual(keep([...names, 'n'], items));
    const projected = await red(' AND tier = :t', one, { Select: 'ALL_PROJECTED_ATTRIBUTES' }, 'some');
    expect(sorted(projected.Items!)).toEqual(keep([...names, 'n'], items));
    const whole = await red(' AND tier = :t', one, { Select: 'ALL_ATTRIBUTES' });
    expect(sorted(whole.Items!)).toEqual(items);
    const count = await red(' AND tier = :t', one, { Select: 'COUNT' }, 'keys');
    expect(count).toMatchObject({ Count: items.length, ScannedCount: items.length });
    expect(count).not.toHaveProperty('Items');
    const specific = { Select: 'SPECIFIC_ATTRIBUTES', ProjectionExpression: 'n' } as const;
    expect((await red(' AND tier = :t', one, specific, 'some')).Items).toHaveLength(items.length);
  });

  test.each([true, false])('gives pages that put together are the answer (forward: %s)', async (ScanIndexForward) => {
    const whole = sortKeys(await red('', {}, { ScanIndexForward }));
    for (const Limit of [1, 3, 10]) {
      const found: (string | undefined)[] = [];
      let ExclusiveStartKey: Item | undefined;
      do {
        const page = await red('', {}, { ScanIndexForward, Limit, ExclusiveStartKey });
        found.push(...sortKeys(page));
        ExclusiveStartKey = page.LastEvaluatedKey;
        // The keys of the index and those of the table (ExtendDB pull request 66).
        if (ExclusiveStartKey !== undefined) {
          expect(ExclusiveStartKey).toEqual(keep(['color', 'tier', 'pk', 'sk'], [page.Items!.at(-1)!])[0]);
        }
      } while (ExclusiveStartKey !== undefined);
      expect(found).toEqual(whole);
    }
  });

  test('takes multi-attribute keys, the sort key from left to right', async () => {
    const ofA = RED.filter(({ pk }) => pk!.S === 'a');
    const found = async (condition: string, values: Item, rest: Partial<QueryCommandInput> = {}) => {
      const all = { ':c': S('red'), ':p': S('a'), ...values };
      return sortKeys(await query('multi', `pk = :p AND color = :c${condition}`, all, rest));
    };
    const ordered = [...ofA].sort(
      (one, other) => tierOf(one) - tierOf(other) || one.weight!.B![0]! - other.weight!.B![0]!,
    );
    const keysOf = (items: readonly Item[]) => items.map(({ sk }) => sk!.S);
    expect(await found('', {})).toEqual(keysOf(ordered));
    expect(await found('', {}, { ScanIndexForward: false })).toEqual(keysOf(ordered).reverse());
    const second = ordered.filter((item) => tierOf(item) === -4);
    expect(await found(' AND tier = :t', { ':t': N(-4) })).toEqual(keysOf(second));
    const heavier = { ':t': N(-4), ':w': second[0]!.weight! };
    expect(await found(' AND weight > :w AND tier = :t', heavier)).toEqual(keysOf(second.slice(1)));
    expect(await found(' AND tier = :t AND weight <= :w', heavier)).toEqual(keysOf(second.slice(0, 1)));
    expect(await found(' AND tier >= :t', { ':t': N(-2) })).toEqual(
      keysOf(ordered.filter((item) => tierOf(item) >= -2)),
    );
  });

  test('follows writes: a key that changes, and an item that goes', async () => {
    const Key = { pk: S('z'), sk: S('z') };
    const write = (rest: Item) => server.client.send(new PutItemCommand({ TableName, Item: { ...Key, ...rest } }));
    const tiers = async () => (await query('all', 'color = :c', { ':c': S('green') })).Items!.map(tierOf);
    await write({ color: S('green'), tier: N(1) });
    expect(await tiers()).toEqual([1]);
    await write({ color: S('green'), tier: N(2) });
    expect(await tiers()).toEqual([2]);
    await write({ tier: N(2) });
    expect(await tiers()).toEqual([]);
    await write({ color: S('green'), tier: N(3) });
    await server.client.send(new DeleteItemCommand({ TableName, Key }));
    expect(await tiers()).toEqual([]);
  });
});

test('an index key of several attributes has the limits of one', async () => {
  const long = { tier: N(1), weight: { B: new Uint8Array(1_023) } };
  const put = (item: Item) =>
    server.client.send(
      new PutItemCommand({ TableName, Item: { pk: S('long'), sk: S('1'), color: S('long'), ...item } }),
    );
  await expect(put(long)).rejects.toMatchObject({
    name: 'ValidationException',
    message:
      'One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes',
  });
  await put({ ...long, weight: { B: new Uint8Array(1_022) } });
  const found = await query('multi', 'color = :c AND pk = :p', { ':c': S('long'), ':p': S('long') });
  expect(found.Count).toBe(1);
});

describe('a local index', () => {
  const ofA = byTier(RED.filter(({ pk }) => pk!.S === 'a'));
  const local = (condition = '', values: Item = {}, rest: Partial<QueryCommandInput> = {}, index = 'local') =>
    query(index, `pk = :p${condition}`, { ':p': S('a'), ...values }, rest);

  test.each([true, false])('has one collection by its sort key (ConsistentRead: %s)', async (ConsistentRead) => {
    const page = await local('', {}, { ConsistentRead });
    expect(page.Items!.map(tierOf)).toEqual(ofA.map(tierOf));
    expect(page.Items!.every((item) => Object.keys(item).sort().join() === 'pk,sk,tier')).toBe(true);
    const backward = await local('', {}, { ConsistentRead, ScanIndexForward: false });
    expect(sortKeys(backward)).toEqual(sortKeys(page).reverse());
    const some = await local(' AND tier BETWEEN :t AND :u', { ':t': N(-3), ':u': N(-1) }, { ConsistentRead });
    expect(some.Items!.map(tierOf)).toEqual(ofA.map(tierOf).filter((tier) => tier >= -3 && tier <= -1));
  });

  test('answers attributes that it does not project from the table', async () => {
    const whole = await local('', {}, { Select: 'ALL_ATTRIBUTES' });
    expect(keep(['sk', 'n', 'note'], whole.Items!)).toEqual(
      sortKeys(whole).map(
        (sk) =>
          keep(
            ['sk', 'n', 'note'],
            ofA.filter((item) => item.sk!.S === sk),
          )[0],
      ),
    );
    const some = await local('', {}, { ProjectionExpression: 'n' });
    expect(some.Items!.map(({ n }) => n)).toEqual(whole.Items!.map(({ n }) => n));
  });

  test('filters what is answered: an attribute from the table too, once it is fetched', async () => {
    const filter = { FilterExpression: 'n > :n' };
    const whole = await local('', { ':n': N(8) }, { ...filter, Select: 'ALL_ATTRIBUTES' });
    expect(sortKeys(whole).sort()).toEqual(['s10', 's14']);
    expect((await local('', { ':n': N(8) }, filter)).Count).toBe(0);
  });

  test.each([true, false])('gives pages that put together are the answer (forward: %s)', async (ScanIndexForward) => {
    const whole = sortKeys(await local('', {}, { ScanIndexForward }));
    const found: (string | undefined)[] = [];
    let ExclusiveStartKey: Item | undefined;
    do {
      const page = await local('', {}, { ScanIndexForward, Limit: 2, ExclusiveStartKey });
      found.push(...sortKeys(page));
      ExclusiveStartKey = page.LastEvaluatedKey;
      if (ExclusiveStartKey !== undefined) expect(Object.keys(ExclusiveStartKey).sort()).toEqual(['pk', 'sk', 'tier']);
    } while (ExclusiveStartKey !== undefined);
    expect(found).toEqual(whole);
  });
});

// Developer guide, "Capacity unit consumption", and of local indexes, "Read capacity units".
describe('consumed capacity', () => {
  const large = { note: S('x'.repeat(5000)) };
  const collection = { ':p': S('large') };
  beforeAll(async () => {
    for (const sk of ['1', '2', '3']) {
      const Item = { pk: S('large'), sk: S(sk), color: S('big'), tier: N(Number(sk)), ...large };
      await server.client.send(new PutItemCommand({ TableName, Item }));
    }
  });
  const consumed = async (IndexName: string | undefined, condition: string, rest: Partial<QueryCommandInput> = {}) => {
    const values = condition.includes(':c') ? { ':c': S('big') } : collection;
    const page = await server.client.send(
      new QueryCommand({
        TableName,
        ...(IndexName && { IndexName }),
        KeyConditionExpression: condition,
        ReturnConsumedCapacity: 'INDEXES',
        ...rest,
        ExpressionAttributeValues: { ...values, ...rest.ExpressionAttributeValues },
      }),
    );
    return page.ConsumedCapacity;
  };

  test('of a table is the sum of what was read, before the filter, rounded once', async () => {
    const Table = (units: number) => ({ TableName, CapacityUnits: units, Table: { CapacityUnits: units } });
    // Three items of some 5 KB: 15 KB are four units.
    expect(await consumed(undefined, 'pk = :p')).toEqual(Table(2));
    expect(await consumed(undefined, 'pk = :p', { ConsistentRead: true })).toEqual(Table(4));
    const filter = { FilterExpression: 'attribute_exists(gone)' };
    expect(await consumed(undefined, 'pk = :p', filter)).toEqual(Table(2));
    expect(await consumed(undefined, 'pk = :p', { Select: 'COUNT' })).toEqual(Table(2));
    expect(await consumed(undefined, 'pk = :p', { ProjectionExpression: 'sk' })).toEqual(Table(2));
    expect(await consumed(undefined, 'pk = :p', { Limit: 1 })).toEqual(Table(1));
    const none = { ExpressionAttributeValues: { ':p': S('nobody') } };
    expect(await consumed(undefined, 'pk = :p', none)).toEqual(Table(0.5));
    const total = await consumed(undefined, 'pk = :p', { ReturnConsumedCapacity: 'TOTAL' });
    expect(total).toEqual({ TableName, CapacityUnits: 2 });
    expect(await consumed(undefined, 'pk = :p', { ReturnConsumedCapacity: 'NONE' })).toBeUndefined();
  });

  test('of a global index is that of its entries', async () => {
    expect(await consumed('all', 'color = :c')).toEqual({
      TableName,
      CapacityUnits: 2,
      Table: { CapacityUnits: 0 },
      GlobalSecondaryIndexes: { all: { CapacityUnits: 2 } },
    });
    expect(await consumed('keys', 'color = :c')).toMatchObject({
      CapacityUnits: 0.5,
      GlobalSecondaryIndexes: { keys: { CapacityUnits: 0.5 } },
    });
  });

  test('of a local index has each item that is fetched from the table', async () => {
    expect(await consumed('local', 'pk = :p')).toMatchObject({
      CapacityUnits: 0.5,
      Table: { CapacityUnits: 0 },
      LocalSecondaryIndexes: { local: { CapacityUnits: 0.5 } },
    });
    expect(await consumed('local', 'pk = :p', { Select: 'ALL_ATTRIBUTES' })).toMatchObject({
      CapacityUnits: 3.5,
      Table: { CapacityUnits: 3 },
      LocalSecondaryIndexes: { local: { CapacityUnits: 0.5 } },
    });
    // "A Query consumes the same amount of read capacity, regardless of whether a filter expression is present."
    const filter = { Select: 'ALL_ATTRIBUTES', FilterExpression: 'attribute_exists(gone)' } as const;
    expect(await consumed('local', 'pk = :p', filter)).toMatchObject({
      CapacityUnits: 3.5,
      Table: { CapacityUnits: 3 },
    });
    const strong = { Select: 'ALL_ATTRIBUTES', ConsistentRead: true } as const;
    expect(await consumed('local', 'pk = :p', strong)).toMatchObject({
      CapacityUnits: 7,
      LocalSecondaryIndexes: { local: { CapacityUnits: 1 } },
    });
    expect(await consumed('local-all', 'pk = :p', { Select: 'ALL_ATTRIBUTES' })).toMatchObject({
      CapacityUnits: 2,
      Table: { CapacityUnits: 0 },
    });
  });
});
