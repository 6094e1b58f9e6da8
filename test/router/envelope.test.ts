import { beforeEach, describe, expect, test } from 'vitest';
import type { OperationName } from '../../src/api/operations.ts';
import { index, newRouter, refusal, tableRequest } from './table-fixtures.ts';

const ENVELOPE = '1 validation error detected: ';

let router: ReturnType<typeof newRouter>;

beforeEach(async () => {
  router = newRouter();
  await router.create(
    tableRequest({
      AttributeDefinitions: ['pk', 'a'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
      GlobalSecondaryIndexes: [index('by-a', 'a')],
    }),
  );
  await router.execute('PutItem', { TableName: 'Music', Item: { pk: { S: 'there' }, n: { N: '1' } } });
});

async function messageOf(operation: OperationName, request: object): Promise<string> {
  return (await refusal(router.execute(operation, { TableName: 'Music', ...request }))).replace(/^\w+: /, '');
}

/** A text in so many lists. */
function nested(levels: number): object {
  return levels === 0 ? { S: 'x' } : { L: [nested(levels - 1)] };
}

/** What a request of each kind is refused for before its table is looked at. */
const ALONE: [string, object, RegExp][] = [
  ['a bad syntax', { ConditionExpression: 'a =' }, /^Invalid ConditionExpression: Syntax error/],
  [
    'an empty expression',
    { ConditionExpression: '' },
    /^Invalid ConditionExpression: The expression can not be empty;$/,
  ],
  ['redundant parentheses', { ConditionExpression: '((a = b))' }, /redundant parentheses;$/],
  ['operands that are one', { ConditionExpression: 'a = a' }, /first operand must be distinct/],
  ['an undefined name', { ConditionExpression: '#a = b' }, /is not defined; attribute name: #a$/],
  [
    'an unused name',
    { ConditionExpression: 'a = b', ExpressionAttributeNames: { '#a': 'a' } },
    /^Value provided in ExpressionAttributeNames unused in expressions: keys: \{#a\}$/,
  ],
  [
    'an empty map',
    { ConditionExpression: 'a = b', ExpressionAttributeNames: {} },
    /^ExpressionAttributeNames must not/,
  ],
  [
    'names without an expression',
    { ExpressionAttributeNames: { '#a': 'a' } },
    /^ExpressionAttributeNames can only be specified when using expressions$/,
  ],
  [
    'values without an expression',
    { ExpressionAttributeValues: { ':a': { S: 'a' } } },
    /^ExpressionAttributeValues can only be specified when using expressions$/,
  ],
  ['both sorts of parameters', { ConditionExpression: 'a = b', Expected: {} }, /^Can not use both expression and/],
  ['a fault of Expected', { Expected: { a: {} } }, /Value must be provided when Exists is null for Attribute: a$/],
  [
    'a faulty value',
    { ConditionExpression: 'a = :a', ExpressionAttributeValues: { ':a': { NULL: false } } },
    /^One or more parameter values were invalid: Null attribute value types must have the value of true$/,
  ],
  [
    'a number that is none',
    { ConditionExpression: 'a = :a', ExpressionAttributeValues: { ':a': { N: 'x' } } },
    /^The parameter cannot be converted to a numeric value: x$/,
  ],
  [
    'a value nested too deeply',
    { ConditionExpression: 'a = :a', ExpressionAttributeValues: { ':a': nested(62) } },
    /^Nesting Levels have exceeded supported limits/,
  ],
];

// Recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1.
describe.each([
  ['PutItem', { Item: { pk: { S: 'a' } } }],
  ['UpdateItem', { Key: { pk: { S: 'a' } } }],
  ['DeleteItem', { Key: { pk: { S: 'a' } } }],
] as const)('%s puts into an envelope', (operation, good) => {
  test.each(ALONE)('%s', async (_, faulty, text) => {
    const message = await messageOf(operation, { ...good, ...faulty });
    expect(message.slice(0, ENVELOPE.length)).toBe(ENVELOPE);
    expect(message.slice(ENVELOPE.length)).toMatch(text);
  });

  test('a long name, once', async () => {
    const long = { a: { M: { ['x'.repeat(65_536)]: { S: '' } } } };
    const [member] = Object.keys(good);
    expect(await messageOf(operation, { [member!]: long })).toBe(
      `${ENVELOPE}Attribute name is too large, must be less than 65536 bytes`,
    );
  });

  test('nothing that its older validation finds, which reads values that are nested more than 62 deep', async () => {
    const faulty = { ConditionExpression: 'a = :a', ExpressionAttributeValues: { ':a': nested(63) } };
    expect(await messageOf(operation, { ...good, ...faulty })).toMatch(/^Nesting Levels have exceeded/);
  });

  test('nothing that takes its table to find', async () => {
    expect(await messageOf(operation, { ...good, TableName: 'Films' })).toBe('Requested resource not found');
    const empty = /^One or more parameter values are not valid\. The AttributeValue for a key attribute cannot/;
    const [member] = Object.keys(good);
    expect(await messageOf(operation, { [member!]: { pk: { S: '' } } })).toMatch(empty);
    const other =
      operation === 'PutItem' ? /Missing the key pk in the item$/ : /^The provided key element does not match/;
    expect(await messageOf(operation, { [member!]: { a: { S: 'a' } } })).toMatch(other);
  });
});

test('bare stay values of keys of indexes, keys that are updated, and what an item is needed for', async () => {
  const Key = { pk: { S: 'there' } };
  expect(await messageOf('PutItem', { Item: { ...Key, a: { N: '1' } } })).toMatch(/^One or more .*Index Key a /);
  expect(await messageOf('PutItem', { Item: { ...Key, b: { S: 'x'.repeat(409_600) } } })).toMatch(/^Item size has/);
  const set = { SS: ['x'.repeat(204_800), 'y'.repeat(204_801)] };
  expect(await messageOf('PutItem', { Item: { ...Key, b: set } })).toMatch(/^Item size has/);
  expect(await messageOf('UpdateItem', { Key, UpdateExpression: 'REMOVE pk' })).toMatch(
    /^One or more .*part of the key$/,
  );
  expect(await messageOf('UpdateItem', { Key, UpdateExpression: 'SET b = gone' })).toMatch(/^The provided expression/);
  expect(await messageOf('UpdateItem', { Key, UpdateExpression: 'SET b = list_append(n, n)' })).toMatch(/^An operand/);
});

describe('ReturnValues that only an update can have', () => {
  test.each([
    ['PutItem', 'Item'],
    ['DeleteItem', 'Key'],
  ] as const)('are refused by %s before values that are nested too deeply', async (operation, member) => {
    const text = 'ReturnValues can only be ALL_OLD or NONE';
    const asked = (value: object) => messageOf(operation, { [member]: { pk: value }, ReturnValues: 'UPDATED_NEW' });
    expect(await asked({ S: 'a' })).toBe(ENVELOPE + text);
    expect(await asked(nested(40))).toBe(ENVELOPE + text);
    expect(await asked(nested(100))).toBe(text);
  });
});

test('Query has the envelope, and nothing that takes its table to find', async () => {
  const faulty = { KeyConditionExpression: 'pk =' };
  expect(await messageOf('Query', faulty)).toMatch(/^1 validation error detected: Invalid KeyConditionExpression: Syn/);
  const good = { KeyConditionExpression: 'pk = :p', ExpressionAttributeValues: { ':p': { S: 'a' } } };
  expect(await messageOf('Query', { ...good, TableName: 'Films' })).toBe('Requested resource not found');
  const other = { ...good, KeyConditionExpression: 'a = :p' };
  expect(await messageOf('Query', other)).toBe('Query condition missed key schema element: pk');
  const deep = { ...good, ExpressionAttributeValues: { ':p': nested(63) } };
  expect(await messageOf('Query', deep)).toMatch(/^Nesting Levels have exceeded/);
});

describe('bare are refusals by', () => {
  const bad = { N: 'x' };
  test.each<[OperationName, object, RegExp]>([
    ['GetItem', { Key: { pk: bad } }, /^The parameter cannot be converted/],
    ['GetItem', { Key: { pk: { S: 'a' } }, ProjectionExpression: 'a,' }, /^Invalid ProjectionExpression: /],
    ['BatchGetItem', { RequestItems: { Music: { Keys: [{ pk: bad }] } } }, /^The parameter cannot be converted/],
    ['BatchWriteItem', { RequestItems: { Music: [{ PutRequest: { Item: { pk: bad } } }] } }, /^The parameter cannot/],
    ['Scan', { FilterExpression: 'a =' }, /^Invalid FilterExpression: /],
    [
      'Scan',
      { FilterExpression: 'a = :a', ExpressionAttributeValues: { ':a': bad } },
      /^ExpressionAttributeValues contains invalid value: .* for key :a$/,
    ],
    [
      'Scan',
      { ExpressionAttributeValues: { ':a': { S: 'a' } } },
      /^ExpressionAttributeValues can only be specified when using expressions: FilterExpression is null$/,
    ],
  ])('%s', async (operation, request, text) => {
    expect(await messageOf(operation, request)).toMatch(text);
  });
});
