/** Yields the event loop until other work has had its turn. */
export type Pause = () => Promise<void>;
