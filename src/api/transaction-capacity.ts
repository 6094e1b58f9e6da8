import {
  type Capacity,
  type ConsumedCapacity,
  readUnits,
  type SizedItem,
  tableWriteUnits,
  unitsCapacity,
  type WriteUnits,
  writeUnits,
} from './consumed-capacity.ts';
import type { Table } from './table-definition.ts';
import type { Access } from './throttling.ts';

/** Developer guide, "Capacity management for transactions": each item is read or written twice. */
const TIMES = 2;

/**
 * What an action that writes consumes in a transaction: twice the units of the same write for the table, once those for its
 * indexes (measured by a user of the service, dynoxide pull request 188).
 */
export function transactedWrite(table: Table, before: SizedItem | undefined, after: SizedItem | undefined): WriteUnits {
  const { table: units, indexes } = writeUnits(table, before, after);
  return { table: TIMES * units, indexes };
}

/**
 * What a ConditionCheck consumes: it is charged as a write of the item that it looks at (measured at the same place).
 * @param size bytes; 0 for no item
 */
export function transactedCheck(size: number): WriteUnits {
  return { table: TIMES * tableWriteUnits(size), indexes: [] };
}

/** What a Get consumes, or an action whose transaction has been carried out before. @param size bytes; 0 for no item */
export function transactedRead(size: number): number {
  return TIMES * readUnits(size, 'strong');
}

/**
 * What the actions of a transaction on one table consumed.
 * @param tableName the name or ARN by which the request named the table
 */
export function transactionCapacity(
  level: 'TOTAL' | 'INDEXES',
  tableName: string,
  units: WriteUnits,
  access: Access,
): ConsumedCapacity {
  const kind = access === 'read' ? 'ReadCapacityUnits' : 'WriteCapacityUnits';
  const told = <T extends Capacity>(capacity: T): T => ({ ...capacity, [kind]: capacity.CapacityUnits });
  const toldAll = (capacities: Readonly<Record<string, Capacity>>) =>
    Object.fromEntries(Object.entries(capacities).map(([name, capacity]) => [name, told(capacity)]));
  const { Table, LocalSecondaryIndexes, GlobalSecondaryIndexes, ...total } = unitsCapacity(level, tableName, units);
  return {
    ...told(total),
    ...(Table && { Table: told(Table) }),
    ...(LocalSecondaryIndexes && { LocalSecondaryIndexes: toldAll(LocalSecondaryIndexes) }),
    ...(GlobalSecondaryIndexes && { GlobalSecondaryIndexes: toldAll(GlobalSecondaryIndexes) }),
  };
}
