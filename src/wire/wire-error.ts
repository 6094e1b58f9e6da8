/**
 * Bytes that are no message. `unknown-version` and `unknown-kind` may come from a newer release, which can be told so; whoever
 * sends any other is broken, and its connection is closed.
 */
export class WireError extends Error {
  readonly reason: 'unknown-version' | 'unknown-kind' | 'truncated' | 'trailing' | 'malformed';

  constructor(reason: WireError['reason'], detail: string) {
    super(`${reason}: ${detail}`);
    this.name = 'WireError';
    this.reason = reason;
  }
}
