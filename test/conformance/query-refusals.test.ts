import {
  type AttributeValue,
  CreateTableCommand,
  QueryCommand,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTable, keysOf, tableInput } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

const TableName = 'Things';
let server: TestServer;

beforeAll(async () => {
  server = await startServer();
  const { AttributeDefinitions, KeySchema } = keysOf('pk', 'sk');
  const hash = (name: string) => ({ AttributeName: name, KeyType: 'HASH' as const });
  const sort = (name: string) => ({ AttributeName: name, KeyType: 'RANGE' as const });
  await server.client.send(
    new CreateTableCommand({
      ...tableInput(TableName),
      KeySchema,
      AttributeDefinitions: [
        ...AttributeDefinitions,
        { AttributeName: 'color', AttributeType: 'S' },
        { AttributeName: 'tier', AttributeType: 'N' },
        { AttributeName: 'weight', AttributeType: 'B' },
      ],
      GlobalSecondaryIndexes: [
        { IndexName: 'all', KeySchema: [hash('color')], Projection: { ProjectionType: 'ALL' } },
        {
          IndexName: 'some',
          KeySchema: [hash('color'), sort('tier')],
          Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['n'] },
        },
        {
          IndexName: 'multi',
          KeySchema: [hash('color'), hash('pk'), sort('tier'), sort('sk'), sort('weight')],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        },
      ],
      LocalSecondaryIndexes: [
        { IndexName: 'local', KeySchema: [hash('pk'), sort('tier')], Projection: { ProjectionType: 'KEYS_ONLY' } },
      ],
    }),
  );
  await createTable(server.client, 'Singles');
});
afterAll(() => server.stop());

const S = (text: string): AttributeValue => ({ S: text });
const N = (number: number | string): AttributeValue => ({ N: String(number) });
const envelope = '1 validation error detected: ';
const invalid = 'One or more parameter values were invalid: ';
const expression = 'Invalid KeyConditionExpression: ';
const mixed = 'Can not use both expression and non-expression parameters in the same request: ';
const failed = (value: string | number, path: string, text: string) =>
  `${envelope}Value '${value}' at '${path}' failed to satisfy constraint: Member must ${text}`;

async function refusalOf(input: Partial<QueryCommandInput>): Promise<string> {
  const answer = server.client.send(new QueryCommand({ TableName, ...input }));
  const error = await answer.then(
    () => undefined,
    (reason: Error) => reason,
  );
  if (error?.name !== 'ValidationException') throw new Error(`not refused: ${error}`);
  return error.message;
}

/** `pk` and `sk` are texts. Values that a condition names. */
const VALUES: Record<string, AttributeValue> = {
  ':p': S('a'),
  ':s': S('b'),
  ':t': S('a'),
  ':n': N(1),
  ':m': N(0),
  ':b': { B: Uint8Array.of(1) },
  ':bool': { BOOL: true },
  ':list': { L: [] },
  ':set': { SS: ['a'] },
  ':empty': S(''),
  ':long': S('x'.repeat(1025)),
  ':longer': S('x'.repeat(2049)),
};
const ofCondition = (
  KeyConditionExpression: string,
  rest: Partial<QueryCommandInput> = {},
): Partial<QueryCommandInput> => {
  const used = KeyConditionExpression.match(/:\w+/g) ?? [];
  const ofFilter = rest.FilterExpression?.match(/:\w+/g) ?? [];
  const values = [...used, ...ofFilter].filter((name) => VALUES[name]).map((name) => [name, VALUES[name]!] as const);
  return {
    KeyConditionExpression,
    ...(values.length > 0 && { ExpressionAttributeValues: Object.fromEntries(values) }),
    ...rest,
  };
};
const eq = (value: AttributeValue) => ({ ComparisonOperator: 'EQ' as const, AttributeValueList: [value] });
const legacy = (operator: string, ...AttributeValueList: AttributeValue[]): Partial<QueryCommandInput> => ({
  KeyConditions: {
    pk: eq(S('a')),
    sk: { ComparisonOperator: operator as 'EQ', AttributeValueList },
  },
});

