/** Why something cannot be inspected: `message` is one line for the user. */
export class InspectError extends Error {
  override readonly name = 'InspectError';
}
