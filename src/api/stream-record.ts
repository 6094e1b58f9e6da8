import type { ItemImage } from './item.ts';
import { RawJson } from './operations.ts';
import type { ByteString } from './primary-key.ts';
import { type StreamPosition, sequenceNumberOf } from './stream.ts';
import type { StreamViewType } from './table-requests.ts';

/** One change of an item, as the log of a stream has it. */
export interface StreamChange {
  readonly position: StreamPosition;
  readonly event: 'INSERT' | 'MODIFY' | 'REMOVE';
  readonly by: 'ttl' | undefined;
  readonly key: ItemImage;
  readonly old: ItemImage | undefined;
  readonly next: ItemImage | undefined;
}

/** What all records of a shard have in common. */
export interface RecordOrigin {
  readonly stream: ByteString;
  readonly shard: number;
  readonly viewType: StreamViewType;
  readonly region: string;
}

/** Who deletes expired items (developer guide, "DynamoDB Streams and Time to Live"). */
const TTL_IDENTITY = { PrincipalId: 'dynamodb.amazonaws.com', Type: 'Service' };

/**
 * A record in the service's shape. The images are sent as they are stored.
 * @param atMs when the item was changed, by the clock of the API
 */
export function streamRecord(change: StreamChange, origin: RecordOrigin, atMs: number) {
  const { position, event, by, key, old, next } = change;
  return {
    eventID: eventIdOf(origin, position),
    eventName: event,
    eventVersion: '1.1',
    eventSource: 'aws:dynamodb',
    awsRegion: origin.region,
    dynamodb: {
      // The service rounds it to seconds.
      ApproximateCreationDateTime: Math.floor(atMs / 1000),
      Keys: new RawJson(key.json),
      NewImage: next && new RawJson(next.json),
      OldImage: old && new RawJson(old.json),
      SequenceNumber: sequenceNumberOf(position),
      SizeBytes: key.size + (next?.size ?? 0) + (old?.size ?? 0),
      StreamViewType: origin.viewType,
    },
    userIdentity: by === 'ttl' ? TTL_IDENTITY : undefined,
  };
}

/** 32 hexadecimal digits, as the service's: the stream, the shard, and the place there. So a record always has the same. */
function eventIdOf({ stream, shard }: RecordOrigin, { cell, offset }: StreamPosition): string {
  const place = (BigInt(shard) << 48n) ^ ((BigInt(cell) << 16n) + BigInt(offset));
  return Buffer.from(stream, 'latin1').toString('hex') + BigInt.asUintN(64, place).toString(16).padStart(16, '0');
}
