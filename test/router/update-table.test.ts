import { beforeEach, describe, expect, test } from 'vitest';
import type { CreateTableRequest, UpdateTableRequest } from '../../src/api/table-requests.ts';
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

const PREFIX = 'ValidationException: One or more parameter values were invalid: ';
const NOTHING =
  'ValidationException: At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, ' +
  'GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, ' +
  'MultiRegionConsistency, DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is required';
const LIMIT =
  'LimitExceededException: Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table';

const units = (read: number, write = read) => ({ ReadCapacityUnits: read, WriteCapacityUnits: write });
const indexed = (changes: Partial<CreateTableRequest> = {}) =>
  tableRequest({
    AttributeDefinitions: definitions('pk', 'a'),
    GlobalSecondaryIndexes: [index('by-a', 'a')],
    ...changes,
  });
const provisioned = (read = 5, write = read): CreateTableRequest =>
  indexed({
    BillingMode: 'PROVISIONED',
    ProvisionedThroughput: units(read, write),
    GlobalSecondaryIndexes: [{ ...index('by-a', 'a'), ProvisionedThroughput: units(2) }],
  });
const add = (IndexName = 'by-b', attribute = 'b'): Partial<UpdateTableRequest> => ({
  AttributeDefinitions: definitions(attribute),
  GlobalSecondaryIndexUpdates: [{ Create: index(IndexName, attribute) }],
});
const updates = (...list: NonNullable<UpdateTableRequest['GlobalSecondaryIndexUpdates']>) => ({
  GlobalSecondaryIndexUpdates: list,
});
const replicas = (...list: NonNullable<UpdateTableRequest['ReplicaUpdates']>) => ({ ReplicaUpdates: list });

type Case = [situation: string, changes: Partial<UpdateTableRequest>, error: string];

