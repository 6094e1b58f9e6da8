import type { AttributeMap } from '../api/attribute-value.ts';
import {
  type ConsumedCapacity,
  type PageUnits,
  pageCapacity,
  readUnits,
  wantsCapacity,
} from '../api/consumed-capacity.ts';
import { evaluateCondition } from '../api/expression/condition.ts';
import { applyProjection } from '../api/expression/projection.ts';
import { indexEntry } from '../api/index-entry.ts';
import { sizeOf } from '../api/item.ts';
import { RawJson, type RequestContext, type ScanRequest } from '../api/operations.ts';
import { MAX_PAGE_BYTES, pageBytes } from '../api/page-size.ts';
import { checkScan, placeKeys, planScan, type ScanPlan, startOfOtherSegment } from '../api/scan-rules.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import { FIRST_SCAN_ITEMS, MOST_SCAN_ITEMS } from './limits.ts';
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
 */
export function createScanOperations(
  client: DynamoClient,
  catalog: TableCatalog,
  throughput?: ThroughputGate,
): ScanOperations {
  return {
    async scan(request, { isLagging, nowMs }, namespace) {
      const checked = checkScan(request);
      const table =
        catalog.cached(namespace, request.TableName) ?? (await catalog.get(namespace, request.TableName, nowMs));
      const plan = planScan(table, request, checked);
      checkSegment(client, table, plan);
      const consistent = request.ConsistentRead === true;
      const settle = throughput?.chargePage(table, plan.index);
      const walk = new TableWalk(client, table, { segment: plan.segment, after: plan.after, consistent, isLagging });
      const page = await readPage(walk, table, plan, request.Limit ?? Number.POSITIVE_INFINITY);
      const units = unitsOf(page, plan, consistent);
      settle?.(units);
      return responseOf(request, table, plan, page, units);
    },
  };
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

/** Of each item it keeps what is answered and no more: an index has small entries of large items. */
async function readPage(walk: TableWalk, table: Table, plan: ScanPlan, limit: number): Promise<Page> {
  const { index, filter, isCount, isFetching } = plan;
  const page = {
    items: [] as (RawJson | AttributeMap)[],
    count: 0,
    scanned: 0,
    bytes: 0,
    fetchedSizes: [] as number[],
  };
  let bytesLeft = MAX_PAGE_BYTES;
  let extraBytes = 0;
  let walked = 0;
  let walkedBytes = 0;
  while (true) {
    const atOnce = index === undefined ? limit - page.scanned : MOST_SCAN_ITEMS;
    const items = await walk.read(Math.min(atOnce, itemsWithin(bytesLeft, walked, walkedBytes)));
    if (items === undefined) return { ...page, last: undefined };
    for (const stored of items) {
      const { size } = stored.image;
      walked++;
      walkedBytes += size;
      const entry = index && indexEntry(table, index, stored.attributes);
      if (index !== undefined && entry === undefined) continue;
      page.scanned++;
      const bytes = entry === undefined ? size : sizeOf(entry);
      page.bytes += bytes;
      bytesLeft -= pageBytes(bytes);
      extraBytes += pageBytes(bytes) - bytes;
      if (filter === undefined || evaluateCondition(filter, entry ?? stored.attributes)) {
        page.count++;
        if (!isCount) page.items.push(answered(stored, entry, plan));
        if (isFetching) {
          page.fetchedSizes.push(size);
          bytesLeft -= size;
        }
      }
      // A page that is full is recorded with 128.5 units always, of items of all sizes (F. Pachot, "DynamoDB Scan (and why
      // 128.5 RCU?)"): so what made it full is what it consumes.
      if (bytesLeft < 0) return { ...page, bytes: page.bytes + extraBytes, last: stored.attributes };
      if (page.scanned === limit) return { ...page, last: stored.attributes };
    }
  }
}

/** About so many as have these bytes, if the next ones are like the ones before. */
function itemsWithin(bytes: number, walked: number, walkedBytes: number): number {
  if (walked === 0) return FIRST_SCAN_ITEMS;
  return Math.min(MOST_SCAN_ITEMS, Math.floor(Math.max(0, bytes) / (walkedBytes / walked)) + 1);
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
    const place = placeKeys(table, plan.index).map(({ name }) => [name, last[name]!]);
    response.LastEvaluatedKey = Object.fromEntries(place);
  }
  const level = request.ReturnConsumedCapacity;
  if (wantsCapacity(level)) response.ConsumedCapacity = pageCapacity(level, request.TableName, units, plan.index);
  return response;
}

/** Stored bytes where the whole item is asked for. */
function answered(
  stored: StoredItem,
  entry: AttributeMap | undefined,
  { index, projection, isFetching }: ScanPlan,
): RawJson | AttributeMap {
  const isWhole = index === undefined || isFetching || index.projection.ProjectionType === 'ALL';
  if (projection !== undefined) return applyProjection(projection, isWhole ? stored.attributes : entry!);
  return isWhole ? new RawJson(stored.image.json) : entry!;
}
