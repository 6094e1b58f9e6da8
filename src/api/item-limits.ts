import { ApiError } from './errors.ts';

/** Developer guide, quotas, "Item size": bytes of names and values. */
export const MAX_ITEM_BYTES = 400 * 1024;

const ITEM_TOO_LARGE = 'Item size has exceeded the maximum allowed size';

/** What PutItem says; also of a key, which is refused however large it is. */
export function itemTooLarge(): ApiError {
  return ApiError.validation(ITEM_TOO_LARGE);
}

/** Whether an error is that of `itemTooLarge`, which is worded alike wherever it is found. */
export function isItemTooLarge({ message }: ApiError): boolean {
  return message === ITEM_TOO_LARGE;
}

/** What UpdateItem says. */
export function updateTooLarge(): ApiError {
  return ApiError.validation('Item size to update has exceeded the maximum allowed size');
}
