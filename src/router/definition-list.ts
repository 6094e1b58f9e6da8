import type { Table } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import { definitionRange, definitionText, parseDefinition } from './definition-item.ts';

/**
 * One page of the stored definitions of a namespace or, if it is undefined, of all: by namespace and name in byte order.
 *
 * @returns at most `limit` tables, and whether there are more
 * @throws ApiError if the cluster fails
 */
export async function listDefinitions(
  client: DynamoClient,
  {
    namespace,
    after,
    limit,
  }: {
    readonly namespace: string | undefined;
    /** The page begins behind this table, which need not exist; undefined: at the first. */
    readonly after: Pick<Table, 'namespace' | 'name'> | undefined;
    readonly limit: number;
  },
): Promise<{ tables: Table[]; more: boolean }> {
  const tables: Table[] = [];
  for (let more = true; more; ) {
    const begin = tables.at(-1) ?? after;
    const outcome = await client.range(definitionRange(namespace, begin, limit - tables.length));
    if (outcome.kind !== 'items') throw clusterError(outcome);
    for (const item of outcome.items) tables.push(parseDefinition(definitionText(item)));
    if (tables.length >= limit) return { tables, more: outcome.more };
    more = outcome.more && outcome.items.length > 0;
  }
  return { tables, more: false };
}
