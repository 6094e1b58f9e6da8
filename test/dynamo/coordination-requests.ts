import type { Mutation, TransactionMutation } from '../../src/api/mutation.ts';
import type { Consistency, ReadFrom } from '../../src/dynamo/client.ts';
import type { CoordinateRange, CoordinateRead, CoordinateWrite } from '../../src/dynamo/coordination-messages.ts';
import type { HalfOpenRange, StoreKey } from '../../src/env/store.ts';

/** A strict write of a key of the partition key `user` that wants no old item, unless `more` says otherwise. */
export function writeOf(
  key: StoreKey,
  mutation: Mutation | TransactionMutation,
  more: Partial<CoordinateWrite> = {},
): CoordinateWrite {
  return {
    kind: 'coordinate-write',
    requestId: undefined,
    key,
    partitionKey: 'user',
    mutation,
    consistency: 'strict',
    wantsOld: false,
    derivation: undefined,
    by: undefined,
    carried: undefined,
    ...more,
  };
}

export function readOf(key: StoreKey, from: ReadFrom, consistency: Consistency = 'strict'): CoordinateRead {
  return { kind: 'coordinate-read', requestId: undefined, key, from, consistency, derivation: undefined };
}

/** A read of a range in key order, with a limit that no test reaches by chance, unless `more` says otherwise. */
export function rangeOf(range: HalfOpenRange, from: ReadFrom, more: Partial<CoordinateRange> = {}): CoordinateRange {
  return {
    kind: 'coordinate-range',
    requestId: undefined,
    range,
    localIndex: undefined,
    order: 'forward',
    limit: 1_000,
    from,
    consistency: 'strict',
    derivation: undefined,
    ...more,
  };
}
