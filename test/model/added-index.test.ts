import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AttributeMap, AttributeValue } from '../../src/api/attribute-value.ts';
import { changeOf, itemOf, keyParts, schema } from './arbitrary-tables.ts';
import { checkQuestion, checkScans } from './checks.ts';
import { change, keyTextIn, putAll, questions, withTable } from './history.ts';
import type { ModelIndex, ModelSchema, ModelTable } from './model-table.ts';
import { TABLE } from './question.ts';
import { definitionOf, indexRequest, RingUnderTest } from './ring-under-test.ts';
import { PATIENCE_MS, RUNS, runs } from './runs.ts';

let under: RingUnderTest;
beforeAll(async () => {
  under = await RingUnderTest.open();
});
afterAll(() => under?.close());

/** Values that no index takes as its key, or only one whose attribute has this type. */
const wild: fc.Arbitrary<AttributeValue> = fc.constantFrom<AttributeValue>(
  { S: '' },
  { S: 'a' },
  { N: '1' },
  { B: '' },
  { B: 'AQ==' },
  { NULL: true },
  { SS: ['a'] },
  { L: [{ S: 'a' }] },
  { S: 'x'.repeat(1_024) },
  { S: 'x'.repeat(1_025) },
  { S: 'x'.repeat(2_049) },
);

/** Items that were put before there was an index: its key attributes have what they like. */
function wildItemOf(of: ModelSchema): fc.Arbitrary<AttributeMap> {
  const names = keyParts(of)
    .map(({ name }) => name)
    .filter((name) => name !== 'pk' && name !== 'sk');
  const values = fc.tuple(...names.map(() => fc.option(wild, { nil: undefined, freq: 1 })));
  return fc.tuple(itemOf(of), values).map(([item, all]) => ({
    ...item,
    ...Object.fromEntries(names.flatMap((name, at) => (all[at] === undefined ? [] : [[name, all[at]]]))),
  }));
}

/** Key attributes of local indexes have been checked all along. */
function withoutWild(of: ModelSchema, item: AttributeMap): AttributeMap {
  const local = of.indexes.filter(({ kind }) => kind === 'local').flatMap(({ sort }) => sort);
  const kept = Object.entries(item).filter(([name, value]) => {
    const part = local.find((each) => each.name === name);
    const [type, content] = Object.entries(value)[0]!;
    return part === undefined || (type === part.type && content !== '' && String(content).length <= 1_024);
  });
  return Object.fromEntries(kept);
}

async function addIndex(of: ModelSchema, index: ModelIndex): Promise<void> {
  const own = of.sort === undefined ? [of.partition] : [of.partition, of.sort];
  const parts = new Map([...own, ...index.partition, ...index.sort].map((part) => [part.name, part]));
  await under.ask('UpdateTable', {
    TableName: TABLE,
    AttributeDefinitions: [...parts.values()].map(definitionOf),
    GlobalSecondaryIndexUpdates: [{ Create: indexRequest(index) }],
  });
}

async function untilActive(): Promise<void> {
  await expect
    .poll(async () => {
      const { Table } = await under.ask('DescribeTable', { TableName: TABLE });
      await sleep(2);
      return (Table.GlobalSecondaryIndexes ?? []).map((each: { IndexStatus: string }) => each.IndexStatus);
    })
    .toSatisfy((statuses: string[]) => statuses.every((status) => status === 'ACTIVE'));
}

/** Deletes an index, and adds another one under its name, which projects something else. */
async function replaceIndex(table: ModelTable): Promise<ModelTable> {
  const old = table.schema.indexes.find(({ kind }) => kind === 'global')!;
  const rest = table.schema.indexes.filter((index) => index !== old);
  const { name: IndexName } = old;
  await under.ask('UpdateTable', { TableName: TABLE, GlobalSecondaryIndexUpdates: [{ Delete: { IndexName } }] });
  await expect(under.ask('Scan', { TableName: TABLE, IndexName })).rejects.toThrow(
    `The table does not have the specified index: ${IndexName}`,
  );
  const next: ModelIndex = { ...old, projection: old.projection === 'ALL' ? 'KEYS_ONLY' : 'ALL' };
  await addIndex(table.schema, next);
  await untilActive();
  return table.withIndexes([...rest, next]);
}

const history = schema
  .filter(({ indexes }) => indexes.some(({ kind }) => kind === 'global'))
  .chain((of) =>
    fc.record({
      schema: fc.constant(of),
      items: fc.uniqueArray(
        wildItemOf(of).map((item) => withoutWild(of, item)),
        { maxLength: 30, size: 'max', selector: keyTextIn(of) },
      ),
      during: fc.array(changeOf(of), { maxLength: 6 }),
      after: fc.array(changeOf(of), { maxLength: 6 }),
    }),
  );

describe('an index that is added to a table', () => {
  test(
    'has, after a while, what it would have from the beginning, also of writes meanwhile',
    async () => {
      await fc.assert(
        fc.asyncProperty(history, questions, async ({ schema: of, items, during, after }, asked) => {
          const locals = of.indexes.filter(({ kind }) => kind === 'local');
          await withTable(under.ask, { ...of, indexes: locals }, async (first) => {
            let table: ModelTable = first;
            await putAll(under.ask, table, items);
            for (const index of of.indexes.filter(({ kind }) => kind === 'global')) {
              await addIndex(of, index);
              table = table.withIndexes([...table.schema.indexes, index]);
              // Puts and deletes alone: an update of an item that an index refuses is refused.
              for (const each of during) if (each.kind !== 'update') await change(under.ask, table, each);
              await untilActive();
            }
            for (const each of after) if (each.kind !== 'update') await change(under.ask, table, each);
            for (const each of asked) await checkQuestion(under.ask, table, each);
            await checkScans(under.ask, table, undefined);
            table = await replaceIndex(table);
            for (const each of asked) await checkQuestion(under.ask, table, each);
            await checkScans(under.ask, table, undefined);
          });
        }),
        runs(RUNS / 8),
      );
    },
    PATIENCE_MS,
  );
});
