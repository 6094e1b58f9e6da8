import { isExpired } from '../api/expiry.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import { isExpiryInForce } from '../api/time-to-live.ts';
import { isUsable } from '../api/transition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import type { TransactingClient } from '../dynamo/transaction-client.ts';
import { ExpiringTable } from './expiring-table.ts';
import { keyText, type ScheduledItem, type ScheduleRoom } from './expiry-schedule.ts';
import type { FaultTimers, RulesOfExpiry } from './fault-rules.ts';
import { noteTransaction } from './noted-transaction.ts';
import { type Pause, WalkReader } from './page-source.ts';
import { EXPIRY } from './router-limits.ts';
import { ADMINISTRATOR, type TableCatalog } from './table-catalog.ts';
import { TableWalk } from './table-walk.ts';

export interface ExpiryParts {
  /** The ring itself, not what `noting` returns. */
  readonly client: DynamoClient;
  readonly catalog: TableCatalog;
  readonly rules: RulesOfExpiry;
  /** The clock of the API, in ms since 1970. It may step, in both directions. */
  readonly nowMs: () => number;
  readonly timers: FaultTimers;
  /**
   * Whether this router is the one that reads tables again and again, for what others have written. Undefined: there are no
   * others.
   */
  readonly isPassing?: (() => boolean) | undefined;
  readonly pause: Pause;
  /** Is told why items that have expired stay for now. They are tried again. */
  readonly onFailure: (error: unknown) => void;
}

/** Items that are taken out of the schedule at a time. */
const AT_ONCE = 128;
/** A clock that goes back by less was adjusted, not moved. */
const ADJUSTED_MS = 10_000;

/**
 * Deletes items that have expired: those with a number in the attribute of expiry of their table, seconds since 1970,
 * that is in the past. A deletion is an ordinary write with the condition that the attribute still is what it was. So a
 * sweep that is late, or goes by an old definition, deletes nothing that has changed meanwhile, and two sweeps of one
 * table do no harm. Nobody is charged for it.
 *
 * A table is read once, and what expires next is kept in memory (`ExpirySchedule`), to which the writes that come
 * through `noting` add. So a table in which nothing is due costs nothing.
 *
 * With several routers, each knows what was there when it began, and what it has written itself. One of them also reads all
 * tables every few minutes, for what others had written that have ended.
 */
export class ExpirySweep {
  readonly #parts: ExpiryParts;
  /** By storage id. Those that exist since before this process are found by `#list`. */
  readonly #tables = new Map<ByteString, ExpiringTable>();
  /** Tables that may be deleted. */
  readonly #doubtful = new Set<ExpiringTable>();
  readonly #room: ScheduleRoom = { bytesLeft: EXPIRY.bytes };
  /** The timers of those that rest between two pages of a pass, by what ends the rest. */
  readonly #resting = new Map<() => void, unknown>();
  #isListed = false;
  /** When tables were read last for the writes of others, by the clock of the API. */
  #disturbedMs = Number.NEGATIVE_INFINITY;
  #isPassing = false;
  /** How many callers wait for passes. */
  #urgent = 0;
  #deleted = 0;
  #seenMs = Number.NEGATIVE_INFINITY;
  #seenVersion = 0;
  #timer: unknown;
  #isStopped = false;

  constructor(parts: ExpiryParts) {
    this.#parts = parts;
    parts.catalog.watch({
      added: () => {},
      removed: (storageId) => {
        const table = this.#tables.get(storageId);
        if (table !== undefined) this.#doubtful.add(table);
      },
      defined: (table) => this.#define(table),
    });
  }

  /** How many items were deleted so far. */
  get deleted(): number {
    return this.#deleted;
  }

