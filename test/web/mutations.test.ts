import { crc32, unzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OPERATIONS } from '../../src/api/operations.ts';
import type { HttpRequest, HttpResponse } from '../../src/web/http-message.ts';
import { GET_ITEM, headerOf, jsonOf, operationRequest, testHandle } from './fixtures.ts';

/** Rounds over all requests; 10,000 mutations in all. */
const MUTATIONS = 10_000;

const VALUES = {
  s: { S: 'text' },
  n: { N: '12.5' },
  b: { B: 'AQID' },
  sets: { M: { ss: { SS: ['a', 'b'] }, ns: { NS: ['1', '2'] }, bs: { BS: ['AQ=='] } } },
  list: { L: [{ NULL: true }, { BOOL: false }, { M: {} }] },
};
const INDEX = {
  IndexName: 'by-date',
  KeySchema: [{ AttributeName: 'date', KeyType: 'HASH' }],
  Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['a'] },
};
const THROUGHPUT = { ReadCapacityUnits: 5, WriteCapacityUnits: 5 };

const STREAM_ARN = 'arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2026-12-01T12:00:00.000';
const SHARD_ID = 'shardId-00000001796126400000-00000000';

const REQUESTS: Record<(typeof OPERATIONS)[number], object> = {
  BatchExecuteStatement: {
    Statements: [
      { Statement: "INSERT INTO orders VALUE {'id': ?}", Parameters: [{ S: 'x' }] },
      { Statement: "UPDATE orders SET a = 1 WHERE id = 'x'", ReturnValuesOnConditionCheckFailure: 'ALL_OLD' },
    ],
    ReturnConsumedCapacity: 'TOTAL',
  },
  BatchGetItem: {
    RequestItems: {
      orders: { Keys: [{ id: { S: 'a' } }, { id: { S: 'b' } }], ConsistentRead: true, AttributesToGet: ['a'] },
    },
    ReturnConsumedCapacity: 'INDEXES',
  },
  BatchWriteItem: {
    RequestItems: { orders: [{ PutRequest: { Item: VALUES } }, { DeleteRequest: { Key: { id: { S: 'a' } } } }] },
    ReturnItemCollectionMetrics: 'SIZE',
  },
  CreateTable: {
    TableName: 'orders',
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    LocalSecondaryIndexes: [INDEX],
    GlobalSecondaryIndexes: [{ ...INDEX, ProvisionedThroughput: THROUGHPUT }],
    ProvisionedThroughput: THROUGHPUT,
    StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' },
    Tags: [{ Key: 'team', Value: 'shop' }],
    DeletionProtectionEnabled: true,
  },
  DeleteItem: { ...GET_ITEM, ReturnValues: 'ALL_OLD', ConditionExpression: 'attribute_exists(id)' },
  DeleteTable: { TableName: 'orders' },
  DescribeEndpoints: {},
  DescribeLimits: {},
  DescribeStream: {
    StreamArn: STREAM_ARN,
    Limit: 10,
    ExclusiveStartShardId: SHARD_ID,
    ShardFilter: { Type: 'CHILD_SHARDS', ShardId: SHARD_ID },
  },
  DescribeTable: { TableName: 'arn:aws:dynamodb:us-east-1:000000000000:table/orders' },
  DescribeTimeToLive: { TableName: 'orders' },
  ExecuteStatement: {
    Statement: "SELECT a, b.c[1] FROM orders WHERE id = ? AND begins_with(s, 'x')",
    Parameters: [{ S: 'x' }],
    ConsistentRead: true,
    NextToken: 'token',
    Limit: 3,
    ReturnConsumedCapacity: 'INDEXES',
  },
  ExecuteTransaction: {
    TransactStatements: [
      { Statement: "EXISTS(SELECT * FROM orders WHERE id = 'x' AND a = ?)", Parameters: [{ N: '1' }] },
      { Statement: "DELETE FROM orders WHERE id = 'y'", ReturnValuesOnConditionCheckFailure: 'ALL_OLD' },
    ],
    ClientRequestToken: 'token',
    ReturnConsumedCapacity: 'TOTAL',
  },
  GetItem: { ...GET_ITEM, ConsistentRead: true, AttributesToGet: ['a'], ReturnConsumedCapacity: 'TOTAL' },
  GetRecords: { ShardIterator: `${STREAM_ARN}|1|AAAA`, Limit: 10 },
  GetShardIterator: {
    StreamArn: STREAM_ARN,
    ShardId: SHARD_ID,
    ShardIteratorType: 'AT_SEQUENCE_NUMBER',
    SequenceNumber: '000000000000001048576',
  },
  ListStreams: { TableName: 'orders', Limit: 10, ExclusiveStartStreamArn: STREAM_ARN },
  ListTables: { Limit: 10, ExclusiveStartTableName: 'orders' },
  ListTagsOfResource: { ResourceArn: 'arn:aws:dynamodb:us-east-1:000000000000:table/orders', NextToken: 'x' },
  PutItem: {
    TableName: 'orders',
    Item: VALUES,
    Expected: { s: { ComparisonOperator: 'IN', AttributeValueList: [{ S: 'x' }] }, n: { Exists: false } },
    ExpressionAttributeNames: { '#n': 'name' },
    ExpressionAttributeValues: { ':v': { S: 'x' } },
  },
  Query: {
    TableName: 'orders',
    IndexName: 'by-date',
    Limit: 10,
    Select: 'SPECIFIC_ATTRIBUTES',
    ScanIndexForward: false,
    ExclusiveStartKey: { id: { S: 'x' } },
    KeyConditions: { s: { ComparisonOperator: 'EQ', AttributeValueList: [{ S: 'x' }] } },
    QueryFilter: { s: { ComparisonOperator: 'IN', AttributeValueList: [{ S: 'x' }] } },
    KeyConditionExpression: 'a = :v AND begins_with(#n, :v)',
    FilterExpression: 'a = :v',
    ExpressionAttributeNames: { '#n': 'name' },
    ExpressionAttributeValues: { ':v': { S: 'x' } },
  },
  Scan: {
    TableName: 'orders',
    IndexName: 'by-date',
    Limit: 10,
    Select: 'SPECIFIC_ATTRIBUTES',
    ExclusiveStartKey: { id: { S: 'x' } },
    Segment: 1,
    TotalSegments: 2,
    ScanFilter: { s: { ComparisonOperator: 'IN', AttributeValueList: [{ S: 'x' }] } },
    FilterExpression: 'a = :v',
    ExpressionAttributeNames: { '#n': 'name' },
    ExpressionAttributeValues: { ':v': { S: 'x' } },
  },
  TagResource: {
    ResourceArn: 'arn:aws:dynamodb:us-east-1:000000000000:table/orders',
    Tags: [{ Key: 'team', Value: 'shop' }],
  },
  TransactGetItems: {
    TransactItems: [
      { Get: { ...GET_ITEM, ProjectionExpression: 'a, #n', ExpressionAttributeNames: { '#n': 'name' } } },
    ],
    ReturnConsumedCapacity: 'TOTAL',
  },
  TransactWriteItems: {
    TransactItems: [
      { Put: { TableName: 'orders', Item: VALUES, ConditionExpression: 'attribute_not_exists(id)' } },
      {
        Update: {
          ...GET_ITEM,
          UpdateExpression: 'SET #n = :v',
          ExpressionAttributeNames: { '#n': 'name' },
          ExpressionAttributeValues: { ':v': { S: 'x' } },
        },
      },
      { ConditionCheck: { ...GET_ITEM, ConditionExpression: 'a = b', ReturnValuesOnConditionCheckFailure: 'NONE' } },
      { Delete: GET_ITEM },
    ],
    ClientRequestToken: 'token',
    ReturnItemCollectionMetrics: 'SIZE',
  },
  UntagResource: { ResourceArn: 'arn:aws:dynamodb:us-east-1:000000000000:table/orders', TagKeys: ['team'] },
  UpdateItem: {
    ...GET_ITEM,
    UpdateExpression: 'SET a = if_not_exists(a, :v) REMOVE #n[1].x',
    AttributeUpdates: { s: { Action: 'PUT', Value: VALUES.list }, n: { Action: 'DELETE' } },
    ReturnValues: 'UPDATED_NEW',
    ExpressionAttributeNames: { '#n': 'name' },
    ExpressionAttributeValues: { ':v': { S: 'x' } },
  },
  UpdateTable: {
    TableName: 'orders',
    GlobalSecondaryIndexUpdates: [{ Create: INDEX }, { Delete: { IndexName: 'old' } }],
    ReplicaUpdates: [{ Create: { RegionName: 'eu-west-1' } }],
    BillingMode: 'PAY_PER_REQUEST',
  },
  UpdateTimeToLive: { TableName: 'orders', TimeToLiveSpecification: { Enabled: true, AttributeName: 'expires' } },
};

