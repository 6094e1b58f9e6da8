import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ItemImage } from '../../../src/api/item.ts';
import type { TransactionChange } from '../../../src/api/mutation.ts';
import { completeConfig } from '../../../src/config.ts';
import type { ItemKey } from '../../../src/dynamo/client.ts';
import type { TransactionOutcome } from '../../../src/dynamo/transaction-client.ts';
import { ledgerEntryOf, ledgerKey } from '../../../src/dynamo/transactions/ledger.ts';
import type { DataDirectory } from '../../../src/env/data-directory.ts';
import { silentLog } from '../../../src/env/log.ts';
import { openTemporaryDirectory } from '../../../src/env/temporary-directory.ts';
import { LocalRing } from '../../../src/host/local-ring.ts';
import { eventually } from '../../parts/eventually.ts';

const STRICT = { consistency: 'strict', wantsOld: true } as const;

let directory: DataDirectory;
let ring: LocalRing;
beforeAll(async () => {
  directory = await openTemporaryDirectory();
  ring = await LocalRing.open({ settings: completeConfig({ partitions: 8 }, {}), directory, log: silentLog });
});
afterAll(async () => {
  await ring.close();
  await directory.close();
});

const image = (n: number): ItemImage => {
  const json = Buffer.from(JSON.stringify({ n: { N: String(n) } }));
  return { size: 1 + String(n).length, json };
};
const numberIn = (item: ItemImage | undefined) => item && Number(JSON.parse(Buffer.from(item.json).toString()).n.N);
const path = ['n'];
const equals = (n: number) =>
  ({
    kind: 'compare',
    comparator: '=',
    left: { kind: 'path', path },
    right: { kind: 'value', value: { N: String(n) } },
  }) as const;
const absent = { kind: 'not-exists', path } as const;

let tests = 0;
/** Items that no other test has. */
function items() {
  const table = `\0\0\0\0\0\0@${String.fromCharCode(++tests)}`;
  const key = (name: string): ItemKey => ({ table, partitionKey: name, sortKey: '' });
  const { client } = ring;
  const read = async (name: string, from: 'latest' | 'committed' = 'latest') => {
    const outcome = await client.read({ key: key(name), from, consistency: 'strict' });
    if (outcome.kind === 'found') return numberIn(outcome.item);
    expect(outcome).toEqual({ kind: 'none' });
    return undefined;
  };
  const transact = (
    actions: Record<string, TransactionChange>,
    token?: { readonly name: string; readonly digest: string },
  ) =>
    client.transact({ actions: Object.entries(actions).map(([name, change]) => ({ key: key(name), change })), token });
  const put = (name: string, n: number) => client.write(key(name), { kind: 'put', item: image(n) }, STRICT);
  const together = (...names: string[]) => client.readTogether({ items: names.map((name) => ({ key: key(name) })) });
  return { key, read, transact, put, together };
}

const put = (n: number, condition?: ReturnType<typeof equals> | typeof absent): TransactionChange => ({
  kind: 'put',
  item: image(n),
  condition,
});

function itemsIn(outcome: TransactionOutcome) {
  expect(outcome.kind).toBe('committed');
  const { items } = outcome as Extract<TransactionOutcome, { kind: 'committed' }>;
  return items.map(({ old, next }) => [numberIn(old), numberIn(next)]);
}

