import type { StoreKey } from '../../env/store.ts';

/** What an operation on one register carries through all its rounds. */
export interface Operation {
  /** Names the client's request in traces; undefined in the background, and when nobody traces. */
  readonly requestId: string | undefined;
  readonly key: StoreKey;
  /** When the coordinator gives up, in the time of `Clock.elapsedMs`. */
  readonly deadlineMs: number;
}
