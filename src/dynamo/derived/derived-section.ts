import type { ItemImage } from '../../api/item.ts';
import type { ByteString } from '../../api/primary-key.ts';
import type { StoreKey } from '../../env/store.ts';
import { type Ballot, isTime } from '../ballot.ts';
import { areWholeChanges, type Change, changesBytes, newestIn, readChanges, writeChanges } from './changes.ts';

/**
 * What a record of an item carries beside the item, if its table has indexes or a stream (docs/protocol.md section 14.1). All of it is
 * made by `derive.ts`; replicas store it and act on it without knowing the table.
 */
export interface Derived {
  /** The version of the derivation (`api/derivation.ts`) that it was made by. It never goes back along a chain of records. */
  readonly version: number;
  /** The ballot of the attempt that made the present value of the item: a record that is chosen again keeps it. */
  readonly valueBallot: Ballot;
  /** The ballot of the newest record of the chain whose entries differ from its predecessor's; `NO_BALLOT` if none does. */
  readonly due: Ballot;
  /** Where earlier records of the chain may have left an entry that is not known to be gone. */
  readonly owed: readonly StoreKey[];
  /** Where the entries of this record are in the global indexes, at most one in each. */
  readonly entries: readonly StoreKey[];
  /** By the number of each local index, the sort key of this item in it; undefined if it is not in the index. */
  readonly local: readonly (ByteString | undefined)[];
  /** The size of its entries in the local indexes, by the service's rules. */
  readonly localBytes: number;
  /** What is not known to be in the log of the table's stream, oldest first. Undefined or empty: nothing. */
  readonly changes?: readonly Change[] | undefined;
}

/*
 * Layout, big-endian (docs/data-layout.md):
 *   u32 bytes that follow | u32 version | ballot of the value | ballot that is due | u16 owed | u16 entries | u8 local
 *   u32 bytes of the entries in local indexes
 *   per owed key and entry: u16 length, key | per local index: u16 length, sort key; 0xffff if the item is not in it
 *   the changes (`changes.ts`), if a flag of the record says so
 * A ballot is f64 hlc | u48 coordinator | u32 boot, as in the header of a record.
 */
const LENGTH_BYTES = 4;
const HEAD_BYTES = LENGTH_BYTES + 4 + 18 + 18 + 5 + 4;
const NOT_IN_INDEX = 0xffff;
const AT = { version: 4, value: 8, due: 26, owed: 44, entries: 46, local: 48, localBytes: 49 } as const;

/** @param item that of the record, which its changes need not have again */
export function sectionBytes({ owed, entries, local, changes }: Derived, item: ItemImage | undefined): number {
  let length = HEAD_BYTES;
  for (const key of owed) length += 2 + key.length;
  for (const key of entries) length += 2 + key.length;
  for (const key of local) length += 2 + (key?.length ?? 0);
  return changes === undefined || changes.length === 0 ? length : length + changesBytes(changes, item);
}

export function writeSection(bytes: Buffer, offset: number, derived: Derived, item: ItemImage | undefined): void {
  const { version, valueBallot, due, owed, entries, local, localBytes, changes } = derived;
  bytes.writeUInt32BE(version, offset + AT.version);
  writeBallot(bytes, offset + AT.value, valueBallot);
  writeBallot(bytes, offset + AT.due, due);
  bytes.writeUInt16BE(owed.length, offset + AT.owed);
  bytes.writeUInt16BE(entries.length, offset + AT.entries);
  bytes[offset + AT.local] = local.length;
  bytes.writeUInt32BE(localBytes, offset + AT.localBytes);
  let end = offset + HEAD_BYTES;
  for (const keys of [owed, entries, local]) {
    for (const key of keys) {
      end = bytes.writeUInt16BE(key === undefined ? NOT_IN_INDEX : key.length, end);
      if (key !== undefined) end += bytes.write(key, end, 'latin1');
    }
  }
  if (changes !== undefined && changes.length > 0) end = writeChanges(bytes, end, changes, item);
  bytes.writeUInt32BE(end - offset - LENGTH_BYTES, offset);
}

