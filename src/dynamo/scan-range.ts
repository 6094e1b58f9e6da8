import type { ByteString } from '../api/primary-key.ts';
import { type HalfOpenRange, keyAfter, type StoreKey } from '../env/store.ts';
import type { ScanRequest, Segment } from './client.ts';
import {
  collectionPrefix,
  haveOverlap,
  localRows,
  partitionOf,
  rowsOfItems,
  sliceRange,
  tableRange,
} from './keyspace.ts';

/**
 * What a page of a walk through a table reads from.
 * @param partitions Q
 * @returns `range` undefined: nothing is left of the table, or the segment, in that partition
 */
export function scanRange(
  { table, start, segment, localIndex }: ScanRequest,
  partitions: number,
): { readonly partition: number; readonly range: HalfOpenRange | undefined } {
  const placed = (prefix: StoreKey) => (localIndex === undefined ? prefix : localRows(prefix, localIndex));
  const last =
    start.kind === 'after'
      ? placed(collectionPrefix(table, start.partitionKey, partitions)) + start.sortKey
      : undefined;
  const partition = last === undefined ? (start as { partition: number }).partition : partitionOf(last);
  const items = segmentRange(partition, { table, segment, partitions });
  const all = items && localIndex !== undefined ? rowsOfItems(items, localIndex) : items;
  const from = last === undefined ? all?.from : keyAfter(last);
  if (all === undefined || from === undefined || from >= all.to) return { partition, range: undefined };
  return { partition, range: { from, to: all.to } };
}

interface SegmentOfTable {
  readonly table: ByteString;
  readonly segment: Segment | undefined;
  readonly partitions: number;
}

/** @returns undefined if the partition and the segment have no key in common */
function segmentRange(partition: number, { table, segment, partitions }: SegmentOfTable): HalfOpenRange | undefined {
  if (segment === undefined) return tableRange(partition, table);
  const { index, total } = segment;
  return haveOverlap(partition, partitions, index, total) ? sliceRange(partition, table, index, total) : undefined;
}
