import type { Refusal } from '../config/config-error.ts';

/** Why something cannot be inspected: `message` is one line for the user. */
export class InspectError extends Error implements Refusal {
  override readonly name = 'InspectError';
  readonly kind = 'refusal';
}
