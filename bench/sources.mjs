import { FIRST_VERSION, makeIndexedItem, makeItem, makeKey, tableName } from './items.mjs';
import { buildRequest } from './requests.mjs';
import {
  indexedTableName,
  pagesOfScan,
  pagesOfStream,
  partitionsOf,
  queryInput,
  streamedTableName,
  transactInput,
} from './tables.mjs';

/**
 * What a load sends. A source has entries, which are complete requests with how many items each reads or writes, and
 * with the places of the versions that it puts.
 */

const BATCHES = 200;
const MOST_TRANSACTIONS = 1_000;
/** Pages of a stream that are read again and again. Their iterators are good for 15 minutes. */
const MOST_PAGES = 10;
/** Many times fewer than what 64 connections want of them at a time. */
const CONTENDED_KEYS = 50;
const FIRST_VERSION_BYTES = Buffer.from(String(FIRST_VERSION));
const cache = new Map();
let nextVersion = FIRST_VERSION + 1;

/** Their pages are those of one server. */
const IN_PAGES = ['Scan', 'GetRecords'];

/** The source of an order (see `load.mjs`), which is made once. */
export async function sourceOf(order) {
  const { workload, itemBytes, keyCount, count, form, indexes, port } = order;
  const name = JSON.stringify([
    workload,
    itemBytes,
    keyCount,
    count,
    form,
    indexes,
    IN_PAGES.includes(workload) && port,
  ]);
  if (!cache.has(name)) cache.set(name, await SOURCES[workload](order));
  return cache.get(name);
}

const inOrder = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const entry = (operation, input, items = 1) => {
  const bytes = buildRequest(operation, input);
  return { bytes, items, offsets: versionOffsets(bytes) };
};
const ofKeys = (make) => (order) => inOrder(order.keyCount, (index) => make(order, index));

/** `contended`: all transactions are on a few items. Else no two of them, as long as few are under way at a time. */
function transactions(operation) {
  return ({ itemBytes, keyCount, count, form }) => {
    const keys = form === 'contended' ? Math.min(CONTENDED_KEYS, keyCount) : keyCount;
    const transactions = form === 'contended' ? BATCHES : Math.min(MOST_TRANSACTIONS, Math.floor(keyCount / count));
    return inOrder(transactions, (transaction) => {
      // With a step of its own, contended transactions meet in ever other items.
      const step = form === 'contended' ? 1 + (transaction % 7) : 1;
      const indexes = inOrder(count, (at) => (transaction * count + at * step) % keys);
      return entry(operation, transactInput(operation, itemBytes, [...new Set(indexes)]), count);
    });
  };
}

const SOURCES = {
  GetItem: ofKeys(({ itemBytes }, index) =>
    entry('GetItem', { TableName: tableName(itemBytes), Key: makeKey(index), ConsistentRead: false }),
  ),
  DeleteItem: ofKeys(({ itemBytes }, index) =>
    entry('DeleteItem', { TableName: tableName(itemBytes), Key: makeKey(index) }),
  ),
  // Without `indexes` it is the table of all item operations; with them one of those that differ in nothing else. A table with a
  // stream has the same items as those.
  PutItem: ofKeys(({ itemBytes, indexes, form }, index) =>
    entry(
      'PutItem',
      form === 'streamed'
        ? { TableName: streamedTableName(itemBytes), Item: makeIndexedItem(itemBytes, index) }
        : indexes === undefined
          ? { TableName: tableName(itemBytes), Item: makeItem(itemBytes, index) }
          : { TableName: indexedTableName(itemBytes, indexes), Item: makeIndexedItem(itemBytes, index) },
    ),
  ),
  UpdateItem: ofKeys(({ itemBytes }, index) =>
    entry('UpdateItem', {
      TableName: indexedTableName(itemBytes, 0),
      Key: makeKey(index),
      UpdateExpression: 'SET version = version + :one',
      ExpressionAttributeValues: { ':one': { N: '1' } },
    }),
  ),
  BatchGetItem: ({ itemBytes, keyCount, count }) =>
    inOrder(BATCHES, (batch) => {
      const Keys = inOrder(count, (at) => makeKey((batch * count + at) % keyCount));
      return entry('BatchGetItem', { RequestItems: { [indexedTableName(itemBytes, 0)]: { Keys } } }, count);
    }),
  BatchWriteItem: ({ itemBytes, keyCount, count }) =>
    inOrder(BATCHES, (batch) => {
      const keys = inOrder(count, (at) => (batch * count + at) % keyCount);
      const puts = keys.map((index) => ({ PutRequest: { Item: makeIndexedItem(itemBytes, index) } }));
      return entry('BatchWriteItem', { RequestItems: { [indexedTableName(itemBytes, 0)]: puts } }, count);
    }),
  TransactWriteItems: transactions('TransactWriteItems'),
  TransactGetItems: transactions('TransactGetItems'),
  Query: (order) =>
    inOrder(partitionsOf(order.count), (partition) => entry('Query', queryInput({ ...order, partition }), order.count)),
  GetRecords: async ({ port, itemBytes }) =>
    (await pagesOfStream(port, itemBytes, MOST_PAGES)).map(({ input, items }) => entry('GetRecords', input, items)),
  Scan: async ({ port, itemBytes }) =>
    (await pagesOfScan(port, itemBytes)).map(({ input, items }) => entry('Scan', input, items)),
};

/** The positions of the ten digits of the versions that a request puts: no two puts of a run write the same item. */
function versionOffsets(bytes) {
  const offsets = [];
  for (let at = bytes.indexOf(FIRST_VERSION_BYTES); at >= 0; at = bytes.indexOf(FIRST_VERSION_BYTES, at + 1)) {
    offsets.push(at);
  }
  return offsets;
}

function take(found) {
  for (const offset of found.offsets) found.bytes.latin1Write(String(nextVersion++), offset);
  return found;
}

// ---- the order in which it is sent: functions that give the next entry, or undefined at the end

/** Each entry once. */
export function eachOnce(source) {
  let index = 0;
  return () => (index < source.length ? take(source[index++]) : undefined);
}

/** One after the other, again and again: the pages of a scan. */
export function inTurn(source) {
  let index = 0;
  return () => take(source[index++ % source.length]);
}

/** At random, the same ones in the same order for every server; of two sources by halves. */
export function atRandom(source, other) {
  let state = 123456789;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const from = other !== undefined && state & 0x40000000 ? other : source;
    return take(from[(state >>> 0) % from.length]);
  };
}