describe('UpdateTable refuses without looking at the table', () => {
  const cases: Case[] = [
    ['no change', {}, NOTHING],
    ['definitions alone', { AttributeDefinitions: definitions('pk') }, NOTHING],
    ['an empty list of index updates alone', updates(), NOTHING],
    [
      'a consistency alone, and leaves it out',
      { MultiRegionConsistency: 'STRONG' },
      NOTHING.replace('MultiRegionConsistency, ', ''),
    ],
    [
      'an empty list of index updates beside a change',
      { ...updates(), DeletionProtectionEnabled: true },
      `${PREFIX}List of GlobalSecondaryIndexUpdates is empty`,
    ],
    [
      'encryption and protection',
      { SSESpecification: {}, DeletionProtectionEnabled: true },
      `${PREFIX}Server-Side Encryption modification must be the only operation in the request`,
    ],
    [
      'protection and table class',
      { TableClass: 'STANDARD', DeletionProtectionEnabled: true },
      `${PREFIX}TableClass modification must be the only operation in the request`,
    ],
    [
      'warm throughput and protection',
      { WarmThroughput: { ReadUnitsPerSecond: 1 }, DeletionProtectionEnabled: true },
      `${PREFIX}DeletionProtection modification must be the only operation in the request`,
    ],
    [
      'protection and an index',
      { ...add(), DeletionProtectionEnabled: true },
      `${PREFIX}DeletionProtection modification must be the only operation in the request`,
    ],
    [
      'protection and a billing mode',
      { BillingMode: 'PAY_PER_REQUEST', DeletionProtectionEnabled: true },
      `${PREFIX}DeletionProtection modification must be the only operation in the request`,
    ],
    [
      'warm throughput and a stream',
      { WarmThroughput: { ReadUnitsPerSecond: 1 }, StreamSpecification: { StreamEnabled: false } },
      `${PREFIX}WarmThroughput must be the only operation in the request`,
    ],
    [
      'warm throughput and a new index',
      { ...add(), WarmThroughput: { ReadUnitsPerSecond: 1 } },
      `${PREFIX}Create global secondary index cannot be specified when updating WarmThroughput`,
    ],
    [
      'ceilings and a stream',
      { OnDemandThroughput: { MaxReadRequestUnits: 1 }, StreamSpecification: { StreamEnabled: false } },
      `${PREFIX}OnDemandThroughput can only be combined with BillingMode in an UpdateTable request`,
    ],
    [
      'ceilings and warm throughput',
      { OnDemandThroughput: { MaxReadRequestUnits: 1 }, WarmThroughput: { ReadUnitsPerSecond: 1 } },
      `${PREFIX}OnDemandThroughput can only be combined with BillingMode in an UpdateTable request`,
    ],
    [
      'throughput and a stream',
      { ProvisionedThroughput: units(1), StreamSpecification: { StreamEnabled: false } },
      `${PREFIX}You cannot modify stream status while updating table IOPS`,
    ],
    [
      'throughput and a new index',
      { ...add(), ProvisionedThroughput: units(1) },
      `${PREFIX}You cannot create or delete index while updating table IOPS`,
    ],
    [
      'a stream and the end of an index',
      { ...updates({ Delete: { IndexName: 'by-a' } }), StreamSpecification: { StreamEnabled: false } },
      `${PREFIX}You cannot create or delete index while changing stream status`,
    ],
    [
      'replicas and a stream',
      { ...replicas({ Delete: { RegionName: 'us-east-1' } }), StreamSpecification: { StreamEnabled: false } },
      `${PREFIX}Replica modification must be the only operation in the request`,
    ],
    [
      'a witness and a stream',
      {
        GlobalTableWitnessUpdates: [{ Create: { RegionName: 'us-east-1' } }],
        StreamSpecification: { StreamEnabled: false },
      },
      `${PREFIX}Requests that modify replicas or witnesses must not also modify other fields`,
    ],
    [
      'a provisioned mode without throughput',
      { BillingMode: 'PROVISIONED' },
      `${PREFIX}ProvisionedThroughput must be specified when BillingMode is PROVISIONED`,
    ],
    [
      'on demand with throughput',
      { BillingMode: 'PAY_PER_REQUEST', ProvisionedThroughput: units(1) },
      `${PREFIX}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST`,
    ],
    [
      'throughput beyond all bounds',
      { ProvisionedThroughput: units(1e12 + 1, 1) },
      'ValidationException: Given value 1000000000001 for ReadCapacityUnits is out of bounds',
    ],
    [
      'a stream without view type',
      { StreamSpecification: { StreamEnabled: true } },
      `${PREFIX}If stream is being enabled then UpdateViewType is required`,
    ],
    [
      'the end of a stream with view type',
      { StreamSpecification: { StreamEnabled: false, StreamViewType: 'KEYS_ONLY' } },
      `${PREFIX}If stream is being disabled, then UpdateViewType must not be specified`,
    ],
    [
      'encryption with AES256',
      { SSESpecification: { Enabled: true, SSEType: 'AES256' } },
      `${PREFIX}SSEType AES256 is not supported`,
    ],
    [
      'an empty index update',
      updates({}),
      `${PREFIX}One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null`,
    ],
    [
      'two actions in one index update',
      updates({ Update: { IndexName: 'by-a' }, Delete: { IndexName: 'by-a' } }),
      `${PREFIX}Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object`,
    ],
    [
      'two updates of one index',
      updates({ Delete: { IndexName: 'by-a' } }, { Create: index('by-a', 'a') }),
      `${PREFIX}Only one global secondary index update per index is allowed simultaneously. Index: by-a`,
    ],
    [
      'an index update with empty warm throughput',
      updates({ Update: { IndexName: 'by-a', WarmThroughput: {} } }),
      `${PREFIX}WarmThroughput must have at least one of ReadUnitsPerSecond or WriteUnitsPerSecond specified for index: by-a`,
    ],
    [
      'another table class than there is for a replica',
      replicas({ Create: { RegionName: 'a', TableClassOverride: 'COLD' as never } }),
      'ValidationException: Invalid table-class parameter provided. Please try again with a valid table-class value: [STANDARD, STANDARD_INFREQUENT_ACCESS].',
    ],
    [
      'protection against disassociation and protection against deletion',
      { DisassociationProtectionEnabled: true, DeletionProtectionEnabled: true },
      `${PREFIX}DeletionProtection modification must be the only operation in the request`,
    ],
    [
      'an empty replica update',
      replicas({}),
      'ValidationException: There are no actions specified in the Replica Update Action of the request.',
    ],
    [
      'two kinds of replica updates',
      replicas({ Create: { RegionName: 'a' } }, { Delete: { RegionName: 'b' } }),
      'ValidationException: Update table operation with more than one type of replica actions not allowed.',
    ],
    [
      'two new replicas',
      replicas({ Create: { RegionName: 'a' } }, { Create: { RegionName: 'b' } }),
      'ValidationException: Update table operation with more than one create or delete replica actions not allowed',
    ],
    [
      'one region twice',
      replicas({ Update: { RegionName: 'a' } }, { Update: { RegionName: 'a' } }),
      'ValidationException: Cannot target multiple regions with the same action',
    ],
    [
      'a consistency with the end of a replica',
      { ...replicas({ Delete: { RegionName: 'a' } }), MultiRegionConsistency: 'STRONG' },
      'ValidationException: Only Replica Create actions are supported when MultiRegionConsistency parameter is provided.',
    ],
    [
      'a witness without strong consistency',
      { GlobalTableWitnessUpdates: [{ Create: { RegionName: 'a' } }] },
      'ValidationException: MultiRegionConsistency must be set as STRONG when GlobalTableWitnessUpdates parameter is present.',
    ],
  ];

  test.each(cases)('%s', async (_, changes, error) => {
    const { update, client } = newRouter();
    expect(await refusal(update(changes))).toBe(error);
    expect(client.calls).toEqual([]);
  });

  test('and then names a table that does not exist', async () => {
    const { update } = newRouter();
    expect(await refusal(update({ DeletionProtectionEnabled: true }))).toBe(
      'ResourceNotFoundException: Requested resource not found: Table: Music not found',
    );
  });
});

