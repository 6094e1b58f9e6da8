import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { expect, onTestFinished, test } from 'vitest';
import { foundCluster, type HostNode } from './host-cluster.ts';
import { createTables, expectAll, LOG } from './load.ts';

/** How long before a node is stopped a balancer is told not to go there. */
const BALANCER_MS = 1_000;
/** Of each node that stays, clients that ask once, and for how long before and after a restart. */
const STAYING = 6;
const STAYING_MS = 500;
const ROUNDS = 3;

/** As users have it, with the retries that it has by default. */
function sdkClient(endpoint: string): DynamoDBClient {
  const client = new DynamoDBClient({
    endpoint,
    region: 'local',
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
  });
  onTestFinished(() => client.destroy());
  return client;
}

interface Failure {
  /** The node whose endpoint was named, and the one that was being restarted when it failed. */
  readonly at: HostNode;
  readonly restarted: HostNode | undefined;
  readonly error: unknown;
}

/** Writes item after item. `send` gets each, and says which node it has failed at, if it has. */
class Writer {
  readonly written: string[] = [];
  readonly #over: Promise<void>;
  #isOver = false;

  constructor(name: string, send: (put: PutItemCommand, count: number) => Promise<boolean>) {
    const run = async () => {
      for (let count = 0; !this.#isOver; count++) {
        const id = `${name} ${count}`;
        if (await send(new PutItemCommand({ TableName: LOG, Item: { id: { S: id } } }), count)) this.written.push(id);
        else await sleep(20);
      }
    };
    this.#over = run();
  }

  end(): Promise<void> {
    this.#isOver = true;
    return this.#over;
  }
}

test('a rolling restart fails no request of who goes elsewhere, and tells others that nothing has happened', async () => {
  const cluster = await foundCluster(['a', 'b', 'c']);
  const { nodes } = cluster;
  await createTables(cluster.clients[0]!);
  const clients = nodes.map(({ endpoint }) => sdkClient(endpoint));
  let restarted: HostNode | undefined;
  const failures = { balanced: [] as Failure[], several: [] as Failure[], one: [] as Failure[] };
  const attempt = async (put: PutItemCommand, at: number, told: Failure[]) => {
    try {
      await clients[at]!.send(put);
      return true;
    } catch (error) {
      told.push({ at: nodes[at]!, restarted, error });
      return false;
    }
  };
  // As a balancer does it: no new request goes to the node that is to be restarted, and those on their way arrive.
  const balanced = new Writer('balanced', (put, count) => {
    const others = [0, 1, 2].filter((at) => nodes[at] !== restarted);
    return attempt(put, others[count % others.length]!, failures.balanced);
  });
  // Whoever knows several endpoints and is told nothing: what fails at one is asked of the next.
  const several = new Writer('several', async (put, count) => {
    const refused: Failure[] = [];
    for (let next = 0; next < nodes.length; next++) {
      if (await attempt(put, (count + next) % nodes.length, refused)) return true;
    }
    failures.several.push(...refused);
    return false;
  });
  const ones = nodes.map(({ name }, at) => new Writer(`one ${name}`, (put) => attempt(put, at, failures.one)));

  const writers = [balanced, several, ...ones];
  for (const node of nodes) {
    const before = writers.map(({ written }) => written.length);
    restarted = node;
    await sleep(BALANCER_MS);
    expect((await node.process.stop('SIGTERM')).status).toBe(0);
    await node.restart();
    // Those of the node are told that it is back.
    await expect.poll(() => writers.every(({ written }, at) => written.length - before[at]! > nodes.length)).toBe(true);
    restarted = undefined;
  }
  for (const writer of writers) await writer.end();
  expect(failures.balanced).toEqual([]);
  expect(failures.several).toEqual([]);
  // The node that they name was away, then it started: by both answers nothing has happened.
  const told = failures.one.map(({ at, restarted: away, error }) => {
    const { code, name } = error as { code?: string; name: string };
    return `${at.name} while ${away?.name} is restarted: ${code ?? name}`;
  });
  const refused = nodes.map(({ name }) => `${name} while ${name} is restarted: ECONNREFUSED`);
  const starting = nodes.map(({ name }) => `${name} while ${name} is restarted: ServiceUnavailableException`);
  expect(told.filter((each) => ![...refused, ...starting].includes(each))).toEqual([]);
  expect(told).toEqual(expect.arrayContaining(refused));
  await expectAll(
    cluster.clients[2]!,
    writers.flatMap(({ written }) => written),
  );
});

test('a node that stops loses nothing of what others have it coordinate: who stays fails no request, though nobody asks twice', async () => {
  const { nodes, clients } = await foundCluster(['a', 'b', 'c']);
  await createTables(clients[0]!);
  const failures: string[] = [];
  const written: string[] = [];
  for (const restarted of Array.from({ length: ROUNDS }, () => nodes).flat()) {
    const attempt = async (put: PutItemCommand, at: number) => {
      try {
        await clients[at]!.send(put);
        return true;
      } catch (error) {
        failures.push(`${nodes[at]!.name} while ${restarted.name} is restarted: ${String(error)}`);
        return false;
      }
    };
    const staying = nodes.flatMap((node, at) => (node === restarted ? [] : Array<number>(STAYING).fill(at)));
    const writers = staying.map((at, i) => new Writer(`${i} ${written.length}`, (put) => attempt(put, at)));
    await sleep(STAYING_MS);
    expect((await restarted.process.stop('SIGTERM')).status).toBe(0);
    await restarted.restart();
    await sleep(STAYING_MS);
    for (const writer of writers) await writer.end();
    written.push(...writers.flatMap((writer) => writer.written));
  }
  expect(failures).toEqual([]);
  await expectAll(clients[0]!, written);
});
