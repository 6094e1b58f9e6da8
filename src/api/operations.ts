import type { AttributeMap, AttributeValue } from './attribute-value.ts';
import type { Departure } from './departure.ts';

/** The operations served, by their names on the wire and in SDKs. `api-schema/` has one file for each. */
export const OPERATIONS = [
  'BatchExecuteStatement',
  'BatchGetItem',
  'BatchWriteItem',
  'CreateTable',
  'DeleteItem',
  'DeleteTable',
  'DescribeEndpoints',
  'DescribeLimits',
  'DescribeStream',
  'DescribeTable',
  'DescribeTimeToLive',
  'ExecuteStatement',
  'ExecuteTransaction',
  'GetItem',
  'GetRecords',
  'GetShardIterator',
  'ListStreams',
  'ListTables',
  'ListTagsOfResource',
  'PutItem',
  'Query',
  'Scan',
  'TagResource',
  'TransactGetItems',
  'TransactWriteItems',
  'UntagResource',
  'UpdateItem',
  'UpdateTable',
  'UpdateTimeToLive',
] as const;

export type OperationName = (typeof OPERATIONS)[number];

/** What is known of a request beside its body. Time comes in here because tiers 1 and 2 read no clock. */
export interface RequestContext {
  readonly requestId: string;
  /** Wall-clock time of arrival, milliseconds since 1970. */
  readonly nowMs: number;
  /** From the signature's credential scope; any text is accepted. */
  readonly accessKeyId: string;
  readonly region: string;
  /** The `Host` header as the client wrote it: an SDK that discovers endpoints is sent back to this host. */
  readonly host?: string;
  /** A fault rule sends the eventually consistent reads of this request to a replica that lags. */
  readonly eventualReadsFrom?: 'laggard' | undefined;
  /**
   * Asked by a read of stream records that has found some: how many of them a fault rule wants to be answered once more by the
   * next read. Undefined: there are no rules.
   */
  readonly recordsAgain?: (() => Promise<number>) | undefined;
  /**
   * How long CREATING, UPDATING and DELETING of a table are seen after the answer, in ms. Default: as the router was
   * made. Tier 1 does not set it.
   */
  readonly transientMs?: number;
  /** For a large request: work on all of it awaits this between its steps, so that other requests have their turn. */
  readonly pause?: (() => Promise<void>) | undefined;
  /** Of the client: when it goes, reads end at their next step. Writes go on. */
  readonly departure?: Departure | undefined;
}

/**
 * The door of tier 2. `request` has passed the operation's schema. Rejects with `ApiError` for everything the service
 * would answer with an error; any other rejection is a bug.
 * The answer is plain data, except that a member may be a `RawJson`: bytes to be sent as they are.
 */
export type Execute = (operation: OperationName, request: object, context: RequestContext) => Promise<object>;

