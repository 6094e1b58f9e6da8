import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { leastOfSome } from '../parts/least-of-some.ts';
import { beginServer, createTable, runToExit, type Server, startServer } from './server-process.ts';

const TABLE = 'Things';

async function put(server: Server, id: string): Promise<void> {
  await server.client().send(new PutItemCommand({ TableName: TABLE, Item: { id: { S: id } } }));
}

async function has(server: Server, id: string): Promise<boolean> {
  const get = new GetItemCommand({ TableName: TABLE, Key: { id: { S: id } }, ConsistentRead: true });
  return (await server.client().send(get)).Item !== undefined;
}

/** An end that waits for a connection or a request takes far longer, each time. */
const LONGEST_END_MS = 1_000;

/** Has `end` start a server, end it and measure that, some times if need be. */
async function expectQuickEnd(end: () => Promise<number>): Promise<void> {
  expect(await leastOfSome(LONGEST_END_MS, 5, end)).toBeLessThan(LONGEST_END_MS);
}

/** Sends the beginning of a request, so that the server waits for the rest. */
async function beginEndlessRequest(server: Server): Promise<{ outcome: Promise<string> }> {
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode('{"TableName":')),
  });
  const headers = { 'x-amz-target': 'DynamoDB_20120810.DescribeTable' };
  const request = { method: 'POST', body, duplex: 'half', headers } as RequestInit;
  const outcome = fetch(server.endpoint, request).then(
    (answer) => `answered ${answer.status}`,
    () => 'cut',
  );
  await fetch(`${server.endpoint}/health`);
  return { outcome };
}

describe('stopping', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s ends it within a second with status 0, also with connections open',
    async (signal) => {
      await expectQuickEnd(async () => {
        const server = await startServer(['--log-level', 'warn']);
        await createTable(server.client(), TABLE);
        await put(server, 'a'); // The SDK keeps this connection open.
        const before = performance.now();
        const { status, stderr } = await server.stop(signal);
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
        return performance.now() - before;
      });
    },
  );

  test('a signal ends it at any moment of its start, with status 0', async () => {
    for (let delayMs = 0; delayMs <= 160; delayMs += 40) {
      await expectQuickEnd(async () => {
        // The note on this flag is the first that it says.
        const { child, exited, output } = beginServer(['--port', '0', '-disableTelemetry'], {});
        await expect.poll(() => output.stderr, { interval: 2, timeout: 10_000 }).toContain('-disableTelemetry');
        await sleep(delayMs);
        const before = performance.now();
        child.kill('SIGTERM');
        expect(await exited).toMatchObject({ status: 0, signal: null });
        expect(output.stderr).not.toMatch(/ (WARN|ERROR) |dynaring:/);
        return performance.now() - before;
      });
    }
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('%s ends it as process 1 of a container too', async (signal) => {
    const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
    await expectQuickEnd(async () => {
      const server = await startServer([], { under: ['unshare', ...user, '--pid', '--fork', '--mount-proc'] });
      await createTable(server.client(), TABLE);
      const [pid] = (await readFile(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8')).split(' ');
      expect(await readFile(`/proc/${pid}/status`, 'utf8')).toMatch(/^NSpid:\t\d+\t1$/m);
      const before = performance.now();
      process.kill(Number(pid), signal);
      expect((await server.exited).status).toBe(0);
      return performance.now() - before;
    });
  });

  test('a request that never ends does not hold it up', async () => {
    await expectQuickEnd(async () => {
      const server = await startServer([]);
      const request = await beginEndlessRequest(server);
      const before = performance.now();
      expect((await server.stop('SIGTERM')).status).toBe(0);
      const tookMs = performance.now() - before;
      expect(await request.outcome).toBe('cut');
      return tookMs;
    });
  });

  test('a second signal ends it at once', async () => {
    const server = await startServer([]);
    const request = await beginEndlessRequest(server);
    const ended = server.stop('SIGINT');
    await sleep(50);
    server.stop('SIGINT');
    expect((await ended).status).toBe(130);
    expect(await request.outcome).toBe('cut');
  });
});

describe('a data directory', () => {
  test('keeps tables and items through a stop and a start', async () => {
    const args = ['--data-dir', join(temporaryDirectory(), 'data')];
    const first = await startServer(args);
    await createTable(first.client(), TABLE);
    await put(first, 'kept');
    await first.stop('SIGTERM');
    const second = await startServer(args);
    expect(await has(second, 'kept')).toBe(true);
    expect(await has(second, 'other')).toBe(false);
  });

  test('is refused to a second process, and free again when the first is gone, also by kill -9', async () => {
    const args = ['--port', '0', '--data-dir', temporaryDirectory()];
    const first = await startServer(args);
    const second = await runToExit(args);
    expect(second.stderr).toMatch(/^dynaring: .*in use.*\n$/);
    expect(second.status).toBe(1);
    await first.stop('SIGKILL');
    const third = await startServer(args);
    expect((await third.stop('SIGTERM')).status).toBe(0);
  });

  test.each([
    ['--partitions', '32'],
    ['--replication', '2'],
    ['--nodes', '4'],
  ])('made otherwise is refused: %s %s', async (...other) => {
    const args = ['--port', '0', '--data-dir', temporaryDirectory()];
    await (await startServer(args)).stop('SIGTERM');
    const { status, stderr } = await runToExit([...args, ...other]);
    expect(stderr).toMatch(new RegExp(`^dynaring: .*${other[0]!.slice(2)}.*\n$`));
    expect(status).toBe(1);
    expect((await (await startServer(args)).stop('SIGTERM')).status).toBe(0);
  });
});

describe('without a data directory', () => {
  test('nothing is left behind, and what a killed process left is removed at the next start', async () => {
    const TMPDIR = temporaryDirectory();
    // In this order: a server looks for leftovers for some time after it has begun to answer.
    const living = await startServer([], { env: { TMPDIR } });
    const first = await startServer([], { env: { TMPDIR } });
    const [one, two] = await readdir(TMPDIR);
    expect([one, two].every((name) => name?.startsWith('dynaring'))).toBe(true);
    await first.stop('SIGKILL');
    expect(await readdir(TMPDIR)).toHaveLength(2);

    // Somebody else's directory, and that of a process that lives, stay.
    await mkdir(join(TMPDIR, 'dynaring-notes'));
    const next = await startServer([], { env: { TMPDIR } });
    await expect.poll(async () => (await readdir(TMPDIR)).length).toBe(3);
    await createTable(living.client(), TABLE);
    expect((await next.stop('SIGTERM')).status).toBe(0);
    expect((await living.stop('SIGINT')).status).toBe(0);
    expect(await readdir(TMPDIR)).toEqual(['dynaring-notes']);
  });
});
