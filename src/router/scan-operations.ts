import type { AttributeMap } from '../api/attribute-value.ts';
import {
  type ConsumedCapacity,
  type PageUnits,
  pageCapacity,
  readUnits,
  wantsCapacity,
} from '../api/consumed-capacity.ts';
import { evaluateCondition } from '../api/expression/condition.ts';
import { projector } from '../api/expression/projection.ts';
import { indexEntry } from '../api/index-entry.ts';
import { RawJson, type RequestContext, type ScanRequest } from '../api/operations.ts';
import { MAX_PAGE_BYTES, pageBytes } from '../api/page-size.ts';
import type { EncodedKey } from '../api/primary-key.ts';
import { checkScan, isWhole, placeKeys, planScan, type ScanPlan, startOfOtherSegment } from '../api/scan-rules.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import { indexOrder, type WalkBounds } from './index-order.ts';
import { IndexScanOrders } from './index-scan-orders.ts';
import { type Found, type PageSource, type Pause, TableOrder, WalkReader } from './page-source.ts';
import { readFromOf } from './read-from.ts';
import { ReadRoom } from './read-room.ts';
import { ORDERED_WALK } from './router-limits.ts';
import type { TableCatalog } from './table-catalog.ts';
import { type StoredItem, TableWalk } from './table-walk.ts';
import type { ThroughputGate } from './throughput.ts';

export interface ScanResponse {
  Items?: readonly (RawJson | AttributeMap)[];
  Count: number;
  ScannedCount: number;
  LastEvaluatedKey?: AttributeMap;
  ConsumedCapacity?: ConsumedCapacity;
}

export interface ScanOperations {
  scan(request: ScanRequest, context: RequestContext, namespace: string): Promise<ScanResponse>;
}

/**
 * Scan. The values of requests are normalised in place.
 * @param throughput undefined: without limits
 * @param pause gives up the event loop until others have had their turn
 * @param room for a page
 * @param bounds of the walk that a page of an index may take to be in its order
 */
export function createScanOperations(
  client: DynamoClient,
  catalog: TableCatalog,
  throughput?: ThroughputGate,
  pause: Pause = async () => {},
  room = new ReadRoom(pause),
  bounds: WalkBounds = ORDERED_WALK,
): ScanOperations {
  const orders = new IndexScanOrders();

  /** @returns undefined for a table, and for an index that is read in the order of its table */
  function orderOf(
    table: Table,
    plan: ScanPlan,
    { ExclusiveStartKey: startKey }: ScanRequest,
    readerFrom: (after: EncodedKey | undefined) => WalkReader,
    nowMs: number,
  ): PageSource | undefined {
    const { index } = plan;
    if (index === undefined || orders.isLarge(table, plan)) return undefined;
    const goesOnBeyond = () => orders.goesOnBeyond(table, plan, nowMs);
    return indexOrder(client, readerFrom, { table, index, plan, startKey }, bounds, goesOnBeyond);
  }

  return {
    async scan(request, context, namespace) {
      const { nowMs } = context;
      const checked = checkScan(request);
      const table =
        catalog.cached(namespace, request.TableName) ?? (await catalog.get(namespace, request.TableName, nowMs));
      const plan = planScan(table, request, checked);
      checkSegment(client, table, plan);
      const from = readFromOf(request, context);
      const settle = throughput?.chargePage(table, plan.index);
      const readerFrom = (after: EncodedKey | undefined) =>
        new WalkReader(new TableWalk(client, table, { segment: plan.segment, after, from }), pause);
      const limit = request.Limit ?? Number.POSITIVE_INFINITY;
      const page = await inRoom(room, async () => {
        const inOrder = orderOf(table, plan, request, readerFrom, nowMs);
        const found = inOrder && (await readPage(inOrder, table, plan, limit, pause));
        if (found?.last !== undefined) orders.ended(table, plan, nowMs);
        if (found !== undefined) return found;
        return readPage(new TableOrder(readerFrom(plan.after), table, plan.index), table, plan, limit, pause);
      });
      if (page === undefined) throw new Error('a table was too large to be read in its own order');
      const units = unitsOf(page, plan, request.ConsistentRead === true);
      settle?.(units);
      return responseOf(request, table, plan, page, units);
    },
  };
}

async function inRoom(room: ReadRoom, read: () => Promise<Page | undefined>): Promise<Page | undefined> {
  const request = room.begin();
  const turn = room.take(request);
  if (turn !== undefined) await turn;
  let bytes = 0;
  try {
    const page = await read();
    bytes = page?.bytes ?? 0;
    return page;
  } finally {
    room.give(request, bytes);
    await room.end(request);
  }
}

function checkSegment(client: DynamoClient, { storageId: table }: Table, { segment, after }: ScanPlan): void {
  if (segment === undefined || after === undefined) return;
  const index = client.segmentOf({ table, partitionKey: after.partitionKey }, segment.total);
  if (index !== segment.index) throw startOfOtherSegment({ index, total: segment.total });
}

