import {
  FIRST_VERSION,
  indexKeyName,
  MOST_INDEXES,
  makeIndexedItem,
  makeKey,
  makeSortedItem,
  partitionKey,
  tableName,
} from './items.mjs';
import { ask, createTableOf } from './requests.mjs';

/** The tables of the loads that read and write many items, or items of an index. */

const BATCH = 25;
const FILLED_AT_ONCE = 8;
/** How long an index may take to show what was put, and a server to take what it has put off. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 20;
/** As many records as one GetRecords answers at most. */
export const RECORDS = 1_000;

export const sortedTableName = (itemBytes) => `${tableName(itemBytes)}Sorted`;
export const indexedTableName = (itemBytes, indexes) => `${tableName(itemBytes)}Indexes${indexes}`;
export const transactedTableName = (itemBytes) => `${tableName(itemBytes)}Transacted`;
export const streamedTableName = (itemBytes) => `${tableName(itemBytes)}Streamed`;
export const scannedTableName = (itemBytes) => `${tableName(itemBytes)}Scanned`;

const string = (AttributeName) => ({ AttributeName, AttributeType: 'S' });
const keySchema = (hash, range) => [
  { AttributeName: hash, KeyType: 'HASH' },
  ...(range === undefined ? [] : [{ AttributeName: range, KeyType: 'RANGE' }]),
];
const Projection = { ProjectionType: 'ALL' };

/** Partitions of each size: enough of them, and 5,000 to 10,000 items of a size above one. */
export function partitionsOf(count) {
  return count === 1 ? 500 : Math.max(4, Math.min(100, Math.floor(10_000 / count)));
}

/** Creates and fills the table that is queried: partitions of each of `counts`, and an index of either kind. */
export async function prepareSorted(port, itemBytes, counts) {
  const TableName = sortedTableName(itemBytes);
  await createTableOf(port, {
    TableName,
    AttributeDefinitions: [...['pk', 'sk', 'place'].map(string), { AttributeName: 'rank', AttributeType: 'N' }],
    KeySchema: keySchema('pk', 'sk'),
    LocalSecondaryIndexes: [{ IndexName: 'byRank', KeySchema: keySchema('pk', 'rank'), Projection }],
    GlobalSecondaryIndexes: [{ IndexName: 'byPlace', KeySchema: keySchema('place', 'rank'), Projection }],
  });
  await fill(port, TableName, sortedItems(itemBytes, counts));
  for (const count of counts) {
    for (const partition of [0, partitionsOf(count) - 1]) {
      for (const form of Object.keys(QUERY_FORMS))
        await waitFor(port, queryInput({ itemBytes, count, partition, form }));
    }
  }
}

function* sortedItems(itemBytes, counts) {
  for (const count of counts) {
    for (let partition = 0; partition < partitionsOf(count); partition++) {
      for (let position = 0; position < count; position++) {
        yield makeSortedItem(itemBytes, { count, partition, position });
      }
    }
  }
}

const ofPartition = { KeyConditionExpression: 'pk = :key' };
/** How a partition of the table, or of one of its indexes, is read. */
export const QUERY_FORMS = {
  forward: ofPartition,
  backward: { ...ofPartition, ScanIndexForward: false },
  filter: { ...ofPartition, FilterExpression: 'active = :yes' },
  gsi: { IndexName: 'byPlace', KeyConditionExpression: 'place = :key' },
  lsi: { ...ofPartition, IndexName: 'byRank' },
};

export function queryInput({ itemBytes, count, partition, form }) {
  return {
    TableName: sortedTableName(itemBytes),
    ...QUERY_FORMS[form],
    ExpressionAttributeValues: {
      ':key': { S: partitionKey(count, partition) },
      ...(form === 'filter' && { ':yes': { BOOL: true } }),
    },
  };
}

/** How many items a query of this form answers with. */
export const foundOf = (count, form) => (form === 'filter' ? Math.ceil(count / 2) : count);

/** An index may be a moment late. What is still wrong after that is an error: figures of wrong answers say nothing. */
async function waitFor(port, input) {
  const form = Object.keys(QUERY_FORMS).find((name) => QUERY_FORMS[name].IndexName === input.IndexName);
  const isFilter = input.FilterExpression !== undefined;
  const count = Number(/^of(\d+)#/.exec(input.ExpressionAttributeValues[':key'].S)[1]);
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const { status, body } = await ask(port, 'Query', input);
    const found = foundOf(count, isFilter ? 'filter' : form);
    if (status === 200 && body.Count === found && body.ScannedCount === count) return;
    if (status === 400 || performance.now() > deadline) {
      throw new Error(`Query ${JSON.stringify(input)}: ${status} ${JSON.stringify(body).slice(0, 200)}`);
    }
    await pause();
  }
}

/** Creates and fills a table of items whose attributes are keys of `indexes` global indexes. */
export async function prepareIndexed(port, itemBytes, { keyCount, indexes }) {
  const TableName = indexedTableName(itemBytes, indexes);
  const names = Array.from({ length: indexes }, (_, at) => indexKeyName(at));
  if (indexes > MOST_INDEXES) throw new Error(`there are attributes for ${MOST_INDEXES} indexes`);
  await createTableOf(port, {
    TableName,
    AttributeDefinitions: ['pk', ...names].map(string),
    KeySchema: keySchema('pk'),
    ...(indexes > 0 && {
      GlobalSecondaryIndexes: names.map((name) => ({
        IndexName: `by-${name}`,
        KeySchema: keySchema(name),
        Projection,
      })),
    }),
  });
  await fill(port, TableName, indexedItems(itemBytes, keyCount));
  const { body } = await ask(port, 'GetItem', { TableName, Key: makeKey(keyCount - 1), ConsistentRead: true });
  if (body.Item?.version === undefined) throw new Error(`${TableName} has not what was put: ${JSON.stringify(body)}`);
}

