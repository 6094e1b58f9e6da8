import {
  CreateTableCommand,
  DeleteItemCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { OperationName } from '../../src/api/operations.ts';
import type { Ask } from './ring-under-test.ts';

type Convert = (value: unknown) => unknown;
type Command = Parameters<DynamoDBClient['send']>[0];

const COMMANDS = {
  CreateTable: CreateTableCommand,
  DeleteItem: DeleteItemCommand,
  DeleteTable: DeleteTableCommand,
  DescribeTable: DescribeTableCommand,
  PutItem: PutItemCommand,
  Query: QueryCommand,
  Scan: ScanCommand,
  UpdateItem: UpdateItemCommand,
} as unknown as Partial<Record<OperationName, new (input: object) => Command>>;

/** Asks by the official SDK, whose binaries are bytes, and answers JSON as on the wire. */
export function askBySdk(client: DynamoDBClient): Ask {
  return async (operation, request) => {
    const command = new COMMANDS[operation]!(converted(request, toBytes) as object);
    const { $metadata: _, ...answer } = await client.send(command);
    return converted(answer, toBase64);
  };
}

const toBytes: Convert = (value) => (typeof value === 'string' ? Buffer.from(value, 'base64') : value);
const toBase64: Convert = (value) => (value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value);

/** Every `{ B: ... }` with its content converted. */
function converted(value: unknown, convert: Convert): unknown {
  if (Array.isArray(value)) return value.map((each) => converted(each, convert));
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(
    entries.map(([name, each]) => [
      name,
      name === 'B' && entries.length === 1 ? convert(each) : converted(each, convert),
    ]),
  );
}
