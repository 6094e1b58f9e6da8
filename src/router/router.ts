import type { Execute, OperationName, RequestContext } from '../api/operations.ts';
import type { TableConsistency } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import { createBatchOperations } from './batch-operations.ts';
import { createItemOperations } from './item-operations.ts';
import { type Isolation, namespaceOf, noNamespace } from './namespace.ts';
import { ReadRoom } from './read-room.ts';
import { DEFAULT_ROUTER_LIMITS, type RouterLimits } from './router-limits.ts';
import { createScanOperations } from './scan-operations.ts';
import { createTableAdmin, type TableAdmin } from './table-admin.ts';
import { TableCatalog } from './table-catalog.ts';
import { createTableOperations } from './table-operations.ts';
import { createTagOperations } from './tag-operations.ts';
import type { ThroughputGate } from './throughput.ts';
import { createUpdateOperation } from './update-operation.ts';

export interface RouterOptions {
  readonly client: DynamoClient;
  /** A new random UUID in lower case. */
  readonly newId: () => string;
  /** Of new tables whose tags do not say. Default: strict. */
  readonly defaultConsistency?: TableConsistency;
  /** What gives a request its namespace. Default: nothing, but an access key that names one. */
  readonly isolate?: Isolation;
  readonly limits?: Partial<RouterLimits>;
  /** Default: one of its own. */
  readonly catalog?: TableCatalog;
  /** Undefined: throughput is not limited. */
  readonly throughput?: ThroughputGate | undefined;
  /** How long CREATING, UPDATING and DELETING are seen. Default: in the answer alone. */
  readonly transientMs?: number;
  /** Gives up the event loop until others have had their turn. Default: does not. */
  readonly pause?: () => Promise<void>;
}

export interface Router {
  /** The door of tier 2, for requests that come with credentials. */
  readonly execute: Execute;
  /** The same in a namespace of the caller's choice, and finished when it answers whatever `transientMs` is. */
  readonly executeIn: (namespace: string, ...request: Parameters<Execute>) => Promise<object>;
  readonly tables: TableAdmin;
}

/**
 * Tier 2: one router, handed to tier 1 as a function. It keeps no state but the cache of table definitions, the order in which
 * indexes are scanned, and what was consumed if throughput is limited.
 */
export function createRouter(options: RouterOptions): Router {
  const { client, newId, defaultConsistency = 'strict', isolate = 'none', throughput } = options;
  const limits = { ...DEFAULT_ROUTER_LIMITS, ...options.limits };
  const { catalog = new TableCatalog(client, limits) } = options;
  const { putItem, getItem, deleteItem } = createItemOperations(client, catalog, throughput);
  const { updateItem } = createUpdateOperation(client, catalog, throughput);
  const pause = options.pause ?? (async () => {});
  const room = new ReadRoom(pause);
  const { scan } = createScanOperations(client, catalog, throughput, pause, room);
  const { batchGetItem, batchWriteItem } = createBatchOperations(client, catalog, throughput, room);
  const tags = createTagOperations(catalog);
  const operationsWith = (tables: ReturnType<typeof createTableOperations>): Record<OperationName, Operation> => ({
    BatchGetItem: batchGetItem,
    BatchWriteItem: batchWriteItem,
    CreateTable: tables.createTable,
    DeleteItem: deleteItem,
    DeleteTable: tables.deleteTable,
    DescribeEndpoints: tables.describeEndpoints,
    DescribeLimits: tables.describeLimits,
    DescribeTable: tables.describeTable,
    DescribeTimeToLive: tables.describeTimeToLive,
    GetItem: getItem,
    ListTables: tables.listTables,
    ListTagsOfResource: tags.listTagsOfResource,
    PutItem: putItem,
    Scan: scan,
    TagResource: tags.tagResource,
    UntagResource: tags.untagResource,
    UpdateItem: updateItem,
    UpdateTable: tables.updateTable,
    UpdateTimeToLive: tables.updateTimeToLive,
  });
  const tablesWith = (transientMs: number | undefined) =>
    createTableOperations(catalog, newId, defaultConsistency, throughput, transientMs);
  const operations = operationsWith(tablesWith(options.transientMs));
  const operationsAtOnce = operationsWith(tablesWith(0));
  return {
    execute(operation, request, context) {
      const namespace = namespaceOf(context, isolate);
      if (namespace === undefined) return Promise.reject(noNamespace(context));
      return operations[operation](request as never, context, namespace);
    },
    tables: createTableAdmin(client, catalog, newId, limits),
    executeIn: (namespace, operation, request, context) =>
      operationsAtOnce[operation](request as never, context, namespace),
  };
}

/** The schema of an operation has proved the type of its request. */
type Operation = (request: never, context: RequestContext, namespace: string) => Promise<object>;
