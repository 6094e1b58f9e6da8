import type { ByteString } from '../../api/primary-key.ts';
import type { Clock, Timer } from '../../env/clock.ts';
import { DAMAGED, type HalfOpenRange, type Store, type StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots, NO_BALLOT } from '../ballot.ts';
import { tableOf } from '../keyspace.ts';
import { type ItemRecord, isPendingIn, type ReplicaState } from '../record.ts';
import { covers, maxSettled, neededFor, type Settled } from './settled.ts';
import { SettledMarks } from './settled-marks.ts';

/** Above every key of the store. */
const END: StoreKey = '\xff\xff';
const PAGE = 1_000;
/** Between two pages of rows that are counted: each takes about a millisecond. */
const COUNT_PAUSE_MS = 1;
/** Rows whose age is looked at in one go: some milliseconds. */
const LOOKED_AT = 4_000;

/** A key whose committed record owes something, as this replica knows: to an index, or to the log of a stream. */
export interface OutboxRow {
  readonly key: StoreKey;
  /** Since when, by the clock of this node in ms since 1970; 0 if the row cannot be read. */
  readonly sinceMs: number;
}

/**
 * The items of this replica whose entries are not known to be in place, or whose changes are not known to be in the log: one
 * row for each in the store `outbox`, made and removed with the committed record by whatever way that comes (docs/protocol.md
 * section 14.3). Nothing is kept for records of which nothing is derived.
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
      if (this.#isPending(key)) this.#pending.add(key);
    }
    if (page.length === PAGE) this.#timer = this.#clock.after(COUNT_PAUSE_MS, () => this.#countOn());
  }

  /** Nobody may take it for nothing that not all rows are counted yet. */
  #atLeast(count: number): number {
    return this.#countedThrough === END ? count : Math.max(1, count);
  }

  /** Call it before a committed record is written: notes what it owes, or that a transaction has prepared it. */
  committing(key: StoreKey, record: ItemRecord): void {
    if (record.isPending) this.#pending.add(key);
    else if (!record.isDerived || !this.#owes(key, record)) return;
    const needed = neededFor(record);
    if (this.#isWithRecord) this.#put(key, needed);
    else this.#store.flush(() => this.#put(key, needed));
  }

  /** Call it after a committed record was written: removes a row that it does not need. */
  committed(key: StoreKey, record: ItemRecord, before: ItemRecord | undefined): void {
    const isFreed = before?.isPending === true && !record.isPending;
    if (isFreed) this.#pending.delete(key);
    if (!record.isDerived && before?.isDerived !== true && !isFreed) return;
    if (!this.#owes(key, record)) this.#removeRow(key);
  }

  /** A key is settled up to these ballots. */
  settled(key: StoreKey, settled: Settled): void {
    const before = this.marks.of(key);
    this.marks.note(key, settled);
    const row = this.#store.get('outbox', key);
    if (row === undefined || row === DAMAGED) return;
    const needed = neededIn(row);
    if (covers(this.marks.of(key), needed)) this.#drop(key);
    // What is owed now came after that. Else an item that is always being written would seem to owe it for ever.
    else if (isNewsOfAll(before, settled, needed)) this.#store.put('outbox', key, encodeRow(this.#clock.now(), needed));
  }

  /** Whether a record owes something that is not known to be settled. */
  #owes(key: StoreKey, record: ItemRecord | undefined): boolean {
    return !covers(this.marks.of(key), neededFor(record));
  }

  /**
   * As `settled`; also removes a row that cannot be read, or that no record needs any more.
   * @param committed the record of the key here, as it is now: it may be newer than what was settled
   */
  settledFor(key: StoreKey, settled: Settled, committed: ItemRecord | undefined): void {
    this.settled(key, settled);
    if (covers(settled, neededFor(committed))) this.#removeRow(key);
  }

  /**
   * Up to where this replica knows a key to be settled; undefined for an item of which nothing is derived.
   * @param state the records of the key here
   */
  settledOf(key: StoreKey, { accepted, committed }: ReplicaState): Settled | undefined {
    if (accepted?.isDerived !== true && committed?.isDerived !== true) return undefined;
    const known = this.marks.of(key);
    const needed = neededFor(committed);
    // Without a row the committed record owes nothing any more.
    return covers(known, needed) || this.has(key) ? known : maxSettled(known, needed);
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
    if (committed?.isPending === true || this.#owes(key, committed)) this.#put(key, neededFor(committed));
    else this.#removeRow(key);
  }

  /** The record of the key is gone. */
  remove(key: StoreKey): void {
    this.#pending.delete(key);
    this.#removeRow(key);
    this.marks.forget(key);
  }

  #put(key: StoreKey, needed: Settled): void {
    const before = this.#store.get('outbox', key);
    const sinceMs = before === undefined || before === DAMAGED ? this.#clock.now() : bytesOf(before).readDoubleBE(0);
    if (before === undefined) this.#add(key, 1);
    this.#store.put('outbox', key, encodeRow(sinceMs, needed));
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

  /** Most records have nothing pending, and are not looked at. */
  #isHeld(key: StoreKey): boolean {
    return (key > this.#countedThrough || this.#pending.has(key)) && this.#isPending(key);
  }

  #isPending(key: StoreKey): boolean {
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

/** Whether of everything that a row still waits for some more is settled now. */
function isNewsOfAll(before: Settled, settled: Settled, needed: Settled): boolean {
  return (['due', 'logged'] as const).every((half) => {
    const isNews = compareBallots(settled[half], before[half]) > 0;
    return isNews || compareBallots(needed[half], before[half]) <= 0;
  });
}

interface OutboxSettings {
  readonly marksKept: number;
  /** Whether a row is written with its record; only in a simulation it is not. */
  readonly isWithRecord: boolean;
}

/*
 * A row, big-endian (docs/data-layout.md): f64 since when | the ballot that is due to indexes | the ballot of the newest change,
 * if there is one. A ballot is f64 hlc | u48 coordinator | u32 boot.
 */
const DUE_AT = 8;
const LOGGED_AT = 26;
const LONG_ROW_BYTES = 44;

function encodeRow(sinceMs: number, { due, logged }: Settled): Uint8Array {
  const row = Buffer.allocUnsafe(logged.hlc === 0 ? LOGGED_AT : LONG_ROW_BYTES);
  row.writeDoubleBE(sinceMs, 0);
  writeBallot(row, DUE_AT, due);
  if (logged.hlc !== 0) writeBallot(row, LOGGED_AT, logged);
  return row;
}

function neededIn(row: Uint8Array): Settled {
  const bytes = bytesOf(row);
  return { due: ballotAt(bytes, DUE_AT), logged: row.length < LONG_ROW_BYTES ? NO_BALLOT : ballotAt(bytes, LOGGED_AT) };
}

function writeBallot(row: Buffer, offset: number, { hlc, coordinator, boot }: Ballot): void {
  row.writeDoubleBE(hlc, offset);
  row.writeUIntBE(coordinator, offset + 8, 6);
  row.writeUInt32BE(boot, offset + 14);
}

function ballotAt(bytes: Buffer, offset: number): Ballot {
  return {
    hlc: bytes.readDoubleBE(offset),
    coordinator: bytes.readUIntBE(offset + 8, 6),
    boot: bytes.readUInt32BE(offset + 14),
  };
}

function bytesOf(row: Uint8Array): Buffer {
  return Buffer.from(row.buffer, row.byteOffset, row.byteLength);
}
