import type { AttributeMap } from '../api/attribute-value.ts';
import { type ConsumedCapacity, sumOfCapacities } from '../api/consumed-capacity.ts';
import { ApiError } from '../api/errors.ts';
import { sizeOf } from '../api/item.ts';
import {
  type BatchExecuteStatementRequest,
  type BatchStatementRequest,
  RawJson,
  type RequestContext,
} from '../api/operations.ts';
import { namedItem } from '../api/partiql/key-conditions.ts';
import { readStatement, type Statement } from '../api/partiql/statement.ts';
import type { Table } from '../api/table-definition.ts';
import { inParallel } from './in-parallel.ts';
import type { ReadRoom } from './read-room.ts';
import { BATCH_PARALLELISM } from './router-limits.ts';
import { type ExecuteStatementResponse, runSelect } from './select-statement.ts';
import { notInTransaction, type StatementParts, tableOf } from './statement-operations.ts';
import type { TableCatalog } from './table-catalog.ts';
import { forgetGoneOf } from './unless-gone.ts';
import { runWrite } from './write-statement.ts';

/**
 * So much JSON is answered, as by BatchGetItem. What would be more has an error of its own, that of a service which was not
 * reached: nothing happened.
 */
const MAX_RESPONSE_JSON_BYTES = 48 * 1024 * 1024;

/** The API's `BatchStatementResponse`. */
export interface BatchStatementResponse {
  Error?: { readonly Code: string; readonly Message: string; readonly Item?: unknown };
  TableName?: string;
  Item?: RawJson | AttributeMap;
}

export interface BatchExecuteStatementResponse {
  Responses: BatchStatementResponse[];
  ConsumedCapacity?: ConsumedCapacity[];
}

export interface StatementBatch {
  batchExecuteStatement(
    request: BatchExecuteStatementRequest,
    context: RequestContext,
    namespace: string,
  ): Promise<BatchExecuteStatementResponse>;
}

/**
 * BatchExecuteStatement: each statement by itself, with an error of its own. The function owns its request: it normalises
 * parameters in place.
 * @param parts `room` bounds what is read at a time
 */
export function createStatementBatch(
  parts: StatementParts & { readonly room: ReadRoom; readonly catalog: TableCatalog },
): StatementBatch {
  return {
    async batchExecuteStatement(request, context, namespace) {
      const members: Member[] = [];
      for (const asked of request.Statements) {
        members.push(memberOf(asked, request));
        if (context.pause !== undefined) await context.pause();
      }
      checkKinds(members);
      let bytes = 0;
      const batch = parts.room.begin();
      try {
        await inParallel(members, BATCH_PARALLELISM, async (member) => {
          const turn = parts.room.take(batch);
          if (turn !== undefined) await turn;
          try {
            if (bytes < MAX_RESPONSE_JSON_BYTES) await runMember(parts, member, context, namespace);
            else member.error ??= ApiError.serviceUnavailable();
          } finally {
            const read = bytesOf(member.done);
            bytes += read;
            parts.room.give(batch, read);
          }
        });
      } finally {
        await parts.room.end(batch);
      }
      forgetGoneOf(parts.catalog, members);
      return answerOf(members);
    },
  };
}

/** One statement of a batch, and what became of it. */
interface Member {
  readonly request: BatchStatementRequest & Pick<BatchExecuteStatementRequest, 'ReturnConsumedCapacity'>;
  readonly statement: Statement | undefined;
  table?: Table;
  error?: ApiError;
  done?: ExecuteStatementResponse;
}

function memberOf(asked: BatchStatementRequest, { ReturnConsumedCapacity }: BatchExecuteStatementRequest): Member {
  const request = { ...asked, ...(ReturnConsumedCapacity !== undefined && { ReturnConsumedCapacity }) };
  try {
    return { request, statement: readStatement(asked) };
  } catch (error) {
    return { request, statement: undefined, error: asApiError(error) };
  }
}

function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  throw error;
}

/** The text is that of ExecuteTransaction, recorded by users (PyDynamoDB), with the name of this operation. */
function checkKinds(members: readonly Member[]): void {
  const kinds = new Set(members.flatMap(({ statement }) => (statement ? statement.kind === 'select' : [])));
  if (kinds.size < 2) return;
  throw ApiError.validation(
    'BatchExecuteStatement API does not support both read and write operations in the same request.',
  );
}

async function runMember(
  parts: StatementParts,
  member: Member,
  context: RequestContext,
  namespace: string,
): Promise<void> {
  const { request, statement } = member;
  if (statement === undefined) return;
  try {
    if (statement.kind === 'exists') throw notInTransaction();
    const table = await tableOf(parts.indexes, statement, context, namespace);
    member.table = table;
    const on = { table, request, context };
    if (statement.kind === 'select') {
      checkNamesItem(table, statement);
      member.done = await runSelect(parts, on, statement);
    } else {
      member.done = await runWrite(parts, on, statement);
    }
  } catch (error) {
    member.error = asApiError(error);
  }
}

/** A read names one item by its key, and asks for nothing else. The text was recorded by users of several libraries. */
function checkNamesItem(table: Table, { syntax, condition }: Extract<Statement, { kind: 'select' }>): void {
  const named = syntax.source.index === undefined ? namedItem(table.key, condition) : undefined;
  if (named !== undefined && named.condition === undefined) return;
  throw ApiError.validation(
    'Select statements within BatchExecuteStatement must specify the primary key in the where clause.',
  );
}

function bytesOf(done: ExecuteStatementResponse | undefined): number {
  const [item] = done?.Items ?? [];
  if (item === undefined) return 0;
  return item instanceof RawJson ? item.bytes.length : sizeOf(item);
}

function answerOf(members: readonly Member[]): BatchExecuteStatementResponse {
  const response: BatchExecuteStatementResponse = { Responses: members.map(responseOf) };
  const byTable = new Map<string, ConsumedCapacity[]>();
  for (const { done } of members) {
    const consumed = done?.ConsumedCapacity;
    if (consumed === undefined) continue;
    byTable.set(consumed.TableName, [...(byTable.get(consumed.TableName) ?? []), consumed]);
  }
  if (byTable.size > 0) response.ConsumedCapacity = [...byTable.values()].map((each) => sumOfCapacities(each)!);
  return response;
}

function responseOf({ table, error, done }: Member): BatchStatementResponse {
  const response: BatchStatementResponse = {};
  if (error !== undefined) {
    const { Item } = error.body as { readonly Item?: unknown };
    response.Error = { Code: codeOf(error), Message: error.message, ...(Item !== undefined && { Item }) };
  }
  if (table !== undefined) response.TableName = table.name;
  const [item] = done?.Items ?? [];
  if (item !== undefined) response.Item = item;
  return response;
}

/** API reference, `BatchStatementError`: the codes are names of exceptions without their end, with two exceptions. */
const CODES: Readonly<Record<string, string>> = {
  ValidationException: 'ValidationError',
  ThrottlingException: 'ThrottlingError',
  ServiceUnavailableException: 'InternalServerError',
};

function codeOf({ name }: ApiError): string {
  return CODES[name] ?? name.replace(/Exception$/, '');
}
