import type { AttributeMap } from './attribute-value.ts';
import { type ItemImage, sizeOf, toImage } from './item.ts';
import { itemTooLarge, MAX_ITEM_BYTES } from './item-limits.ts';

/** How many attributes are encoded between two pauses. */
const ATTRIBUTES_AT_ONCE = 4_000;

/**
 * The same as `toImage` for an item that may have a hundred thousand attributes, or a list of four hundred thousand
 * elements: it pauses before it measures, and every few milliseconds between attributes.
 * @param item normalised
 * @throws ApiError (ValidationException) above 400 KB
 */
export async function toImageInSlices(item: AttributeMap, pause: () => Promise<void>): Promise<ItemImage> {
  await pause();
  const names = Object.keys(item);
  if (names.length <= ATTRIBUTES_AT_ONCE) {
    const size = sizeOf(item);
    await pause();
    return toImage(item, size);
  }
  const texts: string[] = [];
  let size = 0;
  for (let from = 0; from < names.length; from += ATTRIBUTES_AT_ONCE) {
    await pause();
    const slice = Object.fromEntries(names.slice(from, from + ATTRIBUTES_AT_ONCE).map((name) => [name, item[name]!]));
    size += sizeOf(slice);
    if (size > MAX_ITEM_BYTES) throw itemTooLarge();
    texts.push(JSON.stringify(slice).slice(1, -1));
  }
  return { size, json: Buffer.from(`{${texts.join(',')}}`) };
}