  /** How many items are kept in mind because they expire next. */
  get scheduled(): number {
    let sum = 0;
    for (const { schedule } of this.#tables.values()) sum += schedule.size;
    return sum;
  }

  /** Sweeps from now on, so many ms after the end of the sweep before. */
  start(intervalMs: number): void {
    this.#timer = this.#parts.timers.after(intervalMs, async () => {
      await this.#round().catch((error: unknown) => this.#parts.onFailure(error));
      if (!this.#isStopped) this.start(intervalMs);
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#parts.timers.cancel(this.#timer);
    this.#wakeAll();
  }

  /**
   * Reads all tables whose items may expire, and deletes what has expired.
   * @returns how many items were deleted meanwhile, also in the background
   * @throws ApiError if the cluster fails
   */
  async sweep(): Promise<number> {
    const deletedBefore = this.#deleted;
    this.#urgent++;
    this.#wakeAll();
    try {
      this.#noticeChanges();
      await this.#list();
      await this.#settleDoubts();
      for (const table of [...this.#tables.values()]) {
        // That pass may be beyond items that have expired since. If it fails, the next one tells why.
        while (table.pass !== undefined) await table.pass.catch(() => {});
        await this.#pass(table);
      }
      return this.#deleted - deletedBefore;
    } finally {
      this.#urgent--;
    }
  }

  /** The client for all who write items: it notes when the items expire that are written. */
  noting(client: DynamoClient & TransactingClient): DynamoClient & TransactingClient {
    const tables = this.#tables;
    return {
      get partitions() {
        return client.partitions;
      },
      write(key, mutation, options) {
        const written = client.write(key, mutation, options);
        const table = tables.get(key.table);
        return table === undefined ? written : table.noted(key, mutation, written);
      },
      transact(request) {
        const transacted = client.transact(request);
        if (tables.size > 0) noteTransaction(tables, request.actions, transacted);
        return transacted;
      },
      readTogether: (request) => client.readTogether(request),
      read: (request) => client.read(request),
      range: (request) => client.range(request),
      scan: (request) => client.scan(request),
      tables: () => client.tables(),
      useDerivation: (derivation) => client.useDerivation(derivation),
      due: (table, ageMs) => client.due(table, ageMs),
      collectionBytes: (request) => client.collectionBytes(request),
      countItems: (tables) => client.countItems(tables),
      fenceTables: (tables) => client.fenceTables(tables),
      segmentOf: (key, total) => client.segmentOf(key, total),
      forgetTable: (table) => client.forgetTable(table),
    };
  }

  #define(definition: Table): void {
    const { storageId, expiryAttribute } = definition;
    const known = this.#tables.get(storageId);
    if (known !== undefined && known.attribute === expiryAttribute) {
      known.table = definition;
      return;
    }
    if (known !== undefined) this.#drop(known);
    if (expiryAttribute === undefined) return;
    this.#tables.set(storageId, new ExpiringTable(definition, expiryAttribute, this.#room));
  }

  #drop(table: ExpiringTable): void {
    table.leave();
    this.#doubtful.delete(table);
    this.#tables.delete(table.table.storageId);
  }

  /** Finds the tables whose definitions have not come to hand in this process. */
  async #list(): Promise<void> {
    for await (const page of this.#parts.catalog.pages(undefined)) {
      for (const { namespace, name, storageId, expiryAttribute } of page) {
        if (expiryAttribute === undefined || this.#tables.has(storageId)) continue;
        // What the page says may be old by now.
        await this.#parts.catalog.find(namespace, name, ADMINISTRATOR);
      }
    }
    this.#isListed = true;
  }

  async #settleDoubts(): Promise<void> {
    for (const doubtful of this.#doubtful) {
      const { namespace, name, storageId } = doubtful.table;
      const found = await this.#parts.catalog.find(namespace, name, ADMINISTRATOR);
      if (found?.storageId !== storageId) this.#drop(doubtful);
      this.#doubtful.delete(doubtful);
    }
  }

