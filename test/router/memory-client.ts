import type { ItemImage } from '../../src/api/item.ts';
import type { Mutation } from '../../src/api/mutation.ts';
import { applyMutation } from '../../src/api/mutation.ts';
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
  WriteOutcome,
} from '../../src/dynamo/client.ts';

/** One copy of everything in a Map: what the routers see of a cluster that never fails, unless a test says so. */
export class MemoryClient implements DynamoClient {
  readonly partitions = 4;
  readonly forgotten: string[] = [];
  /** Every call in order, for tests that count what a request costs. */
  readonly calls: ('write' | 'read' | 'range' | 'scan' | 'tables' | 'forget' | 'use-derivation')[] = [];
  /** While set, the answer to all calls of a kind, which do nothing; but `late-write` writes and yet answers `unknown`. */
  failWrite: WriteOutcome | 'late-write' | undefined;
  failRead: Failure | undefined;
  readonly #items = new Map<string, { key: ItemKey; item: ItemImage }>();

  async write(key: ItemKey, mutation: Mutation): Promise<WriteOutcome> {
    this.calls.push('write');
    await undefined;
    if (this.failWrite !== undefined && this.failWrite !== 'late-write') return this.failWrite;
    const outcome = applyMutation(mutation, this.#items.get(nameOf(key))?.item);
    if (outcome.kind === 'applied') {
      if (outcome.next === undefined) this.#items.delete(nameOf(key));
      else this.#items.set(nameOf(key), { key, item: outcome.next });
    }
    return this.failWrite === 'late-write' ? { kind: 'unknown' } : outcome;
  }

  async read({ key }: ReadRequest): Promise<ReadOutcome> {
    this.calls.push('read');
    await undefined;
    if (this.failRead !== undefined) return this.failRead;
    const found = this.#items.get(nameOf(key));
    return found === undefined ? { kind: 'none' } : { kind: 'found', item: found.item };
  }

  async range({ table, partitionKey, lower, upper, order, limit }: RangeRequest): Promise<RangeOutcome> {
    this.calls.push('range');
    await undefined;
    if (this.failRead !== undefined) return this.failRead;
    const found = [...this.#items.values()]
      .filter(({ key }) => key.table === table && key.partitionKey === partitionKey)
      .filter(({ key }) => isInside(key.sortKey, lower, upper))
      .sort((a, b) => (a.key.sortKey < b.key.sortKey ? -1 : 1));
    if (order === 'backward') found.reverse();
    return { kind: 'items', items: found.slice(0, limit).map(({ item }) => item), more: found.length > limit };
  }

  async tables(): Promise<ReadonlySet<string>> {
    this.calls.push('tables');
    return new Set([...this.#items.values()].map(({ key }) => key.table));
  }

  async scan({ table, start, segment, limit }: ScanRequest): Promise<ScanOutcome> {
    this.calls.push('scan');
    await undefined;
    if (this.failRead !== undefined) return this.failRead;
    const partition = start.kind === 'after' ? this.#partitionOf(start.partitionKey) : start.partition;
    const place = ({ partitionKey, sortKey }: Omit<ItemKey, 'table'>) => `${partitionKey}\0${sortKey}`;
    const found = [...this.#items.values()]
      .filter(({ key }) => key.table === table && this.#partitionOf(key.partitionKey) === partition)
      .filter(({ key }) => segment === undefined || this.segmentOf(key, segment.total) === segment.index)
      .filter(({ key }) => start.kind === 'partition' || place(key) > place(start))
      .sort((a, b) => (place(a.key) < place(b.key) ? -1 : 1));
    const items = found.slice(0, limit).map(({ item }) => item);
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

  #partitionOf(partitionKey: string): number {
    return partitionKey.charCodeAt(partitionKey.length - 1) % this.partitions;
  }
}

function isInside(sortKey: string, lower: SortKeyBound | undefined, upper: SortKeyBound | undefined): boolean {
  if (sortKey === lower?.sortKey && !lower.isInclusive) return false;
  if (sortKey === upper?.sortKey && !upper.isInclusive) return false;
  return (lower === undefined || sortKey >= lower.sortKey) && (upper === undefined || sortKey <= upper.sortKey);
}

function nameOf(key: ItemKey): string {
  return JSON.stringify([key.table, key.partitionKey, key.sortKey]);
}
