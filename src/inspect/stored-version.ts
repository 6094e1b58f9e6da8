import { isoTime } from '../api/iso-time.ts';
import { consistencyOf, TICKS_PER_MS } from '../dynamo/ballot.ts';
import { decodeRecord } from '../dynamo/record.ts';
import { DAMAGED } from '../env/store.ts';
import type { StoredRow } from '../env/stored-rows.ts';

/** One version of an item on a node. */
export type StoredVersion =
  | { readonly kind: 'damaged'; readonly place: StoredRow['place'] }
  | {
      readonly kind: 'item' | 'tombstone';
      readonly place: StoredRow['place'];
      /** The time of its ballot. */
      readonly time: string;
      /** The ballot in full: hybrid logical time in ticks of 1/1024 ms, the coordinator's disk, and its boot. */
      readonly ballot: { readonly hlc: number; readonly coordinator: number; readonly boot: number };
      /** The mode in which it was written. */
      readonly consistency: 'strict' | 'dynamo';
      /** The number of operations in its lineage. */
      readonly lineage: number;
      /** By DynamoDB's rules; undefined for a tombstone. */
      readonly size: number | undefined;
      /** DynamoDB JSON. */
      readonly item: unknown;
    };

export function versionOf({ value, place }: StoredRow): StoredVersion {
  if (value === DAMAGED) return { kind: 'damaged', place };
  const { ballot, item, lineage } = decodeRecord(value);
  return {
    kind: item === undefined ? 'tombstone' : 'item',
    place,
    time: timeOf(ballot.hlc),
    ballot,
    consistency: consistencyOf(ballot),
    lineage: lineage.length,
    size: item?.size,
    item: item === undefined ? undefined : JSON.parse(Buffer.from(item.json).toString()),
  };
}

/** @param hlc ticks */
export function timeOf(hlc: number): string {
  return isoTime(hlc / TICKS_PER_MS);
}
