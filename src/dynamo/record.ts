import { strict as assert } from 'node:assert';
import type { ItemImage } from '../api/item.ts';
import type { ByteString } from '../api/primary-key.ts';
import { type Ballot, compareBallots, sameBallot } from './ballot.ts';

/**
 * One entry of a record's lineage: the record contains the effect of operation `sequence` of that coordinator and boot,
 * by the attempt it made at `hlc` (its coordinator and boot complete that attempt's ballot).
 */
export interface LineageEntry {
  readonly coordinator: number;
  readonly boot: number;
  readonly sequence: number;
  readonly hlc: number;
}

/** One version of an item: what acceptors accept, learn and store (docs/protocol.md section 1.2). */
export interface ItemRecord {
  readonly ballot: Ballot;
  /** Undefined: a tombstone. */
  readonly item: ItemImage | undefined;
  /** In full, because the store key holds only a hash of it. */
  readonly partitionKey: ByteString;
  readonly lineage: readonly LineageEntry[];
  /**
   * Kept by `encodeRecord`, because a record goes to several replicas of one process and twice to each. Names its ballot,
   * so that a copy of the record under another ballot is not taken for it. (A WeakMap made the garbage collector work.)
   */
  encoded?: { readonly ballot: Ballot; readonly bytes: Uint8Array };
}

/** What a replica holds of a key. */
export interface ReplicaState {
  readonly accepted?: ItemRecord | undefined;
  readonly committed?: ItemRecord | undefined;
  /** What it held more cannot be read: it has no say about the key. */
  readonly isDamaged?: true;
}

/** The newer of a replica's two records. */
export function topOf(state: ReplicaState): ItemRecord | undefined {
  const { accepted, committed } = state;
  if (accepted === undefined) return committed;
  if (committed === undefined) return accepted;
  return compareBallots(accepted.ballot, committed.ballot) > 0 ? accepted : committed;
}

/** The newest record that any of the replicas holds. */
export function highestOf(states: readonly ReplicaState[]): ItemRecord | undefined {
  let highest: ItemRecord | undefined;
  for (const state of states) {
    const top = topOf(state);
    if (top !== undefined && (highest === undefined || compareBallots(top.ballot, highest.ballot) > 0)) highest = top;
  }
  return highest;
}

/**
 * As `highestOf`; of different records under one ballot, the one that most of the replicas hold, and of such the one whose
 * bytes compare as greatest: who asks the same replicas finds the same.
 */
export function mostHeldOf(states: readonly ReplicaState[]): ItemRecord | undefined {
  const highest = highestOf(states);
  if (highest === undefined) return undefined;
  const held = states
    .map(topOf)
    .filter((top): top is ItemRecord => top !== undefined && sameBallot(top.ballot, highest.ballot))
    .map((record) => ({ record, bytes: encodeRecord(record) }));
  const holders = (bytes: Uint8Array) => held.filter((other) => Buffer.compare(other.bytes, bytes) === 0).length;
  held.sort((a, b) => holders(b.bytes) - holders(a.bytes) || Buffer.compare(b.bytes, a.bytes));
  return held[0]!.record;
}

/** The newest committed record that any of the replicas holds. */
export function highestCommitted(states: readonly ReplicaState[]): ItemRecord | undefined {
  let highest: ItemRecord | undefined;
  for (const { committed } of states) {
    if (committed !== undefined && (highest === undefined || compareBallots(committed.ballot, highest.ballot) > 0)) {
      highest = committed;
    }
  }
  return highest;
}

/**
 * Whether two records of one key are the same version under two ballots: a value that was chosen again unchanged. Records
 * without lineage, of writes in `dynamo` mode, are compared by what they hold.
 */
export function isSameVersion(one: ItemRecord, other: ItemRecord): boolean {
  const [a, b] = [one.lineage.at(-1), other.lineage.at(-1)];
  if (a !== undefined && b !== undefined) {
    return a.coordinator === b.coordinator && a.boot === b.boot && a.sequence === b.sequence;
  }
  if (a !== b) return false;
  if (one.item === undefined || other.item === undefined) return one.item === other.item;
  return Buffer.compare(one.item.json, other.item.json) === 0;
}

/** Whether these replies prove that `record` is chosen: one has it committed, or a majority holds it. */
export function isSettled(record: ItemRecord, states: readonly ReplicaState[], majority: number): boolean {
  let holders = 0;
  for (const { accepted, committed } of states) {
    if (committed !== undefined && sameBallot(committed.ballot, record.ballot)) return true;
    if (accepted !== undefined && sameBallot(accepted.ballot, record.ballot)) holders++;
  }
  return holders >= majority;
}