/** @param told undefined: the record has no changes */
export function readSection(
  bytes: Buffer,
  offset: number,
  told: { readonly item: ItemImage | undefined } | undefined,
): Derived {
  const counts = [
    bytes.readUInt16BE(offset + AT.owed),
    bytes.readUInt16BE(offset + AT.entries),
    bytes[offset + AT.local]!,
  ];
  let at = offset + HEAD_BYTES;
  const [owed, entries, local] = counts.map((count) => {
    const keys: (ByteString | undefined)[] = [];
    for (let left = count; left > 0; left--) {
      const length = bytes.readUInt16BE(at);
      const end = at + 2 + (length === NOT_IN_INDEX ? 0 : length);
      keys.push(length === NOT_IN_INDEX ? undefined : bytes.toString('latin1', at + 2, end));
      at = end;
    }
    return keys;
  });
  return {
    version: bytes.readUInt32BE(offset + AT.version),
    valueBallot: ballotAt(bytes, offset + AT.value),
    due: ballotAt(bytes, offset + AT.due),
    owed: owed as StoreKey[],
    entries: entries as StoreKey[],
    local: local!,
    localBytes: bytes.readUInt32BE(offset + AT.localBytes),
    ...(told !== undefined && { changes: readChanges(bytes, at, told.item) }),
  };
}

/** `due`, without the rest. */
export function dueInSection(bytes: Buffer, offset: number): Ballot {
  return ballotAt(bytes, offset + AT.due);
}

/** The ballot of the newest of its changes, of a section that has some, without the rest. */
export function newestChangeIn(bytes: Buffer, offset: number): Ballot {
  return newestIn(bytes, endOfSection(bytes, offset));
}

/** Whether there are places in `local`, without reading them. */
export function hasLocalsInSection(bytes: Buffer, offset: number): boolean {
  return bytes[offset + AT.local] !== 0;
}

/** Where the section that begins at `offset` ends, by its first bytes. */
export function endOfSection(bytes: Buffer, offset: number): number {
  return offset + LENGTH_BYTES + bytes.readUInt32BE(offset);
}

/**
 * Whether a section of the length that it claims is in these bytes, and what it counts fills it.
 * @param told undefined: the record has no changes
 */
export function isWholeSection(
  bytes: Buffer,
  offset: number,
  told: { readonly hasItem: boolean } | undefined,
): boolean {
  if (bytes.length < offset + HEAD_BYTES) return false;
  const end = endOfSection(bytes, offset);
  if (end > bytes.length) return false;
  if (!isTime(bytes.readDoubleBE(offset + AT.value)) || !isTime(bytes.readDoubleBE(offset + AT.due))) return false;
  const keys = bytes.readUInt16BE(offset + AT.owed) + bytes.readUInt16BE(offset + AT.entries);
  let at = offset + HEAD_BYTES;
  for (let i = 0; i < keys + bytes[offset + AT.local]!; i++) {
    if (at + 2 > end) return false;
    const length = bytes.readUInt16BE(at);
    // A key of a store names a partition, a table and a collection.
    if (i < keys && (length < LEAST_KEY_BYTES || length === NOT_IN_INDEX)) return false;
    at += 2 + (length === NOT_IN_INDEX ? 0 : length);
  }
  return told === undefined ? at === end : areWholeChanges(bytes, at, end, told.hasItem);
}

const LEAST_KEY_BYTES = 26;

function writeBallot(bytes: Buffer, offset: number, { hlc, coordinator, boot }: Ballot): void {
  bytes.writeDoubleBE(hlc, offset);
  bytes.writeUIntBE(coordinator, offset + 8, 6);
  bytes.writeUInt32BE(boot, offset + 14);
}

function ballotAt(bytes: Buffer, offset: number): Ballot {
  return {
    hlc: bytes.readDoubleBE(offset),
    coordinator: bytes.readUIntBE(offset + 8, 6),
    boot: bytes.readUInt32BE(offset + 14),
  };
}
