import { type DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { createTable, startServer, temporaryDirectory } from './server-process.ts';

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

// A bound on the size of files stands in for the disk: LMDB and the journal are refused what they write in the same way.
// The killed server leaves in its journals what LMDB refused.
const ENDS = ['SIGTERM', 'SIGKILL'] as const;

test.each(ENDS)(
  'a full disk is an error to the client, and nothing acknowledged is lost or damaged (%s)',
  async (end) => {
    const args = ['--data-dir', await temporaryDirectory(), '--log-level', 'silent'];
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
    expect((await full.stop(end)).signal).toBe(end === 'SIGKILL' ? end : null);

    const roomy = await startServer(args);
    for (const id of kept) expect(await has(roomy.client(), id)).toBe(true);
    expect(await put(roomy.client(), 2_000)).toBeUndefined();
    expect(await has(roomy.client(), 2_000)).toBe(true);
  },
);