describe('a request that is wrong by itself is refused in an envelope', () => {
  test.each<[string, Partial<QueryCommandInput>, string]>([
    ['Limit 0', ofCondition('pk = :p', { Limit: 0 }), failed(0, 'limit', 'have value greater than or equal to 1')],
    [
      'no condition at all',
      {},
      `${envelope}Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.`,
    ],
    // ExtendDB pull request 190.
    ['an empty condition', { KeyConditionExpression: '' }, `${envelope}${expression}The expression can not be empty;`],
    [
      'an empty condition and values that nobody uses',
      { KeyConditionExpression: '', ExpressionAttributeValues: { ':v': S('a') } },
      `${envelope}${expression}The expression can not be empty;`,
    ],
    [
      'both kinds of parameters',
      ofCondition('pk = :p', { QueryFilter: { a: eq(S('a')) }, ConditionalOperator: 'AND' }),
      `${envelope}${mixed}Non-expression parameters: {QueryFilter, ConditionalOperator} Expression parameters: {KeyConditionExpression}`,
    ],
    [
      'both kinds of conditions',
      ofCondition('pk = :p', { KeyConditions: { pk: eq(S('a')) } }),
      `${envelope}${mixed}Non-expression parameters: {KeyConditions} Expression parameters: {KeyConditionExpression}`,
    ],
    [
      'values without expressions',
      { KeyConditions: { pk: eq(S('a')) }, ExpressionAttributeValues: { ':v': S('a') } },
      `${envelope}ExpressionAttributeValues can only be specified when using expressions: FilterExpression and KeyConditionExpression are null`,
    ],
    [
      'names without expressions',
      { KeyConditions: { pk: eq(S('a')) }, ExpressionAttributeNames: { '#a': 'a' } },
      `${envelope}ExpressionAttributeNames can only be specified when using expressions`,
    ],
    ['broken syntax', ofCondition('pk = :p AND'), `${envelope}${expression}Syntax error; token: "<EOF>", near: "AND"`],
    [
      'a reserved word',
      ofCondition('hash = :p'),
      `${envelope}${expression}Attribute name is a reserved keyword; reserved keyword: hash`,
    ],
    // ExtendDB issue 130.
    ...['((pk = :p))', '((pk = :p)) AND sk = :s', '((pk = :p AND sk = :s))', 'pk = ((:p))'].map(
      (condition): [string, Partial<QueryCommandInput>, string] => [
        condition,
        ofCondition(condition),
        `${envelope}${expression}The expression has redundant parentheses;`,
      ],
    ),
    [
      'an undefined value',
      { KeyConditionExpression: 'pk = :x' },
      `${envelope}${expression}An expression attribute value used in expression is not defined; attribute value: :x`,
    ],
    [
      'an undefined name',
      ofCondition('#x = :p'),
      `${envelope}${expression}An expression attribute name used in the document path is not defined; attribute name: #x`,
    ],
    [
      'an unused value',
      ofCondition('pk = :p', { ExpressionAttributeValues: { ':p': S('a'), ':q': S('b') } }),
      `${envelope}Value provided in ExpressionAttributeValues unused in expressions: keys: {:q}`,
    ],
    [
      'an unused name',
      ofCondition('pk = :p', { ExpressionAttributeNames: { '#x': 'a' } }),
      `${envelope}Value provided in ExpressionAttributeNames unused in expressions: keys: {#x}`,
    ],
    ...[
      ['pk = :p OR sk = :s', 'OR'],
      ['pk = :p AND (sk = :s OR sk = :t)', 'OR'],
      ['NOT pk = :p', 'NOT'],
      ['pk IN (:p, :s)', 'IN'],
      ['pk = :p AND sk <> :s', '<>'],
      ['pk = :p AND contains(sk, :s)', 'contains'],
      ['attribute_exists(pk)', 'attribute_exists'],
    ].map(([condition, operator]): [string, Partial<QueryCommandInput>, string] => [
      condition!,
      ofCondition(condition!),
      `${envelope}Invalid operator used in KeyConditionExpression: ${operator}`,
    ]),
    // ExtendDB pull request 195.
    ...['pk.x = :p', 'pk[0] = :p', 'pk = :p AND sk.x = :s', 'pk = :p AND begins_with(sk.x, :s)', 'extra.x = :p'].map(
      (condition): [string, Partial<QueryCommandInput>, string] => [
        condition,
        ofCondition(condition),
        `${envelope}${expression}KeyConditionExpressions cannot have conditions on nested attributes`,
      ],
    ),
    // amplify-category-api pull request 3531.
    [
      'two conditions on one attribute',
      ofCondition('pk = :p AND sk > :t AND sk < :s'),
      `${envelope}${expression}KeyConditionExpressions must only contain one condition per key`,
    ],
    [
      'the size of an attribute',
      ofCondition('pk = :p AND size(sk) = :n'),
      `${envelope}${expression}KeyConditionExpressions cannot contain nested operations`,
    ],
    [
      'two attributes in one condition',
      ofCondition('pk = sk'),
      `${envelope}Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition`,
    ],
    [
      'an attribute for a prefix',
      ofCondition('pk = :p AND begins_with(sk, extra)'),
      `${envelope}Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition`,
    ],
    [
      'no attribute',
      ofCondition('pk = :p AND :s = :t'),
      `${envelope}Invalid condition in KeyConditionExpression: No key attribute specified`,
    ],
    [
      'a value in front of BETWEEN',
      ofCondition('pk = :p AND :s BETWEEN sk AND :t'),
      `${envelope}Invalid condition in KeyConditionExpression: BETWEEN operator must have the key attribute as its first operand`,
    ],
    [
      'one operand of begins_with',
      ofCondition('pk = :p AND begins_with(sk)'),
      `${envelope}${expression}Incorrect number of operands for operator or function; operator or function: begins_with, number of operands: 1`,
    ],
    [
      'a value that is none',
      ofCondition('pk = :p', { ExpressionAttributeValues: { ':p': N('x') } }),
      `${envelope}The parameter cannot be converted to a numeric value: x`,
    ],
    [
      'a start key that is no value',
      ofCondition('pk = :p', { ExclusiveStartKey: { pk: N('x') } }),
      `${envelope}The parameter cannot be converted to a numeric value: x`,
    ],
    [
      'a broken filter',
      ofCondition('pk = :p', { FilterExpression: 'a =' }),
      `${envelope}Invalid FilterExpression: Syntax error; token: "<EOF>", near: "="`,
    ],
    [
      'overlapping paths',
      ofCondition('pk = :p', { ProjectionExpression: 'a, a.b' }),
      `${envelope}Invalid ProjectionExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, b]`,
    ],
    [
      'SPECIFIC_ATTRIBUTES without any',
      ofCondition('pk = :p', { Select: 'SPECIFIC_ATTRIBUTES' }),
      `${envelope}Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES`,
    ],
    [
      'COUNT with a projection',
      ofCondition('pk = :p', { Select: 'COUNT', ProjectionExpression: 'a' }),
      `${envelope}Cannot specify the ProjectionExpression when choosing to get only the Count`,
    ],
    [
      'ALL_ATTRIBUTES with a projection',
      ofCondition('pk = :p', { Select: 'ALL_ATTRIBUTES', ProjectionExpression: 'a' }),
      `${envelope}Cannot specify the ProjectionExpression when choosing to get ALL_ATTRIBUTES`,
    ],
    [
      'ALL_PROJECTED_ATTRIBUTES of no index',
      ofCondition('pk = :p', { Select: 'ALL_PROJECTED_ATTRIBUTES' }),
      `${envelope}ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName`,
    ],
    [
      'ConditionalOperator for one condition',
      { KeyConditions: { pk: eq(S('a')) }, QueryFilter: { a: eq(S('a')) }, ConditionalOperator: 'OR' },
      `${envelope}ConditionalOperator can only be used when Filter or Expected has two or more elements`,
    ],
    ['no legacy conditions', { KeyConditions: {} }, `${envelope}Conditions can be of length 1 or 2 only`],
    [
      'two values of EQ',
      legacy('EQ', S('a'), S('b')),
      `${envelope}${invalid}Invalid number of argument(s) for the EQ ComparisonOperator`,
    ],
    [
      'a legacy range that is reversed',
      legacy('BETWEEN', S('b'), S('a')),
      `${envelope}The BETWEEN condition was provided a range where the lower bound is greater than the upper bound`,
    ],
    ...['NE', 'CONTAINS', 'NOT_CONTAINS', 'IN'].map((operator): [string, Partial<QueryCommandInput>, string] => [
      `the legacy ${operator}`,
      legacy(operator, S('a')),
      `${envelope}Attempted conditional constraint is not an indexable operation`,
    ]),
    ['the legacy NULL', legacy('NULL'), `${envelope}Attempted conditional constraint is not an indexable operation`],
  ])('%s', async (_, input, text) => {
    expect(await refusalOf(input)).toBe(text);
  });
});

