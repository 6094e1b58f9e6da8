import { describe, expect, test } from 'vitest';
import type { ItemImage } from '../../../src/api/item.ts';
import type { ItemKey, WriteOutcome } from '../../../src/dynamo/client.ts';
import { DEFAULT_NODE_LIMITS } from '../../../src/dynamo/node-settings.ts';
import { type Rules, SOUND_RULES } from '../../../src/dynamo/rules.ts';
import { runTask, type Task } from '../../../src/dynamo/task.ts';
import type { TransactionOutcome } from '../../../src/dynamo/transaction-client.ts';
import { changeItem, pendingAfter } from '../../../src/dynamo/transactions/item-change.ts';
import { ledgerEntryOf, ledgerOf } from '../../../src/dynamo/transactions/ledger.ts';
import { committedItem, type Pending } from '../../../src/dynamo/transactions/pending-section.ts';
import { readTogether } from '../../../src/dynamo/transactions/read-together.ts';
import { transact } from '../../../src/dynamo/transactions/transact.ts';
import type { ItemWrite, TransactionDoor } from '../../../src/dynamo/transactions/transaction-door.ts';
import { SeededRandom } from '../../../src/env/random.ts';
import { ManualClock } from '../../parts/manual-clock.ts';
import { put } from '../three-nodes.ts';

/** What becomes of a write: its leader never hears of it, and it was done or not. */
type Fate = 'done, unheard' | 'not done, unheard' | undefined;

/** Registers that answer at once, as a test says. */
class Registers {
  readonly clock = new ManualClock(1_000_000);
  readonly asked: string[] = [];
  looks = 0;
  readonly #items = new Map<string, { item: ItemImage | undefined; pending: Pending | undefined }>();
  readonly #fateOf: (what: string) => Fate;

  /** @param fateOf by what is asked: `prepare a`, `PREPARING`, `COMMITTED`, `ABORTED`, `settle a`, `forget` */
  constructor(fateOf: (what: string) => Fate = () => undefined) {
    this.#fateOf = fateOf;
  }

  write({ key, mutation }: ItemWrite): WriteOutcome {
    const what = nameOf(key, mutation);
    this.asked.push(what);
    const fate = this.#fateOf(what);
    if (fate === 'not done, unheard') return { kind: 'unknown' };
    const { item, pending } = this.#items.get(key.partitionKey) ?? { item: undefined, pending: undefined };
    const outcome = changeItem(mutation, item, pending, SOUND_RULES);
    if (outcome.kind === 'applied') {
      const prepares = pendingAfter(mutation);
      const next = prepares ? { item, pending: prepares(outcome.next) } : { item: outcome.next, pending: undefined };
      this.#items.set(key.partitionKey, next);
    }
    return fate === undefined ? outcome : { kind: 'unknown' };
  }

