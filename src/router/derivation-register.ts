import { type Derivation, derivationOf } from '../api/derivation.ts';
import { derivationImage, derivationIn, derivationPlace, NEVER_WRITTEN } from '../api/derivation-item.ts';
import type { Table } from '../api/table-definition.ts';
import { type DynamoClient, type ItemKey, SYSTEM_TABLE, type WriteOptions } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';

const STRICT: WriteOptions = { consistency: 'strict', wantsOld: false };
/** So many versions may have been taken by changes of a definition that did not come about. */
const ATTEMPTS = 100;

/**
 * Writes what is derived from a table, under a version that nobody has taken. It has to be there before a definition names
 * it: a node that finds a record of this version asks for it.
 * @returns the table, with a higher version if its own was taken
 * @throws ApiError if the cluster fails
 */
export async function registerDerivation(client: DynamoClient, table: Table): Promise<Table> {
  let next = table;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const derivation = derivationOf(next);
    if (derivation === undefined || (await isWritten(client, derivation))) return next;
    next = { ...next, derivation: derivation.version + 1 };
  }
  throw clusterError({ kind: 'overloaded' });
}

/**
 * Removes what was derived from a deleted table. What stays after a failure is some KB that nobody reads.
 */
export async function forgetDerivations(client: DynamoClient, { storageId, derivation = 0 }: Table): Promise<void> {
  for (let version = 1; version <= derivation; version++) {
    const key = keyOf({ table: storageId, version });
    const outcome = await client.write(key, { kind: 'delete' }, STRICT);
    if (outcome.kind !== 'applied') return;
  }
}

/** @returns false if another derivation has this version */
async function isWritten(client: DynamoClient, derivation: Derivation): Promise<boolean> {
  const key = keyOf(derivation);
  const item = derivationImage(derivation);
  const outcome = await client.write(key, { kind: 'put', item, condition: NEVER_WRITTEN }, STRICT);
  if (outcome.kind === 'applied') return true;
  if (outcome.kind !== 'condition-failed') throw clusterError(outcome);
  return outcome.current !== undefined && isSame(derivationIn(outcome.current), derivation);
}

function isSame(one: Derivation, other: Derivation): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function keyOf(derivation: Pick<Derivation, 'table' | 'version'>): ItemKey {
  return { table: SYSTEM_TABLE, ...derivationPlace(derivation) };
}
