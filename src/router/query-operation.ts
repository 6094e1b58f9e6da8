import { readConsistencyOf } from '../api/consumed-capacity.ts';
import { isReadStored } from '../api/derivation.ts';
import type { QueryRequest, RequestContext } from '../api/operations.ts';
import { type CheckedQuery, checkQuery, planQuery, type QueryPlan } from '../api/query-rules.ts';
import { placeInOrder } from '../api/stored-order.ts';
import type { SecondaryIndex, Table } from '../api/table-definition.ts';
import { IndexRange } from './index-range.ts';
import type { OnTable } from './item-operations.ts';
import { entriesToMake, inRoom, type Page, type PageResponse, readPage, responseOf, unitsOf } from './page.ts';
import { type PageSource, WalkOrder, WalkReader } from './page-source.ts';
import { RangeWalk, type Reading } from './range-walk.ts';
import { readFromOf } from './read-from.ts';
import type { ScanParts } from './scan-operations.ts';
import { TableWalk } from './table-walk.ts';

export interface QueryOperation {
  query(request: QueryRequest, context: RequestContext, namespace: string): Promise<PageResponse>;
  /** What Query does when it knows the table. Statements begin here. */
  queryTable(on: OnTable<QueryRequest>, checked: CheckedQuery): Promise<PageResponse>;
}

/** Query. The function owns its request: it normalises values in place. */
export function createQueryOperation({ client, indexes, throughput, pause, room }: ScanParts): QueryOperation {
  /** @param entriesOf the index whose entries are made of items */
  function sourceOf(
    table: Table,
    plan: QueryPlan,
    entriesOf: SecondaryIndex | undefined,
    reading: Reading,
  ): PageSource {
    const { index } = plan;
    if (index === undefined || isReadStored(table, index)) {
      const reader = new WalkReader(new RangeWalk(client, table, plan, reading), pause);
      return new WalkOrder(reader, { table, entriesOf, isSparse: false });
    }
    const walk = new TableWalk(client, table, { segment: undefined, after: undefined, ...reading });
    return new IndexRange(new WalkReader(walk, pause), table, index, plan);
  }

  const operation: QueryOperation = {
    async query(request, context, namespace) {
      const checked = checkQuery(request);
      const found = indexes.tableFor(request, context, namespace);
      const table = found instanceof Promise ? await found : found;
      return operation.queryTable({ table, request, context }, checked);
    },

    async queryTable({ table, request, context }, checked) {
      const plan = planQuery(table, request, checked);
      const settle = throughput?.chargePage(table, plan.index, plan.partitionKey);
      const limit = request.Limit ?? Number.POSITIVE_INFINITY;
      const entriesOf = entriesToMake(table, plan.index);
      const reading = { from: readFromOf(request, context), departure: context.departure };
      const source = sourceOf(table, plan, entriesOf, reading);
      const page = await inRoom(room, () => readPage(source, { table, plan, entriesOf, limit, pause }));
      if (page === undefined) throw new Error('the range of a query has no other order');
      const units = unitsOf(page, plan, readConsistencyOf(request));
      settle?.(units);
      const answered = isAtEnd(page, table, plan) ? { ...page, last: undefined } : page;
      return responseOf(request, { table, plan }, answered, units);
    },
  };
  return operation;
}

/** Whether the last item is at the end of the range, so that there can be no next page. */
function isAtEnd({ last }: Page, table: Table, { end, index }: QueryPlan): boolean {
  return last !== undefined && end !== undefined && placeInOrder(table, index, last).sortKey === end;
}
