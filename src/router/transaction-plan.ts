import { tableNameOf } from '../api/arn.ts';
import { transactionCanceled } from '../api/cancellation.ts';
import { ApiError } from '../api/errors.ts';
import type { RequestContext } from '../api/operations.ts';
import type { EncodedKey } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import { checkDistinctItems, type Placed } from '../api/transaction-rules.ts';
import type { TableCatalog } from './table-catalog.ts';

/** What is done to one item in a transaction. */
interface Asked {
  /** The table as the request names it. */
  readonly name: string;
}

/** The same, with its place. */
export type InPlace<T extends Asked> = T & { readonly table: Table; readonly at: EncodedKey };

/**
 * Finds the items of a transaction: first all tables, then the keys, of which the first that does not match cancels the
 * transaction, then whether one is named twice (recorded in eu-west-2, September 2026).
 * @param place checks one against its table
 * @throws ApiError
 */
export async function planTransaction<T extends Asked>(
  catalog: TableCatalog,
  asked: readonly T[],
  place: (table: Table, asked: T) => Placed,
  { context, namespace }: { readonly context: RequestContext; readonly namespace: string },
): Promise<readonly InPlace<T>[]> {
  const tables: Table[] = [];
  for (const { name } of asked) {
    const found = catalog.tableFor(name, context, namespace);
    const table = found instanceof Promise ? await found : found;
    if (table.consistency === 'dynamo') throw noTransactions(name);
    tables.push(table);
  }
  const placed = asked.map((each, at) => place(tables[at]!, each));
  const first = placed.findIndex((each) => 'fault' in each);
  if (first >= 0)
    throw transactionCanceled(placed.map((each, at) => (at === first && 'fault' in each ? each.fault : undefined)));
  const planned = asked.map((each, index) => {
    const { at } = placed[index] as Extract<Placed, { at: EncodedKey }>;
    return { ...each, table: tables[index]!, at };
  });
  checkDistinctItems(planned.map(({ table, at }) => ({ table, ...at })));
  return planned;
}

/** No table of the service is like that, so the text is ours. */
function noTransactions(tableName: string): ApiError {
  return ApiError.validation(
    `Transactions are not supported on a table in dynamo mode, whose writes are not ordered. Table: ${tableNameOf(tableName)}`,
  );
}
