import { tableNameOf } from '../api/arn.ts';
import { type AttributeMap, normaliseMap } from '../api/attribute-value.ts';
import { ApiError } from '../api/errors.ts';
import { type ByteString, keyOfKey } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import { isUsable, settledTable, statusAt } from '../api/transition.ts';
import type { DynamoClient, ItemKey, WriteOptions } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import {
  definitionImage,
  definitionKey,
  definitionRange,
  definitionText,
  parseDefinition,
  SYSTEM_TABLE,
  unchanged,
} from './definition-item.ts';
import { DEFAULT_NAMESPACE } from './namespace.ts';
import { DEFAULT_ROUTER_LIMITS, type RouterLimits } from './router-limits.ts';

const STRICT: WriteOptions = { consistency: 'strict', wantsOld: false };
/** A change that loses this many races in a row gives up, having done nothing. */
const CHANGE_ATTEMPTS = 8;
/** Definitions read at a time when all are. */
const PAGE = 100;

/** Where a table is found. */
type Place = Pick<Table, 'namespace' | 'name'>;

/** What a storage id stands for. */
export type StorageDescription = Pick<Table, 'namespace' | 'name' | 'key'>;

/**
 * The definitions of all tables. They live in the cluster as items of one collection, sorted by namespace and name, so a
 * change is one compare-and-set of a register, and ListTables is one range.
 *
 * The item path needs a definition per request, so this keeps the ones in use. With one router the cache is exact: all
 * changes come through here, those of one name take turns, and a definition enters the cache only after a write that the
 * cluster applied (see `load`).
 *
 * Hazard: with several routers it is not. Another router's cache would go on serving a table that was changed or deleted,
 * and write items under a storage id that nobody can reach. Before a second router runs, a change must be announced to and
 * acknowledged by every router, or cached definitions must carry a lease that a change waits out.
 */
export class TableCatalog {
  readonly #client: DynamoClient;
  readonly #limits: Pick<RouterLimits, 'maxCachedTables'>;
  /** By `labelOf`. */
  readonly #cache = new Map<string, Table>();
  /** The same, by storage id. */
  readonly #byStorage = new Map<ByteString, Table>();
  /** The last piece of work of each table that has some; as long as the requests in flight, which tier 1 limits. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(client: DynamoClient, limits: Pick<RouterLimits, 'maxCachedTables'> = DEFAULT_ROUTER_LIMITS) {
    this.#client = client;
    this.#limits = limits;
  }

  /** The definition, if it is at hand. `tableName` may be anything; an ARN is never at hand. */
  cached(namespace: string, tableName: string): Table | undefined {
    return this.#cache.get(labelOf(namespace, tableName));
  }

  /** What a storage id stands for, of a table that is at hand; undefined for any other, and once it is deleted. */
  describeStorage(storageId: ByteString): StorageDescription | undefined {
    return this.#byStorage.get(storageId);
  }

  /**
   * The definition for an item operation.
   * @param tableName a name or an ARN
   * @param nowMs the time of the request; undefined: of a table that is seen to be under way, too, as administrators want it
   * @throws ResourceNotFoundException in the words of the item operations; ValidationException for a bad name or ARN
   */
  async get(namespace: string, tableName: string, nowMs?: number): Promise<Table> {
    const table = await this.find(namespace, tableNameOf(tableName), nowMs);
    if (table === undefined || (nowMs !== undefined && !isUsable(table, nowMs)))
      throw ApiError.resourceNotFound('Requested resource not found');
    return table;
  }

  /**
   * The register of an item.
   *
   * @param tableName a name or an ARN
   * @param key changed: normalised
   * @throws ApiError
   */
  async itemKey(namespace: string, tableName: string, key: AttributeMap): Promise<ItemKey> {
    normaliseMap(key);
    const table = await this.get(namespace, tableName);
    return { table: table.storageId, ...keyOfKey(table.key, key) };
  }

  /** @param nowMs a table whose deletion was seen for its time is deleted by now; undefined: it is still found */
  async find(namespace: string, name: string, nowMs?: number): Promise<Table | undefined> {
    const place = { namespace, name };
    return this.cached(namespace, name) ?? this.#inTurn(place, () => this.#load(place, nowMs));
  }

