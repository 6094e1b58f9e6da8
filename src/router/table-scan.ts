import type { AttributeMap } from '../api/attribute-value.ts';
import { fromImage, type ItemImage } from '../api/item.ts';
import { keyOfItem } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient, ScanStart } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import { ofTable } from './of-table.ts';

/** An item in its stored form and parsed. */
export interface ScannedItem {
  readonly image: ItemImage;
  readonly item: AttributeMap;
}

/**
 * The items of a table in one partition, page by page. Each is as a consistent read would return it, with the
 * guarantees of the table's mode.
 * @param pageItems the most items of a page
 * @throws ApiError if the cluster fails
 */
export async function* scanPartition(
  client: DynamoClient,
  table: Table,
  partition: number,
  pageItems: number,
): AsyncGenerator<readonly ScannedItem[]> {
  let start: ScanStart | undefined = { kind: 'partition', partition };
  while (start !== undefined) {
    const page = await client.scan({
      table: table.storageId,
      start,
      limit: pageItems,
      from: 'latest',
      ...ofTable(table),
    });
    if (page.kind !== 'items') throw clusterError(page);
    const items = page.items.map((image) => ({ image, item: fromImage(image) }));
    const last = items.at(-1);
    start = page.more && last !== undefined ? { kind: 'after', ...keyOfItem(table.key, last.item) } : undefined;
    yield items;
  }
}
