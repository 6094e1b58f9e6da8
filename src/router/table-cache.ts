import type { ByteString } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import { DEFAULT_NAMESPACE } from './namespace.ts';
import { FRESH_MS } from './other-routers.ts';
import type { RouterLimits } from './router-limits.ts';

/** Which table a storage id stands for, and how the keys of its items are made. */
export type StorageDescription = Pick<Table, 'storageId' | 'namespace' | 'name' | 'key' | 'indexes' | 'stream'>;

/** The tables whose definitions are at hand: requests read and write items of no others. */
export interface TablesAtHand {
  tables(): Iterable<StorageDescription>;
  /**
   * Tells `watcher` of each table that comes to hand, before a request uses it, and of each that is no longer at hand.
   */
  watch(watcher: TableWatcher): void;
}

export interface TableWatcher {
  added(table: StorageDescription): void;
  removed(storageId: ByteString): void;
  /** A definition was read, or stored: it may be that of a table at hand, or of one that is deleted after a while. */
  defined?(table: Table): void;
}

export type CacheLimits = Pick<RouterLimits, 'maxCachedTables'>;

/** The definitions in use, which every item operation needs. */
export class TableCache implements TablesAtHand {
  readonly #limits: CacheLimits;
  /** Undefined if definitions stay until they are changed. */
  readonly #elapsedMs: (() => number) | undefined;
  /** By `labelOf`, if definitions get old. */
  readonly #sinceMs = new Map<string, number>();
  /** By `labelOf`, in the order in which they were remembered. */
  readonly #tables = new Map<string, Table>();
  readonly #watchers: TableWatcher[] = [];

  /** @param elapsedMs if there are other routers, a time that only grows */
  constructor(limits: CacheLimits, elapsedMs?: () => number) {
    this.#limits = limits;
    this.#elapsedMs = elapsedMs;
  }

  /** A name of any text may be asked for. @returns undefined also if what is known of the table is old */
  get({ namespace, name }: Pick<Table, 'namespace' | 'name'>): Table | undefined {
    const label = labelOf(namespace, name);
    const table = this.#tables.get(label);
    if (this.#elapsedMs === undefined || table === undefined) return table;
    return this.#elapsedMs() - this.#sinceMs.get(label)! < FRESH_MS ? table : undefined;
  }

  tables(): Iterable<Table> {
    return this.#tables.values();
  }

  watch(watcher: TableWatcher): void {
    this.#watchers.push(watcher);
  }

  remember(table: Table): void {
    for (const watcher of this.#watchers) watcher.defined?.(table);
    const label = labelOf(table.namespace, table.name);
    const known = this.#tables.get(label);
    // Watchers look at the ids of the indexes too.
    const isKnown = known?.storageId === table.storageId && known.derivation === table.derivation;
    if (!isKnown || !isKept(table)) this.forget(table);
    if (!isKept(table)) return;
    this.#tables.delete(label);
    if (this.#tables.size >= this.#limits.maxCachedTables) this.forget(this.#tables.values().next().value!);
    this.#tables.set(label, table);
    if (this.#elapsedMs !== undefined) this.#sinceMs.set(label, this.#elapsedMs());
    if (!isKnown) for (const watcher of this.#watchers) watcher.added(table);
  }

  forget({ namespace, name }: Pick<Table, 'namespace' | 'name'>): void {
    const label = labelOf(namespace, name);
    const known = this.#tables.get(label);
    if (known === undefined) return;
    this.#tables.delete(label);
    this.#sinceMs.delete(label);
    for (const watcher of this.#watchers) watcher.removed(known.storageId);
  }
}

/**
 * Whether the definition may be cached. The definition of a table that is being made or deleted may not: item
 * operations take what is in the cache without looking at the time.
 */
export function isKept({ transition }: Pick<Table, 'transition'>): boolean {
  return transition?.status !== 'CREATING' && transition?.status !== 'DELETING';
}

/** Names a table in this process. In the default namespace, which nearly every request uses, it costs no new string. */
export function labelOf(namespace: string, name: string): string {
  return namespace === DEFAULT_NAMESPACE ? name : `${namespace}/${name}`;
}
