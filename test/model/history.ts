import fc from 'fast-check';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import { type Draft, draft } from './arbitrary-questions.ts';
import { changeOf, itemOf, schema } from './arbitrary-tables.ts';
import { checkQuestion, checkScans, checkSizes } from './checks.ts';
import { type Change, type ModelSchema, ModelTable } from './model-table.ts';
import { TABLE } from './question.ts';
import { type Ask, createRequest, requestOfChange } from './ring-under-test.ts';
import { itemAsAnswered, textOf } from './values.ts';

/** What happens to a table before it is asked. */
export interface History {
  readonly schema: ModelSchema;
  readonly items: readonly AttributeMap[];
  readonly changes: readonly Change[];
}

export const history: fc.Arbitrary<History> = schema.chain((of) =>
  fc
    .record({
      schema: fc
        .constantFrom(undefined, 'strict', 'dynamo')
        .map((consistency): ModelSchema => ({ ...of, consistency })),
      items: fc.uniqueArray(itemOf(of), { maxLength: 40, size: 'max', selector: keyTextIn(of) }),
      changes: fc.array(fc.tuple(changeOf(of), fc.option(fc.nat(), { nil: undefined, freq: 3 })), {
        maxLength: 20,
        size: 'max',
      }),
    })
    .map(({ schema, items, changes }) => ({
      schema,
      items,
      // Most changes are of items that are there.
      changes: changes.map(([change, at]) =>
        at === undefined || items.length === 0 ? change : changeOfItem(schema, change, items[at % items.length]!),
      ),
    })),
);

/** The same change of another item. */
function changeOfItem(of: ModelSchema, change: Change, item: AttributeMap): Change {
  const key = new ModelTable(of).keyOf(item);
  return change.kind === 'put' ? { kind: 'put', item: { ...change.item, ...key } } : { ...change, key };
}

/** Two items of one key have one text. */
export function keyTextIn(of: ModelSchema): (item: AttributeMap) => string {
  const table = new ModelTable(of);
  return (item) => textOf(table.keyOf(itemAsAnswered(item)));
}

export const questions: fc.Arbitrary<Draft[]> = fc.array(draft, { minLength: 3, maxLength: 9 });

/** Makes a table, and deletes it after its use. */
export async function withTable(ask: Ask, of: ModelSchema, use: (table: ModelTable) => Promise<void>): Promise<void> {
  await ask('CreateTable', createRequest(of));
  try {
    await use(new ModelTable(of));
  } finally {
    await ask('DeleteTable', { TableName: TABLE });
  }
}

/** Puts all items, which have different keys, at once. */
export async function putAll(ask: Ask, table: ModelTable, items: readonly AttributeMap[]): Promise<void> {
  await Promise.all(items.map((item) => ask(...requestOfChange({ kind: 'put', item }))));
  for (const item of items) table.put(item);
}

export async function change(ask: Ask, table: ModelTable, of: Change): Promise<void> {
  await ask(...requestOfChange(of));
  table.apply(of);
}

/** Expects that a table with a history answers questions as its model does, the last write included. */
export async function checkHistory(ask: Ask, of: History, asked: readonly Draft[], scanLimit: number | undefined) {
  await withTable(ask, of.schema, async (table) => {
    await putAll(ask, table, of.items);
    for (const each of of.changes) await change(ask, table, each);
    for (const each of asked) await checkQuestion(ask, table, each);
    await checkScans(ask, table, scanLimit);
    // The ring keeps no entries of tables in `dynamo` mode.
    if (of.schema.consistency !== 'dynamo') await checkSizes(ask, table);
  });
}
