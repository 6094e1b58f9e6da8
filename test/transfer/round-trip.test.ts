import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type AttributeMap, type AttributeValue, normaliseMap } from '../../src/api/attribute-value.ts';
import { type Dynaring, startDynaring } from '../../src/index.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { run } from './test-world.ts';

const TABLE = {
  TableName: 'Things',
  AttributeDefinitions: [
    { AttributeName: 'id', AttributeType: 'S' },
    { AttributeName: 'n', AttributeType: 'N' },
  ],
  KeySchema: [
    { AttributeName: 'id', KeyType: 'HASH' },
    { AttributeName: 'n', KeyType: 'RANGE' },
  ],
  BillingMode: 'PAY_PER_REQUEST',
};

let db: Dynaring;
let to: string[];
let folder: string;
let tableFile: string;

beforeAll(async () => {
  db = await startDynaring({ port: 0, nodes: 1, logLevel: 'silent' });
  to = ['--endpoint', db.endpoint];
});
afterAll(() => db.stop());
beforeEach(async () => {
  await db.reset();
  folder = temporaryDirectory();
  tableFile = join(folder, 'table.json');
  writeFileSync(tableFile, JSON.stringify(TABLE));
});

async function itemsOf(name: string): Promise<string[]> {
  const { tables } = await db.snapshot();
  const items = tables.find(({ definition }) => (definition as { name: string }).name === name)?.items ?? [];
  return items.map(canonical).sort();
}

/** With its members in one order. */
function canonical(item: AttributeMap): string {
  return JSON.stringify(item, (_, value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

const text = fc.string({ unit: 'binary', maxLength: 12 });
const number = fc
  .tuple(fc.boolean(), fc.bigInt(0n, 10n ** 38n - 1n), fc.integer({ min: -120, max: 80 }))
  .map(([negative, digits, exponent]) => `${negative ? '-' : ''}${digits}e${exponent}`);
const binary = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('base64'));
const set = <T>(member: fc.Arbitrary<T>) => fc.uniqueArray(member, { minLength: 1, maxLength: 4 });
const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 });

const { value } = fc.letrec<{ value: AttributeValue; map: AttributeMap }>((tie) => ({
  map: fc.dictionary(name, tie('value'), { maxKeys: 3 }),
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    text.map((S) => ({ S })),
    number.map((N) => ({ N })),
    binary.map((B) => ({ B })),
    fc.boolean().map((BOOL) => ({ BOOL })),
    fc.constant({ NULL: true }),
    set(text).map((SS) => ({ SS })),
    set(fc.integer().map(String)).map((NS) => ({ NS })),
    set(binary).map((BS) => ({ BS })),
    fc.array(tie('value'), { maxLength: 3 }).map((L) => ({ L })),
    tie('map').map((M) => ({ M })),
  ),
}));

const itemsWith = (attribute: fc.Arbitrary<AttributeValue>) =>
  fc
    .array(fc.dictionary(name, attribute, { maxKeys: 5 }), { maxLength: 8 })
    .map((items) =>
      items.map((item, index): AttributeMap => ({ ...item, id: { S: `thing ${index}` }, n: { N: String(index) } })),
    );

const linesOf = (items: readonly AttributeMap[]) => items.map((Item) => `${JSON.stringify({ Item })}\n`).join('');

function normalised(items: readonly AttributeMap[]): string[] {
  return items
    .map((item) => {
      const copy = structuredClone(item);
      normaliseMap(copy);
      return canonical(copy);
    })
    .sort();
}

