import type { HalfOpenRange, KeyOrder } from '../../env/store.ts';

/** Which page of a range is asked for: its first `limit` entries in this order, and fewer once they have so many bytes. */
export interface PageQuery extends HalfOpenRange {
  readonly order: KeyOrder;
  readonly limit: number;
  readonly bytesLimit: number;
}
