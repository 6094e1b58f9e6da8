import type { ByteString } from '../../api/primary-key.ts';
import type { Clock } from '../../env/clock.ts';
import { DAMAGED, type HalfOpenRange, isCutShort, keyAfter, type Store, type StoreKey } from '../../env/store.ts';
import {
  collectionSizeRow,
  collectionsOfRows,
  indexOfRow,
  isSizeRow,
  itemOfRow,
  KEYS_END,
  localRowKey,
  partitionOf,
  partitionRange,
  placeOfRow,
  sortKeyOf,
} from '../keyspace.ts';
import type { RangeEntry } from '../messages.ts';
import type { NodeSettings } from '../node-settings.ts';
import { decodeRecord, type ItemRecord, type ReplicaState } from '../record.ts';
import type { PageQuery } from './page-query.ts';

/** Records or rows looked at in one go while rows are checked: each record may be an item of 400 KB. */
const CHECKED_AT_ONCE = 64;
const CHECK_PAUSE_MS = 1;
/** Records read in one go while the size of a collection is added up again. */
const COUNTED_AT_ONCE = { limit: 64, bytesLimit: 1024 * 1024 } as const;

/** What a replica tells of a range of a local index. */
export interface LocalPage {
  /** The items whose rows are in the range, in the order of the index: what is committed of each. */
  readonly entries: readonly RangeEntry[];
  /** Items of the same collections that may be in the range although no row says so: each has to be read by itself. */
  readonly unsettled: readonly StoreKey[];
  /** The last row that was looked at, if there are more behind it. */
  readonly end: StoreKey | undefined;
}

interface LocalRowsParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly settings: NodeSettings;
  /** The state of a key as the store has it; a damaged record is noted. */
  readonly stateOf: (key: StoreKey) => ReplicaState;
  /** The keys in a range that are damaged, and were written over. */
  readonly markedIn: (range: HalfOpenRange) => readonly StoreKey[];
  /** The keys of a range that a transaction has prepared and that are not settled; undefined if that is not known yet. */
  readonly pendingIn: (range: HalfOpenRange) => readonly StoreKey[] | undefined;
  /** Marks a key as damaged, until its newest record is restored. */
  readonly markDamaged: (key: StoreKey) => void;
}

/**
 * The rows of local indexes, in the store `lsi`: a function of the committed records of this replica, so nothing of them is
 * ever sent to another node (docs/protocol.md section 14.5).
 *
 * A row is written before its record, and removed after it. A crash keeps a beginning of what was written, so it may leave
 * a row too much, never one too few. Whoever reads a row compares it with the record, and removes it if they do not agree.
 */
export class LocalRows {
  readonly #parts: LocalRowsParts;
  /** Partitions whose rows are being checked, since one was damaged: what to call when they are whole. */
  readonly #checking = new Map<number, Check>();
  /** Collections whose sizes are added up again, by the rows that have them. */
  readonly #recounts = new Map<StoreKey, Recount>();
  #isStopped = false;

  constructor(parts: LocalRowsParts) {
    this.#parts = parts;
  }

  /** The store is about to be closed. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Has the rows of a key follow its committed record.
   * @param before what was committed, undefined if nothing, or if that cannot be read
   * @param write puts the new record in the place of the old one, or removes that
   */
  follow(key: StoreKey, before: ItemRecord | undefined, after: ItemRecord | undefined, write: () => void): void {
    // One look for items that are in no local index.
    if (before?.hasLocals !== true && after?.hasLocals !== true) return write();
    const [old, present] = [rowsOf(key, before), rowsOf(key, after)];
    const isFirst = this.#parts.settings.rules.rowsBeforeRecord;
    if (!isFirst) write();
    for (const row of present) if (!old.includes(row)) this.#put(row, key);
    if (isFirst) write();
    for (const row of old) if (!present.includes(row)) this.#parts.store.remove('lsi', row);
    this.#count(key, bytesIn(after) - bytesIn(before));
  }

  /** The record of a key was removed from the store. @param stored its bytes */
  noteRemoved(key: StoreKey, stored: Uint8Array): void {
    const record = decodeRecord(stored);
    for (const row of rowsOf(key, record)) this.#parts.store.remove('lsi', row);
    this.#count(key, -bytesIn(record));
  }

  /**
   * The size of the item collection of a key: of its items, and of what their entries in local indexes have, by the
   * service's rules. Of a table without local indexes it is not known, and 0. A crash may make it wrong by the last write.
   */
  collectionBytes(key: StoreKey): number {
    const stored = this.#parts.store.get('lsi', collectionSizeRow(key));
    return stored === undefined || stored === DAMAGED ? 0 : Buffer.from(stored).readDoubleBE();
  }

