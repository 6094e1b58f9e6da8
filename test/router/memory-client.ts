import type { Derivation } from '../../src/api/derivation.ts';
import { entryPartitionKey, entrySortKey, localSortKey } from '../../src/api/entry-place.ts';
import { indexEntry } from '../../src/api/index-entry.ts';
import { fromImage, type ItemImage, toImage } from '../../src/api/item.ts';
import { applyMutation, type Mutation, type MutationOutcome } from '../../src/api/mutation.ts';
import { keyOfItem } from '../../src/api/primary-key.ts';
import type {
  DynamoClient,
  Failure,
  ItemKey,
  RangeOutcome,
  RangeRequest,
  ReadOutcome,
  ReadRequest,
  ScanOutcome,
  ScanRequest,
  SortKeyBound,
  TableCount,
  WriteOptions,
  WriteOutcome,
} from '../../src/dynamo/client.ts';
import type {
  ActionOutcome,
  TransactingClient,
  TransactionAction,
  TransactionOutcome,
  TransactionReadOutcome,
  TransactionRequest,
} from '../../src/dynamo/transaction-client.ts';

type Applied = Extract<MutationOutcome, { kind: 'applied' }>;

import { MemoryStreams } from './memory-streams.ts';

interface Stored {
  readonly key: ItemKey;
  readonly item: ItemImage;
}

/** One copy of everything in a Map: what the routers see of a cluster that never fails, unless a test says so. */
export class MemoryClient implements DynamoClient, TransactingClient {
  readonly partitions = 4;
  readonly forgotten: string[] = [];
  readonly streams = new MemoryStreams();
  /** Tables of which nothing is answered. */
  readonly fenced = new Set<string>();
  /** Whether too few nodes can be told of a fence. */
  failFence = false;
  /** Every call in order, for tests that count what a request costs. */
  readonly calls: (
    | 'write'
    | 'read'
    | 'range'
    | 'scan'
    | 'tables'
    | 'forget'
    | 'use-derivation'
    | 'transact'
    | 'read-together'
  )[] = [];
  /** While set, the answer to all calls of a kind, which do nothing; but `late-write` writes and yet answers `unknown`. */
  failWrite: WriteOutcome | 'late-write' | undefined;
  failRead: Failure | undefined;
  failTransact: TransactionOutcome | undefined;
  /** Items that other transactions hold: what would write them conflicts, and so does a transaction that reads them. */
  readonly held = new Set<string>();
  /** The transactions that were committed, by the names of their tokens. They are never forgotten. */
  readonly #committed = new Map<string, string>();
  readonly #items = new Map<string, Stored>();

  async write(key: ItemKey, mutation: Mutation, options?: Partial<WriteOptions>): Promise<WriteOutcome> {
    this.calls.push('write');
    await undefined;
    if (this.failWrite !== undefined && this.failWrite !== 'late-write') return this.failWrite;
    if (this.fenced.has(key.table)) return { kind: 'table-gone', table: key.table };
    if (this.held.has(nameOf(key))) return { kind: 'conflict' };
    const before = this.#items.get(nameOf(key))?.item;
    const outcome = applyMutation(mutation, before);
    if (outcome.kind === 'applied') {
      this.#set(key, outcome.next);
      this.#deriveEntries(options?.derivation, before, outcome.next);
      this.streams.append(options?.derivation, before, outcome.next, options?.by);
    }
    return this.failWrite === 'late-write' ? { kind: 'unknown' } : outcome;
  }

  async read({ key }: ReadRequest): Promise<ReadOutcome> {
    this.calls.push('read');
    await undefined;
    if (this.failRead !== undefined) return this.failRead;
    if (this.fenced.has(key.table)) return { kind: 'table-gone', table: key.table };
    const found = this.#items.get(nameOf(key));
    return found === undefined ? { kind: 'none' } : { kind: 'found', item: found.item };
  }

