import { tableNameOf } from '../api/arn.ts';
import { newTable } from '../api/create-table.ts';
import { ApiError } from '../api/errors.ts';
import type { RequestContext } from '../api/operations.ts';
import type { Table, TableConsistency } from '../api/table-definition.ts';
import { describeDeleted, describeTable, type Phase } from '../api/table-description.ts';
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
import { describeAt, inTransition, settledTable, statusAt } from '../api/transition.ts';
import { checkUpdate } from '../api/update-rules.ts';
import { type Update, updatedTable } from '../api/update-table.ts';
import type { TableCatalog } from './table-catalog.ts';
import type { ThroughputGate } from './throughput.ts';

/** What a page of ListTables holds at most, and if the request does not say. */
const LIST_TABLES_LIMIT = 100;

/**
 * The operations on tables. All of them are finished when they answer, though the answers show, as the service's do, that
 * something is under way: the waiters of the SDKs would sleep 20 s on one `CREATING`. With a `transientMs` above 0 it is
 * seen for so long: a table that is made has no items yet, and none may be changed before the last change is over.
 * @param newId gives a new random UUID
 * @param consistency of new tables whose tags do not say
 * @param throughput what has to know of changed limits, if they are enforced
 * @param transientMs how long CREATING, UPDATING and DELETING are seen after the answer
 */
export function createTableOperations(
  catalog: TableCatalog,
  newId: () => string,
  consistency: TableConsistency,
  throughput?: ThroughputGate,
  transientMs = 0,
) {
  /** Also in place of one whose deletion was seen for its time. */
  const create = async (table: Table, nowMs: number): Promise<boolean> =>
    (await catalog.create(table)) ||
    ((await catalog.find(table.namespace, table.name, nowMs)) === undefined && (await catalog.create(table)));

  return {
    async createTable(request: CreateTableRequest, { nowMs, region }: RequestContext, namespace: string) {
      const table = newTable(request, { namespace, id: newId(), nowMs, region, consistency });
      const phase: Phase = { table: 'CREATING', warming: request.WarmThroughput != null };
      if (!(await create(inTransition(table, table, phase, nowMs, transientMs), nowMs)))
        throw ApiError.resourceInUse(`Table already exists: ${table.name}`);
      return { TableDescription: describeTable(table, nowMs, phase) };
    },

    async describeTable({ TableName }: DescribeTableRequest, { nowMs }: RequestContext, namespace: string) {
      const name = tableNameOf(TableName);
      const table = await catalog.find(namespace, name, nowMs);
      if (table === undefined || statusAt(table, nowMs) === undefined) throw tableNotFound(name);
      return { Table: describeAt(table, nowMs) };
    },

    async listTables(
      { ExclusiveStartTableName: after, Limit: limit = LIST_TABLES_LIMIT }: ListTablesRequest,
      { nowMs }: RequestContext,
      namespace: string,
    ) {
      const start = after === undefined ? undefined : { namespace, name: after };
      const { tables, more } = await catalog.list(namespace, start, limit);
      const names = tables.filter((table) => statusAt(table, nowMs) !== undefined).map(({ name }) => name);
      return { TableNames: names, LastEvaluatedTableName: more ? tables.at(-1)?.name : undefined };
    },

    async updateTable(request: UpdateTableRequest, { nowMs, region }: RequestContext, namespace: string) {
      checkUpdate(request);
      const name = tableNameOf(request.TableName);
      let update: Update | undefined;
      const changed = await catalog.change(namespace, name, (table) => {
        checkAtRest(table, nowMs);
        update = updatedTable(settledTable(table), request, nowMs, region);
        return inTransition(update.next, update.shown, update.phase, nowMs, transientMs);
      });
      if (changed === undefined || update === undefined) throw tableNotFound(name);
      throughput?.changed(changed);
      return { TableDescription: describeTable(update.shown, nowMs, update.phase) };
    },

    async deleteTable({ TableName }: DeleteTableRequest, { nowMs }: RequestContext, namespace: string) {
      const name = tableNameOf(TableName);
      const check = (table: Table) => {
        if (statusAt(table, nowMs) === 'DELETING') return;
        checkAtRest(table, nowMs);
        if (!table.deletionProtection) return;
        throw ApiError.validation(
          'Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.',
        );
      };
      const deleting = (table: Table) => {
        check(table);
        // Who deletes it again is told that it is being deleted (API reference, DeleteTable).
        if (statusAt(table, nowMs) === 'DELETING') return table;
        return inTransition(table, table, { table: 'DELETING' }, nowMs, transientMs);
      };
      const table =
        transientMs === 0
          ? await catalog.remove(namespace, name, check)
          : await catalog.change(namespace, name, deleting);
      if (table === undefined) throw tableNotFound(name);
      return { TableDescription: describeDeleted(settledTable(table), nowMs) };
    },

    async describeTimeToLive({ TableName }: DescribeTimeToLiveRequest, { nowMs }: RequestContext, namespace: string) {
      const name = tableNameOf(TableName);
      const table = await catalog.find(namespace, name, nowMs);
      if (table === undefined || statusAt(table, nowMs) === undefined) throw tableNotFound(name);
      return { TimeToLiveDescription: describeTimeToLive(table) };
    },

    async updateTimeToLive(
      { TableName, TimeToLiveSpecification }: UpdateTimeToLiveRequest,
      { nowMs }: RequestContext,
      namespace: string,
    ) {
      const name = tableNameOf(TableName);
      const changed = await catalog.change(namespace, name, (table) => {
        checkAtRest(table, nowMs);
        return withTimeToLive(settledTable(table), TimeToLiveSpecification);
      });
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

/**
 * @throws ResourceInUseException in the service's words, as clients of it have recorded them; ResourceNotFoundException
 * once a deletion was seen for its time
 */
function checkAtRest(table: Table, nowMs: number): void {
  const status = statusAt(table, nowMs);
  if (status === undefined) throw tableNotFound(table.name);
  if (status === 'ACTIVE') return;
  const what = { CREATING: 'created', UPDATING: 'updated', DELETING: 'deleted' }[status];
  throw ApiError.resourceInUse(
    `Attempt to change a resource which is still in use: Table is being ${what}: ${table.name}`,
  );
}
