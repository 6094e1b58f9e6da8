import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Entity, Service } from 'electrodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Dynaring, startDynaring } from '../../src/index.ts';
import { createTable, keysOf } from '../parts/tables.ts';

/** ElectroDB: single-table design with collections, and indexes whose keys have several attributes. */

const table = 'electro';
const employees = new Entity(
  {
    model: { entity: 'employee', version: '1', service: 'office' },
    attributes: {
      employee: { type: 'string', required: true },
      team: { type: 'string', required: true },
      office: { type: 'string', required: true },
      salary: { type: 'number', required: true },
      title: { type: 'string' },
      tags: { type: 'set', items: 'string' },
      jobs: {
        type: 'list',
        items: { type: 'map', properties: { name: { type: 'string' }, year: { type: 'number' } } },
      },
      reviews: { type: 'number' },
    },
    indexes: {
      record: { pk: { field: 'pk', composite: ['employee'] }, sk: { field: 'sk', composite: [] } },
      byTeam: {
        index: 'gsi1',
        collection: 'ofTeam',
        pk: { field: 'gsi1pk', composite: ['team'] },
        sk: { field: 'gsi1sk', composite: ['office', 'employee'] },
      },
      byOffice: {
        index: 'gsi2',
        projection: 'keys_only',
        pk: { field: 'gsi2pk', composite: ['office'] },
        sk: { field: 'gsi2sk', composite: ['team', 'employee'] },
      },
      byPlace: {
        index: 'places',
        type: 'composite',
        pk: { composite: ['office', 'team'] },
        sk: { composite: ['salary', 'employee'] },
      },
    },
  },
  { table },
);
const tasks = new Entity(
  {
    model: { entity: 'task', version: '1', service: 'office' },
    attributes: {
      task: { type: 'string', required: true },
      employee: { type: 'string', required: true },
      team: { type: 'string', required: true },
      points: { type: 'number', default: 1 },
    },
    indexes: {
      record: { pk: { field: 'pk', composite: ['task'] }, sk: { field: 'sk', composite: ['employee'] } },
      byTeam: {
        index: 'gsi1',
        collection: 'ofTeam',
        pk: { field: 'gsi1pk', composite: ['team'] },
        sk: { field: 'gsi1sk', composite: ['task', 'employee'] },
      },
    },
  },
  { table },
);
const office = new Service({ employees, tasks }, { table });

/** Twelve in each of two offices; teams and salaries repeat. */
const STAFF = Array.from({ length: 24 }, (_, i) => ({
  employee: `e${String(i).padStart(2, '0')}`,
  office: i < 12 ? 'london' : 'paris',
  team: i % 2 === 0 ? 'blue' : 'green',
  salary: (i % 4) * 1000,
}));
const namesOf = (data: readonly { employee: string }[]) => data.map(({ employee }) => employee);
const staffOf = (where: (one: (typeof STAFF)[number]) => boolean) => namesOf(STAFF.filter(where));
const PLACE = { office: 'london', team: 'blue' };

let db: Dynaring;
let client: DynamoDBClient;

beforeAll(async () => {
  db = await startDynaring();
  client = new DynamoDBClient(db.clientConfig());
  const key = keysOf('pk', 'sk');
  const gsi1 = keysOf('gsi1pk', 'gsi1sk');
  const gsi2 = keysOf('gsi2pk', 'gsi2sk');
  const places = keysOf('office', 'team', 'salary', 'employee');
  const keyTypes = ['HASH', 'HASH', 'RANGE', 'RANGE'] as const;
  await createTable(client, table, {
    KeySchema: key.KeySchema,
    AttributeDefinitions: [
      ...[key, gsi1, gsi2, places]
        .flatMap(({ AttributeDefinitions }) => AttributeDefinitions)
        .map((one) => (one.AttributeName === 'salary' ? { ...one, AttributeType: 'N' as const } : one)),
    ],
    GlobalSecondaryIndexes: [
      { IndexName: 'gsi1', KeySchema: gsi1.KeySchema, Projection: { ProjectionType: 'ALL' } },
      { IndexName: 'gsi2', KeySchema: gsi2.KeySchema, Projection: { ProjectionType: 'KEYS_ONLY' } },
      {
        IndexName: 'places',
        KeySchema: places.KeySchema.map((one, i) => ({ ...one, KeyType: keyTypes[i]! })),
        Projection: { ProjectionType: 'ALL' },
      },
    ],
  });
  office.setClient(client);
  const { unprocessed } = await employees.put(STAFF).go();
  expect(unprocessed).toEqual([]);
  await tasks
    .put([
      { task: 't1', employee: 'e00', team: 'blue', points: 3 },
      { task: 't2', employee: 'e01', team: 'green' },
      { task: 't3', employee: 'e02', team: 'blue' },
    ])
    .go();
});
afterAll(async () => {
  client?.destroy();
  await db?.stop();
});

