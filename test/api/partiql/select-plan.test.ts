import { describe, expect, test } from 'vitest';
import { columnSelector } from '../../../src/api/partiql/select-columns.ts';
import { planSelect } from '../../../src/api/partiql/select-plan.ts';
import { readStatement } from '../../../src/api/partiql/statement.ts';
import type { Table } from '../../../src/api/table-definition.ts';
import { newRouter, tableRequest } from '../../router/table-fixtures.ts';

async function tableOf(name: string, type: 'S' | 'N', sort?: string): Promise<Table> {
  const router = newRouter();
  await router.create(
    tableRequest({
      TableName: name,
      AttributeDefinitions: [
        { AttributeName: 'OrderID', AttributeType: type },
        ...(sort === undefined ? [] : [{ AttributeName: sort, AttributeType: 'N' as const }]),
      ],
      KeySchema: [
        { AttributeName: 'OrderID', KeyType: 'HASH' },
        ...(sort === undefined ? [] : [{ AttributeName: sort, KeyType: 'RANGE' as const }]),
      ],
    }),
  );
  return router.catalog.tableFor(name, { nowMs: 0 }, '');
}

function planOf(table: Table, rest: string) {
  const statement = readStatement({ Statement: `SELECT * FROM Orders ${rest}` });
  if (statement.kind !== 'select') throw new Error('no SELECT');
  return planSelect(table, statement.syntax, statement.condition);
}

/** Partitions and their ranges, in the order in which they are read. */
function rangesOf(table: Table, rest: string) {
  const plan = planOf(table, rest);
  if (plan.kind !== 'ranges') return plan.kind;
  return plan.ranges.map(({ terms, filter }) => [
    ...terms.map(({ operator, values }) => `${operator} ${values.map((value) => Object.values(value)[0]).join(' ')}`),
    ...(filter === undefined ? [] : ['filtered']),
  ]);
}

/** The examples of the developer guide, "PartiQL select statements": which statements read the whole table. */
describe('a table with a partition key alone', () => {
  test.each([
    ['WHERE OrderID = 100', 'item'],
    ["WHERE OrderID = 100 and Address = 'some address'", 'item'],
    ['WHERE 100 = OrderID', 'item'],
    ['WHERE OrderID = 100 or OrderID = 200', [['= 100'], ['= 200']]],
    ['WHERE OrderID IN [300, 100, 234]', [['= 100'], ['= 234'], ['= 300']]],
    ['WHERE OrderID IN (100)', [['= 100']]],
    [
      "WHERE (OrderID = 1 OR OrderID = 2) AND Address = 'x'",
      [
        ['= 1', 'filtered'],
        ['= 2', 'filtered'],
      ],
    ],
    ['WHERE OrderID > 1', 'scan'],
    ["WHERE Address = 'some address'", 'scan'],
    ["WHERE OrderID = 100 OR Address = 'some address'", 'scan'],
    ['WHERE NOT OrderID = 100', 'scan'],
    ['WHERE OrderID = 1 AND OrderID = 2', 'scan'],
    ['WHERE OrderID = Other', 'scan'],
    ['', 'scan'],
  ])('%s', async (where, wanted) => {
    const table = await tableOf('Orders', 'N');
    const plan = planOf(table, where);
    expect(plan.kind === 'ranges' ? rangesOf(table, where) : plan.kind).toEqual(wanted);
  });

  test('more alternatives than a request may have', async () => {
    const table = await tableOf('Orders', 'N');
    const values = (count: number) => Array.from({ length: count }, (_, at) => at).join(', ');
    expect(rangesOf(table, `WHERE OrderID IN [${values(50)}]`)).toHaveLength(50);
    expect(() => planOf(table, `WHERE OrderID IN [${values(51)}]`)).toThrow('number of operands: 51');
    expect(() => planOf(table, `WHERE x IN [${values(101)}]`)).toThrow('number of operands: 101');
    const ors = Array.from({ length: 51 }, (_, at) => `OrderID = ${at}`).join(' OR ');
    expect(planOf(table, `WHERE ${ors}`).kind).toBe('scan');
  });
});

