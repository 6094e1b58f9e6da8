import type { ItemImage } from '../../api/item.ts';
import { isCutShort } from '../../env/store.ts';
import type { RangeOutcome } from '../client.ts';
import type { NodeLimits } from '../node-settings.ts';
import { decodeItem } from '../record.ts';
import type { PageQuery } from './page-query.ts';
import { behind } from './range-read.ts';
import type { ReplicaRows } from './replica-rows.ts';

type Limits = Pick<NodeLimits, 'rangeEntries' | 'rangeSpareEntries'>;

/**
 * What `readRange` and `readLocalRange` would find by asking one replica alone, this one: within the call, without a
 * message, a task or a decoded record.
 *
 * @returns undefined if it takes more than one page, or this replica cannot read all that is in it: nothing is known then
 */
export function ownRange(
  rows: ReplicaRows,
  query: PageQuery,
  localIndex: number | undefined,
  { rangeEntries, rangeSpareEntries }: Limits,
): RangeOutcome | undefined {
  const { from, to, order, limit, bytesLimit } = query;
  const wanted = limit + rangeSpareEntries;
  if (wanted > rangeEntries) return undefined;
  const page = { from, to, order, limit: wanted, bytesLimit };
  return localIndex === undefined ? itemsOf(rows, page, limit) : localItemsOf(rows, page, limit);
}

function itemsOf(rows: ReplicaRows, page: PageQuery, limit: number): RangeOutcome | undefined {
  const entries = rows.committedIn(page);
  if (entries === undefined) return undefined;
  const items: ItemImage[] = [];
  let bytes = 0;
  for (const { value } of entries) {
    const item = decodeItem(value);
    if (item === undefined) continue;
    if (items.length === limit || bytes >= page.bytesLimit) return { kind: 'items', items, more: true };
    items.push(item);
    bytes += value.length;
  }
  if (!isCutShort(entries, page)) return { kind: 'items', items, more: false };
  // The page ends with tombstones: only what is behind it tells whether there are more items.
  if (bytes < page.bytesLimit) return undefined;
  const rest = behind(entries.at(-1)!.key, page, page.order);
  return { kind: 'items', items, more: rest.from < rest.to };
}

function localItemsOf(rows: ReplicaRows, page: PageQuery, limit: number): RangeOutcome | undefined {
  const found = rows.local.page(page, 'committed');
  if (found === undefined || found === 'crowded') return undefined;
  const items: ItemImage[] = [];
  let bytes = 0;
  for (const { committed } of found.entries) {
    // A record that cannot be read.
    if (committed?.item === undefined) return undefined;
    if (items.length === limit || bytes >= page.bytesLimit) return { kind: 'items', items, more: true };
    items.push(committed.item);
    bytes += committed.stored.length;
  }
  if (found.end === undefined) return { kind: 'items', items, more: false };
  if (items.length < limit && bytes < page.bytesLimit) return undefined;
  const rest = behind(found.end, page, page.order);
  return { kind: 'items', items, more: rest.from < rest.to };
}
