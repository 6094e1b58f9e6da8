import { expect } from 'vitest';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import { sizeOf } from '../../src/api/item.ts';
import { type Draft, questionOf, strangeStart } from './arbitrary-questions.ts';
import { compareBySort, type Entry, haveOnePartition, type ModelTable, type Target } from './model-table.ts';
import { type Notation, requestOf } from './notation.ts';
import { inRange, isAtEnd, pageOf, type Question, TABLE } from './question.ts';
import type { Ask } from './ring-under-test.ts';
import { itemAsAnswered, linesOf, pick, sum } from './values.ts';

/** Asks for a page after another, until the last one. */
async function allItems(ask: Ask, operation: 'Query' | 'Scan', request: object): Promise<AttributeMap[]> {
  const found: AttributeMap[] = [];
  for (let next: AttributeMap | undefined; ; ) {
    const answer = await ask(operation, {
      ...structuredClone(request),
      ...(next && { ExclusiveStartKey: structuredClone(next) }),
    });
    found.push(...answer.Items);
    next = answer.LastEvaluatedKey;
    if (next === undefined) return found;
  }
}

/** Expects the same entries in an order that the model allows. @returns the model's entries in the order of the answer */
function matched(table: ModelTable, target: Target, found: readonly AttributeMap[], wanted: readonly Entry[]): Entry[] {
  const byPlace = new Map(wanted.map((entry) => [table.placeOf(target, entry.item), entry]));
  const entries = found.map((item) => byPlace.get(table.placeOf(target, item)));
  const texts = (items: readonly AttributeMap[]) => items.map(linesOf).sort();
  expect(texts(found)).toEqual(texts(wanted.map(({ projected }) => projected)));
  return entries as Entry[];
}

/**
 * What is in the range of a question, in the order of the target. The order of entries with one sort key is not the
 * model's to say: the ring is asked, and has to keep to its order from then on.
 */
async function orderedRange(ask: Ask, table: ModelTable, question: Question, notation: Notation): Promise<Entry[]> {
  const { target, partition, sort } = question;
  const wanted = inRange(table, question);
  const hasTies = wanted.some(({ item }, at) => at > 0 && compareBySort(target.sort, wanted[at - 1]!.item, item) === 0);
  if (!hasTies) return [...wanted];
  const plain: Question = { ...NOTHING_ASKED, target, partition, sort, isConsistent: question.isConsistent };
  const ordered = matched(table, target, await allItems(ask, 'Query', requestOf(plain, notation)), wanted);
  for (const [at, { item }] of ordered.entries()) expect(compareBySort(target.sort, item, wanted[at]!.item)).toBe(0);
  return ordered;
}

const NOTHING_ASKED = {
  isForward: undefined,
  limit: undefined,
  filter: undefined,
  names: undefined,
  select: undefined,
  isConsistent: undefined,
  level: undefined,
};

interface Beginning {
  readonly key: AttributeMap | undefined;
  /** How many of the entries may lie before it: several numbers, if it is among entries with its sort key. */
  readonly positions: readonly number[];
}

function beginningOf(
  table: ModelTable,
  question: Question,
  ordered: readonly Entry[],
  { start }: Pick<Draft, 'start'>,
): Beginning {
  if (start.kind === 'beginning' || ordered.length === 0) return { key: undefined, positions: [0] };
  const { target } = question;
  const near = start.at % ordered.length;
  const key =
    start.kind === 'entry'
      ? pick(ordered[near]!.item, table.placeNames(target))
      : strangeStart(table.schema, question, ordered[near]!.item, start.values);
  const canonical = itemAsAnswered(key);
  const place = table.placeOf(target, canonical);
  const exact = ordered.findIndex(({ item }) => table.placeOf(target, item) === place);
  if (exact >= 0) return { key, positions: [exact + 1] };
  const direction = question.isForward === false ? -1 : 1;
  const orders = ordered.map(({ item }) => direction * compareBySort(target.sort, item, canonical));
  const before = orders.filter((order) => order < 0).length;
  const equal = orders.filter((order) => order === 0).length;
  return { key, positions: Array.from({ length: equal + 1 }, (_, at) => before + at) };
}

