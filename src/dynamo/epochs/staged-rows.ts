import { keyAfter, type Store, type StoreKey } from '../../env/store.ts';
import { assertInvariant } from '../invariants.ts';
import { partitionPrefix, prefixEnd } from '../keyspace.ts';
import type { PartitionConfig } from '../messages.ts';
import { decodeRecord, type ItemRecord } from '../record.ts';
import type { AcceptedRecord } from '../registers/replica-rows.ts';
import { readState, whole, writeState } from '../state-rows.ts';

/*
 * The rows of `meta` in which a node keeps what it has staged for the next epoch of a partition: the accepted records
 * with which that epoch begins, and the attempt at an epoch change that they belong to.
 */

/** Before the partition: the attempt. Before a store key: a record. */
const ATTEMPT = 'staged-attempt/';
const RECORD = 'staged/';

/** Rows read or removed at a time. */
const PAGE = 256;

interface StagedAttempt {
  readonly attempt: number;
  readonly epoch: number;
}

/**
 * The records staged of a partition for this attempt; undefined if nothing is staged, or for another attempt. Gives the
 * store up if one of them is damaged: the attempt was decided counting on all of them.
 */
export function readStaged(store: Store, partition: number, attempt: number): AcceptedRecord[] | undefined {
  if (stagedAttempt(store, partition) !== attempt) return undefined;
  const staged: AcceptedRecord[] = [];
  for (const { key, value } of stagedRows(store, partition)) {
    staged.push({ key: key.slice(RECORD.length), record: decodeRecord(whole(store, key, value)) });
  }
  return staged;
}

/** The epoch for which a partition is staged; -1 if it is not. */
export function stagedEpoch(store: Store, partition: number): number {
  return readAttempt(store, partition)?.epoch ?? -1;
}

/** The attempt for which a partition is staged, if it is. */
export function stagedAttempt(store: Store, partition: number): number | undefined {
  return readAttempt(store, partition)?.attempt;
}

/**
 * Drops what is staged for epochs up to this one. What is staged for a later epoch stays, however late this node hears
 * of this one: the controller of the later epoch may count on it. The caller flushes.
 */
export function dropStaged(store: Store, partition: number, epoch: number): void {
  if (stagedEpoch(store, partition) > epoch) return;
  // The attempt first: a crash keeps a beginning of what was written, and the rows left must not be taken for all of
  // them.
  store.remove('meta', ATTEMPT + partitionPrefix(partition));
  for (const { key } of [...stagedRows(store, partition)]) store.remove('meta', key);
}

/** Replaces what is staged of a partition, for the attempt and epoch of `next`. The caller flushes. */
export function writeStaged(
  store: Store,
  { partition, epoch, attempt }: PartitionConfig,
  accepted: ReadonlyMap<StoreKey, ItemRecord>,
): void {
  const before = stagedAttempt(store, partition) ?? -1;
  assertInvariant(before < attempt, 'docs/protocol.md I13', 'an attempt is staged after a later one');
  dropStaged(store, partition, epoch);
  for (const [key, record] of accepted) store.put('meta', RECORD + key, record.stored);
  // Last: a crash keeps a beginning of what was written.
  writeState(store, ATTEMPT + partitionPrefix(partition), { attempt, epoch } satisfies StagedAttempt);
}

function readAttempt(store: Store, partition: number): StagedAttempt | undefined {
  return readState(store, ATTEMPT + partitionPrefix(partition));
}

function* stagedRows(store: Store, partition: number): Iterable<{ key: StoreKey; value: Uint8Array }> {
  const prefix = RECORD + partitionPrefix(partition);
  for (let from = prefix; ; ) {
    const page = store.range('meta', { from, to: prefixEnd(prefix), limit: PAGE });
    yield* page;
    if (page.length < PAGE) return;
    from = keyAfter(page.at(-1)!.key);
  }
}
