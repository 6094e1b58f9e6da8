import { beforeEach, describe, expect, test } from 'vitest';
import type { Snapshot } from '../../src/api/admin.ts';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import { inParallel } from '../../src/router/in-parallel.ts';
import { accessKeyOf } from '../../src/router/namespace.ts';
import { newRouter, refusal, sortedTableRequest, tableRequest } from './table-fixtures.ts';

const worker = (name: string) => ({ accessKeyId: accessKeyOf(name) });
type Router = ReturnType<typeof newRouter>;

let router: Router;
beforeEach(() => {
  router = newRouter();
});

async function put(item: AttributeMap, context = {}, TableName = 'Music'): Promise<void> {
  await router.execute('PutItem', { TableName, Item: structuredClone(item) }, context);
}

async function get(key: string, context = {}, TableName = 'Music'): Promise<AttributeMap | undefined> {
  const { Item } = await router.execute('GetItem', { TableName, Key: { pk: { S: key } } }, context);
  return Item && JSON.parse(Buffer.from(Item.bytes).toString());
}

async function listed(context = {}): Promise<string[]> {
  return (await router.execute('ListTables', {}, context)).TableNames;
}

/** As it would come back from a file or over HTTP. */
async function takeSnapshot(namespace?: string): Promise<Snapshot> {
  return JSON.parse(JSON.stringify(await router.tables.snapshot(namespace)));
}

describe('a reset', () => {
  beforeEach(async () => {
    for (let i = 0; i < 120; i++) await router.create(tableRequest({ TableName: `table-${i}` }));
    await router.execute('CreateTable', tableRequest({ DeletionProtectionEnabled: true }), worker('a'));
    await router.execute('CreateTable', tableRequest(), worker('b'));
  });

  test('of one namespace deletes its tables, protected ones too, and no others', async () => {
    await router.tables.reset('a');
    expect([(await listed()).length, await listed(worker('a')), await listed(worker('b'))]).toEqual([
      100,
      [],
      ['Music'],
    ]);
    await router.tables.reset('');
    expect([await listed(), await listed(worker('b'))]).toEqual([[], ['Music']]);
    expect(router.client.forgotten).toHaveLength(121);
  });

  test('of all deletes the tables of all', async () => {
    await router.tables.reset();
    expect([await listed(), await listed(worker('a')), await listed(worker('b'))]).toEqual([[], [], []]);
    expect((await router.tables.snapshot()).tables).toEqual([]);
  });

  test('says when the cluster cannot', async () => {
    router.client.failWrite = { kind: 'unavailable', needed: 2, got: 1 };
    expect(await refusal(router.tables.reset())).toMatch(/^ServiceUnavailableException/);
    router.client.failWrite = undefined;
    expect(await refusal(router.tables.reset('a/b'))).toBe('AdminError: there can be no namespace "a/b"');
    expect(await listed(worker('a'))).toEqual(['Music']);
  });
});

describe('a snapshot', () => {
  const MANY = Array.from({ length: 250 }, (_, i) => `key-${i}`);

  test('has the tables of one namespace, or of all, with all their items', async () => {
    await router.create(sortedTableRequest());
    for (const pk of MANY) await put({ pk: { S: pk }, sk: { S: 'a' } });
    await router.execute('CreateTable', tableRequest(), worker('a'));
    await put({ pk: { S: 'of a' } }, worker('a'));

    const ofOne = await takeSnapshot('a');
    expect(ofOne).toMatchObject({
      format: 1,
      namespace: 'a',
      tables: [{ namespace: 'a', items: [{ pk: { S: 'of a' } }] }],
    });
    expect(ofOne.tables[0]!.definition).not.toHaveProperty('storageId');
    const ofAll = await takeSnapshot();
    expect(ofAll).not.toHaveProperty('namespace');
    expect(ofAll.tables.map(({ namespace }) => namespace)).toEqual(['', 'a']);
    expect(ofAll.tables[0]!.items.map(({ pk }) => (pk as { S: string }).S).sort()).toEqual(MANY.toSorted());
  });

  test('reads no table in one piece', async () => {
    router = newRouter(router.client, { scanPageItems: 10 });
    await router.create();
    for (const pk of MANY) await put({ pk: { S: pk } });
    router.client.calls.length = 0;
    expect((await router.tables.snapshot()).tables[0]!.items).toHaveLength(250);
    const scans = router.client.calls.filter((call) => call === 'scan').length;
    expect(scans).toBeGreaterThanOrEqual(25);
    expect(scans).toBeLessThanOrEqual(25 + router.client.partitions);
  });

  test('that would be too large is refused', async () => {
    router = newRouter(router.client, { maxSnapshotBytes: 500 });
    await router.create();
    for (const pk of MANY.slice(0, 100)) await put({ pk: { S: pk } });
    const answer = router.tables.snapshot();
    await expect(answer).rejects.toMatchObject({ name: 'AdminError', status: 409 });
    await expect(answer).rejects.toThrow('the tables hold more than the 500 bytes of a snapshot');
  });

  test('says when the cluster cannot', async () => {
    await router.create();
    router.client.failRead = { kind: 'unavailable', needed: 2, got: 1 };
    expect(await refusal(router.tables.snapshot())).toMatch(/^ServiceUnavailableException/);
  });
});

