import { readConsistencyOf } from '../api/consumed-capacity.ts';
import type { QueryRequest, RequestContext } from '../api/operations.ts';
import { checkQuery, placeInOrder, planQuery, type QueryPlan } from '../api/query-rules.ts';
import type { Table } from '../api/table-definition.ts';
import type { ReadFrom } from '../dynamo/client.ts';
import { IndexRange } from './index-range.ts';
import { inRoom, type Page, type PageResponse, readPage, responseOf, unitsOf } from './page.ts';
import { type PageSource, TableOrder, WalkReader } from './page-source.ts';
import { RangeWalk } from './range-walk.ts';
import { readFromOf } from './read-from.ts';
import type { ScanParts } from './scan-operations.ts';
import type { StoredItem } from './stored-item.ts';
import { TableWalk } from './table-walk.ts';

export interface QueryOperation {
  query(request: QueryRequest, context: RequestContext, namespace: string): Promise<PageResponse>;
}

/** Query. The function owns its request: it normalises values in place. */
export function createQueryOperation({ client, indexes, throughput, pause, room }: ScanParts): QueryOperation {
  function sourceOf(table: Table, plan: QueryPlan, from: ReadFrom): PageSource {
    const { index, partitionKey, lower, upper } = plan;
    if (index === undefined) {
      const placeOf = ({ attributes }: StoredItem) => placeInOrder(table, index, attributes);
      const walk = new RangeWalk(client, { table, partitionKey, lower, upper, order: plan.order, from, placeOf });
      return new TableOrder(new WalkReader(walk, pause), table, undefined);
    }
    const walk =
      index.kind === 'local'
        ? new RangeWalk(client, {
            table,
            partitionKey,
            lower: undefined,
            upper: undefined,
            order: 'forward',
            from,
            placeOf: ({ attributes }) => placeInOrder(table, undefined, attributes),
          })
        : new TableWalk(client, table, { segment: undefined, after: undefined, from });
    return new IndexRange(new WalkReader(walk, pause), table, index, plan);
  }

  return {
    async query(request, context, namespace) {
      const checked = checkQuery(request);
      const found = indexes.tableFor(request, context, namespace);
      const table = found instanceof Promise ? await found : found;
      const plan = planQuery(table, request, checked);
      const settle = throughput?.chargePage(table, plan.index, plan.partitionKey);
      const limit = request.Limit ?? Number.POSITIVE_INFINITY;
      const source = sourceOf(table, plan, readFromOf(request, context));
      const page = await inRoom(room, () => readPage(source, { table, plan, limit, pause }));
      if (page === undefined) throw new Error('the range of a query has no other order');
      const units = unitsOf(page, plan, readConsistencyOf(request));
      settle?.(units);
      return responseOf(
        request,
        { table, plan },
        isAtEnd(page, table, plan) ? { ...page, last: undefined } : page,
        units,
      );
    },
  };
}

/** Whether the last item is at the end of the range, so that there can be no next page. */
function isAtEnd({ last }: Page, table: Table, { end, index }: QueryPlan): boolean {
  return last !== undefined && end !== undefined && placeInOrder(table, index, last) === end;
}
