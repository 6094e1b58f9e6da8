import type { ByteString } from '../../api/primary-key.ts';
import type { HalfOpenRange, StoreKey } from '../../env/store.ts';
import { partitionOf, prefixEnd, tableOf } from '../keyspace.ts';

/*
 * The registers of one shard of a stream, behind its `logPrefix`: `c` and the number of the cell in 8 bytes; or `r`, which has
 * what was trimmed (`trim-log.ts`).
 */
const CELL = 'c';
const RETENTION = 'r';
const HALF = 2 ** 32;

/** The highest number of a cell: a sequence number of the service has room for no more (`stream-client.ts`). */
export const MAX_CELL = 2 ** 49;

export function cellKey(prefix: StoreKey, cell: number): StoreKey {
  return prefix + CELL + u32(Math.floor(cell / HALF)) + u32(cell % HALF);
}

/** The number of the cell that has this key. */
export function cellOf(key: StoreKey): number {
  const at = key.length - 8;
  return readU32(key, at) * HALF + readU32(key, at + 4);
}

/** The `logPrefix` of a cell. */
export function prefixOfCell(key: StoreKey): StoreKey {
  return key.slice(0, -9);
}

/** Whether a key that may come from another process has the form of a cell. */
export function isCellKey(key: StoreKey, prefix: (stream: ByteString, partition: number) => StoreKey): boolean {
  const own = prefix(tableOf(key), partitionOf(key));
  return key.length === own.length + 9 && key.startsWith(own + CELL) && cellOf(key) <= MAX_CELL;
}

/** All cells of a shard from this one on. */
export function cellsFrom(prefix: StoreKey, cell: number): HalfOpenRange {
  return { from: cellKey(prefix, cell), to: prefixEnd(prefix + CELL) };
}

/** All cells of a shard up to this one. */
export function cellsThrough(prefix: StoreKey, cell: number): HalfOpenRange {
  return { from: prefix + CELL, to: cellKey(prefix, cell + 1) };
}

export function retentionKey(prefix: StoreKey): StoreKey {
  return prefix + RETENTION;
}

function u32(value: number): ByteString {
  return String.fromCharCode((value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

function readU32(bytes: ByteString, at: number): number {
  let value = 0;
  for (let i = at; i < at + 4; i++) value = value * 256 + bytes.charCodeAt(i);
  return value;
}
