import { describe, expect, test } from 'vitest';
import {
  CONTEXT,
  definitions,
  index,
  keys,
  newRouter,
  refusal,
  sortedTableRequest,
  tableRequest,
} from './table-fixtures.ts';

const createdAt = CONTEXT.nowMs / 1000;

describe('DescribeTable', () => {
  test('of an on-demand table: all members, and no others', async () => {
    const { create, describe: describeTable } = newRouter();
    const answer = await create();
    const common = {
      AttributeDefinitions: definitions('pk'),
      TableName: 'Music',
      KeySchema: keys('pk'),
      CreationDateTime: createdAt,
      ProvisionedThroughput: { NumberOfDecreasesToday: 0, ReadCapacityUnits: 0, WriteCapacityUnits: 0 },
      TableSizeBytes: 0,
      ItemCount: 0,
      TableArn: 'arn:aws:dynamodb:eu-west-1:000000000000:table/Music',
      TableId: '00000001-0000-4000-8000-000000000000',
      DeletionProtectionEnabled: false,
    };
    expect(sent(answer.TableDescription)).toEqual({
      ...common,
      TableStatus: 'CREATING',
      BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' },
    });
    expect(sent(await describeTable())).toEqual({
      ...common,
      TableStatus: 'ACTIVE',
      BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST', LastUpdateToPayPerRequestDateTime: createdAt },
      WarmThroughput: { ReadUnitsPerSecond: 12_000, WriteUnitsPerSecond: 4_000, Status: 'ACTIVE' },
    });
  });

  test('of a provisioned table has its warm throughput and no billing mode', async () => {
    const { create, describe: describeTable } = newRouter();
    const ProvisionedThroughput = { ReadCapacityUnits: 5, WriteCapacityUnits: 6 };
    await create(tableRequest({ BillingMode: 'PROVISIONED', ProvisionedThroughput }));
    const table = sent(await describeTable());
    expect(table).toMatchObject({
      ProvisionedThroughput: { ...ProvisionedThroughput, NumberOfDecreasesToday: 0 },
      WarmThroughput: { ReadUnitsPerSecond: 5, WriteUnitsPerSecond: 6, Status: 'ACTIVE' },
    });
    expect(table).not.toHaveProperty('BillingModeSummary');
  });

  test('of a table with everything', async () => {
    const { create, describe: describeTable } = newRouter();
    const answer = await create(
      sortedTableRequest({
        AttributeDefinitions: [
          { AttributeName: 'sk', AttributeType: 'N' },
          { AttributeName: 'pk', AttributeType: 'B' },
          { AttributeName: 'a', AttributeType: 'S' },
        ],
        LocalSecondaryIndexes: [
          { ...index('local', 'pk', 'a'), Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['z', 'b'] } },
        ],
        GlobalSecondaryIndexes: [
          { ...index('zz', 'a', 'pk'), OnDemandThroughput: { MaxReadRequestUnits: 7 } },
          { ...index('aa', 'a'), WarmThroughput: { ReadUnitsPerSecond: 13_000 } },
        ],
        OnDemandThroughput: { MaxReadRequestUnits: 100 },
        WarmThroughput: { ReadUnitsPerSecond: 12_001, WriteUnitsPerSecond: 4_001 },
        StreamSpecification: { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' },
        SSESpecification: { Enabled: true },
        TableClass: 'STANDARD_INFREQUENT_ACCESS',
        DeletionProtectionEnabled: true,
        Tags: [{ Key: 'team', Value: 'blue' }],
        ResourcePolicy: '{"Version":"2012-10-17","Statement":[]}',
        GlobalTableSettingsReplicationMode: 'ENABLED',
      }),
    );
    expect(answer.TableDescription).toMatchObject({
      WarmThroughput: { ReadUnitsPerSecond: 12_001, WriteUnitsPerSecond: 4_001, Status: 'UPDATING' },
      GlobalSecondaryIndexes: [{ IndexStatus: 'CREATING' }, { IndexStatus: 'CREATING' }],
    });
    expect(answer.TableDescription.GlobalSecondaryIndexes[1].WarmThroughput).toBeUndefined();
    const table = sent(await describeTable());
    expect(table).toMatchObject({
      AttributeDefinitions: [
        { AttributeName: 'a', AttributeType: 'S' },
        { AttributeName: 'pk', AttributeType: 'B' },
        { AttributeName: 'sk', AttributeType: 'N' },
      ],
      LocalSecondaryIndexes: [
        {
          IndexName: 'local',
          KeySchema: keys('pk', 'a'),
          Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['b', 'z'] },
          IndexSizeBytes: 0,
          ItemCount: 0,
          IndexArn: 'arn:aws:dynamodb:eu-west-1:000000000000:table/Music/index/local',
        },
      ],
      GlobalSecondaryIndexes: [
        { IndexName: 'zz', IndexStatus: 'ACTIVE', OnDemandThroughput: { MaxReadRequestUnits: 7 } },
        { IndexName: 'aa', WarmThroughput: { ReadUnitsPerSecond: 13_000, WriteUnitsPerSecond: 4_000 } },
      ],
      OnDemandThroughput: { MaxReadRequestUnits: 100 },
      WarmThroughput: { ReadUnitsPerSecond: 12_001, WriteUnitsPerSecond: 4_001, Status: 'ACTIVE' },
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' },
      LatestStreamLabel: '2026-10-08T23:07:31.275',
      SSEDescription: {
        Status: 'ENABLED',
        SSEType: 'KMS',
        KMSMasterKeyArn: 'arn:aws:kms:eu-west-1:000000000000:alias/aws/dynamodb',
      },
      TableClassSummary: { TableClass: 'STANDARD_INFREQUENT_ACCESS' },
      DeletionProtectionEnabled: true,
      GlobalTableSettingsReplicationMode: 'ENABLED',
    });
    expect(table).not.toHaveProperty('Tags');
    expect(table).not.toHaveProperty('ResourcePolicy');
    expect(table).not.toHaveProperty('Replicas');
  });

  test('keeps the ARN of the region that the table was created in', async () => {
    const { create, describe: describeTable } = newRouter();
    await create();
    expect((await describeTable('Music', { region: 'us-east-1' })).TableArn).toContain('eu-west-1');
  });

  test('finds a table by its ARN, and names a missing one by its name', async () => {
    const { create, describe: describeTable } = newRouter();
    const { TableDescription } = await create();
    expect((await describeTable(TableDescription.TableArn)).TableName).toBe('Music');
    expect(await refusal(describeTable('arn:aws:dynamodb:eu-west-1:000000000000:table/Films'))).toBe(
      'ResourceNotFoundException: Requested resource not found: Table: Films not found',
    );
  });

  test.each([
    ['an index', 'arn:aws:dynamodb:eu-west-1:000000000000:table/Music/index/by-a', 'Valid ARN format is'],
    ['something else', 'arn:aws:dynamodb:eu-west-1:000000000000:stream/Music', 'Invalid resource type'],
    ['nothing', 'arn:aws:dynamodb:eu-west-1:000000000000:', 'Valid ARN format is'],
    ['too few parts', 'arn:aws:dynamodb', 'Valid ARN format is'],
    [
      'too short a name',
      'arn:aws:dynamodb:eu-west-1:000000000000:table/ab',
      'Table name of ARN must have length greater',
    ],
  ])('refuses the ARN of %s', async (_, arn, constraint) => {
    const { describe: describeTable } = newRouter();
    expect(await refusal(describeTable(arn))).toContain(
      `ValidationException: 1 validation error detected: Value '${arn}' at 'tableName' failed to satisfy constraint: ${constraint}`,
    );
  });
});

