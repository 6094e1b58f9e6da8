import { describe, expect, test } from 'vitest';
import type { CreateTableRequest } from '../../src/api/table-requests.ts';
import { definitions, index, keys, newRouter, refusal, sortedTableRequest, tableRequest } from './table-fixtures.ts';

const PREFIX = 'One or more parameter values were invalid: ';
const LINK =
  'https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html#on-demand-capacity-mode-initial';

const throughput = { ReadCapacityUnits: 5, WriteCapacityUnits: 6 };
const provisioned = (changes: Partial<CreateTableRequest> = {}) =>
  tableRequest({ BillingMode: 'PROVISIONED', ProvisionedThroughput: throughput, ...changes });

const withGlobal = (changes: object, names = ['a']) =>
  tableRequest({
    AttributeDefinitions: definitions('pk', ...names),
    GlobalSecondaryIndexes: [{ ...index('by-a', ...names), ...changes }],
  });
const withLocal = (changes: object) =>
  sortedTableRequest({
    AttributeDefinitions: definitions('pk', 'sk', 'a'),
    LocalSecondaryIndexes: [{ ...index('by-a', 'pk', 'a'), ...changes }],
  });
const vector = (changes: object = {}) => ({
  IndexName: 'similar',
  VectorAttribute: { AttributeName: 'v' },
  Projection: { ProjectionType: 'ALL' as const },
  Dimensions: 3,
  DistanceFunction: 'COSINE' as const,
  ...changes,
});
const hashes = (...names: string[]) => names.map((AttributeName) => ({ AttributeName, KeyType: 'HASH' as const }));
const ranges = (...names: string[]) => names.map((AttributeName) => ({ AttributeName, KeyType: 'RANGE' as const }));

