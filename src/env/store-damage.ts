/**
 * A store may have lost acknowledged writes, or cannot be read any more. `message` says what was found, without the
 * path. The node must not vote with such a store.
 */
export class StoreDamagedError extends Error {
  override readonly name = 'StoreDamagedError';
  /** Whether the store could still be opened with the data that is left. */
  readonly leavesRest: boolean;

  constructor(message: string, options: ErrorOptions & { readonly leavesRest?: boolean } = {}) {
    super(message, options);
    this.leavesRest = options.leavesRest ?? false;
  }
}

/**
 * Runs a step of a node. If the node's store turns out to be damaged in it, the step ends there: the owner has been
 * told by then, and the node answers nothing more.
 */
export function unlessDamaged(run: () => void): void {
  try {
    run();
  } catch (error) {
    leaveIfDamaged(error);
  }
}

/** The same without a closure, for a `catch` on a hot path. */
export function leaveIfDamaged(error: unknown): void {
  if (!(error instanceof StoreDamagedError)) throw error;
}
