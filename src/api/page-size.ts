/** API reference, Scan and Query: the page ends when what was looked at exceeds 1 MB. The item that does it is still in it. */
export const MAX_PAGE_BYTES = 1024 * 1024;

/** Of each item, and of each block of that many bytes that an item is stored in, beside its own bytes. */
const ITEM_BYTES = 2;
const BLOCK_BYTES = 18;
const BLOCK_SIZE = 3072;

/**
 * What an item counts towards the 1 MB of a page, which is some bytes more than its size, so that a page ends a little before
 * 1 MB of sizes (recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1). How many more is not told; the figures are those
 * that the author of dynalite measured (`itemSize` in its db/index.js).
 * @param size by the service's rules
 */
export function pageBytes(size: number): number {
  return size + ITEM_BYTES + BLOCK_BYTES * (1 + Math.floor((1 + size) / BLOCK_SIZE));
}
