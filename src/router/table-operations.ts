import { tableNameOf } from '../api/arn.ts';
import { newTable } from '../api/create-table.ts';
import { ApiError } from '../api/errors.ts';
import { withNewStorage } from '../api/index-storage.ts';
import type { RequestContext } from '../api/operations.ts';
import { type NewStreams, withNewStream } from '../api/stream-storage.ts';
import type { Table, TableConsistency } from '../api/table-definition.ts';
import { describeDeleted, describeTable, type Phase } from '../api/table-description.ts';
import type { CreateTableRequest, DeleteTableRequest, UpdateTimeToLiveRequest } from '../api/table-requests.ts';
import { withTimeToLive } from '../api/time-to-live.ts';
import { inTransition, settledTable, statusAt } from '../api/transition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import type { IndexBuilder } from './index-builder.ts';
import { INDEX_BUILDS } from './router-limits.ts';
import type { StreamKeeper } from './stream-keeper.ts';
import { listStreamRows } from './stream-rows.ts';
import type { TableCatalog } from './table-catalog.ts';
import type { ThroughputGate } from './throughput.ts';

export interface TableParts extends NewStreams {
  readonly client: DynamoClient;
  readonly catalog: TableCatalog;
  readonly indexes: IndexBuilder;
  readonly keeper: StreamKeeper;
  /** The consistency of new tables whose tags do not say one. */
  readonly consistency: TableConsistency;
  /** Has to know of changed limits. Undefined: throughput is not limited. */
  readonly throughput: ThroughputGate | undefined;
  /**
   * How long CREATING, UPDATING and DELETING are seen after the answer, in ms, for requests whose context does not say
   * it.
   */
  readonly transientMs: number;
}

/**
 * The operations that create, change and delete tables. All of them are finished when they answer. As the service's answers do, the answers show a
 * transient status all the same. A later request does not see it by default, since the waiters of the SDKs would sleep
 * 20 s on one `CREATING`. With a `transientMs` above 0 it is seen for so long: until then a table that is being made
 * has no items, and no table can be changed again.
 */
export function createTableOperations(parts: TableParts) {
  const { client, catalog, newId, consistency, keeper, transientMs } = parts;
  const lastsMs = (context: RequestContext) => context.transientMs ?? transientMs;
  /** Also in place of a table that has been DELETING for its time. */
  const create = async (table: Table, nowMs: number): Promise<boolean> =>
    (await catalog.create(table)) ||
    ((await catalog.present(table.namespace, table.name, { kind: 'client', nowMs })) === undefined &&
      (await catalog.create(table)));

  return {
    async createTable(request: CreateTableRequest, context: RequestContext, namespace: string) {
      const { nowMs, region } = context;
      const defined = newTable(request, { namespace, id: newId(), nowMs, region, consistency });
      const table = withNewStream(withNewStorage(await withOwnLabel(client, defined), newId), parts);
      const phase: Phase = { table: 'CREATING', warming: request.WarmThroughput != null };
      const transition = { shown: table, phase, nowMs, transientMs: lastsMs(context) };
      if (!(await create(inTransition(table, transition), nowMs)))
        throw ApiError.resourceInUse(`Table already exists: ${table.name}`);
      return { TableDescription: describeTable(table, nowMs, phase) };
    },

    async deleteTable({ TableName }: DeleteTableRequest, context: RequestContext, namespace: string) {
      const { nowMs } = context;
      const name = tableNameOf(TableName);
      const check = (table: Table) => {
        if (statusAt(table, nowMs) === 'DELETING') return;
        checkAtRest(table, nowMs);
        checkNothingFilled(table);
        if (!table.deletionProtection) return;
        throw ApiError.validation(
          'Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.',
        );
      };
      const deleting = (table: Table) => {
        check(table);
        // A second DeleteTable is answered that the table is being deleted (API reference, DeleteTable).
        if (statusAt(table, nowMs) === 'DELETING') return table;
        return inTransition(table, {
          shown: table,
          phase: { table: 'DELETING' },
          nowMs,
          transientMs: lastsMs(context),
        });
      };
      const table =
        lastsMs(context) === 0
          ? await catalog.remove(namespace, name, check)
          : await catalog.change(namespace, name, deleting);
      if (table === undefined) throw tableNotFound(name);
      if (table.stream?.storageId !== undefined) {
        if (lastsMs(context) > 0) void keeper.beginLater(table, lastsMs(context));
        else {
          keeper.begin(table);
          await keeper.settled(table, INDEX_BUILDS.answerWaitMs);
        }
      }
      return { TableDescription: describeDeleted(settledTable(table), nowMs) };
    },

    async updateTimeToLive(
      { TableName, TimeToLiveSpecification }: UpdateTimeToLiveRequest,
      context: RequestContext,
      namespace: string,
    ) {
      const { nowMs } = context;
      const name = tableNameOf(TableName);
      const changed = await catalog.change(namespace, name, (table) => {
        checkAtRest(table, nowMs);
        const time = { nowMs, transientMs: lastsMs(context) };
        return withTimeToLive(settledTable(table), TimeToLiveSpecification, time);
      });
      if (changed === undefined) throw tableNotFound(name);
      return { TimeToLiveSpecification };
    },
  };
}

/** A table whose stream has another label than those of earlier tables of this name, even if it is made in the same millisecond. */
async function withOwnLabel(client: DynamoClient, table: Table): Promise<Table> {
  const { namespace, name, stream } = table;
  if (stream === undefined) return table;
  const page = { namespace, table: name, after: undefined, limit: 1, order: 'backward' } as const;
  const [last] = (await listStreamRows(client, page)).rows;
  const startedAtMs = Math.max(stream.startedAtMs, (last?.startedAtMs ?? 0) + 1);
  return { ...table, stream: { ...stream, startedAtMs } };
}

export function tableNotFound(name: string): ApiError {
  return ApiError.resourceNotFound(`Requested resource not found: Table: ${name} not found`);
}

/**
 * A table cannot be deleted while an index is being filled (developer guide, "Managing Global Secondary Indexes"). The form
 * of the text is the recorded one for an index whose throughput is being changed (hashicorp/terraform issue 9559).
 */
function checkNothingFilled({ name, indexes }: Table): void {
  const filling = indexes.find(({ building }) => building === 'filling');
  if (filling === undefined) return;
  throw ApiError.resourceInUse(
    `Attempt to change a resource which is still in use: Index is being created.  Table: ${name} Index: ${filling.name}`,
  );
}

/**
 * @throws ResourceInUseException in the service's words, as clients have recorded them; ResourceNotFoundException if
 *   the table has been DELETING for its time
 */
export function checkAtRest(table: Table, nowMs: number): void {
  const status = statusAt(table, nowMs);
  if (status === undefined) throw tableNotFound(table.name);
  if (status === 'ACTIVE') return;
  const what = { CREATING: 'created', UPDATING: 'updated', DELETING: 'deleted' }[status];
  throw ApiError.resourceInUse(
    `Attempt to change a resource which is still in use: Table is being ${what}: ${table.name}`,
  );
}