describe('what is exported and imported again is the same', () => {
  test.each([['things.json.gz'], ['folder']])('by %s, for all items there can be', async (output) => {
    await fc.assert(
      fc.asyncProperty(itemsWith(value), async (items) => {
        await db.reset();
        await run('import', ['-', '--table', 'Things', '--create', tableFile, ...to], linesOf(items));
        expect(await itemsOf('Things')).toEqual(normalised(items));
        const path = join(temporaryDirectory(), output);
        await run('export', ['--table', 'Things', '--output', path, ...to]);
        await run('import', [path, '--table', 'Copy', '--create', tableFile, ...to]);
        expect(await itemsOf('Copy')).toEqual(await itemsOf('Things'));
      }),
      { numRuns: 20 },
    );
  });

  test('by CSV, for texts, and for numbers, booleans and binaries whose columns are named', async () => {
    const column = (letter: string, values: fc.Arbitrary<AttributeValue>) =>
      fc.option(values, { nil: undefined }).map((value) => (value === undefined ? {} : { [letter]: value }));
    const row = fc
      .tuple(
        column(
          'text',
          text.map((S) => ({ S })),
        ),
        column(
          'price',
          number.map((N) => ({ N })),
        ),
        column(
          'open',
          fc.boolean().map((BOOL) => ({ BOOL })),
        ),
        column(
          'tags',
          set(text).map((SS) => ({ SS })),
        ),
      )
      .map((parts): AttributeMap => Object.assign({}, ...parts));
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 6 }), async (rows) => {
        // A column that no item has is not in the file, and so cannot be named.
        const full = { text: { S: '' }, price: { N: '0' }, open: { BOOL: true }, tags: { SS: ['a'] } };
        const items = [full, ...rows].map((item, at) => ({ ...item, id: { S: `,"${at}` }, n: { N: `${at}` } }));
        await db.reset();
        await run('import', ['-', '--table', 'Things', '--create', tableFile, ...to], linesOf(items));
        const path = join(temporaryDirectory(), 'things.csv');
        await run('export', ['--table', 'Things', '--output', path, ...to]);
        const types = ['--column', 'price=N,open=BOOL', '--column', 'tags=SS'];
        await run('import', [path, '--table', 'Copy', '--create', tableFile, ...types, ...to]);
        expect(await itemsOf('Copy')).toEqual(normalised(items));
      }),
      { numRuns: 20 },
    );
  });
});

describe('a folder of exports', () => {
  const write = async (table: string, count: number) => {
    const items = Array.from({ length: count }, (_, at) => ({ id: { S: `${table} ${at}` }, n: { N: '1' } }));
    await run('import', ['-', '--table', table, '--create', tableFile, ...to], linesOf(items));
  };

  test('has one of each table, and is imported as a whole or one table of it', async () => {
    await write('One', 3);
    await write('Two', 5);
    await run('export', ['--all', '--output', join(folder, 'out'), ...to]);
    await db.reset();
    await run('import', [join(folder, 'out'), '--all', ...to]);
    expect([(await itemsOf('One')).length, (await itemsOf('Two')).length]).toEqual([3, 5]);
    await db.reset();
    await run('import', [join(folder, 'out'), '--table', 'Two', ...to]);
    expect([(await itemsOf('One')).length, (await itemsOf('Two')).length]).toEqual([0, 5]);
    await expect(run('import', [join(folder, 'out'), ...to])).rejects.toThrow(/exports of One, Two: choose/);
  });

  test('is laid out as the service does, and is refused when a file of it is not whole', async () => {
    await write('One', 3);
    await run('export', ['--table', 'One', '--output', join(folder, 'out'), ...to]);
    const root = join(folder, 'out', 'AWSDynamoDB');
    const [id] = readdirSync(root);
    expect(id).toMatch(/^\d{14}-[0-9a-f]{8}$/);
    const names = ['_started', 'data', 'manifest-files.json', 'manifest-files.md5', 'manifest-summary.json'];
    expect(readdirSync(join(root, id!)).sort()).toEqual([...names, 'manifest-summary.md5', 'table.json']);
    const summary = JSON.parse(readFileSync(join(root, id!, 'manifest-summary.json'), 'utf8'));
    expect(summary).toMatchObject({ version: '2020-06-30', itemCount: 3, outputFormat: 'DYNAMODB_JSON' });
    const files = readFileSync(join(root, id!, 'manifest-files.json'), 'utf8')
      .trim()
      .split('\n');
    const keys = files.map((line) => JSON.parse(line).dataFileS3Key as string);
    expect(keys.map((key) => readFileSync(join(folder, 'out', key)).length > 0)).toEqual([true, true, true, true]);
    writeFileSync(join(folder, 'out', keys[1]!), gzipSync(''));
    await expect(run('import', [join(folder, 'out'), '--table', 'New', ...to])).rejects.toThrow(/is damaged: its MD5/);
  });

  test('of the service is imported with its incremental exports, in their order', async () => {
    const put = (id: string, a: string) => ({ Item: { id: { S: id }, n: { N: '1' }, a: { S: a } } });
    const change = (id: string, a?: string) => ({
      Metadata: { WriteTimestampMicros: { N: '1680109764000000' } },
      Keys: { id: { S: id }, n: { N: '1' } },
      ...(a !== undefined && { NewImage: put(id, a).Item }),
    });
    const root = join(folder, 'AWSDynamoDB');
    const writeExport = (id: string, data: string, lines: object[], summary: object) => {
      mkdirSync(join(root, id), { recursive: true });
      mkdirSync(join(folder, data, '..'), { recursive: true });
      const table = { tableArn: 'arn:aws:dynamodb:us-east-1:123456789012:table/Things' };
      writeFileSync(join(root, id, 'manifest-summary.json'), JSON.stringify({ ...table, ...summary }));
      const file = { itemCount: lines.length, dataFileS3Key: `some/prefix/${data}` };
      writeFileSync(join(root, id, 'manifest-files.json'), `${JSON.stringify(file)}\n`);
      writeFileSync(join(folder, data), gzipSync(lines.map((line) => JSON.stringify(line)).join('\n')));
    };
    const incremental = (exportToTime: string) => ({ exportType: 'INCREMENTAL_EXPORT', exportToTime });
    writeExport('01-b', 'AWSDynamoDB/data/late.json.gz', [change('x', '3'), change('y')], incremental('2026-03'));
    writeExport('02-a', 'AWSDynamoDB/data/early.json.gz', [change('x', '2'), change('y', '2')], incremental('2026-02'));
    const full = [put('x', '1'), put('z', '1')];
    writeExport('03-f', 'AWSDynamoDB/03-f/data/full.json.gz', full, { exportType: 'FULL_EXPORT' });
    await run('import', [folder, '--create', tableFile, ...to]);
    const all = [put('x', '3').Item, put('z', '1').Item];
    expect(await itemsOf('Things')).toEqual(normalised(all));
  });
});

