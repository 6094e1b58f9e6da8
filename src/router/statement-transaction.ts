import type { AttributeMap } from '../api/attribute-value.ts';
import type { ConsumedCapacity } from '../api/consumed-capacity.ts';
import { ApiError } from '../api/errors.ts';
import { toImage } from '../api/item.ts';
import { toImageInSlices } from '../api/large-item.ts';
import type { ExecuteTransactionRequest, ParameterizedStatement, RawJson, RequestContext } from '../api/operations.ts';
import { itemToChange, namedItem } from '../api/partiql/key-conditions.ts';
import { columnSelector } from '../api/partiql/select-columns.ts';
import { columnsToRead } from '../api/partiql/select-plan.ts';
import { readStatement, type Statement } from '../api/partiql/statement.ts';
import type { Table } from '../api/table-definition.ts';
import { TransactionDigest, tokenName } from '../api/transaction-digest.ts';
import type { CheckedAction } from '../api/transaction-rules.ts';
import type { TransactionRequest } from '../dynamo/transaction-client.ts';
import type { TableCatalog } from './table-catalog.ts';
import type { AskedGet, TransactGetOperation } from './transact-get-operation.ts';
import type { AskedAction, TransactWriteOperation } from './transact-write-operation.ts';
import { ifThere, isAbsent, unlessThere } from './write-statement.ts';

export interface ExecuteTransactionResponse {
  Responses: { Item?: RawJson | AttributeMap }[];
  ConsumedCapacity?: ConsumedCapacity[];
}

export interface StatementTransaction {
  executeTransaction(
    request: ExecuteTransactionRequest,
    context: RequestContext,
    namespace: string,
  ): Promise<ExecuteTransactionResponse>;
}

export interface StatementTransactionParts {
  readonly catalog: TableCatalog;
  readonly getTogether: TransactGetOperation['getTogether'];
  readonly transactActions: TransactWriteOperation['transactActions'];
}

/** A statement of a transaction, on its table. */
interface Member {
  readonly asked: ParameterizedStatement;
  readonly statement: Statement;
  readonly table: Table;
}

/** A transaction whose statements make sense together. */
interface Asked {
  readonly members: readonly Member[];
  readonly request: ExecuteTransactionRequest;
  readonly context: RequestContext;
  readonly namespace: string;
}

type Select = Extract<Statement, { kind: 'select' }>;
type Change = Exclude<Statement, { kind: 'select' }>;

/**
 * ExecuteTransaction: statements that read, as TransactGetItems, or statements that write and conditions, as
 * TransactWriteItems. The function owns its request: it normalises parameters in place.
 *
 * The texts were recorded by users of PyDynamoDB (reads and writes together) and by floci (2026-09-17, eu-west-2).
 */
export function createStatementTransaction(parts: StatementTransactionParts): StatementTransaction {
  return {
    async executeTransaction(request, context, namespace) {
      const statements = await readAll(request, context);
      const reads = statements.filter(({ kind }) => kind === 'select').length;
      if (reads > 0 && reads < statements.length) {
        throw ApiError.validation(
          'ExecuteTransaction API does not support both read and write operations in the same request.',
        );
      }
      const members: Member[] = [];
      for (const [at, statement] of statements.entries()) {
        const found = parts.catalog.tableFor(statement.syntax.source.table, context, namespace);
        const table = found instanceof Promise ? await found : found;
        members.push({ asked: request.TransactStatements[at]!, statement, table });
      }
      const asked = { members, request, context, namespace };
      return reads > 0 ? read(parts, asked) : write(parts, asked);
    },
  };
}

async function readAll(
  { TransactStatements }: ExecuteTransactionRequest,
  { pause }: RequestContext,
): Promise<Statement[]> {
  const statements: Statement[] = [];
  for (const [at, asked] of TransactStatements.entries()) {
    statements.push(within(at, () => readStatement(asked)));
    if (pause !== undefined) await pause();
  }
  return statements;
}

/** Says of an error which statement has it. */
function within<T>(at: number, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ApiError) || error.name !== 'ValidationException') throw error;
    throw ApiError.validation(`Validation failed in TransactStatements[${at}]: ${error.message}`);
  }
}

