import { ApiError } from './errors.ts';
import { invalidParameter } from './invalid-parameter.ts';
import type { Table } from './table-definition.ts';
import type { Tag } from './table-requests.ts';
import { CONSISTENCY_TAG, checkTags } from './table-settings-rules.ts';

const TABLE_ARN = /^arn:[^:]*:dynamodb:[^:]*:[^:]*:table\/([a-zA-Z0-9_.-]{3,255})$/;
const ARN = /^arn:[^:]*:([^:]*):[^:]*:[^:]*:.+$/s;
/** The ARN of a stream of a table. */
const STREAM_ARN = /^arn:[^:]*:dynamodb:[^:]*:[^:]*:table\/[a-zA-Z0-9_.-]{3,255}\/stream\/.+$/s;

/**
 * The table that a `ResourceArn` names. Region and account are not checked, as in a `TableName`.
 * @throws ValidationException for a text that is no ARN of a table; ResourceNotFoundException for the ARN of a stream
 *   (recorded in findings of aws-controllers-k8s on DynamoDB, October 2026); AccessDeniedException for the ARN of
 *   another service (by comparison with the service, ExtendDB/extenddb#227)
 */
export function taggedTable(resourceArn: string): string {
  const name = TABLE_ARN.exec(resourceArn)?.[1];
  if (name !== undefined) return name;
  if (!resourceArn.startsWith('arn:')) throw invalidParameter(`ARNs must start with 'arn:': ${resourceArn}`);
  if (STREAM_ARN.test(resourceArn)) throw resourceNotFound(resourceArn);
  const service = ARN.exec(resourceArn)?.[1];
  if (service !== undefined && service !== 'dynamodb') {
    throw ApiError.accessDenied(`User is not authorized to access this resource: ${resourceArn}`);
  }
  throw ApiError.validation(`Invalid TableArn: Invalid ResourceArn provided as input ${resourceArn}`);
}

export function resourceNotFound(arn: string): ApiError {
  return ApiError.resourceNotFound(`Requested resource not found: ResourceArn: ${arn} not found`);
}

/** @throws ValidationException */
export function checkNewTags(tags: readonly Tag[]): void {
  if (tags.length === 0) throw ApiError.validation('Atleast one Tag needs to be provided as Input.');
  checkTags(tags);
}

/** @throws ValidationException */
export function checkTagKeys(keys: readonly string[]): void {
  if (keys.length === 0) throw ApiError.validation('Atleast one Tag Key needs to be provided as Input.');
}

/**
 * The table with further tags; a tag replaces another with the same key.
 * @throws ValidationException if that makes too many tags, or for the tag that only a new table may have
 */
export function withTags(table: Table, added: readonly Tag[]): Table {
  const values = new Map(table.tags.map(({ Key, Value }) => [Key, Value]));
  for (const { Key, Value } of added) {
    if (Key === CONSISTENCY_TAG && values.get(Key) !== Value) throw consistencyIsFixed();
    values.set(Key, Value);
  }
  const tags = [...values].map(([Key, Value]) => ({ Key, Value }));
  checkTags(tags);
  return { ...table, tags };
}

/** The table without the tags of these keys. Keys that it does not have are ignored. */
export function withoutTags(table: Table, keys: readonly string[]): Table {
  const removed = table.tags.filter(({ Key }) => keys.includes(Key!));
  if (removed.some(({ Key }) => Key === CONSISTENCY_TAG)) throw consistencyIsFixed();
  return { ...table, tags: table.tags.filter((tag) => !removed.includes(tag)) };
}

/** An error of our own: the consistency of a table is fixed when it is created. */
function consistencyIsFixed(): ApiError {
  return ApiError.validation(`The tag ${CONSISTENCY_TAG} of a table is given when it is created, and stays`);
}
