import type { Condition } from '../api/expression/ast.ts';
import type { ItemImage } from '../api/item.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import { type ItemKey, type RangeRequest, SYSTEM_TABLE } from '../dynamo/client.ts';

const PARTITION_KEY = 'tables';
/** Ends the namespace in a sort key. Neither a namespace nor a table's name contains it. */
const SEPARATOR = '/';
/** The least text above all texts that begin with the separator. */
const AFTER_SEPARATOR = '0';
/** The one attribute of a definition's item: the JSON text of the `Table`. */
const DEFINITION = 'definition';

/**
 * The key of a definition. Its sort key is `namespace/name`, so the tables of a namespace are adjacent, in byte order.
 */
export function definitionKey({ namespace, name }: Pick<Table, 'namespace' | 'name'>): ItemKey {
  return { table: SYSTEM_TABLE, partitionKey: PARTITION_KEY, sortKey: namespace + SEPARATOR + name };
}

/** Whether an item of the system table is a definition, by its partition key: the table has other items too. */
export function isDefinitionAt(partitionKey: ByteString): boolean {
  return partitionKey === PARTITION_KEY;
}

/**
 * The range of the definitions of one namespace or, if it is undefined, of all.
 * @param after the range begins behind this table, which need not exist; undefined: at the first
 */
export function definitionRange(
  namespace: string | undefined,
  after: Pick<Table, 'namespace' | 'name'> | undefined,
  limit: number,
): RangeRequest {
  // No table has an empty name, so the start of a namespace is not the key of a definition.
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
 * The condition that the stored definition is still `current`. The text contains the storage id, so a table that was
 * deleted and created again does not meet it. A table that was changed and changed back does, which is harmless.
 * @param current undefined: the condition that there is no definition
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
