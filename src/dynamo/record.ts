import { strict as assert } from 'node:assert';
import type { ItemImage } from '../api/item.ts';
import type { ByteString } from '../api/primary-key.ts';
import { type Ballot, compareBallots, isTime, sameBallot } from './ballot.ts';
import {
  type Derived,
  dueInSection,
  endOfSection,
  hasLocalsInSection,
  isWholeSection,
  newestChangeIn,
  readSection,
  sectionBytes,
  writeSection,
} from './derived/derived-section.ts';
import {
  endOfPending,
  isWholePending,
  type Pending,
  pendingBytes,
  readPending,
  writePending,
} from './transactions/pending-section.ts';

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

/** The contents of a record. */
export interface RecordFields {
  readonly ballot: Ballot;
  /** Undefined: a tombstone. */
  readonly item: ItemImage | undefined;
  /** In full, because the store key holds only a hash of it. */
  readonly partitionKey: ByteString;
  readonly lineage: readonly LineageEntry[];
  /** Undefined: nothing is derived from the item, as in tables without indexes. */
  readonly derived?: Derived | undefined;
  /** Undefined: no transaction that is not settled holds the item. */
  readonly pending?: Pending | undefined;
  /**
   * Whether it is an entry of a global index: made of the chosen record of an item, under the ballot of that, and only ever
   * learned (docs/protocol.md section 14.2). The partition key of a tombstone is not known then, and empty.
   */
  readonly isEntry?: true | undefined;
}

/**
 * One version of an item: what acceptors accept, learn and store (docs/protocol.md section 1.2). Immutable.
 *
 * A record carries its stored form. The coordinator that makes a record encodes it once; every message carries these bytes,
 * and every replica stores them. Hazard: a copy by `{ ...record, ballot }` would keep the bytes of the original. It lacks the
 * method of the class, so TypeScript does not accept it as a record.
 */
export class ItemRecord implements RecordFields {
  readonly ballot: Ballot;
  /** The bytes of the record (docs/data-layout.md). Shared by stores and messages without a copy: never write to them. */
  readonly stored: Uint8Array;
  /** Null: a tombstone. Undefined: not decoded yet. */
  #item: ItemImage | null | undefined;
  /** Undefined: not decoded yet. */
  #rest: Rest | undefined;

  /** @param made the fields; or the bytes of a record, of which the ballot is decoded, and the rest when it is asked for */
  constructor(made: RecordFields | Uint8Array) {
    if (made instanceof Uint8Array) {
      this.stored = bytesOf(made);
      this.ballot = ballotIn(made);
      return;
    }
    const { ballot, item, partitionKey, lineage, derived, pending } = made;
    this.ballot = ballot;
    this.stored = encode(made);
    this.#item = item ?? null;
    this.#rest = { partitionKey, lineage, derived, pending };
  }

