import { readConsistencyOf } from '../api/consumed-capacity.ts';
import type { RequestContext, ScanRequest } from '../api/operations.ts';
import type { EncodedKey } from '../api/primary-key.ts';
import { checkScan, planScan, type ScanPlan, startOfOtherSegment } from '../api/scan-rules.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import type { IndexBuilder } from './index-builder.ts';
import { type IndexScan, indexOrder, type WalkBounds } from './index-order.ts';
import { IndexScanOrders } from './index-scan-orders.ts';
import type { ItemParts } from './item-operations.ts';
import { inRoom, type PageResponse, readPage, responseOf, unitsOf, type WantedPage } from './page.ts';
import { type PageSource, type Pause, TableOrder, WalkReader } from './page-source.ts';
import { readFromOf } from './read-from.ts';
import type { ReadRoom } from './read-room.ts';
import { ORDERED_WALK } from './router-limits.ts';
import { TableWalk } from './table-walk.ts';

export interface ScanOperations {
  scan(request: ScanRequest, context: RequestContext, namespace: string): Promise<PageResponse>;
}

export interface ScanParts extends ItemParts {
  readonly indexes: IndexBuilder;
  /** Gives up the event loop until other requests have had their turn. */
  readonly pause: Pause;
  /** Bounds what is read at a time. */
  readonly room: ReadRoom;
  /**
   * How much of a table a page of an index may walk through to come in the order of the index. Default: `ORDERED_WALK`.
   */
  readonly bounds?: WalkBounds;
}

/** Scan. The function owns its request: it normalises values in place. */
export function createScanOperations(parts: ScanParts): ScanOperations {
  const { client, indexes, throughput, pause, room, bounds = ORDERED_WALK } = parts;
  const orders = new IndexScanOrders();

  /** @returns undefined for a table, and for an index that is read in the order of its table */
  function orderOf(
    scan: Omit<IndexScan, 'index'>,
    readerFrom: (after: EncodedKey | undefined) => WalkReader,
    nowMs: number,
  ): PageSource | undefined {
    const { table, plan } = scan;
    const { index } = plan;
    if (index === undefined || orders.isLarge(table, plan)) return undefined;
    const goesOnBeyond = () => orders.goesOnBeyond(table, plan, nowMs);
    return indexOrder({ client, readerFrom, scan: { ...scan, index }, bounds, goesOnBeyond });
  }

  return {
    async scan(request, context, namespace) {
      const { nowMs } = context;
      const checked = checkScan(request);
      const found = indexes.tableFor(request, context, namespace);
      const table = found instanceof Promise ? await found : found;
      const plan = planScan(table, request, checked);
      checkSegment(client, table, plan);
      const from = readFromOf(request, context);
      const settle = throughput?.chargePage(table, plan.index);
      const readerFrom = (after: EncodedKey | undefined) =>
        new WalkReader(new TableWalk(client, table, { segment: plan.segment, after, from }), pause);
      const limit = request.Limit ?? Number.POSITIVE_INFINITY;
      const page = await inRoom(room, async () => {
        const wanted: WantedPage = { table, plan, limit, pause };
        const inOrder = orderOf({ table, plan, startKey: request.ExclusiveStartKey }, readerFrom, nowMs);
        const found = inOrder && (await readPage(inOrder, wanted));
        if (found?.last !== undefined) orders.ended(table, plan, nowMs);
        if (found !== undefined) return found;
        return readPage(new TableOrder(readerFrom(plan.after), table, plan.index), wanted);
      });
      if (page === undefined) throw new Error('a table was too large to be read in its own order');
      const units = unitsOf(page, plan, readConsistencyOf(request));
      settle?.(units);
      return responseOf(request, { table, plan }, page, units);
    },
  };
}

function checkSegment(client: DynamoClient, { storageId: table }: Table, { segment, after }: ScanPlan): void {
  if (segment === undefined || after === undefined) return;
  const index = client.segmentOf({ table, partitionKey: after.partitionKey }, segment.total);
  if (index !== segment.index) throw startOfOtherSegment({ index, total: segment.total });
}