/** A value of a response as JSON text in UTF-8, which is sent without being parsed. */
export class RawJson {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

export type ReturnConsumedCapacity = 'INDEXES' | 'TOTAL' | 'NONE';

export interface ExpectedAttributeValue {
  Value?: AttributeValue;
  Exists?: boolean;
  ComparisonOperator?: string;
  AttributeValueList?: AttributeValue[];
}

/** The parameters of conditions and projections, of all operations together. */
export interface ExpressionParameters {
  ConditionExpression?: string;
  ProjectionExpression?: string;
  ExpressionAttributeNames?: Record<string, string>;
  ExpressionAttributeValues?: Record<string, AttributeValue>;
  Expected?: Record<string, ExpectedAttributeValue>;
  ConditionalOperator?: 'AND' | 'OR';
  AttributesToGet?: string[];
}

/** A legacy filter. */
export interface FilterCondition {
  ComparisonOperator: string;
  AttributeValueList?: AttributeValue[];
}

/** The parameters of filters, projections and key conditions for many items, of all operations together. */
export interface FilterParameters {
  FilterExpression?: string;
  ProjectionExpression?: string;
  ExpressionAttributeNames?: Record<string, string>;
  ExpressionAttributeValues?: Record<string, AttributeValue>;
  ScanFilter?: Record<string, FilterCondition>;
  QueryFilter?: Record<string, FilterCondition>;
  KeyConditionExpression?: string;
  KeyConditions?: Record<string, FilterCondition>;
  ConditionalOperator?: 'AND' | 'OR';
  AttributesToGet?: string[];
}

interface WriteParameters extends ExpressionParameters {
  TableName: string;
  ReturnValues?: 'NONE' | 'ALL_OLD' | 'UPDATED_OLD' | 'ALL_NEW' | 'UPDATED_NEW';
  ReturnValuesOnConditionCheckFailure?: 'ALL_OLD' | 'NONE';
  ReturnConsumedCapacity?: ReturnConsumedCapacity;
  ReturnItemCollectionMetrics?: 'SIZE' | 'NONE';
}

export interface PutItemRequest extends WriteParameters {
  Item: AttributeMap;
}

export interface DeleteItemRequest extends WriteParameters {
  Key: AttributeMap;
}

/** A legacy update of one attribute. */
export interface AttributeValueUpdate {
  Value?: AttributeValue;
  Action?: 'ADD' | 'PUT' | 'DELETE';
}

/** The parameters of updates and their conditions. */
export interface UpdateParameters extends ExpressionParameters {
  UpdateExpression?: string;
  AttributeUpdates?: Record<string, AttributeValueUpdate>;
}

export interface UpdateItemRequest extends WriteParameters, UpdateParameters {
  Key: AttributeMap;
}

export interface GetItemRequest extends ExpressionParameters {
  TableName: string;
  Key: AttributeMap;
  ConsistentRead?: boolean;
  ReturnConsumedCapacity?: ReturnConsumedCapacity;
}

export type Select = 'ALL_ATTRIBUTES' | 'ALL_PROJECTED_ATTRIBUTES' | 'SPECIFIC_ATTRIBUTES' | 'COUNT';

/** The parameters that Scan and Query share. */
interface PageRequest extends FilterParameters {
  TableName: string;
  IndexName?: string;
  Limit?: number;
  Select?: Select;
  ExclusiveStartKey?: AttributeMap;
  ConsistentRead?: boolean;
  ReturnConsumedCapacity?: ReturnConsumedCapacity;
}

export interface ScanRequest extends PageRequest {
  Segment?: number;
  TotalSegments?: number;
}

export interface QueryRequest extends PageRequest {
  /** Default: true. */
  ScanIndexForward?: boolean;
}

/** The items of one table that a BatchGetItem reads. */
export interface KeysAndAttributes extends ExpressionParameters {
  Keys: AttributeMap[];
  ConsistentRead?: boolean;
}

/** The keys of the map are names or ARNs of tables. */
export interface BatchGetItemRequest {
  RequestItems: Record<string, KeysAndAttributes>;
  ReturnConsumedCapacity?: ReturnConsumedCapacity;
}

/** Has one of the two members. */
export interface BatchWrite {
  PutRequest?: { Item: AttributeMap };
  DeleteRequest?: { Key: AttributeMap };
}

/** The keys of the map are names or ARNs of tables. */
export interface BatchWriteItemRequest {
  RequestItems: Record<string, BatchWrite[]>;
  ReturnConsumedCapacity?: ReturnConsumedCapacity;
  ReturnItemCollectionMetrics?: 'SIZE' | 'NONE';
}

interface TransactActionParameters {
  TableName: string;
  ConditionExpression?: string;
  ExpressionAttributeNames?: Record<string, string>;
  ExpressionAttributeValues?: Record<string, AttributeValue>;
  ReturnValuesOnConditionCheckFailure?: 'ALL_OLD' | 'NONE';
}

export interface TransactPut extends TransactActionParameters {
  Item: AttributeMap;
}

export interface TransactDelete extends TransactActionParameters {
  Key: AttributeMap;
}

export interface TransactUpdate extends TransactActionParameters {
  Key: AttributeMap;
  UpdateExpression: string;
}

export interface TransactConditionCheck extends TransactActionParameters {
  Key: AttributeMap;
  ConditionExpression: string;
}

/** Has one of the four members. */
export interface TransactWriteItem {
  ConditionCheck?: TransactConditionCheck;
  Put?: TransactPut;
  Delete?: TransactDelete;
  Update?: TransactUpdate;
}

export interface TransactWriteItemsRequest {
  TransactItems: TransactWriteItem[];
  ClientRequestToken?: string;
  ReturnConsumedCapacity?: ReturnConsumedCapacity;
  ReturnItemCollectionMetrics?: 'SIZE' | 'NONE';
}

export interface TransactGet {
  TableName: string;
  Key: AttributeMap;
  ProjectionExpression?: string;
  ExpressionAttributeNames?: Record<string, string>;
}

export interface TransactGetItemsRequest {
  TransactItems: { Get: TransactGet }[];
  ReturnConsumedCapacity?: ReturnConsumedCapacity;
}

/** A PartiQL statement with the values of its `?`. */
export interface ParameterizedStatement {
  Statement: string;
  Parameters?: AttributeValue[];
  ReturnValuesOnConditionCheckFailure?: 'ALL_OLD' | 'NONE';
}

export interface ExecuteStatementRequest extends ParameterizedStatement {
  ConsistentRead?: boolean;
  NextToken?: string;
  ReturnConsumedCapacity?: ReturnConsumedCapacity;
  Limit?: number;
}

/** One statement of a BatchExecuteStatement. */
export interface BatchStatementRequest extends ParameterizedStatement {
  ConsistentRead?: boolean;
}

export interface BatchExecuteStatementRequest {
  Statements: BatchStatementRequest[];
  ReturnConsumedCapacity?: ReturnConsumedCapacity;
}

export interface ExecuteTransactionRequest {
  TransactStatements: ParameterizedStatement[];
  ClientRequestToken?: string;
  ReturnConsumedCapacity?: ReturnConsumedCapacity;
}