describe('a transaction', () => {
  test('of all kinds of action happens whole, and eventually consistent reads after it see it', async () => {
    const { read, transact, put: write, together } = items();
    for (const [name, n] of [
      ['b', 2],
      ['c', 3],
      ['d', 4],
    ] as const)
      await write(name, n);
    const outcome = await transact({
      a: put(1, absent),
      b: { kind: 'delete', condition: equals(2) },
      c: {
        kind: 'update',
        key: {},
        update: { origin: 'expression', actions: [{ kind: 'add', path, value: { N: '10' } }] },
        table: { key: { partition: { name: 'k', type: 'S' }, sort: undefined }, indexes: [] },
      },
      d: { kind: 'check', condition: equals(4) },
    });
    expect(itemsIn(outcome)).toEqual([
      [undefined, 1],
      [2, undefined],
      [3, 13],
      [4, 4],
    ]);
    for (const from of ['committed', 'latest'] as const) {
      expect(await Promise.all(['a', 'b', 'c', 'd'].map((name) => read(name, from)))).toEqual([1, undefined, 13, 4]);
    }
    const all = await together('a', 'b', 'c', 'd');
    expect(all.kind === 'items' && all.items.map(numberIn)).toEqual([1, undefined, 13, 4]);
  });

  test('of which a condition does not hold does nothing, and says which', async () => {
    const { read, transact, put: write } = items();
    await write('b', 2);
    const outcome = await transact({ a: put(1), b: put(3, equals(7)), c: { kind: 'check', condition: equals(1) } });
    expect(outcome).toMatchObject({
      kind: 'cancelled',
      reasons: [
        { kind: 'none' },
        { kind: 'condition-failed', current: { json: image(2).json } },
        { kind: 'condition-failed', current: undefined },
      ],
    });
    expect(await Promise.all(['a', 'b', 'c'].map((name) => read(name)))).toEqual([undefined, 2, undefined]);
    // What it had prepared holds nobody up.
    expect((await write('a', 5)).kind).toBe('applied');
  });

  test('with a token is done once, however often it is sent', async () => {
    const { read, transact, key } = items();
    const add: TransactionChange = {
      kind: 'update',
      key: {},
      update: { origin: 'expression', actions: [{ kind: 'add', path, value: { N: '1' } }] },
      table: { key: { partition: { name: 'k', type: 'S' }, sort: undefined }, indexes: [] },
    };
    const token = { name: `token of ${key('').table}`, digest: 'one' };
    expect(itemsIn(await transact({ a: add, b: add }, token))).toEqual([
      [undefined, 1],
      [undefined, 1],
    ]);
    const again = await transact({ a: add, b: add }, token);
    expect(again).toEqual({ kind: 'committed', isRepeated: true, items: [] });
    expect(await transact({ a: add }, { ...token, digest: 'two' })).toEqual({ kind: 'token-mismatch' });
    expect([await read('a'), await read('b')]).toEqual([1, 1]);
    const entryOf = async () => {
      const outcome = await ring.client.read({ key: ledgerKey(token.name), from: 'latest', consistency: 'strict' });
      return ledgerEntryOf(outcome.kind === 'found' ? outcome.item : undefined);
    };
    await eventually(async () => expect(await entryOf()).toMatchObject({ state: 'COMMITTED', isSettled: true }));
  });

  test('with a token that was cancelled may be sent again', async () => {
    const { transact, put: write } = items();
    const token = { name: 'again', digest: 'one' };
    expect((await transact({ a: put(1, equals(0)) }, token)).kind).toBe('cancelled');
    await write('a', 0);
    expect(itemsIn(await transact({ a: put(1, equals(0)) }, token))).toEqual([[0, 1]]);
  });

  test('moves money that is never lost, whoever moves it at the same time', async () => {
    const { read, transact, put: write, together } = items();
    const accounts = ['a', 'b', 'c'];
    for (const name of accounts) await write(name, 100);
    const seen = new Set<number>();
    let committed = 0;
    const move = async (from: string, to: string) => {
      const [x, y] = [(await read(from))!, (await read(to))!];
      const outcome = await transact({ [from]: put(x - 1, equals(x)), [to]: put(y + 1, equals(y)) });
      if (outcome.kind === 'committed') committed++;
      else expect(outcome.kind).toBe('cancelled');
    };
    const look = async () => {
      const all = await together(...accounts);
      if (all.kind === 'items') seen.add(all.items.reduce((sum, item) => sum + numberIn(item)!, 0));
      else expect(all.kind).toBe('cancelled');
    };
    const work = async (client: number) => {
      for (let i = 0; i < 15; i++) {
        await move(accounts[(i + client) % 3]!, accounts[(i + client + 1) % 3]!);
        await look();
      }
    };
    await Promise.all([0, 1, 2, 3].map(work));
    expect(committed).toBeGreaterThan(5);
    await look();
    expect([...seen]).toEqual([300]);
  });
});
