import type { ByteString } from '../api/primary-key.ts';
import type { TableCatalog } from './table-catalog.ts';

/** @param storageIds of tables that were there @returns whether none of them is there any more @throws ApiError as the catalog does */
export async function areTablesGone(
  catalog: Pick<TableCatalog, 'pages'>,
  storageIds: readonly ByteString[],
): Promise<boolean> {
  for await (const tables of catalog.pages(undefined)) {
    if (tables.some(({ storageId }) => storageIds.includes(storageId))) return false;
  }
  return true;
}
