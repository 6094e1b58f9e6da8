import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { createTable, startServer } from './server-process.ts';

const TABLE = 'Large';
const MIB = 1024 * 1024;
const PADDING = 'x'.repeat(100 * 1024);

async function put(client: DynamoDBClient, id: number): Promise<string | undefined> {
  const Item = { id: { S: String(id) }, padding: { S: PADDING } };
  try {
    await client.send(new PutItemCommand({ TableName: TABLE, Item }));
  } catch (error) {
    return (error as Error).name;
  }
}

async function has(client: DynamoDBClient, id: number): Promise<boolean> {
  const get = new GetItemCommand({ TableName: TABLE, Key: { id: { S: String(id) } }, ConsistentRead: true });
  return (await client.send(get)).Item?.padding?.S === PADDING;
}

/** The lines of a log of JSON: anything else in standard error fails. */
function messages(stderr: string): unknown[] {
  const lines = stderr.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line).message);
}

const FULL = 'the disk is full: writes fail, reads go on';
const OVER = 'the disk takes writes again';

/** A disk of so many bytes; undefined where mounting is not allowed. */
async function mountDisk(bytes: number): Promise<string | undefined> {
  const path = temporaryDirectory();
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path]);
  if (status !== 0) return undefined;
  onTestFinished(() => {
    spawnSync('umount', ['--lazy', path]);
  });
  return path;
}

// A bound on the size of files stands in for the disk: LMDB and the journal are refused what they write in the same way.
// The killed server leaves in its journals what LMDB refused.
const ENDS = ['SIGTERM', 'SIGKILL'] as const;

test.each(ENDS)(
  'a full disk is an error to the client, and nothing acknowledged is lost or damaged (%s)',
  async (end) => {
    const args = ['--data-dir', temporaryDirectory(), '--log-format', 'json'];
    const full = await startServer(args, { maxFileBytes: 8 * MIB });
    const client = full.client();
    await createTable(client, TABLE);
    const kept: number[] = [];
    let refusal: string | undefined;
    for (let id = 0; id < 200 && refusal === undefined; id++) {
      refusal = await put(client, id);
      if (refusal === undefined) kept.push(id);
    }
    expect(refusal).toBe('InternalServerError');
    expect(kept.length).toBeGreaterThan(10);

    // It goes on answering. What a refused write would have taken may be room enough for another.
    for (let id = 1_000; id < 1_010; id++) {
      refusal = await put(client, id);
      if (refusal === undefined) kept.push(id);
      else expect(refusal).toBe('InternalServerError');
    }
    for (const id of kept) expect(await has(client, id)).toBe(true);
    const { signal, stderr } = await full.stop(end);
    expect(signal).toBe(end === 'SIGKILL' ? end : null);
    expect(messages(stderr).filter((message) => message === FULL)).toEqual([FULL]);

    const roomy = await startServer(args);
    for (const id of kept) expect(await has(roomy.client(), id)).toBe(true);
    expect(await put(roomy.client(), 2_000)).toBeUndefined();
    expect(await has(roomy.client(), 2_000)).toBe(true);
  },
);

test('a disk that is full is told of in one line, and so is that it is no more', async (context) => {
  const disk = await mountDisk(64 * MIB);
  if (disk === undefined) return context.skip('a file system cannot be mounted here');
  const ballast = join(disk, 'ballast');
  writeFileSync(ballast, Buffer.alloc(40 * MIB));
  const server = await startServer(['--data-dir', join(disk, 'data'), '--log-format', 'json']);
  const client = server.client();
  await createTable(client, TABLE);
  let id = 0;
  for (; id < 400 && (await put(client, id)) === undefined; id++);
  expect(id).toBeLessThan(400);
  // LMDB is asked again every half second.
  await sleep(1_500);
  rmSync(ballast);
  await expect.poll(() => put(client, id), { timeout: 5_000 }).toBeUndefined();
  await expect.poll(() => messages(server.stderr()), { timeout: 9_000 }).toContain(OVER);
  const { stderr } = await server.stop('SIGTERM');
  expect(messages(stderr)).toEqual([FULL, OVER]);
}, 30_000);
