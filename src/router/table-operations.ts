import { tableNameOf } from '../api/arn.ts';
import { newTable } from '../api/create-table.ts';
import { ApiError } from '../api/errors.ts';
import type { RequestContext } from '../api/operations.ts';
import type { TableConsistency } from '../api/table-definition.ts';
import { describeDeleted, describeTable } from '../api/table-description.ts';
import type {
  CreateTableRequest,
  DeleteTableRequest,
  DescribeTableRequest,
  DescribeTimeToLiveRequest,
  ListTablesRequest,
  UpdateTableRequest,
  UpdateTimeToLiveRequest,
} from '../api/table-requests.ts';
import { describeTimeToLive, withTimeToLive } from '../api/time-to-live.ts';
import { checkUpdate } from '../api/update-rules.ts';
import { type Update, updatedTable } from '../api/update-table.ts';
import type { TableCatalog } from './table-catalog.ts';
import type { ThroughputGate } from './throughput.ts';

/** What a page of ListTables holds at most, and if the request does not say. */
const LIST_TABLES_LIMIT = 100;

/**
 * The operations on tables. All of them are finished when they answer, though the answers show, as the service's do, that
 * something is under way: the waiters of the SDKs would sleep 20 s on one `CREATING`.
 * @param newId gives a new random UUID
 * @param consistency of new tables whose tags do not say
 * @param throughput what has to know of changed limits, if they are enforced
 */
export function createTableOperations(
  catalog: TableCatalog,
  newId: () => string,
  consistency: TableConsistency,
  throughput?: ThroughputGate,
) {
  return {
    async createTable(request: CreateTableRequest, { nowMs, region }: RequestContext, namespace: string) {
      const table = newTable(request, { namespace, id: newId(), nowMs, region, consistency });
      if (!(await catalog.create(table))) throw ApiError.resourceInUse(`Table already exists: ${table.name}`);
      const warming = request.WarmThroughput != null;
      return { TableDescription: describeTable(table, nowMs, { table: 'CREATING', warming }) };
    },

    async describeTable({ TableName }: DescribeTableRequest, { nowMs }: RequestContext, namespace: string) {
      const name = tableNameOf(TableName);
      const table = await catalog.find(namespace, name);
      if (table === undefined) throw tableNotFound(name);
      return { Table: describeTable(table, nowMs) };
    },

    async listTables(
      { ExclusiveStartTableName: after, Limit: limit = LIST_TABLES_LIMIT }: ListTablesRequest,
      _context: RequestContext,
      namespace: string,
    ) {
      const start = after === undefined ? undefined : { namespace, name: after };
      const { tables, more } = await catalog.list(namespace, start, limit);
      const names = tables.map(({ name }) => name);
      return { TableNames: names, LastEvaluatedTableName: more ? names.at(-1) : undefined };
    },

    async updateTable(request: UpdateTableRequest, { nowMs, region }: RequestContext, namespace: string) {
      checkUpdate(request);
      const name = tableNameOf(request.TableName);
      let update: Update | undefined;
      const changed = await catalog.change(namespace, name, (table) => {
        update = updatedTable(table, request, nowMs, region);
        return update.next;
      });
      if (changed === undefined || update === undefined) throw tableNotFound(name);
      throughput?.changed(changed);
      return { TableDescription: describeTable(update.shown, nowMs, update.phase) };
    },

    async deleteTable({ TableName }: DeleteTableRequest, { nowMs }: RequestContext, namespace: string) {
      const name = tableNameOf(TableName);
      const table = await catalog.remove(namespace, name, ({ deletionProtection }) => {
        if (!deletionProtection) return;
        throw ApiError.validation(
          'Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.',
        );
      });
      if (table === undefined) throw tableNotFound(name);
      return { TableDescription: describeDeleted(table, nowMs) };
    },

    async describeTimeToLive({ TableName }: DescribeTimeToLiveRequest, _context: RequestContext, namespace: string) {
      const name = tableNameOf(TableName);
      const table = await catalog.find(namespace, name);
      if (table === undefined) throw tableNotFound(name);
      return { TimeToLiveDescription: describeTimeToLive(table) };
    },

    async updateTimeToLive(
      { TableName, TimeToLiveSpecification }: UpdateTimeToLiveRequest,
      _context: RequestContext,
      namespace: string,
    ) {
      const name = tableNameOf(TableName);
      const changed = await catalog.change(namespace, name, (table) => withTimeToLive(table, TimeToLiveSpecification));
      if (changed === undefined) throw tableNotFound(name);
      return { TimeToLiveSpecification };
    },

    /** The quotas of a new account in most regions; none of them is enforced. */
    async describeLimits() {
      return {
        AccountMaxReadCapacityUnits: 80_000,
        AccountMaxWriteCapacityUnits: 80_000,
        TableMaxReadCapacityUnits: 40_000,
        TableMaxWriteCapacityUnits: 40_000,
      };
    },

    /** Names the very host that was asked, so that an SDK that discovers endpoints comes back here. */
    async describeEndpoints(_request: object, { host, region }: RequestContext) {
      return { Endpoints: [{ Address: host ?? `dynamodb.${region}.amazonaws.com`, CachePeriodInMinutes: 1440 }] };
    },
  };
}

function tableNotFound(name: string): ApiError {
  return ApiError.resourceNotFound(`Requested resource not found: Table: ${name} not found`);
}
