/** Why something cannot be done to the ring. `message` is one line for the user. */
export class RingError extends Error {
  override readonly name = 'RingError';
  /** The field of the request that is wrong, if it is one. */
  readonly field: string | undefined;

  constructor(message: string, field?: string) {
    super(message);
    this.field = field;
  }
}