/*
 * Layout, big-endian (docs/data-layout.md):
 *   u8 layout version | u8 flags | f64 hlc | u48 coordinator | u32 boot | u16 lineage entries | u16 partition key bytes
 *   per lineage entry: u48 coordinator | u32 boot | u48 sequence | f64 hlc
 *   partition key | u32 item size | JSON of the item (both absent in a tombstone)
 */
const LAYOUT_VERSION = 1;
const FLAG_TOMBSTONE = 1;
const HEADER_BYTES = 24;
const LINEAGE_ENTRY_BYTES = 24;

export function encodeRecord(record: ItemRecord): Uint8Array {
  const { ballot, item, partitionKey, lineage } = record;
  if (record.encoded?.ballot === ballot) return record.encoded.bytes;
  const keyOffset = HEADER_BYTES + lineage.length * LINEAGE_ENTRY_BYTES;
  const itemOffset = keyOffset + partitionKey.length;
  const bytes = Buffer.allocUnsafe(item === undefined ? itemOffset : itemOffset + 4 + item.json.length);
  bytes[0] = LAYOUT_VERSION;
  bytes[1] = item === undefined ? FLAG_TOMBSTONE : 0;
  bytes.writeDoubleBE(ballot.hlc, 2);
  bytes.writeUIntBE(ballot.coordinator, 10, 6);
  bytes.writeUInt32BE(ballot.boot, 16);
  bytes.writeUInt16BE(lineage.length, 20);
  bytes.writeUInt16BE(partitionKey.length, 22);
  let offset = HEADER_BYTES;
  for (const entry of lineage) {
    bytes.writeUIntBE(entry.coordinator, offset, 6);
    bytes.writeUInt32BE(entry.boot, offset + 6);
    bytes.writeUIntBE(entry.sequence, offset + 10, 6);
    bytes.writeDoubleBE(entry.hlc, offset + 16);
    offset += LINEAGE_ENTRY_BYTES;
  }
  bytes.write(partitionKey, keyOffset, 'latin1');
  if (item !== undefined) {
    bytes.writeUInt32BE(item.size, itemOffset);
    bytes.set(item.json, itemOffset + 4);
  }
  record.encoded = { ballot, bytes };
  return bytes;
}

/** The record shares memory with `stored`, which must not change afterwards. */
export function decodeRecord(stored: Uint8Array): ItemRecord {
  const bytes = bytesOf(stored);
  const entries = bytes.readUInt16BE(20);
  const lineage: LineageEntry[] = [];
  let offset = HEADER_BYTES;
  for (let i = 0; i < entries; i++) {
    lineage.push({
      coordinator: bytes.readUIntBE(offset, 6),
      boot: bytes.readUInt32BE(offset + 6),
      sequence: bytes.readUIntBE(offset + 10, 6),
      hlc: bytes.readDoubleBE(offset + 16),
    });
    offset += LINEAGE_ENTRY_BYTES;
  }
  return {
    ballot: ballotIn(bytes),
    item: itemIn(bytes),
    partitionKey: bytes.toString('latin1', offset, offset + bytes.readUInt16BE(22)),
    lineage,
  };
}

/** The ballot of a stored record. */
export function ballotIn(stored: Uint8Array): Ballot {
  const bytes = bytesOf(stored);
  return { hlc: bytes.readDoubleBE(2), coordinator: bytes.readUIntBE(10, 6), boot: bytes.readUInt32BE(16) };
}

/** Whether a stored record is a tombstone. */
export function isTombstone(stored: Uint8Array): boolean {
  return bytesOf(stored)[1] === FLAG_TOMBSTONE;
}

/** The item of a stored record, undefined for a tombstone, without decoding the rest: all that most reads want. */
export function decodeItem(stored: Uint8Array): ItemImage | undefined {
  return itemIn(bytesOf(stored));
}

function itemIn(bytes: Buffer): ItemImage | undefined {
  if (isTombstone(bytes)) return undefined;
  const offset = HEADER_BYTES + bytes.readUInt16BE(20) * LINEAGE_ENTRY_BYTES + bytes.readUInt16BE(22);
  return { size: bytes.readUInt32BE(offset), json: bytes.subarray(offset + 4) };
}

function bytesOf(stored: Uint8Array): Buffer {
  assert(stored[0] === LAYOUT_VERSION, 'unknown record layout');
  return Buffer.isBuffer(stored) ? stored : Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
}
