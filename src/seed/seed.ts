import { findNodeAtLocation, type Node } from 'jsonc-parser';
import { type AttributeMap, normaliseMap } from '../api/attribute-value.ts';
import { ApiError } from '../api/errors.ts';
import { AdminError } from '../api/fault-rule.ts';
import type { OperationName, RequestContext } from '../api/operations.ts';
import type { CreateTableRequest, TimeToLiveSpecification, UpdateTimeToLiveRequest } from '../api/table-requests.ts';
import type { Log } from '../env/log.ts';
import { inParallel } from '../router/in-parallel.ts';
import { checkNamespace, DEFAULT_NAMESPACE } from '../router/namespace.ts';
import type { Router } from '../router/router.ts';
import { placeOfViolation, validateRequest } from '../web/validate.ts';
import { documentOf, readDocuments, type SeedError } from './seed-document.ts';
import { fail, itemOf, jsonOf, members, type ParsedTable, type SeedFormat, tablesIn } from './seed-table.ts';

/** How many items are written concurrently. */
const ITEMS_AT_ONCE = 32;
/** The region in the ARNs of seeded tables: no request names one. */
const REGION = 'local';

/** Loose enough for the SDK's types and for object literals without `as const`; the validator checks what is given. */
type Loose<T> = T extends string
  ? string
  : T extends readonly (infer Element)[]
    ? readonly Loose<Element>[]
    : T extends object
      ? { readonly [Name in keyof T]: Loose<T[Name]> | undefined }
      : T;

/** A table with its items, as in a seed file. */
export interface SeedTable extends Loose<CreateTableRequest> {
  /** Plain JSON objects, or items in DynamoDB's JSON. */
  readonly Items?: readonly object[];
  /** Default: an item whose members are all objects is in DynamoDB's JSON, any other is plain. */
  readonly Format?: SeedFormat;
  /** Default: the namespace of `SeedOptions`. */
  readonly Namespace?: string;
  /** As in an UpdateTimeToLive request. Default: items do not expire. */
  readonly TimeToLiveSpecification?: TimeToLiveSpecification;
}

/** A file, a folder of files, or the content of one. */
export type SeedSource = string | SeedTable | readonly SeedTable[];

export interface SeedOptions {
  /** The namespace of tables that do not name one. Default: the default namespace. */
  readonly namespace?: string;
  /** What to do about a table that exists already. */
  readonly existing: 'error' | 'leave-alone';
}

export interface SeedParts {
  readonly router: Pick<Router, 'executeIn' | 'tables'>;
  readonly nowMs: () => number;
  readonly log: Log;
}

/**
 * Makes tables and puts their items by the same requests that a client would send. Everything is validated first, as
 * far as that is possible without the tables. After an error the tables that were made are deleted again.
 * @throws SeedError that begins with the place of the error
 */
export async function seed(source: SeedSource, { namespace, existing }: SeedOptions, parts: SeedParts): Promise<void> {
  const documents = typeof source === 'string' ? readDocuments(source) : [documentOf(source)];
  const tables = documents.flatMap(tablesIn).map((table) => checkTable(table, namespace));
  const made: CheckedTable[] = [];
  try {
    for (const table of tables) {
      if (await makeTable(table, existing, parts)) {
        made.push(table);
        await setExpiry(table, parts);
        await putItems(table, parts);
      }
    }
  } catch (error) {
    for (const { name, namespace } of made) await takeBack(name, namespace, parts);
    throw error;
  }
  const items = made.reduce((sum, each) => sum + each.items.length, 0);
  parts.log.info('seeded', { source: typeof source === 'string' ? source : 'objects', tables: made.length, items });
}

interface CheckedTable extends Omit<ParsedTable, 'request' | 'timeToLive'> {
  readonly request: CreateTableRequest;
  /** Undefined: items do not expire. */
  readonly expiry: UpdateTimeToLiveRequest | undefined;
  readonly name: string;
  readonly namespace: string;
}

function checkTable(table: ParsedTable, fallback = DEFAULT_NAMESPACE): CheckedTable {
  const { document, node } = table;
  const namespace = namespaceOf(table, fallback);
  try {
    const request = validateRequest('CreateTable', table.request) as CreateTableRequest;
    const checked = { ...table, request, name: request.TableName, expiry: expiryOf(table, request), namespace };
    for (const item of table.items) validatedPut(checked, item);
    return checked;
  } catch (error) {
    throw error instanceof ApiError ? fail(document, culpritOfTable(table, error) ?? node, textOf(error)) : error;
  }
}

function expiryOf({ timeToLive }: ParsedTable, { TableName }: CreateTableRequest): UpdateTimeToLiveRequest | undefined {
  if (timeToLive === undefined) return undefined;
  const request = { TableName, TimeToLiveSpecification: timeToLive };
  const checked = validateRequest('UpdateTimeToLive', request) as UpdateTimeToLiveRequest;
  // A new table has no time to live, and disabling what is not enabled is an error.
  return checked.TimeToLiveSpecification.Enabled ? checked : undefined;
}

