import { ApiError } from './errors.ts';

/** Developer guide, quotas, "Item size": bytes of names and values. */
export const MAX_ITEM_BYTES = 400 * 1024;

const ITEM_TOO_LARGE = 'Item size has exceeded the maximum allowed size';

/** The error of PutItem, and of every operation for a key of such a size. */
export function itemTooLarge(): ApiError {
  return ApiError.validation(ITEM_TOO_LARGE);
}

/** Whether an error is that of `itemTooLarge`, whose text is the same wherever it is thrown. */
export function isItemTooLarge({ message }: ApiError): boolean {
  return message === ITEM_TOO_LARGE;
}

/** The error of UpdateItem. */
export function updateTooLarge(): ApiError {
  return ApiError.validation('Item size to update has exceeded the maximum allowed size');
}