// Recorded bare in October 2026.
describe('operands of a key condition are refused without the envelope', () => {
  const wrongType = (operator: string, type: string) =>
    `${expression}Incorrect operand type for operator or function; operator or function: ${operator}, operand type: ${type}`;

  test.each([
    ['pk = :p AND sk > :bool', wrongType('>', 'BOOL')],
    ['pk = :p AND :list <= sk', wrongType('>=', 'L')],
    ['pk = :p AND begins_with(sk, :n)', wrongType('begins_with', 'N')],
    ['pk = :p AND sk BETWEEN :set AND :set', wrongType('BETWEEN', 'SS')],
    [
      'pk = :p AND sk BETWEEN :s AND :t',
      `${expression}The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {S:b}, upper bound operand: AttributeValue: {S:a}`,
    ],
    [
      'pk = :p AND sk BETWEEN :s AND :n',
      `${expression}The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {S:b}, upper bound operand: AttributeValue: {N:1}`,
    ],
  ])('%s', async (condition, text) => {
    expect(await refusalOf(ofCondition(condition))).toBe(text);
  });
});

describe('a condition that does not fit the key', () => {
  const missed = (name: string) => `Query condition missed key schema element: ${name}`;
  const unsupported = 'Query key condition not supported';
  const type = `${invalid}Condition parameter type does not match schema type`;
  const empty = (name: string) =>
    `One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: ${name}`;

  test.each<[string, string, string]>([
    ['sk = :s', '', missed('pk')],
    ['extra = :s', '', missed('pk')],
    ['pk = :p AND tier = :n', '', missed('sk')],
    ['pk = :p AND sk = :s AND extra = :t', '', 'Conditions can be of length 1 or 2 only'],
    ['pk > :p', '', unsupported],
    ['begins_with(pk, :p)', '', unsupported],
    ['pk = :n', '', type],
    ['pk = :p AND sk = :n', '', type],
    ['pk = :p AND sk = :bool', '', type],
    ['pk = :p AND begins_with(sk, :b)', '', type],
    ['pk = :empty', '', empty('pk')],
    ['pk = :p AND sk > :empty', '', empty('sk')],
    ['pk = :p AND begins_with(sk, :empty)', '', empty('sk')],
    ['pk = :longer', '', `${invalid}Size of hashkey has exceeded the maximum size limit of2048 bytes`],
    [
      'pk = :p AND sk = :long',
      '',
      `${invalid}Aggregated size of all range keys has exceeded the size limit of 1024 bytes`,
    ],
    ['pk = :p AND sk = :s', 'all', missed('color')],
    ['color = :p AND sk = :s', 'all', unsupported],
    ['pk = :p AND sk = :s', 'local', missed('tier')],
    ['color = :p AND begins_with(tier, :s)', 'some', type],
    // Multi-attribute keys: all of the partition key, and the sort key from left to right.
    ['color = :p', 'multi', missed('pk')],
    ['color = :p AND pk = :s AND sk = :t', 'multi', missed('tier')],
    ['color = :p AND pk = :s AND tier = :n AND weight = :b', 'multi', missed('sk')],
    ['color = :p AND pk = :s AND tier > :n AND sk = :t', 'multi', unsupported],
    ['color = :p AND pk > :s', 'multi', unsupported],
  ])('%s (index: %s) is refused', async (condition, index, text) => {
    expect(await refusalOf(ofCondition(condition, index === '' ? {} : { IndexName: index }))).toBe(text);
  });

  test('is refused in the legacy form too', async () => {
    expect(await refusalOf({ KeyConditions: { sk: eq(S('a')) } })).toBe(missed('pk'));
    expect(await refusalOf({ KeyConditions: { pk: eq(N(1)) } })).toBe(type);
    expect(await refusalOf({ KeyConditions: { pk: { ComparisonOperator: 'LT', AttributeValueList: [S('a')] } } })).toBe(
      unsupported,
    );
    expect(await refusalOf({ TableName: 'Singles', KeyConditions: { pk: eq(S('a')), a: eq(S('a')) } })).toBe(
      unsupported,
    );
  });
});

