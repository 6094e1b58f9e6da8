import { tableNameOf } from '../api/arn.ts';
import { type AttributeMap, normaliseMap } from '../api/attribute-value.ts';
import { ApiError } from '../api/errors.ts';
import { storageIdsOf } from '../api/index-storage.ts';
import type { RequestContext } from '../api/operations.ts';
import { type ByteString, keyOfKey } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import { isUsable, settledTable, statusAt } from '../api/transition.ts';
import { type DynamoClient, type ItemKey, SYSTEM_TABLE } from '../dynamo/client.ts';
import type { StreamClient } from '../dynamo/stream-client.ts';
import { clusterError } from './cluster-errors.ts';
import { ComingTables } from './coming-tables.ts';
import { parseDefinition } from './definition-item.ts';
import { registerDerivation } from './derivation-register.ts';
import { isLeaving, leavingTable } from './leaving-table.ts';
import type { OtherRouters } from './other-routers.ts';
import { DEFAULT_ROUTER_LIMITS } from './router-limits.ts';
import { eraseDefinition, listDefinitions, type Place, readDefinition, storeDefinition } from './stored-definitions.ts';
import { registerStream, streamRowPages } from './stream-rows.ts';
import { type CacheLimits, isKept, labelOf, TableCache, type TablesAtHand, type TableWatcher } from './table-cache.ts';
import { forgetRemains } from './table-remains.ts';
import { Turns } from './turns.ts';

/** A change that loses this many races in a row gives up; it has done nothing then. */
const CHANGE_ATTEMPTS = 8;
/** Definitions per page when all tables are read. */
const PAGE = 100;

/** Who looks for a table. */
export type TableView =
  /**
   * A request that came at `nowMs`, in ms since 1970. It does not find a table that has been DELETING for its time:
   * looking for that finishes the deletion.
   */
  | { readonly kind: 'client'; readonly nowMs: number }
  /** An administrator, who finds every table that has a definition, whatever its status. */
  | { readonly kind: 'administrator' };

export const ADMINISTRATOR: TableView = { kind: 'administrator' };

/**
 * The definitions of all tables. They are items of one collection in the cluster, sorted by namespace and name. So a
 * change is one compare-and-set of a register, and ListTables is one range read.
 *
 * Every item operation needs a definition, so this caches those in use. With one router the cache is exact: all changes
 * come through here, changes of one name take turns, and a definition enters the cache only after a write that the
 * cluster applied (see `#load`).
 *
 * With several routers it may be stale, and nobody waits for all of them. The id of a deleted table is fenced at the
 * replicas before the deletion is answered, so a router that has not heard of it is told `table-gone`, forgets the
 * definition and reads the present one (docs/protocol.md section 9.6). Keys never change under an id: of a table that was
 * changed, a stale definition is wrong about throughput and expiry alone, for some minutes at most.
 */
export class TableCatalog implements TablesAtHand {
  readonly #client: DynamoClient;
  readonly #cache: TableCache;
  readonly #coming: ComingTables;
  readonly #turns = new Turns();
  readonly #others: OtherRouters | undefined;
  readonly #streams: StreamClient | undefined;
  /** Counts the changes of others: what was read before one may be older than it. */
  #heard = 0;

  /** @param others undefined: this is the only router of the cluster */
  constructor(
    client: DynamoClient,
    limits: CacheLimits = DEFAULT_ROUTER_LIMITS,
    others?: OtherRouters,
    streams?: StreamClient,
  ) {
    this.#client = client;
    this.#streams = streams;
    this.#others = others;
    this.#coming = new ComingTables(client, others);
    this.#cache = new TableCache(limits, others && (() => others.elapsedMs()));
  }

  /** The definition, if it is in the cache. `tableName` may be any text; a table is never cached by its ARN. */
  cached(namespace: string, tableName: string): Table | undefined {
    return this.#cache.get({ namespace, name: tableName });
  }

  tables(): Iterable<Table> {
    return this.#cache.tables();
  }

  watch(watcher: TableWatcher): void {
    this.#cache.watch(watcher);
  }