/** Expects of each page of a question, from its start key on, that it is the model's. */
export async function checkQuestion(ask: Ask, table: ModelTable, draft: Draft): Promise<void> {
  const { question, notation } = questionOf(table, draft);
  const forward = await orderedRange(ask, table, question, notation);
  const ordered = question.isForward === false ? forward.reverse() : forward;
  let { key, positions } = beginningOf(table, question, ordered, draft);
  if (key !== undefined && isAtEnd(question, key)) {
    const request = { ...requestOf(question, notation), ExclusiveStartKey: structuredClone(key) };
    await expect(ask('Query', request)).rejects.toThrow(
      'The provided starting key does not match the range key predicate',
    );
    return;
  }
  for (let pages = 0; ; pages++) {
    expect(pages).toBeLessThanOrEqual(ordered.length + 1);
    const request = { ...requestOf(question, notation), ...(key && { ExclusiveStartKey: structuredClone(key) }) };
    const answer = linesOf(await ask('Query', structuredClone(request)));
    const allowed = positions.map((at) => ({ at, page: pageOf(table, question, ordered.slice(at)) }));
    const found = allowed.find(({ page }) => linesOf(page) === answer);
    if (found === undefined) expect({ request, answer }).toEqual({ request, answer: linesOf(allowed[0]!.page) });
    key = found!.page.LastEvaluatedKey;
    if (key === undefined) return;
    positions = [found!.at + found!.page.ScannedCount];
  }
}

/** Expects that a scan of each index, page by page, has its entries: partitions together, each in its order. */
export async function checkScans(ask: Ask, table: ModelTable, limit: number | undefined): Promise<void> {
  for (const target of table.targets) {
    const request = {
      TableName: TABLE,
      ...(target.index && { IndexName: target.index.name }),
      ...(limit && { Limit: limit }),
    };
    const found = await allItems(ask, 'Scan', request);
    const ordered = matched(table, target, found, table.entries(target)).map(({ item }) => item);
    let partitions = 0;
    for (const [at, item] of ordered.entries()) {
      if (at > 0 && haveOnePartition(target, ordered[at - 1]!, item)) {
        expect(compareBySort(target.sort, ordered[at - 1]!, item)).toBeLessThanOrEqual(0);
      } else partitions++;
    }
    const distinct = ordered.filter((item, at) => ordered.findIndex((o) => haveOnePartition(target, o, item)) === at);
    expect(partitions).toBe(distinct.length);
  }
}

/**
 * Expects that a table is described with as many items and bytes as it and its indexes have; local indexes, as all of them
 * have together: a record of the ring tells the size of all its entries in them.
 */
export async function checkSizes(ask: Ask, table: ModelTable): Promise<void> {
  const bytesOf = (target: Target) => sum(table.entries(target).map(({ projected }) => sizeOf(projected)));
  const isLocal = (index: { readonly kind: string } | undefined) => index?.kind === 'local';
  const locals = table.targets.filter(({ index }) => isLocal(index));
  const wanted = table.targets.map((target) => [
    table.entries(target).length,
    isLocal(target.index) ? 'together' : bytesOf(target),
  ]);
  const told = async () => {
    const { Table } = await ask('DescribeTable', { TableName: TABLE });
    const indexes = [...(Table.LocalSecondaryIndexes ?? []), ...(Table.GlobalSecondaryIndexes ?? [])];
    const ofIndexes = table.schema.indexes.map((index) => {
      const { ItemCount, IndexSizeBytes } = indexes.find(({ IndexName }) => IndexName === index.name);
      return { index, items: ItemCount as number, bytes: IndexSizeBytes as number };
    });
    const localBytes = sum(ofIndexes.filter(({ index }) => isLocal(index)).map(({ bytes }) => bytes));
    // Each is rounded by itself.
    const areRight = Math.abs(localBytes - sum(locals.map(bytesOf))) <= locals.length;
    const all = ofIndexes.map(({ index, items, bytes }) => [items, isLocal(index) ? 'together' : bytes]);
    return { sizes: [[Table.ItemCount, Table.TableSizeBytes], ...all], areRight };
  };
  await expect.poll(told).toEqual({ sizes: wanted, areRight: true });
}