function namespaceOf({ document, node, namespace }: ParsedTable, fallback: string): string {
  try {
    return checkNamespace(namespace ?? fallback);
  } catch (error) {
    if (error instanceof AdminError) {
      throw fail(document, findNodeAtLocation(node, ['Namespace']) ?? node, error.message);
    }
    throw error;
  }
}

/** @returns false if the table exists already; it is left alone */
async function makeTable(table: CheckedTable, existing: SeedOptions['existing'], parts: SeedParts): Promise<boolean> {
  const { document, node, request, name, namespace } = table;
  try {
    await execute(parts, namespace, 'CreateTable', request);
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.name !== 'ResourceInUseException' || existing === 'error') throw fail(document, node, textOf(error));
    parts.log.info('a table is there already; its seed is left alone', { table: name, seed: document.placeOf(node) });
    return false;
  }
}

async function setExpiry({ document, node, namespace, expiry }: CheckedTable, parts: SeedParts): Promise<void> {
  if (expiry === undefined) return;
  try {
    await execute(parts, namespace, 'UpdateTimeToLive', expiry);
  } catch (error) {
    throw error instanceof ApiError ? fail(document, node, textOf(error)) : error;
  }
}

/** Deletes tables after an error. The user can do something about that error, so a failure here is only logged. */
async function takeBack(name: string, namespace: string, { router, log }: SeedParts): Promise<void> {
  try {
    await router.tables.drop(name, namespace);
  } catch (error) {
    log.error('a table that was seeded in part could not be deleted', { table: name, error });
  }
}

async function putItems(table: CheckedTable, parts: SeedParts): Promise<void> {
  const { document, namespace, items, request } = table;
  const keyNames = (request.KeySchema ?? []).map(({ AttributeName }) => AttributeName);
  const placesByKey = new Map<string, number>();
  const failures = new Map<number, SeedError>();
  const failAt = (at: number, error: SeedError) => {
    failures.set(at, error);
    throw error;
  };
  const put = async ([at, node]: [number, Node]) => {
    const put = validatedPut(table, node);
    try {
      await execute(parts, namespace, 'PutItem', put);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      failAt(at, fail(document, culpritOfItem(table, node) ?? node, textOf(error)));
    }
    // Validation has put the request's values into canonical form.
    const key = JSON.stringify(keyNames.map((name) => put.Item[name]));
    const other = placesByKey.get(key);
    placesByKey.set(key, at);
    if (other === undefined) return;
    const [first, second] = [Math.min(at, other), Math.max(at, other)];
    const problem = `an item with the same key stands at ${document.placeOf(items[first]!)}`;
    failAt(second, fail(document, items[second]!, problem));
  };
  try {
    await inParallel(items.entries(), ITEMS_AT_ONCE, put);
  } catch (error) {
    // Items are begun in order, so all items before the first failed one have been tried.
    throw failures.get(Math.min(...failures.keys())) ?? error;
  }
}

interface Put {
  readonly TableName: string;
  readonly Item: AttributeMap;
}

/** @throws SeedError */
function validatedPut(table: CheckedTable, node: Node): Put {
  try {
    return validateRequest('PutItem', { TableName: table.name, Item: itemOf(table, node) }) as Put;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw fail(table.document, culpritOfItem(table, node) ?? node, textOf(error));
  }
}

/** Finds the attribute that causes a refusal: the first that is refused even as the only one of its item. */
function culpritOfItem(table: CheckedTable, node: Node): Node | undefined {
  if (node.type !== 'object') return undefined;
  const item = itemOf(table, node) as AttributeMap;
  for (const [name, value] of members(table.document, node)) {
    const alone = Object.fromEntries([[name, item[name]!]]);
    try {
      validateRequest('PutItem', { TableName: table.name, Item: alone });
      normaliseMap(alone);
    } catch {
      return value;
    }
  }
  return undefined;
}

/** Finds the part of a table that a schema error names, or the member that has a wrong type. */
function culpritOfTable({ document, node, request, timeToLive }: ParsedTable, error: ApiError): Node | undefined {
  const steps =
    placeOfViolation('CreateTable', request) ??
    placeOfViolation('UpdateTimeToLive', { ...request, TimeToLiveSpecification: timeToLive }) ??
    [];
  for (let length = steps.length; length > 0; length--) {
    const found = findNodeAtLocation(node, steps.slice(0, length));
    if (found !== undefined) return found;
  }
  if (error.name !== 'SerializationException') return undefined;
  return members(document, node).find(([name, value]) => {
    try {
      validateRequest('CreateTable', { [name]: jsonOf(document, value) });
      return false;
    } catch (error) {
      return error instanceof ApiError && error.name === 'SerializationException';
    }
  })?.[1];
}

function execute({ router, nowMs }: SeedParts, namespace: string, operation: OperationName, request: object) {
  const context: RequestContext = { requestId: 'seed', nowMs: nowMs(), accessKeyId: 'seed', region: REGION };
  return router.executeIn(namespace, operation, request, context);
}

function textOf({ name, message }: ApiError): string {
  return message === '' ? name : `${name}: ${message}`;
}