  get item(): ItemImage | undefined {
    if (this.#item === undefined) this.#item = itemIn(this.stored as Buffer) ?? null;
    return this.#item ?? undefined;
  }

  get partitionKey(): ByteString {
    this.#rest ??= restIn(this.stored as Buffer);
    return this.#rest.partitionKey;
  }

  get lineage(): readonly LineageEntry[] {
    this.#rest ??= restIn(this.stored as Buffer);
    return this.#rest.lineage;
  }

  get derived(): Derived | undefined {
    if (!this.isDerived) return undefined;
    this.#rest ??= restIn(this.stored as Buffer);
    return this.#rest.derived;
  }

  get pending(): Pending | undefined {
    if (!this.isPending) return undefined;
    this.#rest ??= restIn(this.stored as Buffer);
    return this.#rest.pending;
  }

  /** Whether `pending` is there, answered without decoding it. */
  get isPending(): boolean {
    return (this.stored[1]! & FLAG_PENDING) !== 0;
  }

  get isEntry(): true | undefined {
    return (this.stored[1]! & FLAG_ENTRY) === 0 ? undefined : true;
  }

  /** Whether `derived` is there. This and the next three are answered without decoding it, which replicas seldom need. */
  get isDerived(): boolean {
    return (this.stored[1]! & FLAG_DERIVED) !== 0;
  }

  /** `derived.due` */
  get due(): Ballot | undefined {
    return this.isDerived ? dueInSection(this.stored as Buffer, keyEndIn(this.stored as Buffer)) : undefined;
  }

  /** The ballot of the newest of `derived.changes`; undefined if there are none. */
  get newestChange(): Ballot | undefined {
    if ((this.stored[1]! & FLAG_CHANGES) === 0) return undefined;
    return newestChangeIn(this.stored as Buffer, keyEndIn(this.stored as Buffer));
  }

  /** Whether there are places in `derived.local`. */
  get hasLocals(): boolean {
    return this.isDerived && hasLocalsInSection(this.stored as Buffer, keyEndIn(this.stored as Buffer));
  }

  /**
   * The same version under another ballot, for a round that chooses it again.
   * @param derived what it carries then: `carry` in `derived/derive.ts` says what
   */
  withBallot(ballot: Ballot, derived: Derived | undefined): ItemRecord {
    if (derived !== this.derived) {
      const { item, partitionKey, lineage, pending, isEntry } = this;
      return new ItemRecord({ ballot, item, partitionKey, lineage, derived, pending, isEntry });
    }
    const stored = Buffer.from(this.stored);
    writeBallot(stored, ballot);
    return new ItemRecord(stored);
  }
}

/** What is seldom asked of a record that was read. */
type Rest = Pick<RecordFields, 'partitionKey' | 'lineage' | 'derived' | 'pending'>;

/** The records of a key in one replica. */
export interface ReplicaState {
  readonly accepted?: ItemRecord | undefined;
  readonly committed?: ItemRecord | undefined;
  /** Some record of the key cannot be read, so the replica has no vote about the key. */
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
 * As `highestOf`. Among different records under one ballot it is the one that most replicas hold; of a tie, the one
 * with the greatest bytes. So everybody who asks the same replicas finds the same record.
 */
export function mostHeldOf(states: readonly ReplicaState[]): ItemRecord | undefined {
  const highest = highestOf(states);
  if (highest === undefined) return undefined;
  const held = states
    .map(topOf)
    .filter((top): top is ItemRecord => top !== undefined && sameBallot(top.ballot, highest.ballot));
  const holders = ({ stored }: ItemRecord) => held.filter((other) => Buffer.compare(other.stored, stored) === 0).length;
  held.sort((a, b) => holders(b) - holders(a) || Buffer.compare(b.stored, a.stored));
  return held[0];
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
 * Whether two records of one key are the same version under two ballots: a value that was chosen again unchanged.
 * Records without lineage, of writes in `dynamo` mode, are compared by what they hold.
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
 *   partition key | what is derived, if a flag says so | what is pending, if a flag says so
 *   u32 item size | JSON of the item (both absent in a tombstone)
 */
const LAYOUT_VERSION = 1;
const FLAG_TOMBSTONE = 1;
const FLAG_DERIVED = 2;
const FLAG_ENTRY = 4;
const FLAG_PENDING = 8;
/** Only with FLAG_DERIVED. */
const FLAG_CHANGES = 16;
const ALL_FLAGS = FLAG_TOMBSTONE | FLAG_DERIVED | FLAG_ENTRY | FLAG_PENDING | FLAG_CHANGES;
const HEADER_BYTES = 24;
const LINEAGE_ENTRY_BYTES = 24;

function encode({ ballot, item, partitionKey, lineage, derived, pending, isEntry }: RecordFields): Uint8Array {
  const keyOffset = HEADER_BYTES + lineage.length * LINEAGE_ENTRY_BYTES;
  const keyEnd = keyOffset + partitionKey.length;
  const derivedEnd = derived === undefined ? keyEnd : keyEnd + sectionBytes(derived, item);
  const itemOffset = pending === undefined ? derivedEnd : derivedEnd + pendingBytes(pending);
  const bytes = Buffer.allocUnsafe(item === undefined ? itemOffset : itemOffset + 4 + item.json.length);
  bytes[0] = LAYOUT_VERSION;
  bytes[1] =
    (item === undefined ? FLAG_TOMBSTONE : 0) |
    (derived === undefined ? 0 : FLAG_DERIVED) |
    (derived?.changes === undefined || derived.changes.length === 0 ? 0 : FLAG_CHANGES) |
    (pending === undefined ? 0 : FLAG_PENDING) |
    (isEntry === undefined ? 0 : FLAG_ENTRY);
  writeBallot(bytes, ballot);
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
  if (derived !== undefined) writeSection(bytes, keyEnd, derived, item);
  if (pending !== undefined) writePending(bytes, derivedEnd, pending);
  if (item !== undefined) {
    bytes.writeUInt32BE(item.size, itemOffset);
    bytes.set(item.json, itemOffset + 4);
  }
  return bytes;
}

function writeBallot(bytes: Buffer, { hlc, coordinator, boot }: Ballot): void {
  bytes.writeDoubleBE(hlc, 2);
  bytes.writeUIntBE(coordinator, 10, 6);
  bytes.writeUInt32BE(boot, 16);
}

/** The record shares memory with `stored`, which must not change afterwards. */
export function decodeRecord(stored: Uint8Array): ItemRecord {
  return new ItemRecord(stored);
}

function restIn(bytes: Buffer): Rest {
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
  const keyEnd = offset + bytes.readUInt16BE(22);
  const partitionKey = bytes.toString('latin1', offset, keyEnd);
  const pending = (bytes[1]! & FLAG_PENDING) === 0 ? undefined : readPending(bytes, derivedEndIn(bytes));
  if ((bytes[1]! & FLAG_DERIVED) === 0) return { partitionKey, lineage, derived: undefined, pending };
  const derived = readSection(bytes, keyEnd, hasChanges(bytes) ? { item: itemIn(bytes) } : undefined);
  return { partitionKey, lineage, derived, pending };
}

/**
 * Whether bytes from another process are exactly one record. Checks lengths, flags and times. The item's JSON is whatever
 * follows; it is not parsed.
 */
export function isWholeRecord(received: Uint8Array): boolean {
  const bytes = asBuffer(received);
  if (bytes.length < HEADER_BYTES || bytes[0] !== LAYOUT_VERSION || (bytes[1]! & ~ALL_FLAGS) !== 0) return false;
  if (hasChanges(bytes) && (bytes[1]! & FLAG_DERIVED) === 0) return false;
  const lineageEnd = HEADER_BYTES + bytes.readUInt16BE(20) * LINEAGE_ENTRY_BYTES;
  const keyEnd = lineageEnd + bytes.readUInt16BE(22);
  const told = hasChanges(bytes) ? { hasItem: !isTombstone(bytes) } : undefined;
  if ((bytes[1]! & FLAG_DERIVED) !== 0 && !isWholeSection(bytes, keyEnd, told)) return false;
  if ((bytes[1]! & FLAG_PENDING) !== 0 && !isWholePending(bytes, derivedEndIn(bytes))) return false;
  const itemOffset = itemOffsetIn(bytes);
  if (isTombstone(bytes) ? bytes.length !== itemOffset : bytes.length < itemOffset + 4) return false;
  if (!isTime(bytes.readDoubleBE(2))) return false;
  for (let entry = HEADER_BYTES; entry < lineageEnd; entry += LINEAGE_ENTRY_BYTES) {
    if (!isTime(bytes.readDoubleBE(entry + 16))) return false;
  }
  return true;
}

/** The ballot of a stored record. */
export function ballotIn(stored: Uint8Array): Ballot {
  const bytes = bytesOf(stored);
  return { hlc: bytes.readDoubleBE(2), coordinator: bytes.readUIntBE(10, 6), boot: bytes.readUInt32BE(16) };
}

function hasChanges(bytes: Buffer): boolean {
  return (bytes[1]! & FLAG_CHANGES) !== 0;
}

/** Whether a stored record is a tombstone. */
export function isTombstone(stored: Uint8Array): boolean {
  return (bytesOf(stored)[1]! & FLAG_TOMBSTONE) !== 0;
}

/** Whether a stored record may be purged once it is old: a tombstone, of an item that no transaction is about to create. */
export function isPurgeable(stored: Uint8Array): boolean {
  return (bytesOf(stored)[1]! & (FLAG_TOMBSTONE | FLAG_PENDING)) === FLAG_TOMBSTONE;
}

/** Whether a stored record carries what a transaction has prepared. */
export function isPendingIn(stored: Uint8Array): boolean {
  return (bytesOf(stored)[1]! & FLAG_PENDING) !== 0;
}

/** The item of a stored record, undefined for a tombstone, without decoding the rest: all that most reads want. */
export function decodeItem(stored: Uint8Array): ItemImage | undefined {
  return itemIn(bytesOf(stored));
}

function itemIn(bytes: Buffer): ItemImage | undefined {
  if (isTombstone(bytes)) return undefined;
  const offset = itemOffsetIn(bytes);
  return { size: bytes.readUInt32BE(offset), json: bytes.subarray(offset + 4) };
}

function itemOffsetIn(bytes: Buffer): number {
  const derivedEnd = derivedEndIn(bytes);
  return (bytes[1]! & FLAG_PENDING) === 0 ? derivedEnd : endOfPending(bytes, derivedEnd);
}

function derivedEndIn(bytes: Buffer): number {
  const keyEnd = keyEndIn(bytes);
  return (bytes[1]! & FLAG_DERIVED) === 0 ? keyEnd : endOfSection(bytes, keyEnd);
}

function keyEndIn(bytes: Buffer): number {
  return HEADER_BYTES + bytes.readUInt16BE(20) * LINEAGE_ENTRY_BYTES + bytes.readUInt16BE(22);
}

function bytesOf(stored: Uint8Array): Buffer {
  assert(stored[0] === LAYOUT_VERSION, 'unknown record layout');
  return asBuffer(stored);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