async function read(
  { getTogether }: StatementTransactionParts,
  { members, request, context, namespace }: Asked,
): Promise<ExecuteTransactionResponse> {
  const gets = members.map(({ statement, table }, at) => within(at, () => getOf(table, statement as Select)));
  const answer = await getTogether(gets, request.ReturnConsumedCapacity, context, namespace);
  const Responses = answer.Responses.map(({ Item }, at) => {
    if (Item === undefined) return {};
    const { columns } = (members[at]!.statement as Select).syntax;
    // With columns, the answer is no stored text.
    return { Item: columns === undefined ? Item : columnSelector(columns)(Item as AttributeMap) };
  });
  return { ...answer, Responses };
}

function getOf(table: Table, { syntax, condition }: Select): AskedGet {
  if (syntax.source.index !== undefined) {
    throw ApiError.validation('Reads on indices are not supported within transactions.');
  }
  const named = namedItem(table.key, condition);
  if (named === undefined || named.condition !== undefined) {
    throw ApiError.validation(
      'Select statements within ExecuteTransaction must specify the primary key in the where clause.',
    );
  }
  return { name: syntax.source.table, key: named.key, projection: columnsToRead(syntax.columns) };
}

async function write(
  { transactActions }: StatementTransactionParts,
  { members, request, context, namespace }: Asked,
): Promise<ExecuteTransactionResponse> {
  const actions: AskedAction[] = [];
  for (const [at, member] of members.entries()) {
    const action = within(at, () => actionOf(member));
    actions.push({ name: action.tableName, action, image: await imageOf(action, context) });
    if (context.pause !== undefined) await context.pause();
  }
  const { ReturnConsumedCapacity } = request;
  const token = () => tokenOf(request, context, namespace);
  const { ConsumedCapacity } = await transactActions(actions, { token, ReturnConsumedCapacity }, context, namespace);
  const response: ExecuteTransactionResponse = { Responses: members.map(() => ({})) };
  if (ConsumedCapacity !== undefined) response.ConsumedCapacity = ConsumedCapacity;
  return response;
}

function imageOf(action: CheckedAction, { pause }: RequestContext) {
  if (action.kind !== 'put') return undefined;
  return pause === undefined ? toImage(action.named) : toImageInSlices(action.named, pause);
}

function actionOf({ asked, statement, table }: Member): CheckedAction {
  const change = statement as Change;
  const { syntax } = change;
  if ('returning' in syntax && syntax.returning !== undefined) {
    throw ApiError.validation('RETURNING clause is not supported in ExecuteTransaction.');
  }
  if (syntax.source.index !== undefined) throw ApiError.validation('This operation is not supported on an index');
  const common = {
    tableName: syntax.source.table,
    wantsItem: asked.ReturnValuesOnConditionCheckFailure === 'ALL_OLD',
  };
  switch (change.kind) {
    case 'insert':
      return {
        ...common,
        kind: 'put',
        named: change.item,
        condition: isAbsent(table),
        failure: ApiError.duplicateItem(),
      };
    case 'update': {
      const { key, condition } = itemToChange(table.key, change.condition);
      return { ...common, kind: 'update', named: key, update: change.update, condition: ifThere(table, condition) };
    }
    case 'delete': {
      const { key, condition } = itemToChange(table.key, change.condition);
      return { ...common, kind: 'delete', named: key, condition: condition && unlessThere(table, condition) };
    }
    case 'exists': {
      const named = namedItem(table.key, change.condition);
      if (named?.condition === undefined) {
        throw ApiError.validation('EXISTS() must contain a single item read with additional condition');
      }
      return { ...common, kind: 'check', named: named.key, condition: ifThere(table, named.condition) };
    }
  }
}

/** The ring's name for the client's token, with the digest of what was asked. */
async function tokenOf(
  { ClientRequestToken, TransactStatements }: ExecuteTransactionRequest,
  { pause }: RequestContext,
  namespace: string,
): Promise<TransactionRequest['token']> {
  if (ClientRequestToken == null) return undefined;
  const digest = new TransactionDigest();
  for (const { Statement, Parameters = [] } of TransactStatements) {
    await digest.addStatement(Statement, Parameters, pause);
  }
  return { name: tokenName(namespace, ClientRequestToken), digest: digest.end() };
}
