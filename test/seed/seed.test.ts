import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createLog } from '../../src/env/log.ts';
import { createRouter, type Router } from '../../src/router/router.ts';
import { type SeedOptions, type SeedSource, seed } from '../../src/seed/seed.ts';
import { runToExit, startServer } from '../processes/server-process.ts';
import { MemoryClient } from '../router/memory-client.ts';

const KEYS = {
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  BillingMode: 'PAY_PER_REQUEST',
};

let folder: string;
let client: MemoryClient;
let router: Router;
let lines: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dynaring-seed-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  client = new MemoryClient();
  let ids = 0;
  router = createRouter({
    client,
    streams: client.streams,
    newId: () => `${String(++ids).padStart(8, '0')}-0000-4000-8000-000000000000`,
  });
  lines = [];
});

async function file(name: string, content: unknown): Promise<string> {
  const path = join(folder, name);
  await writeFile(
    path,
    typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content),
  );
  return path;
}

function plant(source: SeedSource, options: Partial<SeedOptions> = {}): Promise<void> {
  const log = createLog({ level: 'info', format: 'text', write: (line) => lines.push(line), now: () => 0 });
  return seed(source, { existing: 'error', ...options }, { router, nowMs: () => 0, log });
}

/** What a seed is refused with, without the folder's path. */
async function refusal(source: SeedSource, options: Partial<SeedOptions> = {}): Promise<string> {
  try {
    await plant(source, options);
  } catch (error) {
    if ((error as Error).name !== 'SeedError') throw error;
    return (error as Error).message.replaceAll(`${folder}/`, '');
  }
  throw new Error('the seed was taken');
}

const CONTEXT = { requestId: 'r', nowMs: 0, accessKeyId: 'any', region: 'local' };

async function tableNames(namespace = ''): Promise<string[]> {
  const answer = await router.executeIn(namespace, 'ListTables', {}, CONTEXT);
  return (answer as { TableNames: string[] }).TableNames;
}

async function itemsOf(table: string, namespace = ''): Promise<readonly object[]> {
  const { tables } = await router.tables.snapshot(namespace);
  const found = tables.find(({ definition }) => (definition as { name: string }).name === table);
  return found!.items.toSorted((a, b) => (JSON.stringify(a.id) < JSON.stringify(b.id) ? -1 : 1));
}

