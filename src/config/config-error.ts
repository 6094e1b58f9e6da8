/**
 * An error that the user or the machine has to put right, as against a bug: the command line prints its message alone. Every
 * room has its own, and they are told by `kind`, since a room that is loaded late is not loaded to compare classes.
 */
export interface Refusal extends Error {
  readonly kind: 'refusal';
  /** The option that the message is about, if it does not say so itself. */
  readonly option?: string;
}

/** A setting that is not possible. `message` is one line for the user. */
export class ConfigError extends Error implements Refusal {
  override readonly name = 'ConfigError';
  readonly kind = 'refusal';
}

export function isRefusal(error: unknown): error is Refusal {
  return error instanceof Error && (error as Partial<Refusal>).kind === 'refusal';
}