const invalid: [situation: string, request: CreateTableRequest, message: string][] = [
  [
    'no billing mode and no throughput',
    tableRequest({ BillingMode: undefined }),
    `${PREFIX}ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED`,
  ],
  [
    'on demand with throughput',
    tableRequest({ ProvisionedThroughput: throughput }),
    `${PREFIX}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST`,
  ],
  [
    'throughput beyond all bounds',
    provisioned({ ProvisionedThroughput: { ...throughput, WriteCapacityUnits: 1e12 + 1 } }),
    'Given value 1000000000001 for WriteCapacityUnits is out of bounds',
  ],
  [
    'billing and keys wrong: billing is named',
    tableRequest({ BillingMode: undefined, KeySchema: keys('other') }),
    `${PREFIX}ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED`,
  ],
  [
    'an attribute defined twice',
    tableRequest({ AttributeDefinitions: definitions('pk', 'pk') }),
    'Attribute Name is duplicated: pk',
  ],
  [
    'fewer definitions than keys',
    tableRequest({ KeySchema: keys('pk', 'sk') }),
    'Invalid KeySchema: Some index key attribute have no definition',
  ],
  [
    'an empty list of definitions',
    tableRequest({ AttributeDefinitions: [] }),
    'Invalid KeySchema: Some index key attribute have no definition',
  ],
  [
    'a key that is not defined',
    sortedTableRequest({ KeySchema: keys('pk', 'other') }),
    `${PREFIX}Some index key attributes are not defined in AttributeDefinitions. Keys: [pk, other], AttributeDefinitions: [pk, sk]`,
  ],
  [
    'one attribute as both keys',
    sortedTableRequest({ KeySchema: keys('pk', 'pk') }),
    'Both the Hash Key and the Range Key element in the KeySchema have the same name',
  ],
  [
    'RANGE before HASH',
    sortedTableRequest({ KeySchema: [...ranges('sk'), ...hashes('pk')] }),
    'Invalid KeySchema: The first KeySchemaElement is not a HASH key type',
  ],
  [
    'two HASH keys of a table',
    sortedTableRequest({ KeySchema: hashes('pk', 'sk') }),
    'Invalid KeySchema: The second KeySchemaElement is not a RANGE key type',
  ],
  [
    'an unused definition without indexes',
    sortedTableRequest({ KeySchema: keys('pk') }),
    `${PREFIX}Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions`,
  ],
  [
    'an unused definition with indexes, which hides other mistakes',
    tableRequest({
      AttributeDefinitions: definitions('pk', 'a', 'x'),
      GlobalSecondaryIndexes: [{ ...index('by-a', 'a'), Projection: {} }],
    }),
    `${PREFIX}Some AttributeDefinitions are not used. AttributeDefinitions: [pk, a, x], keys used: [pk, a]`,
  ],

  [
    'an empty list of local indexes',
    sortedTableRequest({ LocalSecondaryIndexes: [] }),
    `${PREFIX}List of LocalSecondaryIndexes is empty`,
  ],
  [
    'a local index on a table without sort key',
    tableRequest({ AttributeDefinitions: definitions('pk', 'a'), LocalSecondaryIndexes: [index('by-a', 'pk', 'a')] }),
    `${PREFIX}Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex`,
  ],
  [
    'a local index with another partition key',
    withLocal({ KeySchema: keys('a', 'pk') }),
    `${PREFIX}Index KeySchema does not have the same leading hash key as table KeySchema for index: by-a. index hash key: a, table hash key: pk`,
  ],
  [
    'a local index without sort key',
    sortedTableRequest({ LocalSecondaryIndexes: [index('by-a', 'pk')] }),
    `${PREFIX}Index KeySchema does not have a range key for index: by-a`,
  ],
  [
    'an empty list of global indexes',
    tableRequest({ GlobalSecondaryIndexes: [] }),
    `${PREFIX}List of GlobalSecondaryIndexes is empty`,
  ],
  [
    'a global index whose key is not defined',
    tableRequest({ GlobalSecondaryIndexes: [index('by-q', 'q')] }),
    `${PREFIX}Some index key attributes are not defined in AttributeDefinitions. Keys: [q], AttributeDefinitions: [pk]`,
  ],
  [
    'a global index with RANGE first',
    withGlobal({ KeySchema: ranges('a') }),
    'Invalid KeySchema: The first KeySchemaElement is not a HASH key type',
  ],
  [
    'a global index with one attribute twice',
    withGlobal({ KeySchema: keys('a', 'a') }),
    'The KeySchema contains multiple key attributes with the same name',
  ],
  [
    'HASH after RANGE in a global index',
    withGlobal({ KeySchema: [...hashes('a'), ...ranges('b'), ...hashes('c')] }, ['a', 'b', 'c']),
    `${PREFIX}All HASH key attributes must precede RANGE key attributes in the KeySchema`,
  ],
  [
    'five HASH keys of a global index',
    withGlobal({ KeySchema: hashes('a', 'b', 'c', 'd', 'e') }, ['a', 'b', 'c', 'd', 'e']),
    `${PREFIX}The KeySchema exceeds the maximum allowed number of HASH key attributes`,
  ],
  [
    'five RANGE keys of a global index',
    withGlobal({ KeySchema: keys('a', 'b', 'c', 'd', 'e', 'f') }, ['a', 'b', 'c', 'd', 'e', 'f']),
    `${PREFIX}The KeySchema exceeds the maximum allowed number of RANGE key attributes`,
  ],
  ['an index without projection type', withGlobal({ Projection: {} }), `${PREFIX}Unknown ProjectionType: null`],
  [
    'KEYS_ONLY with attributes',
    withGlobal({ Projection: { ProjectionType: 'KEYS_ONLY', NonKeyAttributes: ['x'] } }),
    `${PREFIX}ProjectionType is KEYS_ONLY, but NonKeyAttributes is specified`,
  ],
  [
    'ALL with attributes, local',
    withLocal({ Projection: { ProjectionType: 'ALL', NonKeyAttributes: ['x'] } }),
    `${PREFIX}ProjectionType is ALL, but NonKeyAttributes is specified`,
  ],
  [
    'INCLUDE without attributes',
    withGlobal({ Projection: { ProjectionType: 'INCLUDE' } }),
    `${PREFIX}ProjectionType is INCLUDE, but NonKeyAttributes is not specified`,
  ],
  [
    'INCLUDE with one attribute twice',
    withGlobal({ Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['x', 'y', 'x'] } }),
    `${PREFIX}Duplicate element in NonKeyAttributes: x`,
  ],
  [
    'one name for a local and a global index',
    { ...withLocal({}), GlobalSecondaryIndexes: [index('by-a', 'a')] },
    `${PREFIX}Duplicate index name: by-a`,
  ],
  [
    'provisioned throughput of an index on demand',
    withGlobal({ ProvisionedThroughput: throughput }),
    `${PREFIX}ProvisionedThroughput should not be specified for index: by-a when BillingMode is PAY_PER_REQUEST`,
  ],
  [
    'a provisioned table with an index without throughput',
    { ...withGlobal({}), BillingMode: 'PROVISIONED', ProvisionedThroughput: throughput },
    `${PREFIX}ProvisionedThroughput is not specified for index: by-a`,
  ],
  [
    'a ceiling of 0 on an index',
    withGlobal({ OnDemandThroughput: { MaxReadRequestUnits: 0 } }),
    `${PREFIX}Requested MaxReadRequestUnits for OnDemandThroughput for index : by-a is outside of valid range`,
  ],
  [
    'warm throughput of an index below the start',
    withGlobal({ WarmThroughput: { WriteUnitsPerSecond: 3999 } }),
    `${PREFIX}Requested WriteUnitsPerSecond for WarmThroughput for index by-a is lower than initial throughput for OnDemand. See: ${LINK}`,
  ],

  [
    'a ceiling on a provisioned table',
    provisioned({ OnDemandThroughput: { MaxWriteRequestUnits: 1 } }),
    `${PREFIX}MaxWriteRequestUnits for OnDemandThroughput cannot be specified when table BillingMode is PROVISIONED.`,
  ],
  [
    'a ceiling of -1 on a new table',
    tableRequest({ OnDemandThroughput: { MaxReadRequestUnits: -1 } }),
    `${PREFIX}Requested MaxReadRequestUnits for OnDemandThroughput for table is outside of valid range`,
  ],
  [
    'warm throughput below the start',
    tableRequest({ WarmThroughput: { ReadUnitsPerSecond: 1 } }),
    `${PREFIX}Requested ReadUnitsPerSecond for WarmThroughput for table is lower than initial throughput for OnDemand. See: ${LINK}`,
  ],
  [
    'warm throughput below what is provisioned',
    provisioned({ WarmThroughput: { ReadUnitsPerSecond: 5, WriteUnitsPerSecond: 5 } }),
    `${PREFIX}Requested WriteUnitsPerSecond for WarmThroughput for table is lower than WriteCapacityUnits of ProvisionedThroughput`,
  ],
  [
    'a stream without view type',
    tableRequest({ StreamSpecification: { StreamEnabled: true } }),
    `${PREFIX}Table is being created with a stream enabled, UpdateViewType is required`,
  ],
  [
    'a disabled stream with view type',
    tableRequest({ StreamSpecification: { StreamEnabled: false, StreamViewType: 'KEYS_ONLY' } }),
    `${PREFIX}Table is being created with a stream disabled, UpdateViewType should not be specified`,
  ],
  [
    'disabled encryption with a type',
    tableRequest({ SSESpecification: { Enabled: false, SSEType: 'KMS', KMSMasterKeyId: 'k' } }),
    `${PREFIX}SSEType can not be specified if Enabled is false`,
  ],
  [
    'disabled encryption with a key',
    tableRequest({ SSESpecification: { Enabled: false, KMSMasterKeyId: 'k' } }),
    `${PREFIX}KMSMasterKeyId can not be specified if Enabled is false`,
  ],
  [
    'encryption with AES256',
    tableRequest({ SSESpecification: { Enabled: true, SSEType: 'AES256' } }),
    `${PREFIX}SSEType AES256 is not supported`,
  ],
  [
    'a key without encryption type',
    tableRequest({ SSESpecification: { Enabled: true, KMSMasterKeyId: 'k' } }),
    `${PREFIX}SSEType KMS is required if KMSMasterKeyId is specified`,
  ],
  [
    'a tag key of 129 characters',
    tableRequest({ Tags: [{ Key: 'x'.repeat(129), Value: '' }] }),
    `The Tag Key provided is invalid, Key: ${'x'.repeat(129)}`,
  ],
  [
    'a tag key with a number sign',
    tableRequest({ Tags: [{ Key: 'a#b', Value: '' }] }),
    'The Tag Key provided is invalid, Key: a#b',
  ],
  [
    'a tag value of 257 characters',
    tableRequest({ Tags: [{ Key: 'k', Value: 'x'.repeat(257) }] }),
    `The Tag Value provided is invalid, Value: ${'x'.repeat(257)}`,
  ],
  [
    "a tag of the service's own",
    tableRequest({ Tags: [{ Key: 'aws:foo', Value: '' }] }),
    'Tag Key cannot be prefixed with aws:, Key: aws:foo',
  ],
  [
    'one tag twice',
    tableRequest({
      Tags: [
        { Key: 'k', Value: '1' },
        { Key: 'k', Value: '2' },
      ],
    }),
    'Duplicate Tag Keys provided as input: Duplicate Tag Key found k',
  ],
  [
    '51 tags',
    tableRequest({ Tags: Array.from({ length: 51 }, (_, n) => ({ Key: `k${n}`, Value: '' })) }),
    'Number of Tags exceed the current limit for the provided ResourceArn',
  ],
  [
    'a policy that is not JSON',
    tableRequest({ ResourcePolicy: '' }),
    `${PREFIX}Invalid policy document: This policy contains invalid Json`,
  ],
  [
    'a policy that is a list',
    tableRequest({ ResourcePolicy: '[]' }),
    `${PREFIX}Invalid policy document: This policy contains invalid Json`,
  ],
  [
    'a policy that is null',
    tableRequest({ ResourcePolicy: 'null' }),
    `${PREFIX}Invalid policy document: This text appears not to be a policy`,
  ],
  [
    'a policy over 20 KB',
    tableRequest({ ResourcePolicy: `{"Id":"${'é'.repeat(10_240)}"}` }),
    `${PREFIX}Maximum policy size of 20480 bytes exceeded`,
  ],
  [
    'an unknown table class',
    tableRequest({ TableClass: 'COLD' as never }),
    'Invalid table-class parameter provided. Please try again with a valid table-class value: [STANDARD, STANDARD_INFREQUENT_ACCESS].',
  ],
  [
    'overrides of settings without replica',
    tableRequest({ GlobalTableSettingsReplicationMode: 'ENABLED_WITH_OVERRIDES' }),
    "Value 'ENABLED_WITH_OVERRIDES' at 'GlobalTableSettingsReplicationMode' failed to satisfy constraint: Only ENABLED and DISABLED settings replication are supported for a Regional Table.",
  ],

  [
    'a vector index on a provisioned table',
    provisioned({ VectorIndexes: [vector()] }),
    `${PREFIX}Vector indexes are only supported for PAY_PER_REQUEST tables`,
  ],
  [
    'six vector indexes',
    tableRequest({ VectorIndexes: Array.from({ length: 6 }, (_, n) => vector({ IndexName: `v-${n}` })) }),
    `${PREFIX}VectorIndex count exceeds the per-table limit of 5`,
  ],
  [
    'too many dimensions',
    tableRequest({ VectorIndexes: [vector({ Dimensions: 4097 })] }),
    `${PREFIX}Number of dimensions must be between 1 and 4096 inclusive.`,
  ],
  [
    'two vector indexes of one attribute that differ in dimensions',
    tableRequest({ VectorIndexes: [vector(), vector({ IndexName: 'other', Dimensions: 4 })] }),
    `${PREFIX}Conflicting attribute definition for 'v'. All VectorIndexes on the same vector attribute must use the same dimensions.`,
  ],
  [
    'a search schema whose attribute is not defined',
    tableRequest({
      VectorIndexes: [vector({ SearchSchema: [{ AttributeName: 'x', SearchSchemaElementType: 'HASH' }] })],
    }),
    `${PREFIX}One element in SearchSchema is not defined in attribute definitions`,
  ],
  [
    'one name for a vector index and a global one',
    { ...withGlobal({}), VectorIndexes: [vector({ IndexName: 'by-a' })] },
    `${PREFIX}Duplicate index name: by-a`,
  ],
];

