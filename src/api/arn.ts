import { ApiError } from './errors.ts';

/** The account that owns everything here: the one that emulators have in common. */
const ACCOUNT_ID = '000000000000';

const NAME = /^[a-zA-Z0-9_.-]{3,255}$/;
const TABLE_ARN = /^arn:[a-z-]+:dynamodb:[a-z0-9-]*:[0-9]*:table\/([^/]*)$/;

export function tableArn(region: string, name: string): string {
  return `arn:aws:dynamodb:${region}:${ACCOUNT_ID}:table/${name}`;
}

/**
 * The name of the table that a `TableName` means, be it a name or an ARN.
 *
 * Region and account of an ARN are not compared with anything: any credentials and any region reach the same tables here,
 * and an ARN copied from a real account should find its table as its name would.
 * @throws ValidationException
 */
export function tableNameOf(nameOrArn: string): string {
  const name = nameOrArn.startsWith('arn:') ? TABLE_ARN.exec(nameOrArn)?.[1] : nameOrArn;
  if (name === undefined || !NAME.test(name)) throw ApiError.validation(`Invalid TableName: ${nameOrArn}`);
  return name;
}
