import type { ApiError } from '../api/errors.ts';
import { goneTable } from './cluster-errors.ts';
import type { TableCatalog } from './table-catalog.ts';

/** So often may a table be deleted, and another one get its name, under one request. */
const ATTEMPTS = 4;

/**
 * Carries out a request, and again if another router has deleted a table that it goes by: with the present definition, or
 * until there is none. What failed so has done nothing.
 * @param run the same request each time: what it does to its parameters, it may do twice
 */
export async function unlessGone<T>(catalog: TableCatalog, run: () => Promise<T>): Promise<T> {
  for (let left = ATTEMPTS; ; left--) {
    try {
      return await run();
    } catch (error) {
      const storageId = goneTable(error);
      if (storageId === undefined) throw error;
      catalog.forgetGone(storageId);
      if (left === 1) throw error;
    }
  }
}

/** Of a request that was done in part: forgets the tables that were deleted under it, so that the next one finds out. */
export function forgetGoneOf(catalog: TableCatalog, members: readonly { readonly error?: ApiError }[]): void {
  for (const { error } of members) {
    const storageId = goneTable(error);
    if (storageId !== undefined) catalog.forgetGone(storageId);
  }
}