describe('CreateTable refuses', () => {
  test.each(invalid)('%s', async (_, request, message) => {
    const { client, create } = newRouter();
    expect(await refusal(create(request))).toBe(`ValidationException: ${message}`);
    expect(client.calls).toEqual([]);
  });

  test('six local indexes', async () => {
    const { create } = newRouter();
    const LocalSecondaryIndexes = Array.from({ length: 6 }, (_, n) => index(`by-a-${n}`, 'pk', 'a'));
    expect(await refusal(create({ ...withLocal({}), LocalSecondaryIndexes }))).toBe(
      `ValidationException: ${PREFIX}Number of LocalSecondaryIndexes exceeds per-table limit of 5`,
    );
  });

  test('21 global indexes', async () => {
    const { create } = newRouter();
    const GlobalSecondaryIndexes = Array.from({ length: 21 }, (_, n) => index(`by-a-${n}`, 'a'));
    expect(await refusal(create({ ...withGlobal({}), GlobalSecondaryIndexes }))).toBe(
      `ValidationException: ${PREFIX}GlobalSecondaryIndex count exceeds the per-table limit of 20`,
    );
  });

  test('more than 100 projected attributes over all indexes', async () => {
    const { create } = newRouter();
    const projecting = (count: number) => ({
      ProjectionType: 'INCLUDE' as const,
      NonKeyAttributes: Array.from({ length: count }, (_, n) => `x${n}`),
    });
    const indexes = (last: number) =>
      [20, 20, 20, 20, last].map((count, n) => ({ ...index(`by-a-${n}`, 'a'), Projection: projecting(count) }));
    const request = (last: number) => ({ ...withGlobal({}), GlobalSecondaryIndexes: indexes(last) });
    expect(
      await refusal(
        create({
          ...request(20),
          GlobalSecondaryIndexes: [
            ...indexes(20),
            ...indexes(1)
              .slice(4)
              .map((last) => ({ ...last, IndexName: 'one-more' })),
          ],
        }),
      ),
    ).toMatch(/^ValidationException: .*per-table limit of 100$/);
    await create(request(20));
  });

  test('a name that is taken, after all rules of the request', async () => {
    const { create } = newRouter();
    await create();
    expect(await refusal(create(sortedTableRequest()))).toBe('ResourceInUseException: Table already exists: Music');
    expect(await refusal(create(sortedTableRequest({ KeySchema: ranges('pk') })))).toMatch(/^ValidationException/);
  });

  test('all but one of ten simultaneous requests for one name', async () => {
    const { create, describe: describeTable } = newRouter();
    const answers = await Promise.allSettled(Array.from({ length: 10 }, () => create()));
    const created = answers.filter(({ status }) => status === 'fulfilled');
    expect(created).toHaveLength(1);
    const [answer] = created as PromiseFulfilledResult<{ TableDescription: { TableId: string } }>[];
    expect((await describeTable()).TableId).toBe(answer!.value.TableDescription.TableId);
  });
});