/** A stranger to put into a request. */
const stranger = fc.oneof(
  fc.constantFrom(null, true, false, 0, -1, 1.5, 1e308, '', 'x', 'x'.repeat(2000), [], {}, [[]], [null], { S: 1 }),
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom('__proto__', 'constructor', '\u0000', '\ud800'),
);

/** Changes one place, chosen by `path`, of a request. */
function replace(value: unknown, path: readonly number[], by: unknown, how: number): unknown {
  const [step, ...rest] = path;
  if (step === undefined || typeof value !== 'object' || value === null) return by;
  const entries = Object.entries(value);
  if (entries.length === 0) return by;
  const at = step % entries.length;
  const [key, member] = entries[at]!;
  if (rest.length === 0 && how === 1) entries.splice(at, 1);
  else if (rest.length === 0 && how === 2) entries[at] = [typeof by === 'string' ? by : JSON.stringify(by), member];
  else entries[at] = [key, replace(member, rest, by, how)];
  // As JSON.parse does, `__proto__` becomes an own property.
  return Array.isArray(value) ? entries.map(([, element]) => element) : Object.fromEntries(entries);
}

const requestMutation = fc
  .record({
    operation: fc.constantFrom(...OPERATIONS),
    path: fc.array(fc.nat(7), { minLength: 1, maxLength: 6 }),
    by: stranger,
    how: fc.nat(3),
  })
  .map(({ operation, path, by, how }) => operationRequest(operation, replace(REQUESTS[operation], path, by, how)));

