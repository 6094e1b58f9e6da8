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
/** Developer guide, "Designing partition keys": what one partition serves in a second. */
const PARTITION_UNITS_PER_S: Readonly<Record<Access, number>> = { read: 3_000, write: 1_000 };

/** What the smallest read consumes. */
const LEAST_READ_UNITS = 0.5;

export interface ThroughputParts {
  /** Milliseconds that never step. */
  readonly elapsedMs: () => number;
  readonly maxTables?: number;
  readonly maxPartitionKeys?: number;
}

const ACCESSES: readonly Access[] = ['read', 'write'];

/** A bucket that a request takes from, and what it is to be told if there is not enough. */
interface Charge {
  readonly bucket: TokenBucket;
  readonly units: number;
  readonly limit: ThrottlingLimit;
  /** Of the table if undefined. */
  readonly index?: string;
}

/** Of one table: by access, and for global indexes by access and their name. */
type TableBuckets = Map<string, TokenBucket>;

/**
 * Limits what tables, global indexes and partition keys consume, with the service's rates: what is provisioned, or the
 * ceilings of on-demand throughput; and the limits of one partition, for which each partition key counts as a partition
 * of its own, as a hot one ends up in the service. A table may spend what it did not use in the last five minutes; one
 * that is new to this process begins with one second's worth.
 *
 * A request that would go over a limit takes nothing from any of its buckets.
 */
export class ThroughputGate {
  readonly #elapsedMs: () => number;
  readonly #maxTables: number;
  readonly #maxPartitionKeys: number;
  /** Both by last use. */
  readonly #tables = new Map<ByteString, TableBuckets>();
  readonly #partitionKeys = new Map<string, TokenBucket>();

  constructor(parts: ThroughputParts) {
    this.#elapsedMs = parts.elapsedMs;
    this.#maxTables = parts.maxTables ?? MAX_THROTTLED_TABLES;
    this.#maxPartitionKeys = parts.maxPartitionKeys ?? MAX_THROTTLED_PARTITION_KEYS;
  }

  /**
   * A read that was done, before it is answered: only then its units are known, and it has changed nothing.
   * @throws ApiError if they are not there
   */
  chargeRead(table: Table, partitionKey: ByteString, units: number): void {
    this.#takeAll(table, 'read', this.#tableCharges(table, 'read', partitionKey, units));
  }

  /**
   * The page of a Scan, which may take more than a small table ever has at once: it is read as long as anything is
   * there.
   * @param index what is read, if it is not the table
   * @returns to be called with what it did consume, which is owed as far as it is not there
   * @throws ApiError if nothing is there
   */
  chargePage(table: Table, index: SecondaryIndex | undefined): (consumed: PageUnits) => void {
    const charges = this.#pageCharges(table, index, { table: LEAST_READ_UNITS, index: LEAST_READ_UNITS });
    this.#takeAll(table, 'read', charges);
    return (consumed) => {
      for (const { bucket, units } of charges) bucket.take(-units);
      for (const { bucket, units } of this.#pageCharges(table, index, consumed)) bucket.take(units);
    };
  }

  /**
   * A write, before it is done.
   * @param expected what it consumes if there is no item yet
   * @returns to be called with what it did consume: the difference is owed, or given back
   * @throws ApiError if the units are not there
   */
  chargeWrite(table: Table, partitionKey: ByteString, expected: WriteUnits): (consumed: WriteUnits) => void {
    const charges = this.#writeCharges(table, partitionKey, expected);
    this.#takeAll(table, 'write', charges);
    return (consumed) => {
      for (const { bucket, units } of charges) bucket.take(-units);
      for (const { bucket, units } of this.#writeCharges(table, partitionKey, consumed)) bucket.take(units);
    };
  }

  /** The table was updated: its new rates hold from now on. */
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
    // Local indexes live on the throughput and in the partitions of their table.
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

  /** No partition's: a page goes over many. */
  #pageCharges(table: Table, index: SecondaryIndex | undefined, units: PageUnits): Charge[] {
    const limit = limitOf(table.billing);
    const rate = rateOf(table.billing, table.throughput, 'read');
    if (index?.kind !== 'global') {
      const ofBoth = index === undefined ? units.table : units.table + units.index;
      return rate === undefined ? [] : [{ bucket: this.#bucketOf(table, useOf('read'), rate), units: ofBoth, limit }];
    }
    const ofIndex = rateOf(table.billing, index.throughput, 'read');
    if (ofIndex === undefined) return [];
    const bucket = this.#bucketOf(table, useOf('read', index.name), ofIndex);
    return [{ bucket, units: units.index, limit, index: index.name }];
  }

  #tableCharges(table: Table, access: Access, partitionKey: ByteString, units: number): Charge[] {
    const bucket = this.#partitionBucket(`${access}${table.storageId}${partitionKey}`, PARTITION_UNITS_PER_S[access]);
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

  /** Its rate changes in `changed` alone: requests under way still have the definition from before. */
  #bucketOf({ storageId }: Table, use: string, unitsPerS: number): TokenBucket {
    const buckets = touch(this.#tables, storageId, this.#maxTables, (): TableBuckets => new Map());
    let bucket = buckets.get(use);
    if (bucket === undefined) {
      bucket = new TokenBucket(unitsPerS, BURST_S, this.#elapsedMs());
      buckets.set(use, bucket);
    }
    return bucket;
  }

  #partitionBucket(key: string, unitsPerS: number): TokenBucket {
    const make = () => new TokenBucket(unitsPerS, PARTITION_BURST_S, this.#elapsedMs());
    return touch(this.#partitionKeys, key, this.#maxPartitionKeys, make);
  }
}

/** Makes an entry the one used last; at the limit the one used longest ago goes. */
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

/** The rates of a table and its global indexes that are limited. */
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

/** Units a second; undefined: no limit. */
function rateOf({ mode }: Billing, throughput: Throughput | undefined, access: Access): number | undefined {
  if (throughput === undefined) return undefined;
  if (mode === 'PROVISIONED') return access === 'read' ? throughput.readUnits : throughput.writeUnits;
  return access === 'read' ? throughput.onDemand?.MaxReadRequestUnits : throughput.onDemand?.MaxWriteRequestUnits;
}

function limitOf({ mode }: Billing): ThrottlingLimit {
  return mode === 'PROVISIONED' ? 'ProvisionedThroughputExceeded' : 'MaxOnDemandThroughputExceeded';
}
