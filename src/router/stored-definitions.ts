import type { Table } from '../api/table-definition.ts';
import type { DynamoClient, WriteOptions, WriteOutcome } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import {
  definitionImage,
  definitionKey,
  definitionRange,
  definitionText,
  parseDefinition,
  unchanged,
} from './definition-item.ts';

/** A name within a namespace. */
export type Place = Pick<Table, 'namespace' | 'name'>;

const STRICT: WriteOptions = { consistency: 'strict', wantsOld: false };

/** @returns the text of the present definition; undefined if there is none. @throws ApiError if the cluster fails */
export async function readDefinition(client: DynamoClient, place: Place): Promise<string | undefined> {
  const outcome = await client.read({ key: definitionKey(place), from: 'latest', consistency: 'strict' });
  if (outcome.kind === 'none') return undefined;
  if (outcome.kind !== 'found') throw clusterError(outcome);
  return definitionText(outcome.item);
}

/**
 * Stores a definition if the present one is still `current`.
 * @param current undefined: none
 * @param text default: that of `next`
 */
export function storeDefinition(
  client: DynamoClient,
  next: Table,
  current: string | undefined,
  text = JSON.stringify(next),
): Promise<WriteOutcome> {
  const mutation = { kind: 'put', item: definitionImage(text), condition: unchanged(current) } as const;
  return client.write(definitionKey(next), mutation, STRICT);
}

/** Erases a definition if the present one is still `current`. */
export function eraseDefinition(client: DynamoClient, place: Place, current: string): Promise<WriteOutcome> {
  return client.write(definitionKey(place), { kind: 'delete', condition: unchanged(current) }, STRICT);
}

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
    readonly after: Place | undefined;
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
