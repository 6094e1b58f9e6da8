import { strict as assert } from 'node:assert';
import type { ByteString, EncodedKey } from '../../src/api/primary-key.ts';
import { localRows, partitionOf, prefixEnd, sortKeyRange } from '../../src/dynamo/keyspace.ts';
import type { NodeLimits } from '../../src/dynamo/node-settings.ts';
import { type Random, randomBelow } from '../../src/env/random.ts';
import { rangeOf } from '../dynamo/coordination-requests.ts';
import type { ChosenRecords } from './chosen-records.ts';
import type { History } from './history.ts';
import { drawIndexQuery, drawLocalQuery, type IndexQuery, isShownBy, type LocalQuery } from './index-action.ts';
import type { EntryRead } from './index-checker.ts';
import { type IndexedItems, itemNameIn, textOf } from './indexed-items.ts';
import { registerValueOf } from './item-value.ts';
import type { RegisterAnswer, RegisterValue } from './linearizability.ts';
import type { SimulatedHost } from './simulated-host.ts';
import type { Coordinate, SimulatedKey } from './workload.ts';

/** What clients ask of the indexes of one table, and what they are told. */
export class IndexQueries {
  readonly #parts: IndexQueriesParts;

  constructor(parts: IndexQueriesParts) {
    this.#parts = parts;
  }

  drawGlobal(): IndexQuery {
    const { random, items, lags } = this.#parts;
    return drawIndexQuery(random, items, lags);
  }

