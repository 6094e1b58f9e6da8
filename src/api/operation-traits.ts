import type { OperationName } from './operations.ts';

/** What a fault rule or a limit has to know of an operation. */
export interface OperationTraits {
  /** Of the items of a table; undefined: it does not touch them. */
  readonly access?: 'read' | 'write';
  readonly namesTable: boolean;
  /** The member of a request that holds the item's key, alone or among other attributes. */
  readonly keyMember?: 'Key' | 'Item';
  /** Whether a request reads eventually consistently; undefined: no request of this operation does. */
  readonly readsEventually?: (request: object) => boolean;
}

const OF_NO_TABLE: OperationTraits = { namesTable: false };
const OF_A_TABLE: OperationTraits = { namesTable: true };

export const OPERATION_TRAITS: Readonly<Record<OperationName, OperationTraits>> = {
  CreateTable: OF_A_TABLE,
  DeleteItem: { access: 'write', namesTable: true, keyMember: 'Key' },
  DeleteTable: OF_A_TABLE,
  DescribeEndpoints: OF_NO_TABLE,
  DescribeLimits: OF_NO_TABLE,
  DescribeTable: OF_A_TABLE,
  DescribeTimeToLive: OF_A_TABLE,
  GetItem: { access: 'read', namesTable: true, keyMember: 'Key', readsEventually: isNotConsistent },
  ListTables: OF_NO_TABLE,
  PutItem: { access: 'write', namesTable: true, keyMember: 'Item' },
  Scan: { access: 'read', namesTable: true, readsEventually: isNotConsistent },
  UpdateItem: { access: 'write', namesTable: true, keyMember: 'Key' },
  UpdateTable: OF_A_TABLE,
  UpdateTimeToLive: OF_A_TABLE,
};

function isNotConsistent(request: { readonly ConsistentRead?: boolean }): boolean {
  return request.ConsistentRead !== true;
}
