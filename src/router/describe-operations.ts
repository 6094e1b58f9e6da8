import { tableNameOf } from '../api/arn.ts';
import type { RequestContext } from '../api/operations.ts';
import type { Table } from '../api/table-definition.ts';
import type { DescribeTableRequest, DescribeTimeToLiveRequest, ListTablesRequest } from '../api/table-requests.ts';
import { withSizes } from '../api/table-sizes.ts';
import { describeTimeToLive } from '../api/time-to-live.ts';
import { describeAt, statusAt } from '../api/transition.ts';
import type { TableCatalog } from './table-catalog.ts';
import type { TableCounts } from './table-counts.ts';
import { tableNotFound } from './table-operations.ts';

/** The largest page of ListTables, and the default. */
const LIST_TABLES_LIMIT = 100;

/** The operations that describe and list tables, and those that describe the service. */
export function createDescribeOperations(catalog: TableCatalog, counts: TableCounts) {
  /** @returns undefined if there is none, or it has been DELETING for its time */
  const find = async (namespace: string, name: string, nowMs: number): Promise<Table | undefined> => {
    const table = await catalog.present(namespace, name, { kind: 'client', nowMs });
    return table === undefined || statusAt(table, nowMs) === undefined ? undefined : table;
  };

  return {
    async describeTable({ TableName }: DescribeTableRequest, { nowMs }: RequestContext, namespace: string) {
      const name = tableNameOf(TableName);
      const table = await find(namespace, name, nowMs);
      if (table === undefined) throw tableNotFound(name);
      return { Table: withSizes(describeAt(table, nowMs), table, await counts.of(table, nowMs)) };
    },

    async describeTimeToLive({ TableName }: DescribeTimeToLiveRequest, { nowMs }: RequestContext, namespace: string) {
      const name = tableNameOf(TableName);
      const table = await find(namespace, name, nowMs);
      if (table === undefined) throw tableNotFound(name);
      return { TimeToLiveDescription: describeTimeToLive(table, nowMs) };
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

    /** The quotas of a new account in most regions. None of them is enforced. */
    async describeLimits() {
      return {
        AccountMaxReadCapacityUnits: 80_000,
        AccountMaxWriteCapacityUnits: 80_000,
        TableMaxReadCapacityUnits: 40_000,
        TableMaxWriteCapacityUnits: 40_000,
      };
    },

    /** Names the host that was asked, so that an SDK that discovers endpoints comes back to it. */
    async describeEndpoints(_request: object, { host, region }: RequestContext) {
      return { Endpoints: [{ Address: host ?? `dynamodb.${region}.amazonaws.com`, CachePeriodInMinutes: 1440 }] };
    },
  };
}