  /** @param key one of the collection */
  drawLocal(key: SimulatedKey): LocalQuery {
    const { random, items } = this.#parts;
    const places = this.#collectionOf(key).flatMap((each) =>
      this.#parts.seen(each).flatMap((value) => items.localPlace(encodedKeyOf(each), value) ?? []),
    );
    return drawLocalQuery(random, items, places);
  }

  /**
   * @param host whom the client turns to
   * @param done is told what the answer was
   */
  ask(query: IndexQuery | LocalQuery, host: SimulatedHost, key: SimulatedKey, done: (what: string) => void): void {
    if (query.kind === 'index-query') this.#askGlobal(query, host, done);
    else this.#askLocal(query, host, key, done);
  }

  #askGlobal(query: IndexQuery, host: SimulatedHost, done: (what: string) => void): void {
    const { random, items, homesOf, writeQuorum } = this.#parts;
    const { index, order, limit, from } = query;
    const collection = items.collectionOf(index, query.partition);
    const homes = homesOf(partitionOf(collection));
    // The replicas that rules of lag hold back; else often one that is at home here.
    const candidates = (from === 'laggard' ? homes.slice(writeQuorum) : homes).filter(({ votes }) => votes);
    const isHome = from === 'laggard' || random.next() < 0.7;
    const asked = isHome && candidates.length > 0 ? candidates[randomBelow(random, candidates.length)]! : host;
    const range = { from: collection, to: prefixEnd(collection) };
    const calledAt = this.#parts.history.now();
    asked.remote!.coordinate(rangeOf(range, from, { limit, order }), (outcome) => {
      if (outcome.kind !== 'items') return done(outcome.kind);
      const shown = outcome.items.map((item) => ({ name: itemNameIn(item), text: textOf(item) }));
      const answeredAt = this.#parts.history.now();
      this.#parts.history.entryReads.push({ index, calledAt, answeredAt, collection, shown, isCut: outcome.more });
      this.#checkEntries(query, shown);
      done(`${shown.map(({ text }) => text).join(' | ') || 'nothing'}${outcome.more ? ', and more' : ''}`);
    });
  }

  /** Every entry has to be one that a chosen version of its item had. */
  #checkEntries({ index, limit }: IndexQuery, shown: EntryRead['shown']): void {
    assert(shown.length <= limit, 'more entries than asked for');
    const { keys, chosen, items, history } = this.#parts;
    for (const { name, text } of shown) {
      const key = keys.find((each) => each.name === name)!;
      const wasChosen = chosen.chosen(key.storeKey).some(({ item }) => {
        const value = registerValueOf(item);
        return value !== null && items.entryOf(index, encodedKeyOf(key), value)?.text === text;
      });
      if (!wasChosen) history.dirtyEntries.push(`${index.name} showed ${text}`);
    }
  }

  /** A strong query counts as a read of each item of the collection: of those that it does not show, too. */
  #askLocal(query: LocalQuery, host: SimulatedHost, key: SimulatedKey, done: (what: string) => void): void {
    const { items } = this.#parts;
    const { limit, from, order } = query;
    const keys = this.#collectionOf(key);
    const begunAt = this.#parts.history.now();
    const records = keys.map((each) => this.#parts.startRead(each, from));
    const range = sortKeyRange(localRows(key.collection, 0), query.lower, query.upper);
    const request = rangeOf(range, from, { limit, order, localIndex: 0, derivation: items.derivation });
    this.#parts.coordinate(host, request, (outcome) => {
      if (outcome.kind !== 'items') return done(outcome.kind);
      assert(outcome.items.length <= limit, 'more items than asked for');
      const values = outcome.items.map((item) => registerValueOf(item)!);
      const shown = values.map((value) => {
        const at = keys.findIndex((each) => this.#parts.seen(each).includes(value));
        assert(at >= 0, 'a value that no item of this collection has had');
        return { at, value, place: items.localPlace(encodedKeyOf(keys[at]!), value) };
      });
      const last = outcome.more ? shown.at(-1)?.place : undefined;
      this.#checkOrder(query, keys, shown);
      for (const [at, each] of keys.entries()) {
        const found = shown.find((item) => item.at === at);
        if (found !== undefined) records[at]!({ kind: 'read', value: found.value });
        else if (from !== 'latest' || (outcome.more && last === undefined) || !this.#isSureOf(each, begunAt))
          records[at]!({ kind: 'unknown' });
        else {
          const encoded = encodedKeyOf(each);
          const isPossible = (value: RegisterValue) => !isShownBy(query, items, { key: encoded, value, last });
          records[at]!({ kind: 'read-as-one-of', isPossible });
        }
      }
      done(`${values.join(', ') || 'nothing'}${outcome.more ? ', and more' : ''}`);
    });
  }

  /**
   * Whether an item that a query did not show was outside its range at some instant. If replicas are asked for several pages,
   * an item that moves from a later page to an earlier one is in neither, so it must not have been written meanwhile.
   */
  #isSureOf({ storeKey }: SimulatedKey, begunAt: number): boolean {
    if (this.#parts.limits.rangeSpareEntries >= this.#parts.keys.length) return true;
    const writes = this.#parts.history.operations.filter(({ key, call }) => key === storeKey && call.kind !== 'read');
    return writes.every(({ answer, returnedAt }) => answer.kind !== 'unknown' && returnedAt < begunAt);
  }

  #checkOrder(
    query: LocalQuery,
    keys: readonly SimulatedKey[],
    shown: readonly { readonly at: number; readonly value: string; readonly place: ByteString | undefined }[],
  ): void {
    const { items } = this.#parts;
    for (const [index, { at, value, place }] of shown.entries()) {
      assert(isShownBy(query, items, { key: encodedKeyOf(keys[at]!), value, last: undefined }), 'not of this range');
      const before = shown[index - 1]?.place;
      if (before === undefined) continue;
      assert(query.order === 'forward' ? before < place! : before > place!, 'not in order, or twice');
    }
    assert(new Set(shown.map(({ at }) => at)).size === shown.length, 'an item is shown twice');
  }

  #collectionOf({ collection, partitionKey }: SimulatedKey): readonly SimulatedKey[] {
    return this.#parts.keys.filter((key) => key.collection === collection && key.partitionKey === partitionKey);
  }
}

export function encodedKeyOf({ partitionKey, storeKey, collection }: SimulatedKey): EncodedKey {
  return { partitionKey, sortKey: storeKey.slice(collection.length) };
}

export interface IndexQueriesParts {
  readonly random: Random;
  readonly history: History;
  readonly chosen: ChosenRecords;
  readonly keys: readonly SimulatedKey[];
  readonly items: IndexedItems;
  readonly limits: NodeLimits;
  /** Whether replicas may be held back. */
  readonly lags: boolean;
  /** W */
  readonly writeQuorum: number;
  /** The members of a partition as they are decided now. */
  readonly homesOf: (partition: number) => readonly SimulatedHost[];
  /** The values that a key has had. */
  readonly seen: (key: SimulatedKey) => readonly string[];
  /** Has a host coordinate a request. */
  readonly coordinate: Coordinate;
  /** Begins a read. @returns what to call with the answer */
  readonly startRead: (key: SimulatedKey, from: LocalQuery['from']) => (answer: RegisterAnswer) => void;
}
