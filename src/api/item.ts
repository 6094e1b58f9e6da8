import type { AttributeMap } from './attribute-value.ts';

/**
 * An item as it is stored and travels between tiers: the JSON text of its normalised `AttributeMap` in UTF-8, so that
 * GetItem answers with these very bytes, beside its size by the service's rules, so that capacity needs no parsing.
 */
export interface ItemImage {
  /** Size in bytes as DynamoDB counts it (names + values), not the length of `json`. */
  readonly size: number;
  readonly json: Uint8Array;
}

/** Parses the stored text. */
export function fromImage(image: ItemImage): AttributeMap {
  const { buffer, byteOffset, byteLength } = image.json;
  return JSON.parse(Buffer.from(buffer, byteOffset, byteLength).toString()) as AttributeMap;
}