  /** The clock may have been moved, and the rules may have changed. */
  #noticeChanges(): void {
    const { nowMs, rules } = this.#parts;
    const now = nowMs();
    const isBack = now < this.#seenMs - ADJUSTED_MS;
    const isRuled = rules.expiryVersion !== this.#seenVersion;
    this.#seenMs = isBack ? now : Math.max(now, this.#seenMs);
    this.#seenVersion = rules.expiryVersion;
    if (!isBack && !isRuled) return;
    for (const table of this.#tables.values()) {
      table.schedule.forgetDelays();
      // Items that had expired too long ago were not kept in mind.
      if (isBack) table.schedule.disturb();
      table.retryAtMs = Number.NEGATIVE_INFINITY;
    }
  }

  /** Other routers may have made tables, and written items, that this one has not heard of. */
  #noticeOthers(): void {
    const { isPassing, nowMs } = this.#parts;
    if (isPassing?.() !== true || Math.abs(nowMs() - this.#disturbedMs) < EXPIRY.othersMs) return;
    this.#disturbedMs = nowMs();
    this.#isListed = false;
    for (const { schedule } of this.#tables.values()) schedule.disturb();
  }

  async #round(): Promise<void> {
    this.#noticeChanges();
    this.#noticeOthers();
    if (!this.#isListed) await this.#list();
    await this.#settleDoubts();
    for (const table of [...this.#tables.values()]) {
      await this.#deleteDue(table).catch((error: unknown) => this.#parts.onFailure(error));
    }
    this.#beginPass();
  }

  async #deleteDue(table: ExpiringTable): Promise<void> {
    const nowMs = this.#parts.nowMs();
    while (!this.#isStopped && !table.isGone && isSwept(table.table, nowMs)) {
      const due = table.schedule.takeDue(nowMs, AT_ONCE);
      if (due.length === 0) return;
      await this.#deleteExpired(table, due);
    }
  }

  /** Begins the next pass, unless one is under way. Passes go on in the background, one after the other. */
  #beginPass(): void {
    if (this.#isPassing || this.#isStopped) return;
    const nowMs = this.#parts.nowMs();
    const next = [...this.#tables.values()].find(
      ({ table, pass, schedule, retryAtMs }) =>
        pass === undefined && retryAtMs <= nowMs && schedule.needsPass(nowMs) && isSwept(table, nowMs),
    );
    if (next === undefined) return;
    this.#isPassing = true;
    const end = (error?: unknown) => {
      this.#isPassing = false;
      if (error !== undefined) this.#parts.onFailure(error);
      const endMs = this.#parts.nowMs();
      // Something came in between; or more items than can be kept in mind expire at this moment.
      if (next.schedule.needsPass(endMs)) next.retryAtMs = endMs + EXPIRY.retryMs;
      this.#beginPass();
    };
    this.#pass(next).then(() => end(), end);
  }

  #pass(table: ExpiringTable): Promise<void> {
    table.pass = this.#readAll(table).finally(() => {
      table.pass = undefined;
    });
    return table.pass;
  }

  async #readAll(table: ExpiringTable): Promise<void> {
    const { client, pause, nowMs } = this.#parts;
    if (!isSwept(table.table, nowMs())) return;
    // The latest: a replica that has missed a write would hide its item from all that follows.
    const walk = new TableWalk(client, table.table, { segment: undefined, after: undefined, from: 'latest' });
    const reader = new WalkReader(walk, pause);
    let isWhole = false;
    table.schedule.beginPass();
    try {
      while (!this.#isStopped && !table.isGone) {
        const { items: itemsBefore, bytes: bytesBefore } = reader;
        const found = await reader.read();
        if (found === undefined) {
          isWhole = true;
          break;
        }
        await this.#deleteExpired(
          table,
          found.flatMap((stored) => table.seen(stored) ?? []),
        );
        await this.#rest(reader.items - itemsBefore, reader.bytes - bytesBefore);
      }
    } finally {
      table.schedule.endPass(isWhole);
    }
  }

  /** Of some items, deletes those that have expired, and keeps the others in mind. */
  async #deleteExpired(table: ExpiringTable, items: readonly ScheduledItem[]): Promise<void> {
    const nowMs = this.#parts.nowMs();
    const expired = items.filter((item) => this.#isToGo(table, item, nowMs));
    let failure: { readonly error: unknown } | undefined;
    const remove = async (item: ScheduledItem) => {
      if (this.#isStopped || table.isGone) return;
      try {
        if (await table.delete(this.#parts.client, item, nowMs)) this.#deleted++;
      } catch (error) {
        failure ??= { error };
      }
    };
    for (let at = 0; at < expired.length; at += EXPIRY.parallelism) {
      await Promise.all(expired.slice(at, at + EXPIRY.parallelism).map(remove));
      // All nodes are in this process, and may have done all of it in one turn.
      await this.#parts.pause();
    }
    if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
  }

  #isToGo(table: ExpiringTable, item: ScheduledItem, nowMs: number): boolean {
    const { expiry, key } = item;
    if (expiry.atMs >= nowMs) {
      table.noteMaybe(item);
      return false;
    }
    if (!isExpired(expiry.atMs, nowMs)) return false;
    const lingering = this.#parts.rules.lingering(table.table, `${keyText(key)} ${expiry.seconds}`);
    if (lingering === undefined || expiry.atMs + lingering.ms < nowMs) return true;
    // An item whose delay is known already has been counted.
    if (item.dueMs === expiry.atMs) lingering.fire();
    if (!table.isGone) table.schedule.add({ ...item, dueMs: expiry.atMs + lingering.ms });
    return false;
  }

  /** Waits so long that passes keep to their rate, unless somebody waits for them. */
  #rest(items: number, bytes: number): Promise<void> {
    const delayMs = 1_000 * Math.max(items / EXPIRY.itemsPerS, bytes / EXPIRY.bytesPerS);
    if (this.#urgent > 0 || this.#isStopped) return this.#parts.pause();
    return new Promise((resolve) => {
      const end = () => {
        this.#resting.delete(end);
        resolve();
      };
      this.#resting.set(end, this.#parts.timers.after(delayMs, end));
    });
  }

  #wakeAll(): void {
    for (const [end, timer] of this.#resting) {
      this.#parts.timers.cancel(timer);
      end();
    }
  }
}

function isSwept(table: Table, nowMs: number): boolean {
  return isUsable(table, nowMs) && isExpiryInForce(table, nowMs);
}
