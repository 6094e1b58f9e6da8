import { CreateTableCommand, ScanCommand, type ScanCommandInput } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keysOf, tableInput } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

const TableName = 'Things';
let server: TestServer;

beforeAll(async () => {
  server = await startServer();
  const { AttributeDefinitions, KeySchema } = keysOf('pk', 'sk');
  const ofIndex = [{ AttributeName: 'color', KeyType: 'HASH' as const }];
  await server.client.send(
    new CreateTableCommand({
      ...tableInput(TableName),
      KeySchema,
      AttributeDefinitions: [...AttributeDefinitions, { AttributeName: 'color', AttributeType: 'S' }],
      GlobalSecondaryIndexes: [
        { IndexName: 'all', KeySchema: ofIndex, Projection: { ProjectionType: 'ALL' } },
        { IndexName: 'some', KeySchema: ofIndex, Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['n'] } },
      ],
    }),
  );
});
afterAll(() => server.stop());

const scan = (rest: Partial<ScanCommandInput> = {}) => server.client.send(new ScanCommand({ TableName, ...rest }));

const invalid = 'One or more parameter values were invalid: ';
const mixed = 'Can not use both expression and non-expression parameters in the same request: ';
const startKey = 'The provided starting key is invalid';
const mismatch = `${startKey}: The provided key element does not match the schema`;
const failed = (value: string | number, path: string, text: string) =>
  `1 validation error detected: Value '${value}' at '${path}' failed to satisfy constraint: Member must ${text}`;
const FILTER = { FilterExpression: 'n = :n', ExpressionAttributeValues: { ':n': { N: '1' } } };

test.each<[string, Partial<ScanCommandInput>, string]>([
  ['Limit 0', { Limit: 0 }, failed(0, 'limit', 'have value greater than or equal to 1')],
  [
    'more segments than there may be',
    { Segment: 0, TotalSegments: 1_000_001 },
    failed(1_000_001, 'totalSegments', 'have value less than or equal to 1000000'),
  ],
  ['Segment -1', { Segment: -1, TotalSegments: 2 }, failed(-1, 'segment', 'have value greater than or equal to 0')],
  [
    'a Select that there is not',
    { Select: 'count' as 'COUNT' },
    failed(
      'count',
      'select',
      'satisfy enum value set: [SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]',
    ),
  ],
  [
    'TotalSegments alone',
    { TotalSegments: 4 },
    'The Segment parameter is required but was not present in the request when parameter TotalSegments is present',
  ],
  [
    'Segment alone',
    { Segment: 0 },
    'The TotalSegments parameter is required but was not present in the request when Segment parameter is present',
  ],
  [
    'a segment behind the last',
    { Segment: 4, TotalSegments: 4 },
    'The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 4 is not less than TotalSegments: 4',
  ],
  ['a start key without a part', { ExclusiveStartKey: { pk: { S: 'a' } } }, mismatch],
  ['a start key of another type', { ExclusiveStartKey: { pk: { S: 'a' }, sk: { N: '1' } } }, mismatch],
  ['a start key with more', { ExclusiveStartKey: { pk: { S: 'a' }, sk: { S: 'b' }, n: { N: '1' } } }, mismatch],
  ['an empty start key', { ExclusiveStartKey: {} }, mismatch],
  // These four: recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1.
  [
    'a start key that is no value',
    { ExclusiveStartKey: { pk: { S: 'a' }, sk: { N: 'x' } } },
    'The parameter cannot be converted to a numeric value: x',
  ],
  [
    'a start key that is a set with duplicates',
    { ExclusiveStartKey: { pk: { S: 'a' }, sk: { SS: ['b', 'b'] } } },
    'One or more parameter values were invalid: Input collection [b, b] contains duplicates.',
  ],
  [
    'an empty start key of the table',
    { ExclusiveStartKey: { pk: { S: 'a' }, sk: { S: '' } } },
    'One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: sk',
  ],
  [
    'a start key that fits neither the index nor the table',
    { IndexName: 'all', ExclusiveStartKey: { pk: { S: 'a' } } },
    'The provided key element does not match the schema',
  ],
  [
    'a start key of the table for an index',
    { IndexName: 'all', ExclusiveStartKey: { pk: { S: 'a' }, sk: { S: 'b' } } },
    startKey,
  ],
  ['an index that is not there', { IndexName: 'other' }, 'The table does not have the specified index: other'],
  [
    'a consistent read of a global index',
    { IndexName: 'all', ConsistentRead: true },
    'Consistent reads are not supported on global secondary indexes',
  ],
  [
    'SPECIFIC_ATTRIBUTES without any',
    { Select: 'SPECIFIC_ATTRIBUTES' },
    'Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES',
  ],
  [
    'attributes where all are asked for',
    { Select: 'ALL_ATTRIBUTES', AttributesToGet: ['a'] },
    'Cannot specify the AttributesToGet when choosing to get ALL_ATTRIBUTES',
  ],
  [
    'attributes where counts are asked for',
    { Select: 'COUNT', ProjectionExpression: 'a' },
    'Cannot specify the ProjectionExpression when choosing to get only the Count',
  ],
  [
    'projected attributes of the table',
    { Select: 'ALL_PROJECTED_ATTRIBUTES' },
    'ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName',
  ],
  [
    'all attributes of a global index that has only some',
    { IndexName: 'some', Select: 'ALL_ATTRIBUTES' },
    `${invalid}Select type ALL_ATTRIBUTES is not supported for global secondary index some because its projection type is not ALL`,
  ],
  [
    'attributes that a global index has not',
    { IndexName: 'some', ProjectionExpression: 'n, note, nested.entries' },
    `${invalid}Global secondary index some does not project [note, nested]`,
  ],
  [
    'both kinds of filter',
    { ...FILTER, ScanFilter: {}, ConditionalOperator: 'OR', AttributesToGet: ['a'] },
    `${mixed}Non-expression parameters: {AttributesToGet, ScanFilter, ConditionalOperator} Expression parameters: {FilterExpression}`,
  ],
  ['a filter that is none', { FilterExpression: '' }, 'Invalid FilterExpression: The expression can not be empty;'],
  [
    'a value that nothing refers to',
    { ...FILTER, ExpressionAttributeValues: { ':n': { N: '1' }, ':m': { N: '1' } } },
    'Value provided in ExpressionAttributeValues unused in expressions: keys: {:m}',
  ],
  [
    'a name that nothing refers to',
    { ...FILTER, ExpressionAttributeNames: { '#a': 'a' } },
    'Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}',
  ],
  [
    'values without a filter',
    { ProjectionExpression: 'a', ExpressionAttributeValues: { ':n': { N: '1' } } },
    'ExpressionAttributeValues can only be specified when using expressions: FilterExpression is null',
  ],
  [
    'a legacy filter with too few values',
    { ScanFilter: { n: { ComparisonOperator: 'BETWEEN', AttributeValueList: [{ N: '1' }] } } },
    `${invalid}Invalid number of argument(s) for the BETWEEN ComparisonOperator`,
  ],
  [
    'one legacy filter with an operator between them',
    { ScanFilter: { n: { ComparisonOperator: 'NULL' } }, ConditionalOperator: 'AND' },
    'ConditionalOperator can only be used when Filter or Expected has two or more elements',
  ],
  ['an attribute twice', { AttributesToGet: ['a', 'a'] }, `${invalid}Duplicate value in attribute name: a`],
])('%s is refused', async (_, rest, message) => {
  await expect(scan(rest)).rejects.toMatchObject({ name: 'ValidationException', message });
});
