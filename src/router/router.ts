import type { Execute, OperationName, RequestContext } from '../api/operations.ts';
import type { TableConsistency } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import { createItemOperations } from './item-operations.ts';
import type { RouterLimits } from './limits.ts';
import { TableCatalog } from './table-catalog.ts';
import { createTableOperations } from './table-operations.ts';
import type { ThroughputGate } from './throughput.ts';

export interface RouterOptions {
  readonly client: DynamoClient;
  /** A new random UUID in lower case. */
  readonly newId: () => string;
  /** Of new tables whose tags do not say. Default: strict. */
  readonly defaultConsistency?: TableConsistency;
  readonly limits?: RouterLimits;
  /** Undefined: throughput is not limited. */
  readonly throughput?: ThroughputGate;
}

/**
 * Tier 2: one router, handed to tier 1 as a function. It keeps no state but the cache of table definitions, and what
 * was consumed if throughput is limited.
 */
export function createRouter(options: RouterOptions): Execute {
  const { client, newId, defaultConsistency = 'strict', limits, throughput } = options;
  const catalog = new TableCatalog(client, limits);
  const { putItem, getItem, deleteItem } = createItemOperations(client, catalog, throughput);
  const tables = createTableOperations(catalog, newId, defaultConsistency, throughput);
  const operations: Record<OperationName, Operation> = {
    CreateTable: tables.createTable,
    DeleteItem: deleteItem,
    DeleteTable: tables.deleteTable,
    DescribeEndpoints: tables.describeEndpoints,
    DescribeLimits: tables.describeLimits,
    DescribeTable: tables.describeTable,
    GetItem: getItem,
    ListTables: tables.listTables,
    PutItem: putItem,
    UpdateTable: tables.updateTable,
  };
  return (operation, request, context) => operations[operation](request as never, context);
}

/** The schema of an operation has proved the type of its request. */
type Operation = (request: never, context: RequestContext) => Promise<object>;
