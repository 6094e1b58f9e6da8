import type { ApiError } from './errors.ts';
import { validationErrors } from './refusal.ts';

/** The account that owns everything here. Other emulators use the same. */
const ACCOUNT_ID = '000000000000';

export function tableArn(region: string, name: string): string {
  return `arn:aws:dynamodb:${region}:${ACCOUNT_ID}:table/${name}`;
}

/** The region of an ARN. */
export function regionOf(arn: string): string {
  return arn.split(':')[3] ?? '';
}

/**
 * The ARN of an encryption key that a request names by id, alias or ARN. An alias stays an alias, since there is no key
 * service here to resolve it.
 */
export function keyArn(region: string, keyId: string): string {
  if (keyId.startsWith('arn:')) return keyId;
  return `arn:aws:kms:${region}:${ACCOUNT_ID}:${keyId.startsWith('alias/') ? keyId : `key/${keyId}`}`;
}

/** Captures the resource of an ARN, with all its slashes. */
const RESOURCE = /^arn:[^:]*:[^:]*:[^:]*:[^:]*:(.+)$/s;
const NAME = /^[a-zA-Z0-9_.-]{3,255}$/;

/**
 * The name of the table that a `TableName` refers to. The `TableName` is a name or an ARN, and has passed its schema.
 *
 * The region and account of an ARN are not checked: all credentials and regions reach the same tables here, so an ARN
 * copied from a real account finds the table of that name. DynamoDB Local does the same.
 * @throws ValidationException for what is not the ARN of a table
 */
export function tableNameOf(nameOrArn: string): string {
  if (!nameOrArn.startsWith('arn:')) return nameOrArn;
  const resource = RESOURCE.exec(nameOrArn)?.[1];
  if (resource === undefined || !resource.includes('/')) throw notATableArn(nameOrArn);
  if (!resource.startsWith('table/')) throw constraintFailed(nameOrArn, 'Invalid resource type');
  const name = resource.slice('table/'.length);
  if (name.length < 3) {
    throw constraintFailed(nameOrArn, 'Table name of ARN must have length greater than or equal to 3');
  }
  if (!NAME.test(name)) throw notATableArn(nameOrArn);
  return name;
}

function notATableArn(arn: string): ApiError {
  return constraintFailed(
    arn,
    "Valid ARN format is 'arn:<awsPartition>:<vendor>:<region>:<subscriber>:resourceType/resourceName', " +
      'where Resource name must have length less than or equal to 255, Resource name must have length ' +
      'greater than or equal to 3, Resource name must satisfy regular expression pattern: [a-zA-Z0-9_.-]+',
  );
}

/** An error in the form of those of the schemas. `arn` has passed its schema, so it is short. */
function constraintFailed(arn: string, constraint: string): ApiError {
  return validationErrors([`Value '${arn}' at 'tableName' failed to satisfy constraint: ${constraint}`]);
}
