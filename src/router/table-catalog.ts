import { tableNameOf } from '../api/arn.ts';
import { type AttributeMap, normaliseMap } from '../api/attribute-value.ts';
import { ApiError } from '../api/errors.ts';
import type { Condition } from '../api/expression/ast.ts';
import type { ItemImage } from '../api/item.ts';
import { keyOfKey } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient, ItemKey, WriteOptions } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import { DEFAULT_ROUTER_LIMITS, type RouterLimits } from './limits.ts';

/** The strict system table that holds the definitions: no table of a client has this storage id (a UUID is never zero). */
const SYSTEM_TABLE = '\0'.repeat(8);
const PARTITION_KEY = 'tables';
const STRICT: WriteOptions = { consistency: 'strict', wantsOld: false };
/** The one attribute of a definition's item: the JSON text of the `Table`. */
const DEFINITION = 'definition';
/** A change that loses this many races in a row gives up, having done nothing. */
const CHANGE_ATTEMPTS = 8;
/** Definitions read at a time when all are. */
const PAGE = 100;

/**
 * The definitions of all tables. They live in the cluster as items of one collection, sorted by name, so a change is one
 * compare-and-set of a register and ListTables is one range.
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
  readonly #limits: RouterLimits;
  readonly #cache = new Map<string, Table>();
  /** The last piece of work of each name that has some; as long as the requests in flight, which tier 1 limits. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(client: DynamoClient, limits = DEFAULT_ROUTER_LIMITS) {
    this.#client = client;
    this.#limits = limits;
  }

  /** The definition, if it is at hand. `tableName` may be anything; an ARN is never at hand. */
  cached(tableName: string): Table | undefined {
    return this.#cache.get(tableName);
  }

  /**
   * The definition for an item operation.
   * @param tableName a name or an ARN
   * @throws ResourceNotFoundException in the words of the item operations; ValidationException for a bad name or ARN
   */
  async get(tableName: string): Promise<Table> {
    const table = await this.find(tableNameOf(tableName));
    if (table === undefined) throw ApiError.resourceNotFound('Requested resource not found');
    return table;
  }

  /**
   * The register of an item.
   *
   * @param tableName a name or an ARN
   * @param key changed: normalised
   * @throws ApiError
   */
  async itemKey(tableName: string, key: AttributeMap): Promise<ItemKey> {
    normaliseMap(key);
    const table = await this.get(tableName);
    return { table: table.storageId, ...keyOfKey(table.key, key) };
  }

  async find(name: string): Promise<Table | undefined> {
    return this.#cache.get(name) ?? this.#inTurn(name, () => this.#load(name));
  }

  /** Stores a new table. False if its name is taken. */
  create(table: Table): Promise<boolean> {
    return this.#inTurn(table.name, () => this.#replace(undefined, table));
  }

  /**
   * Replaces a definition by what `change` makes of it, atomically: it may be called again when another change came first.
   * Returns the new definition, or undefined if there is no such table.
   */
  change(name: string, change: (table: Table) => Table): Promise<Table | undefined> {
    return this.#inTurn(name, async () => {
      for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt += 1) {
        const current = await this.#read(name);
        if (current === undefined) return undefined;
        const next = change(parse(current));
        if (await this.#replace(current, next)) return next;
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
  remove(name: string, check: (table: Table) => void): Promise<Table | undefined> {
    return this.#inTurn(name, async () => {
      for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt += 1) {
        const current = await this.#read(name);
        if (current === undefined) return undefined;
        const table = parse(current);
        check(table);
        if (await this.#erase(name, current)) {
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
    let after: string | undefined;
    for (let more = unknown.size > 0; more; ) {
      const page = await this.#page(after, PAGE);
      for (const { storageId } of page.tables) unknown.delete(storageId);
      after = page.tables.at(-1)?.name;
      more = page.more;
    }
    for (const table of unknown) await this.#client.forgetTable(table);
    return unknown.size;
  }

  /** Names in byte order, after `after`, at most `limit`; `more` if there are further ones. */
  async names(after: string | undefined, limit: number): Promise<{ names: string[]; more: boolean }> {
    const { tables, more } = await this.#page(after, limit);
    return { names: tables.map(({ name }) => name), more };
  }

  async #page(after: string | undefined, limit: number): Promise<{ tables: Table[]; more: boolean }> {
    const outcome = await this.#client.range({
      table: SYSTEM_TABLE,
      partitionKey: PARTITION_KEY,
      ...(after === undefined ? {} : { after }),
      limit,
      consistent: true,
      consistency: 'strict',
    });
    if (outcome.kind !== 'items') throw clusterError(outcome);
    return { tables: outcome.items.map((item) => parse(textOf(item))), more: outcome.more };
  }

  /**
   * Reads a definition and writes it back unchanged before caching it. A read alone would not do: an earlier change whose
   * outcome was unknown may still be on its way, and only a later write decides that it happened or never will
   * (REPLICATION.md, I4). Without such a write (a full disk, say) the definition is used but not kept.
   */
  async #load(name: string): Promise<Table | undefined> {
    const known = this.#cache.get(name);
    if (known !== undefined) return known;
    const text = await this.#read(name);
    if (text === undefined) return undefined;
    const table = parse(text);
    const outcome = await this.#client.write(
      keyOf(name),
      {
        kind: 'put',
        item: imageOf(text),
        condition: unchanged(text),
      },
      STRICT,
    );
    if (outcome.kind === 'applied') this.#remember(table);
    return table;
  }

  async #read(name: string): Promise<string | undefined> {
    const outcome = await this.#client.read(keyOf(name), true, 'strict');
    if (outcome.kind === 'none') return undefined;
    if (outcome.kind !== 'found') throw clusterError(outcome);
    return textOf(outcome.item);
  }

  /** @returns false if the stored definition is not `current` (undefined: none) */
  async #replace(current: string | undefined, next: Table): Promise<boolean> {
    const outcome = await this.#client.write(
      keyOf(next.name),
      {
        kind: 'put',
        item: imageOf(JSON.stringify(next)),
        condition: unchanged(current),
      },
      STRICT,
    );
    if (outcome.kind === 'condition-failed') return false;
    this.#cache.delete(next.name);
    if (outcome.kind !== 'applied') throw clusterError(outcome);
    this.#remember(next);
    return true;
  }

  async #erase(name: string, current: string): Promise<boolean> {
    const outcome = await this.#client.write(keyOf(name), { kind: 'delete', condition: unchanged(current) }, STRICT);
    if (outcome.kind === 'condition-failed') return false;
    this.#cache.delete(name);
    if (outcome.kind !== 'applied') throw clusterError(outcome);
    return true;
  }

  #remember(table: Table): void {
    this.#cache.delete(table.name);
    if (this.#cache.size >= this.#limits.maxCachedTables) this.#cache.delete(this.#cache.keys().next().value!);
    this.#cache.set(table.name, table);
  }

  /** Runs `work` when all earlier work of this name has ended, however it ended. */
  #inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(work, work);
    this.#turns.set(name, turn);
    const leave = () => {
      if (this.#turns.get(name) === turn) this.#turns.delete(name);
    };
    turn.then(leave, leave);
    return turn;
  }
}

function keyOf(name: string): ItemKey {
  return { table: SYSTEM_TABLE, partitionKey: PARTITION_KEY, sortKey: name };
}

/**
 * Holds as long as the stored definition is `current`. Its text holds the table's id, so a table that was deleted and made
 * again is not taken for the same; one that was changed and changed back is, which harms nobody.
 */
function unchanged(current: string | undefined): Condition {
  const path = [DEFINITION];
  if (current === undefined) return { kind: 'not-exists', path };
  return {
    kind: 'compare',
    comparator: '=',
    left: { kind: 'path', path },
    right: { kind: 'value', value: { S: current } },
  };
}

function imageOf(text: string): ItemImage {
  const json = Buffer.from(JSON.stringify({ [DEFINITION]: { S: text } }));
  return { json, size: DEFINITION.length + Buffer.byteLength(text) };
}

function textOf(image: ItemImage): string {
  const item = JSON.parse(Buffer.from(image.json).toString()) as { [DEFINITION]: { S: string } };
  return item[DEFINITION].S;
}

function parse(text: string): Table {
  return JSON.parse(text) as Table;
}
