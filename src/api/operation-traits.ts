import type { AttributeMap, AttributeValue } from './attribute-value.ts';
import { tablesOfStream } from './named-stream.ts';
import type {
  BatchExecuteStatementRequest,
  BatchGetItemRequest,
  ExecuteStatementRequest,
  OperationName,
} from './operations.ts';
import { namedValues } from './partiql/named-values.ts';
import { syntaxOf } from './partiql/statement.ts';

/** Properties of an operation that concern more than its handler. */
export interface OperationTraits {
  /** What it does with items. Undefined: it does not touch any. Of statements, which may read or write: write. */
  readonly access?: 'read' | 'write';
  readonly namesTable: boolean;
  /** The member of a request that has the item's key, alone or among other attributes. */
  readonly keyMember?: 'Key' | 'Item';
  /** The text of a request has the item's key, if it is of one. */
  readonly hasKeyInText?: true;
  /** A request names several items, each with its table: `actionsOf` gives them. */
  readonly hasActions?: true;
  /**
   * Whether `1 validation error detected: ` precedes the text if a request by itself is refused (see `checkAlone`).
   * All other operations answer the bare text.
   */
  readonly hasEnvelope?: true;
  /** Whether a request reads eventually consistently; undefined: no request of this operation does. */
  readonly readsEventually?: (request: object) => boolean;
  /** It is one of DynamoDB Streams: another service at the same endpoint. */
  readonly isOfStreams?: true;
  /** The answer has no body: the operation has no output in the service's model. */
  readonly answersNothing?: true;
}

/** API reference, ExecuteTransaction: no operation has more. */
const MOST_STATEMENTS = 100;

const OF_NO_TABLE: OperationTraits = { namesTable: false };
const OF_A_TABLE: OperationTraits = { namesTable: true };
const OF_A_STREAM: OperationTraits = { namesTable: true, isOfStreams: true };

export const OPERATION_TRAITS: Readonly<Record<OperationName, OperationTraits>> = {
  BatchExecuteStatement: { access: 'write', namesTable: true, readsEventually: isSomeEventualSelect },
  BatchGetItem: { access: 'read', namesTable: true, readsEventually: isSomeNotConsistent },
  BatchWriteItem: { access: 'write', namesTable: true },
  CreateTable: OF_A_TABLE,
  DeleteItem: { access: 'write', namesTable: true, keyMember: 'Key', hasEnvelope: true },
  DeleteTable: OF_A_TABLE,
  DescribeEndpoints: OF_NO_TABLE,
  DescribeLimits: OF_NO_TABLE,
  DescribeStream: OF_A_STREAM,
  DescribeTable: OF_A_TABLE,
  DescribeTimeToLive: OF_A_TABLE,
  ExecuteStatement: { access: 'write', namesTable: true, hasKeyInText: true, readsEventually: isEventualSelect },
  ExecuteTransaction: { access: 'write', namesTable: true, hasActions: true },
  GetItem: { access: 'read', namesTable: true, keyMember: 'Key', readsEventually: isNotConsistent },
  GetRecords: OF_A_STREAM,
  GetShardIterator: OF_A_STREAM,
  ListStreams: OF_A_STREAM,
  ListTables: OF_NO_TABLE,
  ListTagsOfResource: OF_A_TABLE,
  PutItem: { access: 'write', namesTable: true, keyMember: 'Item', hasEnvelope: true },
  Query: { access: 'read', namesTable: true, hasEnvelope: true, readsEventually: isNotConsistent },
  Scan: { access: 'read', namesTable: true, readsEventually: isNotConsistent },
  TagResource: { namesTable: true, answersNothing: true },
  TransactGetItems: { access: 'read', namesTable: true, hasActions: true },
  TransactWriteItems: { access: 'write', namesTable: true, hasActions: true },
  UntagResource: { namesTable: true, answersNothing: true },
  UpdateItem: { access: 'write', namesTable: true, keyMember: 'Key', hasEnvelope: true },
  UpdateTable: OF_A_TABLE,
  UpdateTimeToLive: OF_A_TABLE,
};

