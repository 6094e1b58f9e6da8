/** Gives up the event loop until others have had their turn. */
export type Pause = () => Promise<void>;