describe('a restore', () => {
  beforeEach(async () => {
    await router.create(tableRequest({ Tags: [{ Key: 'dynaring:consistency', Value: 'dynamo' }] }));
    await put({ pk: { S: 'k' }, v: { N: '1' } });
    await router.execute('CreateTable', tableRequest(), worker('a'));
    await put({ pk: { S: 'of a' } }, worker('a'));
  });

  test('brings back items, definitions and what was deleted, in place of what is there', async () => {
    const before = await router.describe();
    const snapshot = await takeSnapshot();
    const { tables } = router;

    await put({ pk: { S: 'k' }, v: { N: '2' } });
    await put({ pk: { S: 'new' } });
    await router.execute('DeleteTable', { TableName: 'Music' }, worker('a'));
    await router.create(tableRequest({ TableName: 'Other' }));
    const { table: replaced } = await tables.itemKey('Music', { pk: { S: 'k' } }, '');
    await tables.restore(snapshot);

    expect([await get('k'), await get('new')]).toEqual([{ pk: { S: 'k' }, v: { N: '1' } }, undefined]);
    expect(await get('of a', worker('a'))).toEqual({ pk: { S: 'of a' } });
    expect([await listed(), await listed(worker('a'))]).toEqual([['Music'], ['Music']]);
    expect(await router.describe()).toEqual(before);
    expect(await takeSnapshot()).toEqual(snapshot);
    const { table: now } = await tables.itemKey('Music', { pk: { S: 'k' } }, '');
    expect(now).not.toBe(replaced);
    expect(router.client.forgotten).toContain(replaced);
  });

  test('is not swept away before its tables have their definitions', async () => {
    const snapshot = await takeSnapshot();
    const { client, catalog, tables } = router;
    const write = client.write.bind(client);
    let swept = 0;
    client.write = async (...request: Parameters<typeof write>) => {
      const outcome = await write(...request);
      swept += await catalog.forgetDeleted();
      return outcome;
    };
    await tables.restore(snapshot);
    expect(swept).toBe(0);
    expect(await get('k')).toEqual({ pk: { S: 'k' }, v: { N: '1' } });
    expect(await get('of a', worker('a'))).toEqual({ pk: { S: 'of a' } });
  });

  test('brings back attributes whose names JavaScript treats in a special way', async () => {
    await put(JSON.parse('{"pk":{"S":"special"},"__proto__":{"S":"x"},"constructor":{"M":{"__proto__":{"N":"1"}}}}'));
    const before = JSON.stringify(await get('special'));
    const snapshot = await takeSnapshot();
    await router.tables.reset();
    await router.tables.restore(snapshot);
    expect(JSON.stringify(await get('special'))).toBe(before);
    expect(before).toContain('__proto__');
  });

  test('can be done again, and over what it has done', async () => {
    const snapshot = await takeSnapshot();
    for (let i = 0; i < 2; i++) {
      await router.tables.restore(snapshot);
      expect(await get('k')).toEqual({ pk: { S: 'k' }, v: { N: '1' } });
      await put({ pk: { S: 'k' }, v: { N: '9' } });
    }
  });

  test('of one namespace leaves the others alone', async () => {
    const snapshot = await takeSnapshot('a');
    await put({ pk: { S: 'k' }, v: { N: '2' } });
    await router.execute('CreateTable', tableRequest({ TableName: 'Other' }), worker('a'));
    await router.tables.restore(snapshot);
    expect(await get('k')).toMatchObject({ v: { N: '2' } });
    expect(await listed(worker('a'))).toEqual(['Music']);
  });

  test('that comes to nothing leaves everything as it was', async () => {
    const snapshot = await takeSnapshot();
    await put({ pk: { S: 'k' }, v: { N: '2' } });
    const [first, second] = snapshot.tables;
    const bad = { ...snapshot, tables: [first!, { ...second!, items: [...second!.items, { other: { S: 'x' } }] }] };
    expect(await refusal(router.tables.restore(bad))).toBe(
      'AdminError: tables[1].items[1]: One or more parameter values were invalid: Missing the key pk in the item',
    );
    expect(await get('k')).toMatchObject({ v: { N: '2' } });
    expect(await get('of a', worker('a'))).toBeDefined();
    expect(router.client.forgotten).toHaveLength(2);
  });

  test.each<[string, (snapshot: Snapshot) => unknown, string]>([
    ['nothing', () => null, 'a snapshot is a JSON object'],
    ['another format', (s) => ({ ...s, format: 2 }), 'format must be 1, not 2'],
    ['no tables', ({ format }) => ({ format }), 'tables must be an array'],
    ['an impossible namespace', (s) => ({ ...s, namespace: 'a/b' }), 'there can be no namespace "a/b"'],
    [
      'tables of another namespace',
      (s) => ({ ...s, namespace: 'a' }),
      'tables[0].namespace is not that of the snapshot',
    ],
    ['a table twice', (s) => ({ ...s, tables: [s.tables[0], s.tables[0]] }), 'tables[1] is there twice'],
    ['no namespace', (s) => change(s, { namespace: undefined }), 'tables[0].namespace must be a text'],
    ['no items', (s) => change(s, { items: {} }), 'tables[0].items must be an array'],
    [
      'no definition',
      (s) => change(s, { definition: { name: 'Music' } }),
      'tables[0].definition is none of a snapshot',
    ],
    ['no item', (s) => change(s, { items: [{ pk: 'k' }] }), "tables[0].items[0] is no item in DynamoDB's JSON"],
    [
      'no base64',
      (s) => change(s, { items: [{ pk: { B: 'a' } }] }),
      "tables[0].items[0] is no item in DynamoDB's JSON",
    ],
    [
      'no number',
      (s) => change(s, { items: [{ pk: { S: 'k' }, v: { N: 'x' } }] }),
      'tables[0].items[0]: The parameter cannot be converted to a numeric value: x',
    ],
  ])('of what is no snapshot, %s, says what is wrong', async (_, corrupt, message) => {
    const snapshot = corrupt(await takeSnapshot());
    expect(await refusal(router.tables.restore(snapshot as Snapshot))).toBe(`AdminError: ${message}`);
    expect(await get('k')).toBeDefined();
  });

  function change(snapshot: Snapshot, member: object): unknown {
    return { ...snapshot, tables: [{ ...snapshot.tables[0], ...member }] };
  }
});

test('work in parallel is bounded, and none is begun after a failure', async () => {
  let running = 0;
  let most = 0;
  const begun: number[] = [];
  const work = async (item: number) => {
    begun.push(item);
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    if (item === 7) throw new Error('seven');
  };
  await inParallel([1, 2, 3, 4, 5], 2, work);
  expect([begun, most]).toEqual([[1, 2, 3, 4, 5], 2]);
  begun.length = 0;
  await expect(inParallel([6, 7, 8, 9, 10, 11], 2, work)).rejects.toThrow('seven');
  expect(begun).toEqual([6, 7, 8]);
  expect(running).toBe(0);
});