  /**
   * Nobody knows any more what a record had of the size of its collection, since it cannot be read: adds up the collection
   * again, in small steps. Call it again for each such record.
   */
  recount(key: StoreKey): void {
    const row = collectionSizeRow(key);
    if (this.#isStopped || this.#parts.store.get('lsi', row) === undefined) return;
    const recount: Recount = { through: '', bytes: 0 };
    this.#recounts.set(row, recount);
    this.#parts.clock.after(CHECK_PAUSE_MS, () => this.#recountOn(row, recount));
  }

  #recountOn(row: StoreKey, recount: Recount): void {
    const { store, clock } = this.#parts;
    // Another one may have begun anew.
    if (this.#isStopped || this.#recounts.get(row) !== recount) return;
    const { from, to } = collectionsOfRows({ from: row, to: keyAfter(row) });
    const lower = recount.through === '' ? from : keyAfter(recount.through);
    const page = store.range('items', { from: lower, to, ...COUNTED_AT_ONCE });
    // What is still damaged is recounted when it is replaced.
    for (const { value } of page) if (value !== DAMAGED) recount.bytes += bytesIn(decodeRecord(value));
    recount.through = page.at(-1)?.key ?? recount.through;
    if (isCutShort(page, COUNTED_AT_ONCE)) {
      clock.after(CHECK_PAUSE_MS, () => this.#recountOn(row, recount));
      return;
    }
    this.#recounts.delete(row);
    this.#putSize(row, recount.bytes);
  }

  /**
   * The first rows of a range within one index, with what is committed of their items.
   * @param what `committed` leaves out what is not settled
   * @returns undefined if rows of the partition are damaged: they are being made again; `crowded` if too many items of
   *   these collections are not settled
   */
  page(query: PageQuery, what: 'all' | 'committed'): LocalPage | undefined | 'crowded' {
    if (this.#checking.has(partitionOf(query.from))) return undefined;
    const { store, stateOf } = this.#parts;
    const { order, limit, bytesLimit } = query;
    const rows = store.range('lsi', { from: query.from, to: query.to, order, limit });
    const entries: RangeEntry[] = [];
    let end = isCutShort(rows, { limit }) ? rows.at(-1)!.key : undefined;
    let bytes = 0;
    for (const { key: row, value } of rows) {
      if (value === DAMAGED) {
        this.check(partitionOf(row), () => {});
        return undefined;
      }
      const key = itemOfRow(row, latin1(value));
      const state = stateOf(key);
      if (state.isDamaged === true) entries.push({ key, isDamaged: true });
      else if (isRowOf(row, state.committed)) entries.push({ key, committed: state.committed });
      else if (!isSizeRow(row)) store.remove('lsi', row);
      bytes += state.committed?.stored.length ?? 0;
      if (bytes >= bytesLimit && row !== rows.at(-1)!.key) {
        end = row;
        break;
      }
    }
    if (what === 'committed') return { entries, unsettled: [], end };
    const covered =
      order === 'forward' ? { from: query.from, to: end ?? query.to } : { from: end ?? query.from, to: query.to };
    const unsettled = this.#unsettledIn(covered, query);
    return unsettled === undefined ? 'crowded' : { entries, unsettled, end };
  }

  /**
   * Makes the rows of a partition agree with its records, in small steps. Until then `page` tells nothing of it.
   * @param done called when that is so
   */
  check(partition: number, done: () => void): void {
    const underWay = this.#checking.get(partition);
    if (underWay !== undefined) {
      underWay.waiting.push(done);
      return;
    }
    const check: Check = { waiting: [done], through: '', sizes: new Map() };
    this.#checking.set(partition, check);
    const range = partitionRange(partition);
    this.#checkRecords(range, check, () => {
      this.removeStray(range, () => {
        this.#checking.delete(partition);
        for (const each of check.waiting) each();
      });
    });
  }

  /** Removes rows of a range that are damaged, or belong to no record, in small steps. */
  removeStray({ from, to }: HalfOpenRange, done: () => void): void {
    const { store, clock, stateOf } = this.#parts;
    if (this.#isStopped) return;
    const rows = store.range('lsi', { from, to, limit: CHECKED_AT_ONCE });
    for (const { key: row, value } of rows) {
      if (isSizeRow(row) && value !== DAMAGED) {
        const items = collectionsOfRows({ from: row, to: keyAfter(row) });
        if (store.range('items', { ...items, limit: 1 }).length === 0) store.remove('lsi', row);
        continue;
      }
      const state = value === DAMAGED ? undefined : stateOf(itemOfRow(row, latin1(value)));
      if (state?.isDamaged !== true && !isRowOf(row, state?.committed)) store.remove('lsi', row);
    }
    if (rows.length < CHECKED_AT_ONCE) return done();
    clock.after(CHECK_PAUSE_MS, () => this.removeStray({ from: keyAfter(rows.at(-1)!.key), to }, done));
  }

  #checkRecords({ from, to }: HalfOpenRange, check: Check, done: () => void): void {
    const { store, clock, stateOf, markDamaged } = this.#parts;
    if (this.#isStopped) return;
    const records = store.range('items', { from, to, limit: CHECKED_AT_ONCE });
    for (const { key, value } of records) {
      if (value === DAMAGED) {
        // Its rows may be damaged too, and cannot be made again: the mark alone tells pages of it, also after a restart.
        if (stateOf(key).isDamaged === true) markDamaged(key);
        continue;
      }
      const record = decodeRecord(value);
      for (const row of rowsOf(key, record)) this.#put(row, key);
      if (record.derived !== undefined) add(check.sizes, collectionSizeRow(key), bytesIn(record));
    }
    check.through = records.at(-1)?.key ?? check.through;
    if (records.length === CHECKED_AT_ONCE) {
      clock.after(CHECK_PAUSE_MS, () => this.#checkRecords({ from: keyAfter(check.through), to }, check, done));
      return;
    }
    for (const [row, bytes] of check.sizes) this.#putSize(row, bytes);
    check.through = KEYS_END;
    check.sizes.clear();
    done();
  }

  /** Adds to the size of the collection of a key. */
  #count(key: StoreKey, bytes: number): void {
    if (bytes === 0) return;
    const row = collectionSizeRow(key);
    this.#putSize(row, this.collectionBytes(key) + bytes);
    const recount = this.#recounts.get(row);
    if (recount !== undefined && key <= recount.through) recount.bytes += bytes;
    const check = this.#checking.get(partitionOf(key));
    if (check !== undefined && key <= check.through && check.through !== KEYS_END) add(check.sizes, row, bytes);
  }

  #putSize(row: StoreKey, bytes: number): void {
    const { store } = this.#parts;
    if (bytes <= 0) return store.remove('lsi', row);
    const value = Buffer.allocUnsafe(8);
    value.writeDoubleBE(bytes);
    store.put('lsi', row, value);
  }

  #put(row: StoreKey, key: StoreKey): void {
    this.#parts.store.put('lsi', row, Buffer.from(sortKeyOf(key), 'latin1'));
  }

