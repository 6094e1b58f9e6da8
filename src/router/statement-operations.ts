import { ApiError } from '../api/errors.ts';
import type { ExecuteStatementRequest, RequestContext } from '../api/operations.ts';
import { readStatement, type Statement } from '../api/partiql/statement.ts';
import type { Table } from '../api/table-definition.ts';
import type { IndexBuilder } from './index-builder.ts';
import { type ExecuteStatementResponse, runSelect, type SelectParts } from './select-statement.ts';
import { runWrite, type WriteParts } from './write-statement.ts';

export interface StatementOperation {
  executeStatement(
    request: ExecuteStatementRequest,
    context: RequestContext,
    namespace: string,
  ): Promise<ExecuteStatementResponse>;
}

export interface StatementParts extends SelectParts, WriteParts {
  readonly indexes: IndexBuilder;
}

/** ExecuteStatement. The function owns its request: it normalises the parameters in place. */
export function createStatementOperation(parts: StatementParts): StatementOperation {
  return {
    async executeStatement(request, context, namespace) {
      const statement = readStatement(request);
      if (statement.kind === 'exists') throw notInTransaction();
      const table = await tableOf(parts.indexes, statement, context, namespace);
      const on = { table, request, context };
      return statement.kind === 'select' ? runSelect(parts, on, statement) : runWrite(parts, on, statement);
    },
  };
}

/** The table of a statement, and an index that it reads, ready to be read. */
export function tableOf(
  indexes: IndexBuilder,
  { kind, syntax }: Statement,
  context: RequestContext,
  namespace: string,
): Table | Promise<Table> {
  const { table: TableName, index: IndexName } = syntax.source;
  const isRead = kind === 'select' && IndexName !== undefined;
  return indexes.tableFor({ TableName, ...(isRead && { IndexName }) }, context, namespace);
}

/** EXISTS outside a transaction. */
export function notInTransaction(): ApiError {
  return ApiError.validation('EXISTS is only supported in ExecuteTransaction');
}