test('a table is copied from another endpoint with its definition', async () => {
  await using other = await startDynaring({ port: 0, nodes: 1, logLevel: 'silent' });
  const definition = {
    ...TABLE,
    BillingMode: 'PROVISIONED',
    ProvisionedThroughput: { ReadCapacityUnits: 7, WriteCapacityUnits: 8 },
    AttributeDefinitions: [...TABLE.AttributeDefinitions, { AttributeName: 'a', AttributeType: 'B' }],
    LocalSecondaryIndexes: [
      {
        IndexName: 'local',
        KeySchema: [TABLE.KeySchema[0], { AttributeName: 'a', KeyType: 'RANGE' }],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'global',
        KeySchema: [{ AttributeName: 'a', KeyType: 'HASH' }],
        Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['b'] },
        ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 2 },
      },
    ],
    StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' },
    TableClass: 'STANDARD_INFREQUENT_ACCESS',
    DeletionProtectionEnabled: true,
    SSESpecification: { Enabled: true, SSEType: 'KMS' },
  };
  writeFileSync(
    tableFile,
    JSON.stringify({ ...definition, TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true } }),
  );
  const items = Array.from({ length: 700 }, (_, at) => ({ id: { S: `${at}` }, n: { N: '1' }, a: { B: 'AQID' } }));
  const at = ['--endpoint', other.endpoint];
  await run('import', ['-', '--table', 'Things', '--create', tableFile, ...at], linesOf(items));
  const copy = ['--from-endpoint', other.endpoint, '--from-table', 'Things', '--table', 'Copied'];
  await run('import', [...copy, '--progress-file', join(folder, 'progress'), ...to]);
  expect(await itemsOf('Copied')).toEqual(normalised(items));

  const made = join(folder, 'made.json');
  await run('export', ['--table', 'Copied', '--with-table', made, ...to]);
  expect(JSON.parse(readFileSync(made, 'utf8'))).toMatchObject({
    ...definition,
    TableName: 'Copied',
    AttributeDefinitions: expect.arrayContaining(definition.AttributeDefinitions),
    TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
  });
});

test('a table may be called as what every object has', async () => {
  const file = join(folder, 'items.json');
  await db.seed({ ...TABLE, TableName: 'constructor', Items: [{ id: { S: 'a' }, n: { N: '1' } }] });
  await run('export', ['--table', 'constructor', '--output', file, ...to]);
  expect(readFileSync(file, 'utf8')).toContain('"id":{"S":"a"}');
  await db.reset();
  await run('import', [file, '--table', 'constructor', '--create', tableFile, ...to]);
  expect(await itemsOf('constructor')).toHaveLength(1);
});
