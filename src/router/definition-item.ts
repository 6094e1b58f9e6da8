import type { Condition } from '../api/expression/ast.ts';
import type { ItemImage } from '../api/item.ts';
import type { Table } from '../api/table-definition.ts';
import type { ItemKey, RangeRequest } from '../dynamo/client.ts';

/** The strict system table that holds the definitions: no table of a client has this storage id (a UUID is never zero). */
export const SYSTEM_TABLE = '\0'.repeat(8);
const PARTITION_KEY = 'tables';
/** Ends the namespace in a sort key: neither a namespace nor a table's name has it in it. */
const SEPARATOR = '/';
/** The least text above all that begin with the separator. */
const AFTER_SEPARATOR = '0';
/** The one attribute of a definition's item: the JSON text of the `Table`. */
const DEFINITION = 'definition';

/** How a definition is kept: `namespace/name`, so that the tables of a namespace follow one another, in byte order. */
export function definitionKey({ namespace, name }: Pick<Table, 'namespace' | 'name'>): ItemKey {
  return { table: SYSTEM_TABLE, partitionKey: PARTITION_KEY, sortKey: namespace + SEPARATOR + name };
}

/**
 * The definitions of one namespace, or of all.
 * @param after the last one that is known, or a name that comes before those wanted
 */
export function definitionRange(
  namespace: string | undefined,
  after: Pick<Table, 'namespace' | 'name'> | undefined,
  limit: number,
): RangeRequest {
  // No name is empty, so the namespace's beginning itself is no definition.
  const first = after ?? (namespace === undefined ? undefined : { namespace, name: '' });
  return {
    table: SYSTEM_TABLE,
    partitionKey: PARTITION_KEY,
    lower: first && { sortKey: definitionKey(first).sortKey, isInclusive: false },
    upper: namespace === undefined ? undefined : { sortKey: namespace + AFTER_SEPARATOR, isInclusive: false },
    order: 'forward',
    limit,
    from: 'latest',
    consistency: 'strict',
  };
}

/**
 * Holds as long as the stored definition is `current`. Its text holds the table's storage id, so a table that was deleted
 * and made again is not taken for the same; one that was changed and changed back is, which harms nobody.
 * @param current undefined: as long as there is none
 */
export function unchanged(current: string | undefined): Condition {
  const path = [DEFINITION];
  if (current === undefined) return { kind: 'not-exists', path };
  return {
    kind: 'compare',
    comparator: '=',
    left: { kind: 'path', path },
    right: { kind: 'value', value: { S: current } },
  };
}

export function definitionImage(text: string): ItemImage {
  const json = Buffer.from(JSON.stringify({ [DEFINITION]: { S: text } }));
  return { json, size: DEFINITION.length + Buffer.byteLength(text) };
}

export function definitionText(image: ItemImage): string {
  const item = JSON.parse(Buffer.from(image.json).toString()) as { [DEFINITION]: { S: string } };
  return item[DEFINITION].S;
}

export function parseDefinition(text: string): Table {
  return JSON.parse(text) as Table;
}
