import type { ByteString } from '../../api/primary-key.ts';
import type { Clock, Timer } from '../../env/clock.ts';
import { DAMAGED, type HalfOpenRange, type Store, type StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots, NO_BALLOT } from '../ballot.ts';
import { tableOf } from '../keyspace.ts';
import { type ItemRecord, isPendingIn, type ReplicaState } from '../record.ts';
import { SettledMarks } from './settled-marks.ts';

/** Above every key of the store. */
const END: StoreKey = '\xff\xff';
const PAGE = 1_000;
/** Between two pages of rows that are counted: each takes about a millisecond. */
const COUNT_PAUSE_MS = 1;
/** Rows whose age is looked at in one go: some milliseconds. */
const LOOKED_AT = 4_000;

/** A key whose committed record is due, as this replica knows. */
export interface OutboxRow {
  readonly key: StoreKey;
  /** Since when, by the clock of this node in ms since 1970; 0 if the row cannot be read. */
  readonly sinceMs: number;
}

/**
 * The items of this replica whose entries are not known to be in place: one row for each in the store `outbox`, made and
 * removed with the committed record by whatever way that comes (docs/protocol.md section 14.3). Nothing is kept for records
 * of which nothing is derived.
 *
 * A row is written before the record that needs it and removed after: a store that survives a crash has a beginning of what
 * was written, and a row too many does no harm.
 */
export class Outbox {
  readonly marks: SettledMarks;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #isWithRecord: boolean;
  #count = 0;
  /** How many rows there are of each table that has some. */
  readonly #counts = new Map<ByteString, number>();
  /** The rows up to here are counted, and followed; those behind are counted when their turn comes. */
  #countedThrough: StoreKey = '';
  #timer: Timer | undefined;
  /** The items that a transaction has prepared and that are not settled, as far as rows are counted: each has a row. */
  readonly #pending = new Set<StoreKey>();

  constructor(store: Store, clock: Clock, { marksKept, isWithRecord }: OutboxSettings) {
    this.#store = store;
    this.#clock = clock;
    this.#isWithRecord = isWithRecord;
    this.marks = new SettledMarks(marksKept);
    this.reload();
  }

  /** Rows in the store; while they are counted, those that were counted so far, and at least 1. */
  get count(): number {
    return this.#atLeast(this.#count);
  }

  /** Counts the rows again, after writes were lost: the first thousand at once, and the others in small steps. */
  reload(): void {
    this.stop();
    this.#count = 0;
    this.#counts.clear();
    this.#pending.clear();
    this.#countedThrough = '';
    this.#countOn();
  }

  /** The store is about to be closed. */
  stop(): void {
    this.#clock.cancel(this.#timer);
    this.#timer = undefined;
  }

  #countOn(): void {
    const page = this.page(this.#countedThrough);
    this.#countedThrough = page.length < PAGE ? END : page.at(-1)!.key;
    for (const { key } of page) {
      this.#add(key, 1);
      if (this.#isHeld(key)) this.#pending.add(key);
    }
    if (page.length === PAGE) this.#timer = this.#clock.after(COUNT_PAUSE_MS, () => this.#countOn());
  }

  /** Nobody may take it for nothing that not all rows are counted yet. */
  #atLeast(count: number): number {
    return this.#countedThrough === END ? count : Math.max(1, count);
  }

