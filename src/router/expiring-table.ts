import { type Expiry, expiresAt, expiryOf, mayExpire } from '../api/expiry.ts';
import { fromImage, type ItemImage } from '../api/item.ts';
import type { Mutation } from '../api/mutation.ts';
import { type EncodedKey, keyOfItem } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient, WriteOutcome } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import { ExpirySchedule, keyText, type ScheduledItem, type ScheduleRoom } from './expiry-schedule.ts';
import { ofTable } from './of-table.ts';
import { EXPIRY } from './router-limits.ts';
import type { StoredItem } from './stored-item.ts';

/** Writes of one key that are under way. */
interface UnderWay {
  count: number;
  /** Whether there were two at a time: then the order of their answers need not be that in which they took effect. */
  areSeveral: boolean;
}

/** A table whose items may expire, and what is known of when they do. */
export class ExpiringTable {
  readonly attribute: string;
  readonly schedule: ExpirySchedule;
  /** Its present definition. */
  table: Table;
  /** The pass under way. */
  pass: Promise<void> | undefined;
  /** No pass begins before, in ms since 1970, unless somebody asks for it. */
  retryAtMs = Number.NEGATIVE_INFINITY;
  /** By `keyText`. As many at most as tier 1 has requests under way. */
  readonly #underWay = new Map<string, UnderWay>();
  #isGone = false;

  constructor(table: Table, attribute: string, room: ScheduleRoom) {
    this.table = table;
    this.attribute = attribute;
    this.schedule = new ExpirySchedule(room);
  }

  /** Whether the table is deleted, or its items do not expire any more. */
  get isGone(): boolean {
    return this.#isGone;
  }

  leave(): void {
    this.#isGone = true;
    this.schedule.clear();
  }

  /** Passes the outcome of a write on, and notes when the item that it wrote expires. */
  async noted(key: EncodedKey, mutation: Mutation, written: Promise<WriteOutcome>): Promise<WriteOutcome> {
    const text = keyText(key);
    const writes = this.#underWay.get(text) ?? { count: 0, areSeveral: false };
    this.#underWay.set(text, writes);
    writes.count++;
    writes.areSeveral ||= writes.count > 1;
    try {
      const outcome = await written;
      this.#learn(key, mutation, outcome);
      return outcome;
    } finally {
      writes.count--;
      if (writes.count === 0) this.#underWay.delete(text);
    }
  }

  /** What is known of an item that a pass has read; undefined if it never expires. */
  seen(stored: StoredItem): ScheduledItem | undefined {
    if (!mayExpire(this.attribute, stored.image)) return undefined;
    const expiry = expiryOf(this.attribute, stored.attributes);
    if (expiry === undefined) return undefined;
    const key = keyOfItem(this.table.key, stored.attributes);
    const known = this.schedule.get(key);
    return known?.expiry.seconds === expiry.seconds ? known : { key, expiry, dueMs: expiry.atMs };
  }

  /**
   * Notes an item that need not be the newest. What is known to be due earlier stays: if it is old, its deletion will
   * fail, and tell the newest.
   */
  noteMaybe(item: ScheduledItem): void {
    const known = this.schedule.get(item.key);
    if (this.#isGone || (known !== undefined && known.expiry.atMs <= item.expiry.atMs)) return;
    this.schedule.add(item);
  }

  /**
   * @returns whether the item was deleted; it is not if it has changed
   * @throws ApiError if the cluster fails: it is tried again later
   */
  async delete(client: DynamoClient, item: ScheduledItem, nowMs: number): Promise<boolean> {
    const { table, attribute } = this;
    const key = { table: table.storageId, ...item.key };
    const mutation = { kind: 'delete', condition: expiresAt(attribute, item.expiry) } as const;
    const options = { ...ofTable(table), wantsOld: false, by: 'ttl' } as const;
    const outcome = await this.noted(key, mutation, client.write(key, mutation, options));
    switch (outcome.kind) {
      case 'applied':
        return true;
      case 'condition-failed':
      case 'refused':
        return false;
      default:
        if (!this.#isGone) this.schedule.add({ ...item, dueMs: nowMs + EXPIRY.retryMs });
        throw clusterError(outcome);
    }
  }

  #learn(key: EncodedKey, mutation: Mutation, outcome: WriteOutcome): void {
    switch (outcome.kind) {
      case 'applied':
        this.#note(key, outcome.next);
        return;
      case 'condition-failed':
        if (mutation.kind === 'delete') this.#note(key, outcome.current);
        return;
      case 'unknown':
      case 'storage-failed': {
        // It may have happened, or may happen yet.
        if (mutation.kind === 'update') this.schedule.disturb();
        const expiry = mutation.kind === 'put' ? this.#expiryIn(mutation.item) : undefined;
        if (expiry !== undefined) this.noteMaybe(itemOf(key, expiry));
      }
    }
  }

  /** Notes the newest item of a key, unless another write of it is under way. */
  #note(key: EncodedKey, image: ItemImage | undefined): void {
    if (this.#isGone) return;
    const expiry = image && this.#expiryIn(image);
    const isNewest = this.#underWay.get(keyText(key))?.areSeveral !== true;
    if (expiry === undefined) {
      if (isNewest) this.schedule.remove(key);
    } else if (isNewest) this.schedule.add(itemOf(key, expiry));
    else this.noteMaybe(itemOf(key, expiry));
  }

  #expiryIn(image: ItemImage): Expiry | undefined {
    return mayExpire(this.attribute, image) ? expiryOf(this.attribute, fromImage(image)) : undefined;
  }
}

function itemOf({ partitionKey, sortKey }: EncodedKey, expiry: Expiry): ScheduledItem {
  return { key: { partitionKey, sortKey }, expiry, dueMs: expiry.atMs };
}