describe('a seed', () => {
  test('is a folder of files with one table or several each', async () => {
    await file('b.json', { ...KEYS, TableName: 'two' });
    await file('a.json', [
      { ...KEYS, TableName: 'one', Items: [{ id: 'x' }] },
      { ...KEYS, TableName: 'three' },
    ]);
    await file('notes.txt', 'no seed');
    await mkdir(join(folder, 'below'));
    await plant(folder);
    expect(await tableNames()).toEqual(['one', 'three', 'two']);
    expect(await itemsOf('one')).toEqual([{ id: { S: 'x' } }]);
    expect(lines).toEqual([expect.stringMatching(/ seeded source=\S+ tables=3 items=1$/)]);
  });

  test('has items in plain JSON, whose numbers keep all their digits, and in that of DynamoDB', async () => {
    const path = await file(
      'a.json',
      `[{ ${JSON.stringify({ ...KEYS, TableName: 'things' }).slice(1, -1)}, "Items": [
        { "id": "plain", "n": 1234567890123456789012345678901234567.8, "e": -1.50e2, "b": true, "none": null,
          "list": [1, "a", {"deep": []}], "__proto__": {"x": ""} },
        { "id": {"S": "typed"}, "bytes": {"B": "AAEC"}, "set": {"NS": ["2", "1.0"]}, "m": {"M": {"x": {"N": "7"}}} }
      ]}]`,
    );
    await plant(path);
    expect(JSON.stringify(await itemsOf('things'))).toBe(
      JSON.stringify([
        {
          id: { S: 'plain' },
          n: { N: '1234567890123456789012345678901234567.8' },
          e: { N: '-150' },
          b: { BOOL: true },
        },
      ]).slice(0, -2) +
        ',"none":{"NULL":true},"list":{"L":[{"N":"1"},{"S":"a"},{"M":{"deep":{"L":[]}}}]},' +
        '"__proto__":{"M":{"x":{"S":""}}}},' +
        '{"id":{"S":"typed"},"bytes":{"B":"AAEC"},"set":{"NS":["1","2"]},"m":{"M":{"x":{"N":"7"}}}}]',
    );
  });

  test('says how its items expire', async () => {
    const expiry = (Enabled: boolean) => ({ TimeToLiveSpecification: { Enabled, AttributeName: 'expires' } });
    await plant([
      { ...KEYS, TableName: 'with', ...expiry(true), Items: [{ id: 'a', expires: 1 }] },
      { ...KEYS, TableName: 'without', ...expiry(false) },
    ]);
    const described = (TableName: string) => router.executeIn('', 'DescribeTimeToLive', { TableName }, CONTEXT);
    expect(await described('with')).toEqual({
      TimeToLiveDescription: { TimeToLiveStatus: 'ENABLED', AttributeName: 'expires' },
    });
    expect(await described('without')).toEqual({ TimeToLiveDescription: { TimeToLiveStatus: 'DISABLED' } });
    const wrong = { ...KEYS, TableName: 'bad' };
    const json = JSON.stringify(wrong).slice(0, -1);
    const other = await file(
      'wrong.json',
      `${json},\n"TimeToLiveSpecification": {"Enabled": true, "AttributeName": ""}}`,
    );
    expect(await refusal(other)).toBe(
      "wrong.json:2:63: ValidationException: 1 validation error detected: Value '' at 'timeToLiveSpecification.attributeName' failed to satisfy constraint: Member must have length greater than or equal to 1",
    );
    expect(await tableNames()).toEqual(['with', 'without']);
  });

  test('says where items seem to be in both forms, unless it says in which they are', async () => {
    const table = { ...KEYS, TableName: 'things', Items: [{ id: 'a', n: { N: '1' } }] };
    expect(await refusal(table)).toBe(
      'seed.Items[0].n: the item is plain JSON, but "n" seems to be DynamoDB\'s: ' +
        'say which with "Format": "plain" or "dynamodb" beside "Items"',
    );
    await plant({ ...table, Format: 'plain' });
    expect(await itemsOf('things')).toEqual([{ id: { S: 'a' }, n: { M: { N: { S: '1' } } } }]);
    expect(await refusal({ ...table, TableName: 'others', Format: 'dynamodb' })).toBe(
      'seed.Items[0].id: SerializationException: Unexpected value type in payload',
    );
  });

  test('goes into the namespace that it names, or else the caller', async () => {
    const tables = [
      { ...KEYS, TableName: 'mine', Items: [{ id: 'x' }] },
      { ...KEYS, TableName: 'theirs', Namespace: 'worker-1' },
    ];
    await plant(tables, { namespace: 'worker-2' });
    expect([await tableNames(), await tableNames('worker-1'), await tableNames('worker-2')]).toEqual([
      [],
      ['theirs'],
      ['mine'],
    ]);
    expect(await refusal({ ...KEYS, TableName: 'mine', Namespace: 'a/b' })).toBe(
      'seed.Namespace: there can be no namespace "a/b"',
    );
  });

  test('may have many items, and a byte order mark', async () => {
    const Items = Array.from({ length: 1_000 }, (_, i) => ({ id: `k${i}`, n: i }));
    await plant(await file('a.json', `\uFEFF${JSON.stringify({ ...KEYS, TableName: 'many', Items })}`));
    expect(await itemsOf('many')).toHaveLength(1_000);
  });
});

describe('a table that is there already', () => {
  beforeEach(() => plant({ ...KEYS, TableName: 'things', Items: [{ id: 'old' }] }));

  test('is an error', async () => {
    const path = await file('a.json', `[\n  ${JSON.stringify({ ...KEYS, TableName: 'things' })}\n]`);
    expect(await refusal(path)).toBe('a.json:2:3: ResourceInUseException: Table already exists: things');
    expect(await itemsOf('things')).toEqual([{ id: { S: 'old' } }]);
  });

  test('is left alone at a start, and the rest is seeded', async () => {
    lines.length = 0;
    const tables = ['things', 'others'].map((TableName) => ({ ...KEYS, TableName, Items: [{ id: 'new' }] }));
    await plant(await file('a.json', tables), { existing: 'leave-alone' });
    expect(await itemsOf('things')).toEqual([{ id: { S: 'old' } }]);
    expect(await itemsOf('others')).toEqual([{ id: { S: 'new' } }]);
    expect(lines[0]).toMatch(/ a table is there already; its seed is left alone table=things seed=\S+a\.json:1:2$/);
    expect(lines[1]).toMatch(/ tables=1 items=1$/);
  });
});

