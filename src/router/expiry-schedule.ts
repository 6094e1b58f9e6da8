import type { Expiry } from '../api/expiry.ts';
import type { EncodedKey } from '../api/primary-key.ts';
import { EXPIRY } from './router-limits.ts';

/** An item that is to be deleted. */
export interface ScheduledItem {
  readonly key: EncodedKey;
  readonly expiry: Expiry;
  /** When it is to be looked at, in ms since 1970: when it expires, or later. */
  readonly dueMs: number;
}

/** The memory that the schedules of all tables share. */
export interface ScheduleRoom {
  bytesLeft: number;
}

/** Besides the key: the objects and numbers of an entry. */
const ENTRY_BYTES = 200;

/**
 * The items of one table that expire next. It is complete up to a time: all items that are due before that are in it.
 * Items that are due later were dropped, if there are too many to keep. A pass through the table, which tells it all
 * items, moves that time on. A table that is new has to be read once.
 */
export class ExpirySchedule {
  readonly #room: ScheduleRoom;
  readonly #maxItems: number;
  readonly #items = new Map<string, ScheduledItem>();
  /** No item is due before. */
  #soonestMs = Number.POSITIVE_INFINITY;
  /** The schedule is complete up to here. */
  #completeMs = Number.NEGATIVE_INFINITY;
  /** The same for what the pass under way has told it, and what was written meanwhile. Undefined: there is no pass. */
  #passMs: number | undefined;
  #isDisturbed = false;

  constructor(room: ScheduleRoom, maxItems: number = EXPIRY.itemsPerTable) {
    this.#room = room;
    this.#maxItems = maxItems;
  }

  get size(): number {
    return this.#items.size;
  }

  needsPass(nowMs: number): boolean {
    return this.#completeMs <= nowMs;
  }

  /** Begins a pass, which is to `add` every item of the table. There is one at a time. */
  beginPass(): void {
    this.#passMs = Number.POSITIVE_INFINITY;
    this.#isDisturbed = false;
  }

  /** @param isWhole whether the pass has come to the end of the table */
  endPass(isWhole: boolean): void {
    const completeMs = this.#passMs!;
    this.#passMs = undefined;
    if (isWhole && !this.#isDisturbed) this.#completeMs = completeMs;
  }

  /** Something may be missing: the table is to be read again, also if a pass is under way. */
  disturb(): void {
    this.#completeMs = Number.NEGATIVE_INFINITY;
    this.#isDisturbed = true;
  }

  get(key: EncodedKey): ScheduledItem | undefined {
    return this.#items.get(keyText(key));
  }

  /** Keeps an item, in place of what was known of it. */
  add(item: ScheduledItem): void {
    this.remove(item.key);
    if (item.dueMs >= Math.max(this.#completeMs, this.#passMs ?? Number.NEGATIVE_INFINITY)) return;
    this.#items.set(keyText(item.key), item);
    this.#room.bytesLeft -= bytesOf(item.key);
    this.#soonestMs = Math.min(this.#soonestMs, item.dueMs);
    if (this.#items.size > this.#maxItems || this.#room.bytesLeft < 0) this.#halve();
  }

  remove(key: EncodedKey): void {
    if (this.#items.delete(keyText(key))) this.#room.bytesLeft += bytesOf(key);
  }

  /** Takes out items that are due, `limit` at most. */
  takeDue(nowMs: number, limit: number): readonly ScheduledItem[] {
    if (this.#soonestMs >= nowMs) return [];
    const due: ScheduledItem[] = [];
    let soonestMs = Number.POSITIVE_INFINITY;
    for (const item of this.#items.values()) {
      if (item.dueMs < nowMs && due.length < limit) due.push(item);
      else soonestMs = Math.min(soonestMs, item.dueMs);
    }
    for (const { key } of due) this.remove(key);
    this.#soonestMs = soonestMs;
    return due;
  }

  /** Has every item looked at when it expires, whatever made it stay longer. */
  forgetDelays(): void {
    for (const [name, item] of this.#items) this.#items.set(name, { ...item, dueMs: item.expiry.atMs });
    this.#soonestMs = Number.NEGATIVE_INFINITY;
    // Items whose delay was long may have been dropped.
    if (this.#completeMs < Number.POSITIVE_INFINITY || this.#passMs !== undefined) this.disturb();
  }

  clear(): void {
    for (const { key } of this.#items.values()) this.#room.bytesLeft += bytesOf(key);
    this.#items.clear();
  }

  /** Drops the later half. */
  #halve(): void {
    const items = [...this.#items.values()].sort((a, b) => a.dueMs - b.dueMs);
    const kept = items.length >> 1;
    const fromMs = items[kept]!.dueMs;
    for (const { key } of items.slice(kept)) this.remove(key);
    this.#completeMs = Math.min(this.#completeMs, fromMs);
    if (this.#passMs !== undefined) this.#passMs = Math.min(this.#passMs, fromMs);
  }
}

function bytesOf({ partitionKey, sortKey }: EncodedKey): number {
  return ENTRY_BYTES + partitionKey.length + sortKey.length;
}

/** Names an item of a table. The length keeps two keys apart whose parts together are the same text. */
export function keyText({ partitionKey, sortKey }: EncodedKey): string {
  return `${partitionKey.length} ${partitionKey}${sortKey}`;
}