describe('a record', () => {
  const employee = 'x1';
  const one = { employee, team: 'red', office: 'rome', salary: 1 };

  test('is created once', async () => {
    expect((await employees.create(one).go()).data).toEqual(one);
    await expect(employees.create(one).go()).rejects.toThrow('The conditional request failed');
    expect((await employees.get({ employee }).go({ consistent: true })).data).toEqual(one);
    expect((await employees.get({ employee: 'none' }).go()).data).toBeNull();
  });

  test('is updated in place, and moves in the indexes', async () => {
    const { data } = await employees
      .patch({ employee })
      .set({ title: 'lead', office: 'oslo', jobs: [{ name: 'first', year: 1999 }] })
      .composite({ team: 'red' })
      .add({ tags: ['a', 'b'], reviews: 2 })
      .go({ response: 'all_new' });
    expect(data).toMatchObject({ ...one, title: 'lead', office: 'oslo', reviews: 2 });
    await employees
      .update({ employee })
      .delete({ tags: ['a'] })
      .subtract({ reviews: 1 })
      .remove(['title'])
      .data(({ jobs }, { set }) => set(jobs[0]!.year, 2000))
      .where(({ salary }, { eq }) => eq(salary, 1))
      .go();
    await employees
      .update({ employee })
      .append({ jobs: [{ name: 'second' }] })
      .go();
    const expected = {
      ...one,
      office: 'oslo',
      tags: ['b'],
      reviews: 1,
      jobs: [{ name: 'first', year: 2000 }, { name: 'second' }],
    };
    expect((await employees.get({ employee }).go()).data).toEqual(expected);
    expect((await employees.query.byTeam({ team: 'red' }).go()).data).toEqual([expected]);
    expect((await employees.query.byOffice({ office: 'rome' }).go()).data).toEqual([]);
    expect(namesOf((await employees.query.byOffice({ office: 'oslo' }).go({ hydrate: true })).data)).toEqual([
      employee,
    ]);
    expect((await employees.query.byPlace({ office: 'oslo', team: 'red' }).go()).data).toEqual([expected]);
  });

  test('is not changed if a condition does not hold', async () => {
    const refused = employees
      .update({ employee })
      .set({ title: 'no' })
      .where(({ salary }, { gt }) => gt(salary, 99));
    await expect(refused.go()).rejects.toThrow('The conditional request failed');
    await expect(employees.patch({ employee: 'none' }).set({ title: 'no' }).go()).rejects.toThrow(
      'The conditional request failed',
    );
  });

  test('is put by upsert, and deleted', async () => {
    await employees.upsert({ ...one, employee: 'x2' }).go();
    await employees.upsert({ ...one, employee: 'x2', salary: 2 }).go();
    expect((await employees.get({ employee: 'x2' }).go()).data).toEqual({ ...one, employee: 'x2', salary: 2 });
    expect((await employees.delete({ employee: 'x2' }).go({ response: 'all_old' })).data).toMatchObject({ salary: 2 });
    await expect(employees.remove({ employee: 'x2' }).go()).rejects.toThrow('The conditional request failed');
    await employees.remove({ employee }).go();
    expect((await employees.query.byTeam({ team: 'red' }).go()).data).toEqual([]);
  });
});

