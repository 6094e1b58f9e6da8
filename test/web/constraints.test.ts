import { describe, expect, test } from 'vitest';
import type { OperationName } from '../../src/api/operations.ts';
import { placeOfViolation } from '../../src/web/validate.ts';
import { nested, refusalOf } from './fixtures.ts';

const get = { TableName: 'orders', Key: { id: { S: '1' } } };
const key = (AttributeName: string, KeyType: string) => ({ AttributeName, KeyType });
const KEYS = {
  AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
  KeySchema: [key('pk', 'HASH')],
};
const index = { IndexName: 'byDate', KeySchema: [{ AttributeName: 'a', KeyType: 'HASH' }], Projection: {} };

/** Recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1, where no other source is named. */
describe('a broken constraint is a ValidationException', () => {
  const at = (path: string) => `at '${path}' failed to satisfy constraint:`;
  const cases: [string, OperationName, unknown, string][] = [
    ['no table name', 'GetItem', { Key: {} }, `Value null ${at('tableName')} Member must not be null`],
    [
      'a null table name',
      'GetItem',
      { TableName: null, Key: {} },
      `Value null ${at('tableName')} Member must not be null`,
    ],
    ['no key', 'GetItem', { TableName: 'abc' }, `Value null ${at('key')} Member must not be null`],
    [
      'a short table name',
      'CreateTable',
      { ...KEYS, TableName: 'ab' },
      `Value 'ab' ${at('tableName')} Member must have length greater than or equal to 3`,
    ],
    [
      'a long table name',
      'PutItem',
      { TableName: 'x'.repeat(256), Item: {} },
      `Value '${'x'.repeat(256)}' ${at('tableName')} Member must have length less than or equal to 255`,
    ],
    [
      'a long table ARN',
      'GetItem',
      { ...get, TableName: `arn:${'x'.repeat(1021)}` },
      `Value 'arn:${'x'.repeat(1021)}' ${at('tableName')} Member must have length less than or equal to 1024`,
    ],
    [
      'a strange table name',
      'UpdateItem',
      { ...get, TableName: 'a b c' },
      `Value 'a b c' ${at('tableName')} Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+`,
    ],
    [
      'an ARN as the name of a new table',
      'CreateTable',
      { ...KEYS, TableName: 'arn:aws' },
      `Value 'arn:aws' ${at('tableName')} Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+`,
    ],
    [
      'an unknown enum value',
      'Scan',
      { TableName: 'abc', Select: 'SOME' },
      `Value 'SOME' ${at('select')} Member must satisfy enum value set: ` +
        '[SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]',
    ],
    // Findings of aws-controllers-k8s on DynamoDB, October 2026.
    [
      'an empty enum value',
      'UpdateTable',
      { TableName: 'abc', StreamSpecification: { StreamEnabled: true, StreamViewType: '' } },
      `Value '' ${at('streamSpecification.streamViewType')} Member must satisfy enum value set: ` +
        '[OLD_IMAGE, KEYS_ONLY, NEW_AND_OLD_IMAGES, NEW_IMAGE]',
    ],
    [
      'a member whose name begins with capitals',
      'CreateTable',
      { ...KEYS, TableName: 'abc', SSESpecification: { KMSMasterKeyId: '' } },
      `Value '' ${at('sSESpecification.kMSMasterKeyId')} Member must have length greater than or equal to 1`,
    ],
    [
      'an empty list',
      'CreateTable',
      { ...KEYS, TableName: 'abc', KeySchema: [] },
      `Value '[]' ${at('keySchema')} Member must have length greater than or equal to 1`,
    ],
    [
      'a small number',
      'ListTables',
      { Limit: 0 },
      `Value '0' ${at('limit')} Member must have value greater than or equal to 1`,
    ],
    [
      'a large number',
      'ListTables',
      { Limit: 101 },
      `Value '101' ${at('limit')} Member must have value less than or equal to 100`,
    ],
    [
      'no keys',
      'CreateTable',
      { TableName: 'abc', AttributeDefinitions: [] },
      `Value null ${at('keySchema')} Member must not be null`,
    ],
    [
      'no definitions of keys',
      'CreateTable',
      { TableName: 'abc', KeySchema: KEYS.KeySchema },
      `Value null ${at('attributeDefinitions')} Member must not be null`,
    ],
    [
      'a key of three',
      'CreateTable',
      { ...KEYS, TableName: 'abc', KeySchema: [...KEYS.KeySchema, key('sk', 'RANGE'), key('x', 'RANGE')] },
      "Value '[KeySchemaElement(attributeName=pk, keyType=HASH), KeySchemaElement(attributeName=sk, keyType=RANGE), " +
        `KeySchemaElement(attributeName=x, keyType=RANGE)]' ${at('keySchema')} ` +
        'Member must have length less than or equal to 2',
    ],
    [
      'a bad member of a list element',
      'CreateTable',
      { ...KEYS, TableName: 'abc', KeySchema: [...KEYS.KeySchema, key('sk', 'SORT')] },
      `Value 'SORT' ${at('keySchema.2.member.keyType')} Member must satisfy enum value set: [HASH, RANGE]`,
    ],
    [
      'a local index whose key has three attributes',
      'CreateTable',
      {
        ...KEYS,
        TableName: 'abc',
        LocalSecondaryIndexes: [{ ...index, KeySchema: [key('a', 'HASH'), key('b', 'RANGE'), key('c', 'RANGE')] }],
      },
      "Value '[KeySchemaElement(attributeName=a, keyType=HASH), KeySchemaElement(attributeName=b, keyType=RANGE), " +
        `KeySchemaElement(attributeName=c, keyType=RANGE)]' ${at('localSecondaryIndexes.1.member.keySchema')} ` +
        'Member must have length less than or equal to 2',
    ],
    [
      'a bad member of a map value',
      'PutItem',
      { TableName: 'abc', Item: {}, Expected: { 'a/b~c': { ComparisonOperator: 'LIKE' } } },
      `Value 'LIKE' ${at('expected.a/b~c.member.comparisonOperator')} Member must satisfy enum value set: ` +
        '[IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS]',
    ],
    [
      'a bad string in a list',
      'CreateTable',
      { ...KEYS, TableName: 'abc', LocalSecondaryIndexes: [{ ...index, Projection: { NonKeyAttributes: ['a', ''] } }] },
      `Value '[a, ]' ${at('localSecondaryIndexes.1.member.projection.nonKeyAttributes')} Member must satisfy constraint: ` +
        '[Member must have length less than or equal to 255, Member must have length greater than or equal to 1]',
    ],
    [
      'a bad string in a map',
      'GetItem',
      { ...get, ExpressionAttributeNames: { '#a': 'x'.repeat(65_536) } },
      `Value '{#a=${'x'.repeat(65_532)}...' ${at('expressionAttributeNames')} ` +
        'Map value must satisfy constraint: [Member must have length less than or equal to 65535]',
    ],
    [
      'null in a map of strings',
      'GetItem',
      { ...get, ExpressionAttributeNames: { '#a': null } },
      `Value null ${at('expressionAttributeNames.#a.member')} Member must not be null`,
    ],
    [
      'more than 25 writes',
      'BatchWriteItem',
      { RequestItems: { Tab: [...Array(26).keys()].map((i) => ({ PutRequest: { Item: { pk: { S: `k-${i}` } } } })) } },
      `Value '{Tab=[${[...Array(26).keys()]
        .map(
          (i) =>
            `WriteRequest(putRequest=PutRequest(item={pk=${javaText(`k-${i}`)}}, workloadProfileName=null), deleteRequest=null)`,
        )
        .join(', ')}]}' ${at('requestItems')} Map value must satisfy constraint: ` +
        '[Member must have length less than or equal to 25, Member must have length greater than or equal to 1]',
    ],
    [
      'the name of a table in a batch',
      'BatchGetItem',
      { RequestItems: { 'a b': { Keys: [{ pk: { B: 'AQI=' }, sk: { BOOL: true } }], ConsistentRead: true } } },
      `Value '{a b=KeysAndAttributes(keys=[{pk=${javaText('x')
        .replace('s=x', 's=null')
        .replace('b=null', 'b=java.nio.HeapByteBuffer[pos=0 lim=2 cap=2]')}, sk=${javaText('x')
        .replace('s=x', 's=null')
        .replace('bOOL=null', 'bOOL=true')}}], attributesToGet=null, consistentRead=true, projectionExpression=null, ` +
        `expressionAttributeNames=null)}' ${at('requestItems')} Map keys must satisfy constraint: ` +
        '[Member must have length less than or equal to 255, Member must have length greater than or equal to 3, ' +
        'Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]',
    ],
    // The exceptions: with members as in the request, and without the value.
    ...(['PutItem', 'DeleteItem', 'UpdateItem'] as const).map((operation): (typeof cases)[number] => [
      'an empty table name',
      operation,
      { TableName: '', Item: {}, Key: {} },
      `Value ${at('TableName')} Member must have length greater than or equal to 1`,
    ]),
    [
      'no table in a batch',
      'BatchGetItem',
      { RequestItems: {} },
      `Value ${at('RequestItems')} Member must have length greater than or equal to 1`,
    ],
    [
      'no key in a batch',
      'BatchGetItem',
      { RequestItems: { Tab: { Keys: [] } } },
      `Value ${at('RequestItems.Tab.member.Keys')} Member must have length greater than or equal to 1`,
    ],
    [
      '101 keys in a batch',
      'BatchGetItem',
      { RequestItems: { Tab: { Keys: Array(101).fill({ pk: { S: 'a' } }) } } },
      `Value ${at('RequestItems.Tab.member.Keys')} Member must have length less than or equal to 100`,
    ],
    [
      'no keys in a batch',
      'BatchGetItem',
      { RequestItems: { Tab: {} } },
      `Value null ${at('requestItems.Tab.member.keys')} Member must not be null`,
    ],
    ...(['PutItem', 'DeleteItem', 'UpdateItem'] as const).map((operation): (typeof cases)[number] => [
      'ReturnValues',
      operation,
      { TableName: 'abc', Item: {}, Key: {}, ReturnValues: 'X' },
      'Failed to satisfy constraint: Member must satisfy enum value set: [ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]',
    ]),
    // The older validation reads what is nested more than 62 deep.
    [
      'ReturnValues beside a value nested 63 deep',
      'PutItem',
      { TableName: 'abc', Item: { a: nested(63) }, ReturnValues: 'X' },
      `Value 'X' ${at('returnValues')} Member must satisfy enum value set: ` +
        '[ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]',
    ],
    [
      'an enum beside a value nested 100 deep',
      'GetItem',
      { TableName: 'abc', Key: { a: nested(100) }, ReturnConsumedCapacity: 'X' },
      `Value 'X' ${at('returnConsumedCapacity')} Member must satisfy enum value set: [INDEXES, TOTAL, NONE]`,
    ],
  ];
  test.each(cases)('%s (%s)', (_, operation, request, text) => {
    expect(refusalOf(operation, request)).toEqual(['ValidationException', `1 validation error detected: ${text}`]);
  });

  test.each<[string, OperationName, unknown, string]>([
    [
      'a table without a name',
      'CreateTable',
      {},
      "The parameter 'TableName' is required but was not present in the request",
    ],
    [
      'a batch of no writes',
      'BatchWriteItem',
      { RequestItems: {}, ReturnConsumedCapacity: 'X' },
      'The requestItems parameter is required for BatchWriteItem',
    ],
  ])('%s has words of its own', (_, operation, request, text) => {
    expect(refusalOf(operation, request)).toEqual(['ValidationException', text]);
  });

  const consumed = `Value 'X' ${at('returnConsumedCapacity')} Member must satisfy enum value set: [INDEXES, TOTAL, NONE]`;
  const metrics = `Value 'X' ${at('returnItemCollectionMetrics')} Member must satisfy enum value set: [SIZE, NONE]`;
  const returned = `Value 'X' ${at('returnValues')} Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]`;
  const unnamed =
    'Failed to satisfy constraint: Member must satisfy enum value set: [ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]';
  const emptyName = [
    `Value '' ${at('tableName')} Member must have length greater than or equal to 3`,
    `Value '' ${at('tableName')} Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+`,
  ];
  const three = { ReturnValues: 'X', ReturnConsumedCapacity: 'X', ReturnItemCollectionMetrics: 'X' };
  test.each<[string, OperationName, unknown, string[]]>([
    ['three enums', 'PutItem', { TableName: 'abc', Item: {}, ...three }, [consumed, unnamed, metrics]],
    ['three enums', 'DeleteItem', { ...get, ...three }, [consumed, unnamed, metrics]],
    ['ReturnValues hides all others', 'UpdateItem', { ...get, ...three }, [unnamed]],
    [
      'as echoes without a key',
      'UpdateItem',
      { TableName: 'abc', ...three },
      [consumed, metrics, returned, `Value null ${at('key')} Member must not be null`],
    ],
    [
      'as echoes without a key',
      'DeleteItem',
      { TableName: 'abc', ConditionalOperator: 'X' },
      [
        `Value null ${at('key')} Member must not be null`,
        `Value 'X' ${at('conditionalOperator')} Member must satisfy enum value set: [OR, AND]`,
      ],
    ],
    [
      'an empty name and no key',
      'UpdateItem',
      { TableName: '' },
      [...emptyName, `Value null ${at('key')} Member must not be null`],
    ],
    [
      'an empty name hides all others',
      'PutItem',
      { TableName: '', Item: {}, ...three },
      [`Value ${at('TableName')} Member must have length greater than or equal to 1`],
    ],
    // Findings of aws-controllers-k8s on DynamoDB, October 2026.
    ['an empty name', 'DescribeTable', { TableName: '' }, emptyName],
    [
      'an empty name to start behind',
      'ListTables',
      { ExclusiveStartTableName: '' },
      [
        `Value '' ${at('exclusiveStartTableName')} Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+`,
        `Value '' ${at('exclusiveStartTableName')} Member must have length greater than or equal to 3`,
      ],
    ],
    [
      'no throughput',
      'UpdateTable',
      { TableName: 'abc', ProvisionedThroughput: { ReadCapacityUnits: 0, WriteCapacityUnits: 0 } },
      [
        `Value '0' ${at('provisionedThroughput.writeCapacityUnits')} Member must have value greater than or equal to 1`,
        `Value '0' ${at('provisionedThroughput.readCapacityUnits')} Member must have value greater than or equal to 1`,
      ],
    ],
    [
      'an empty definition',
      'CreateTable',
      { ...KEYS, TableName: 'abc', AttributeDefinitions: [null] },
      [
        `Value null ${at('attributeDefinitions.1.member.attributeType')} Member must not be null`,
        `Value null ${at('attributeDefinitions.1.member.attributeName')} Member must not be null`,
      ],
    ],
    [
      'an empty element of a key',
      'CreateTable',
      { ...KEYS, TableName: 'abc', KeySchema: [{}] },
      [
        `Value null ${at('keySchema.1.member.attributeName')} Member must not be null`,
        `Value null ${at('keySchema.1.member.keyType')} Member must not be null`,
      ],
    ],
    [
      'an empty setting of expiry',
      'UpdateTimeToLive',
      { TableName: 'abc', TimeToLiveSpecification: {} },
      [
        `Value null ${at('timeToLiveSpecification.attributeName')} Member must not be null`,
        `Value null ${at('timeToLiveSpecification.enabled')} Member must not be null`,
      ],
    ],
    [
      'global indexes before local ones',
      'CreateTable',
      {
        ...KEYS,
        TableName: 'abc',
        LocalSecondaryIndexes: [{ ...index, IndexName: 'l' }],
        GlobalSecondaryIndexes: [{ ...index, IndexName: '' }],
      },
      [
        `Value '' ${at('globalSecondaryIndexes.1.member.indexName')} Member must have length greater than or equal to 3`,
        `Value '' ${at('globalSecondaryIndexes.1.member.indexName')} Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+`,
        `Value 'l' ${at('localSecondaryIndexes.1.member.indexName')} Member must have length greater than or equal to 3`,
      ],
    ],
    [
      'those of a batch',
      'BatchWriteItem',
      {
        RequestItems: { Tab: [] },
        ReturnConsumedCapacity: 'X',
        ReturnItemCollectionMetrics: 'X',
      },
      [
        consumed,
        metrics,
        `Value '{Tab=[]}' ${at('requestItems')} Map value must satisfy constraint: ` +
          '[Member must have length less than or equal to 25, Member must have length greater than or equal to 1]',
      ],
    ],
    // As the emulator dynalite, which was compared with the service, has it.
    [
      'ten at most',
      'CreateTable',
      { ...KEYS, TableName: 'abc', GlobalSecondaryIndexes: Array(50).fill({}) },
      [1, 2, 3, 4]
        .flatMap((n) =>
          ['indexName', 'keySchema', 'projection'].map(
            (member) => `Value null ${at(`globalSecondaryIndexes.${n}.member.${member}`)} Member must not be null`,
          ),
        )
        .slice(0, 10),
    ],
  ])('several are joined: %s (%s)', (_, operation, request, texts) => {
    const count = texts.length === 1 ? '1 validation error' : `${texts.length} validation errors`;
    expect(refusalOf(operation, request)[1]).toBe(`${count} detected: ${texts.join('; ')}`);
  });

  test('leaves no room for the rest of an echo, however large its value is', () => {
    const long = '\u{1f600}'.repeat(1 << 20);
    const deep = { a: nested(40), ['k'.repeat(65_536)]: { S: long } };
    for (const [operation, request] of [
      ['GetItem', { ...get, TableName: long }],
      ['PutItem', { TableName: 'abc', Item: deep }],
      [
        'PutItem',
        { TableName: 'abc', Item: {}, Expected: { [long]: { ComparisonOperator: 'X', Value: { M: deep } } } },
      ],
      ['BatchWriteItem', { RequestItems: { Tab: Array(100_000).fill({ PutRequest: { Item: { pk: { S: '' } } } }) } }],
    ] as const) {
      const [name, message] = refusalOf(operation, request);
      expect(name).toBe('ValidationException');
      expect(message.length).toBeLessThan(140_000);
      expect(message).toContain('...');
      expect(message).not.toMatch(/\p{Surrogate}/u);
    }
  });

  test('is found where it stands', () => {
    expect(placeOfViolation('CreateTable', { ...KEYS, TableName: 'abc', KeySchema: [key('a', 'X')] })).toEqual([
      'KeySchema',
      0,
      'KeyType',
    ]);
    expect(placeOfViolation('GetItem', get)).toBeUndefined();
  });
});

/** A text as the service's messages show its value. */
function javaText(text: string): string {
  return (
    `AttributeValue(s=${text}, n=null, b=null, iNT=null, dECIMAL=null, dOUBLE=null, sS=null, nS=null, bS=null, ` +
    'iNTSET=null, dECIMALSET=null, dOUBLESET=null, m=null, l=null, nULL=null, bOOL=null)'
  );
}
