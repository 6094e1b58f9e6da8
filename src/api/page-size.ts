/** API reference, Scan and Query: a page ends with the item that takes the bytes looked at above 1 MB. */
export const MAX_PAGE_BYTES = 1024 * 1024;

/** Added for each item, and `BLOCK_BYTES` for each block of `BLOCK_SIZE` bytes that the item is stored in. */
const ITEM_BYTES = 2;
const BLOCK_BYTES = 18;
const BLOCK_SIZE = 3072;

/**
 * The bytes that an item counts towards the 1 MB of a page. They are a few more than its size, so a page ends a little
 * before 1 MB of sizes (recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1). The service does not document how
 * many more; the figures are those that the author of dynalite measured (`itemSize` in its db/index.js).
 * @param size the size by the service's rules
 */
export function pageBytes(size: number): number {
  return size + ITEM_BYTES + BLOCK_BYTES * (1 + Math.floor((1 + size) / BLOCK_SIZE));
}