  /** Stores a new table. False if its name is taken. */
  create(table: Table): Promise<boolean> {
    return this.#inTurn(table, () => this.#replace(undefined, table));
  }

  /**
   * Replaces a definition by what `change` makes of it, atomically: it may be called again when another change came first.
   * Returns the new definition, or undefined if there is no such table.
   */
  change(namespace: string, name: string, change: (table: Table) => Table): Promise<Table | undefined> {
    const place = { namespace, name };
    return this.#inTurn(place, async () => {
      for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt += 1) {
        const current = await this.#read(place);
        if (current === undefined) return undefined;
        const next = change(parseDefinition(current));
        if (await this.#replace(current, next)) return next;
      }
      throw clusterError({ kind: 'overloaded' });
    });
  }

  /** Stores a table, in place of the one of its name, whose records go, if there is one. */
  put(table: Table): Promise<void> {
    return this.#inTurn(table, async () => {
      for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt += 1) {
        const current = await this.#read(table);
        if (!(await this.#replace(current, table))) continue;
        if (current !== undefined) await this.#client.forgetTable(parseDefinition(current).storageId);
        return;
      }
      throw clusterError({ kind: 'overloaded' });
    });
  }

  /**
   * Removes a definition and then the table's records. `check` may object by throwing.
   * Returns the removed definition, or undefined if there is no such table.
   *
   * A process that ends between the two, a removal whose outcome stays unknown and happens later, a write that was on its
   * way and a node that is down leave records that no request reaches: `forgetDeleted` finds them.
   */
  remove(namespace: string, name: string, check: (table: Table) => void): Promise<Table | undefined> {
    const place = { namespace, name };
    return this.#inTurn(place, async () => {
      for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt += 1) {
        const current = await this.#read(place);
        if (current === undefined) return undefined;
        const table = parseDefinition(current);
        check(table);
        if (await this.#erase(place, current)) {
          await this.#client.forgetTable(table.storageId);
          return table;
        }
      }
      throw clusterError({ kind: 'overloaded' });
    });
  }

  /**
   * Erases the records of tables that are no more. A table has no record before it has a definition, and its id is never
   * used again: so one that has records at first and no definition after that was deleted, whatever happens meanwhile.
   *
   * @returns how many tables that were
   */
  async forgetDeleted(): Promise<number> {
    const unknown = new Set(await this.#client.tables());
    unknown.delete(SYSTEM_TABLE);
    for (const { storageId } of this.#cache.values()) unknown.delete(storageId);
    let after: Place | undefined;
    for (let more = unknown.size > 0; more; ) {
      const page = await this.list(undefined, after, PAGE);
      for (const { storageId } of page.tables) unknown.delete(storageId);
      after = page.tables.at(-1);
      more = page.more;
    }
    for (const table of unknown) await this.#client.forgetTable(table);
    return unknown.size;
  }

  /** Deletes the tables whose deletion was seen for its time. */
  async finishDeletions(nowMs: number): Promise<void> {
    let after: Place | undefined;
    for (let more = true; more; ) {
      const page = await this.list(undefined, after, PAGE);
      const deleted = page.tables.filter((table) => statusAt(table, nowMs) === undefined);
      for (const { namespace, name } of deleted) await this.find(namespace, name, nowMs);
      after = page.tables.at(-1);
      more = page.more;
    }
  }

  /**
   * The tables of one namespace or of all, sorted by namespace and name in byte order: at most `limit`, after `after`, which
   * need not exist; `more` if there are further ones.
   */
  async list(
    namespace: string | undefined,
    after: Place | undefined,
    limit: number,
  ): Promise<{ tables: Table[]; more: boolean }> {
    const outcome = await this.#client.range(definitionRange(namespace, after, limit));
    if (outcome.kind !== 'items') throw clusterError(outcome);
    return { tables: outcome.items.map((item) => parseDefinition(definitionText(item))), more: outcome.more };
  }

  /**
   * Reads a definition and writes it back unchanged before caching it. A read alone would not do: an earlier change whose
   * outcome was unknown may still be on its way, and only a later write decides that it happened or never will
   * (docs/protocol.md I4). Without such a write (a full disk, say) the definition is used but not kept.
   */
  async #load(place: Place, nowMs: number | undefined): Promise<Table | undefined> {
    const known = this.cached(place.namespace, place.name);
    if (known !== undefined) return known;
    const text = await this.#read(place);
    if (text === undefined) return undefined;
    const stored = parseDefinition(text);
    if (nowMs !== undefined && statusAt(stored, nowMs) === undefined) {
      if (await this.#erase(place, text)) await this.#client.forgetTable(stored.storageId);
      return undefined;
    }
    const isOver = nowMs !== undefined && statusAt(stored, nowMs) === 'ACTIVE';
    const table = isOver ? settledTable(stored) : stored;
    if (!isKept(table)) return table;
    const item = definitionImage(table === stored ? text : JSON.stringify(table));
    const outcome = await this.#client.write(
      definitionKey(place),
      { kind: 'put', item, condition: unchanged(text) },
      STRICT,
    );
    if (outcome.kind === 'applied') this.#remember(table);
    return table;
  }

  async #read(place: Place): Promise<string | undefined> {
    const outcome = await this.#client.read({ key: definitionKey(place), from: 'latest', consistency: 'strict' });
    if (outcome.kind === 'none') return undefined;
    if (outcome.kind !== 'found') throw clusterError(outcome);
    return definitionText(outcome.item);
  }

  /** @returns false if the stored definition is not `current` (undefined: none) */
  async #replace(current: string | undefined, next: Table): Promise<boolean> {
    const item = definitionImage(JSON.stringify(next));
    const outcome = await this.#client.write(
      definitionKey(next),
      { kind: 'put', item, condition: unchanged(current) },
      STRICT,
    );
    if (outcome.kind === 'condition-failed') return false;
    this.#forget(next);
    if (outcome.kind !== 'applied') throw clusterError(outcome);
    this.#remember(next);
    return true;
  }

  async #erase(place: Place, current: string): Promise<boolean> {
    const mutation = { kind: 'delete', condition: unchanged(current) } as const;
    const outcome = await this.#client.write(definitionKey(place), mutation, STRICT);
    if (outcome.kind === 'condition-failed') return false;
    this.#forget(place);
    if (outcome.kind !== 'applied') throw clusterError(outcome);
    return true;
  }

  #remember(table: Table): void {
    this.#forget(table);
    if (!isKept(table)) return;
    if (this.#cache.size >= this.#limits.maxCachedTables) this.#forget(this.#cache.values().next().value!);
    this.#cache.set(labelOf(table.namespace, table.name), table);
    this.#byStorage.set(table.storageId, table);
  }

  #forget({ namespace, name }: Place): void {
    const label = labelOf(namespace, name);
    const known = this.#cache.get(label);
    if (known === undefined) return;
    this.#cache.delete(label);
    this.#byStorage.delete(known.storageId);
  }

  /** Runs `work` when all earlier work of this table has ended, however it ended. */
  #inTurn<T>({ namespace, name }: Place, work: () => Promise<T>): Promise<T> {
    const label = labelOf(namespace, name);
    const turn = (this.#turns.get(label) ?? Promise.resolve()).then(work, work);
    this.#turns.set(label, turn);
    const leave = () => {
      if (this.#turns.get(label) === turn) this.#turns.delete(label);
    };
    turn.then(leave, leave);
    return turn;
  }
}

/**
 * Whether the definition may be at hand. One of a table that is made or deleted is not, so that the items' way, which
 * takes what is at hand, need not look at the time.
 */
function isKept({ transition }: Table): boolean {
  return transition?.status !== 'CREATING' && transition?.status !== 'DELETING';
}

/** Names a table in this process. The default namespace, which nearly every request is for, costs no new string. */
function labelOf(namespace: string, name: string): string {
  return namespace === DEFAULT_NAMESPACE ? name : `${namespace}/${name}`;
}