describe('rules of the table', () => {
  const select = (name: string) =>
    `${invalid}Select type ALL_ATTRIBUTES is not supported for global secondary index ${name} because its projection type is not ALL`;
  const ofSome = (rest: Partial<QueryCommandInput>) => ofCondition('color = :p', { IndexName: 'some', ...rest });

  test.each<[string, Partial<QueryCommandInput>, string]>([
    [
      'an index that it does not have',
      ofCondition('pk = :p', { IndexName: 'none' }),
      'The table does not have the specified index: none',
    ],
    [
      'a consistent read of a global index',
      ofSome({ ConsistentRead: true }),
      'Consistent reads are not supported on global secondary indexes',
    ],
    ['ALL_ATTRIBUTES of a global index that has not all', ofSome({ Select: 'ALL_ATTRIBUTES' }), select('some')],
    [
      'attributes that a global index does not have',
      ofSome({ ProjectionExpression: 'n, pk, lacking' }),
      `${invalid}Global secondary index some does not project [lacking]`,
    ],
    // CloudWanderer issue 86.
    [
      'a filter of the partition key',
      ofCondition('pk = :p', { FilterExpression: 'n = :n AND pk <> :s' }),
      'Filter Expression can only contain non-primary key attributes: Primary key attribute: pk',
    ],
    [
      'a filter of the sort key',
      ofCondition('pk = :p', { FilterExpression: 'attribute_exists(sk)' }),
      'Filter Expression can only contain non-primary key attributes: Primary key attribute: sk',
    ],
    [
      'a filter of the key of the index',
      ofSome({ FilterExpression: 'tier > :n', ExpressionAttributeValues: { ':p': S('a'), ':n': N(1) } }),
      'Filter Expression can only contain non-primary key attributes: Primary key attribute: tier',
    ],
    [
      'a legacy filter of the key',
      { KeyConditions: { pk: eq(S('a')) }, QueryFilter: { sk: eq(S('a')) } },
      'QueryFilter can only contain non-primary key attributes: Primary key attribute: sk',
    ],
    [
      'a path into a key',
      ofCondition('pk = :p', { ProjectionExpression: 'tier[0]' }),
      "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: tier",
    ],
  ])('%s is refused', async (_, input, text) => {
    expect(await refusalOf(input)).toBe(text);
  });

  test('a filter may be of the key of the table if an index is queried', async () => {
    const input = ofCondition('color = :p', { IndexName: 'all', FilterExpression: 'pk = :s AND sk = :t' });
    expect(await server.client.send(new QueryCommand({ TableName, ...input }))).toMatchObject({ Count: 0 });
  });

  test('a table that there is not is not found', async () => {
    const answer = server.client.send(new QueryCommand({ TableName: 'None', ...ofCondition('pk = :p') }));
    await expect(answer).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: 'Requested resource not found',
    });
  });
});

