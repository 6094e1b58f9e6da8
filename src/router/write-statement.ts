import { ApiError } from '../api/errors.ts';
import type { Condition } from '../api/expression/ast.ts';
import { toImage } from '../api/item.ts';
import { toImageInSlices } from '../api/large-item.ts';
import type { ExecuteStatementRequest, RequestContext, UpdateItemRequest } from '../api/operations.ts';
import { itemToChange } from '../api/partiql/key-conditions.ts';
import type { Statement } from '../api/partiql/statement.ts';
import type { Returning } from '../api/partiql/statement-syntax.ts';
import type { Table } from '../api/table-definition.ts';
import type { ItemsOfTable } from './item-operations.ts';
import type { WriteItemResponse } from './item-write.ts';
import type { ExecuteStatementResponse } from './select-statement.ts';
import type { UpdateOperation } from './update-operation.ts';

export interface WriteParts {
  readonly items: ItemsOfTable;
  readonly updateOnTable: UpdateOperation['updateOnTable'];
}

export type WriteStatement = Extract<Statement, { kind: 'insert' | 'update' | 'delete' }>;

/** A statement that changes an item, on its table. */
export interface WriteOnTable {
  readonly table: Table;
  readonly request: Pick<ExecuteStatementRequest, 'ReturnConsumedCapacity' | 'ReturnValuesOnConditionCheckFailure'>;
  readonly context: RequestContext;
}

/**
 * Carries out a statement that changes one item, by PutItem, UpdateItem or DeleteItem.
 * @throws ApiError
 */
export async function runWrite(
  parts: WriteParts,
  on: WriteOnTable,
  statement: WriteStatement,
): Promise<ExecuteStatementResponse> {
  if (statement.syntax.source.index !== undefined) {
    throw ApiError.validation('This operation is not supported on an index');
  }
  const { Attributes, ConsumedCapacity } = await writeBy(parts, on, statement);
  const response: ExecuteStatementResponse = { Items: Attributes === undefined ? [] : [Attributes] };
  if (ConsumedCapacity !== undefined) response.ConsumedCapacity = ConsumedCapacity;
  return response;
}

function writeBy(parts: WriteParts, on: WriteOnTable, statement: WriteStatement): Promise<WriteItemResponse> {
  switch (statement.kind) {
    case 'insert':
      return insert(parts, on, statement);
    case 'update': {
      const { key, condition } = itemToChange(on.table.key, statement.condition);
      const request = { ...requestOf(on, statement), Key: key, ...returnValues(statement.syntax.returning) };
      const { table, context } = on;
      return parts.updateOnTable(
        { table, request, context },
        { update: statement.update, condition: ifThere(table, condition) },
      );
    }
    case 'delete': {
      const { key, condition } = itemToChange(on.table.key, statement.condition);
      const request = { ...requestOf(on, statement), Key: key, ...returnValues(statement.syntax.returning) };
      const { table, context } = on;
      return parts.items.delete({ table, request, context }, condition && unlessThere(table, condition));
    }
  }
}

async function insert(
  { items }: WriteParts,
  on: WriteOnTable,
  statement: Extract<WriteStatement, { kind: 'insert' }>,
): Promise<WriteItemResponse> {
  const { table, context } = on;
  const { item: Item } = statement;
  const image = context.pause === undefined ? toImage(Item) : await toImageInSlices(Item, context.pause);
  const request = { ...requestOf(on, statement), Item };
  try {
    return await items.put({ table, request, context }, image, isAbsent(table));
  } catch (error) {
    const isThere = error instanceof ApiError && error.name === 'ConditionalCheckFailedException';
    throw isThere ? ApiError.duplicateItem() : error;
  }
}

function requestOf({ request }: WriteOnTable, { syntax }: WriteStatement) {
  const { ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure } = request;
  return {
    TableName: syntax.source.table,
    ...(ReturnConsumedCapacity !== undefined && { ReturnConsumedCapacity }),
    ...(ReturnValuesOnConditionCheckFailure !== undefined && { ReturnValuesOnConditionCheckFailure }),
  };
}

const RETURN_VALUES: Readonly<Record<Returning, NonNullable<UpdateItemRequest['ReturnValues']>>> = {
  'ALL OLD': 'ALL_OLD',
  'MODIFIED OLD': 'UPDATED_OLD',
  'ALL NEW': 'ALL_NEW',
  'MODIFIED NEW': 'UPDATED_NEW',
};

function returnValues(returning: Returning | undefined): Pick<UpdateItemRequest, 'ReturnValues'> {
  return returning === undefined ? {} : { ReturnValues: RETURN_VALUES[returning] };
}

/** The condition of an INSERT. */
export function isAbsent({ key }: Table): Condition {
  return { kind: 'not-exists', path: [key.partition.name] };
}

/** An UPDATE makes no item (developer guide, "PartiQL update statements": the condition has to hold of an item). */
export function ifThere({ key }: Table, condition: Condition | undefined): Condition {
  const isThere: Condition = { kind: 'exists', path: [key.partition.name] };
  return condition === undefined ? isThere : { kind: 'and', left: isThere, right: condition };
}

/** A DELETE of an item that is not there succeeds, whatever its condition (developer guide, "PartiQL delete statements"). */
export function unlessThere(table: Table, condition: Condition): Condition {
  return { kind: 'or', left: isAbsent(table), right: condition };
}