  /** All within one turn of the event loop, so that nothing comes in between. */
  async transact({ actions, token }: TransactionRequest): Promise<TransactionOutcome> {
    this.calls.push('transact');
    await undefined;
    if (this.failTransact !== undefined) return this.failTransact;
    const digest = token && this.#committed.get(token.name);
    if (digest !== undefined) {
      return digest === token!.digest ? { kind: 'committed', isRepeated: true, items: [] } : { kind: 'token-mismatch' };
    }
    const outcomes = actions.map((action) => this.#tryAction(action));
    if (outcomes.some(({ kind }) => kind !== 'applied')) {
      return {
        kind: 'cancelled',
        reasons: outcomes.map((outcome) => (outcome.kind === 'applied' ? { kind: 'none' } : outcome)),
      };
    }
    const items = outcomes.map((outcome, at) => {
      const { key, change, derivation } = actions[at]!;
      const { old, next } = outcome as Extract<typeof outcome, { kind: 'applied' }>;
      if (change.kind !== 'check') {
        this.#set(key, next);
        this.#deriveEntries(derivation, old, next);
      }
      return { old, next };
    });
    if (token !== undefined) this.#committed.set(token.name, token.digest);
    return { kind: 'committed', isRepeated: false, items };
  }

  async readTogether({ items }: Parameters<TransactingClient['readTogether']>[0]): Promise<TransactionReadOutcome> {
    this.calls.push('read-together');
    await undefined;
    if (this.failRead !== undefined) return this.failRead;
    const gone = items.find(({ key }) => this.fenced.has(key.table));
    if (gone !== undefined) return { kind: 'table-gone', table: gone.key.table };
    const conflicts = items.map(({ key }) => this.held.has(nameOf(key)));
    if (conflicts.includes(true)) return { kind: 'cancelled', conflicts };
    return { kind: 'items', items: items.map(({ key }) => this.#items.get(nameOf(key))?.item) };
  }

  /** What one action would do. A check leaves its item. */
  #tryAction({ key, change }: TransactionAction): Exclude<ActionOutcome, { kind: 'none' }> | Applied {
    if (this.fenced.has(key.table)) return { kind: 'table-gone', table: key.table };
    if (this.held.has(nameOf(key))) return { kind: 'conflict' };
    const old = this.#items.get(nameOf(key))?.item;
    if (change.kind !== 'check') return applyMutation(change, old);
    const outcome = applyMutation({ kind: 'delete', condition: change.condition }, old);
    return outcome.kind === 'applied' ? { kind: 'applied', old, next: old } : outcome;
  }

  async range(request: RangeRequest): Promise<RangeOutcome> {
    const { partitionKey, lower, upper, order, limit } = request;
    this.calls.push('range');
    await undefined;
    if (this.failRead !== undefined) return this.failRead;
    if (this.fenced.has(request.table)) return { kind: 'table-gone', table: request.table };
    const found = this.#inOrderOf(request)
      .filter(({ key }) => key.partitionKey === partitionKey)
      .filter(({ key }) => isInside(key.sortKey, lower, upper))
      .sort((a, b) => (a.key.sortKey < b.key.sortKey ? -1 : 1));
    if (order === 'backward') found.reverse();
    return { kind: 'items', items: found.slice(0, limit).map(({ item }) => item), more: found.length > limit };
  }

  async tables(): Promise<ReadonlySet<string>> {
    this.calls.push('tables');
    return new Set([...this.#items.values()].map(({ key }) => key.table));
  }

  async scan(request: ScanRequest): Promise<ScanOutcome> {
    const { start, segment, limit } = request;
    this.calls.push('scan');
    await undefined;
    if (this.failRead !== undefined) return this.failRead;
    const partition = start.kind === 'after' ? this.#partitionOf(start.partitionKey) : start.partition;
    const place = ({ partitionKey, sortKey }: Omit<ItemKey, 'table'>) => `${partitionKey}\0${sortKey}`;
    const found = this.#inOrderOf(request)
      .filter(({ key }) => this.#partitionOf(key.partitionKey) === partition)
      .filter(({ key }) => segment === undefined || this.segmentOf(key, segment.total) === segment.index)
      .filter(({ key }) => start.kind === 'partition' || place(key) > place(start))
      .sort((a, b) => (place(a.key) < place(b.key) ? -1 : 1));
    const items = found.slice(0, limit).map(({ item }) => item);
    // A read of the latest takes up a newer derivation.
    if (request.from === 'latest') for (const item of items) this.#deriveEntries(request.derivation, undefined, item);
    return { kind: 'items', items, partition, more: found.length > limit };
  }

  async countItems(tables: readonly string[]): Promise<readonly TableCount[]> {
    return tables.map((table) => {
      const items = [...this.#items.values()].filter(({ key }) => key.table === table);
      return { items: items.length, bytes: items.reduce((sum, { item }) => sum + item.size, 0), local: [] };
    });
  }

  async useDerivation(): Promise<void> {
    this.calls.push('use-derivation');
  }

  async due(): Promise<number> {
    return 0;
  }

  async fenceTables(tables: readonly string[]): Promise<boolean> {
    await undefined;
    if (!this.failFence) for (const table of tables) this.fenced.add(table);
    return !this.failFence;
  }

  async forgetTable(table: string): Promise<void> {
    this.calls.push('forget');
    this.forgotten.push(table);
    for (const [name, { key }] of this.#items) if (key.table === table) this.#items.delete(name);
  }

  async collectionBytes({ table, partitionKey }: Pick<ItemKey, 'table' | 'partitionKey'>): Promise<number> {
    const items = [...this.#items.values()].filter(
      ({ key }) => key.table === table && key.partitionKey === partitionKey,
    );
    return items.reduce((bytes, { item }) => bytes + item.size, 0);
  }

  segmentOf({ partitionKey }: Pick<ItemKey, 'partitionKey'>, total: number): number {
    return partitionKey.length % total;
  }

  /** The items of a table, or the entries of a global index; in a local index, each with its place in it as its key. */
  #inOrderOf({ table, localIndex, derivation }: RangeRequest | ScanRequest): readonly Stored[] {
    const items = [...this.#items.values()].filter(({ key }) => key.table === table);
    if (localIndex === undefined) return items;
    const index = derivation!.indexes.filter(({ kind }) => kind === 'local')[localIndex]!;
    return items.flatMap(({ key, item }) => {
      const attributes = fromImage(item);
      if (indexEntry(derivation!, index, attributes) === undefined) return [];
      return [{ key: { ...key, sortKey: localSortKey(index, attributes, key) }, item }];
    });
  }

  #deriveEntries(
    derivation: Derivation | undefined,
    before: ItemImage | undefined,
    after: ItemImage | undefined,
  ): void {
    for (const index of derivation?.indexes ?? []) {
      if (index.storageId === undefined) continue;
      for (const image of [before, after]) {
        const item = image && fromImage(image);
        const entry = indexEntry(derivation!, index, item);
        if (entry === undefined) continue;
        const itemKey = keyOfItem(derivation!.key, item!);
        const partitionKey = entryPartitionKey(index, entry);
        const sortKey = entrySortKey(index, entry, itemKey);
        this.#set({ table: index.storageId, partitionKey, sortKey }, image === after ? toImage(entry) : undefined);
      }
    }
  }

  #set(key: ItemKey, item: ItemImage | undefined): void {
    if (item === undefined) this.#items.delete(nameOf(key));
    else this.#items.set(nameOf(key), { key, item });
  }

  #partitionOf(partitionKey: string): number {
    return partitionKey.charCodeAt(partitionKey.length - 1) % this.partitions;
  }
}

function isInside(sortKey: string, lower: SortKeyBound | undefined, upper: SortKeyBound | undefined): boolean {
  if (sortKey === lower?.sortKey && !lower.isInclusive) return false;
  if (sortKey === upper?.sortKey && !upper.isInclusive) return false;
  return (lower === undefined || sortKey >= lower.sortKey) && (upper === undefined || sortKey <= upper.sortKey);
}

/** The name by which an item is `held`. */
export function nameOf(key: ItemKey): string {
  return JSON.stringify([key.table, key.partitionKey, key.sortKey]);
}