describe('a start key', () => {
  const startKey = 'The provided starting key is invalid';
  const outside = 'The provided starting key is outside query boundaries based on provided conditions';
  const predicate = 'The provided starting key does not match the range key predicate';
  const start = (
    ExclusiveStartKey: Record<string, AttributeValue>,
    condition = 'pk = :p',
    rest: Partial<QueryCommandInput> = {},
  ) => ofCondition(condition, { ExclusiveStartKey, ...rest });
  const at = (sk: string) => ({ pk: S('a'), sk: S(sk) });
  const backward = { ScanIndexForward: false };
  const index = (IndexName: string) => ({ IndexName });

  test.each<[string, Partial<QueryCommandInput>, string]>([
    // ExtendDB pull request 86.
    ['without a part', start({ pk: S('a') }), startKey],
    ['without attributes', start({}), startKey],
    ['with an attribute too many', start({ ...at('b'), n: N(1) }), startKey],
    ['of another type', start({ pk: S('a'), sk: N(1) }), startKey],
    ['of the table for an index', start(at('b'), 'color = :p', index('some')), startKey],
    [
      'without the key of the table for an index',
      start({ color: S('a'), tier: N(1) }, 'color = :p', index('some')),
      startKey,
    ],
    ['of an index for the table', start({ ...at('b'), tier: N(1) }), startKey],
    ['of another index', start({ ...at('b'), color: S('a') }, 'color = :p', index('some')), startKey],
    ['with an empty value of the index', start({ ...at('b'), color: S('') }, 'color = :p', index('all')), startKey],
    // floci issue 3322.
    ['of another partition', start({ pk: S('b'), sk: S('b') }), outside],
    ['of another partition of an index', start({ ...at('b'), color: S('b') }, 'color = :p', index('all')), outside],
    ['before the range', start(at('a'), 'pk = :p AND sk >= :s'), predicate],
    ['before the range, backward', start(at('c'), 'pk = :p AND sk <= :s', backward), predicate],
    ['behind the range', start(at('c'), 'pk = :p AND sk <= :s'), predicate],
    ['at an exclusive bound', start(at('b'), 'pk = :p AND sk > :s'), predicate],
    ['without the prefix', start(at('bc'), 'pk = :p AND begins_with(sk, :t)'), predicate],
    ['of another item than the one', start(at('c'), 'pk = :p AND sk = :s'), predicate],
    // N. Kiriu, "The provided starting key does not match the range key predicate"; aws-sdk-ruby issue 2456.
    ['at the end of the range, backward', start(at('b'), 'pk = :p AND sk >= :s', backward), predicate],
    ['at the end of the range', start(at('b'), 'pk = :p AND sk <= :s'), predicate],
    ['of the only item', start(at('b'), 'pk = :p AND sk = :s'), predicate],
    [
      'outside the range of an index',
      start({ ...at('b'), color: S('a'), tier: N(0) }, 'color = :p AND tier >= :n', index('some')),
      predicate,
    ],
  ])('%s is refused', async (_, input, text) => {
    expect(await refusalOf(input)).toBe(text);
  });

  test.each<[string, Partial<QueryCommandInput>]>([
    ['at the beginning of the range', start(at('b'), 'pk = :p AND sk >= :s')],
    ['at the beginning of the range, backward', start(at('b'), 'pk = :p AND sk <= :s', backward)],
    ['within', start(at('bb'), 'pk = :p AND begins_with(sk, :s)')],
    [
      'at the bound of an index, where others may follow',
      start({ ...at('b'), color: S('a'), tier: N(1) }, 'color = :p AND tier <= :n', index('some')),
    ],
    [
      'with another key of the table for a global index',
      start({ pk: S('zz'), sk: S('z'), color: S('a') }, 'color = :p', index('all')),
    ],
  ])('%s is taken', async (_, input) => {
    expect(await server.client.send(new QueryCommand({ TableName, ...input }))).toMatchObject({ Count: 0 });
  });
});