  /**
   * The table of a client's request on items: at once if it is at hand, which nearly always it is. Callers await only a
   * promise, so that a request does not pay for a turn that it does not need.
   * @param tableName a name or an ARN
   * @throws ApiError as `get` does, by rejection
   */
  tableFor(tableName: string, { nowMs }: Pick<RequestContext, 'nowMs'>, namespace: string): Table | Promise<Table> {
    return this.cached(namespace, tableName) ?? this.get(namespace, tableName, { kind: 'client', nowMs });
  }

  /**
   * The definition of a table on whose items somebody wants to work.
   * @param tableName a name or an ARN
   * @throws ResourceNotFoundException in the words of the item operations, also if the view is a client's and the table
   *   is being made or deleted; ValidationException for a bad name or ARN
   */
  async get(namespace: string, tableName: string, view: TableView): Promise<Table> {
    const table = await this.find(namespace, tableNameOf(tableName), view);
    if (table === undefined || (view.kind === 'client' && !isUsable(table, view.nowMs)))
      throw ApiError.resourceNotFound('Requested resource not found');
    return table;
  }

  /**
   * Where an administrator finds an item.
   * @param tableName a name or an ARN
   * @param key in DynamoDB's JSON; it stays as it is
   * @throws ApiError as GetItem would
   */
  async itemKey(namespace: string, tableName: string, key: AttributeMap): Promise<ItemKey> {
    const normalised = structuredClone(key);
    normaliseMap(normalised);
    const table = await this.get(namespace, tableName, ADMINISTRATOR);
    return { table: table.storageId, ...keyOfKey(table.key, normalised) };
  }

  /** @returns undefined if there is no such table for this view */
  async find(namespace: string, name: string, view: TableView): Promise<Table | undefined> {
    const place = { namespace, name };
    return (
      this.cached(namespace, name) ??
      this.#inTurn(place, async () => this.cached(namespace, name) ?? this.#load(place, view))
    );
  }