describe('a query', () => {
  test('of a partition', async () => {
    expect((await tasks.query.record({ task: 't1' }).go({ consistent: true })).data).toMatchObject([{ points: 3 }]);
    expect((await employees.query.record({ employee: 'e03' }).go()).data).toEqual([STAFF[3]]);
  });

  test('of an index is in the order of its sort key, and of its reverse', async () => {
    const blue = staffOf(({ team }) => team === 'blue');
    expect(namesOf((await employees.query.byTeam({ team: 'blue' }).go()).data)).toEqual(blue);
    const { data } = await employees.query.byTeam({ team: 'blue' }).go({ order: 'desc' });
    expect(namesOf(data)).toEqual([...blue].reverse());
  });

  test('has ranges', async () => {
    const query = () => employees.query.byTeam({ team: 'blue', office: 'london' });
    const london = staffOf(({ team, office }) => team === 'blue' && office === 'london');
    expect(namesOf((await query().go()).data)).toEqual(london);
    expect(namesOf((await query().begins({ employee: 'e1' }).go()).data)).toEqual(['e10']);
    expect(namesOf((await query().between({ employee: 'e02' }, { employee: 'e06' }).go()).data)).toEqual([
      'e02',
      'e04',
      'e06',
    ]);
    // These are open at the other end: what is above london goes on in paris.
    const paris = staffOf(({ team, office }) => team === 'blue' && office === 'paris');
    expect(namesOf((await query().gt({ employee: 'e08' }).go()).data)).toEqual(['e10', ...paris]);
    expect(namesOf((await query().gte({ employee: 'e08' }).go()).data)).toEqual(['e08', 'e10', ...paris]);
    expect(namesOf((await query().lt({ employee: 'e02' }).go()).data)).toEqual(['e00']);
    expect(namesOf((await query().lte({ employee: 'e02' }).go()).data)).toEqual(['e00', 'e02']);
  });

  test('is filtered and projected', async () => {
    const { data } = await employees.query
      .byTeam({ team: 'green' })
      .where(({ salary, office }, { gte, eq }) => `${gte(salary, 3000)} AND ${eq(office, 'paris')}`)
      .go({ attributes: ['employee', 'salary'] });
    expect(data).toEqual(
      STAFF.filter(({ team, office, salary }) => team === 'green' && office === 'paris' && salary >= 3000).map(
        ({ employee, salary }) => ({ employee, salary }),
      ),
    );
  });

  test('is read by cursors, pages and counts', async () => {
    const blue = staffOf(({ team }) => team === 'blue');
    const found: string[] = [];
    let pages = 0;
    for (let cursor: string | null = null; pages === 0 || cursor !== null; pages += 1) {
      const page: { data: { employee: string }[]; cursor: string | null } = await employees.query
        .byTeam({ team: 'blue' })
        .go({ cursor, limit: 5 });
      found.push(...namesOf(page.data));
      cursor = page.cursor;
    }
    expect(found).toEqual(blue);
    expect(pages).toBeGreaterThan(2);
    const { data } = await employees.query.byTeam({ team: 'blue' }).go({ pages: 'all', limit: 3 });
    expect(namesOf(data)).toEqual(blue);
    expect(namesOf((await employees.query.byTeam({ team: 'blue' }).go({ count: 7 })).data)).toEqual(blue.slice(0, 7));
  });

  test('of an index that has keys only brings the whole items', async () => {
    const { data } = await employees.query.byOffice({ office: 'paris', team: 'green' }).go({ hydrate: true });
    expect(data).toEqual(STAFF.filter(({ team, office }) => team === 'green' && office === 'paris'));
  });

  test('of a collection brings both entities', async () => {
    const { data } = await office.collections.ofTeam({ team: 'blue' }).go();
    expect(namesOf(data.employees)).toEqual(staffOf(({ team }) => team === 'blue'));
    expect(data.tasks.map(({ task, points }) => [task, points])).toEqual([
      ['t1', 3],
      ['t3', 1],
    ]);
  });
});

