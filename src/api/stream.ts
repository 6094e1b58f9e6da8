import { ApiError } from './errors.ts';
import { isoTime, timeOfIso } from './iso-time.ts';
import type { Stream } from './table-definition.ts';

/** A stream record can be read for so long after its item was changed (developer guide, "Change data capture for DynamoDB Streams"). */
export const RETENTION_MS = 24 * 3_600_000;

/** Where a record is in its shard: the batch that it was written with, and its place among those. */
export interface StreamPosition {
  readonly cell: number;
  readonly offset: number;
}

export const LOG_START: StreamPosition = { cell: 0, offset: 0 };

/** A time without a zone, such as `2026-10-08T23:07:31.275`. Labels have one length, so their order is that of their times. */
export function streamLabel({ startedAtMs }: Pick<Stream, 'startedAtMs'>): string {
  return isoTime(startedAtMs).slice(0, -1);
}

export function streamArn(tableArn: string, stream: Pick<Stream, 'startedAtMs'>): string {
  return `${tableArn}/stream/${streamLabel(stream)}`;
}

/** The name of a stream within a namespace. */
export interface StreamName {
  readonly table: string;
  readonly startedAtMs: number;
}

const STREAM_ARN = /^arn:[^:|]*:dynamodb:[^:|]*:[^:|]*:table\/([a-zA-Z0-9_.-]{3,255})\/stream\/([^|]+)$/;

/**
 * What an ARN of a stream names. Region and account are not checked, as in a `TableName`.
 * @returns undefined for a text that is none
 */
export function streamNameOf(arn: string): StreamName | undefined {
  const [, table, label] = STREAM_ARN.exec(arn) ?? [];
  const startedAtMs = label === undefined ? undefined : timeOfIso(`${label}Z`);
  if (table === undefined || startedAtMs === undefined || streamLabel({ startedAtMs }) !== label) return undefined;
  return { table, startedAtMs };
}

/** @throws ValidationException in words recorded by spring-cloud/spring-integration-aws for a text that is no ARN of a stream */
export function namedStream(arn: string): StreamName {
  const name = streamNameOf(arn);
  if (name === undefined) throw ApiError.validation('Invalid StreamArn');
  return name;
}

/** As clients have recorded it (SeanRoy/lambda-maven-plugin issue 121). */
export function streamNotFound(arn: string): ApiError {
  return ApiError.resourceNotFound(`Requested resource not found: Stream: ${arn} not found`);
}

/** As clients have recorded it (ironSource/node-dynamodb-stream issue 16). */
export function shardNotFound(): ApiError {
  return ApiError.resourceNotFound('Requested resource not found: Shard does not exist');
}

const SHARD_ID = /^shardId-(\d{20})-([0-9a-f]{8})$/;

/** @param shard from 0 on */
export function shardIdOf({ startedAtMs }: Pick<Stream, 'startedAtMs'>, shard: number): string {
  return `shardId-${String(startedAtMs).padStart(20, '0')}-${shard.toString(16).padStart(8, '0')}`;
}

/** The number of a shard. @returns undefined for an id that no shard of the stream has */
export function shardOfId(
  { startedAtMs, shards }: Required<Pick<Stream, 'startedAtMs' | 'shards'>>,
  id: string,
): number | undefined {
  const [, started, number] = SHARD_ID.exec(id) ?? [];
  if (number === undefined || Number(started) !== startedAtMs) return undefined;
  const shard = Number.parseInt(number, 16);
  return shard < shards ? shard : undefined;
}

/** The service's sequence numbers have 21 digits at least, so those of one shard are in the order of their texts, too. */
const SEQUENCE_DIGITS = 21;
/** In bits: a batch has fewer records. */
const OFFSET_BITS = 20n;
/** No log has more (`log/log-keys.ts` of the nodes). */
const MOST_CELLS = 2 ** 49;

export function sequenceNumberOf({ cell, offset }: StreamPosition): string {
  return String((BigInt(cell) << OFFSET_BITS) + BigInt(offset)).padStart(SEQUENCE_DIGITS, '0');
}

/** The inverse. @returns undefined for a text that is no number, or one that is too high for any record */
export function positionOfSequence(text: string): StreamPosition | undefined {
  if (!/^\d{21,40}$/.test(text)) return undefined;
  const number = BigInt(text);
  const cell = Number(number >> OFFSET_BITS);
  const position = { cell, offset: Number(number & ((1n << OFFSET_BITS) - 1n)) };
  return isPosition(position) ? position : undefined;
}

/** Whether a record could be there. */
export function isPosition({ cell }: StreamPosition): boolean {
  return cell < MOST_CELLS;
}

/** Whether one position is before another. */
export function isBefore(one: StreamPosition, other: StreamPosition): boolean {
  return one.cell < other.cell || (one.cell === other.cell && one.offset < other.offset);
}
