import { DescribeTableCommand, DescribeTimeToLiveCommand, DynamoDB } from '@aws-sdk/client-dynamodb';
import dynamoose from 'dynamoose';
import type { Item } from 'dynamoose/dist/Item.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Dynaring, startDynaring } from '../../src/index.ts';

/** Dynamoose makes its tables itself, also adds indexes to one that is there, and queries them by chained calls. */

interface Cat extends Item {
  readonly owner: string;
  readonly name: string;
  readonly breed: string;
  readonly age: number;
  readonly toys: string[];
  readonly born: Date;
  readonly home: { readonly street: string; readonly city: string };
}
const schema = new dynamoose.Schema(
  {
    owner: { type: String, hashKey: true },
    name: { type: String, rangeKey: true },
    breed: { type: String, index: { name: 'byBreed', type: 'global', rangeKey: 'age' } },
    age: { type: Number, index: { name: 'byAge', type: 'local', project: true } },
    toys: { type: Array, schema: [String] },
    born: Date,
    home: { type: Object, schema: { street: String, city: String } },
  },
  { timestamps: false },
);
const BREEDS = ['persian', 'siamese', 'manx'];
/** Thirty cats of two owners; no two of a breed have the same age. */
const CATS = Array.from({ length: 30 }, (_, i) => ({
  owner: i % 2 === 0 ? 'ann' : 'bob',
  name: `cat${String(i).padStart(2, '0')}`,
  breed: BREEDS[i % 3]!,
  age: (i * 7) % 30,
}));
const namesOf = (cats: readonly { name: string }[]) => [...cats].map(({ name }) => name);
const catsOf = (where: (cat: (typeof CATS)[number]) => boolean) => CATS.filter(where).sort((a, b) => a.age - b.age);

let db: Dynaring;
let client: DynamoDB;
let Cats: ReturnType<typeof dynamoose.model<Cat>>;
const options = { throughput: 'ON_DEMAND' as const, waitForActive: { check: { frequency: 10 } } };

beforeAll(async () => {
  db = await startDynaring();
  client = new DynamoDB(db.clientConfig());
  dynamoose.aws.ddb.set(client);
  Cats = dynamoose.model<Cat>('Cats', schema, { ...options, expires: { ttl: 3_600_000, attribute: 'expires' } });
  for (let from = 0; from < CATS.length; from += 25) {
    const { unprocessedItems } = await Cats.batchPut(CATS.slice(from, from + 25));
    expect(unprocessedItems).toEqual([]);
  }
});
afterAll(async () => {
  client?.destroy();
  await db?.stop();
});

test('its table has the indexes and the time to live of the schema', async () => {
  const { Table } = await client.send(new DescribeTableCommand({ TableName: 'Cats' }));
  expect(Table!.GlobalSecondaryIndexes).toMatchObject([{ IndexName: 'byBreed', IndexStatus: 'ACTIVE' }]);
  expect(Table!.LocalSecondaryIndexes).toMatchObject([{ IndexName: 'byAge' }]);
  const { TimeToLiveDescription } = await client.send(new DescribeTimeToLiveCommand({ TableName: 'Cats' }));
  expect(TimeToLiveDescription).toEqual({ AttributeName: 'expires', TimeToLiveStatus: 'ENABLED' });
});

describe('an item', () => {
  const key = { owner: 'cid', name: 'tom' };

  test('is created once, and got', async () => {
    const cat = { ...key, breed: 'tabby', age: 1, born: new Date(0), home: { street: 'Main', city: 'Bern' } };
    await Cats.create(cat);
    await expect(Cats.create(cat)).rejects.toThrow('The conditional request failed');
    expect({ ...(await Cats.get(key, { consistent: true })) }).toMatchObject(cat);
    expect(await Cats.get({ ...key, name: 'none' })).toBeUndefined();
  });

  test('is saved, and updated if a condition holds', async () => {
    const cat = await Cats.get(key);
    Object.assign(cat, { age: 2 });
    await cat.save();
    const updated = await Cats.update(key, { $ADD: { age: 1 }, $SET: { toys: ['ball'] }, $REMOVE: ['born'] });
    expect(updated).toMatchObject({ age: 3, toys: ['ball'] });
    expect(updated.born).toBeUndefined();
    const condition = new dynamoose.Condition('age').gt(5);
    await expect(Cats.update(key, { breed: 'lion' }, { condition })).rejects.toThrow('The conditional request failed');
    await Cats.update(key, { breed: 'lion' }, { condition: new dynamoose.Condition('age').eq(3) });
    expect(namesOf(await Cats.query('breed').eq('lion').exec())).toEqual(['tom']);
    expect(await Cats.query('breed').eq('tabby').exec()).toHaveLength(0);
  });

  test('is deleted', async () => {
    await Cats.delete(key);
    expect(await Cats.get(key)).toBeUndefined();
    expect(await Cats.query('breed').eq('lion').exec()).toHaveLength(0);
  });
});

