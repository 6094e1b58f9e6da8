import type { BatchGetItemRequest, OperationName } from './operations.ts';

/** Properties of an operation that concern more than its handler. */
export interface OperationTraits {
  /** What it does with items. Undefined: it does not touch any. */
  readonly access?: 'read' | 'write';
  readonly namesTable: boolean;
  /** The member of a request that has the item's key, alone or among other attributes. */
  readonly keyMember?: 'Key' | 'Item';
  /**
   * Whether `1 validation error detected: ` precedes the text if a request by itself is refused (see `checkAlone`).
   * All other operations answer the bare text.
   */
  readonly hasEnvelope?: true;
  /** Whether a request reads eventually consistently; undefined: no request of this operation does. */
  readonly readsEventually?: (request: object) => boolean;
  /** The answer has no body: the operation has no output in the service's model. */
  readonly answersNothing?: true;
}

const OF_NO_TABLE: OperationTraits = { namesTable: false };
const OF_A_TABLE: OperationTraits = { namesTable: true };

export const OPERATION_TRAITS: Readonly<Record<OperationName, OperationTraits>> = {
  BatchGetItem: { access: 'read', namesTable: true, readsEventually: isSomeNotConsistent },
  BatchWriteItem: { access: 'write', namesTable: true },
  CreateTable: OF_A_TABLE,
  DeleteItem: { access: 'write', namesTable: true, keyMember: 'Key', hasEnvelope: true },
  DeleteTable: OF_A_TABLE,
  DescribeEndpoints: OF_NO_TABLE,
  DescribeLimits: OF_NO_TABLE,
  DescribeTable: OF_A_TABLE,
  DescribeTimeToLive: OF_A_TABLE,
  GetItem: { access: 'read', namesTable: true, keyMember: 'Key', readsEventually: isNotConsistent },
  ListTables: OF_NO_TABLE,
  ListTagsOfResource: OF_A_TABLE,
  PutItem: { access: 'write', namesTable: true, keyMember: 'Item', hasEnvelope: true },
  Query: { access: 'read', namesTable: true, hasEnvelope: true, readsEventually: isNotConsistent },
  Scan: { access: 'read', namesTable: true, readsEventually: isNotConsistent },
  TagResource: { namesTable: true, answersNothing: true },
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

/** The tables that a request names, by name or ARN. A batch may name several. */
export function namedTables(operation: OperationName, request: object): readonly string[] {
  if (!OPERATION_TRAITS[operation].namesTable) return [];
  const { TableName, ResourceArn, RequestItems } = request as {
    readonly TableName?: string;
    readonly ResourceArn?: string;
    readonly RequestItems?: object;
  };
  const one = TableName ?? ResourceArn;
  return one === undefined ? Object.keys(RequestItems ?? {}) : [one];
}