function isNotConsistent(request: { readonly ConsistentRead?: boolean }): boolean {
  return request.ConsistentRead !== true;
}

function isSomeNotConsistent({ RequestItems = {} }: Partial<BatchGetItemRequest>): boolean {
  return Object.values(RequestItems).some(isNotConsistent);
}

function isEventualSelect(request: Partial<ExecuteStatementRequest>): boolean {
  return request.ConsistentRead !== true && syntaxOf(request.Statement)?.body.kind === 'select';
}

function isSomeEventualSelect({ Statements = [] }: Partial<BatchExecuteStatementRequest>): boolean {
  return Statements.some(isEventualSelect);
}

/** What a transaction does to one item. A request that has passed its schema has the table, and one of the maps. */
export interface TransactedItem {
  readonly TableName?: string;
  readonly Key?: AttributeMap;
  readonly Item?: AttributeMap;
}

/**
 * What a transaction does to its items, in the order of the request, which need not have passed its schema.
 * @returns undefined for a member that does nothing
 */
export function actionsOf(request: object): readonly (TransactedItem | undefined)[] {
  const { TransactItems, TransactStatements } = request as Readonly<Record<string, unknown>>;
  if (Array.isArray(TransactStatements)) return TransactStatements.slice(0, MOST_STATEMENTS).map(statementAction);
  if (!Array.isArray(TransactItems)) return [];
  return TransactItems.map((member) => {
    const { Get, ConditionCheck, Put, Delete, Update } = (member ?? {}) as Readonly<Record<string, TransactedItem>>;
    return Get ?? ConditionCheck ?? Put ?? Delete ?? Update;
  });
}

/** Of a statement: `Key` has all attributes that it gives a value. */
function statementAction(each: { Statement?: unknown; Parameters?: unknown } | null): TransactedItem | undefined {
  const syntax = syntaxOf(each?.Statement);
  if (syntax === undefined) return undefined;
  const parameters = Array.isArray(each!.Parameters) ? (each!.Parameters as AttributeValue[]) : [];
  return { TableName: syntax.body.source.table, Key: namedValues(syntax, parameters) };
}

/** The key of the item that a request is of, alone or among other attributes. Undefined: it names none, or several. */
export function namedKey(operation: OperationName, request: object): AttributeMap | undefined {
  const { keyMember, hasKeyInText } = OPERATION_TRAITS[operation];
  if (hasKeyInText) return statementAction(request)?.Key;
  return keyMember && (request as Readonly<Record<string, AttributeMap>>)[keyMember];
}

/** What precedes the name of an operation in the header `X-Amz-Target`. */
export function targetPrefixOf(operation: OperationName): string {
  return OPERATION_TRAITS[operation].isOfStreams ? 'DynamoDBStreams_20120810.' : 'DynamoDB_20120810.';
}

/** The tables that a request names, by name or ARN. A batch may name several, and so may a transaction. */
export function namedTables(operation: OperationName, request: object): readonly string[] {
  const { namesTable, hasActions, isOfStreams } = OPERATION_TRAITS[operation];
  if (!namesTable) return [];
  if (isOfStreams) return tablesOfStream(request);
  if (operation === 'ExecuteStatement') return tablesOf([request]);
  if (operation === 'BatchExecuteStatement') return tablesOf((request as { readonly Statements?: unknown }).Statements);
  if (hasActions) return [...new Set(actionsOf(request).flatMap((action) => action?.TableName ?? []))];
  const { TableName, ResourceArn, RequestItems } = request as {
    readonly TableName?: string;
    readonly ResourceArn?: string;
    readonly RequestItems?: object;
  };
  const one = TableName ?? ResourceArn;
  return one === undefined ? Object.keys(RequestItems ?? {}) : [one];
}

/** The tables of statements, none of which need be valid. */
function tablesOf(statements: unknown): readonly string[] {
  if (!Array.isArray(statements)) return [];
  const tables = statements.slice(0, MOST_STATEMENTS).map((each) => syntaxOf(each?.Statement)?.body.source.table);
  return [...new Set(tables.filter((table) => table !== undefined))];
}
