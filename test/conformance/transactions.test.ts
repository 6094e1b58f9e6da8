import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BatchWriteItemCommand,
  DynamoDBClient,
  type DynamoDBServiceException,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
  TransactGetItemsCommand,
  TransactionCanceledException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Dynaring, startDynaring } from '../../src/index.ts';
import { createTable } from '../parts/tables.ts';

/**
 * Transactions of several clients at a time, beside single writes. The nodes write to disks: where all is in the memory of
 * one process, a transaction takes a single turn of its event loop, and none overlaps another.
 */

const directory = mkdtempSync(join(tmpdir(), 'dynaring-test-'));
let db: Dynaring;
const clients: DynamoDBClient[] = [];
let client: DynamoDBClient;

beforeAll(async () => {
  db = await startDynaring({ dataDir: directory });
  client = connect();
  await createTable(client, 'Accounts');
});
afterAll(async () => {
  for (const each of clients) each.destroy();
  await db.stop();
  rmSync(directory, { recursive: true, force: true });
});

function connect(maxAttempts = 1): DynamoDBClient {
  const made = new DynamoDBClient({ ...db.clientConfig(), maxAttempts });
  clients.push(made);
  return made;
}

const TableName = 'Accounts';
const key = (pk: string) => ({ pk: { S: pk } });
const add = (pk: string, amount: number, more = {}): TransactWriteItem => ({
  Update: {
    TableName,
    Key: key(pk),
    UpdateExpression: 'ADD balance :a',
    ExpressionAttributeValues: { ':a': { N: String(amount) } },
    ...more,
  },
});
const transact = (by: DynamoDBClient, TransactItems: TransactWriteItem[]) =>
  by.send(new TransactWriteItemsCommand({ TransactItems }));

/** What a request came to: `done`, the codes of its reasons, or the name of its error. */
async function fateOf(answer: Promise<unknown>): Promise<string> {
  try {
    await answer;
    return 'done';
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) return (error as DynamoDBServiceException).name;
    return error.CancellationReasons!.map(({ Code }) => Code).join(', ');
  }
}

async function balanceOf(pk: string): Promise<number> {
  const { Item } = await client.send(new GetItemCommand({ TableName, Key: key(pk), ConsistentRead: true }));
  return Number(Item?.balance?.N ?? 0);
}

test('transactions that overlap conflict, and only those that are done have happened', async () => {
  const fates = await Promise.all(
    Array.from({ length: 64 }, () => fateOf(transact(client, [add('x', 1), add('y', -1)]))),
  );
  const done = fates.filter((fate) => fate === 'done').length;
  const conflicts = fates.filter((fate) => fate.includes('TransactionConflict'));
  expect(done).toBeGreaterThan(0);
  expect(conflicts.length).toBeGreaterThan(0);
  expect(done + conflicts.length).toBe(fates.length);
  for (const fate of conflicts) expect(fate).toMatch(/^(None|TransactionConflict), (None|TransactionConflict)$/);
  expect([await balanceOf('x'), await balanceOf('y')]).toEqual([done, -done]);
});

/**
 * Messages of one node take a while: a transaction waits for the items that this node coordinates, and holds the others as
 * long.
 */
function slowNode(): void {
  const [slow, ...others] = db.ring.describe().nodes.map(({ id }) => id);
  for (const other of others) {
    db.ring.setLink(slow!, other, { delayMs: 50 });
    db.ring.setLink(other, slow!, { delayMs: 50 });
  }
  onTestFinished(() => db.ring.healLinks());
}

const HELD = Array.from({ length: 20 }, (_, at) => `held${at}`);

/** What happens to items of a transaction that is under way, again and again until it has ended. */
async function meanwhile(work: (pk: string) => Promise<unknown>): Promise<{ fate: string; seen: unknown[] }> {
  let isUnderWay = true;
  const fate = fateOf(
    transact(
      client,
      HELD.map((pk) => add(pk, 1)),
    ),
  ).finally(() => {
    isUnderWay = false;
  });
  const seen: unknown[] = [];
  await Promise.all(
    HELD.map(async (pk) => {
      while (isUnderWay) seen.push(await work(pk));
    }),
  );
  return { fate: await fate, seen };
}

