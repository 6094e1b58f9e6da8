import type { OperationName, RequestContext } from '../api/operations.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import type { TransactingClient } from '../dynamo/transaction-client.ts';
import { createBatchOperations } from './batch-operations.ts';
import { createDescribeOperations } from './describe-operations.ts';
import { createGetRecordsOperation } from './get-records-operation.ts';
import { createItemOperations, createItemsOfTable, type ItemParts } from './item-operations.ts';
import { createQueryOperation } from './query-operation.ts';
import { ReadRoom } from './read-room.ts';
import { createScanOperations } from './scan-operations.ts';
import { createShardIteratorOperation } from './shard-iterator-operation.ts';
import { createStatementBatch } from './statement-batch.ts';
import { createStatementOperation } from './statement-operations.ts';
import { createStatementTransaction } from './statement-transaction.ts';
import { createStreamOperations } from './stream-operations.ts';
import type { StreamParts } from './stream-view.ts';
import { TableCounts } from './table-counts.ts';
import { createTableOperations, type TableParts } from './table-operations.ts';
import { createTagOperations } from './tag-operations.ts';
import { createTransactGetOperation } from './transact-get-operation.ts';
import { createTransactWriteOperation } from './transact-write-operation.ts';
import { createUpdateOperation } from './update-operation.ts';
import { createUpdateTableOperation } from './update-table-operation.ts';

/** Carries out a request whose type the schema of its operation has proved. */
export type Handler = (request: never, context: RequestContext, namespace: string) => Promise<object>;

export interface OperationParts extends ItemParts, TableParts, StreamParts {
  readonly client: DynamoClient & TransactingClient;
  /** Gives up the event loop until other requests have had their turn. */
  readonly pause: () => Promise<void>;
}

/** The handlers of all operations. A handler has the name of its operation, with a small first letter. */
export function createOperationTable(parts: OperationParts): Readonly<Record<OperationName, Handler>> {
  const room = new ReadRoom(parts.pause);
  const items = createItemsOfTable(parts);
  const { putItem, getItem, deleteItem } = createItemOperations(parts, items);
  const { updateItem, updateOnTable } = createUpdateOperation(parts);
  const { query, queryTable } = createQueryOperation({ ...parts, room });
  const { scan, scanTable } = createScanOperations({ ...parts, room });
  const { batchGetItem, batchWriteItem } = createBatchOperations({ ...parts, room });
  const { transactGetItems, getTogether } = createTransactGetOperation({ ...parts, room });
  const { transactWriteItems, transactActions } = createTransactWriteOperation({ ...parts, room });
  const statements = { ...parts, room, items, updateOnTable, queryTable, scanTable };
  const { executeStatement } = createStatementOperation(statements);
  const { batchExecuteStatement } = createStatementBatch(statements);
  const { executeTransaction } = createStatementTransaction({ ...parts, getTogether, transactActions });
  const tables = createTableOperations(parts);
  const counts = new TableCounts(parts.client);
  const { updateTable } = createUpdateTableOperation(parts, counts);
  const describe = createDescribeOperations(parts.catalog, counts);
  const tags = createTagOperations(parts.catalog);
  const streams = createStreamOperations(parts);
  const { getShardIterator } = createShardIteratorOperation(parts);
  const { getRecords } = createGetRecordsOperation(parts);
  return {
    BatchExecuteStatement: batchExecuteStatement,
    BatchGetItem: batchGetItem,
    BatchWriteItem: batchWriteItem,
    CreateTable: tables.createTable,
    DeleteItem: deleteItem,
    DeleteTable: tables.deleteTable,
    DescribeEndpoints: describe.describeEndpoints,
    DescribeLimits: describe.describeLimits,
    DescribeStream: streams.describeStream,
    DescribeTable: describe.describeTable,
    DescribeTimeToLive: describe.describeTimeToLive,
    ExecuteStatement: executeStatement,
    ExecuteTransaction: executeTransaction,
    GetItem: getItem,
    GetRecords: getRecords,
    GetShardIterator: getShardIterator,
    ListStreams: streams.listStreams,
    ListTables: describe.listTables,
    ListTagsOfResource: tags.listTagsOfResource,
    PutItem: putItem,
    Query: query,
    Scan: scan,
    TagResource: tags.tagResource,
    TransactGetItems: transactGetItems,
    TransactWriteItems: transactWriteItems,
    UntagResource: tags.untagResource,
    UpdateItem: updateItem,
    UpdateTable: updateTable,
    UpdateTimeToLive: tables.updateTimeToLive,
  };
}
