import { ApiError } from '../api/errors.ts';

/** Takes units. @returns a function that gives them back @throws ApiError if they are not available */
export type Charge = () => () => void;

/**
 * Charges the parts of a request, all or none, within one turn of the event loop.
 * @returns the errors of those that find no units, by their places; undefined if all were charged
 */
export function chargeTogether(charges: readonly Charge[]): readonly (ApiError | undefined)[] | undefined {
  const charged: (() => void)[] = [];
  const errors = charges.map((charge) => {
    try {
      charged.push(charge());
      return undefined;
    } catch (error) {
      if (error instanceof ApiError) return error;
      throw error;
    }
  });
  if (errors.every((error) => error === undefined)) return undefined;
  for (const giveBack of charged) giveBack();
  return errors;
}
