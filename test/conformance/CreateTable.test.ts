import {
  CreateTableCommand,
  PutItemCommand,
  ResourceInUseException,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTable, keysOf } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

test('a new table is being created, and the waiter returns at once', async () => {
  const { client } = server;
  const before = Date.now();
  const { TableDescription: table } = await createTable(client, 'Music');
  expect(table).toMatchObject({
    TableName: 'Music',
    TableStatus: 'CREATING',
    TableArn: 'arn:aws:dynamodb:eu-west-1:000000000000:table/Music',
    BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' },
    ItemCount: 0,
  });
  expect(table?.TableId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
  expect(table!.CreationDateTime!.getTime()).toBeGreaterThanOrEqual(before);
  const { state } = await waitUntilTableExists({ client, maxWaitTime: 25 }, { TableName: 'Music' });
  expect(state).toBe('SUCCESS');
  expect(Date.now() - before).toBeLessThan(3_000);
  await client.send(new PutItemCommand({ TableName: 'Music', Item: { pk: { S: 'a' } } }));
});

test('an existing table is refused', async () => {
  await createTable(server.client, 'Twice');
  const again = createTable(server.client, 'Twice');
  await expect(again).rejects.toThrow(ResourceInUseException);
  await expect(again).rejects.toThrow('Table already exists: Twice');
});

test('every parameter is accepted and described', async () => {
  const { TableDescription: table } = await server.client.send(
    new CreateTableCommand({
      ...keysOf('pk', 'sk'),
      TableName: 'Everything',
      AttributeDefinitions: keysOf('pk', 'sk', 'a', 'b', 'c').AttributeDefinitions,
      LocalSecondaryIndexes: [
        {
          IndexName: 'local',
          KeySchema: keysOf('pk', 'a').KeySchema,
          Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['x'] },
        },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'global',
          KeySchema: [
            { AttributeName: 'a', KeyType: 'HASH' },
            { AttributeName: 'b', KeyType: 'HASH' },
            { AttributeName: 'c', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
          ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 2 },
        },
      ],
      BillingMode: 'PROVISIONED',
      ProvisionedThroughput: { ReadCapacityUnits: 3, WriteCapacityUnits: 4 },
      WarmThroughput: { ReadUnitsPerSecond: 30 },
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
      SSESpecification: { Enabled: true, SSEType: 'KMS', KMSMasterKeyId: 'alias/mine' },
      Tags: [{ Key: 'team', Value: 'blue' }],
      TableClass: 'STANDARD_INFREQUENT_ACCESS',
      DeletionProtectionEnabled: true,
      ResourcePolicy: '{"Version":"2012-10-17","Statement":[]}',
      GlobalTableSettingsReplicationMode: 'ENABLED',
    }),
  );
  expect(table).toMatchObject({
    ProvisionedThroughput: { ReadCapacityUnits: 3, WriteCapacityUnits: 4, NumberOfDecreasesToday: 0 },
    WarmThroughput: { ReadUnitsPerSecond: 30, WriteUnitsPerSecond: 4 },
    LocalSecondaryIndexes: [{ IndexName: 'local', Projection: { NonKeyAttributes: ['x'] } }],
    GlobalSecondaryIndexes: [{ IndexName: 'global', IndexStatus: 'CREATING' }],
    StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    SSEDescription: { SSEType: 'KMS', KMSMasterKeyArn: 'arn:aws:kms:eu-west-1:000000000000:alias/mine' },
    TableClassSummary: { TableClass: 'STANDARD_INFREQUENT_ACCESS' },
    DeletionProtectionEnabled: true,
    GlobalTableSettingsReplicationMode: 'ENABLED',
  });
});

test.each([
  [
    'a rule of the schema',
    { KeySchema: [] },
    "1 validation error detected: Value '[]' at 'keySchema' failed to satisfy constraint: Member must have length greater than or equal to 1",
  ],
  [
    'a rule between parameters',
    { BillingMode: undefined },
    'One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED',
  ],
  ['a rule of definitions', keysOf('pk', 'pk'), 'Attribute Name is duplicated: pk'],
  [
    'a rule of tags',
    { Tags: [{ Key: 'k'.repeat(129), Value: 'v' }] },
    `The Tag Key provided is invalid, Key: ${'k'.repeat(129)}`,
  ],
  ['the rule that a tag has a value', { Tags: [{ Key: 'k' }] }, 'The Tag Value provided is invalid, Value: null'],
  [
    'the choice of table classes',
    { TableClass: 'COLD' },
    'Invalid table-class parameter provided. Please try again with a valid table-class value: [STANDARD, STANDARD_INFREQUENT_ACCESS].',
  ],
])('a request that breaks %s is refused', async (_, changes, message) => {
  const answer = createTable(server.client, 'Refused', changes as object);
  await expect(answer).rejects.toMatchObject({ name: 'ValidationException', message });
});
