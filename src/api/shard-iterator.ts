import { ApiError } from './errors.ts';
import type { ByteString } from './primary-key.ts';
import { isPosition, type StreamPosition, streamNameOf } from './stream.ts';

/** Where a reader of a shard goes on. Its text says all of it: nothing is kept for a reader. */
export interface ShardIterator {
  /** The ARN by which the reader knows the stream. */
  readonly arn: string;
  /** The storage id of the stream. */
  readonly stream: ByteString;
  readonly shard: number;
  readonly position: StreamPosition;
  /** From the oldest record on that can still be read, whichever that is. `position`: where it was looked for already. */
  readonly isTrimHorizon: boolean;
  /** When it was issued, by the clock of the API. */
  readonly issuedAtMs: number;
  /** So many of the records that follow were answered before, because of a fault rule. */
  readonly repeated: number;
}

/** API reference, GetShardIterator: "A shard iterator expires 15 minutes after it is returned to the requester." */
const LIFE_MS = 15 * 60_000;

/*
 * ARN | 1 | base64 of, big-endian: 8 bytes stream | u16 shard | u8 whether from the trim horizon | u48 cell >> 8 | u8 cell & 255 |
 * u32 offset | u48 issued at | u16 repeated | u32 FNV-1a of the ARN and all of that
 */
const BYTES = 8 + 2 + 1 + 6 + 1 + 4 + 6 + 2 + 4;
const CHECK_AT = BYTES - 4;
const SEPARATOR = '|1|';

export function shardIteratorText({
  arn,
  stream,
  shard,
  position,
  isTrimHorizon,
  issuedAtMs,
  repeated,
}: ShardIterator): string {
  const bytes = Buffer.alloc(BYTES);
  let at = bytes.write(stream, 0, 'latin1');
  at = bytes.writeUInt16BE(shard, at);
  at = bytes.writeUInt8(isTrimHorizon ? 1 : 0, at);
  at = bytes.writeUIntBE(Math.floor(position.cell / 256), at, 6);
  at = bytes.writeUInt8(position.cell % 256, at);
  at = bytes.writeUInt32BE(position.offset, at);
  at = bytes.writeUIntBE(issuedAtMs, at, 6);
  at = bytes.writeUInt16BE(repeated, at);
  bytes.writeUInt32BE(checkOf(arn, bytes), at);
  return `${arn}${SEPARATOR}${bytes.toString('base64')}`;
}

/**
 * The inverse. Whether there is such a stream, and such a shard, is not known here.
 * @throws ValidationException for a text that is no iterator
 */
export function readShardIterator(text: string): ShardIterator {
  const end = text.indexOf(SEPARATOR);
  const arn = text.slice(0, Math.max(0, end));
  const encoded = text.slice(end + SEPARATOR.length);
  const bytes = Buffer.from(encoded, 'base64');
  const isWhole = bytes.length === BYTES && bytes.toString('base64') === encoded;
  if (streamNameOf(arn) === undefined || !isWhole || bytes.readUInt32BE(CHECK_AT) !== checkOf(arn, bytes))
    throw invalidIterator();
  const position = { cell: bytes.readUIntBE(11, 6) * 256 + bytes[17]!, offset: bytes.readUInt32BE(18) };
  if (!isPosition(position)) throw invalidIterator();
  return {
    arn,
    stream: bytes.toString('latin1', 0, 8),
    shard: bytes.readUInt16BE(8),
    isTrimHorizon: bytes[10] === 1,
    position,
    issuedAtMs: bytes.readUIntBE(22, 6),
    repeated: bytes.readUInt16BE(28),
  };
}

/** The ARN of the stream that an iterator is of, as far as its text says one. */
export function arnOfIterator(text: string): string | undefined {
  const end = text.indexOf(SEPARATOR);
  return end < 0 ? undefined : text.slice(0, end);
}

/** @throws ExpiredIteratorException if it was issued too long ago */
export function checkNotExpired({ issuedAtMs }: Pick<ShardIterator, 'issuedAtMs'>, nowMs: number): void {
  if (nowMs - issuedAtMs > LIFE_MS) throw ApiError.expiredIterator();
}

export function invalidIterator(): ApiError {
  return ApiError.validation('Invalid ShardIterator');
}

/** FNV-1a: against damage and guesses, not against anybody who wants to make an iterator. */
function checkOf(arn: string, bytes: Buffer): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < arn.length; i++) hash = Math.imul(hash ^ arn.charCodeAt(i), 0x01000193);
  for (let i = 0; i < CHECK_AT; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash >>> 0;
}