describe('ListTables', () => {
  const names = ['Zoo', 'a-b', 'aa', 'b', 'zoo'].map((name) => `${name}_table`);

  async function withTables() {
    const router = newRouter();
    for (const TableName of names.toReversed()) await router.create(tableRequest({ TableName }));
    return router;
  }

  test('sorts by bytes, so capitals first', async () => {
    const { execute } = await withTables();
    expect(await execute('ListTables', {})).toEqual({ TableNames: names });
  });

  test('gives a page at a time, and no further key with the last name', async () => {
    const { execute } = await withTables();
    const pages = [];
    let after: string | undefined;
    do {
      const page = await execute('ListTables', { Limit: 2, ExclusiveStartTableName: after });
      pages.push(page.TableNames);
      after = page.LastEvaluatedTableName;
    } while (after !== undefined);
    expect(pages).toEqual([names.slice(0, 2), names.slice(2, 4), names.slice(4)]);
    const all = await execute('ListTables', { Limit: 5 });
    expect(all.LastEvaluatedTableName).toBeUndefined();
  });

  test('starts after a name that no table has', async () => {
    const { execute } = await withTables();
    const { TableNames } = await execute('ListTables', { ExclusiveStartTableName: 'aaa' });
    expect(TableNames).toEqual(['b_table', 'zoo_table']);
  });

  test('gives 100 names if no limit is given', async () => {
    const { create, execute } = newRouter();
    for (let n = 0; n < 101; n += 1) await create(tableRequest({ TableName: `table-${1000 + n}` }));
    const page = await execute('ListTables', {});
    expect(page.TableNames).toHaveLength(100);
    expect(page.LastEvaluatedTableName).toBe('table-1099');
  });
});