describe('UpdateTable of an on-demand table refuses', () => {
  const cases: Case[] = [
    [
      'throughput',
      { ProvisionedThroughput: units(1) },
      `${PREFIX}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST`,
    ],
    [
      'to become provisioned without the throughput of an index',
      { BillingMode: 'PROVISIONED', ProvisionedThroughput: units(1) },
      `${PREFIX}ProvisionedThroughput must be specified for index: by-a`,
    ],
    [
      'throughput of an index',
      updates({ Update: { IndexName: 'by-a', ProvisionedThroughput: units(1) } }),
      `${PREFIX}The only Updates for index: by-a when TableThroughputMode is PAY_PER_REQUEST can be to OnDemandThroughput, WarmThroughput`,
    ],
    [
      'an index update that names nothing',
      updates({ Update: { IndexName: 'by-a' } }),
      `${PREFIX}The only Updates for index: by-a when TableThroughputMode is PAY_PER_REQUEST can be to OnDemandThroughput, WarmThroughput`,
    ],
    [
      'an update of a missing index',
      updates({ Update: { IndexName: 'by-x', OnDemandThroughput: { MaxReadRequestUnits: 1 } } }),
      'ResourceNotFoundException: Requested resource not found: Index by-x for table Music',
    ],
    [
      'the end of a missing index',
      updates({ Delete: { IndexName: 'by-x' } }),
      'ResourceNotFoundException: Requested resource not found: Index by-x for table Music',
    ],
    [
      'an index whose name is taken',
      add('by-a'),
      'ValidationException: Attempting to create an index which already exists',
    ],
    [
      'a new index without definitions',
      updates({ Create: index('by-b', 'b') }),
      `${PREFIX}AttributeDefinitions is not specified for index: by-b`,
    ],
    [
      'a new index with other definitions than its key',
      { ...add(), AttributeDefinitions: definitions('c') },
      `${PREFIX}Some index key attributes are not defined in AttributeDefinitions. Keys: [b], AttributeDefinitions: [c]`,
    ],
    [
      'a new index whose key has another type',
      { ...add('by-b', 'pk'), AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'N' }] },
      // Recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1.
      'ValidationException: Attributes cannot be redefined. Please check that your attribute has the same type as previously defined. ' +
        'Existing schema: Schema:[SchemaElement: key{pk:S:HASH}] New schema: Schema:[SchemaElement: key{pk:N:HASH}]',
    ],
    [
      'a new index with throughput',
      { ...add(), ...updates({ Create: { ...index('by-b', 'b'), ProvisionedThroughput: units(1) } }) },
      `${PREFIX}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: by-b when BillingMode is PAY_PER_REQUEST`,
    ],
    [
      'a new index and the end of another',
      { ...add(), ...updates({ Create: index('by-b', 'b') }, { Delete: { IndexName: 'by-a' } }) },
      LIMIT,
    ],
    [
      'a ceiling of 0',
      { OnDemandThroughput: { MaxWriteRequestUnits: 0 } },
      `${PREFIX}Requested MaxWriteRequestUnits for OnDemandThroughput for table is outside of valid range`,
    ],
    [
      'a ceiling of -2 on an index',
      updates({ Update: { IndexName: 'by-a', OnDemandThroughput: { MaxReadRequestUnits: -2 } } }),
      `${PREFIX}Requested MaxReadRequestUnits for OnDemandThroughput for index : by-a is outside of valid range`,
    ],
    [
      'less warm throughput',
      { WarmThroughput: { ReadUnitsPerSecond: 11_999 } },
      `${PREFIX}Requested ReadUnitsPerSecond for WarmThroughput for table is lower than current WarmThroughput, decreasing WarmThroughput is not supported`,
    ],
    [
      'less warm throughput of an index',
      updates({ Update: { IndexName: 'by-a', WarmThroughput: { WriteUnitsPerSecond: 1 } } }),
      `${PREFIX}Requested WriteUnitsPerSecond for WarmThroughput for index by-a is lower than current WarmThroughput, decreasing WarmThroughput is not supported`,
    ],
    [
      'the end of a stream that it does not have',
      { StreamSpecification: { StreamEnabled: false } },
      'ValidationException: Table has no stream to disable: TableName: Music',
    ],
    [
      'the default encryption that it has',
      { SSESpecification: { Enabled: false } },
      `${PREFIX}Table is already encrypted by default`,
    ],
    [
      'a replica in its own region',
      replicas({ Create: { RegionName: 'eu-west-1' } }),
      'ValidationException: Cannot add or delete the local region through ReplicaUpdates. Use CreateTable, DeleteTable, or UpdateTable as required.',
    ],
    [
      'the end of a replica that it does not have',
      replicas({ Delete: { RegionName: 'us-east-1' } }),
      'ValidationException: Update global table operation failed because one or more replicas were not part of the global table. Please retry the request without these replicas: [us-east-1].',
    ],
    [
      'strong consistency over two regions',
      { ...replicas({ Create: { RegionName: 'us-east-1' } }), MultiRegionConsistency: 'STRONG' },
      'ValidationException: Unsupported replica count',
    ],
    [
      'overrides of settings without replica',
      { GlobalTableSettingsReplicationMode: 'ENABLED_WITH_OVERRIDES' },
      "ValidationException: Value 'ENABLED_WITH_OVERRIDES' at 'GlobalTableSettingsReplicationMode' failed to satisfy constraint: Only ENABLED and DISABLED settings replication are supported for a Regional Table.",
    ],
  ];

  test.each(cases)('%s, and changes nothing', async (_, changes, error) => {
    const { create, update, describe: describeTable } = newRouter();
    await create(indexed());
    const before = await describeTable();
    expect(await refusal(update(changes))).toBe(error);
    expect(await describeTable()).toEqual(before);
  });

  test('the 21st index', async () => {
    const { create, update } = newRouter();
    await create(indexed({ GlobalSecondaryIndexes: Array.from({ length: 20 }, (_, n) => index(`by-a-${n}`, 'a')) }));
    expect(await refusal(update(add()))).toBe(
      'LimitExceededException: Subscriber limit exceeded: Number of global secondary indexes exceeds per-table limit of 20',
    );
  });

  test('changes of a local index', async () => {
    const { create, update } = newRouter();
    await create(
      sortedTableRequest({
        AttributeDefinitions: definitions('pk', 'sk', 'a'),
        LocalSecondaryIndexes: [index('by-a', 'pk', 'a')],
      }),
    );
    expect(await refusal(update(updates({ Delete: { IndexName: 'by-a' } })))).toBe(
      'ValidationException: Cannot delete an index that is not a GlobalSecondaryIndex: by-a',
    );
  });
});