/** Creates and fills the table of transactions. */
export async function prepareTransacted(port, itemBytes, keyCount) {
  const TableName = transactedTableName(itemBytes);
  await createTableOf(port, { TableName, AttributeDefinitions: [string('pk')], KeySchema: keySchema('pk') });
  await fill(port, TableName, indexedItems(itemBytes, keyCount));
  for (const operation of ['TransactWriteItems', 'TransactGetItems']) {
    const { status, body } = await ask(port, operation, transactInput(operation, itemBytes, [0, keyCount - 1]));
    const found = operation === 'TransactGetItems' ? body.Responses?.filter(({ Item }) => Item?.version).length : 2;
    if (status !== 200 || found !== 2) throw new Error(`${operation}: ${status} ${JSON.stringify(body).slice(0, 300)}`);
  }
}

/** A transaction on the items of these numbers. One that writes has a token of its own, as the SDK would give it. */
export function transactInput(operation, itemBytes, indexes) {
  const TableName = transactedTableName(itemBytes);
  if (operation === 'TransactGetItems') {
    return { TransactItems: indexes.map((index) => ({ Get: { TableName, Key: makeKey(index) } })) };
  }
  const TransactItems = indexes.map((index) => ({ Put: { TableName, Item: makeIndexedItem(itemBytes, index) } }));
  return { TransactItems, ClientRequestToken: `bench-${FIRST_VERSION}` };
}

/** Creates and fills a table with a stream. The records of so many items are in it when this resolves. */
export async function prepareStreamed(port, itemBytes, keyCount) {
  const TableName = streamedTableName(itemBytes);
  await createTableOf(port, {
    TableName,
    AttributeDefinitions: [string('pk')],
    KeySchema: keySchema('pk'),
    StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
  });
  await fill(port, TableName, indexedItems(itemBytes, keyCount));
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const pages = await pagesOfStream(port, itemBytes);
    const found = pages.reduce((sum, { items }) => sum + items, 0);
    if (found === keyCount) return;
    if (found > keyCount || performance.now() > deadline)
      throw new Error(`the stream has ${found} of ${keyCount} records`);
    await pause();
  }
}

/** @returns the requests for the pages of a stream from its beginning, and how many records each has */
export async function pagesOfStream(port, itemBytes, most = Number.POSITIVE_INFINITY) {
  const answerTo = async (operation, input) => {
    const { status, body } = await ask(port, operation, input);
    if (status !== 200) throw new Error(`${operation}: ${status} ${JSON.stringify(body).slice(0, 300)}`);
    return body;
  };
  const { Streams } = await answerTo('ListStreams', { TableName: streamedTableName(itemBytes) });
  const { StreamArn } = Streams[0];
  const { StreamDescription } = await answerTo('DescribeStream', { StreamArn });
  const pages = [];
  for (const { ShardId } of StreamDescription.Shards) {
    const begin = { StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' };
    let { ShardIterator } = await answerTo('GetShardIterator', begin);
    while (ShardIterator !== undefined && pages.length < most) {
      const input = { ShardIterator, Limit: RECORDS };
      const { Records, NextShardIterator } = await answerTo('GetRecords', input);
      if (Records.length === 0) break;
      pages.push({ input, items: Records.length });
      ShardIterator = NextShardIterator;
    }
  }
  return pages;
}

/** Creates and fills the table that is scanned. */
export async function prepareScanned(port, itemBytes, itemCount) {
  const TableName = scannedTableName(itemBytes);
  await createTableOf(port, { TableName, AttributeDefinitions: [string('pk')], KeySchema: keySchema('pk') });
  await fill(port, TableName, indexedItems(itemBytes, itemCount));
}

function* indexedItems(itemBytes, itemCount) {
  for (let index = 0; index < itemCount; index++) yield makeIndexedItem(itemBytes, index);
}

/** Puts the items by batches, some of them at once. */
async function fill(port, TableName, items) {
  const worker = async () => {
    for (;;) {
      const batch = [];
      while (batch.length < BATCH) {
        const { value: Item, done } = items.next();
        if (done) break;
        batch.push({ PutRequest: { Item } });
      }
      if (batch.length === 0) return;
      await putBatch(port, { [TableName]: batch });
    }
  };
  await Promise.all(Array.from({ length: FILLED_AT_ONCE }, worker));
}

async function putBatch(port, batch) {
  const deadline = performance.now() + PATIENCE_MS;
  for (let left = batch; Object.keys(left).length > 0; ) {
    const { status, body } = await ask(port, 'BatchWriteItem', { RequestItems: left });
    if (status === 200) left = body.UnprocessedItems ?? {};
    else if (status < 500 || performance.now() > deadline) {
      throw new Error(`BatchWriteItem: ${status} ${JSON.stringify(body).slice(0, 300)}`);
    }
    if (Object.keys(left).length > 0) await pause();
  }
}

/** @returns the start keys of the pages of a scan, the first of which is undefined, and how many items each has */
export async function pagesOfScan(port, itemBytes) {
  const pages = [];
  for (let ExclusiveStartKey; ; ) {
    const input = { TableName: scannedTableName(itemBytes), ExclusiveStartKey };
    const { status, body } = await ask(port, 'Scan', input);
    if (status !== 200) throw new Error(`Scan: ${status} ${JSON.stringify(body).slice(0, 300)}`);
    pages.push({ input, items: body.Count });
    ExclusiveStartKey = body.LastEvaluatedKey;
    if (ExclusiveStartKey === undefined) return pages;
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
