import { setTimeout as sleep } from 'node:timers/promises';
import { type DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { expect } from 'vitest';
import { answerOf, contend, REGISTERS, readAll } from '../processes/register-clients.ts';
import { createTable } from '../processes/server-process.ts';
import { checkLinearizability, type Operation } from '../simulation/linearizability.ts';
import type { HostCluster } from './host-cluster.ts';

/** The table of what was written once; its partition key is the text `id`. */
export const LOG = 'Log';
/** Clients that contend for the registers; each goes from node to node. */
const CONTENDERS = 5;
/** Clients that write item after item. */
const WRITERS = 3;
/** How long clients go on between two faults. */
const CALM_MS = 1_500;
/** A client to which a node was down waits this long. */
const DOWN_PAUSE_MS = 20;

/** What clients do to a cluster until they are told to stop, and what they were told. */
export class Load {
  readonly history: Operation[] = [];
  readonly acknowledged: string[] = [];
  #isOver = false;
  readonly #running: readonly Promise<void>[];

  /** @param clients each of which is asked in turn */
  constructor(clients: readonly DynamoDBClient[]) {
    const next = (from: number) => {
      let count = from;
      return () => clients[count++ % clients.length]!;
    };
    this.#running = [
      ...Array.from({ length: CONTENDERS }, (_, at) =>
        contend(next(at), `client-${at}`, this.history, () => this.#isOver),
      ),
      ...Array.from({ length: WRITERS }, (_, at) => this.#write(next(at), at)),
    ];
  }

  /** Waits until each client has been answered so many times more. */
  async goOn(): Promise<void> {
    const before = this.acknowledged.length;
    await sleep(CALM_MS);
    await expect.poll(() => this.acknowledged.length - before).toBeGreaterThan(WRITERS);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }

  async #write(nextClient: () => DynamoDBClient, writer: number): Promise<void> {
    for (let count = 0; !this.#isOver; count++) {
      const id = `${writer}-${count}`;
      const put = new PutItemCommand({ TableName: LOG, Item: { id: { S: id } } });
      const answer = await nextClient()
        .send(put)
        .then(() => 'acknowledged', answerOf);
      if (answer === 'acknowledged') this.acknowledged.push(id);
      else await sleep(DOWN_PAUSE_MS);
    }
  }
}

/** Each of these items is there. */
export async function expectAll(client: DynamoDBClient, ids: readonly string[]): Promise<void> {
  const missing: string[] = [];
  for (let at = 0; at < ids.length; at += 20) {
    const found = await Promise.all(
      ids.slice(at, at + 20).map(async (id) => {
        const get = new GetItemCommand({ TableName: LOG, Key: { id: { S: id } }, ConsistentRead: true });
        return (await client.send(get)).Item !== undefined;
      }),
    );
    for (const [i, isFound] of found.entries()) if (!isFound) missing.push(ids[at + i]!);
  }
  expect(missing).toEqual([]);
}

/** After the faults: the replicas become alike, no acknowledged write is lost, and each key has one history. */
export async function expectOneHistory({ nodes, clients }: HostCluster, load: Load): Promise<void> {
  await load.end();
  await nodes[0]!.administer('POST', '/wait-until-consistent');
  await expectHistoryOfRest(clients, load);
}

/** As `expectOneHistory`, of the nodes that are left. @param clients of theirs */
export async function expectHistoryOfRest(clients: readonly DynamoDBClient[], load: Load): Promise<void> {
  await load.end();
  for (const client of clients) await readAll(client, load.history);
  await expectAll(clients.at(-1)!, load.acknowledged);
  expect(checkLinearizability(load.history)).toEqual({ kind: 'linearizable' });
}

/** The tables that clients write to. */
export async function createTables(client: DynamoDBClient): Promise<void> {
  for (const table of [REGISTERS, LOG]) await createTableInTime(client, table);
}

/** Where nodes have just begun, on a machine that has other things to do, the first attempts may be answered by an error. */
export async function createTableInTime(client: DynamoDBClient, name: string): Promise<void> {
  const attempt = () =>
    createTable(client, name).then(
      () => 'made',
      (error: Error) => error.name,
    );
  await expect.poll(attempt, { interval: 500 }).toMatch(/^(made|ResourceInUseException)$/);
}