describe('an index whose keys have several attributes', () => {
  const inPlace = STAFF.filter(({ team, office }) => team === 'blue' && office === 'london');
  const bySalary = [...inPlace].sort((a, b) => a.salary - b.salary || (a.employee < b.employee ? -1 : 1));

  test('is ordered by all of its sort key', async () => {
    expect((await employees.query.byPlace(PLACE).go()).data).toEqual(bySalary);
    expect((await employees.query.byPlace(PLACE).go({ order: 'desc' })).data).toEqual([...bySalary].reverse());
  });

  test('has ranges of the first attributes', async () => {
    const rich = bySalary.filter(({ salary }) => salary === 2000);
    expect((await employees.query.byPlace({ ...PLACE, salary: 2000 }).go()).data).toEqual(rich);
    expect((await employees.query.byPlace(PLACE).gte({ salary: 2000 }).go()).data).toEqual(rich);
    expect((await employees.query.byPlace(PLACE).lt({ salary: 2000 }).go()).data).toEqual(
      bySalary.filter(({ salary }) => salary < 2000),
    );
    const some = employees.query.byPlace({ ...PLACE, salary: 2000 }).gt({ employee: 'e02' });
    expect(namesOf((await some.go()).data)).toEqual(['e06', 'e10']);
  });

  test('is read by cursors', async () => {
    const first = await employees.query.byPlace(PLACE).go({ limit: 4 });
    expect(first.data).toEqual(bySalary.slice(0, 4));
    const rest = await employees.query.byPlace(PLACE).go({ cursor: first.cursor });
    expect(rest.data).toEqual(bySalary.slice(4));
  });
});

test('all records of an entity are scanned, matched and found', async () => {
  const scanned = await employees.scan.go({ pages: 'all' });
  expect(namesOf(scanned.data).sort()).toEqual(namesOf(STAFF));
  const matched = await employees.match({ team: 'green', salary: 3000 }).go({ pages: 'all' });
  expect(namesOf(matched.data)).toEqual(staffOf(({ team, salary }) => team === 'green' && salary === 3000));
  const found = await employees.find({ team: 'green' }).go();
  expect(namesOf(found.data)).toEqual(staffOf(({ team }) => team === 'green'));
});

test('many are fetched and deleted at once', async () => {
  const some = STAFF.slice(20).map(({ employee }) => ({ employee }));
  const { data } = await employees.get([...some, { employee: 'none' }]).go({ preserveBatchOrder: true });
  expect(data).toEqual([...STAFF.slice(20), null]);
  await employees.delete(some).go();
  expect((await employees.get(some).go()).data).toEqual([]);
  expect(namesOf((await employees.query.byTeam({ team: 'blue' }).go()).data)).not.toContain('e20');
});

describe('a transaction', () => {
  const one = { employee: 'tx1', team: 'tx', office: 'bern', salary: 1 };

  test('writes records of a service together', async () => {
    const { canceled } = await office.transaction
      .write(({ employees, tasks }) => [
        employees.create(one).commit(),
        tasks.put({ task: 'tx', employee: 'tx1', team: 'tx' }).commit(),
        employees.patch({ employee: 'e00' }).add({ reviews: 1 }).commit(),
      ])
      .go();
    expect(canceled).toBe(false);
    expect((await employees.get({ employee: 'tx1' }).go({ consistent: true })).data).toEqual(one);
    expect((await tasks.get({ task: 'tx', employee: 'tx1' }).go({ consistent: true })).data).toMatchObject({
      points: 1,
    });
  });

  test('is cancelled as a whole, with the reason and the item that is in its way', async () => {
    const { canceled, data } = await office.transaction
      .write(({ employees, tasks }) => [
        tasks.put({ task: 'never', employee: 'tx1', team: 'tx' }).commit(),
        employees.create(one).commit({ response: 'all_old' }),
      ])
      .go();
    expect(canceled).toBe(true);
    expect(data).toEqual([
      { rejected: false, code: 'None', message: undefined, item: null },
      { rejected: true, code: 'ConditionalCheckFailed', message: 'The conditional request failed', item: one },
    ]);
    expect((await tasks.get({ task: 'never', employee: 'tx1' }).go()).data).toBeNull();
  });

  test('reads records together', async () => {
    const { canceled, data } = await office.transaction
      .get(({ employees, tasks }) => [
        employees.get({ employee: 'tx1' }).commit(),
        tasks.get({ task: 'none', employee: 'tx1' }).commit(),
      ])
      .go();
    expect(canceled).toBe(false);
    expect(data.map(({ item }) => item)).toEqual([one, null]);
  });

  test('is done once for each token', async () => {
    const raise = () =>
      office.transaction
        .write(({ employees }) => [employees.patch({ employee: 'tx1' }).add({ salary: 5 }).commit()])
        .go({ token: 'raise-once' });
    await raise();
    await raise();
    expect((await employees.get({ employee: 'tx1' }).go({ consistent: true })).data!.salary).toBe(6);
  });
});