describe('a table with a sort key', () => {
  const table = tableOf('Orders', 'S', 'n');
  test.each([
    ["WHERE OrderID = 'a' AND n = 1", 'item'],
    ["WHERE OrderID = 'a'", [['= a']]],
    ["WHERE OrderID = 'a' AND n > 1 AND n < 5", [['= a', '> 1', 'filtered']]],
    ["WHERE OrderID = 'a' AND n > 1 AND n = 5", 'item'],
    ["WHERE OrderID = 'a' AND n <> 5", [['= a', 'filtered']]],
    [
      "WHERE OrderID IN ['b', 'a'] AND n IN [2, 1]",
      [
        ['= a', '= 1'],
        ['= a', '= 2'],
        ['= b', '= 1'],
        ['= b', '= 2'],
      ],
    ],
    [
      "WHERE OrderID = 'a' AND (n < 3 OR n > 7)",
      [
        ['= a', '< 3'],
        ['= a', '> 7'],
      ],
    ],
    [
      "WHERE OrderID = 'a' AND (n < 3 OR n > 7) ORDER BY n DESC",
      [
        ['= a', '> 7'],
        ['= a', '< 3'],
      ],
    ],
    ["WHERE OrderID IN ['a', 'b'] ORDER BY OrderID DESC", [['= b'], ['= a']]],
    [
      "WHERE OrderID = 'a' AND n = 1 OR OrderID = 'b' AND x = 1",
      [
        ['= a', '= 1'],
        ['= b', 'filtered'],
      ],
    ],
  ])('%s', async (where, wanted) => {
    expect(rangesOf(await table, where)).toEqual(wanted);
  });

  test.each([
    ["WHERE OrderID = 'a' AND (n < 3 OR n < 7)"],
    ["WHERE OrderID = 'a' AND (n <= 3 OR n >= 3)"],
    ["WHERE OrderID IN ['a', 'a']"],
    ["WHERE OrderID = 'a' AND (n BETWEEN 1 AND 3 OR n = 2)"],
    ["WHERE OrderID = 'a' AND (n BETWEEN 1 AND 3 OR n = 2) ORDER BY n DESC"],
  ])('%s overlaps', async (where) => {
    const overlap = 'Overlapping conditions with range keys are not supported in where clause';
    const made = await table;
    expect(() => rangesOf(made, where)).toThrow(overlap);
  });
  test('ranges that touch do not overlap', async () => {
    expect(rangesOf(await table, "WHERE OrderID = 'a' AND (n < 3 OR n >= 3)")).toHaveLength(2);
  });

  test('an order of the partition key alone is one of falling sort keys', async () => {
    const forward = async (order: string) => {
      const plan = planOf(await table, `WHERE OrderID = 'a' ${order}`);
      return plan.kind === 'ranges' && plan.isForward;
    };
    expect(await forward('')).toBe(true);
    expect(await forward('ORDER BY n')).toBe(true);
    expect(await forward('ORDER BY n DESC')).toBe(false);
    expect(await forward('ORDER BY OrderID ASC')).toBe(false);
    expect(await forward('ORDER BY OrderID DESC, n ASC')).toBe(true);
  });
});

test('columns are named by the ends of their paths, and cost no more than the item', () => {
  const item = {
    a: { M: { b: { L: [{ S: 'x' }, { M: { c: { N: '1' } } }] }, c: { N: '2' } } },
    c: { N: '3' },
  };
  const select = (...columns: (string | number)[][]) => columnSelector(columns)(item);
  expect(select(['a', 'b', 0], ['a', 'b', 1, 'c'], ['a', 'b'], ['none'], ['a', 'none'], ['c', 'd'])).toEqual({
    'b[0]': { S: 'x' },
    c: { N: '1' },
    b: item.a.M.b,
  });
  expect(select(['a', 'c'], ['c'])).toEqual({ c: { N: '3' } });
  expect(select(['c'], ['a', 'c'])).toEqual({ c: { N: '2' } });
  expect(select(['c'], ['a', 'c'], ['a', 'b', 0, 'c'])).toEqual({ c: { N: '2' } });

  const many = Array.from({ length: 2_000 }, (_, at) => ['a', `n${at}`]);
  const selectMany = columnSelector(many);
  const startedMs = performance.now();
  for (let time = 0; time < 20_000; time++) selectMany({ a: { M: { n7: { S: 'x' } } } });
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});
