import { type AttributeMap, normaliseMap } from '../api/attribute-value.ts';
import { ApiError } from '../api/errors.ts';
import { sizeOf } from '../api/item.ts';
import { MAX_ITEM_BYTES } from '../api/item-limits.ts';
import { keyOfItem, keyOfKey } from '../api/primary-key.ts';
import { textOf } from './answer.ts';
import { itemProblem } from './attribute-problem.ts';
import type { FoundTable } from './tables.ts';
import type { BadInput, Write } from './write.ts';

/**
 * The put of an item, after the checks that the service makes.
 * @param item the parsed item; it is changed
 * @param json the item's own JSON text, which is sent unchanged
 */
export function putOf({ key: schema }: FoundTable, item: unknown, json: string): Write | BadInput {
  return checked(item, (map) => {
    const size = mayBeTooLarge(json) ? sizeOf(map) : 0;
    if (size > MAX_ITEM_BYTES)
      return bad(`the item has ${size} bytes, more than the ${MAX_ITEM_BYTES} that are allowed`);
    const { partitionKey, sortKey } = keyOfItem(schema, map);
    return { kind: 'write', operation: 'PutItem', json, key: writeKey(partitionKey, sortKey) };
  });
}

/** The delete of an item by its key, after the same checks. */
export function deleteOf({ key: schema }: FoundTable, key: unknown, json: string): Write | BadInput {
  return checked(key, (map) => {
    const { partitionKey, sortKey } = keyOfKey(schema, map);
    return { kind: 'write', operation: 'DeleteItem', json, key: writeKey(partitionKey, sortKey) };
  });
}

export function bad(problem: string): BadInput {
  return { kind: 'bad', problem };
}

function checked(value: unknown, write: (map: AttributeMap) => Write | BadInput): Write | BadInput {
  const problem = itemProblem(value);
  if (problem !== undefined) return bad(problem);
  const map = value as AttributeMap;
  try {
    normaliseMap(map);
    return write(map);
  } catch (error) {
    if (error instanceof ApiError) return bad(textOf(error.name, error.message));
    throw error;
  }
}

/**
 * An item's size is at most the number of characters of its JSON, except that some characters are up to three bytes in
 * UTF-8.
 */
function mayBeTooLarge(json: string): boolean {
  return 3 * json.length > MAX_ITEM_BYTES;
}

function writeKey(partitionKey: string, sortKey: string): string {
  return `${partitionKey.length}:${partitionKey}${sortKey}`;
}
