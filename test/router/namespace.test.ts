import { describe, expect, test } from 'vitest';
import { accessKeyOf, checkNamespace, type Isolation, namespaceOf, noNamespace } from '../../src/router/namespace.ts';
import { newRouter, refusal, tableRequest } from './table-fixtures.ts';

describe('the namespace of a request', () => {
  const KEY = { accessKeyId: 'AKIAEXAMPLE', region: 'eu-west-1' };

  test.each<[Isolation, string]>([
    ['none', ''],
    ['access-key', 'AKIAEXAMPLE'],
    ['region', 'eu-west-1'],
    ['both', 'AKIAEXAMPLE@eu-west-1'],
  ])('with isolation by %s', (isolate, namespace) => {
    expect(namespaceOf(KEY, isolate)).toBe(namespace);
  });

  test.each<Isolation>(['none', 'access-key', 'region', 'both'])(
    'is what its access key names, by %s too',
    (isolate) => {
      expect(namespaceOf({ ...KEY, accessKeyId: 'dynaringnsworker-3' }, isolate)).toBe('worker-3');
      expect(namespaceOf({ ...KEY, accessKeyId: accessKeyOf('a.B_9-') }, isolate)).toBe('a.B_9-');
    },
  );

  test.each(['dynaringns', 'dynaringnsa/b', 'dynaringnsa b', `dynaringns${'x'.repeat(65)}`])(
    'is none for the access key %s, and the answer says what one is',
    (accessKeyId) => {
      expect(namespaceOf({ ...KEY, accessKeyId }, 'none')).toBeUndefined();
      const { name, message, status } = noNamespace({ accessKeyId });
      expect({ name, message, status }).toEqual({
        name: 'UnrecognizedClientException',
        message:
          'The access key names no namespace: dynaringns must be followed by 1 to 64 letters, digits, "_", "." or "-"',
        status: 400,
      });
    },
  );

  test('differs for different credentials, whatever characters they have', () => {
    const both = (accessKeyId: string, region: string) => namespaceOf({ accessKeyId, region }, 'both');
    const namespaces = [both('a@b', 'c'), both('a', 'b@c'), both('a%40b', 'c'), both('a/b', 'c'), both('ä', 'c')];
    expect(new Set(namespaces).size).toBe(namespaces.length);
    for (const namespace of namespaces) expect(checkNamespace(namespace!)).toBe(namespace);
  });

  test('is none for credentials that are too long, and always one that the store can hold', () => {
    expect(namespaceOf({ ...KEY, accessKeyId: 'k'.repeat(257) }, 'access-key')).toBeUndefined();
    expect(namespaceOf({ ...KEY, region: 'ä'.repeat(50) }, 'region')).toBeUndefined();
    expect(namespaceOf({ accessKeyId: 'k'.repeat(256), region: 'r'.repeat(256) }, 'both')).toHaveLength(513);
    expect(namespaceOf({ ...KEY, accessKeyId: 'k'.repeat(9_999) }, 'none')).toBe('');
    expect(noNamespace(KEY).message).toBe('The access key or the region is too long to name a namespace');
  });
});

describe('a name', () => {
  test.each(['', 'a/b', 'a b', 'ä', 'x'.repeat(65), 'a\n', 3 as never, undefined as never])('cannot be %j', (name) => {
    expect(() => accessKeyOf(name)).toThrow(
      expect.objectContaining({ name: 'AdminError', field: 'namespace', status: 400 }),
    );
  });

  test('of an administrator may be any that requests have', () => {
    for (const namespace of ['', 'worker-3', 'AKIA@eu-west-1']) expect(checkNamespace(namespace)).toBe(namespace);
    for (const namespace of ['a/b', 'a:b', 'a b', 'x'.repeat(514), 3 as never]) {
      expect(() => checkNamespace(namespace)).toThrow(/^there can be no namespace /);
    }
  });
});

describe('operations on tables and items', () => {
  const worker = (name: string) => ({ accessKeyId: accessKeyOf(name) });

  test('see the tables of their namespace only', async () => {
    const { execute, client } = newRouter();
    const listed = async (context = {}) => (await execute('ListTables', {}, context)).TableNames;
    await execute('CreateTable', tableRequest(), worker('a'));
    await execute('CreateTable', tableRequest({ DeletionProtectionEnabled: true }), worker('b'));
    await execute('CreateTable', tableRequest({ TableName: 'Other' }));
    expect([await listed(), await listed(worker('a')), await listed(worker('b'))]).toEqual([
      ['Other'],
      ['Music'],
      ['Music'],
    ]);

    const put = (value: string, context: object) =>
      execute('PutItem', { TableName: 'Music', Item: { pk: { S: 'k' }, v: { S: value } } }, context);
    const get = async (context: object) => {
      const { Item } = await execute('GetItem', { TableName: 'Music', Key: { pk: { S: 'k' } } }, context);
      return Item && JSON.parse(Buffer.from(Item.bytes).toString()).v.S;
    };
    await put('of a', worker('a'));
    expect(await get(worker('b'))).toBeUndefined();
    await put('of b', worker('b'));
    expect([await get(worker('a')), await get(worker('b'))]).toEqual(['of a', 'of b']);
    expect(await refusal(get({}))).toMatch(/^ResourceNotFoundException/);

    await execute('DeleteTable', { TableName: 'Music' }, worker('a'));
    expect(client.forgotten).toHaveLength(1);
    expect(await get(worker('b'))).toBe('of b');
    expect(await refusal(execute('DeleteTable', { TableName: 'Music' }, worker('b')))).toMatch(/^ValidationException/);
    expect(await refusal(execute('DescribeTable', { TableName: 'Music' }, worker('a')))).toMatch(/^ResourceNotFound/);
    await execute('UpdateTable', { TableName: 'Music', DeletionProtectionEnabled: false }, worker('b'));
    const { Table } = await execute('DescribeTable', { TableName: 'Music' }, worker('b'));
    expect(Table.DeletionProtectionEnabled).toBe(false);
  });

  test('are refused without one', async () => {
    const { execute } = newRouter();
    const answer = execute('ListTables', {}, { accessKeyId: 'dynaringns' });
    expect(await refusal(answer)).toMatch(/^UnrecognizedClientException/);
  });
});