  /**
   * The items of the collections of a range whose newest record is accepted and not known to be chosen, or cannot be read.
   * Whatever their place in the index is here: the accepted record may never be chosen, and may have replaced one that was
   * (docs/protocol.md counterexample 34).
   */
  #unsettledIn(range: HalfOpenRange, query: PageQuery): readonly StoreKey[] | undefined {
    const { store, settings, markedIn, pendingIn, stateOf } = this.#parts;
    const { rules, limits } = settings;
    if (!rules.unsettledAreNamed) return [];
    const collections = collectionsOfRows(range);
    const most = { limit: limits.unsettledNamed + 1, bytesLimit: limits.unsettledBytes };
    const accepted = store.range('paxos', { ...collections, ...most });
    if (isCutShort(accepted, most)) return undefined;
    const keys = new Set(accepted.map(({ key }) => key));
    const pending = pendingIn(collections);
    if (pending === undefined) return undefined;
    for (const named of [markedIn(collections), pending]) for (const key of named) keys.add(key);
    if (keys.size > limits.unsettledNamed) return undefined;
    if (rules.unsettledWhateverRange) return [...keys];
    return [...keys].filter((key) =>
      rowsOf(key, stateOf(key).accepted).some((row) => row >= query.from && row < query.to),
    );
  }
}

/** The rows of a partition are being made to agree with its records. */
interface Check {
  readonly waiting: (() => void)[];
  /** The last record that was looked at. */
  through: StoreKey;
  /** The sizes of the collections, as far as their records were looked at. By the rows that are to have them. */
  readonly sizes: Map<StoreKey, number>;
}

/** The size of a collection is added up again. */
interface Recount {
  /** The last record that was looked at. */
  through: StoreKey;
  bytes: number;
}

function add(sizes: Map<StoreKey, number>, row: StoreKey, bytes: number): void {
  sizes.set(row, (sizes.get(row) ?? 0) + bytes);
}

/** What a record adds to the size of its collection; 0 in a table without local indexes, where nobody asks. */
function bytesIn(record: ItemRecord | undefined): number {
  if (record?.hasLocals !== true || record.item === undefined) return 0;
  return record.item.size + record.derived!.localBytes;
}

/** The row of a record in a local index. @returns undefined if its item is not in that index */
export function rowIn(index: number, key: StoreKey, record: ItemRecord | undefined): StoreKey | undefined {
  const place = record?.derived?.local[index];
  return place === undefined ? undefined : localRowKey(key, index, place);
}

const NO_ROWS: readonly StoreKey[] = [];

function rowsOf(key: StoreKey, record: ItemRecord | undefined): readonly StoreKey[] {
  if (record?.hasLocals !== true) return NO_ROWS;
  const { local } = record.derived!;
  return local.flatMap((place, index) => (place === undefined ? [] : [localRowKey(key, index, place)]));
}

/** Whether a row was made of this record. @param row names the key of the record */
function isRowOf(row: StoreKey, record: ItemRecord | undefined): boolean {
  return record?.derived?.local[indexOfRow(row)] === placeOfRow(row);
}

function latin1(value: Uint8Array): ByteString {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1');
}
