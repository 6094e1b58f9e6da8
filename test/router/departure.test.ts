import { beforeEach, expect, test } from 'vitest';
import { Departing, type Departure } from '../../src/api/departure.ts';
import type { OperationName } from '../../src/api/operations.ts';
import { createRouter, type Router } from '../../src/router/router.ts';
import { MemoryClient } from './memory-client.ts';
import { CONTEXT, definitions, keys, sortedTableRequest } from './table-fixtures.ts';

/** Notes of each read of items who waits for it. */
class WatchedClient extends MemoryClient {
  readonly waiting: (Departure | undefined)[] = [];

  override read(request: Parameters<MemoryClient['read']>[0]) {
    this.waiting.push(request.departure);
    return super.read(request);
  }

  override range(request: Parameters<MemoryClient['range']>[0]) {
    this.waiting.push(request.departure);
    return super.range(request);
  }

  override scan(request: Parameters<MemoryClient['scan']>[0]) {
    this.waiting.push(request.departure);
    return super.scan(request);
  }
}

const TableName = 'Music';
const Key = { pk: { S: 'p' }, sk: { S: '1' } };

let client: WatchedClient;
let router: Router;

beforeEach(async () => {
  client = new WatchedClient();
  router = createRouter({ client, streams: client.streams, newId: () => crypto.randomUUID() });
  const GlobalSecondaryIndexes = [
    { IndexName: 'byA', KeySchema: keys('a'), Projection: { ProjectionType: 'ALL' as const } },
  ];
  const AttributeDefinitions = definitions('pk', 'sk', 'a');
  await router.execute('CreateTable', sortedTableRequest({ AttributeDefinitions, GlobalSecondaryIndexes }), CONTEXT);
  await router.execute('PutItem', { TableName, Item: { ...Key, a: { S: 'a' } } }, CONTEXT);
  client.waiting.length = 0;
});

const values = { ExpressionAttributeValues: { ':p': { S: 'p' } } };

test.each<[OperationName, object]>([
  ['GetItem', { TableName, Key }],
  ['GetItem', { TableName, Key, ConsistentRead: true }],
  ['BatchGetItem', { RequestItems: { [TableName]: { Keys: [Key] } } }],
  ['Query', { TableName, KeyConditionExpression: 'pk = :p', ...values }],
  ['Query', { TableName, IndexName: 'byA', KeyConditionExpression: 'a = :p', ...values }],
  ['Scan', { TableName }],
  ['Scan', { TableName, IndexName: 'byA' }],
])('%s %j reads for its client, as long as that is there', async (operation, request) => {
  const departure = new Departing();
  await router.execute(operation, request, { ...CONTEXT, departure });
  expect(client.waiting.length).toBeGreaterThan(0);
  expect(client.waiting.every((each) => each === departure)).toBe(true);
});
