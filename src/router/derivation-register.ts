import { derivationImage, derivationKey, derivationOf, isStillStored, parseDerivation } from '../api/derivation.ts';
import type { ItemImage } from '../api/item.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import { type DynamoClient, type ItemKey, SYSTEM_TABLE, type WriteOptions } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';

const STRICT: WriteOptions = { consistency: 'strict', wantsOld: false };
/** So often may others have written it meanwhile. */
const ATTEMPTS = 8;

/**
 * Writes what is derived from a table, where nodes look for it, unless that is there. A definition has to be stored before, and
 * must not be used by requests before: a node that finds a record of its version asks for it.
 * @throws ApiError if the cluster fails
 */
export async function registerDerivation(client: DynamoClient, table: Table): Promise<void> {
  const derivation = derivationOf(table);
  if (derivation === undefined) return;
  const item = derivationImage(derivation);
  let current = await read(client, table.storageId);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (current !== undefined && parseDerivation(current).version >= derivation.version) return;
    const condition = isStillStored(current);
    const outcome = await client.write(keyOf(table.storageId), { kind: 'put', item, condition }, STRICT);
    if (outcome.kind === 'applied') return;
    if (outcome.kind !== 'condition-failed') throw clusterError(outcome);
    current = outcome.current;
  }
  throw clusterError({ kind: 'overloaded' });
}

/** Nearly always it is there: then nothing is written. */
async function read(client: DynamoClient, table: ByteString): Promise<ItemImage | undefined> {
  const outcome = await client.read({ key: keyOf(table), from: 'latest', consistency: 'strict' });
  if (outcome.kind === 'none') return undefined;
  if (outcome.kind !== 'found') throw clusterError(outcome);
  return outcome.item;
}

/** Removes what was derived from a deleted table. What stays after a failure is some KB that nobody reads. */
export async function forgetDerivation(client: DynamoClient, { storageId, derivation }: Table): Promise<void> {
  if (derivation !== undefined) await client.write(keyOf(storageId), { kind: 'delete' }, STRICT);
}

function keyOf(table: ByteString): ItemKey {
  return { table: SYSTEM_TABLE, partitionKey: derivationKey(table), sortKey: '' };
}
