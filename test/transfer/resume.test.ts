import { appendFileSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { runExport } from '../../src/transfer/export-command.ts';
import { runImport } from '../../src/transfer/import-command.ts';
import { LIMITS } from '../../src/transfer/transfer-limits.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { fakeEndpoint, idsPut, refusal } from './fake-endpoint.ts';
import { run, testWorld } from './test-world.ts';

let folder: string;

beforeEach(async () => {
  folder = temporaryDirectory();
});

const COUNT = 500;
const lines = Array.from({ length: COUNT }, (_, at) => `{"Item":{"id":{"S":"${at}"}}}\n`).join('');

/** An endpoint that fails once it has so many items, until it is mended; and what it was asked to put. */
async function failingTarget(failsAfter: number) {
  const puts: string[] = [];
  let isBroken = true;
  const endpoint = await fakeEndpoint((received) => {
    const ids = idsPut(received);
    if (ids === undefined) return undefined;
    if (isBroken && puts.length >= failsAfter) return refusal(400, 'AccessDeniedException');
    puts.push(...ids);
    return undefined;
  });
  const mend = () => {
    isBroken = false;
    return puts.splice(0);
  };
  return { endpoint, puts, mend };
}

describe('an import that failed', () => {
  test.each([
    ['items.json', (text: string) => Buffer.from(text)],
    ['items.json.gz', (text: string) => gzipSync(text)],
    ['items.csv', (text: string) => Buffer.from(`id\n${text.match(/\d+/g)!.join('\n')}`)],
  ])('goes on after the last item that was written, from %s', async (name, encode) => {
    const file = join(folder, name);
    writeFileSync(file, encode(lines));
    const { endpoint, puts, mend } = await failingTarget(300);
    const args = [file, '--table', 'T', '--concurrency', '4', '--endpoint', endpoint];
    await expect(run('import', args)).rejects.toThrow(/AccessDenied/);
    const before = mend();
    const { seen } = await run('import', args);
    expect(seen).toMatch(/imported \d+ items into T .*, (2\d\d|300) items before/);
    expect(new Set([...before, ...puts]).size).toBe(COUNT);
    // What was under way is written again, and no more than that.
    expect(puts.length).toBeLessThanOrEqual(COUNT - 300 + 4 * LIMITS.maxBatchItems);
    expect(readdirSync(folder)).toEqual([name]);
  });

  test('is refused for another input, and begins anew with --restart', async () => {
    const file = join(folder, 'items.json');
    writeFileSync(file, lines);
    const { endpoint, puts, mend } = await failingTarget(300);
    const args = [file, '--table', 'T', '--endpoint', endpoint];
    await expect(run('import', args)).rejects.toThrow(/AccessDenied/);
    mend();
    appendFileSync(file, '{"Item":{"id":{"S":"new"}}}\n');
    await expect(run('import', args)).rejects.toThrow(
      `${file}.dynaring-progress is of another transfer: the input has changed since; --restart begins anew`,
    );
    await run('import', [...args, '--restart']);
    expect(puts).toHaveLength(COUNT + 1);
  });

  test('begins anew by itself if the table is another one of the same name', async () => {
    const file = join(folder, 'items.json');
    writeFileSync(file, lines);
    let identity = 'first';
    const puts: string[] = [];
    const endpoint = await fakeEndpoint((received) => {
      const ids = idsPut(received);
      if (ids !== undefined) {
        puts.push(...ids);
        return identity === 'first' && puts.length > 300 ? refusal(400, 'AccessDeniedException') : undefined;
      }
      const key = [{ AttributeName: 'id', KeyType: 'HASH' }];
      const AttributeDefinitions = [{ AttributeName: 'id', AttributeType: 'S' }];
      return {
        status: 200,
        body: { Table: { TableName: 'T', TableId: identity, KeySchema: key, AttributeDefinitions } },
      };
    });
    const args = [file, '--table', 'T', '--endpoint', endpoint];
    await expect(run('import', args)).rejects.toThrow(/AccessDenied/);
    identity = 'second';
    puts.length = 0;
    const { seen } = await run('import', args);
    expect(seen).toContain('table T was made anew since: the import begins from the start');
    expect(seen).toContain(`imported ${COUNT} items into T`);
    expect(seen).not.toContain('before');
    expect(new Set(puts).size).toBe(COUNT);
  });
});

test('an import that the user ends says how to go on, though its endpoint does not answer', async () => {
  const file = join(folder, 'items.json');
  writeFileSync(file, lines);
  const world = testWorld();
  let puts = 0;
  const endpoint = await fakeEndpoint((received) => {
    const ids = idsPut(received);
    if (ids === undefined) return undefined;
    puts += ids.length;
    if (puts <= 100) return undefined;
    world.interrupt();
    return refusal(500, 'InternalServerError');
  });
  const args = [file, '--table', 'T', '--endpoint', endpoint];
  await expect(runImport(args, world)).rejects.toThrow(
    `ended; the same command goes on from here (${file}.dynaring-progress)`,
  );
  expect(JSON.parse(readFileSync(`${file}.dynaring-progress`, 'utf8')).state.current.totals.put).toBeGreaterThan(0);
  await expect(runImport([...args, '--restart'], world)).rejects.toThrow(
    'ended; the same command without --restart goes on from here',
  );
});

describe('an export that failed', () => {
  /** A table of 40 pages of 10 items in two segments, whose scan fails after some pages until it is mended. */
  async function failingSource(failsAfter: number) {
    let pages = 0;
    const source = { isBroken: true, pages: () => pages, endpoint: '' };
    source.endpoint = await fakeEndpoint(({ operation, request }) => {
      if (operation !== 'Scan') return undefined;
      if (source.isBroken && pages >= failsAfter) return refusal(400, 'AccessDeniedException');
      pages++;
      const { Segment, ExclusiveStartKey } = request as { Segment: number; ExclusiveStartKey?: { id: { S: string } } };
      const from = ExclusiveStartKey === undefined ? 0 : Number(ExclusiveStartKey.id.S.split(' ')[1]) + 1;
      const Items = Array.from({ length: 10 }, (_, at) => ({ id: { S: `${Segment} ${from + at}` } }));
      return { status: 200, body: { Items, ...(from < 190 && { LastEvaluatedKey: Items[9] }) } };
    });
    return source;
  }

  test.each([['items.json'], ['items.json.gz'], ['items.csv'], ['folder']])(
    'goes on after the last page, into %s',
    async (name) => {
      const source = await failingSource(25);
      const path = join(folder, name);
      const args = ['--table', 'T', '--segments', '2', '--output', path, '--endpoint', source.endpoint];
      await expect(run('export', args)).rejects.toThrow(/AccessDenied/);
      if (name !== 'folder') expect(existsSync(path)).toBe(false);
      source.isBroken = false;
      await run('export', args);
      // A page that was read ahead of the failure is read again.
      expect(source.pages()).toBeLessThanOrEqual(40 + 2);
      const data =
        name === 'folder' ? join(path, 'AWSDynamoDB', readdirSync(join(path, 'AWSDynamoDB'))[0]!, 'data') : '';
      const files = data === '' ? [path] : readdirSync(data).map((file) => join(data, file));
      const texts = files.map((file) => {
        const bytes = readFileSync(file);
        return (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString();
      });
      const ids = texts.join('').match(/[01] \d+/g)!;
      expect(ids).toHaveLength(400);
      expect(new Set(ids).size).toBe(400);
      expect(readdirSync(folder)).toEqual([name]);
    },
  );

  test('is complete if it was killed when the file was in its place already', async () => {
    const source = await failingSource(25);
    const path = join(folder, 'items.json');
    const args = ['--table', 'T', '--segments', '2', '--output', path, '--endpoint', source.endpoint];
    await expect(run('export', args)).rejects.toThrow(/AccessDenied/);
    const progress = JSON.parse(readFileSync(`${path}.dynaring-progress`, 'utf8'));
    for (const segment of progress.state.current.segments) segment.isDone = true;
    writeFileSync(`${path}.dynaring-progress`, JSON.stringify(progress));
    renameSync(`${path}.part`, path);
    const whole = readFileSync(path, 'utf8');
    const { seen } = await run('export', args);
    expect(seen).toMatch(/exported 0 items of T to .*, \d+ items before/);
    expect(readFileSync(path, 'utf8')).toBe(whole);
    expect(readdirSync(folder)).toEqual(['items.json']);
  });

  test('does not replace a file unless it is told to', async () => {
    const source = await failingSource(100);
    const path = join(folder, 'items.json');
    writeFileSync(path, 'precious');
    const args = ['--table', 'T', '--segments', '2', '--output', path, '--endpoint', source.endpoint];
    await expect(runExport(args, testWorld())).rejects.toThrow(`${path} is there; --overwrite replaces it`);
    await run('export', [...args, '--overwrite']);
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(401);
  });
});
