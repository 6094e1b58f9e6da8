import type { AttributeMap } from '../api/attribute-value.ts';
import { readConsistencyOf } from '../api/consumed-capacity.ts';
import type { Departure } from '../api/departure.ts';
import { isReadStored } from '../api/derivation.ts';
import type { RequestContext, ScanRequest } from '../api/operations.ts';
import type { EncodedKey } from '../api/primary-key.ts';
import { type CheckedScan, checkScan, planScan, type ScanPlan, startOfOtherSegment } from '../api/scan-rules.ts';
import type { SecondaryIndex, Table } from '../api/table-definition.ts';
import type { DynamoClient, ReadFrom } from '../dynamo/client.ts';
import type { IndexBuilder } from './index-builder.ts';
import { globalOrder, type WalkBounds } from './index-order.ts';
import { IndexScanOrders } from './index-scan-orders.ts';
import type { ItemParts, OnTable } from './item-operations.ts';
import {
  entriesToMake,
  inRoom,
  type Page,
  type PageResponse,
  readPage,
  responseOf,
  unitsOf,
  type WantedPage,
} from './page.ts';
import { type Pause, WalkOrder, WalkReader } from './page-source.ts';
import { readFromOf } from './read-from.ts';
import type { ReadRoom } from './read-room.ts';
import { ORDERED_WALK } from './router-limits.ts';
import { TableWalk } from './table-walk.ts';

export interface ScanOperations {
  scan(request: ScanRequest, context: RequestContext, namespace: string): Promise<PageResponse>;
  /** What Scan does when it knows the table. Statements begin here. */
  scanTable(on: OnTable<ScanRequest>, checked: CheckedScan): Promise<PageResponse>;
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

  /** The pages of a table, and of an index that the nodes keep. */
  function storedPage({ table, plan, from, departure }: CheckedRequest, wanted: WantedPage): Promise<Page | undefined> {
    const { entriesOf } = wanted;
    const walk = new TableWalk(client, table, { ...plan, from, departure });
    return readPage(new WalkOrder(new WalkReader(walk, pause), { table, entriesOf, isSparse: false }), wanted);
  }

  /** The pages of an index that the nodes do not keep: each takes a walk through its table. */
  async function computedPage(scan: CheckedRequest, index: SecondaryIndex, wanted: WantedPage): Promise<Page> {
    const { table, plan, from, departure, startKey, nowMs } = scan;
    const readerFrom = (after: EncodedKey | undefined) =>
      new WalkReader(new TableWalk(client, table, { segment: plan.segment, after, from, departure }), pause);
    if (!orders.isLarge(table, plan)) {
      const goesOnBeyond = () => orders.goesOnBeyond(table, plan, nowMs);
      const inOrder = globalOrder({
        client,
        reader: readerFrom(undefined),
        scan: { table, index, plan, startKey },
        bounds,
        goesOnBeyond,
      });
      const found = await readPage(inOrder, wanted);
      if (found?.last !== undefined) orders.ended(table, plan, nowMs);
      if (found !== undefined) return found;
    }
    const page = await readPage(
      new WalkOrder(readerFrom(plan.after), { table, entriesOf: index, isSparse: true }),
      wanted,
    );
    if (page === undefined) throw new Error('a table was too large to be read in its own order');
    return page;
  }

  const operations: ScanOperations = {
    async scan(request, context, namespace) {
      const checked = checkScan(request);
      const found = indexes.tableFor(request, context, namespace);
      const table = found instanceof Promise ? await found : found;
      return operations.scanTable({ table, request, context }, checked);
    },

    async scanTable({ table, request, context }, checked) {
      const plan = planScan(table, request, checked);
      checkSegment(client, table, plan);
      const settle = throughput?.chargePage(table, plan.index);
      const limit = request.Limit ?? Number.POSITIVE_INFINITY;
      const from = readFromOf(request, context);
      const { nowMs, departure } = context;
      const scan: CheckedRequest = { table, plan, from, departure, startKey: request.ExclusiveStartKey, nowMs };
      const wanted: WantedPage = { table, plan, entriesOf: entriesToMake(table, plan.index), limit, pause };
      const { index } = plan;
      const page = await inRoom(room, () =>
        index === undefined || isReadStored(table, index)
          ? storedPage(scan, wanted)
          : computedPage(scan, index, wanted),
      );
      if (page === undefined) throw new Error('what the nodes keep has no other order');
      const units = unitsOf(page, plan, readConsistencyOf(request));
      settle?.(units);
      return responseOf(request, { table, plan }, page, units);
    },
  };
  return operations;
}

interface CheckedRequest {
  readonly table: Table;
  readonly plan: ScanPlan;
  readonly from: ReadFrom;
  readonly departure: Departure | undefined;
  readonly startKey: AttributeMap | undefined;
  readonly nowMs: number;
}

function checkSegment(client: DynamoClient, { storageId: table }: Table, { segment, after }: ScanPlan): void {
  if (segment === undefined || after === undefined) return;
  const index = client.segmentOf({ table, partitionKey: after.partitionKey }, segment.total);
  if (index !== segment.index) throw startOfOtherSegment({ index, total: segment.total });
}
