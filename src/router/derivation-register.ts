import {
  type Derivation,
  derivationImage,
  derivationKey,
  derivationOf,
  isStillStored,
  parseDerivation,
} from '../api/derivation.ts';
import type { ItemImage } from '../api/item.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import { type DynamoClient, type ItemKey, SYSTEM_TABLE, type WriteOptions } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';

const STRICT: WriteOptions = { consistency: 'strict', wantsOld: false };
/** So often may others have written it meanwhile. */
const ATTEMPTS = 8;

/**
 * Writes what is derived from a table, where nodes look for it. It has to be there before a definition names its version: a
 * node that finds a record of this version asks for it.
 * @returns the table, with a higher version if its own was taken by a change that did not come about
 * @throws ApiError if the cluster fails
 */
export async function registerDerivation(client: DynamoClient, table: Table): Promise<Table> {
  let next = table;
  let current: ItemImage | undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const derivation = derivationOf(next);
    if (derivation === undefined) return next;
    const stored = current && parseDerivation(current);
    if (stored !== undefined && isSame(stored, derivation)) return next;
    if (stored !== undefined && stored.version >= derivation.version) {
      next = { ...next, derivation: stored.version + 1 };
      continue;
    }
    const condition = isStillStored(current);
    const item = derivationImage(derivation);
    const outcome = await client.write(keyOf(next.storageId), { kind: 'put', item, condition }, STRICT);
    if (outcome.kind === 'applied') return next;
    if (outcome.kind !== 'condition-failed') throw clusterError(outcome);
    current = outcome.current;
  }
  throw clusterError({ kind: 'overloaded' });
}

/** Removes what was derived from a deleted table. What stays after a failure is some KB that nobody reads. */
export async function forgetDerivation(client: DynamoClient, { storageId, derivation }: Table): Promise<void> {
  if (derivation !== undefined) await client.write(keyOf(storageId), { kind: 'delete' }, STRICT);
}

function isSame(one: Derivation, other: Derivation): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function keyOf(table: ByteString): ItemKey {
  return { table: SYSTEM_TABLE, partitionKey: derivationKey(table), sortKey: '' };
}
