import type { StoreKey } from '../../env/store.ts';
import type { Coordinator } from '../registers/coordinator.ts';

/** The log of one shard, and who reads or writes it. */
export interface LogAccess {
  readonly coordinator: Coordinator;
  /** As `logPrefix`. */
  readonly prefix: StoreKey;
  /** As in `Operation`. */
  readonly requestId?: string | undefined;
}
