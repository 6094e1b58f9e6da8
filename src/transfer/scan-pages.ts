import type { AttributeMap } from '../api/attribute-value.ts';
import type { Connection } from './endpoint-connection.ts';

/** The progress of one segment of a parallel Scan. */
export interface SegmentState {
  /** The `LastEvaluatedKey` of its last page; undefined before the first. */
  readonly after?: AttributeMap;
  readonly isDone: boolean;
}

export interface Page {
  readonly segment: number;
  readonly items: readonly AttributeMap[];
  /** The segment's state when these items are dealt with. */
  readonly state: SegmentState;
}

/** What is scanned, and how. */
export interface TableScan {
  readonly connection: Connection;
  readonly table: string;
  readonly isConsistent: boolean;
}

export function newSegments(count: number): SegmentState[] {
  return Array.from({ length: count }, () => ({ isDone: false }));
}

/**
 * Reads a table by a parallel Scan. Each segment begins at its state; pages of different segments come in any order.
 * One page of each segment is read ahead.
 * @throws TransferError
 */
export async function* scanPages(scan: TableScan, segments: readonly SegmentState[]): AsyncGenerator<Page> {
  const under = new Map<number, Promise<Page>>();
  const begin = (segment: number, state: SegmentState) => {
    if (state.isDone) return;
    const page = readPage(scan, { segment, segments: segments.length, after: state.after });
    // Awaited below. Without this, a page that fails while the caller works on another one would be an unhandled
    // rejection.
    page.catch(() => {});
    under.set(segment, page);
  };
  for (const [segment, state] of segments.entries()) begin(segment, state);
  while (under.size > 0) {
    const page = await Promise.race(under.values());
    under.delete(page.segment);
    begin(page.segment, page.state);
    yield page;
  }
}

interface PageRequest {
  readonly segment: number;
  /** The number of segments. */
  readonly segments: number;
  readonly after: AttributeMap | undefined;
}

async function readPage(
  { connection, table, isConsistent }: TableScan,
  { segment, segments, after }: PageRequest,
): Promise<Page> {
  const request = {
    TableName: table,
    ...(segments > 1 && { Segment: segment, TotalSegments: segments }),
    ...(after && { ExclusiveStartKey: after }),
    ConsistentRead: isConsistent,
  };
  type Answer = { Items?: AttributeMap[]; LastEvaluatedKey?: AttributeMap };
  const { Items, LastEvaluatedKey } = await connection.ask<Answer>('Scan', request);
  const state = LastEvaluatedKey === undefined ? { isDone: true } : { after: LastEvaluatedKey, isDone: false };
  return { segment, items: Items ?? [], state };
}