describe('a query', () => {
  test('of a partition, in both orders', async () => {
    const names = namesOf(CATS.filter(({ owner }) => owner === 'ann'));
    const found = await Cats.query('owner').eq('ann').consistent().exec();
    expect(namesOf(found)).toEqual(names);
    expect(found.count).toBe(names.length);
    expect(namesOf(await Cats.query({ owner: 'ann' }).sort('descending').exec())).toEqual([...names].reverse());
  });

  test('with a range of the sort key', async () => {
    const query = () => Cats.query('owner').eq('bob').where('name');
    expect(namesOf(await query().beginsWith('cat0').exec())).toEqual(['cat01', 'cat03', 'cat05', 'cat07', 'cat09']);
    expect(namesOf(await query().between('cat04', 'cat09').exec())).toEqual(['cat05', 'cat07', 'cat09']);
    expect(namesOf(await query().lt('cat03').exec())).toEqual(['cat01']);
    expect(namesOf(await query().ge('cat27').exec())).toEqual(['cat27', 'cat29']);
  });

  test('of a global index, with a filter', async () => {
    const persians = catsOf(({ breed }) => breed === 'persian');
    expect(namesOf(await Cats.query('breed').eq('persian').exec())).toEqual(namesOf(persians));
    const some = await Cats.query('breed').eq('persian').where('age').gt(9).filter('owner').eq('ann').exec();
    expect(namesOf(some)).toEqual(namesOf(persians.filter(({ age, owner }) => age > 9 && owner === 'ann')));
    const either = Cats.query('breed').eq('persian').using('byBreed');
    const parts = either.parenthesis(
      new dynamoose.Condition().where('name').eq('cat03').or().where('name').eq('cat06'),
    );
    expect(namesOf(await parts.exec()).sort()).toEqual(['cat03', 'cat06']);
  });

  test('of a local index', async () => {
    const query = Cats.query('owner').eq('ann').where('age').lt(12).using('byAge');
    expect(namesOf(await query.exec())).toEqual(namesOf(catsOf(({ owner, age }) => owner === 'ann' && age < 12)));
  });

  test('page by page, and all of it', async () => {
    const query = () => Cats.query('breed').eq('manx').limit(4);
    const first = await query().exec();
    const second = await query().startAt(first.lastKey).exec();
    const manx = namesOf(catsOf(({ breed }) => breed === 'manx'));
    expect([...namesOf(first), ...namesOf(second)]).toEqual(manx.slice(0, 8));
    const all = await query().all().exec();
    expect(namesOf(all)).toEqual(manx);
    expect(all.timesQueried).toBe(3);
  });

  test('counts, and brings some attributes', async () => {
    expect(await Cats.query('breed').eq('siamese').count().exec()).toMatchObject({ count: 10 });
    const [cat] = await Cats.query('owner').eq('ann').limit(1).attributes(['name', 'age']).exec();
    expect(cat!.toJSON()).toEqual({ name: 'cat00', age: 0 });
  });
});

test('all items are scanned, in parallel and with a filter', async () => {
  const scanned = await Cats.scan().limit(4).parallel(3).all().exec();
  expect(namesOf(scanned).sort()).toEqual(namesOf(CATS));
  expect(namesOf(await Cats.scan('age').lt(3).exec()).sort()).toEqual(namesOf(catsOf(({ age }) => age < 3)).sort());
});

test('several are got and deleted at once', async () => {
  const keys = CATS.slice(0, 3).map(({ owner, name }) => ({ owner, name }));
  expect(namesOf(await Cats.batchGet(keys)).sort()).toEqual(['cat00', 'cat01', 'cat02']);
  await Cats.batchDelete(keys);
  expect(await Cats.batchGet(keys)).toHaveLength(0);
});

test('an index that a schema gains is added to the table, which it fills', async () => {
  const before = new dynamoose.Schema({ id: String, color: String, size: Number });
  const Things = dynamoose.model('Things', before, options);
  await Things.batchPut([
    { id: '1', color: 'red', size: 1 },
    { id: '2', color: 'red', size: 2 },
    { id: '3', size: 3 },
  ]);
  const after = new dynamoose.Schema({
    id: String,
    color: { type: String, index: { name: 'byColor', type: 'global', rangeKey: 'size' } },
    size: Number,
  });
  const Indexed = dynamoose.model('Things', after);
  const table = new dynamoose.Table('Things', [Indexed], { ...options, initialize: false, update: true });
  await table.initialize();
  const found = await Indexed.query('color').eq('red').sort('descending').exec();
  expect(found.map(({ id }) => id)).toEqual(['2', '1']);
});

describe('a transaction', () => {
  const cat = (name: string, age: number) => ({ owner: 'tx', name, breed: 'manx', age });
  const key = (name: string) => ({ owner: 'tx', name });

  test('writes items together', async () => {
    await dynamoose.transaction([Cats.transaction.create(cat('a', 1)), Cats.transaction.create(cat('b', 2))]);
    await dynamoose.transaction([
      Cats.transaction.update(key('a'), { $ADD: { age: 5 } }),
      Cats.transaction.delete(key('b')),
      Cats.transaction.condition(key('none'), new dynamoose.Condition('name').not().exists()),
    ]);
    expect((await Cats.get(key('a'), { consistent: true })).age).toBe(6);
    expect(await Cats.get(key('b'), { consistent: true })).toBeUndefined();
  });

  test('is cancelled as a whole', async () => {
    const again = dynamoose.transaction([Cats.transaction.create(cat('c', 3)), Cats.transaction.create(cat('a', 1))]);
    await expect(again).rejects.toMatchObject({
      name: 'TransactionCanceledException',
      CancellationReasons: [
        { Code: 'None' },
        { Code: 'ConditionalCheckFailed', Message: 'The conditional request failed' },
      ],
    });
    expect(await Cats.get(key('c'), { consistent: true })).toBeUndefined();
  });

  test('reads items together', async () => {
    await Cats.create(cat('d', 4));
    const found = await dynamoose.transaction([Cats.transaction.get(key('a')), Cats.transaction.get(key('d'))]);
    expect(found.map(({ name, age }: Cat) => [name, age])).toEqual([
      ['a', 6],
      ['d', 4],
    ]);
  });
});
