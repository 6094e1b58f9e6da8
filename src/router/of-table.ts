import { type Derivation, derivationOf } from '../api/derivation.ts';
import type { Table } from '../api/table-definition.ts';
import type { Consistency } from '../dynamo/client.ts';

/** What a request says of its table. */
export interface OfTable {
  readonly consistency: Consistency;
  readonly derivation: Derivation | undefined;
}

/**
 * What every read and write of a table's items says of the table. There is no other place that makes it: a write that
 * forgets the derivation leaves the indexes behind.
 */
export function ofTable(table: Table): OfTable {
  return { consistency: table.consistency ?? 'strict', derivation: derivationOf(table) };
}
