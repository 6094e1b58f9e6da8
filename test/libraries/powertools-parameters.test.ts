import { DynamoDBProvider } from '@aws-lambda-powertools/parameters/dynamodb';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocument } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Dynaring, startDynaring } from '../../src/index.ts';
import { createTable, keysOf } from '../parts/tables.ts';

/** Powertools for AWS Lambda reads its parameters from a table: one by GetItem, many by Query. */

let db: Dynaring;
let awsSdkV3Client: DynamoDBClient;
let documents: DynamoDBDocument;

beforeAll(async () => {
  db = await startDynaring();
  awsSdkV3Client = new DynamoDBClient(db.clientConfig());
  documents = DynamoDBDocument.from(awsSdkV3Client);
  await createTable(awsSdkV3Client, 'One', keysOf('id'));
  await createTable(awsSdkV3Client, 'Many', keysOf('id', 'sk'));
  await createTable(awsSdkV3Client, 'Custom', keysOf('MyId', 'MySortKey'));
  await documents.put({ TableName: 'One', Item: { id: 'endpoint', value: 'comments.example.com' } });
  await documents.put({ TableName: 'One', Item: { id: 'limits', value: '{"requests":7}' } });
  // Their order is that of the sort key. With values of 30 KB, 40 of them are two pages.
  for (let i = 0; i < 40; i++) {
    const sk = `p${String(i).padStart(2, '0')}`;
    await documents.put({ TableName: 'Many', Item: { id: 'config', sk, value: `${i}`.padEnd(30 * 1024) } });
  }
  const custom = { MyId: 'config', MySortKey: 'one', MyValue: 'first' };
  await documents.put({ TableName: 'Custom', Item: custom });
  await documents.put({ TableName: 'Custom', Item: { ...custom, MySortKey: 'two', MyValue: '{"second":2}' } });
});
afterAll(async () => {
  documents?.destroy();
  await db?.stop();
});

test('one parameter', async () => {
  const provider = new DynamoDBProvider({ tableName: 'One', awsSdkV3Client });
  expect(await provider.get('endpoint')).toBe('comments.example.com');
  expect(await provider.get('limits', { transform: 'json' })).toEqual({ requests: 7 });
  expect(await provider.get('none')).toBeUndefined();
});

test('one is cached until it is asked for by force', async () => {
  const provider = new DynamoDBProvider({ tableName: 'One', awsSdkV3Client });
  await documents.put({ TableName: 'One', Item: { id: 'cached', value: 'old' } });
  expect(await provider.get('cached', { maxAge: 60 })).toBe('old');
  await documents.put({ TableName: 'One', Item: { id: 'cached', value: 'new' } });
  expect(await provider.get('cached', { maxAge: 60 })).toBe('old');
  expect(await provider.get('cached', { forceFetch: true, sdkOptions: { ConsistentRead: true } })).toBe('new');
});

test('all parameters of a path, over several pages', async () => {
  const provider = new DynamoDBProvider({ tableName: 'Many', awsSdkV3Client });
  const found = await provider.getMultiple('config');
  expect(Object.values(found!).map((value) => Number(value))).toEqual(Array.from({ length: 40 }, (_, i) => i));
  expect(Object.keys(found!).slice(0, 2)).toEqual(['p00', 'p01']);
  expect(await provider.getMultiple('nothing')).toEqual({});
});

test('with options of the SDK', async () => {
  const provider = new DynamoDBProvider({ tableName: 'Many', awsSdkV3Client });
  const found = await provider.getMultiple('config', { sdkOptions: { Limit: 3, ScanIndexForward: false } });
  expect(Object.keys(found!)).toEqual(Array.from({ length: 40 }, (_, i) => `p${String(39 - i).padStart(2, '0')}`));
});

test('with names of its own', async () => {
  const names = { keyAttr: 'MyId', sortAttr: 'MySortKey', valueAttr: 'MyValue' };
  const provider = new DynamoDBProvider({ tableName: 'Custom', awsSdkV3Client, ...names });
  const throwOnTransformError = false;
  expect(await provider.getMultiple('config')).toEqual({ one: 'first', two: '{"second":2}' });
  expect(await provider.getMultiple('config', { transform: 'json', throwOnTransformError, maxAge: 0 })).toEqual({
    one: undefined,
    two: { second: 2 },
  });
});
