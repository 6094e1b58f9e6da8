import type { AttributeMap } from './attribute-value.ts';
import type { SizedItem } from './consumed-capacity.ts';
import { ApiError } from './errors.ts';
import type { Update } from './expression/ast.ts';
import { sizeOf } from './item.ts';
import type { KeySchema } from './primary-key.ts';

/**
 * The part of the item that an update makes which is known before the old one is read: indexes can refuse a write by it
 * in time.
 */
export function leastItem(key: AttributeMap, { actions }: Update): SizedItem {
  const entries = Object.entries(key);
  for (const action of actions) {
    const isKnown = action.kind === 'set' && action.path.length === 1 && action.value.kind === 'value';
    if (isKnown) entries.push([action.path[0] as string, action.value.value]);
  }
  const item = Object.fromEntries(entries);
  return { size: sizeOf(item), item };
}

/**
 * No action may touch a key attribute, not even to set the value that it has.
 * @throws ApiError (ValidationException)
 */
export function checkKeyStays({ partition, sort }: KeySchema, { actions }: Update): void {
  for (const { path } of actions) {
    if (path[0] === partition.name || path[0] === sort?.name) {
      throw ApiError.validation(
        `One or more parameter values were invalid: Cannot update attribute ${path[0]}. This attribute is part of the key`,
      );
    }
  }
}
