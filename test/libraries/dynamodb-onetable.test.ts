// biome-ignore-all lint/suspicious/noTemplateCurlyInString: OneTable fills these templates in.
import { DynamoDBClient, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { type Entity, Table } from 'dynamodb-onetable';
import { Dynamo } from 'dynamodb-onetable/Dynamo';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Dynaring, startDynaring } from '../../src/index.ts';

/** OneTable: models in one table that it makes itself, unique attributes by items of their own, batches and transactions. */

const schema = {
  format: 'onetable:1.1.0',
  version: '0.0.1',
  indexes: { primary: { hash: 'pk', sort: 'sk' }, gs1: { hash: 'gs1pk', sort: 'gs1sk' } },
  models: {
    Account: {
      pk: { type: String, value: 'account#${name}' },
      sk: { type: String, value: 'account#' },
      gs1pk: { type: String, value: 'account#' },
      gs1sk: { type: String, value: 'account#${name}' },
      name: { type: String, required: true },
      balance: { type: Number, default: 0 },
    },
    User: {
      pk: { type: String, value: 'user#${id}' },
      sk: { type: String, value: 'user#' },
      id: { type: String, required: true },
      email: { type: String, required: true, unique: true },
    },
  },
  params: { isoDates: true, timestamps: false },
} as const;
type AccountType = Entity<typeof schema.models.Account>;
type UserType = Entity<typeof schema.models.User>;

let db: Dynaring;
let client: DynamoDBClient;
let table: Table<typeof schema>;

beforeAll(async () => {
  db = await startDynaring();
  client = new DynamoDBClient(db.clientConfig());
  table = new Table({ name: 'OneTable', client: new Dynamo({ client }), schema, partial: false, logger: false });
  await table.createTable();
});
afterAll(async () => {
  client?.destroy();
  await db?.stop();
});

const accounts = () => table.getModel<AccountType>('Account');
const balances = async (...names: string[]) =>
  Promise.all(names.map(async (name) => (await accounts().get({ name }, { consistent: true }))?.balance));

test('items are made, found, changed and removed', async () => {
  await accounts().create({ name: 'zoe', balance: 1 });
  await expect(accounts().create({ name: 'zoe' })).rejects.toThrow();
  expect(await accounts().update({ name: 'zoe' }, { add: { balance: 2 } })).toMatchObject({ balance: 3 });
  expect((await accounts().find({}, { index: 'gs1' })).map(({ name }) => name)).toEqual(['zoe']);
  await accounts().remove({ name: 'zoe' });
  expect(await accounts().get({ name: 'zoe' })).toBeUndefined();
});

describe('a transaction', () => {
  test('moves money, or moves none', async () => {
    await accounts().create({ name: 'ann', balance: 10 });
    await accounts().create({ name: 'bob' });
    const move = async (amount: number) => {
      const transaction = {};
      const substitutions = { amount };
      await accounts().update(
        { name: 'ann' },
        { add: { balance: -amount }, where: '${balance} >= @{amount}', substitutions, transaction },
      );
      await accounts().update({ name: 'bob' }, { add: { balance: amount }, transaction });
      await table.transact('write', transaction);
    };
    await move(7);
    expect(await balances('ann', 'bob')).toEqual([3, 7]);
    const error = await move(7).catch((reason) => reason);
    expect(error.context.err).toBeInstanceOf(TransactionCanceledException);
    expect(error.context.err.CancellationReasons.map(({ Code }: { Code: string }) => Code)).toEqual([
      'ConditionalCheckFailed',
      'None',
    ]);
    expect(await balances('ann', 'bob')).toEqual([3, 7]);
  });

  test('reads several items at one moment', async () => {
    const transaction = {};
    await accounts().get({ name: 'ann' }, { transaction });
    await accounts().get({ name: 'bob' }, { transaction });
    const found = (await table.transact('get', transaction, {
      parse: true,
      hidden: false,
    })) as unknown as AccountType[];
    expect(found.map(({ name, balance }) => [name, balance])).toEqual([
      ['ann', 3],
      ['bob', 7],
    ]);
  });

  test('keeps an attribute unique', async () => {
    const users = table.getModel<UserType>('User');
    await users.create({ id: '1', email: 'a@example.com' });
    await expect(users.create({ id: '2', email: 'a@example.com' })).rejects.toThrow(/unique/);
    expect(await users.get({ id: '2' })).toBeUndefined();
    await users.update({ id: '1', email: 'b@example.com' });
    await users.create({ id: '2', email: 'a@example.com' });
    await users.remove({ id: '1' });
    await users.create({ id: '3', email: 'b@example.com' });
    expect((await users.get({ id: '3' }))!.email).toBe('b@example.com');
  });
});
