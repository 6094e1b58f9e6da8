import type { AttributeMap } from '../api/attribute-value.ts';
import type { EncodedKey } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import { collectionMetrics, hasCollections, type ItemCollectionMetrics } from './item-write.ts';

/** A part of a request for several items. */
interface OfTable {
  /** The table as the request names it. */
  readonly name: string;
}

/** One that has written an item. */
interface Written extends OfTable {
  readonly table: Table;
  readonly at: EncodedKey;
  /** The item or the key: either has the partition key. */
  readonly named: AttributeMap;
}

/** Groups the parts of a request by table, in its order. */
export function byTable<T extends OfTable>(members: readonly T[]): [name: string, ofTable: T[]][] {
  const names = new Set(members.map(({ name }) => name));
  return [...names].map((name) => [name, members.filter((member) => member.name === name)]);
}

/** One entry for each item collection of a table with local indexes. */
export async function metricsByTable(
  client: DynamoClient,
  written: readonly Written[],
): Promise<Record<string, ItemCollectionMetrics[]>> {
  const metrics: [string, ItemCollectionMetrics[]][] = [];
  for (const [name, ofTable] of byTable(written.filter(({ table }) => hasCollections(table)))) {
    const collections = [...new Map(ofTable.map((write) => [write.at.partitionKey, write])).values()];
    const ofCollections = collections.map(({ table, named, at }) => collectionMetrics(client, table, { named, ...at }));
    metrics.push([name, await Promise.all(ofCollections)]);
  }
  return Object.fromEntries(metrics);
}
