import type { PageUnits, WriteUnits } from '../api/consumed-capacity.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { Billing, SecondaryIndex, Table, Throughput } from '../api/table-definition.ts';
import { type Access, type ThrottlingLimit, throttled } from '../api/throttling.ts';
import { MAX_THROTTLED_PARTITION_KEYS, MAX_THROTTLED_TABLES } from './router-limits.ts';
import { TokenBucket } from './token-bucket.ts';

/** Developer guide, "Using burst capacity effectively": unused capacity of up to five minutes is kept. */
const BURST_S = 300;
/** Burst capacity does not raise the limits of a partition. */
const PARTITION_BURST_S = 1;
/** Developer guide, "Designing partition keys": the units that one partition serves in a second. */
const PARTITION_UNITS_PER_S: Readonly<Record<Access, number>> = { read: 3_000, write: 1_000 };

/** The units of the smallest read. */
const LEAST_READ_UNITS = 0.5;

/** Which routers have used a table lately. */
export interface TableUsers {
  /** This router uses it now. @returns how many have used it in the last seconds, this one included */
  use(table: ByteString): number;
}

export interface ThroughputParts {
  /** A monotonic time in ms. */
  readonly elapsedMs: () => number;
  /** Undefined: this is the only router. */
  readonly users?: TableUsers | undefined;
  readonly maxTables?: number;
  readonly maxPartitionKeys?: number;
}

const ACCESSES: readonly Access[] = ['read', 'write'];

/** Units that a request takes from a bucket, and the limit in the error if there are not enough. */
interface Charge {
  readonly bucket: TokenBucket;
  readonly units: number;
  readonly limit: ThrottlingLimit;
  /** Undefined: the limit is the table's. */
  readonly index?: string;
}

/** The buckets of one table: by access, and for global indexes by access and name. */
type TableBuckets = Map<string, TokenBucket>;

/**
 * Limits the throughput of tables, global indexes and partition keys by the service's rates. The rate of a table or
 * index is its provisioned throughput, or the ceiling of its on-demand throughput. The limits of a partition are
 * applied to each partition key, since the service gives a hot key a partition of its own. A table may use the capacity
 * that it left unused in the last five minutes; a table that is new to this process starts with the units of one
 * second.
 *
 * Where there are several routers, each has an equal part of all limits of a table: as many parts as routers have used
 * it in the last seconds. That is approximate: until others have heard of a router it has what they leave unused as well,
 * and a router that gets most of the requests is limited to its part.
 *
 * A request that would exceed a limit takes nothing from any of its buckets.
 */
export class ThroughputGate {
  readonly #elapsedMs: () => number;
  readonly #users: TableUsers | undefined;
  readonly #maxTables: number;
  readonly #maxPartitionKeys: number;
  /** Both maps are in the order of last use. */
  readonly #tables = new Map<ByteString, TableBuckets>();
  readonly #partitionKeys = new Map<string, TokenBucket>();

  constructor(parts: ThroughputParts) {
    this.#elapsedMs = parts.elapsedMs;
    this.#users = parts.users;
    this.#maxTables = parts.maxTables ?? MAX_THROTTLED_TABLES;
    this.#maxPartitionKeys = parts.maxPartitionKeys ?? MAX_THROTTLED_PARTITION_KEYS;
  }

  /**
   * Charges a read, after it was done and before it is answered: its units are known only then, and it has changed
   * nothing.
   * @throws ApiError if the units are not available
   */
  chargeRead(table: Table, partitionKey: ByteString, units: number): void {
    this.#takeAll(table, 'read', this.#tableCharges(table, 'read', partitionKey, units));
  }

