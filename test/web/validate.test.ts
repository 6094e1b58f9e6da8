import { describe, expect, test } from 'vitest';
import type { OperationName } from '../../src/api/operations.ts';
import { isBase64 } from '../../src/web/base64.ts';
import { validateRequest } from '../../src/web/validate.ts';
import { nested, refusalOf } from './fixtures.ts';

const get = { TableName: 'orders', Key: { id: { S: '1' } } };
describe('wrong JSON types', () => {
  const cases: [string, OperationName, unknown, string][] = [
    ['a number as a name', 'GetItem', { ...get, TableName: 5 }, 'NUMBER_VALUE cannot be converted to String'],
    ['a fraction as a name', 'GetItem', { ...get, TableName: 0.5 }, 'DECIMAL_VALUE cannot be converted to String'],
    ['true as a name', 'GetItem', { ...get, TableName: true }, 'TRUE_VALUE cannot be converted to String'],
    ['false as a name', 'GetItem', { ...get, TableName: false }, 'FALSE_VALUE cannot be converted to String'],
    ['a list as a name', 'GetItem', { ...get, TableName: [] }, 'Unrecognized collection type class java.lang.String'],
    ['an object as a name', 'GetItem', { ...get, TableName: {} }, 'Start of structure or map found where not expected'],
    ['a number as N', 'GetItem', { ...get, Key: { id: { N: 1 } } }, 'NUMBER_VALUE cannot be converted to String'],
    ['a string as boolean', 'GetItem', { ...get, ConsistentRead: 'maybe' }, 'Unexpected token received from parser'],
    ['a number as boolean', 'GetItem', { ...get, ConsistentRead: 1 }, 'NUMBER_VALUE cannot be converted to Boolean'],
    [
      'a list as boolean',
      'GetItem',
      { ...get, ConsistentRead: [] },
      'Unrecognized collection type class java.lang.Boolean',
    ],
    ['a string as integer', 'ListTables', { Limit: '1' }, 'STRING_VALUE cannot be converted to Integer'],
    ['true as integer', 'ListTables', { Limit: true }, 'TRUE_VALUE cannot be converted to Integer'],
    ['a list as integer', 'ListTables', { Limit: [] }, 'Unrecognized collection type class java.lang.Integer'],
    [
      'a string as long',
      'CreateTable',
      { TableName: 'abc', ProvisionedThroughput: { ReadCapacityUnits: '1', WriteCapacityUnits: 1 } },
      'STRING_VALUE cannot be converted to Long',
    ],
    ['a string as list', 'GetItem', { ...get, AttributesToGet: 'a' }, 'Unexpected field type'],
    [
      'an object as list',
      'GetItem',
      { ...get, AttributesToGet: {} },
      'Start of structure or map found where not expected',
    ],
    ['a number in a list', 'GetItem', { ...get, AttributesToGet: [1] }, 'NUMBER_VALUE cannot be converted to String'],
    ['a string as map', 'GetItem', { ...get, Key: 'id' }, 'Unexpected field type'],
    [
      'a list as map of values',
      'GetItem',
      { ...get, Key: [] },
      'Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>',
    ],
    [
      'a list as map of names',
      'GetItem',
      { ...get, ExpressionAttributeNames: [] },
      'Unrecognized collection type java.util.Map<java.lang.String, java.lang.String>',
    ],
    ['a string as structure', 'CreateTable', { TableName: 'abc', SSESpecification: 'on' }, 'Unexpected field type'],
    [
      'a list as structure',
      'CreateTable',
      { TableName: 'abc', SSESpecification: [] },
      'Unrecognized collection type class com.amazonaws.dynamodb.v20120810.SSESpecification',
    ],
    ['a string as attribute value', 'GetItem', { ...get, Key: { id: 'x' } }, 'Unexpected value type in payload'],
    [
      'a list as attribute value',
      'GetItem',
      { ...get, Key: { id: [] } },
      'Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue',
    ],
    [
      'a string in a list of structures',
      'CreateTable',
      { TableName: 'abc', Tags: ['x'] },
      'Unexpected value type in payload',
    ],
    [
      'a number as binary',
      'GetItem',
      { ...get, Key: { id: { B: 5 } } },
      'only base-64-encoded strings are convertible to bytes',
    ],
    [
      'a list as binary',
      'GetItem',
      { ...get, Key: { id: { B: [] } } },
      'Unrecognized collection type class java.nio.ByteBuffer',
    ],
    [
      'base64 without padding',
      'GetItem',
      { ...get, Key: { id: { B: 'abc' } } },
      'Base64 encoded length is expected a multiple of 4 bytes but found: 3',
    ],
    ['no base64', 'GetItem', { ...get, Key: { id: { BS: ['ab-='] } } }, "Invalid Base64 character: '-'"],
    [
      'base64 with stray bits',
      'GetItem',
      { ...get, Key: { id: { B: 'ab==' } } },
      'Invalid last non-pad Base64 character dectected',
    ],
    [
      'a list as request',
      'GetItem',
      [],
      'Unrecognized collection type class com.amazonaws.dynamodb.v20120810.GetItemInput',
    ],
    ['a string as request', 'GetItem', 'x', 'Unexpected value type in payload'],
  ];
  test.each(cases)('%s is a SerializationException', (_, operation, request, message) => {
    expect(refusalOf(operation, request)).toEqual(['SerializationException', message]);
  });

  test('deep inside a value are found too', () => {
    const errorWith = (value: unknown) =>
      refusalOf('GetItem', { ...get, Key: { id: { M: { list: { L: [{ S: 'x' }, value] } } } } });
    expect(errorWith({ SS: ['x', 7] })).toEqual([
      'SerializationException',
      'NUMBER_VALUE cannot be converted to String',
    ]);
    expect(errorWith({ SS: [null, 'x'] })[0]).toBe('ValidationException');
  });

  test('are reported before any broken constraint', () => {
    expect(refusalOf('GetItem', { TableName: '', ConsistentRead: 5 })[0]).toBe('SerializationException');
  });
});

