import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Dynaring, startDynaring } from '../../src/index.ts';
import { LIMITS } from '../../src/transfer/transfer-limits.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { run } from './test-world.ts';

const TABLE = {
  TableName: 'Tab',
  AttributeDefinitions: [
    { AttributeName: 'id', AttributeType: 'S' },
    { AttributeName: 'rank', AttributeType: 'N' },
  ],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  GlobalSecondaryIndexes: [
    {
      IndexName: 'by-rank',
      KeySchema: [{ AttributeName: 'rank', KeyType: 'HASH' }],
      Projection: { ProjectionType: 'ALL' },
    },
  ],
  BillingMode: 'PAY_PER_REQUEST',
};

let db: Dynaring;
let folder: string;
let file: string;
let args: string[];

beforeAll(async () => {
  db = await startDynaring({ port: 0, nodes: 1, logLevel: 'silent' });
});
afterAll(() => db.stop());
beforeEach(async () => {
  await db.reset();
  await db.seed(TABLE);
  folder = temporaryDirectory();
  file = join(folder, 'items.json');
  args = ['--table', 'Tab', '--endpoint', db.endpoint];
});

const good = (id: number | string) => `{"Item":{"id":{"S":"${id}"}}}`;
const idsIn = async () => (await db.snapshot()).tables[0]!.items.map(({ id }) => (id as { S: string }).S).sort();

describe('a bad line', () => {
  test('ends the import, and the same command with --skip-bad-lines goes on from there', async () => {
    writeFileSync(file, [good(1), good(2), '{"Item":{"id":{"S":5}}}', good(4), '{"id":', good(6)].join('\n'));
    await expect(run('import', [file, ...args])).rejects.toThrow(
      `${file}:3: attribute id of type S must be a string, not a number; --skip-bad-lines goes on after such lines`,
    );
    const rejects = join(folder, 'rejects');
    const { seen } = await run('import', [file, ...args, '--skip-bad-lines', '--rejects', rejects]);
    expect(seen).toContain(`${file}:3: attribute id`);
    expect(seen).toContain(`${file}:5: it is no JSON`);
    expect(seen).toMatch(/imported 2 items into Tab in .*, 2 items before, 2 bad lines skipped\n$/);
    expect(readFileSync(rejects, 'utf8')).toBe('{"Item":{"id":{"S":5}}}\n{"id":\n');
    expect(await idsIn()).toEqual(['1', '2', '4', '6']);
  });

  test('is one that the server alone refuses, too', async () => {
    writeFileSync(file, [good(1), '{"Item":{"id":{"S":"2"},"rank":{"S":"x"}}}', good(3)].join('\n'));
    await expect(run('import', [file, ...args])).rejects.toThrow(
      `${file}:2: ValidationException: One or more parameter values were invalid: Type mismatch for Index Key rank`,
    );
    // Half a surrogate pair, of which the server only says what kind of error it is.
    writeFileSync(file, String.raw`{"Item":{"id":{"S":"\ud800"}}}`);
    await expect(run('import', [file, ...args, '--restart'])).rejects.toThrow(
      `${file}:1: SerializationException; --skip-bad-lines`,
    );
  });

  test('is not one too many, unless there are more than the user allows', async () => {
    const lines = Array.from({ length: 60 }, (_, at) => (at % 2 === 0 ? good(at) : 'x'));
    writeFileSync(file, lines.join('\n'));
    await expect(run('import', [file, ...args, '--skip-bad-lines=29'])).rejects.toThrow(
      /items.json:60: .*; there are more than 29 bad lines$/,
    );
    const { seen } = await run('import', [file, ...args, '--skip-bad-lines=30', '--restart']);
    expect(seen.match(/items.json:\d+: it is no JSON/g)).toHaveLength(LIMITS.badLinesShown);
    expect(seen).toMatch(/imported 30 items into Tab in .*, 30 bad lines skipped\n$/);
  });
});