  /** Call it before a committed record is written: notes what is due of it. */
  committing(key: StoreKey, { due = NO_BALLOT, isPending }: ItemRecord): void {
    if (isPending) this.#pending.add(key);
    else if (compareBallots(due, this.marks.of(key)) <= 0) return;
    if (this.#isWithRecord) this.#put(key, due);
    else this.#store.flush(() => this.#put(key, due));
  }

  /** Call it after a committed record was written: removes a row that it does not need. */
  committed(key: StoreKey, { due, isPending }: ItemRecord, before: ItemRecord | undefined): void {
    const isFreed = before?.isPending === true && !isPending;
    if (isFreed) this.#pending.delete(key);
    if (due === undefined && before?.isDerived !== true && !isFreed) return;
    if (due === undefined || compareBallots(due, this.marks.of(key)) <= 0) this.#removeRow(key);
  }

  /** What is due of a key up to this ballot is settled. */
  settled(key: StoreKey, due: Ballot): void {
    const isNews = compareBallots(due, this.marks.of(key)) > 0;
    this.marks.note(key, due);
    const row = this.#store.get('outbox', key);
    if (row === undefined || row === DAMAGED) return;
    if (compareBallots(dueIn(row), due) <= 0) this.#drop(key);
    // What is due now came after that. Else an item that is always being written would seem to be due for ever.
    else if (isNews) this.#store.put('outbox', key, encodeRow(this.#clock.now(), dueIn(row)));
  }

  /**
   * As `settled`; also removes a row that cannot be read, or that no record needs any more.
   * @param committed the record of the key here, as it is now: it may be newer than what was settled
   */
  settledFor(key: StoreKey, due: Ballot, committed: ItemRecord | undefined): void {
    this.settled(key, due);
    if (compareBallots(committed?.due ?? NO_BALLOT, due) <= 0) this.#removeRow(key);
  }

  /**
   * Up to where this replica knows a key to be settled; undefined for an item of which nothing is derived.
   * @param state the records of the key here
   */
  settledOf(key: StoreKey, { accepted, committed }: ReplicaState): Ballot | undefined {
    if (accepted?.isDerived !== true && committed?.isDerived !== true) return undefined;
    const known = this.marks.of(key);
    const due = committed?.due ?? NO_BALLOT;
    // Without a row nothing of the committed record is due any more.
    return compareBallots(due, known) <= 0 || this.has(key) ? known : due;
  }

  has(key: StoreKey): boolean {
    return this.#store.get('outbox', key) !== undefined;
  }

  /** The rows after a key, at most `limit`. */
  page(after: StoreKey, limit = PAGE): OutboxRow[] {
    const rows = this.#store.range('outbox', { after, to: END, limit });
    return rows.map(({ key, value }) => ({ key, sinceMs: value === DAMAGED ? 0 : bytesOf(value).readDoubleBE(0) }));
  }

  /**
   * How many rows there are of a table that are at least `ageMs` old; at least 1 while they are counted. Of an outbox that is far behind, all of them count: it
   * would take too long to look at each.
   */
  countOf(table: ByteString, ageMs = 0): number {
    const count = this.#atLeast(this.#counts.get(table) ?? 0);
    if (count === 0 || ageMs === 0 || this.#count > LOOKED_AT || this.#countedThrough !== END) return count;
    const untilMs = this.#clock.now() - ageMs;
    return this.page('', LOOKED_AT).filter(({ key, sinceMs }) => sinceMs <= untilMs && tableOf(key) === table).length;
  }

  /** The row of a key cannot be read: it is made again, if the record committed here still needs it. */
  remake(key: StoreKey, committed: ItemRecord | undefined): void {
    const due = committed?.derived?.due ?? NO_BALLOT;
    if (committed?.isPending !== true && compareBallots(due, this.marks.of(key)) <= 0) this.#removeRow(key);
    else this.#put(key, due);
  }

  /** The record of the key is gone. */
  remove(key: StoreKey): void {
    this.#pending.delete(key);
    this.#removeRow(key);
    this.marks.forget(key);
  }

  #put(key: StoreKey, due: Ballot): void {
    const before = this.#store.get('outbox', key);
    const sinceMs = before === undefined || before === DAMAGED ? this.#clock.now() : bytesOf(before).readDoubleBE(0);
    if (before === undefined) this.#add(key, 1);
    this.#store.put('outbox', key, encodeRow(sinceMs, due));
  }

  #removeRow(key: StoreKey): void {
    if (this.count > 0 && this.#store.get('outbox', key) !== undefined) this.#drop(key);
  }

  /** Removes a row that is there, unless what a transaction has prepared keeps it. */
  #drop(key: StoreKey): void {
    if (this.#isHeld(key)) return;
    this.#add(key, -1);
    this.#store.remove('outbox', key);
  }

  #isHeld(key: StoreKey): boolean {
    const record = this.#store.get('items', key);
    return record !== undefined && record !== DAMAGED && isPendingIn(record);
  }

  /**
   * The keys in a range that a transaction has prepared and that are not settled.
   * @returns undefined if that is not known yet
   */
  pendingIn({ from, to }: HalfOpenRange): readonly StoreKey[] | undefined {
    if (this.#countedThrough !== END) return undefined;
    return [...this.#pending].filter((key) => key >= from && key < to);
  }

  #add(key: StoreKey, rows: 1 | -1): void {
    if (key > this.#countedThrough) return;
    this.#count += rows;
    const table = tableOf(key);
    const count = (this.#counts.get(table) ?? 0) + rows;
    if (count === 0) this.#counts.delete(table);
    else this.#counts.set(table, count);
  }
}

interface OutboxSettings {
  readonly marksKept: number;
  /** Whether a row is written with its record; only in a simulation it is not. */
  readonly isWithRecord: boolean;
}

/* A row, big-endian (docs/data-layout.md): f64 since when | f64 hlc | u48 coordinator | u32 boot of the ballot that is due */

function encodeRow(sinceMs: number, { hlc, coordinator, boot }: Ballot): Uint8Array {
  const row = Buffer.allocUnsafe(26);
  row.writeDoubleBE(sinceMs, 0);
  row.writeDoubleBE(hlc, 8);
  row.writeUIntBE(coordinator, 16, 6);
  row.writeUInt32BE(boot, 22);
  return row;
}

function dueIn(row: Uint8Array): Ballot {
  const bytes = bytesOf(row);
  return { hlc: bytes.readDoubleBE(8), coordinator: bytes.readUIntBE(16, 6), boot: bytes.readUInt32BE(22) };
}

function bytesOf(row: Uint8Array): Buffer {
  return Buffer.from(row.buffer, row.byteOffset, row.byteLength);
}