  /**
   * Charges the page of a Scan or a Query. A page may consume more than a small table ever has at once, so it needs only
   * the smallest amount to begin.
   * @param index the index that is read; undefined: the table is
   * @param partitionKey the one of the table or index that a Query reads; undefined: a Scan reads many
   * @returns a function to be called with the units that the page consumed; units that are not available are owed
   * @throws ApiError if not even the smallest amount is available
   */
  chargePage(
    table: Table,
    index: SecondaryIndex | undefined,
    partitionKey?: ByteString,
  ): (consumed: PageUnits) => void {
    const chargesOf = (consumed: PageUnits) => this.#pageCharges(table, index, partitionKey, consumed);
    const charges = chargesOf({ table: LEAST_READ_UNITS, index: LEAST_READ_UNITS });
    this.#takeAll(table, 'read', charges);
    return (consumed) => {
      for (const { bucket, units } of charges) bucket.take(-units);
      for (const { bucket, units } of chargesOf(consumed)) bucket.take(units);
    };
  }

  /**
   * Charges a write before it is done.
   * @param expected the units that it consumes if there is no item yet
   * @returns a function to be called with the units that the write consumed: the difference is owed, or given back
   * @throws ApiError if the units are not available
   */
  chargeWrite(table: Table, partitionKey: ByteString, expected: WriteUnits): (consumed: WriteUnits) => void {
    const charges = this.#writeCharges(table, partitionKey, expected);
    this.#takeAll(table, 'write', charges);
    return (consumed) => {
      for (const { bucket, units } of charges) bucket.take(-units);
      for (const { bucket, units } of this.#writeCharges(table, partitionKey, consumed)) bucket.take(units);
    };
  }

  /** The table was updated: its new rates apply from now on. */
  changed(table: Table): void {
    const buckets = this.#tables.get(table.storageId);
    if (buckets === undefined) return;
    const nowMs = this.#elapsedMs();
    const uses = limitsOf(table);
    for (const [use, bucket] of buckets) {
      const rate = uses.get(use);
      if (rate === undefined) buckets.delete(use);
      else bucket.setRate(rate, nowMs);
    }
  }

  #writeCharges(table: Table, partitionKey: ByteString, { table: units, indexes }: WriteUnits): Charge[] {
    // Local indexes use the throughput and the partitions of their table.
    const local = indexes.filter(({ index }) => index.kind === 'local').reduce((sum, each) => sum + each.units, 0);
    const charges = this.#tableCharges(table, 'write', partitionKey, units + local);
    for (const { index, units } of indexes) {
      const rate = index.kind === 'global' ? rateOf(table.billing, index.throughput, 'write') : undefined;
      if (rate === undefined) continue;
      const bucket = this.#bucketOf(table, useOf('write', index.name), rate);
      charges.push({ bucket, units, limit: limitOf(table.billing), index: index.name });
    }
    return charges;
  }

