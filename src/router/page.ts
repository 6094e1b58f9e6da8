import type { AttributeMap } from '../api/attribute-value.ts';
import {
  type ConsumedCapacity,
  type PageUnits,
  pageCapacity,
  type ReadConsistency,
  readUnits,
  wantsCapacity,
} from '../api/consumed-capacity.ts';
import { isReadStored } from '../api/derivation.ts';
import { evaluateCondition } from '../api/expression/condition.ts';
import { namesIn } from '../api/expression/key-paths.ts';
import { projector } from '../api/expression/projection.ts';
import { indexEntry } from '../api/index-entry.ts';
import { PartReader } from '../api/item-part.ts';
import { RawJson, type ReturnConsumedCapacity } from '../api/operations.ts';
import { isWhole, type PagePlan, placeKeys } from '../api/page-rules.ts';
import { MAX_PAGE_BYTES, pageBytes } from '../api/page-size.ts';
import type { SecondaryIndex, Table } from '../api/table-definition.ts';
import { type Found, PARSED_AT_ONCE_BYTES, type PageSource, type Pause } from './page-source.ts';
import type { ReadRoom } from './read-room.ts';
import type { StoredItem } from './stored-item.ts';

/** The answer of a Scan or a Query. */
export interface PageResponse {
  Items?: readonly (RawJson | AttributeMap)[];
  Count: number;
  ScannedCount: number;
  LastEvaluatedKey?: AttributeMap;
  ConsumedCapacity?: ConsumedCapacity;
}

/** Reads a page when it is its turn, so that all pages under way together hold a bounded number of bytes. */
export async function inRoom(room: ReadRoom, read: () => Promise<Page | undefined>): Promise<Page | undefined> {
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
    const ended = room.end(request);
    if (ended !== undefined) await ended;
  }
}

export interface WantedPage {
  readonly table: Table;
  readonly plan: PagePlan;
  /** The index whose entries are made of the items that are read. Undefined: what is read is what the page looks at. */
  readonly entriesOf: SecondaryIndex | undefined;
  /** At most so many items or entries are looked at. */
  readonly limit: number;
  readonly pause: Pause;
}

/** The index of a page, if its entries are made of the items that are read. */
export function entriesToMake(table: Table, index: SecondaryIndex | undefined): SecondaryIndex | undefined {
  if (index === undefined || !isReadStored(table, index)) return index;
  // A local index is read as items, which are its entries if it projects all.
  return index.kind === 'global' || index.projection.ProjectionType === 'ALL' ? undefined : index;
}

/** What was read for one answer. */
export interface Page {
  /** The items that passed the filter, in the form of the answer; none if the request wants only counts. */
  readonly items: readonly (RawJson | AttributeMap)[];
  /** How many passed the filter. */
  readonly count: number;
  readonly scanned: number;
  /** The size of everything that was looked at, which is what the request pays for. */
  readonly bytes: number;
  /** Sizes of the items that were fetched to complete entries of an index. */
  readonly fetchedSizes: readonly number[];
  /** The next page begins behind this; undefined if there is none. */
  readonly last: AttributeMap | undefined;
}

/**
 * Keeps no more of each item than the answer needs: an index may have small entries of large items.
 * @returns undefined if the page is to be read from another source
 */
