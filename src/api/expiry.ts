import type { AttributeMap } from './attribute-value.ts';
import type { Condition } from './expression/ast.ts';
import type { ItemImage } from './item.ts';

/** Developer guide, "Using time to live": what expired longer ago than five years is not deleted. */
const FORGOTTEN_AFTER_MS = 5 * 365.25 * 86_400_000;

/** When an item expires, as it says itself. */
export interface Expiry {
  /** The number of the attribute, normalised: seconds since 1970. */
  readonly seconds: string;
  /** The same in ms. */
  readonly atMs: number;
}

/**
 * @param attribute the attribute of expiry of the item's table
 * @returns undefined for an item that never expires: it lacks the attribute, or has one that is no number
 */
export function expiryOf(attribute: string, item: AttributeMap): Expiry | undefined {
  const value = Object.hasOwn(item, attribute) ? item[attribute]! : undefined;
  if (value === undefined || !('N' in value)) return undefined;
  return { seconds: value.N, atMs: Number(value.N) * 1_000 };
}

/** False of a stored item that has no expiry: most items need not be parsed to know that. */
export function mayExpire(attribute: string, { json }: ItemImage): boolean {
  const { buffer, byteOffset, byteLength } = json;
  return Buffer.from(buffer, byteOffset, byteLength).includes(`${JSON.stringify(attribute)}:{"N":`);
}

/** Whether an item may be deleted: its time is over, and not for too long. */
export function isExpired(atMs: number, nowMs: number): boolean {
  return atMs < nowMs && atMs >= nowMs - FORGOTTEN_AFTER_MS;
}

/** That the item still expires when it was seen to. */
export function expiresAt(attribute: string, { seconds }: Expiry): Condition {
  return {
    kind: 'compare',
    comparator: '=',
    left: { kind: 'path', path: [attribute] },
    right: { kind: 'value', value: { N: seconds } },
  };
}
