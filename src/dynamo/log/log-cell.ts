import { strict as assert } from 'node:assert';
import type { ItemImage } from '../../api/item.ts';
import type { Ballot } from '../ballot.ts';
import type { Change, ChangeEvent } from '../derived/changes.ts';

/** A change as the log has it. */
export type CellChange = Omit<Change, 'stream' | 'shards'>;

/** What a cell of a log holds. `end`: the stream was disabled; no cell follows. */
export type Cell =
  | {
      readonly kind: 'batch';
      /**
       * Changes before this time, in ticks of `Ballot.hlc`, were left out here and are in no later cell: they may have been
       * trimmed (docs/protocol.md section 18.4).
       */
      readonly retentionHlc: number;
      readonly changes: readonly CellChange[];
    }
  | { readonly kind: 'end' };

/*
 * A cell takes the place of an item in its record, but is no JSON. Big-endian (docs/data-layout.md):
 *   u8 layout version | u8 kind: 0 a batch, 1 the end | u16 changes | f64 retention
 *   per change: u8 flags | ballot as in the header of a record | key, old, next as far as there: u32 size, u32 bytes, JSON
 */
const LAYOUT_VERSION = 1;
const HEAD_BYTES = 12;
const BATCH = 0;
const END = 1;
const CHANGE_BYTES = 1 + 18;
const IMAGE_HEAD_BYTES = 8;
/** Flags: 0 to 2 the event, and these. */
const EVENTS: readonly ChangeEvent[] = ['INSERT', 'MODIFY', 'REMOVE'];
const BY_TTL = 4;
const HAS_OLD = 8;
const HAS_NEXT = 16;

/** Bytes that a change takes in a cell. */
export function bytesInCell({ key, old, next }: CellChange): number {
  return CHANGE_BYTES + imageBytes(key) + (old ? imageBytes(old) : 0) + (next ? imageBytes(next) : 0);
}

/** The cell with these changes, at most 65,535. */
export function encodeBatch(changes: readonly CellChange[], retentionHlc: number): ItemImage {
  const length = changes.reduce((sum, change) => sum + bytesInCell(change), HEAD_BYTES);
  const bytes = Buffer.allocUnsafe(length);
  writeHead(bytes, BATCH, changes.length, retentionHlc);
  let at = HEAD_BYTES;
  for (const { ballot, event, by, key, old, next } of changes) {
    const has = (old === undefined ? 0 : HAS_OLD) | (next === undefined ? 0 : HAS_NEXT);
    at = bytes.writeUInt8(EVENTS.indexOf(event) | (by === undefined ? 0 : BY_TTL) | has, at);
    at = bytes.writeDoubleBE(ballot.hlc, at);
    at = bytes.writeUIntBE(ballot.coordinator, at, 6);
    at = bytes.writeUInt32BE(ballot.boot, at);
    for (const image of [key, old, next]) {
      if (image === undefined) continue;
      at = bytes.writeUInt32BE(image.size, at);
      at = bytes.writeUInt32BE(image.json.length, at);
      bytes.set(image.json, at);
      at += image.json.length;
    }
  }
  return { size: length, json: bytes };
}

/** The last cell of a log. */
export function encodeEnd(): ItemImage {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES);
  writeHead(bytes, END, 0, 0);
  return { size: HEAD_BYTES, json: bytes };
}

/** The images share memory with the cell. */
export function decodeCell({ json }: ItemImage): Cell {
  const bytes = bytesOf(json);
  if (bytes[1] === END) return { kind: 'end' };
  const changes: CellChange[] = [];
  let at = HEAD_BYTES;
  const image = (): ItemImage => {
    const end = at + IMAGE_HEAD_BYTES + bytes.readUInt32BE(at + 4);
    const read = { size: bytes.readUInt32BE(at), json: bytes.subarray(at + IMAGE_HEAD_BYTES, end) };
    at = end;
    return read;
  };
  for (let left = bytes.readUInt16BE(2); left > 0; left--) {
    const flags = bytes[at]!;
    const ballot = ballotAt(bytes, at + 1);
    at += CHANGE_BYTES;
    const key = image();
    const old = (flags & HAS_OLD) === 0 ? undefined : image();
    const next = (flags & HAS_NEXT) === 0 ? undefined : image();
    changes.push({ ballot, event: EVENTS[flags & 3]!, by: (flags & BY_TTL) === 0 ? undefined : 'ttl', key, old, next });
  }
  return { kind: 'batch', retentionHlc: bytes.readDoubleBE(4), changes };
}

function ballotAt(bytes: Buffer, at: number): Ballot {
  return {
    hlc: bytes.readDoubleBE(at),
    coordinator: bytes.readUIntBE(at + 8, 6),
    boot: bytes.readUInt32BE(at + 14),
  };
}

function writeHead(bytes: Buffer, kind: number, count: number, retentionHlc: number): void {
  bytes[0] = LAYOUT_VERSION;
  bytes[1] = kind;
  bytes.writeUInt16BE(count, 2);
  bytes.writeDoubleBE(retentionHlc, 4);
}

function imageBytes({ json }: ItemImage): number {
  return IMAGE_HEAD_BYTES + json.length;
}

function bytesOf(json: Uint8Array): Buffer {
  assert(json[0] === LAYOUT_VERSION, 'unknown layout of a cell');
  return Buffer.isBuffer(json) ? json : Buffer.from(json.buffer, json.byteOffset, json.byteLength);
}