export async function readPage(
  source: PageSource,
  { table, plan, entriesOf, limit, pause }: WantedPage,
): Promise<Page | undefined> {
  const { filter, isCount, isFetching } = plan;
  const areWhole = entriesOf === undefined || isWhole(plan);
  const project = plan.projection && projector(plan.projection);
  const filtered = filter && new PartReader(namesIn(filter));
  const page = {
    items: [] as (RawJson | AttributeMap)[],
    count: 0,
    scanned: 0,
    bytes: 0,
    fetchedSizes: [] as number[],
    last: undefined as AttributeMap | undefined,
  };
  let bytesLeft = MAX_PAGE_BYTES;
  let extraBytes = 0;
  let parsed = 0;
  let last: Found | undefined;
  while (true) {
    const found = await source.next(bytesLeft, limit - page.scanned);
    if (found === undefined) return page;
    if (found === 'beyond') return undefined;
    if (found === 'cut') {
      page.last = last && attributesOf(last);
      return page;
    }
    for (const { stored, entry: known, bytes } of found) {
      const entry = known ?? (entriesOf && indexEntry(table, entriesOf, stored!.attributes)!);
      page.scanned++;
      page.bytes += bytes;
      const counted = pageBytes(bytes);
      bytesLeft -= counted;
      extraBytes += counted - bytes;
      if (filter !== undefined || project !== undefined) {
        parsed += stored?.image.json.length ?? bytes;
        if (parsed > PARSED_AT_ONCE_BYTES) {
          parsed = 0;
          await pause();
        }
      }
      // Items are fetched before they are filtered: a filter changes nothing of what a Query consumes, and it sees what
      // is answered (developer guide, "Filter expressions for the Query operation": applied after the Query finishes).
      if (isFetching) {
        const { size } = stored!.image;
        page.fetchedSizes.push(size);
        bytesLeft -= size;
      }
      const seen = isFetching ? undefined : entry;
      if (filter === undefined || evaluateCondition(filter, seen ?? stored!.part(filtered!))) {
        page.count++;
        if (!isCount) page.items.push(answered(stored, areWhole ? undefined : entry, project));
      }
      // Recordings show 128.5 units for every full page, whatever the size of its items (F. Pachot, "DynamoDB Scan (and
      // why 128.5 RCU?)"). So a full page consumes the bytes that filled it, overhead included.
      if (bytesLeft < 0) page.bytes += extraBytes;
      if (bytesLeft < 0 || page.scanned === limit) {
        page.last = entry ?? stored!.attributes;
        return page;
      }
    }
    if (source.isOver) return page;
    // Not the attributes: only the last item of a page has to be parsed.
    last = found.at(-1);
  }
}

function attributesOf({ stored, entry }: Found): AttributeMap {
  return entry ?? stored!.attributes;
}

/** What a page consumes. */
export function unitsOf({ bytes, fetchedSizes }: Page, { index }: PagePlan, consistency: ReadConsistency): PageUnits {
  const units = readUnits(bytes, consistency);
  if (index === undefined) return { table: units, index: 0 };
  return { table: fetchedSizes.reduce((sum, size) => sum + readUnits(size, consistency), 0), index: units };
}

/** The part of a request that says what its answer tells. */
interface PageRequest {
  readonly TableName: string;
  readonly ReturnConsumedCapacity?: ReturnConsumedCapacity;
}

export function responseOf(
  request: PageRequest,
  { table, plan }: Pick<WantedPage, 'table' | 'plan'>,
  { items, count, scanned, last }: Page,
  units: PageUnits,
): PageResponse {
  const response: PageResponse = { Count: count, ScannedCount: scanned };
  if (!plan.isCount) response.Items = items;
  if (last !== undefined) {
    response.LastEvaluatedKey = placeIn(table, plan, last);
  }
  const level = request.ReturnConsumedCapacity;
  if (wantsCapacity(level)) response.ConsumedCapacity = pageCapacity(level, request.TableName, units, plan.index);
  return response;
}

/** The attributes that name a place in the table or index: the key of an item or an entry. */
function placeIn(table: Table, { index }: PagePlan, attributes: AttributeMap): AttributeMap {
  return Object.fromEntries(placeKeys(table, index).map(({ name }) => [name, attributes[name]!]));
}

/**
 * The answer has the stored bytes where the whole item is wanted. @param entry undefined: the item itself is answered
 */
function answered(
  stored: StoredItem | undefined,
  entry: AttributeMap | undefined,
  project: ((item: AttributeMap) => AttributeMap) | undefined,
): RawJson | AttributeMap {
  if (project !== undefined) return project(entry ?? stored!.attributes);
  return entry ?? new RawJson(stored!.image.json);
}