const byteMutation = fc
  .record({
    operation: fc.constantFrom(...OPERATIONS),
    at: fc.nat(),
    bytes: fc.uint8Array({ maxLength: 4 }),
    removed: fc.nat(6),
  })
  .map(({ operation, at, bytes, removed }) => {
    const request = operationRequest(operation, REQUESTS[operation]);
    const start = at % (request.body.length + 1);
    const body = Buffer.concat([request.body.subarray(0, start), bytes, request.body.subarray(start + removed)]);
    return { ...request, body };
  });

const headerMutation = fc
  .record({
    operation: fc.constantFrom(...OPERATIONS),
    name: fc.constantFrom(
      'content-type',
      'x-amz-target',
      'authorization',
      'x-amz-date',
      'content-encoding',
      'transfer-encoding',
      'accept-encoding',
      'accept',
      'origin',
    ),
    value: fc.option(
      fc.oneof(
        fc.string(),
        fc.constantFrom(
          'gzip',
          'deflate',
          'br',
          'identity;q=0, deflate',
          'identity;q=0, *;q=0.1',
          'application/json',
          'AWS4-',
          'AWS4-HMAC-SHA256 Credential=,Signature=,SignedHeaders=',
          'DynamoDB_20120810.',
          'DynamoDBStreams_20120810.',
        ),
      ),
      { nil: undefined },
    ),
    method: fc.constantFrom('POST', 'POST', 'POST', 'GET', 'PUT', 'OPTIONS', 'HEAD'),
    path: fc.oneof(
      fc.constant('/'),
      fc.webPath(),
      fc.constantFrom('/?X-Amz-Algorithm', '/?%', '/?X-Amz-Algorithm=%zz'),
    ),
  })
  .map(({ operation, name, value, method, path }): HttpRequest => {
    return { ...operationRequest(operation, REQUESTS[operation], { [name]: value }), method, path };
  });

test('the requests that are mutated are good ones', async () => {
  for (const operation of OPERATIONS) {
    const response = await testHandle()(operationRequest(operation, REQUESTS[operation]));
    expect([operation, response.status]).toEqual([operation, 200]);
  }
});

test('any mutation of a good request is answered well, and the next good request too', async () => {
  const seen = new Map<number, number>();
  const handle = testHandle();
  const mutation = fc.oneof(
    { weight: 6, arbitrary: requestMutation },
    { weight: 2, arbitrary: byteMutation },
    { weight: 2, arbitrary: headerMutation },
  );
  await fc.assert(
    fc.asyncProperty(mutation, async (request) => {
      const response = await handle(request);
      expectWellFormed(request, response);
      seen.set(response.status, (seen.get(response.status) ?? 0) + 1);
      expect((await handle(operationRequest('GetItem', GET_ITEM))).status).toBe(200);
    }),
    { numRuns: MUTATIONS },
  );
  expect(handle.internalErrors).toEqual([]);
  // Mutations that all end alike would prove nothing.
  expect(seen.get(200)).toBeGreaterThan(MUTATIONS / 100);
  expect(seen.get(400)).toBeGreaterThan(MUTATIONS / 10);
});

function expectWellFormed(request: HttpRequest, response: HttpResponse): void {
  expect(headerOf(response, 'content-length')).toBe(String(response.body.length));
  const isPlain = headerOf(response, 'content-type') === 'text/plain';
  if (response.status === 200 || (response.status === 404 && isPlain)) return;
  expect([400, 404], request.method).toContain(response.status);
  expect(Number(headerOf(response, 'x-amz-crc32'))).toBe(crc32(response.body));
  const { __type, ...texts } = jsonOf(decoded(response));
  expect(String(__type)).toMatch(/^com\.amazon[a-z0-9.]*#[A-Z][A-Za-z]+$/);
  // What a text has in it that was put together of nothing, of an object, or of an exception; unless it quotes the path.
  const own = JSON.stringify(texts).replaceAll(JSON.stringify(request.path.split('?')[0]).slice(1, -1), '');
  expect(own).not.toMatch(/undefined|NaN|\[object |\\n +at /);
}

function decoded(response: HttpResponse): HttpResponse {
  const coding = headerOf(response, 'content-encoding');
  return coding === undefined ? response : { ...response, body: unzipSync(response.body) };
}