/** What was looked at for one answer. */
interface Page {
  /** Those that the filter let through, as they are answered; none if counts alone are. */
  readonly items: readonly (RawJson | AttributeMap)[];
  /** Of those that the filter let through. */
  readonly count: number;
  readonly scanned: number;
  /** What is paid for: of all that was looked at. */
  readonly bytes: number;
  /** Sizes of the items that completed entries of an index. */
  readonly fetchedSizes: readonly number[];
  /** Where the next page begins; undefined if there is none. */
  readonly last: AttributeMap | undefined;
}

/** A filter of hundreds of operators takes some milliseconds for these. */
const FILTERED_AT_ONCE_BYTES = 64 * 1024;

/**
 * Of each item it keeps what is answered and no more: an index has small entries of large items.
 * @returns undefined if the page is to be read from another source
 */
async function readPage(
  source: PageSource,
  table: Table,
  plan: ScanPlan,
  limit: number,
  pause: Pause,
): Promise<Page | undefined> {
  const { index, filter, isCount, isFetching } = plan;
  const areWhole = isWhole(plan);
  const project = plan.projection && projector(plan.projection);
  const page = {
    items: [] as (RawJson | AttributeMap)[],
    count: 0,
    scanned: 0,
    bytes: 0,
    fetchedSizes: [] as number[],
  };
  let bytesLeft = MAX_PAGE_BYTES;
  let extraBytes = 0;
  let filtered = 0;
  let last: Found | undefined;
  while (true) {
    const found = await source.next(bytesLeft, limit - page.scanned);
    if (found === 'end') return { ...page, last: undefined };
    if (found === 'cut') return { ...page, last: last && attributesOf(last) };
    if (found === 'beyond') return undefined;
    for (const { stored, entry: known, bytes } of found) {
      const entry = known ?? (index && indexEntry(table, index, stored!.attributes)!);
      page.scanned++;
      page.bytes += bytes;
      const counted = pageBytes(bytes);
      bytesLeft -= counted;
      extraBytes += counted - bytes;
      if (filter !== undefined) {
        filtered += bytes;
        if (filtered > FILTERED_AT_ONCE_BYTES) {
          filtered = 0;
          await pause();
        }
      }
      if (filter === undefined || evaluateCondition(filter, entry ?? stored!.attributes)) {
        page.count++;
        if (!isCount) page.items.push(answered(stored, areWhole ? undefined : entry, project));
        if (isFetching) {
          const { size } = stored!.image;
          page.fetchedSizes.push(size);
          bytesLeft -= size;
        }
      }
      // A page that is full is recorded with 128.5 units always, of items of all sizes (F. Pachot, "DynamoDB Scan (and why
      // 128.5 RCU?)"): so what made it full is what it consumes.
      if (bytesLeft < 0) page.bytes += extraBytes;
      if (bytesLeft < 0 || page.scanned === limit) return { ...page, last: entry ?? stored!.attributes };
    }
    // Not its attributes, which would have to be parsed.
    last = found.at(-1);
  }
}

function attributesOf({ stored, entry }: Found): AttributeMap {
  return entry ?? stored!.attributes;
}

function unitsOf({ bytes, fetchedSizes }: Page, { index }: ScanPlan, consistent: boolean): PageUnits {
  const units = readUnits(bytes, consistent);
  if (index === undefined) return { table: units, index: 0 };
  return { table: fetchedSizes.reduce((sum, size) => sum + readUnits(size, consistent), 0), index: units };
}

function responseOf(
  request: ScanRequest,
  table: Table,
  plan: ScanPlan,
  { items, count, scanned, last }: Page,
  units: PageUnits,
): ScanResponse {
  const response: ScanResponse = { Count: count, ScannedCount: scanned };
  if (!plan.isCount) response.Items = items;
  if (last !== undefined) {
    response.LastEvaluatedKey = placeIn(table, plan, last);
  }
  const level = request.ReturnConsumedCapacity;
  if (wantsCapacity(level)) response.ConsumedCapacity = pageCapacity(level, request.TableName, units, plan.index);
  return response;
}

/** What names a place in what is read: the key of an item or an entry. */
function placeIn(table: Table, { index }: ScanPlan, attributes: AttributeMap): AttributeMap {
  return Object.fromEntries(placeKeys(table, index).map(({ name }) => [name, attributes[name]!]));
}

/** Stored bytes where the whole item is asked for. @param entry undefined: the item is what is answered */
function answered(
  stored: StoredItem | undefined,
  entry: AttributeMap | undefined,
  project: ((item: AttributeMap) => AttributeMap) | undefined,
): RawJson | AttributeMap {
  if (project !== undefined) return project(entry ?? stored!.attributes);
  return entry ?? new RawJson(stored!.image.json);
}
