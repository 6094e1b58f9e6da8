import { beforeEach, describe, expect, test } from 'vitest';
import { newTable } from '../../src/api/create-table.ts';
import { ADMINISTRATOR, TableCatalog } from '../../src/router/table-catalog.ts';
import { MemoryClient } from './memory-client.ts';
import { CONTEXT, refusal, tableRequest } from './table-fixtures.ts';

const ARN = 'arn:aws:dynamodb:eu-west-1:000000000000:table/Music';

function table(id = 1) {
  return newTable(tableRequest(), {
    ...CONTEXT,
    namespace: '',
    id: `0000000${id}-0000-4000-8000-000000000000`,
    consistency: 'strict',
  });
}

describe('a table catalog', () => {
  let client: MemoryClient;
  let catalog: TableCatalog;
  beforeEach(() => {
    client = new MemoryClient();
    catalog = new TableCatalog(client);
  });

  test('has a new table at hand, as plain data', async () => {
    expect(catalog.cached('', 'Music')).toBeUndefined();
    expect(await catalog.create(table())).toBe(true);
    expect(catalog.cached('', 'Music')).toEqual(JSON.parse(JSON.stringify(table())));
    client.calls.length = 0;
    expect((await catalog.get('', 'Music', ADMINISTRATOR)).id).toBe(table().id);
    expect((await catalog.get('', ARN, ADMINISTRATOR)).id).toBe(table().id);
    expect(client.calls).toEqual([]);
  });

  test('finds a table that another process created, and asks for it once', async () => {
    await new TableCatalog(client).create(table());
    client.calls.length = 0;
    const found = await Promise.all([
      catalog.get('', 'Music', ADMINISTRATOR),
      catalog.get('', 'Music', ADMINISTRATOR),
      catalog.get('', ARN, ADMINISTRATOR),
    ]);
    expect(found.map(({ id }) => id)).toEqual(Array(3).fill(table().id));
    expect(client.calls).toEqual(['read', 'write']);
    expect(catalog.cached('', 'Music')).toEqual(found[0]);
  });

  test('says that a table is missing in the words of the item operations', async () => {
    expect(await refusal(catalog.get('', 'Music', ADMINISTRATOR))).toBe(
      'ResourceNotFoundException: Requested resource not found',
    );
    expect(await refusal(catalog.get('', 'arn:aws:s3:::bucket', ADMINISTRATOR))).toMatch(
      /^ValidationException: .* Valid ARN format is/,
    );
  });

  test('keeps as many tables at hand as it may, and the latest', async () => {
    const small = new TableCatalog(client, { maxCachedTables: 2 });
    for (const name of ['one', 'two', 'three']) await small.create({ ...table(), name });
    expect(['one', 'two', 'three'].map((name) => small.cached('', name)?.name)).toEqual([undefined, 'two', 'three']);
    expect((await small.get('', 'one', ADMINISTRATOR)).name).toBe('one');
    await small.change('', 'three', (current) => current);
    expect(['one', 'two', 'three'].map((name) => small.cached('', name)?.name)).toEqual(['one', undefined, 'three']);
  });

  test('has no removed table at hand', async () => {
    await catalog.create(table());
    await catalog.remove('', 'Music', () => {});
    expect(catalog.cached('', 'Music')).toBeUndefined();
    expect([...catalog.tables()]).toEqual([]);
    expect(client.forgotten).toEqual([table().storageId]);
    expect(await catalog.find('', 'Music', ADMINISTRATOR)).toBeUndefined();
  });

  test('keeps a table whose removal is objected to', async () => {
    await catalog.create(table());
    const objection = new Error('no');
    const object = () => {
      throw objection;
    };
    await expect(catalog.remove('', 'Music', object)).rejects.toBe(objection);
    expect(await catalog.find('', 'Music', ADMINISTRATOR)).toBeDefined();
    expect(client.forgotten).toEqual([]);
  });

  test('changes a table, and gives undefined for one that is missing', async () => {
    await catalog.create(table());
    const protect = () => catalog.change('', 'Music', (current) => ({ ...current, deletionProtection: true }));
    expect((await protect())?.deletionProtection).toBe(true);
    expect(catalog.cached('', 'Music')?.deletionProtection).toBe(true);
    await catalog.remove('', 'Music', () => {});
    expect(await protect()).toBeUndefined();
    expect(await catalog.remove('', 'Music', () => {})).toBeUndefined();
  });

  test('repeats a change that another process came in between of', async () => {
    await catalog.create(table());
    const other = new TableCatalog(client);
    await Promise.all([
      catalog.change('', 'Music', (ours) => ({ ...ours, deletionProtection: true })),
      other.change('', 'Music', (theirs) => ({ ...theirs, tags: [{ Key: 'theirs', Value: '' }] })),
    ]);
    expect(client.calls.filter((call) => call === 'write')).toHaveLength(4);
    const both = await new TableCatalog(client).find('', 'Music', ADMINISTRATOR);
    expect(both?.tags).toEqual([{ Key: 'theirs', Value: '' }]);
    expect(both?.deletionProtection).toBe(true);
  });

  test('gives up a change that loses every race, with an error that nothing happened', async () => {
    await catalog.create(table());
    client.failWrite = { kind: 'condition-failed', current: undefined };
    expect(await refusal(catalog.change('', 'Music', (current) => current))).toMatch(/^ServiceUnavailableException/);
    expect(await refusal(catalog.remove('', 'Music', () => {}))).toMatch(/^ServiceUnavailableException/);
    expect(catalog.cached('', 'Music')).toBeDefined();
  });

  test('goes on with a name after work on it has failed', async () => {
    client.failWrite = { kind: 'unavailable', needed: 2, got: 1 };
    const failed = catalog.create(table());
    const next = catalog.change('', 'Music', (current) => current);
    expect(await refusal(failed)).toMatch(/^ServiceUnavailableException/);
    expect(await next).toBeUndefined();
    client.failWrite = undefined;
    expect(await catalog.create(table())).toBe(true);
  });

  test.each([
    ['creation', (c: TableCatalog) => c.create(table(2))],
    ['change', (c: TableCatalog) => c.change('', 'Music', (current) => ({ ...current, deletionProtection: true }))],
    ['removal', (c: TableCatalog) => c.remove('', 'Music', () => {})],
  ])('forgets what it knew when the outcome of a %s is unknown', async (kind, work) => {
    if (kind !== 'creation') await catalog.create(table());
    client.failWrite = 'late-write';
    expect(await refusal(work(catalog))).toMatch(/^InternalServerError/);
    client.failWrite = undefined;
    expect(catalog.cached('', 'Music')).toBeUndefined();
    const found = await catalog.find('', 'Music', ADMINISTRATOR);
    if (kind === 'creation') expect(found?.id).toBe(table(2).id);
    if (kind === 'change') expect(found?.deletionProtection).toBe(true);
    if (kind === 'removal') expect(found).toBeUndefined();
  });

  test('serves a table that it cannot write back, without having it at hand', async () => {
    await new TableCatalog(client).create(table());
    client.failWrite = { kind: 'storage-failed', message: 'disk full' };
    expect((await catalog.get('', 'Music', ADMINISTRATOR)).id).toBe(table().id);
    expect(catalog.cached('', 'Music')).toBeUndefined();
  });

  test('says that the cluster is unavailable when it is', async () => {
    client.failRead = { kind: 'unavailable', needed: 2, got: 1 };
    expect(await refusal(catalog.get('', 'Music', ADMINISTRATOR))).toMatch(/^ServiceUnavailableException/);
    expect(await refusal(catalog.list('', undefined, 10))).toMatch(/^ServiceUnavailableException/);
    client.failRead = undefined;
    client.failWrite = { kind: 'overloaded' };
    expect(await refusal(catalog.create(table()))).toMatch(/^ServiceUnavailableException/);
  });

  test('has the records of tables that are no more erased, and of no other', async () => {
    const item = { json: Buffer.from('{}'), size: 0 };
    const tables = Array.from({ length: 230 }, (_, i) => ({
      ...table(),
      name: `table-${i}`,
      storageId: `living-${i}`,
    }));
    const another = new TableCatalog(client);
    for (const each of tables) await another.create(each);
    for (const storageId of [...tables.map((each) => each.storageId), 'deleted1', 'deleted2']) {
      await client.write({ table: storageId, partitionKey: 'k', sortKey: '' }, { kind: 'put', item });
    }
    expect(await catalog.forgetDeleted()).toBe(2);
    expect(client.forgotten.sort()).toEqual(['deleted1', 'deleted2']);
    // Definitions are read after it is known what there is: then whatever is being created has one, or had no record.
    client.calls.length = 0;
    expect(await catalog.forgetDeleted()).toBe(0);
    // Three pages of definitions, and one of streams.
    expect(client.calls).toEqual(['tables', 'range', 'range', 'range', 'range']);
    client.failRead = { kind: 'unavailable', needed: 2, got: 1 };
    expect(await refusal(catalog.forgetDeleted())).toMatch(/^ServiceUnavailableException/);
    expect(client.forgotten).toHaveLength(2);
  });

  test('knows the tables __proto__ and constructor only when they exist', async () => {
    expect(catalog.cached('', '__proto__')).toBeUndefined();
    expect(catalog.cached('', 'constructor')).toBeUndefined();
    await catalog.create({ ...table(), name: '__proto__' });
    expect(catalog.cached('', '__proto__')?.name).toBe('__proto__');
    const { tables, more } = await catalog.list('', undefined, 10);
    expect([tables.map(({ name }) => name), more]).toEqual([['__proto__'], false]);
  });

  test('tells of the tables that come to hand and of those that go', async () => {
    const small = new TableCatalog(client, { maxCachedTables: 1 });
    const seen: string[] = [];
    small.watch({
      added: ({ storageId, namespace }) => seen.push(`+${namespace} ${storageId}`),
      removed: (storageId) => seen.push(`- ${storageId}`),
    });
    const told = () => seen.splice(0);
    const [one, two, three] = [table().storageId, table(2).storageId, table(3).storageId];
    const atHand = () => [...small.tables()].map(({ storageId }) => storageId);
    await small.create({ ...table(), namespace: 'one' });
    expect([told(), atHand()]).toEqual([[`+one ${one}`], [one]]);
    await small.create({ ...table(2), namespace: 'two' });
    expect([told(), atHand()]).toEqual([[`- ${one}`, `+two ${two}`], [two]]);
    await small.put({ ...table(3), namespace: 'two' });
    expect([told(), atHand()]).toEqual([[`- ${two}`, `+two ${three}`], [three]]);
    await small.change('two', 'Music', (current) => ({ ...current, deletionProtection: true }));
    expect([told(), atHand()]).toEqual([[], [three]]);
    await small.get('one', 'Music', ADMINISTRATOR);
    expect([told(), atHand()]).toEqual([[`- ${three}`, `+one ${one}`], [one]]);
    await small.remove('one', 'Music', () => {});
    expect([told(), atHand()]).toEqual([[`- ${one}`], []]);
  });

  test('keeps tables of one name in two namespaces apart', async () => {
    await catalog.create({ ...table(1), namespace: 'a' });
    expect(await catalog.find('', 'Music', ADMINISTRATOR)).toBeUndefined();
    expect(await catalog.create({ ...table(2), namespace: 'b' })).toBe(true);
    expect(await catalog.create({ ...table(3), namespace: 'a' })).toBe(false);
    await catalog.change('a', 'Music', (current) => ({ ...current, deletionProtection: true }));
    await catalog.remove('b', 'Music', () => {});
    expect((await new TableCatalog(client).get('a', ARN, ADMINISTRATOR)).deletionProtection).toBe(true);
    expect(await new TableCatalog(client).find('b', 'Music', ADMINISTRATOR)).toBeUndefined();
    expect(client.forgotten).toEqual([table(2).storageId]);
  });

  test('lists one namespace or all, though one name may begin with another, page by page', async () => {
    const places = ['/z', '/a', 'a/x', 'a-/b', 'a0/c', 'a/b', 'b/a'].map((text) => text.split('/'));
    for (const [namespace, name] of places) {
      await catalog.create({ ...table(), namespace: namespace!, name: name! });
    }
    const list = async (...query: Parameters<TableCatalog['list']>) => {
      const { tables, more } = await catalog.list(...query);
      return [...tables.map(({ namespace, name }) => `${namespace}/${name}`), more];
    };
    expect(await list('', undefined, 10)).toEqual(['/a', '/z', false]);
    expect(await list('a', undefined, 10)).toEqual(['a/b', 'a/x', false]);
    expect(await list('a', undefined, 1)).toEqual(['a/b', true]);
    expect(await list('a', { namespace: 'a', name: 'b' }, 1)).toEqual(['a/x', false]);
    expect(await list('none', undefined, 10)).toEqual([false]);
    expect(await list(undefined, undefined, 4)).toEqual(['/a', '/z', 'a-/b', 'a/b', true]);
    expect(await list(undefined, { namespace: 'a', name: 'b' }, 4)).toEqual(['a/x', 'a0/c', 'b/a', false]);
  });

  test('puts a table in place of another, whose records go', async () => {
    await catalog.put(table(1));
    await catalog.put(table(2));
    expect((await new TableCatalog(client).get('', 'Music', ADMINISTRATOR)).id).toBe(table(2).id);
    expect(catalog.cached('', 'Music')?.id).toBe(table(2).id);
    expect(client.forgotten).toEqual([table(1).storageId]);
  });
});
