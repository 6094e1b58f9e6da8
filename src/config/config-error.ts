/**
 * An error that the user or the system has to remedy, as against a bug: the command line prints only its message. Every
 * room has a class of its own. They are recognised by `kind`, because comparing classes would load rooms that are
 * loaded late.
 */
export interface Refusal extends Error {
  readonly kind: 'refusal';
  /** The option that the message is about, if the message does not name it. */
  readonly option?: string;
}

/** An invalid setting. `message` is one line for the user. */
export class ConfigError extends Error implements Refusal {
  override readonly name = 'ConfigError';
  readonly kind = 'refusal';
}

export function isRefusal(error: unknown): error is Refusal {
  return error instanceof Error && (error as Partial<Refusal>).kind === 'refusal';
}