describe('a request that the service takes', () => {
  test('is returned as it is', () => {
    const request = { ...get, Unknown: { a: [1] }, ConsistentRead: true };
    expect(validateRequest('GetItem', request)).toBe(request);
  });

  test('may name its table by ARN', () => {
    const request = { ...get, TableName: 'arn:aws:dynamodb:us-east-1:000000000000:table/orders' };
    expect(validateRequest('GetItem', request)).toBe(request);
  });

  test('loses members that are null', () => {
    expect(validateRequest('GetItem', { ...get, AttributesToGet: null, Key: { id: { S: '1', N: null } } })).toEqual(
      get,
    );
  });

  test('has empty attribute values for null ones, whatever their names', () => {
    const request = JSON.parse('{"TableName":"abc","Key":{"__proto__":null,"a":{"L":[null]}}}');
    expect(JSON.stringify(validateRequest('GetItem', request))).toBe(
      '{"TableName":"abc","Key":{"__proto__":{},"a":{"L":[{}]}}}',
    );
  });

  test('has texts that the service reads as booleans converted', () => {
    expect(validateRequest('GetItem', { ...get, ConsistentRead: 'Yes' })).toEqual({ ...get, ConsistentRead: true });
    expect(validateRequest('GetItem', { ...get, ConsistentRead: '0' })).toEqual({ ...get, ConsistentRead: false });
  });

  test('has fractions cut off', () => {
    expect(validateRequest('ListTables', { Limit: 5.9 })).toEqual({ Limit: 5 });
  });

  test('loses the members that its operation or a structure in it does not have', () => {
    expect(validateRequest('GetItem', { ...get, ConditionExpression: 'no (((', Expected: 7 })).toEqual(get);
    expect(validateRequest('UpdateTable', { TableName: 'abc', WarmThroughput: { Foreign: 1 } })).toEqual({
      TableName: 'abc',
      WarmThroughput: {},
    });
    const foreign = JSON.parse('{"TableName":"abc","Item":{"Foreign":{"S":"1"}},"__proto__":{"a":1},"constructor":1}');
    expect(JSON.stringify(validateRequest('PutItem', foreign))).toBe(
      '{"TableName":"abc","Item":{"Foreign":{"S":"1"}}}',
    );
  });

  test('may hold __proto__ and constructor as attribute names', () => {
    const request = JSON.parse('{"TableName":"abc","Item":{"__proto__":{"S":"x"},"constructor":{"N":"1"}}}');
    expect(Object.keys((validateRequest('PutItem', request) as typeof request).Item)).toEqual([
      '__proto__',
      'constructor',
    ]);
    expect(refusalOf('PutItem', JSON.parse('{"__proto__":{"TableName":"abc"},"Item":{}}'))[1]).toContain("'tableName'");
  });
});

describe('a value nested deeply', () => {
  test.each([110, 5_000, 100_000])('in %i levels is a ValidationException, not a full stack', (levels) => {
    expect(refusalOf('PutItem', { TableName: 'abc', Item: { a: nested(levels) } })).toEqual([
      'ValidationException',
      'Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit',
    ]);
  });

  test('in as many levels as the service allows, and some more for tier 2 to judge, passes', () => {
    expect(() => validateRequest('PutItem', { TableName: 'abc', Item: { a: nested(40) } })).not.toThrow();
  });

  test('counts where the service ignores it, too', () => {
    const request = { ...get, Ignored: JSON.parse(`${'['.repeat(5_000)}${']'.repeat(5_000)}`) };
    expect(refusalOf('GetItem', request)[0]).toBe('ValidationException');
  });
});

test('base64 is what Buffer writes, and nothing else', () => {
  for (let length = 0; length < 40; length++) {
    const text = Buffer.from(Array.from({ length }, (_, i) => (i * 97 + length) % 256)).toString('base64');
    expect(isBase64(text), text).toBe(true);
  }
  for (const text of [
    '=',
    '====',
    'a===',
    'ab=c',
    'abcd=',
    'abcé',
    'ab c',
    'ab\n=',
    'aB==\n',
    'ab==',
    'abd=',
    'a-b_',
  ]) {
    expect(isBase64(text), text).toBe(false);
  }
});