describe('UpdateTable of a provisioned table', () => {
  const cases: Case[] = [
    [
      'the throughput that it has',
      { ProvisionedThroughput: units(5) },
      'ValidationException: The provisioned throughput for the table will not change. The requested value equals the current value. Current ReadCapacityUnits provisioned for the table: 5. Requested ReadCapacityUnits: 5. Current WriteCapacityUnits provisioned for the table: 5. Requested WriteCapacityUnits: 5. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.',
    ],
    [
      'the throughput that an index has',
      updates({ Update: { IndexName: 'by-a', ProvisionedThroughput: units(2) } }),
      'ValidationException: The provisioned throughput for the index by-a will not change. The requested value equals the current value. Current ReadCapacityUnits provisioned for index by-a: 2. Requested ReadCapacityUnits: 2. Current WriteCapacityUnits provisioned for index by-a: 2. Requested WriteCapacityUnits: 2. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.',
    ],
    [
      'a ceiling',
      { OnDemandThroughput: { MaxReadRequestUnits: 1 } },
      `${PREFIX}MaxReadRequestUnits for OnDemandThroughput cannot be specified when the table BillingMode is PROVISIONED`,
    ],
    [
      'a new index without throughput',
      add(),
      `${PREFIX}Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: by-b`,
    ],
    [
      'an index update that names nothing',
      updates({ Update: { IndexName: 'by-a' } }),
      `${PREFIX}ProvisionedThroughput must be specified for index: by-a`,
    ],
    [
      'a replica',
      replicas({ Create: { RegionName: 'us-east-1' } }),
      'ValidationException: Table write capacity should either be Pay-Per-Request or AutoScaled.',
    ],
  ];

  test.each(cases)('refuses %s', async (_, changes, error) => {
    const { create, update } = newRouter();
    await create(provisioned());
    expect(await refusal(update(changes))).toBe(error);
  });

  test('shows the old throughput while it changes, then the new one, and when it changed at once', async () => {
    const { create, update, describe: describeTable } = newRouter();
    await create(provisioned(1));
    const { TableDescription } = await update({ ProvisionedThroughput: units(3) });
    // Recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1.
    const LastIncreaseDateTime = CONTEXT.nowMs / 1000;
    expect(TableDescription).toMatchObject({
      TableStatus: 'UPDATING',
      ProvisionedThroughput: { ...units(1), LastIncreaseDateTime, NumberOfDecreasesToday: 0 },
    });
    const ofIndex = await update(updates({ Update: { IndexName: 'by-a', ProvisionedThroughput: units(1) } }));
    expect(ofIndex.TableDescription.GlobalSecondaryIndexes).toMatchObject([
      { ProvisionedThroughput: { ...units(2), LastDecreaseDateTime: LastIncreaseDateTime } },
    ]);
    expect(await describeTable()).toMatchObject({
      TableStatus: 'ACTIVE',
      ProvisionedThroughput: { ...units(3), NumberOfDecreasesToday: 0, LastIncreaseDateTime: CONTEXT.nowMs / 1000 },
      WarmThroughput: { ReadUnitsPerSecond: 3, WriteUnitsPerSecond: 3, Status: 'ACTIVE' },
    });
  });

  test('counts the decreases of a UTC day, and keeps the warm throughput', async () => {
    const { create, update, describe: describeTable } = newRouter();
    await create(provisioned(9));
    await update({ ProvisionedThroughput: units(8, 7) });
    await update({ ProvisionedThroughput: units(9, 6) });
    const today = await describeTable();
    expect(today.ProvisionedThroughput.NumberOfDecreasesToday).toBe(2);
    expect(today.WarmThroughput).toMatchObject({ ReadUnitsPerSecond: 9, WriteUnitsPerSecond: 9 });
    const tomorrow = { nowMs: CONTEXT.nowMs + 3_600_000 };
    expect((await describeTable('Music', tomorrow)).ProvisionedThroughput.NumberOfDecreasesToday).toBe(0);
    await update({ ProvisionedThroughput: units(1) }, tomorrow);
    expect((await describeTable('Music', tomorrow)).ProvisionedThroughput.NumberOfDecreasesToday).toBe(1);
  });

  test('becomes on-demand with a ceiling, and provisioned again', async () => {
    const { create, update, describe: describeTable } = newRouter();
    await create(provisioned());
    const { TableDescription } = await update({
      BillingMode: 'PAY_PER_REQUEST',
      OnDemandThroughput: { MaxReadRequestUnits: 100 },
    });
    expect(TableDescription.TableStatus).toBe('UPDATING');
    expect(TableDescription.BillingModeSummary).toBeUndefined();
    const switched = { BillingMode: 'PAY_PER_REQUEST', LastUpdateToPayPerRequestDateTime: CONTEXT.nowMs / 1000 };
    expect(await describeTable()).toMatchObject({
      BillingModeSummary: switched,
      ProvisionedThroughput: units(0),
      OnDemandThroughput: { MaxReadRequestUnits: 100 },
      WarmThroughput: { ReadUnitsPerSecond: 12_000, WriteUnitsPerSecond: 4_000 },
      GlobalSecondaryIndexes: [{ ProvisionedThroughput: units(0) }],
    });

    await update({
      BillingMode: 'PROVISIONED',
      ProvisionedThroughput: units(1),
      ...updates({ Update: { IndexName: 'by-a', ProvisionedThroughput: units(4) } }),
    });
    const table = await describeTable();
    expect(table).toMatchObject({
      BillingModeSummary: { ...switched, BillingMode: 'PROVISIONED' },
      ProvisionedThroughput: { ...units(1), NumberOfDecreasesToday: 0 },
      WarmThroughput: { ReadUnitsPerSecond: 12_000, WriteUnitsPerSecond: 4_000 },
      GlobalSecondaryIndexes: [{ ProvisionedThroughput: units(4) }],
    });
    expect(table.OnDemandThroughput).toBeUndefined();
  });
});

