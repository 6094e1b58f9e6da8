import {
  BatchWriteItemCommand,
  type DynamoDBClient,
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
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Dynaring, startDynaring } from '../../src/index.ts';
import { createTable } from '../parts/tables.ts';

/** Transactions of several clients at a time, beside single writes. */

let db: Dynaring;
const clients: DynamoDBClient[] = [];
let client: DynamoDBClient;

beforeAll(async () => {
  db = await startDynaring({ port: 0 });
  client = await connect();
  await createTable(client, 'Accounts');
});
afterAll(async () => {
  for (const each of clients) each.destroy();
  await db.stop();
});

async function connect(maxAttempts = 1): Promise<DynamoDBClient> {
  const { DynamoDBClient: Client } = await import('@aws-sdk/client-dynamodb');
  const made = new Client({ ...db.clientConfig(), maxAttempts });
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

test('single writes that meet a transaction are refused, and have not happened then', async () => {
  const single = () =>
    client.send(
      new UpdateItemCommand({
        TableName,
        Key: key('single'),
        UpdateExpression: 'ADD balance :a',
        ExpressionAttributeValues: { ':a': { N: '1' } },
      }),
    );
  const seen = new Map<string, number>();
  let expected = 0;
  // How often they meet depends on time alone.
  for (let round = 0; round < 40 && !seen.has('TransactionConflictException'); round++) {
    const fates = await Promise.all(
      Array.from({ length: 16 }, (_, at) =>
        fateOf(at % 2 ? single() : transact(client, [add('single', 1), add(`o${at}`, 1)])),
      ),
    );
    for (const fate of fates) seen.set(fate, (seen.get(fate) ?? 0) + 1);
    expected += fates.filter((fate) => fate === 'done').length;
    expect(await balanceOf('single')).toBe(expected);
  }
  expect([...seen.keys()]).toContain('TransactionConflictException');
});

test('items that a transaction holds are left over by a batch', async () => {
  const RequestItems = {
    [TableName]: Array.from({ length: 8 }, (_, at) => ({
      PutRequest: { Item: { ...key(`b${at}`), by: { S: 'batch' } } },
    })),
  };
  let leftOver = 0;
  for (let round = 0; round < 40 && leftOver === 0; round++) {
    const transactions = RequestItems[TableName]!.map(({ PutRequest }) =>
      fateOf(transact(client, [{ Put: { TableName, Item: PutRequest.Item } }, add(`c${round}`, 1)])),
    );
    const { UnprocessedItems } = await client.send(new BatchWriteItemCommand({ RequestItems }));
    leftOver += UnprocessedItems![TableName]?.length ?? 0;
    await Promise.all(transactions);
  }
  expect(leftOver).toBeGreaterThan(0);
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
      const by = await connect(10);
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
