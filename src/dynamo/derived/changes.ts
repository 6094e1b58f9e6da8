import { equalValues } from '../../api/attribute-value.ts';
import type { Derivation } from '../../api/derivation.ts';
import { fromImage, type ItemImage, toImage } from '../../api/item.ts';
import { PartReader } from '../../api/item-part.ts';
import type { ByteString } from '../../api/primary-key.ts';
import { type Ballot, compareBallots, isTime } from '../ballot.ts';
import type { Writer } from '../client.ts';
import type { Rules } from '../rules.ts';

/** What a change did to its item, in the service's words. */
export type ChangeEvent = 'INSERT' | 'MODIFY' | 'REMOVE';

/** One version of an item that its table's stream shows (docs/protocol.md section 18.1). */
export interface Change {
  /** The storage id of the stream. */
  readonly stream: ByteString;
  /** Into how many shards the stream is cut. */
  readonly shards: number;
  /** Of the attempt that has made the version: no other change has it. */
  readonly ballot: Ballot;
  readonly event: ChangeEvent;
  readonly by: Writer | undefined;
  /** The key attributes of the item alone. */
  readonly key: ItemImage;
  /** The item before and after, as far as the view of the stream shows them. */
  readonly old: ItemImage | undefined;
  readonly next: ItemImage | undefined;
}

/** A value that takes the place of another one. */
export interface Replacement {
  readonly ballot: Ballot;
  readonly old: ItemImage | undefined;
  readonly next: ItemImage | undefined;
  readonly by: Writer | undefined;
}

/** The change that a new value is. @returns undefined if it says the same as the old one */
export function changeOf(
  { ballot, old, next, by }: Replacement,
  derivation: Derivation,
  { sameIsNoChange }: Rules,
): Change | undefined {
  const { stream } = derivation;
  if (stream === undefined || (old === undefined && next === undefined)) return undefined;
  if (sameIsNoChange && isEqualItem(old, next)) return undefined;
  const { view } = stream;
  const isBoth = view === 'NEW_AND_OLD_IMAGES';
  return {
    stream: stream.storageId,
    shards: stream.shards,
    ballot,
    event: old === undefined ? 'INSERT' : next === undefined ? 'REMOVE' : 'MODIFY',
    by,
    key: keyImage((next ?? old)!, derivation),
    old: isBoth || view === 'OLD_IMAGE' ? old : undefined,
    next: isBoth || view === 'NEW_IMAGE' ? next : undefined,
  };
}

/** The changes that are not known to be in the log. */
export function changesAfter(changes: readonly Change[] | undefined, logged: Ballot): readonly Change[] {
  if (changes === undefined || changes.length === 0) return NO_CHANGES;
  const first = changes.findIndex(({ ballot }) => compareBallots(ballot, logged) > 0);
  if (first <= 0) return first < 0 ? NO_CHANGES : changes;
  return changes.slice(first);
}

export const NO_CHANGES: readonly Change[] = [];

/** Bytes of the images that a record keeps for its changes. @param item that of the record, which it has anyway */
export function imageBytes(changes: readonly Change[], item: ItemImage | undefined): number {
  let bytes = 0;
  for (const image of imagesOf(changes, item)) bytes += image.json.length;
  return bytes;
}

const KEY_READERS = new WeakMap<Derivation, PartReader>();

function keyImage(item: ItemImage, derivation: Derivation): ItemImage {
  let reader = KEY_READERS.get(derivation);
  if (reader === undefined) {
    const { partition, sort } = derivation.key;
    reader = new PartReader(sort === undefined ? [partition.name] : [partition.name, sort.name]);
    KEY_READERS.set(derivation, reader);
  }
  return toImage(reader.read(item));
}

/** Attributes have no order, so the same item may have been written in other bytes, but not in more or fewer of them. */
function isEqualItem(one: ItemImage | undefined, other: ItemImage | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  if (isSameImage(one, other)) return true;
  if (one.size !== other.size || one.json.length !== other.json.length) return false;
  return equalValues({ M: fromImage(one) }, { M: fromImage(other) });
}

function isSameImage(one: ItemImage, other: ItemImage | undefined): boolean {
  if (other === undefined || one.size !== other.size || one.json.length !== other.json.length) return false;
  return one === other || Buffer.compare(one.json, other.json) === 0;
}

/*
 * In a record, big-endian (docs/data-layout.md). Images that several changes share, and the item of the record, are there once.
 *   u8 images | per image: u32 size, u32 bytes, JSON
 *   u8 changes | per change: 8 bytes stream | u16 shards | u8 flags | u8 key, u8 old, u8 next (the number of an image, 0xfe: the
 *   item of the record, 0xff: none) | ballot as in the header of a record
 * So it ends with the ballot of the newest change.
 */
const STREAM_BYTES = 8;
const BALLOT_BYTES = 18;
const CHANGE_BYTES = STREAM_BYTES + 2 + 4 + BALLOT_BYTES;
const IMAGE_HEAD_BYTES = 8;
const THE_ITEM = 0xfe;
const NO_IMAGE = 0xff;
/** What a client changes: 0 to 2; 4 more: the sweep of expired items did it. */
const EVENTS: readonly ChangeEvent[] = ['INSERT', 'MODIFY', 'REMOVE'];
const BY_TTL = 4;