describe('CSV', () => {
  test('gives keys of the table and of indexes their type, and all others text', async () => {
    const csv = join(folder, 'items.csv');
    writeFileSync(csv, 'id,rank,count,note\r\na,7,8,"x\n""y"""\r\nb,,,\r\nc,,"",é\r\n');
    await run('import', [csv, ...args]);
    const items = (await db.snapshot()).tables[0]!.items;
    expect(items).toHaveLength(3);
    expect(items).toEqual(
      expect.arrayContaining([
        { id: { S: 'a' }, rank: { N: '7' }, count: { S: '8' }, note: { S: 'x\n"y"' } },
        { id: { S: 'b' } },
        { id: { S: 'c' }, count: { S: '' }, note: { S: 'é' } },
      ]),
    );
  });

  test('may have its header and its delimiter from the user', async () => {
    const options = ['--format', 'csv', '--csv-header', 'id,n', '--csv-delimiter', ';', '--column', 'n=N'];
    await run('import', ['-', ...args, ...options], 'a;1.50\n"b;";2\n');
    const items = (await db.snapshot()).tables[0]!.items;
    expect(items).toEqual(
      expect.arrayContaining([
        { id: { S: 'a' }, n: { N: '1.5' } },
        { id: { S: 'b;' }, n: { N: '2' } },
      ]),
    );
  });

  test('has bad lines as well, by the number of their first line', async () => {
    const csv = join(folder, 'items.csv');
    writeFileSync(csv, 'id,n\n"a\n1",1\n\nb,x\nc\n,5\nd,7\n');
    const { seen } = await run('import', [csv, ...args, '--column', 'n=N', '--skip-bad-lines']);
    expect(seen.split('\n').slice(0, 3)).toEqual([
      expect.stringContaining(`${csv}:5: ValidationException: `),
      expect.stringContaining(`${csv}:6: it has 1 cells, but there are 2 columns`),
      expect.stringMatching(/csv:7: ValidationException: .*Missing the key id/),
    ]);
    expect(await idsIn()).toEqual(['a\n1', 'd']);
  });

  test('whose quotes do not close, or whose columns make no sense, is refused', async () => {
    const csv = (text: string, ...more: string[]) => run('import', ['-', ...args, '--format', 'csv', ...more], text);
    await expect(csv('id,n\na,"1"x\n')).rejects.toThrow('-:2: it is no CSV (CSV_INVALID_CLOSING_QUOTE)');
    // Not all codes of csv-parse begin with CSV_: a JSON file that is called CSV has another.
    await expect(csv('id,n\na{"b"},1\n')).rejects.toThrow('-:2: it is no CSV (INVALID_OPENING_QUOTE)');
    await expect(csv('n\n1\n')).rejects.toThrow('-:1: there is no column for the key "id" of table Tab');
    await expect(csv('id,id\n1,2\n')).rejects.toThrow('-:1: two columns are called "id"');
    await expect(csv('id\n1\n', '--column', 'price=N')).rejects.toThrow('-:1: there is no column "price"');
  });
});

test('rejects of several tables are kept in one file', async () => {
  const source = await startDynaring({ port: 0, nodes: 1, logLevel: 'silent' });
  try {
    await db.seed({ ...TABLE, TableName: 'Other' });
    for (const TableName of ['Other', 'Tab']) {
      const { AttributeDefinitions, GlobalSecondaryIndexes: _, ...plain } = { ...TABLE, TableName };
      const Items = [{ id: { S: TableName }, rank: { S: 'x' } }];
      await source.seed({ ...plain, AttributeDefinitions: AttributeDefinitions.slice(0, 1), Items });
    }
    const rejects = join(folder, 'rejects');
    const progress = join(folder, 'progress');
    const copy = ['--from-endpoint', source.endpoint, '--all', '--endpoint', db.endpoint, '--progress-file', progress];
    await run('import', [...copy, '--skip-bad-lines', '--rejects', rejects]);
    expect(readFileSync(rejects, 'utf8').match(/"id":\{"S":"\w+"/g)).toEqual(['"id":{"S":"Other"', '"id":{"S":"Tab"']);
  } finally {
    await source.stop();
  }
});
