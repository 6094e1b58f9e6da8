import { type AttributeMap, type AttributeValue, binaryLength } from './attribute-value.ts';
import { itemTooLarge, MAX_ITEM_BYTES } from './item-limits.ts';
import { numberSize } from './number.ts';

/**
 * An item as it is stored and sent between tiers. It has the JSON text of the normalised `AttributeMap` in UTF-8, so
 * that GetItem answers with these bytes, and the size by the service's rules, so that capacity needs no parsing.
 */
export interface ItemImage {
  /** Size in bytes as DynamoDB counts it (names + values), not the length of `json`. */
  readonly size: number;
  readonly json: Uint8Array;
}

/** Bytes that a list or map counts in addition to its elements; each element also counts one more than its value. */
export const DOCUMENT_BYTES = 3;
const ELEMENT_BYTES = 1;

/**
 * Makes the stored form.
 * @param item normalised
 * @param size the size of the item, if the caller knows it
 * @throws ApiError (ValidationException) above 400 KB
 */
export function toImage(item: AttributeMap, size = sizeOf(item)): ItemImage {
  if (size > MAX_ITEM_BYTES) throw itemTooLarge();
  return { size, json: Buffer.from(JSON.stringify(item)) };
}

/** Parses the stored text. */
export function fromImage(image: ItemImage): AttributeMap {
  const { buffer, byteOffset, byteLength } = image.json;
  return JSON.parse(Buffer.from(buffer, byteOffset, byteLength).toString()) as AttributeMap;
}

/** Bytes of an item or part of one: UTF-8 names and values (developer guide, "DynamoDB item sizes and formats"). */
export function sizeOf(item: AttributeMap): number {
  let size = 0;
  for (const name in item) size += Buffer.byteLength(name) + valueSize(item[name]!);
  return size;
}

/** Bytes of one value without its name. */
export function valueSize(value: AttributeValue): number {
  if ('S' in value) return Buffer.byteLength(value.S);
  if ('N' in value) return numberSize(value.N);
  if ('B' in value) return binaryLength(value.B);
  if ('M' in value) return mapSize(value.M);
  if ('L' in value) return sum(value.L, elementSize) + DOCUMENT_BYTES;
  if ('SS' in value) return sum(value.SS, Buffer.byteLength);
  if ('NS' in value) return sum(value.NS, numberSize);
  if ('BS' in value) return sum(value.BS, binaryLength);
  return 1;
}

function mapSize(map: AttributeMap): number {
  return DOCUMENT_BYTES + ELEMENT_BYTES * Object.keys(map).length + sizeOf(map);
}

function elementSize(element: AttributeValue): number {
  return ELEMENT_BYTES + valueSize(element);
}

function sum<Part>(parts: readonly Part[], size: (part: Part) => number): number {
  let total = 0;
  for (const part of parts) total += size(part);
  return total;
}