test('single writes that meet a transaction are refused, and have not happened then', async () => {
  slowNode();
  const single = (pk: string) =>
    client.send(
      new UpdateItemCommand({
        TableName,
        Key: key(pk),
        UpdateExpression: 'ADD balance :a',
        ExpressionAttributeValues: { ':a': { N: '1' } },
      }),
    );
  const { fate, seen } = await meanwhile((pk) => fateOf(single(pk)));
  expect(new Set(seen)).toEqual(new Set(['done', 'TransactionConflictException']));
  const balances = await Promise.all(HELD.map(balanceOf));
  const inAll = fate === 'done' ? HELD.length : 0;
  expect(balances.reduce((sum, balance) => sum + balance, 0)).toBe(
    inAll + seen.filter((each) => each === 'done').length,
  );
});

test('items that a transaction holds are left over by a batch', async () => {
  slowNode();
  const put = async (pk: string) => {
    const RequestItems = { [TableName]: [{ PutRequest: { Item: { ...key(pk), by: { S: 'batch' } } } }] };
    const { UnprocessedItems } = await client.send(new BatchWriteItemCommand({ RequestItems }));
    if (UnprocessedItems![TableName] === undefined) return 'written';
    expect(UnprocessedItems).toEqual(RequestItems);
    return 'left over';
  };
  const { seen } = await meanwhile(put);
  expect(new Set(seen)).toEqual(new Set(['written', 'left over']));
});

describe('money', () => {
  const ACCOUNTS = 8;
  const START = 100;
  const names = Array.from({ length: ACCOUNTS }, (_, at) => `account${at}`);

  test('that concurrent clients move between accounts sums up, at every moment that a transaction reads', async () => {
    for (const name of names) {
      await client.send(new PutItemCommand({ TableName, Item: { ...key(name), balance: { N: String(START) } } }));
    }
    let isOver = false;
    const seen = new Map<string, number>();
    const note = (fate: string) => seen.set(fate, (seen.get(fate) ?? 0) + 1);
    const mover = async (seed: number) => {
      const by = connect(10);
      for (let round = 0; round < 40; round++) {
        const from = names[(seed + round) % ACCOUNTS]!;
        const to = names[(seed * 3 + round * 5 + 1) % ACCOUNTS]!;
        if (from === to) continue;
        const amount = 1 + ((seed * 7 + round) % 30);
        const enough = {
          UpdateExpression: 'SET balance = balance - :a',
          ConditionExpression: 'balance >= :a',
          ExpressionAttributeValues: { ':a': { N: String(amount) } },
        };
        note(await fateOf(transact(by, [add(from, 0, enough), add(to, amount)])));
      }
    };
    const auditor = async () => {
      let sums = 0;
      while (!isOver) {
        const TransactItems = names.map((name) => ({ Get: { TableName, Key: key(name) } }));
        const answer = await client.send(new TransactGetItemsCommand({ TransactItems })).catch(() => undefined);
        if (answer === undefined) continue;
        const balances = answer.Responses!.map(({ Item }) => Number(Item!.balance!.N));
        expect(balances.reduce((sum, balance) => sum + balance, 0)).toBe(ACCOUNTS * START);
        expect(Math.min(...balances)).toBeGreaterThanOrEqual(0);
        sums++;
      }
      return sums;
    };
    const audit = auditor();
    await Promise.all([1, 2, 3, 4, 5].map(mover)).finally(() => {
      isOver = true;
    });
    const sums = await audit;
    expect(sums).toBeGreaterThan(0);
    expect(seen.get('done')).toBeGreaterThan(20);
    const { Items } = await client.send(new ScanCommand({ TableName, ConsistentRead: true }));
    const balances = Items!.filter(({ pk }) => names.includes(pk!.S!)).map(({ balance }) => Number(balance!.N));
    expect(balances.reduce((sum, balance) => sum + balance, 0)).toBe(ACCOUNTS * START);
  });
});
