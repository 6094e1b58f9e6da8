import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const LIBRARY = new URL('../../dist/index.js', import.meta.url).href;

/** Runs a program that stops a server in the midst of something. @returns what it printed, and how long it lived after that */
async function run(meanwhile: string): Promise<{ stdout: string; lingeredMs: number }> {
  const program = `
    import { startDynaring } from '${LIBRARY}';
    import { DynamoDBClient, CreateTableCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
    const db = await startDynaring({ nodes: 4, partitions: 16, consistency: 'dynamo', writeQuorum: 1 });
    const client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 1 });
    const TableName = 'things';
    await client.send(new CreateTableCommand({ TableName, BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'k', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'k', KeyType: 'HASH' }] }));
    const put = (i) => client.send(new PutItemCommand({ TableName, Item: { k: { S: String(i) } } }));
    const putAll = () => Promise.allSettled(Array.from({ length: 50 }, (_, i) => put(i)));
    await putAll();
    const { ring } = db;
    const links = ['node-1', 'node-2', 'node-3', 'node-4'].flatMap((from, i, all) =>
      all.filter((to) => to !== from).map((to) => [from, to]));
    const waiting = [];
    const underWay = () => new Promise((resolve) => setTimeout(resolve, 100));
    ${meanwhile}
    const ended = Promise.allSettled(waiting);
    await db.stop();
    client.destroy();
    process.stdout.write((await ended).map(({ reason }) => reason?.message ?? 'done').join());`;
  const child = promisify(execFile)(process.execPath, ['--input-type=module', '--no-warnings', '-e', program], {
    timeout: 20_000,
  });
  let printedMs = 0;
  child.child.stdout!.once('data', () => {
    printedMs = performance.now();
  });
  const { stdout } = await child;
  return { stdout, lingeredMs: performance.now() - printedMs };
}

test.each([
  [
    'the other nodes are down',
    "for (const id of ['node-1', 'node-2', 'node-3']) await ring.stop(id); void putAll(); await underWay();",
    'done',
  ],
  [
    'links are slow',
    'for (const [from, to] of links) ring.setLink(from, to, { delayMs: 60_000 }); void putAll(); await underWay();',
    'done',
  ],
  ['a node is paused', "ring.pause('node-1'); void putAll(); await underWay();", 'done'],
  ['a node is removed', "waiting.push(ring.removeNode('node-2'));", 'the ring is closed'],
  ['a new disk is filled', "await ring.wipe('node-2'); waiting.push(ring.settled());", 'the ring is closed'],
  ['replicas are compared', 'waiting.push(ring.repair());', 'the ring is closed'],
])('a process that stops its server while %s ends by itself, and at once', async (_, meanwhile, outcome) => {
  const { stdout, lingeredMs } = await run(`waiting.push(Promise.resolve()); ${meanwhile}`);
  expect(stdout.split(',').at(-1)).toBe(outcome);
  expect(lingeredMs).toBeLessThan(1_000);
});
