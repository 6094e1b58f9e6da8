import { type Derivation, derivationOf } from '../api/derivation.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { StoredOrder } from '../api/stored-order.ts';
import type { Table } from '../api/table-definition.ts';
import type { Consistency } from '../dynamo/client.ts';

/** What a request says of its table. */
export interface OfTable {
  readonly consistency: Consistency;
  readonly derivation: Derivation | undefined;
}

/** What a request of many items says of what it reads. */
export interface OfStored extends Partial<OfTable> {
  readonly table: ByteString;
  readonly localIndex?: number | undefined;
  readonly consistency: Consistency;
}

/**
 * What every read and write of a table's items says of the table. There is no other place that makes it: a write that
 * forgets the derivation leaves the indexes behind.
 */
export function ofTable(table: Table): OfTable {
  return { consistency: table.consistency ?? 'strict', derivation: derivationOf(table) };
}

/** What a read of many items or entries says of what it reads. Entries of an index are never asked for what is derived. */
export function ofStored(table: Table, { storageId, localIndex, areEntries }: StoredOrder): OfStored {
  if (areEntries) return { table: storageId, localIndex: undefined, consistency: 'strict', derivation: undefined };
  const { consistency, derivation } = ofTable(table);
  return { table: storageId, localIndex, consistency, derivation };
}