  /** As `find`, but never an earlier definition than the present one, whichever router has changed it. */
  async present(namespace: string, name: string, view: TableView): Promise<Table | undefined> {
    if (this.#others === undefined) return this.find(namespace, name, view);
    const place = { namespace, name };
    return this.#inTurn(place, () => this.#load(place, view));
  }

  /** Another router has changed or removed the definition: it is read anew when it is needed. */
  noteChanged(place: Place): void {
    this.#heard++;
    this.#cache.forget(place);
  }

  /** The table with this id was deleted: whatever has the id is forgotten. */
  forgetGone(storageId: ByteString): void {
    for (const table of this.#cache.tables()) {
      if (storageIdsOf(table).includes(storageId)) return this.#cache.forget(table);
    }
  }

  /** Stores a new table. @returns false if its name is taken */
  create(table: Table): Promise<boolean> {
    return this.#inTurn(table, async () => (await this.#replace(undefined, table)) !== undefined);
  }

  /**
   * Replaces a definition atomically.
   * @param change makes the new definition of the present one, or throws; called again if another change came first
   * @returns the new definition, or undefined if there is no such table
   */
  change(namespace: string, name: string, change: (table: Table) => Table): Promise<Table | undefined> {
    const place = { namespace, name };
    return this.#inTurn(place, async () => {
      for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt += 1) {
        const current = await readDefinition(this.#client, place);
        if (current === undefined) return undefined;
        const table = parseDefinition(current);
        if (isLeaving(table)) {
          await this.#end(place, current);
          continue;
        }
        const next = await this.#replace(current, change(table));
        if (next === undefined) continue;
        await this.#others?.tellChanged(place);
        return next;
      }
      throw clusterError({ kind: 'overloaded' });
    });
  }

  /** Stores a table. A table of the same name is replaced, and its records are erased. */
  put(table: Table): Promise<void> {
    return this.#inTurn(table, async () => {
      for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt += 1) {
        const current = await readDefinition(this.#client, table);
        const last = current && (await this.#fence(table, current));
        if (current !== undefined && last === undefined) continue;
        if ((await this.#replace(last, table)) === undefined) continue;
        if (current !== undefined) await forgetRemains(this.#client, this.#streams, parseDefinition(current));
        return;
      }
      throw clusterError({ kind: 'overloaded' });
    });
  }

  /**
   * Removes a definition, and then the records of its table.
   *
   * Some records may stay that no request can reach: after a crash between the two steps, after a removal whose outcome
   * was unknown and that happened later, of a write that was under way, and on a node that is down. `forgetDeleted`
   * finds them.
   * @param check may object by throwing
   * @returns the removed definition, or undefined if there is no such table
   */
  remove(namespace: string, name: string, check: (table: Table) => void): Promise<Table | undefined> {
    const place = { namespace, name };
    return this.#inTurn(place, async () => {
      for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt += 1) {
        const current = await readDefinition(this.#client, place);
        if (current === undefined) return undefined;
        const table = parseDefinition(current);
        // Another router's deletion, which this one ends.
        const isOthers = isLeaving(table);
        if (!isOthers) check(table);
        if ((await this.#end(place, current)) && !isOthers) return table;
      }
      throw clusterError({ kind: 'overloaded' });
    });
  }

  /** Writes what is derived from a table, of which items are written next, and the row of its stream. */
  async announce(table: Table): Promise<void> {
    await registerDerivation(this.#client, table);
    await registerStream(this.#client, table);
  }

  /**
   * Does `work`, which writes items of tables that have no definition yet and then stores the definitions: meanwhile
   * `forgetDeleted` leaves these tables alone.
   */
  whileComing<T>(storageIds: readonly ByteString[], work: () => Promise<T>): Promise<T> {
    return this.#coming.during(storageIds, work);
  }

  /**
   * Erases the records of deleted tables. A table has no records before it has a definition, unless it is in `whileComing`,
   * and its id is never used again. So a table that has records in a first look and no definition in a later one was
   * deleted, whatever happens meanwhile.
   *
   * @returns how many tables were erased
   */
  async forgetDeleted(): Promise<number> {
    const unknown = new Set(await this.#client.tables());
    unknown.delete(SYSTEM_TABLE);
    for (const storageId of await this.#coming.all()) unknown.delete(storageId);
    const spare = (table: Table) => {
      for (const storageId of storageIdsOf(table)) unknown.delete(storageId);
    };
    // With other routers, what is cached may be deleted.
    if (this.#others === undefined) for (const table of this.#cache.tables()) spare(table);
    if (unknown.size === 0) return 0;
    for await (const tables of this.pages(undefined)) {
      for (const table of tables) spare(table);
    }
    for await (const rows of streamRowPages(this.#client, undefined, PAGE)) {
      for (const { storageId } of rows) unknown.delete(storageId);
    }
    // Perhaps who deleted them could not tell enough nodes.
    if (this.#others !== undefined && !(await this.#client.fenceTables([...unknown]))) return 0;
    for (const table of unknown) await this.#client.forgetTable(table);
    return unknown.size;
  }

  /** Deletes the tables that have been DELETING for their time. */
  async finishDeletions(nowMs: number): Promise<void> {
    for await (const tables of this.pages(undefined)) {
      const deleted = tables.filter((table) => statusAt(table, nowMs) === undefined);
      for (const { namespace, name } of deleted) await this.present(namespace, name, { kind: 'client', nowMs });
    }
  }

  /** The tables of a namespace or, if it is undefined, of all, page by page in the order of `list`. */
  async *pages(namespace: string | undefined): AsyncGenerator<readonly Table[]> {
    let after: Table | undefined;
    for (let more = true; more; ) {
      const page = await this.list(namespace, after, PAGE);
      yield page.tables;
      after = page.tables.at(-1);
      more = page.more && after !== undefined;
    }
  }

  /**
   * One page of the tables of a namespace or, if it is undefined, of all: sorted by namespace and name in byte order.
   * @param after the page begins behind this table, which need not exist; undefined: at the first
   * @returns at most `limit` tables, and whether there are more
   */
  async list(
    namespace: string | undefined,
    after: Place | undefined,
    limit: number,
  ): Promise<{ tables: Table[]; more: boolean }> {
    return listDefinitions(this.#client, { namespace, after, limit });
  }

  /**
   * Reads a definition and writes it back unchanged before caching it. A read alone would not do: an earlier change
   * whose outcome was unknown may still be under way, and only a later write decides whether it happened or never will
   * (docs/protocol.md I4). Without such a write (if the disk is full, say) the definition is used but not cached. It is not
   * even used before nodes find what is derived from the table (`#register`).
   */
  async #load(place: Place, view: TableView): Promise<Table | undefined> {
    const heard = this.#heard;
    const text = await readDefinition(this.#client, place);
    if (text === undefined) {
      this.#cache.forget(place);
      return undefined;
    }
    const stored = parseDefinition(text);
    const status = view.kind === 'client' ? statusAt(stored, view.nowMs) : 'as stored';
    if (status === undefined) return (await this.#end(place, text)) ? undefined : this.#load(place, view);
    const table = status === 'ACTIVE' ? settledTable(stored) : stored;
    if (!isKept(table)) return table;
    const outcome = await storeDefinition(this.#client, table, text, table === stored ? text : undefined);
    await this.announce(table);
    if (outcome.kind === 'applied' && heard === this.#heard) this.#cache.remember(table);
    return table;
  }

  /**
   * @param current the stored definition; undefined: none
   * @returns the new one; undefined if the stored definition is another
   */
  async #replace(current: string | undefined, next: Table): Promise<Table | undefined> {
    const heard = this.#heard;
    const outcome = await storeDefinition(this.#client, next, current);
    if (outcome.kind === 'condition-failed') return undefined;
    if (outcome.kind !== 'applied') {
      this.#cache.forget(next);
      throw clusterError(outcome);
    }
    return this.#register(next, heard);
  }

  /**
   * Has nodes find what is derived from a table whose definition is stored, and caches that: so no request names a derivation
   * that nodes do not find. The other way round, a change that ended in between would have left the nodes a derivation
   * without an index that the table still has. After such an end, whoever loads the definition comes here again.
   */
  async #register(table: Table, heard: number): Promise<Table> {
    try {
      await this.announce(table);
    } catch (error) {
      this.#cache.forget(table);
      throw error;
    }
    if (heard === this.#heard) this.#cache.remember(table);
    else this.#cache.forget(table);
    return table;
  }

  /**
   * Erases a definition, and what the storage nodes have of its table.
   * @param current the stored definition
   * @returns false if it is another one by now: nothing was done
   * @throws ApiError if the cluster fails; whoever looks for the table later goes on
   */
  async #end(place: Place, current: string): Promise<boolean> {
    const last = await this.#fence(place, current);
    if (last === undefined) return false;
    const outcome = await eraseDefinition(this.#client, place, last);
    // What has been fenced by this router may be erased by another.
    if (outcome.kind === 'condition-failed') return this.#others !== undefined;
    this.#cache.forget(place);
    if (outcome.kind !== 'applied') throw clusterError(outcome);
    await forgetRemains(this.#client, this.#streams, parseDefinition(current));
    return true;
  }

  /**
   * Before a definition goes: with other routers, no request of theirs is acknowledged by its id afterwards, and its name is
   * taken until then.
   * @returns the definition as it is stored then; undefined if it was another one
   */
  async #fence(place: Place, current: string): Promise<string | undefined> {
    if (this.#others === undefined) return current;
    const table = parseDefinition(current);
    const last = isLeaving(table) ? current : JSON.stringify(leavingTable(table));
    if (last !== current) {
      const outcome = await storeDefinition(this.#client, table, current, last);
      if (outcome.kind === 'condition-failed') return undefined;
      this.#cache.forget(place);
      if (outcome.kind !== 'applied') throw clusterError(outcome);
    }
    const told = this.#others.tellChanged(place);
    if (!(await this.#client.fenceTables(storageIdsOf(table)))) throw clusterError({ kind: 'unknown' });
    await told;
    return last;
  }

  /** Runs `work` when all earlier work of this table has ended, however it ended. */
  #inTurn<T>({ namespace, name }: Place, work: () => Promise<T>): Promise<T> {
    return this.#turns.take(labelOf(namespace, name), work);
  }
}