  #pageCharges(
    table: Table,
    index: SecondaryIndex | undefined,
    partitionKey: ByteString | undefined,
    consumed: PageUnits,
  ): Charge[] {
    const isGlobal = index?.kind === 'global';
    const units = isGlobal ? consumed.index : index === undefined ? consumed.table : consumed.table + consumed.index;
    const ofIndex = isGlobal ? { index: index.name } : {};
    const charges: Charge[] = [];
    const rate = rateOf(table.billing, isGlobal ? index.throughput : table.throughput, 'read');
    if (rate !== undefined) {
      const bucket = this.#bucketOf(table, useOf('read', isGlobal ? index.name : undefined), rate);
      charges.push({ bucket, units, limit: limitOf(table.billing), ...ofIndex });
    }
    if (partitionKey !== undefined) {
      const place = isGlobal ? `${table.storageId}/${index.name}/` : table.storageId;
      const bucket = this.#partitionBucket(table, `read${place}${partitionKey}`, PARTITION_UNITS_PER_S.read);
      charges.push({ bucket, units, limit: 'KeyRangeThroughputExceeded', ...ofIndex });
    }
    return charges;
  }

  #tableCharges(table: Table, access: Access, partitionKey: ByteString, units: number): Charge[] {
    const key = `${access}${table.storageId}${partitionKey}`;
    const bucket = this.#partitionBucket(table, key, PARTITION_UNITS_PER_S[access]);
    const charges: Charge[] = [{ bucket, units, limit: 'KeyRangeThroughputExceeded' }];
    const rate = rateOf(table.billing, table.throughput, access);
    if (rate !== undefined) {
      const limit = limitOf(table.billing);
      charges.unshift({ bucket: this.#bucketOf(table, useOf(access), rate), units, limit });
    }
    return charges;
  }

  #takeAll(table: Table, access: Access, charges: readonly Charge[]): void {
    const nowMs = this.#elapsedMs();
    const short = charges.find(({ bucket, units }) => !bucket.has(units, nowMs));
    if (short !== undefined) throw throttled(table, short.index, access, short.limit);
    for (const { bucket, units } of charges) bucket.take(units);
  }

  /** Only `changed` changes the rate of a bucket: requests under way may still have an old definition. */
  #bucketOf({ storageId }: Table, use: string, unitsPerS: number): TokenBucket {
    const buckets = touch(this.#tables, storageId, this.#maxTables, (): TableBuckets => new Map());
    const sharers = this.#users?.use(storageId) ?? 1;
    let bucket = buckets.get(use);
    if (bucket === undefined) {
      bucket = new TokenBucket(unitsPerS, BURST_S, this.#elapsedMs(), sharers);
      buckets.set(use, bucket);
    } else if (this.#users !== undefined) bucket.share(sharers, this.#elapsedMs());
    return bucket;
  }

  #partitionBucket({ storageId }: Table, key: string, unitsPerS: number): TokenBucket {
    const sharers = this.#users?.use(storageId) ?? 1;
    const make = () => new TokenBucket(unitsPerS, PARTITION_BURST_S, this.#elapsedMs(), sharers);
    const bucket = touch(this.#partitionKeys, key, this.#maxPartitionKeys, make);
    if (this.#users !== undefined) bucket.share(sharers, this.#elapsedMs());
    return bucket;
  }
}

/** Makes an entry the last used one. At the limit, the entry that was used longest ago is removed. */
function touch<Key, Value>(map: Map<Key, Value>, key: Key, limit: number, make: () => Value): Value {
  const value = map.get(key) ?? make();
  map.delete(key);
  if (map.size >= limit) map.delete(map.keys().next().value!);
  map.set(key, value);
  return value;
}

function useOf(access: Access, index?: string): string {
  return index === undefined ? access : `${access} ${index}`;
}

/** The rates of a table and its global indexes, as far as they are limited. */
function limitsOf(table: Table): ReadonlyMap<string, number> {
  const uses: [string, number | undefined][] = [
    [useOf('read'), rateOf(table.billing, table.throughput, 'read')],
    [useOf('write'), rateOf(table.billing, table.throughput, 'write')],
    ...table.indexes.flatMap(({ name, throughput }) =>
      ACCESSES.map((access): [string, number | undefined] => [
        useOf(access, name),
        rateOf(table.billing, throughput, access),
      ]),
    ),
  ];
  return new Map(uses.filter((use): use is [string, number] => use[1] !== undefined));
}

/** Units a second. Undefined: no limit. */
function rateOf({ mode }: Billing, throughput: Throughput | undefined, access: Access): number | undefined {
  if (throughput === undefined) return undefined;
  if (mode === 'PROVISIONED') return access === 'read' ? throughput.readUnits : throughput.writeUnits;
  return access === 'read' ? throughput.onDemand?.MaxReadRequestUnits : throughput.onDemand?.MaxWriteRequestUnits;
}

function limitOf({ mode }: Billing): ThrottlingLimit {
  return mode === 'PROVISIONED' ? 'ProvisionedThroughputExceeded' : 'MaxOnDemandThroughputExceeded';
}