describe('CreateTable accepts', () => {
  test('names that differ in case as different tables', async () => {
    const { create } = newRouter();
    await create();
    await create(tableRequest({ TableName: 'MUSIC' }));
  });

  test('an index with four HASH and four RANGE keys, and describes them in that order', async () => {
    const { create, describe: describeTable } = newRouter();
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    const KeySchema = [...hashes('d', 'c', 'b', 'a'), ...ranges('h', 'g', 'f', 'e')];
    await create(withGlobal({ KeySchema }, names));
    expect((await describeTable()).GlobalSecondaryIndexes[0].KeySchema).toEqual(KeySchema);
  });

  test('an empty list of tags, empty encryption and empty ceilings', async () => {
    const { create, describe: describeTable } = newRouter();
    await create(tableRequest({ Tags: [], SSESpecification: {}, OnDemandThroughput: {}, WarmThroughput: {} }));
    const table = await describeTable();
    expect(table.SSEDescription).toBeUndefined();
    expect(table.OnDemandThroughput).toBeUndefined();
  });

  test('a local index on the sort key of the table, and a global one on the whole key', async () => {
    const { create } = newRouter();
    await create(
      sortedTableRequest({
        LocalSecondaryIndexes: [index('same', 'pk', 'sk')],
        GlobalSecondaryIndexes: [index('Music', 'pk', 'sk')],
      }),
    );
  });
});