  /** What strong reads of the items show. */
  shown(...names: string[]): (string | undefined)[] {
    return names.map((name) => {
      const { item, pending } = this.#items.get(name) ?? { item: undefined, pending: undefined };
      const entry = pending && ledgerEntryOf(this.#items.get(`transaction:${pending.ledger}`)?.item);
      const isCommitted = entry?.attempt === pending?.attempt && entry?.state === 'COMMITTED';
      const shown = pending !== undefined && isCommitted ? committedItem(pending, item) : item;
      return shown && JSON.parse(Buffer.from(shown.json).toString()).v.S;
    });
  }

  get ledger() {
    const rows = [...this.#items].filter(([key, { item }]) => ledgerOf(key) !== undefined && item !== undefined);
    return rows.map(([, { item }]) => ledgerEntryOf(item)!);
  }

  /** Puts new items `a` and `b` in the place of what is there. @returns the outcome, once all that can be done is */
  transact(rules: Partial<Rules> = {}, token?: { name: string; digest: string }): TransactionOutcome | undefined {
    const actions = ['a', 'b'].map((name) => ({ key: keyOf(name), change: put(`new ${name}`) }));
    return this.runToEnd((door) => transact(door, { actions, token }), rules);
  }

  /** @returns what a task comes to, once all that can be done is */
  runToEnd<T>(begin: (door: TransactionDoor) => Task<T>, rules: Partial<Rules> = {}): T | undefined {
    const door: TransactionDoor = {
      clock: this.clock,
      random: new SeededRandom(this.asked.length),
      limits: DEFAULT_NODE_LIMITS,
      rules: { ...SOUND_RULES, ...rules },
      partitions: 1,
      write: (request, done) => this.clock.after(1, () => done(this.write(request))),
      look: ({ key }, done) => {
        const { item } = this.#items.get(key.partitionKey) ?? { item: undefined };
        this.looks++;
        done({ kind: 'looked', item, version: '', isHeld: false });
      },
    };
    let result: T | undefined;
    runTask(begin(door), (outcome) => {
      result = outcome;
    });
    for (let left = 5_000; left > 0 && this.clock.nextInMs !== undefined; left--) this.clock.runNext();
    return result;
  }
}

const keyOf = (name: string): ItemKey => ({ table: '\0\0\0\0\0\0@\x01', partitionKey: name, sortKey: '' });

function nameOf({ partitionKey }: ItemKey, mutation: ItemWrite['mutation']): string {
  if (mutation.kind === 'prepare' || mutation.kind === 'settle') return `${mutation.kind} ${partitionKey}`;
  if (ledgerOf(partitionKey) === undefined) return `${mutation.kind} ${partitionKey}`;
  if (mutation.kind !== 'put') return 'forget';
  const { state, isSettled } = ledgerEntryOf(mutation.item)!;
  return isSettled ? 'forget' : state;
}

const WHOLE = ['new a', 'new b'];
const NOTHING = [undefined, undefined];

describe('who leads a transaction', () => {
  test('asks for no more items once it is known that they are too large together', () => {
    const names = Array.from({ length: 100 }, (_, at) => `${at}`);
    const large: ItemImage = { size: 400_000, json: Buffer.from('{"v":{"S":"large"}}') };
    const registers = new Registers();
    for (const name of names) registers.write({ key: keyOf(name), mutation: { kind: 'put', item: large } });

    const actions = names.map((name) => ({ key: keyOf(name), change: { kind: 'delete' } as const }));
    expect(registers.runToEnd((door) => transact(door, { actions }))).toEqual({ kind: 'too-large' });
    expect(registers.asked.filter((what) => what.startsWith('prepare'))).toHaveLength(16);
    registers.looks = 0;
    expect(registers.shown(...names)).toEqual(names.map(() => 'large'));

    const items = names.map((name) => ({ key: keyOf(name) }));
    expect(registers.runToEnd((door) => readTogether(door, { items }))).toEqual({ kind: 'too-large' });
    expect(registers.looks).toBe(16);
  });

  test('prepares all, decides, settles, and has it forgotten', () => {
    const registers = new Registers();
    expect(registers.transact()?.kind).toBe('committed');
    expect(registers.asked).toEqual([
      'PREPARING',
      'prepare a',
      'prepare b',
      'COMMITTED',
      'settle a',
      'settle b',
      'forget',
    ]);
    expect([registers.shown('a', 'b'), registers.ledger]).toEqual([WHOLE, []]);
  });

  test.each(['done, unheard', 'not done, unheard'] as const)(
    'gives up if a prepare was %s, and never sends it again',
    (fate) => {
      const registers = new Registers((what) => (what === 'prepare a' ? fate : undefined));
      expect(registers.transact()).toEqual({ kind: 'unavailable', needed: 1, got: 0 });
      expect(registers.asked.filter((what) => what === 'prepare a')).toHaveLength(1);
      expect(registers.shown('a', 'b')).toEqual(NOTHING);
      // The prepare may yet come: the ledger still says what became of the transaction.
      expect(registers.ledger).toMatchObject([{ state: 'ABORTED' }]);
    },
  );

  test('finds out what became of a decision that it has not heard of', () => {
    const done = new Registers((what) => (what === 'COMMITTED' ? 'done, unheard' : undefined));
    expect(done.transact()?.kind).toBe('committed');
    expect(done.shown('a', 'b')).toEqual(WHOLE);
    const lost = new Registers((what) => (what === 'COMMITTED' ? 'not done, unheard' : undefined));
    expect(lost.transact()?.kind).toBe('unavailable');
    expect(lost.shown('a', 'b')).toEqual(NOTHING);
  });

  test('says so if it can find out nothing', () => {
    const registers = new Registers((what) =>
      what === 'COMMITTED' || what === 'ABORTED' ? 'not done, unheard' : undefined,
    );
    expect(registers.transact()).toEqual({ kind: 'unknown' });
    // Not as often as it can: nodes that answer at once that they can do nothing have enough to do.
    const { opLifeMs, maxBackoffMs } = DEFAULT_NODE_LIMITS;
    expect(registers.asked.length).toBeLessThan((2 * opLifeMs) / maxBackoffMs + 10);
  });

  test('goes on with what it has begun without having heard of it', () => {
    const registers = new Registers((what) => (what === 'PREPARING' ? 'done, unheard' : undefined));
    expect(registers.transact()?.kind).toBe('committed');
    const lost = new Registers((what) => (what === 'PREPARING' ? 'not done, unheard' : undefined));
    expect([lost.transact()?.kind, lost.asked]).toEqual(['unavailable', ['PREPARING']]);
  });

  test('keeps the entry as long as an item may have to ask for it', () => {
    const registers = new Registers((what) => (what === 'settle b' ? 'not done, unheard' : undefined));
    expect(registers.transact()?.kind).toBe('committed');
    expect(registers.ledger).toMatchObject([{ state: 'COMMITTED', isSettled: false }]);
    expect(registers.shown('a', 'b')).toEqual(WHOLE);
  });

  test('with the token of one that was left settles that first, and answers what it came to', () => {
    let isLeft = true;
    const registers = new Registers((what) => (isLeft && what.startsWith('settle') ? 'not done, unheard' : undefined));
    const token = { name: 'token', digest: 'one' };
    registers.transact({}, token);
    isLeft = false;
    registers.asked.length = 0;
    expect(registers.transact({}, token)).toEqual({ kind: 'committed', isRepeated: true, items: [] });
    expect(registers.asked).toEqual(['PREPARING', 'settle a', 'settle b', 'forget']);
    expect(registers.ledger).toMatchObject([{ isSettled: true }]);
  });

  test('that sends a prepare again may do twice what was done once', () => {
    // The first one comes when all is over.
    const late: ItemWrite[] = [];
    const registers = new Registers();
    const write = registers.write.bind(registers);
    registers.write = (request) => {
      const isFirst = request.mutation.kind === 'prepare' && request.key.partitionKey === 'a' && late.length === 0;
      if (!isFirst) return write(request);
      late.push(request);
      return { kind: 'unknown' };
    };
    const token = { name: 'token', digest: 'one' };
    expect(registers.transact({ preparesOnce: false }, token)?.kind).toBe('committed');
    write({ key: keyOf('a'), mutation: put('newer') });
    expect(registers.shown('a')).toEqual(['newer']);
    write(late[0]!);
    expect(registers.shown('a')).toEqual(['new a']);
  });
});
