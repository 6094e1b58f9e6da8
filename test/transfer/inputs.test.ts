import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { runImport } from '../../src/transfer/import-command.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { fakeEndpoint, idsPut, refusal } from './fake-endpoint.ts';
import { run, testWorld } from './test-world.ts';

let folder: string;
let puts: string[];
let isBroken: boolean;
let to: string[];

beforeEach(async () => {
  folder = temporaryDirectory();
  puts = [];
  isBroken = false;
  const endpoint = await fakeEndpoint((received) => {
    const ids = idsPut(received);
    if (ids === undefined) return undefined;
    if (isBroken && ids.includes('b')) return refusal(400, 'AccessDeniedException');
    const { TableName = Object.keys(received.request.RequestItems as object)[0] } = received.request;
    puts.push(...ids.map((id) => `${TableName} ${id}`));
    return undefined;
  });
  to = ['--endpoint', endpoint];
});

const line = (id: string) => `{"Item":{"id":{"S":"${id}"}}}\n`;

/** An export of one table as the service lays it out. */
function writeExport(id: string, table: string, ids: readonly string[], expected: object = {}) {
  const root = join(folder, 'AWSDynamoDB', id);
  mkdirSync(join(root, 'data'), { recursive: true });
  writeFileSync(join(root, 'data', 'x.json.gz'), gzipSync(ids.map(line).join('')));
  const file = { itemCount: ids.length, dataFileS3Key: `AWSDynamoDB/${id}/data/x.json.gz`, ...expected };
  writeFileSync(join(root, 'manifest-files.json'), `${JSON.stringify(file)}\n`);
  const summary = { tableArn: `arn:aws:dynamodb:us-east-1:123456789012:table/${table}`, exportType: 'FULL_EXPORT' };
  writeFileSync(join(root, 'manifest-summary.json'), JSON.stringify(summary));
}

describe('a folder', () => {
  test('of data files is imported in the order of their names, gzip or not', async () => {
    writeFileSync(join(folder, '1.json'), line('a'));
    writeFileSync(join(folder, '2.json.gz'), gzipSync(line('b')));
    writeFileSync(join(folder, '3.jsonl'), `${line('c')}{}\n`);
    writeFileSync(join(folder, 'notes.txt'), 'no data');
    const importing = run('import', [folder, '--table', 'T', '--concurrency', '1', ...to]);
    await expect(importing).rejects.toThrow(`${join(folder, '3.jsonl')}:2: ValidationException`);
    expect(puts).toEqual(['T a', 'T b', 'T c']);
  });

  test('without data is told', async () => {
    await expect(run('import', [folder, '--table', 'T', ...to])).rejects.toThrow(
      /there is neither an export nor a file called \*\.json, \*\.jsonl, \*\.ndjson, \*\.csv or \*\.gz$/,
    );
  });

  test('with an export whose manifest counts other items, or names a file that is gone, is refused', async () => {
    writeExport('01-a', 'One', ['a'], { itemCount: 2 });
    await expect(run('import', [folder, ...to])).rejects.toThrow(/has 1 items, but its manifest says 2/);
    writeExport('01-a', 'One', ['a'], { dataFileS3Key: 'AWSDynamoDB/01-a/data/y.json.gz' });
    await expect(run('import', [folder, ...to])).rejects.toThrow(/names .*y.json.gz", which is not there/);
    writeExport('01-a', 'One', ['a']);
    writeFileSync(join(folder, 'AWSDynamoDB', '01-a', 'manifest-files.md5'), 'AAAA');
    await expect(run('import', [folder, ...to])).rejects.toThrow(/manifest-files.json is damaged/);
  });

  test('with exports of several tables goes on with the one at which it failed', async () => {
    writeExport('01-a', 'One', ['a']);
    writeExport('02-b', 'Two', ['a', 'b', 'c']);
    const args = [folder, '--all', '--concurrency', '1', ...to];
    isBroken = true;
    await expect(run('import', args)).rejects.toThrow(/x.json.gz:2: AccessDenied/);
    isBroken = false;
    await run('import', args);
    expect(puts).toEqual(['One a', 'Two a', 'Two b', 'Two c']);
  });

  test('that has two full exports of a table is not guessed about', async () => {
    writeExport('01-a', 'One', ['a']);
    writeExport('02-b', 'One', ['b']);
    await expect(run('import', [folder, ...to])).rejects.toThrow(/are both full exports: name one of them/);
    await run('import', [join(folder, 'AWSDynamoDB', '02-b'), ...to]);
    expect(puts).toEqual(['One b']);
  });
});

test('gzip that is cut off is told after what it has was read', async () => {
  const file = join(folder, 'items.json.gz');
  const whole = gzipSync(Array.from({ length: 5_000 }, (_, at) => line(`${at}`)).join(''));
  writeFileSync(file, whole.subarray(0, whole.length - 100));
  await expect(run('import', [file, '--table', 'T', ...to])).rejects.toThrow(`${file}: it is no whole gzip file`);
  expect(puts.length).toBeGreaterThan(0);
});

test('gzip is known by its content, also on standard input, and several members are one file', async () => {
  const file = join(folder, 'items.json');
  writeFileSync(file, Buffer.concat([gzipSync(line('a')), gzipSync(line('b'))]));
  await run('import', [file, '--table', 'T', '--concurrency', '1', ...to]);
  await run('import', ['-', '--table', 'T', ...to], gzipSync(line('c')));
  expect(puts).toEqual(['T a', 'T b', 'T c']);
});

test('an import that fails and whose progress could not be kept says so', async () => {
  const file = join(folder, 'items.json');
  writeFileSync(file, line('a') + line('b'));
  const world = testWorld();
  isBroken = true;
  const args = [file, '--table', 'T', '--quiet', '--progress-file', join(folder, 'nowhere', 'progress'), ...to];
  await expect(runImport(args, world)).rejects.toThrow(/:2: AccessDenied/);
  expect(world.seen()).toMatch(/^dynaring: no progress could be kept: .*nowhere.progress: there is no such file\n$/);
});

test('a file of rejects may not be the input', async () => {
  const file = join(folder, 'items.json');
  writeFileSync(file, line('a'));
  const args = [file, '--table', 'T', '--skip-bad-lines', '--rejects', `${folder}/./items.json`, ...to];
  await expect(run('import', args)).rejects.toThrow('--rejects must be another file than the input');
  expect(readFileSync(file, 'utf8')).toBe(line('a'));
});