describe('DeleteTable', () => {
  test('says that the table is being deleted, and it is gone with its records', async () => {
    const { create, describe: describeTable, execute, client } = newRouter();
    const { TableDescription } = await create(sortedTableRequest());
    const { TableDescription: deleted } = await execute('DeleteTable', { TableName: 'Music' });
    expect(sent(deleted)).toEqual({
      TableName: 'Music',
      TableStatus: 'DELETING',
      ProvisionedThroughput: { NumberOfDecreasesToday: 0, ReadCapacityUnits: 0, WriteCapacityUnits: 0 },
      TableSizeBytes: 0,
      ItemCount: 0,
      TableArn: TableDescription.TableArn,
      TableId: TableDescription.TableId,
      BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST', LastUpdateToPayPerRequestDateTime: createdAt },
      DeletionProtectionEnabled: false,
    });
    expect(client.forgotten).toEqual(['\0\0\0\x01\0\0\x40\0']);
    expect(await refusal(describeTable())).toMatch(/^ResourceNotFoundException/);
    expect(await execute('ListTables', {})).toEqual({ TableNames: [] });
  });

  test('refuses a protected table', async () => {
    const { create, execute, update } = newRouter();
    await create(tableRequest({ DeletionProtectionEnabled: true }));
    expect(await refusal(execute('DeleteTable', { TableName: 'Music' }))).toBe(
      'ValidationException: Resource cannot be deleted as it is currently protected against deletion. ' +
        'Disable deletion protection first.',
    );
    await update({ DeletionProtectionEnabled: false });
    await execute('DeleteTable', { TableName: 'Music' });
  });

  test('refuses a table that does not exist', async () => {
    const { execute } = newRouter();
    expect(await refusal(execute('DeleteTable', { TableName: 'Music' }))).toBe(
      'ResourceNotFoundException: Requested resource not found: Table: Music not found',
    );
  });

  test('makes way for a table of the same name, ARN and keys, with another id', async () => {
    const { create, execute } = newRouter();
    const { TableDescription: first } = await create();
    await execute('DeleteTable', { TableName: first.TableArn });
    const { TableDescription: second } = await create();
    expect(second.TableArn).toBe(first.TableArn);
    expect(second.TableId).not.toBe(first.TableId);
  });
});

test('DescribeLimits gives the quotas of a new account', async () => {
  const { execute } = newRouter();
  expect(await execute('DescribeLimits', {})).toEqual({
    AccountMaxReadCapacityUnits: 80_000,
    AccountMaxWriteCapacityUnits: 80_000,
    TableMaxReadCapacityUnits: 40_000,
    TableMaxWriteCapacityUnits: 40_000,
  });
});

describe('DescribeEndpoints', () => {
  test('sends an SDK back to the host that it asked', async () => {
    const { execute } = newRouter();
    expect(await execute('DescribeEndpoints', {})).toEqual({
      Endpoints: [{ Address: 'localhost:8123', CachePeriodInMinutes: 1440 }],
    });
  });

  test("names the service's own host if the client named none", async () => {
    const { execute } = newRouter();
    const { Endpoints } = await execute('DescribeEndpoints', {}, { host: undefined });
    expect(Endpoints[0].Address).toBe('dynamodb.eu-west-1.amazonaws.com');
  });
});

/** As it goes over the wire, where members that are undefined are absent. */
function sent(answer: object): object {
  return JSON.parse(JSON.stringify(answer));
}
