import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import { type EncodedKey, type KeySchema, keyOfItem, keyOfKey } from '../../src/api/primary-key.ts';
import { attribute } from './sample-table.ts';

const simple: KeySchema = { partition: attribute('S:pk') };
const composite: KeySchema = { partition: attribute('S:pk'), sort: attribute('N:sk') };
const binary: KeySchema = { partition: attribute('B:pk'), sort: attribute('B:sk') };
const texts: KeySchema = { partition: attribute('S:pk'), sort: attribute('S:sk') };

const refusal = (message: string) => expect.objectContaining({ name: 'ValidationException', message });
const invalid = (problem: string) => refusal(`One or more parameter values were invalid: ${problem}`);

describe('the key of an item that is put', () => {
  test('is made of its key attributes alone', () => {
    const key = keyOfItem(simple, { pk: { S: 'abc' }, other: { S: 'x' } });
    expect(key).toEqual({ partitionKey: 'abc', sortKey: '' } satisfies EncodedKey);
  });

  test.each<[string, KeySchema, AttributeMap, unknown]>([
    ['lacks the partition key', simple, { a: { S: 'x' } }, invalid('Missing the key pk in the item')],
    ['lacks the sort key', composite, { pk: { S: 'x' } }, invalid('Missing the key sk in the item')],
    ['is empty', composite, {}, invalid('Missing the key pk in the item')],
    ['has another type', simple, { pk: { N: '1' } }, invalid('Type mismatch for key pk expected: S actual: N')],
    [
      'has a null for a key',
      composite,
      { pk: { S: 'x' }, sk: { NULL: true } },
      invalid('Type mismatch for key sk expected: N actual: NULL'),
    ],
    [
      'has an empty string',
      simple,
      { pk: { S: '' } },
      refusal(
        'One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk',
      ),
    ],
    [
      'has an empty binary',
      binary,
      { pk: { B: 'AA==' }, sk: { B: '' } },
      refusal(
        'One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty binary value. Key: sk',
      ),
    ],
    [
      'has a partition key of 2049 bytes',
      simple,
      { pk: { S: `x${'é'.repeat(1024)}` } },
      invalid('Size of hashkey has exceeded the maximum size limit of2048 bytes'),
    ],
    [
      'has a sort key of 1025 bytes',
      binary,
      { pk: { B: 'AA==' }, sk: { B: Buffer.alloc(1025).toString('base64') } },
      invalid('Aggregated size of all range keys has exceeded the size limit of 1024 bytes'),
    ],
  ])('is refused if the item %s', (_, schema, item, error) => {
    expect(() => keyOfItem(schema, item)).toThrow(error as Error);
  });

  test('may have 2048 and 1024 bytes', () => {
    const item = { pk: { S: 'é'.repeat(1024) }, sk: { S: 'x'.repeat(1024) } };
    const key = keyOfItem(texts, item);
    expect([key.partitionKey.length, key.sortKey.length]).toEqual([2048, 1024]);
  });

  test('is not found in inherited properties', () => {
    expect(() => keyOfItem({ partition: attribute('S:constructor') }, {})).toThrow(
      'Missing the key constructor in the item',
    );
    const item = JSON.parse('{"__proto__":{"S":"x"}}') as AttributeMap;
    expect(keyOfItem({ partition: attribute('S:__proto__') }, item).partitionKey).toBe('x');
  });
});

describe('the key of a request', () => {
  test.each<[string, AttributeMap]>([
    ['lacks an attribute', { pk: { S: 'x' } }],
    ['has one too many', { pk: { S: 'x' }, sk: { N: '1' }, a: { S: 'x' } }],
    ['has another name', { pk: { S: 'x' }, a: { N: '1' } }],
    ['has another type', { pk: { S: 'x' }, sk: { S: '1' } }],
    ['is empty', {}],
  ])('is refused if it %s', (_, key) => {
    expect(() => keyOfKey(composite, key)).toThrow(refusal('The provided key element does not match the schema'));
  });

  test('is refused if a value is empty or too long', () => {
    expect(() => keyOfKey(simple, { pk: { S: '' } })).toThrow('cannot contain an empty string value. Key: pk');
    expect(() => keyOfKey(simple, { pk: { S: 'x'.repeat(2049) } })).toThrow('maximum size limit of2048 bytes');
  });

  test('is that of the item it names, whatever the order of its attributes', () => {
    const key = keyOfKey(composite, { sk: { N: '-1.5' }, pk: { S: 'ключ' } });
    expect(key).toEqual(keyOfItem(composite, { a: { NULL: true }, pk: { S: 'ключ' }, sk: { N: '-1.5' } }));
  });
});

describe('encoded keys', () => {
  test('of texts are their UTF-8 bytes and sort like them', () => {
    const unit = fc.constantFrom('a', '~', '\x7f', '\x80', 'é', '\ud7ff', '\uffff', '\u{10000}');
    const text = fc.string({ unit, minLength: 1, maxLength: 5 });
    const encode = (value: string) => keyOfItem(texts, { pk: { S: 'x' }, sk: { S: value } }).sortKey;
    fc.assert(
      fc.property(text, text, (left, right) => {
        expect(Buffer.from(encode(left), 'latin1').toString()).toBe(left);
        const order = encode(left) < encode(right) ? -1 : encode(left) > encode(right) ? 1 : 0;
        expect(order).toBe(Buffer.compare(Buffer.from(left), Buffer.from(right)));
      }),
    );
  });

  test('of binaries are their bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), (bytes) => {
        const value = { B: Buffer.from(bytes).toString('base64') };
        const key = keyOfItem(binary, { pk: value, sk: value });
        expect([...Buffer.from(key.partitionKey, 'latin1')]).toEqual([...bytes]);
        expect(key.sortKey).toBe(key.partitionKey);
      }),
    );
  });
});