describe('what is wrong is told with its file, line and column', () => {
  const table = (more: string) =>
    `{\n  ${JSON.stringify({ ...KEYS, TableName: 'things' }).slice(1, -1)},\n  ${more}\n}`;
  const item = (text: string) => table(`"Items": [\n    {"id": "good"},\n    ${text}\n  ]`);

  test.each([
    ['nothing', '', 'a.json:1:1: it is no JSON: a value is missing'],
    ['a missing comma', '{\n  "a": 1\n  "b": 2\n}', 'a.json:3:3: it is no JSON: a comma is missing'],
    ['a trailing comma', '[\n  1,\n]', 'a.json:3:1: it is no JSON: a value is missing'],
    ['a comment', '// no\n{}', 'a.json:1:1: it is no JSON: it has no comments'],
    ['an open brace', '[{}, {', 'a.json:1:7: it is no JSON: a closing brace is missing'],
    ['a broken text', '{"a": "x\n"}', 'a.json:1:7: it is no JSON: a text does not end in its line'],
    ['a strange number', '{"a": 01}', 'a.json:1:8: it is no JSON: a comma is missing'],
    ['far too many brackets', '['.repeat(200_000), 'a.json:1:1: it nests too deeply'],
    ['no table', '[{}, 5]', 'a.json:1:6: a table must be an object with the members of CreateTable'],
    ['a misspelt member', table('"Itmes": []'), 'a.json:3:12: neither CreateTable nor a seed has a member "Itmes"'],
    ['a member twice', table('"TableName": "b"'), 'a.json:3:3: "TableName" stands there twice'],
    ['items that are none', table('"Items": {}'), 'a.json:3:12: "Items" must be an array'],
    ['a strange format', table('"Format": "xml"'), 'a.json:3:13: "Format" must be "plain" or "dynamodb"'],
    ['a strange namespace', table('"Namespace": 5'), 'a.json:3:16: "Namespace" must be a text'],
    ['half a character', item('{"id": "\\ud800"}'), 'a.json:5:12: half of a surrogate pair is no text'],
    [
      'a missing member',
      '{}',
      "a.json:1:1: ValidationException: The parameter 'TableName' is required but was not present in the request",
    ],
    [
      'a value that is not allowed',
      table('"GlobalSecondaryIndexes": [\n {"IndexName": "idx",\n  "KeySchema": [], "Projection": {}}]'),
      "a.json:5:16: ValidationException: 1 validation error detected: Value '[]' at 'globalSecondaryIndexes.1.member.keySchema' " +
        'failed to satisfy constraint: Member must have length greater than or equal to 1',
    ],
    [
      'a wrong type in a table',
      table('"Tags":\n  {}'),
      'a.json:4:3: SerializationException: Start of structure or map found where not expected',
    ],
    [
      'a table that the service refuses',
      table('"StreamSpecification": {"StreamEnabled": true}'),
      'a.json:1:1: ValidationException: One or more parameter values were invalid: .*',
    ],
    ['an item that is none', item('5'), 'a.json:5:5: SerializationException: Unexpected field type'],
    [
      'an item without its key',
      item('{"name": "x"}'),
      'a.json:5:5: ValidationException: One or more parameter values were invalid: Missing the key id in the item',
    ],
    [
      'a wrong type in an item',
      item('{"id": {"S": "a"},\n     "n": {"N": 5}}'),
      'a.json:6:11: SerializationException: NUMBER_VALUE cannot be converted to String',
    ],
    [
      'a number that is none',
      item('{"id": {"S": "a"},\n     "n": {"N": "five"}}'),
      'a.json:6:11: ValidationException: 1 validation error detected: The parameter cannot be converted to a numeric value: five',
    ],
    [
      'too many digits',
      item('{"id": "a", "n": 1.00000000000000000000000000000000000000001}'),
      'a.json:5:22: ValidationException: 1 validation error detected: Attempting to store more than 38 significant digits in a Number',
    ],
    ['a key twice', item('{"id": {"S": "good"}}'), 'a.json:5:5: an item with the same key stands at a.json:4:5'],
  ])('%s', async (_, text, message) => {
    const path = await file('a.json', text);
    if (message.endsWith('.*')) expect(await refusal(path)).toMatch(new RegExp(`^${message}$`));
    else expect(await refusal(path)).toBe(message);
    expect(await tableNames()).toEqual([]);
  });

  test('of the first item that is wrong, whatever is wrong with others', async () => {
    const items = Array.from({ length: 200 }, (_, i) => (i % 50 === 49 ? { name: i } : { id: `k${i}` }));
    const text = `{${JSON.stringify({ ...KEYS, TableName: 'things' }).slice(1, -1)}, "Items": [\n`;
    const path = await file('a.json', `${text}${items.map((each) => JSON.stringify(each)).join(',\n')}]}`);
    expect(await refusal(path)).toMatch(/^a\.json:51:1: /);
  });

  test('and leaves none of its tables, so that it can be mended and planted again', async () => {
    const good = { ...KEYS, TableName: 'good', DeletionProtectionEnabled: true, Items: [{ id: 'a' }] };
    const bad = { ...KEYS, TableName: 'bad', Items: [{ name: 'a' }] };
    expect(await refusal([good, bad])).toMatch(/^seed\[1\]\.Items\[0\]: ValidationException: .*Missing the key id/);
    expect(await tableNames()).toEqual([]);
    await plant([good, { ...bad, Items: [{ id: 'a' }] }]);
    expect(await tableNames()).toEqual(['bad', 'good']);
  });

  test('when the cluster cannot', async () => {
    client.failWrite = { kind: 'unavailable', needed: 2, got: 1 };
    const path = await file('a.json', { ...KEYS, TableName: 'things' });
    expect(await refusal(path)).toMatch(/^a\.json:1:1: ServiceUnavailableException: /);
  });

  test('when there is no such file, nothing in the folder, or no text', async () => {
    expect(await refusal(join(folder, 'none.json'))).toMatch(/^none\.json: there is no such file or folder$/);
    expect(await refusal(folder)).toBe(`${folder}: there is no .json file`);
    await file('a.json', Uint8Array.of(0x22, 0xff, 0x22));
    expect(await refusal(folder)).toBe('a.json: it is not UTF-8');
    expect(await refusal((() => {}) as never)).toBe('seed: it is no JSON');
  });
});

