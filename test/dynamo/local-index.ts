import type { Derivation } from '../../src/api/derivation.ts';
import { grouped, localSortKey } from '../../src/api/entry-place.ts';
import { toImage } from '../../src/api/item.ts';
import type { Mutation } from '../../src/api/mutation.ts';
import type { SecondaryIndex } from '../../src/api/table-definition.ts';
import type { Consistency, RangeOutcome, ReadFrom } from '../../src/dynamo/client.ts';
import type { CoordinateRange } from '../../src/dynamo/coordination-messages.ts';
import { isSizeRow, localRowKey, localRows, prefixEnd, tableOf } from '../../src/dynamo/keyspace.ts';
import { decodeRecord } from '../../src/dynamo/record.ts';
import type { WriteAnswer } from '../../src/dynamo/registers/handed-back.ts';
import { DAMAGED, type HalfOpenRange, type Store, type StoreKey } from '../../src/env/store.ts';
import { rangeOf, writeOf } from './coordination-requests.ts';
import { KEY, type NodeName, type ThreeNodes } from './three-nodes.ts';

/** A table of items (`user`, text) in two local indexes: by `x`, and by `y`. */
export const DERIVATION: Derivation = {
  table: tableOf(KEY),
  version: 1,
  key: { partition: { name: 'p', type: 'S' }, sort: { name: 's', type: 'S' } },
  indexes: [localIndex('x'), localIndex('y')],
};

function localIndex(name: string): SecondaryIndex {
  return {
    name,
    kind: 'local',
    key: { partition: [{ name: 'p', type: 'S' }], sort: [{ name, type: 'S' }] },
    projection: { ProjectionType: 'ALL' },
  };
}

/** An item's sort keys in the two indexes; undefined: it is not in the index. */
export interface Places {
  readonly x?: string | undefined;
  readonly y?: string | undefined;
}

export function itemOf(sortKey: string, { x, y }: Places) {
  return toImage({
    p: { S: 'user' },
    s: { S: sortKey },
    ...(x === undefined ? {} : { x: { S: x } }),
    ...(y === undefined ? {} : { y: { S: y } }),
  });
}

/** Writes an item; undefined deletes it. @returns the answer, if there is one by then */
export function writeItem(
  nodes: ThreeNodes,
  at: NodeName,
  [sortKey, places]: readonly [string, Places | undefined],
  consistency: Consistency = 'strict',
): WriteAnswer | undefined {
  const mutation: Mutation = places === undefined ? { kind: 'delete' } : { kind: 'put', item: itemOf(sortKey, places) };
  const request = writeOf(`${KEY}${sortKey}`, mutation, { consistency, derivation: DERIVATION });
  const operation = nodes.start<WriteAnswer>((done) => nodes.node(at).coordinate(request, done));
  nodes.settle(8_000);
  return operation.result;
}

/** The rows of an index between two sort keys of it, both inclusive; undefined: without a bound. */
export function rowsBetween(index: number, low: string | undefined, high: string | undefined): HalfOpenRange {
  const prefix = localRows(KEY, index);
  return {
    from: low === undefined ? prefix : prefix + grouped(low),
    to: prefixEnd(high === undefined ? prefix : prefix + grouped(high)),
  };
}

/** The key of an item's row in an index that it is in. */
export function rowOf(index: number, sortKey: string, { x, y }: Places): StoreKey {
  const attributes = { x: { S: x ?? '' }, y: { S: y ?? '' } };
  const place = localSortKey(DERIVATION.indexes[index]!, attributes, { partitionKey: 'user', sortKey });
  return localRowKey(KEY, index, place);
}

/** The base sort keys of the items that a read of an index finds. */
export function readIndex(
  nodes: ThreeNodes,
  at: NodeName,
  from: ReadFrom,
  more: Partial<CoordinateRange> = {},
): { readonly keys: readonly string[]; readonly more: boolean } {
  const request = rangeOf(more.range ?? rowsBetween(0, undefined, undefined), from, {
    localIndex: 0,
    derivation: DERIVATION,
    ...more,
  });
  const operation = nodes.start<RangeOutcome>((done) => nodes.node(at).coordinate(request, done));
  nodes.settle(8_000);
  if (operation.result?.kind !== 'items') throw new Error(`the read ended as ${operation.result?.kind}`);
  const keys = operation.result.items.map(({ json }) => JSON.parse(Buffer.from(json).toString()).s.S as string);
  return { keys, more: operation.result.more };
}

/** The rows that a store should have by its committed records, and those that it has: `key of the row=sort key`. */
export function rowsOfStore(store: Store): { readonly due: readonly string[]; readonly there: readonly string[] } {
  const all = { from: '\0', to: '\xff\xff', limit: 100_000 };
  const due = store.range('items', all).flatMap(({ key, value }) => {
    const local = value === DAMAGED ? [] : (decodeRecord(value).derived?.local ?? []);
    return local.flatMap((place, index) =>
      place === undefined ? [] : [shown(localRowKey(key, index, place), Buffer.from(key.slice(26), 'latin1'))],
    );
  });
  const rows = store.range('lsi', all).filter(({ key }) => !isSizeRow(key));
  return { due: due.sort(), there: rows.map(({ key, value }) => shown(key, value)).sort() };
}

/** The size of the collection by the committed records of a store. */
export function bytesOfStore(store: Store): number {
  const records = store.range('items', { from: '\0', to: '\xff\xff', limit: 100_000 });
  return records.reduce((bytes, { value }) => {
    const { item, derived } = decodeRecord(value);
    return bytes + (item === undefined ? 0 : item.size + (derived?.localBytes ?? 0));
  }, 0);
}

function shown(row: StoreKey, value: Uint8Array): string {
  return `${row}=${Buffer.from(value).toString('latin1')}`;
}