/** Those that are not the item itself, each once. */
function imagesOf(changes: readonly Change[], item: ItemImage | undefined): ItemImage[] {
  const images: ItemImage[] = [];
  for (const { key, old, next } of changes) {
    for (const image of [key, old, next]) {
      if (image === undefined || isSameImage(image, item) || images.some((known) => isSameImage(image, known)))
        continue;
      images.push(image);
    }
  }
  return images;
}

export function changesBytes(changes: readonly Change[], item: ItemImage | undefined): number {
  let bytes = 2 + changes.length * CHANGE_BYTES;
  for (const { json } of imagesOf(changes, item)) bytes += IMAGE_HEAD_BYTES + json.length;
  return bytes;
}

/** @returns where what follows begins */
export function writeChanges(
  bytes: Buffer,
  offset: number,
  changes: readonly Change[],
  item: ItemImage | undefined,
): number {
  const images = imagesOf(changes, item);
  let at = bytes.writeUInt8(images.length, offset);
  for (const { size, json } of images) {
    at = bytes.writeUInt32BE(size, at);
    at = bytes.writeUInt32BE(json.length, at);
    bytes.set(json, at);
    at += json.length;
  }
  const numberOf = (image: ItemImage | undefined) => {
    if (image === undefined) return NO_IMAGE;
    return isSameImage(image, item) ? THE_ITEM : images.findIndex((known) => isSameImage(image, known));
  };
  at = bytes.writeUInt8(changes.length, at);
  for (const { stream, shards, ballot, event, by, key, old, next } of changes) {
    at += bytes.write(stream, at, 'latin1');
    at = bytes.writeUInt16BE(shards, at);
    at = bytes.writeUInt8(EVENTS.indexOf(event) | (by === undefined ? 0 : BY_TTL), at);
    for (const image of [key, old, next]) at = bytes.writeUInt8(numberOf(image), at);
    at = bytes.writeDoubleBE(ballot.hlc, at);
    at = bytes.writeUIntBE(ballot.coordinator, at, 6);
    at = bytes.writeUInt32BE(ballot.boot, at);
  }
  return at;
}

export function readChanges(bytes: Buffer, offset: number, item: ItemImage | undefined): readonly Change[] {
  const images: ItemImage[] = [];
  let at = offset + 1;
  for (let left = bytes[offset]!; left > 0; left--) {
    const end = at + IMAGE_HEAD_BYTES + bytes.readUInt32BE(at + 4);
    images.push({ size: bytes.readUInt32BE(at), json: bytes.subarray(at + IMAGE_HEAD_BYTES, end) });
    at = end;
  }
  const imageAt = (index: number) => (bytes[index] === THE_ITEM ? item : images[bytes[index]!]);
  const changes: Change[] = [];
  for (let left = bytes[at++]!; left > 0; left--) {
    const flags = bytes[at + STREAM_BYTES + 2]!;
    const numbers = at + STREAM_BYTES + 3;
    changes.push({
      stream: bytes.toString('latin1', at, at + STREAM_BYTES),
      shards: bytes.readUInt16BE(at + STREAM_BYTES),
      ballot: newestIn(bytes, at + CHANGE_BYTES),
      event: EVENTS[flags & 3]!,
      by: (flags & BY_TTL) === 0 ? undefined : 'ttl',
      key: imageAt(numbers)!,
      old: imageAt(numbers + 1),
      next: imageAt(numbers + 2),
    });
    at += CHANGE_BYTES;
  }
  return changes;
}

/** The ballot of the newest change. @param end where the changes end */
export function newestIn(bytes: Buffer, end: number): Ballot {
  const at = end - BALLOT_BYTES;
  return {
    hlc: bytes.readDoubleBE(at),
    coordinator: bytes.readUIntBE(at + 8, 6),
    boot: bytes.readUInt32BE(at + 14),
  };
}

/** Whether bytes of another process are changes, one at least, and nothing else. @param hasItem whether the record has one */
export function areWholeChanges(bytes: Buffer, from: number, end: number, hasItem: boolean): boolean {
  if (from + 1 > end) return false;
  const images = bytes[from]!;
  let at = from + 1;
  for (let left = images; left > 0; left--) {
    if (at + IMAGE_HEAD_BYTES > end) return false;
    at += IMAGE_HEAD_BYTES + bytes.readUInt32BE(at + 4);
  }
  if (at + 1 > end) return false;
  const count = bytes[at++]!;
  if (count === 0 || at + count * CHANGE_BYTES !== end) return false;
  const isImage = (number: number) => number < images || (number === THE_ITEM && hasItem);
  for (; at < end; at += CHANGE_BYTES) {
    const flags = bytes[at + STREAM_BYTES + 2]!;
    const [key, old, next] = bytes.subarray(at + STREAM_BYTES + 3, at + STREAM_BYTES + 6);
    if (bytes.readUInt16BE(at + STREAM_BYTES) === 0 || flags > (BY_TTL | 3) || EVENTS[flags & 3] === undefined)
      return false;
    if (!isImage(key!) || [old!, next!].some((number) => number !== NO_IMAGE && !isImage(number))) return false;
    if (!isTime(bytes.readDoubleBE(at + CHANGE_BYTES - BALLOT_BYTES))) return false;
  }
  return true;
}
