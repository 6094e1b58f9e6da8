// The baseline: the least that any DynamoDB server on node:http has to do. It reads the body, parses it, and answers
// bytes of the right length with the headers of a real answer.
// usage: bare-server.mjs PORT ITEM_BYTES...
import { createServer } from 'node:http';
import { makeItem, makeSortedItem, tableName } from './items.mjs';
import {
  foundOf,
  indexedTableName,
  RECORDS,
  scannedTableName,
  sortedTableName,
  streamedTableName,
  transactedTableName,
} from './tables.mjs';

/** As many items of 400 bytes as a page of 1 MB has. */
const PAGE_ITEMS = 2496;
const [port, ...itemSizes] = process.argv.slice(2).map(Number);
const bytes = (answer) => Buffer.from(JSON.stringify(answer));
const items = new Map(itemSizes.map((size) => [tableName(size), bytes({ Item: makeItem(size, 0) })]));
const sizeOfTable = new Map(
  itemSizes.flatMap((size) =>
    [
      ...[tableName(size), sortedTableName(size), scannedTableName(size), indexedTableName(size, 0)],
      ...[transactedTableName(size), streamedTableName(size)],
    ].map((name) => [name, size]),
  ),
);
const NOTHING = Buffer.from('{}');
const NONE_LEFT = bytes({ UnprocessedItems: {} });
const ACTIVE = Buffer.from('{"Table":{"TableStatus":"ACTIVE"}}');

const cache = new Map();
function cached(name, make) {
  if (!cache.has(name)) cache.set(name, bytes(make()));
  return cache.get(name);
}

function manyOf(table, count) {
  const of = { count, partition: 0 };
  return Array.from({ length: count }, (_, position) => makeSortedItem(sizeOfTable.get(table), { ...of, position }));
}

const page = (table, count, looked) => ({ Count: count, Items: manyOf(table, count), ScannedCount: looked });

const ANSWERS = {
  GetItem: ({ TableName }) =>
    items.get(TableName) ?? cached(`get ${TableName}`, () => ({ Item: manyOf(TableName, 1)[0] })),
  DescribeTable: () => ACTIVE,
  BatchWriteItem: () => NONE_LEFT,
  Query({ TableName, FilterExpression, IndexName, ExpressionAttributeValues }) {
    const count = Number(/^of(\d+)#/.exec(ExpressionAttributeValues[':key'].S)[1]);
    const form = FilterExpression === undefined ? 'forward' : 'filter';
    return cached(`query ${TableName} ${count} ${form} ${IndexName}`, () =>
      page(TableName, foundOf(count, form), count),
    );
  },
  Scan: ({ TableName }) => cached(`scan ${TableName}`, () => page(TableName, PAGE_ITEMS, PAGE_ITEMS)),
  BatchGetItem({ RequestItems }) {
    const [[table, { Keys }]] = Object.entries(RequestItems);
    const answer = () => ({ Responses: { [table]: manyOf(table, Keys.length) }, UnprocessedKeys: {} });
    return cached(`batch ${table} ${Keys.length}`, answer);
  },
  // The name of the table goes through what a reader of a stream hands on.
  ListStreams: ({ TableName }) => bytes({ Streams: [{ StreamArn: TableName }] }),
  DescribeStream: ({ StreamArn }) => bytes({ StreamDescription: { Shards: [{ ShardId: StreamArn }] } }),
  GetShardIterator: ({ ShardId }) => bytes({ ShardIterator: ShardId }),
  GetRecords: ({ ShardIterator }) =>
    cached(`records ${ShardIterator}`, () => ({
      Records: manyOf(ShardIterator, RECORDS).map((NewImage) => ({
        eventID: '0'.repeat(32),
        eventName: 'INSERT',
        eventVersion: '1.1',
        eventSource: 'aws:dynamodb',
        awsRegion: 'us-east-1',
        dynamodb: {
          ApproximateCreationDateTime: 1,
          Keys: { pk: NewImage.pk },
          NewImage,
          SequenceNumber: '0'.repeat(21),
          SizeBytes: 1,
          StreamViewType: 'NEW_AND_OLD_IMAGES',
        },
      })),
    })),
  TransactGetItems({ TransactItems }) {
    const { TableName } = TransactItems[0].Get;
    return cached(`transact ${TableName} ${TransactItems.length}`, () => ({
      Responses: manyOf(TableName, TransactItems.length).map((Item) => ({ Item })),
    }));
  },
};

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString());
    const target = request.headers['x-amz-target'];
    const answer = ANSWERS[target.slice(target.indexOf('.') + 1)]?.(body) ?? NOTHING;
    response.writeHead(200, {
      'x-amzn-RequestId': 'B4T8L1V0Q6C2R9M3N7K5XJDHGFSAZWEYUIOP0123456789ABCDEF',
      'content-type': 'application/x-amz-json-1.0',
      'content-length': answer.length,
    });
    response.end(answer);
  });
});
server.listen(port, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
