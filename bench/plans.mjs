import {
  prepareIndexed,
  prepareScanned,
  prepareSorted,
  prepareStreamed,
  prepareTransacted,
  RECORDS,
} from './tables.mjs';

/**
 * The measurements of a run. A plan is a title and the order for the load generator (`load.mjs`); a table plan has in
 * `prepare` the table that it needs as well, which several share: `prepare(port)` makes it, `table` says which.
 */

/** An answer of 1 MB on each of 64 connections would measure the memory of the generator. */
const LARGE_ANSWER_BYTES = 256 * 1024;
const LARGE_ANSWER_CONNECTIONS = 8;
const BATCH_GET = 100;
const BATCH_WRITE = 25;

/** The plans of one table of items by key, as they were from the first bench on. */
export function itemPlans(itemBytes, options) {
  const { connections, seconds, keyCount, sizes } = options;
  const plan = (workload, keys, prefix = '') => ({
    title: `${prefix}${workload} ${itemBytes} B`,
    workload,
    itemBytes,
    connections,
    seconds,
    keyCount: keys,
  });
  const chosen = chosenIn(options);
  const hot = chosen('hot') && itemBytes === sizes[0];
  return [
    ...['GetItem', 'PutItem', 'Mixed'].filter(chosen).map((workload) => plan(workload, keyCount)),
    ...(hot ? ['GetItem', 'PutItem'].map((workload) => plan(workload, 1, 'hot key ')) : []),
    ...(chosen('DeleteItem') ? [plan('DeleteItem', keyCount)] : []), // last: it leaves nothing to read
  ];
}

/** The plans of requests for many items, and of tables with indexes: of the first size alone. */
export function tablePlans(options) {
  const { connections, seconds, keyCount, sizes, counts, forms, indexCounts, scanItems } = options;
  const [itemBytes] = sizes;
  const chosen = chosenIn(options);
  const base = { itemBytes, seconds, connections, keyCount };
  const few = (count) =>
    count * itemBytes > LARGE_ANSWER_BYTES ? Math.min(connections, LARGE_ANSWER_CONNECTIONS) : connections;

  const sorted = { table: 'sorted', prepare: (port) => prepareSorted(port, itemBytes, counts) };
  const queries = counts.flatMap((count) =>
    forms.map((form) => ({
      ...sorted,
      order: { ...base, title: `Query ${count} ${form}`, workload: 'Query', count, form, connections: few(count) },
    })),
  );
  const scan = {
    table: 'scanned',
    prepare: (port) => prepareScanned(port, itemBytes, scanItems),
    order: { ...base, title: `Scan of ${scanItems}`, workload: 'Scan', connections: few(scanItems) },
  };
  const indexed = (indexes) => ({
    table: `with ${indexes} indexes`,
    prepare: (port) => prepareIndexed(port, itemBytes, { keyCount, indexes }),
  });
  const one = (workload, count, title) => ({ ...indexed(0), order: { ...base, title, workload, count } });
  const puts = indexCounts.map((indexes) => ({
    ...indexed(indexes),
    order: { ...base, title: indexedTitle(indexes), workload: 'PutItem', indexes },
  }));
  const transacted = (workload, count, contended = 'contended') =>
    ['apart', 'contended'].map((form) => ({
      table: 'transacted',
      prepare: (port) => prepareTransacted(port, itemBytes, keyCount),
      order: {
        ...base,
        title: `${workload} of ${count}${form === 'apart' ? '' : `, ${contended}`}`,
        workload,
        count,
        form,
      },
    }));
  const streamed = { table: 'with a stream', prepare: (port) => prepareStreamed(port, itemBytes, keyCount) };
  // Before the puts: these add records.
  const records = {
    ...streamed,
    order: {
      ...base,
      title: `GetRecords of ${Math.min(RECORDS, keyCount)}`,
      workload: 'GetRecords',
      connections: few(RECORDS),
    },
  };
  const streamedPuts = {
    ...streamed,
    order: { ...base, title: 'PutItem with a stream', workload: 'PutItem', form: 'streamed' },
  };
  const batch = (count) => Math.min(count, keyCount);
  return [
    ...(chosen('Query') ? queries : []),
    ...(chosen('Scan') ? [scan] : []),
    ...(chosen('BatchGetItem') ? [one('BatchGetItem', batch(BATCH_GET), `BatchGetItem of ${batch(BATCH_GET)}`)] : []),
    ...(chosen('BatchWriteItem')
      ? [one('BatchWriteItem', batch(BATCH_WRITE), `BatchWriteItem of ${batch(BATCH_WRITE)}`)]
      : []),
    ...(chosen('UpdateItem') ? [one('UpdateItem', 1, 'UpdateItem')] : []),
    ...(chosen('indexes') ? puts : []),
    ...(chosen('TransactWriteItems') ? [2, 10].flatMap((count) => transacted('TransactWriteItems', count)) : []),
    ...(chosen('TransactGetItems') ? transacted('TransactGetItems', 10, 'half writes, contended') : []),
    ...(chosen('GetRecords') ? [records] : []),
    ...(chosen('streams') ? [streamedPuts] : []),
  ];
}

export const indexedTitle = (indexes) => `PutItem with ${indexes} GSIs`;

const chosenIn = (options) => (workload) => options.workloads.includes(workload);
