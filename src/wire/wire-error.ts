/**
 * Bytes that are not a message. A newer release may cause `unknown-version` and `unknown-kind`; the receiver says so and goes
 * on. The other reasons mean that the sender is broken: the receiver closes the connection.
 */
export class WireError extends Error {
  readonly reason: 'unknown-version' | 'unknown-kind' | 'truncated' | 'trailing' | 'malformed';

  constructor(reason: WireError['reason'], detail: string) {
    super(`${reason}: ${detail}`);
    this.name = 'WireError';
    this.reason = reason;
  }
}
