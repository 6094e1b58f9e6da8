import { ApiError } from './errors.ts';
import type { Table } from './table-definition.ts';

/** What a throttled request wanted to do. */
export type Access = 'read' | 'write';

/** The limit that a request exceeded (API reference, `ThrottlingReason`). */
export type ThrottlingLimit =
  | 'ProvisionedThroughputExceeded'
  | 'KeyRangeThroughputExceeded'
  | 'AccountLimitExceeded'
  | 'MaxOnDemandThroughputExceeded';

/** The API's `ThrottlingReason`. */
export interface ThrottlingReason {
  /** Resource, access and limit, such as `TableReadProvisionedThroughputExceeded`. */
  readonly reason: string;
  /** The ARN of the table or index. */
  readonly resource: string;
}

const LEVEL = 'The level of configured provisioned throughput for';
/** API reference, TransactGetItems, `ProvisionedThroughputExceeded`; recorded for other requests as well. */
export const PROVISIONED_TABLE_EXCEEDED = `${LEVEL} the table was exceeded. Consider increasing your provisioning level with the UpdateTable API.`;
const PROVISIONED_INDEX_EXCEEDED =
  `${LEVEL} one or more global secondary indexes of the table was exceeded. Consider increasing your provisioning ` +
  'level for the under-provisioned global secondary indexes with the UpdateTable API';
export const ON_DEMAND_EXCEEDED =
  'Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your table or ' +
  'index so please try again shortly. If exceptions persist, check if you have a hot key: ' +
  'https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html';
/** Developer guide, "Diagnosing throttling". */
const ON_DEMAND_MAXIMUM_EXCEEDED = 'Throughput exceeds the maximum OnDemandThroughput configured on table or index';

export function throttlingReason(arn: string, access: Access, limit: ThrottlingLimit): ThrottlingReason {
  const resource = arn.includes('/index/') ? 'Index' : 'Table';
  return { reason: `${resource}${access === 'read' ? 'Read' : 'Write'}${limit}`, resource: arn };
}

/**
 * The error for a request that exceeds a limit of its table or of an index.
 * @param index the name of the index; undefined: the limit is the table's
 */
export function throttled(table: Table, index: string | undefined, access: Access, limit: ThrottlingLimit): ApiError {
  const arn = index === undefined ? table.arn : `${table.arn}/index/${index}`;
  const reasons = [throttlingReason(arn, access, limit)];
  if (limit === 'MaxOnDemandThroughputExceeded') return ApiError.throttling(ON_DEMAND_MAXIMUM_EXCEEDED, reasons);
  if (table.billing.mode === 'PAY_PER_REQUEST') return ApiError.throttling(ON_DEMAND_EXCEEDED, reasons);
  const message = index === undefined ? PROVISIONED_TABLE_EXCEEDED : PROVISIONED_INDEX_EXCEEDED;
  return ApiError.provisionedThroughputExceeded(message, reasons);
}
