import { isoTime } from '../api/iso-time.ts';
import type { StoreKey } from '../env/store.ts';
import type { StoredRows } from '../env/stored-rows.ts';
import { type StoredVersion, versionOf } from './stored-version.ts';

/** Bytes of a hint's value before the record: when it was kept (docs/data-layout.md). */
const KEPT_BYTES = 8;

/** The copies of an item on one node. */
export interface ItemCopies {
  readonly node: string;
  /** Whether the node votes in the item's partition. */
  readonly isVoter: boolean;
  readonly committed: StoredVersion | undefined;
  readonly accepted: StoredVersion | undefined;
  /** Hints that it keeps for other nodes. */
  readonly hints: readonly { readonly home: string; readonly kept: string; readonly version: StoredVersion }[];
  /** Whether the key is damaged on this node and not restored yet: the node has no vote on it. */
  readonly isDamaged: boolean;
}

export function copiesOf(node: string, rows: StoredRows, key: StoreKey): ItemCopies {
  const version = (name: 'items' | 'paxos') => {
    const row = rows.get(name, key);
    return row === undefined ? undefined : versionOf(row);
  };
  const hints = [...rows.rows('hints')]
    .filter((row) => row.key.slice(row.key.indexOf('\0') + 1) === key)
    .map((row) => {
      const home = row.key.slice(0, row.key.indexOf('\0'));
      // A damaged value is empty.
      if (row.value.length < KEPT_BYTES) return { home, kept: 'unknown', version: versionOf(row) };
      const kept = isoTime(Buffer.from(row.value).readDoubleBE(0));
      return { home, kept, version: versionOf({ ...row, value: row.value.subarray(KEPT_BYTES) }) };
    });
  return {
    node,
    isVoter: rows.get('meta', `vote/${key.slice(0, 2)}`) !== undefined,
    committed: version('items'),
    accepted: version('paxos'),
    hints,
    isDamaged: rows.get('meta', `damaged/${key}`) !== undefined,
  };
}