describe('UpdateTable', () => {
  let router: ReturnType<typeof newRouter>;
  beforeEach(async () => {
    router = newRouter();
    await router.create(indexed());
  });

  test('adds an index, which is being created in the answer and active afterwards', async () => {
    const { update, describe: describeTable } = router;
    const unused = definitions('b', 'left-over');
    const { TableDescription } = await update({ ...add(), AttributeDefinitions: unused });
    expect(TableDescription).toMatchObject({
      TableStatus: 'UPDATING',
      GlobalSecondaryIndexes: [
        { IndexStatus: 'ACTIVE' },
        { IndexName: 'by-b', IndexStatus: 'CREATING', Backfilling: false },
      ],
    });
    const table = await describeTable();
    expect(table.TableStatus).toBe('ACTIVE');
    expect(table.AttributeDefinitions).toEqual(definitions('a', 'b', 'pk'));
    expect(table.GlobalSecondaryIndexes[1]).toEqual({
      IndexName: 'by-b',
      KeySchema: keys('b'),
      Projection: { ProjectionType: 'ALL' },
      IndexStatus: 'ACTIVE',
      Backfilling: undefined,
      ProvisionedThroughput: { ...units(0), NumberOfDecreasesToday: 0 },
      IndexSizeBytes: 0,
      ItemCount: 0,
      IndexArn: 'arn:aws:dynamodb:eu-west-1:000000000000:table/Music/index/by-b',
      OnDemandThroughput: undefined,
      WarmThroughput: { ReadUnitsPerSecond: 12_000, WriteUnitsPerSecond: 4_000, Status: 'ACTIVE' },
    });
  });

  test('removes an index and the definitions that only it used', async () => {
    const { update, describe: describeTable } = router;
    const { TableDescription } = await update(updates({ Delete: { IndexName: 'by-a' } }));
    expect(TableDescription).toMatchObject({
      TableStatus: 'UPDATING',
      GlobalSecondaryIndexes: [{ IndexName: 'by-a', IndexStatus: 'DELETING' }],
      AttributeDefinitions: definitions('a', 'pk'),
    });
    const table = await describeTable();
    expect(table.GlobalSecondaryIndexes).toBeUndefined();
    expect(table.AttributeDefinitions).toEqual(definitions('pk'));
  });

  test('changes ceilings member by member, -1 removing one, without the status of the table', async () => {
    const { update, describe: describeTable } = router;
    const { TableDescription } = await update({
      OnDemandThroughput: { MaxReadRequestUnits: 10, MaxWriteRequestUnits: 20 },
    });
    expect(TableDescription).toMatchObject({ TableStatus: 'ACTIVE', OnDemandThroughput: { MaxReadRequestUnits: 10 } });
    // The answer says -1: recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1.
    const removal = await update({ OnDemandThroughput: { MaxReadRequestUnits: -1 } });
    expect(removal.TableDescription.OnDemandThroughput).toEqual({ MaxReadRequestUnits: -1, MaxWriteRequestUnits: 20 });
    expect((await describeTable()).OnDemandThroughput).toEqual({ MaxWriteRequestUnits: 20 });
    await update({ OnDemandThroughput: { MaxWriteRequestUnits: -1 } });
    expect((await describeTable()).OnDemandThroughput).toBeUndefined();
  });

  test('changes the ceiling of an index without the status of the table', async () => {
    const { update, describe: describeTable } = router;
    const ceiling = { OnDemandThroughput: { MaxReadRequestUnits: 50 } };
    const { TableDescription } = await update(updates({ Update: { IndexName: 'by-a', ...ceiling } }));
    expect(TableDescription).toMatchObject({
      TableStatus: 'ACTIVE',
      GlobalSecondaryIndexes: [{ IndexStatus: 'UPDATING', ...ceiling }],
    });
    expect((await describeTable()).GlobalSecondaryIndexes[0]).toMatchObject({ IndexStatus: 'ACTIVE', ...ceiling });
    const none = { OnDemandThroughput: { MaxReadRequestUnits: -1 } };
    const removal = await update(updates({ Update: { IndexName: 'by-a', ...none } }));
    expect(removal.TableDescription.GlobalSecondaryIndexes).toMatchObject([none]);
    expect((await describeTable()).GlobalSecondaryIndexes[0].OnDemandThroughput).toBeUndefined();
  });

  test('raises the warm throughput, of which one member may be left out', async () => {
    const { update, describe: describeTable } = router;
    const { TableDescription } = await update({ WarmThroughput: { ReadUnitsPerSecond: 13_000 } });
    expect(TableDescription).toMatchObject({
      TableStatus: 'ACTIVE',
      WarmThroughput: { ReadUnitsPerSecond: 12_000, Status: 'UPDATING' },
    });
    expect((await describeTable()).WarmThroughput).toEqual({
      ReadUnitsPerSecond: 13_000,
      WriteUnitsPerSecond: 4_000,
      Status: 'ACTIVE',
    });
  });

  test('enables and disables a stream; each has its own label, and the last is remembered', async () => {
    const { update, describe: describeTable } = router;
    const enable = { StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' as const } };
    const { TableDescription } = await update(enable);
    expect(TableDescription).toMatchObject({ TableStatus: 'UPDATING', ...enable });
    const first = await describeTable();
    expect(first).toMatchObject({
      ...enable,
      LatestStreamLabel: '2026-10-08T23:07:31.275',
      LatestStreamArn: 'arn:aws:dynamodb:eu-west-1:000000000000:table/Music/stream/2026-10-08T23:07:31.275',
    });
    expect(await refusal(update(enable))).toBe(
      'ValidationException: Table already has an enabled stream: TableName: Music',
    );

    await update({ StreamSpecification: { StreamEnabled: false } });
    const disabled = await describeTable();
    expect(disabled.StreamSpecification).toBeUndefined();
    expect(disabled.LatestStreamArn).toBe(first.LatestStreamArn);

    await update(enable);
    expect((await describeTable()).LatestStreamLabel).not.toBe(first.LatestStreamLabel);
  });

  test('encrypts by a key, whose ARN it then refuses, and stops doing so', async () => {
    const { update, describe: describeTable } = router;
    const { TableDescription } = await update({ SSESpecification: { SSEType: 'KMS', KMSMasterKeyId: 'some-key' } });
    expect(TableDescription).toMatchObject({ TableStatus: 'ACTIVE', SSEDescription: { Status: 'UPDATING' } });
    const { SSEDescription } = await describeTable();
    expect(SSEDescription).toEqual({
      Status: 'ENABLED',
      SSEType: 'KMS',
      KMSMasterKeyArn: 'arn:aws:kms:eu-west-1:000000000000:key/some-key',
    });
    const again = { Enabled: true, SSEType: 'KMS' as const, KMSMasterKeyId: SSEDescription.KMSMasterKeyArn };
    expect(await refusal(update({ SSESpecification: again }))).toBe(
      `${PREFIX}Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter if you want to change Master Key`,
    );
    await update({ SSESpecification: { Enabled: false } });
    expect((await describeTable()).SSEDescription).toBeUndefined();
  });

  test('changes the table class, of which STANDARD goes without saying at first', async () => {
    const { update, describe: describeTable } = router;
    await update({ TableClass: 'STANDARD' });
    expect((await describeTable()).TableClassSummary).toBeUndefined();
    const { TableDescription } = await update({ TableClass: 'STANDARD_INFREQUENT_ACCESS' });
    expect(TableDescription.TableStatus).toBe('UPDATING');
    expect(TableDescription.TableClassSummary).toBeUndefined();
    expect((await describeTable()).TableClassSummary).toEqual({
      TableClass: 'STANDARD_INFREQUENT_ACCESS',
      LastUpdateDateTime: CONTEXT.nowMs / 1000,
    });
  });

  test('protects the table at once, as often as it is asked to', async () => {
    const { update } = router;
    for (let time = 0; time < 2; time += 1) {
      const { TableDescription } = await update({ DeletionProtectionEnabled: true });
      expect(TableDescription).toMatchObject({ TableStatus: 'ACTIVE', DeletionProtectionEnabled: true });
    }
  });

  test('adds, changes and removes a replica, for which the table gets a stream', async () => {
    const { update, describe: describeTable } = router;
    await update(replicas({ Create: { RegionName: 'us-east-1' } }));
    expect(await describeTable()).toMatchObject({
      GlobalTableVersion: '2019.11.21',
      Replicas: [
        {
          RegionName: 'us-east-1',
          ReplicaStatus: 'ACTIVE',
          ReplicaArn: 'arn:aws:dynamodb:us-east-1:000000000000:table/Music',
        },
      ],
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    });
    expect(await refusal(update(replicas({ Create: { RegionName: 'us-east-1' } })))).toMatch(
      /‘Music’ .* already existed as tables\.$/,
    );
    expect(await refusal(update({ StreamSpecification: { StreamEnabled: false } }))).toBe(
      `${PREFIX}Disabling Stream is not allowed for a Global Table replica.`,
    );
    await update(replicas({ Update: { RegionName: 'us-east-1', TableClassOverride: 'STANDARD' } }));
    expect((await describeTable()).Replicas[0].ReplicaTableClassSummary).toEqual({ TableClass: 'STANDARD' });
    await update(replicas({ Delete: { RegionName: 'us-east-1' } }));
    const table = await describeTable();
    expect(table.Replicas).toBeUndefined();
    expect(table.GlobalTableVersion).toBeUndefined();
  });

  test('takes a global table apart once it is no longer protected against that', async () => {
    const { update, describe: describeTable } = router;
    const protect = (DisassociationProtectionEnabled: boolean) => update({ DisassociationProtectionEnabled });
    const leave = (RegionName: string) =>
      update(replicas({ Disassociate: { RegionName, DisassociationMode: 'WAIT_FOR_REPLICATION' } }));
    expect(await refusal(protect(false))).toMatch(/can only be set of a replica/);
    expect(await refusal(leave('eu-west-1'))).toMatch(/Only a replica of a global table/);

    await update(replicas({ Create: { RegionName: 'us-east-1' } }));
    expect((await describeTable()).DisassociationProtectionEnabled).toBe(true);
    expect(await refusal(leave('us-east-1'))).toMatch(/Only the replica of the local region, eu-west-1/);
    expect(await refusal(leave('eu-west-1'))).toMatch(/protected against disassociation/);
    await protect(false);
    expect((await describeTable()).DisassociationProtectionEnabled).toBe(false);
    await leave('eu-west-1');
    const table = await describeTable();
    expect(table.Replicas).toBeUndefined();
    expect(table.GlobalTableVersion).toBeUndefined();
    expect(table.DisassociationProtectionEnabled).toBeUndefined();
  });

  test('makes a strongly consistent global table of two replicas or of one and a witness', async () => {
    const { update, describe: describeTable } = router;
    await update({
      ...replicas({ Create: { RegionName: 'us-east-1' } }),
      GlobalTableWitnessUpdates: [{ Create: { RegionName: 'us-west-2' } }],
      MultiRegionConsistency: 'STRONG',
    });
    expect(await describeTable()).toMatchObject({
      MultiRegionConsistency: 'STRONG',
      GlobalTableWitnesses: [{ RegionName: 'us-west-2', WitnessStatus: 'ACTIVE' }],
    });
  });

  test('adds and removes a vector index', async () => {
    const { update, describe: describeTable } = router;
    const vector = {
      IndexName: 'similar',
      VectorAttribute: { AttributeName: 'v' },
      SearchSchema: [{ AttributeName: 'c', SearchSchemaElementType: 'HASH' as const }],
      Projection: { ProjectionType: 'ALL' as const },
      Dimensions: 3,
      DistanceFunction: 'COSINE' as const,
    };
    const { TableDescription } = await update({
      AttributeDefinitions: definitions('c'),
      VectorIndexUpdates: [{ Create: vector }],
    });
    expect(TableDescription.VectorIndexes).toMatchObject([{ IndexStatus: 'CREATING', Backfilling: false }]);
    expect(await describeTable()).toMatchObject({
      AttributeDefinitions: definitions('a', 'c', 'pk'),
      VectorIndexes: [{ ...vector, IndexStatus: 'ACTIVE', ItemCount: 0 }],
    });
    expect(await refusal(update({ VectorIndexUpdates: [{ Create: vector }] }))).toBe(
      'ValidationException: Attempting to create an index which already exists',
    );
    await update({ VectorIndexUpdates: [{ Delete: { IndexName: 'similar' } }] });
    expect((await describeTable()).VectorIndexes).toBeUndefined();
    expect(await refusal(update({ VectorIndexUpdates: [{ Delete: { IndexName: 'similar' } }] }))).toBe(
      'ResourceNotFoundException: Requested resource not found: Index similar for table Music',
    );
  });

  test('takes an ARN, whatever its region and account', async () => {
    const { execute } = router;
    const TableName = 'arn:aws:dynamodb:us-east-1:123456789012:table/Music';
    const { TableDescription } = await execute('UpdateTable', { TableName, DeletionProtectionEnabled: true });
    expect(TableDescription.TableName).toBe('Music');
  });

  test('loses none of several simultaneous changes', async () => {
    const { update, describe: describeTable } = router;
    await Promise.all([
      update({ DeletionProtectionEnabled: true }),
      update({ TableClass: 'STANDARD_INFREQUENT_ACCESS' }),
      update({ WarmThroughput: { WriteUnitsPerSecond: 5_000 } }),
      update(updates({ Update: { IndexName: 'by-a', OnDemandThroughput: { MaxReadRequestUnits: 9 } } })),
      update({ OnDemandThroughput: { MaxReadRequestUnits: 8 } }),
      update({ OnDemandThroughput: { MaxWriteRequestUnits: 7 } }),
    ]);
    expect(await describeTable()).toMatchObject({
      DeletionProtectionEnabled: true,
      TableClassSummary: { TableClass: 'STANDARD_INFREQUENT_ACCESS' },
      WarmThroughput: { WriteUnitsPerSecond: 5_000 },
      OnDemandThroughput: { MaxReadRequestUnits: 8, MaxWriteRequestUnits: 7 },
      GlobalSecondaryIndexes: [{ OnDemandThroughput: { MaxReadRequestUnits: 9 } }],
    });
  });
});

test('UpdateTable answers how many items there are, as DescribeTable does', async () => {
  const router = newRouter();
  await router.create(indexed());
  for (const name of ['1', '2', '3']) {
    const a = name === '3' ? {} : { a: { S: 'x' } };
    await router.execute('PutItem', { TableName: 'Music', Item: { pk: { S: name }, ...a } });
  }
  const { TableDescription } = await router.update({ DeletionProtectionEnabled: true });
  const described = await router.describe();
  expect(described.ItemCount).toBe(3);
  expect(described.TableSizeBytes).toBe(3 * 3 + 2 * 2);
  for (const name of ['ItemCount', 'TableSizeBytes']) expect(TableDescription[name], name).toBe(described[name]);
  expect(TableDescription.GlobalSecondaryIndexes).toMatchObject([{ ItemCount: 2 }]);
});
