import { ApiError } from './errors.ts';

/** Developer guide, quotas, "Item size": bytes of names and values. */
export const MAX_ITEM_BYTES = 400 * 1024;

/** What PutItem says; also of a key, which is refused however large it is. */
export function itemTooLarge(): ApiError {
  return ApiError.validation('Item size has exceeded the maximum allowed size');
}

/** What UpdateItem says. */
export function updateTooLarge(): ApiError {
  return ApiError.validation('Item size to update has exceeded the maximum allowed size');
}
