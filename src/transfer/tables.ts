import type { KeySchema } from '../api/primary-key.ts';
import type { Tag } from '../api/table-requests.ts';
import { hintOf } from '../config/nearest.ts';
import {
  definitionOf,
  describeKey,
  keySchemaOf,
  type TableDefinition,
  type TableDescription,
  type TimeToLive,
} from './copied-definition.ts';
import type { Connection } from './endpoint-connection.ts';
import { Interrupted, TransferError } from './failure.ts';
import { LIMITS } from './transfer-limits.ts';
import type { World } from './world.ts';

/** Errors of optional operations: an emulator may not have the operation, or the user may not be allowed to use it. */
const MAY_BE_MISSING = ['UnknownOperationException', 'AccessDeniedException', 'ValidationException'];

/** A table that exists. */
export interface FoundTable {
  readonly name: string;
  readonly key: KeySchema;
  readonly description: TableDescription;
  /** Changes if the table is deleted and created again. */
  readonly identity: string;
}

/** @throws TransferError for unexpected errors; undefined if there is no such table */
export async function findTable(connection: Connection, name: string): Promise<FoundTable | undefined> {
  const result = await connection.send('DescribeTable', JSON.stringify({ TableName: name }));
  if (result.kind === 'refused') {
    if (result.name === 'ResourceNotFoundException') return undefined;
    throw new TransferError(`${connection.endpoint.url.origin}, table ${name}: ${result.name}: ${result.message}`);
  }
  const { Table: description } = JSON.parse(result.body) as { Table: TableDescription };
  const key = keySchemaOf(description);
  if (key === undefined) throw new TransferError(`${connection.endpoint.url.origin}: table ${name} has no key schema`);
  return { name, key, description, identity: String(description.TableId ?? description.CreationDateTime) };
}

/**
 * The error for a table that does not exist.
 * @param advice used if no existing name is similar
 */
export async function noSuchTable(connection: Connection, name: string, advice?: string): Promise<TransferError> {
  // A failure to list tables must not hide the actual error.
  const names = await listTables(connection).catch(() => []);
  const rest = hintOf(name, names) || (advice === undefined ? '' : `; ${advice}`);
  return new TransferError(`there is no table ${name} at ${connection.endpoint.url.origin}${rest}`);
}

export async function listTables(connection: Connection): Promise<string[]> {
  const names: string[] = [];
  let after: string | undefined;
  do {
    const request = after === undefined ? {} : { ExclusiveStartTableName: after };
    const page = await connection.ask<{ TableNames?: string[]; LastEvaluatedTableName?: string }>(
      'ListTables',
      request,
    );
    names.push(...(page.TableNames ?? []));
    after = page.LastEvaluatedTableName;
    if (names.length > LIMITS.maxTables) throw new TransferError(`there are more than ${LIMITS.maxTables} tables`);
  } while (after !== undefined);
  return names;
}

/** The request that creates a table like this one, with tags and time to live as far as the endpoint reports them. */
export async function readDefinition(
  connection: Connection,
  { name, description }: FoundTable,
): Promise<TableDefinition> {
  const tags: Tag[] = [];
  let token: string | undefined;
  do {
    const request: object = { ResourceArn: description.TableArn, NextToken: token };
    const page = await askIfThere<{ Tags?: Tag[]; NextToken?: string }>(connection, 'ListTagsOfResource', request);
    // The service's own tags cannot be set.
    tags.push(...(page?.Tags ?? []).filter(({ Key }) => !Key.startsWith('aws:')));
    token = page?.NextToken;
  } while (token !== undefined && tags.length < LIMITS.maxTables);
  type Answer = { TimeToLiveDescription?: { TimeToLiveStatus?: string; AttributeName?: string } };
  const answer = await askIfThere<Answer>(connection, 'DescribeTimeToLive', { TableName: name });
  const { TimeToLiveStatus, AttributeName } = answer?.TimeToLiveDescription ?? {};
  const isOn = AttributeName !== undefined && /^ENABL/.test(TimeToLiveStatus ?? '');
  return definitionOf(description, tags, isOn ? { AttributeName, Enabled: true } : undefined);
}

/**
 * Creates a table and waits until it can be written.
 * @returns the table, and which part of its definition the endpoint does not support
 * @throws TransferError
 */
export async function makeTable(
  connection: Connection,
  { TimeToLiveSpecification, ...definition }: TableDefinition,
  world: World,
): Promise<{ readonly table: FoundTable; readonly missing?: string }> {
  const { origin } = connection.endpoint.url;
  const result = await connection.send('CreateTable', JSON.stringify(definition));
  if (result.kind === 'refused' && result.name !== 'ResourceInUseException') {
    throw new TransferError(`${origin} does not make table ${definition.TableName}: ${result.name}: ${result.message}`);
  }
  const table = await waitUntilActive(connection, definition.TableName, world);
  const missing =
    TimeToLiveSpecification && (await setTimeToLive(connection, definition.TableName, TimeToLiveSpecification));
  return { table, ...(missing !== undefined && { missing }) };
}

/** @throws TransferError if the keys of two tables differ, so that items of one do not fit into the other */
export function checkSameKey(table: FoundTable, wanted: KeySchema, whose: string): void {
  const [has, needs] = [describeKey(table.key), describeKey(wanted)];
  if (has !== needs)
    throw new TransferError(`table ${table.name} is there with the key ${has}, but ${whose} has ${needs}`);
}

async function waitUntilActive(connection: Connection, name: string, world: World): Promise<FoundTable> {
  for (let waitedMs = 0; waitedMs <= LIMITS.tableWaitMs; waitedMs += LIMITS.tablePollMs) {
    const table = await findTable(connection, name);
    if (table !== undefined && (table.description.TableStatus ?? 'ACTIVE') === 'ACTIVE') return table;
    await world.sleep(LIMITS.tablePollMs);
    if (world.interrupted.aborted) throw new Interrupted();
  }
  throw new TransferError(`table ${name} is not active after ${LIMITS.tableWaitMs / 60_000} minutes`);
}

async function setTimeToLive(
  connection: Connection,
  name: string,
  timeToLive: TimeToLive,
): Promise<string | undefined> {
  const request = { TableName: name, TimeToLiveSpecification: timeToLive };
  const result = await connection.send('UpdateTimeToLive', JSON.stringify(request));
  if (result.kind === 'answered') return undefined;
  return `table ${name} has no time to live (${result.name}: ${result.message})`;
}

async function askIfThere<Answer>(
  connection: Connection,
  operation: string,
  request: object,
): Promise<Answer | undefined> {
  const result = await connection.send(operation, JSON.stringify(request));
  if (result.kind === 'answered') return JSON.parse(result.body) as Answer;
  if (MAY_BE_MISSING.includes(result.name)) return undefined;
  throw new TransferError(`${connection.endpoint.url.origin} refused ${operation}: ${result.name}: ${result.message}`);
}
