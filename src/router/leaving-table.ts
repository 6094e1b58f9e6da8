import type { Table } from '../api/table-definition.ts';
import { settledTable } from '../api/transition.ts';

/**
 * The definition of a table that is about to go, where there are several routers: nobody finds it, but its name is taken until
 * no request by its id can be acknowledged any more. Whoever meets it goes on with the deletion.
 */
export function leavingTable(table: Table): Table {
  const settled = settledTable(table);
  const transition = {
    fromMs: 0,
    untilMs: 0,
    status: 'DELETING',
    indexes: [],
    encryption: false,
    warming: false,
    shown: settled,
  } as const;
  return { ...settled, transition };
}

export function isLeaving({ transition }: Table): boolean {
  return transition?.status === 'DELETING' && transition.untilMs === 0;
}