describe('--seed-dir', () => {
  test('seeds an empty data directory, and leaves what it finds there the next time', async () => {
    const seeds = join(folder, 'seeds');
    await mkdir(seeds);
    await file('seeds/a.json', { ...KEYS, TableName: 'things', Items: [{ id: 'a' }] });
    const args = ['--data-dir', join(folder, 'data'), '--seed-dir', seeds];
    const first = await startServer(args);
    await first.stop('SIGTERM');
    await file('seeds/a.json', { ...KEYS, TableName: 'things', Items: [{ id: 'b' }] });
    const second = await startServer(args);
    const { stderr } = await second.stop('SIGTERM');
    expect(stderr).toMatch(/a table is there already; its seed is left alone table=things seed=\S+a\.json:1:1/);
  });

  test('that cannot be taken ends the start with one line', async () => {
    const path = await file('a.json', '{\n  "TableName": 5 5\n}');
    const { status, stderr } = await runToExit(['--port', '0'], { env: { DYNARING_SEED_DIR: path } });
    expect([status, stderr]).toEqual([1, `dynaring: --seed-dir ${path}:2:18: it is no JSON: a comma is missing\n`]);
    expect(await readFile(path, 'utf8')).toContain('5 5');
  });
});

describe('the guide', () => {
  const examples = async () => {
    const guide = await readFile(new URL('../../docs/guide/isolation-and-seeds.md', import.meta.url), 'utf8');
    const texts = [...guide.matchAll(/^```json\n(.*?)^```/gms)].map(([, text]) => text!);
    return { guide, texts };
  };

  test('has seeds that can be planted', async () => {
    const { texts } = await examples();
    expect(texts.length).toBeGreaterThan(0);
    for (const [at, text] of texts.entries()) await file(`${at}.json`, text);
    await plant(folder);
    expect(await itemsOf('users')).toMatchObject([
      { id: { S: 'ann' }, visits: { N: '12' } },
      { id: { S: 'bob' }, avatar: { B: 'iVBORw0KGgo=' } },
    ]);
    expect(await tableNames('worker-3')).toEqual(['orders']);
  });

  test('shows an error as it is', async () => {
    const { guide, texts } = await examples();
    const path = await file('users.json', texts[0]!.replace('"id": "ann"', '"name": "ann"'));
    expect(guide).toContain(`seeds/${await refusal(path)}\n`);
  });
});
