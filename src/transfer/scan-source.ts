import type { AttributeMap } from '../api/attribute-value.ts';
import { keyIn } from './copied-definition.ts';
import type { Connection } from './endpoint-connection.ts';
import { newSegments, type SegmentState, scanPages } from './scan-pages.ts';
import type { Source } from './source.ts';
import type { FoundTable } from './tables.ts';
import { putOf } from './write-of.ts';
import type { Entry } from './write-queue.ts';

/** An item of a page, or the end of the page. */
type ScanPlace =
  | { readonly kind: 'item'; readonly key: string; readonly json: string }
  | { readonly kind: 'page'; readonly segment: number; readonly state: SegmentState };

/** A table that is read by a parallel Scan. */
interface ScanInput {
  readonly connection: Connection;
  readonly from: FoundTable;
  /** The number of parallel segments. */
  readonly segments: number;
  readonly isConsistent: boolean;
}

/** @param position where an earlier run ended, as its `position()` returned it */
export function scanSource(
  { connection, from, segments, isConsistent }: ScanInput,
  position: readonly SegmentState[] = newSegments(segments),
): Source<ScanPlace> {
  const scan = { connection, table: from.name, isConsistent };
  const states = [...position];
  const total = from.description.ItemCount ?? 0;
  let read = 0;
  return {
    async *entries(table) {
      for await (const { segment, items, state } of scanPages(scan, position)) {
        read += items.length;
        const page: ScanPlace = { kind: 'page', segment, state };
        yield [...items.map((item) => itemEntry(table, item)), { place: page, bytes: 0, work: { kind: 'done' } }];
      }
    },
    passed: (place) => {
      if (place.kind === 'page') states[place.segment] = place.state;
    },
    position: () => [...states],
    nameOf: (place) => `${from.name}, item ${place.kind === 'item' ? place.key : ''}`,
    rawOf: (place) => (place.kind === 'item' ? `{"Item":${place.json}}` : ''),
    // The service updates ItemCount about every six hours; an emulator may never do so.
    share: () => (total >= read && total > 0 ? read / total : undefined),
  };
}

function itemEntry(table: FoundTable, item: AttributeMap): Entry<ScanPlace> {
  const json = JSON.stringify(item);
  const place: ScanPlace = { kind: 'item', key: JSON.stringify(keyIn(table.key, item)), json };
  return { place, bytes: 2 * json.length, work: putOf(table, item, json) };
}
