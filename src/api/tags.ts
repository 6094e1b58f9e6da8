import { ApiError } from './errors.ts';
import { invalidParameter } from './invalid-parameter.ts';
import type { Table } from './table-definition.ts';
import type { Tag } from './table-requests.ts';
import { CONSISTENCY_TAG, checkTags } from './table-settings-rules.ts';

const TABLE_ARN = /^arn:[^:]*:dynamodb:[^:]*:[^:]*:table\/([a-zA-Z0-9_.-]{3,255})$/;
const ARN = /^arn:[^:]*:([^:]*):[^:]*:[^:]*:.+$/s;
/** Of a table's stream. */
const STREAM_ARN = /^arn:[^:]*:dynamodb:[^:]*:[^:]*:table\/[a-zA-Z0-9_.-]{3,255}\/stream\/.+$/s;

/**
 * The table that a `ResourceArn` names. Region and account are not compared with anything, as of a `TableName`.
 * @throws ValidationException for what is no ARN of a table, ResourceNotFoundException for that of a stream (recorded in
 * findings of aws-controllers-k8s on DynamoDB, October 2026), AccessDeniedException for one of another service (as compared
 * with the service, ExtendDB/extenddb#227)
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
 * The table with further tags, or others in the place of those with the same keys.
 * @throws ValidationException if there are too many then, or for the tag that only a new table may have
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

/** Keys that the table does not have are none of its tags already. */
export function withoutTags(table: Table, keys: readonly string[]): Table {
  const removed = table.tags.filter(({ Key }) => keys.includes(Key!));
  if (removed.some(({ Key }) => Key === CONSISTENCY_TAG)) throw consistencyIsFixed();
  return { ...table, tags: table.tags.filter((tag) => !removed.includes(tag)) };
}

/** Our own: how a table is kept is decided when it is made. */
function consistencyIsFixed(): ApiError {
  return ApiError.validation(`The tag ${CONSISTENCY_TAG} of a table is given when it is created, and stays`);
}
