import type { AttributeMap, AttributeValue } from './attribute-value.ts';

/** The operations served, by the names the wire and the SDKs use. `api-schema/` has one file for each. */
export const OPERATIONS = [
  'BatchGetItem',
  'BatchWriteItem',
  'CreateTable',
  'DeleteItem',
  'DeleteTable',
  'DescribeEndpoints',
  'DescribeLimits',
  'DescribeTable',
  'DescribeTimeToLive',
  'GetItem',
  'ListTables',
  'ListTagsOfResource',
  'PutItem',
  'Scan',
  'TagResource',
  'UntagResource',
  'UpdateItem',
  'UpdateTable',
  'UpdateTimeToLive',
] as const;

export type OperationName = (typeof OPERATIONS)[number];

/** What tier 1 knows of a request beside its body. Time comes in here because tiers 1 and 2 read no clock. */
export interface RequestContext {
  readonly requestId: string;
  /** Wall-clock time of arrival, milliseconds since 1970. */
  readonly nowMs: number;
  /** From the signature's credential scope; any text is accepted. */
  readonly accessKeyId: string;
  readonly region: string;
  /** The `Host` header, as the client wrote it: where an SDK that discovers endpoints must be sent back to. */
  readonly host?: string;
  /** Where eventually consistent reads go, if a fault rule sends them somewhere else than usual: to a replica that lags. */
  readonly eventualReadsFrom?: 'laggard' | undefined;
  /** The request is large: whoever works on all of it awaits this between the steps, so that others have their turn. */
  readonly pause?: (() => Promise<void>) | undefined;
}

/**
 * The door of tier 2. `request` has passed the operation's schema. Rejects with `ApiError` for everything the service
 * would answer with an error; any other rejection is a bug.
 * The answer is plain data, except that a member may be a `RawJson`: bytes to be sent as they are.
 */
export type Execute = (operation: OperationName, request: object, context: RequestContext) => Promise<object>;

/** JSON text in UTF-8 that stands for a value of a response and is sent unparsed. */
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

/** The parameters that conditions, projections and filters come in, on whichever operation. */
export interface ExpressionParameters {
  ConditionExpression?: string;
  ProjectionExpression?: string;
  ExpressionAttributeNames?: Record<string, string>;
  ExpressionAttributeValues?: Record<string, AttributeValue>;
  Expected?: Record<string, ExpectedAttributeValue>;
  ConditionalOperator?: 'AND' | 'OR';
  AttributesToGet?: string[];
}

/** One of the legacy filters. */
export interface FilterCondition {
  ComparisonOperator: string;
  AttributeValueList?: AttributeValue[];
}

/** The parameters that filters and projections of many items come in. */
export interface FilterParameters {
  FilterExpression?: string;
  ProjectionExpression?: string;
  ExpressionAttributeNames?: Record<string, string>;
  ExpressionAttributeValues?: Record<string, AttributeValue>;
  ScanFilter?: Record<string, FilterCondition>;
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

/** One of the legacy updates. */
export interface AttributeValueUpdate {
  Value?: AttributeValue;
  Action?: 'ADD' | 'PUT' | 'DELETE';
}

/** The parameters that updates and their conditions come in. */
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

export interface ScanRequest extends FilterParameters {
  TableName: string;
  IndexName?: string;
  Limit?: number;
  Select?: Select;
  ExclusiveStartKey?: AttributeMap;
  Segment?: number;
  TotalSegments?: number;
  ConsistentRead?: boolean;
  ReturnConsumedCapacity?: ReturnConsumedCapacity;
}

/** What BatchGetItem reads of one table. */
export interface KeysAndAttributes extends ExpressionParameters {
  Keys: AttributeMap[];
  ConsistentRead?: boolean;
}

/** By the tables' names, or their ARNs. */
export interface BatchGetItemRequest {
  RequestItems: Record<string, KeysAndAttributes>;
  ReturnConsumedCapacity?: ReturnConsumedCapacity;
}

/** One of the two. */
export interface BatchWrite {
  PutRequest?: { Item: AttributeMap };
  DeleteRequest?: { Key: AttributeMap };
}

/** By the tables' names, or their ARNs. */
export interface BatchWriteItemRequest {
  RequestItems: Record<string, BatchWrite[]>;
  ReturnConsumedCapacity?: ReturnConsumedCapacity;
  ReturnItemCollectionMetrics?: 'SIZE' | 'NONE';
}
