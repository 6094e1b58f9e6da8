/**
 * A store may have lost what it has acknowledged, or cannot be read any more: `message` says what was found, without the path.
 * Its node must not vote with it.
 */
export class StoreDamagedError extends Error {
  override readonly name = 'StoreDamagedError';
  /** Whether a store could be opened with what is left of it. */
  readonly leavesRest: boolean;

  constructor(message: string, options: ErrorOptions & { readonly leavesRest?: boolean } = {}) {
    super(message, options);
    this.leavesRest = options.leavesRest ?? false;
  }
}

/**
 * Runs something of a node. If its store turns out to be damaged meanwhile the node stops where it is: its owner has been told,
 * and it answers nothing more.
 */
export function unlessDamaged(run: () => void): void {
  try {
    run();
  } catch (error) {
    leaveIfDamaged(error);
  }
}

/** The same for those who cannot spare the closure: for the `catch` around what a node does. */
export function leaveIfDamaged(error: unknown): void {
  if (!(error instanceof StoreDamagedError)) throw error;
}
