import type { StoreKey } from '../../env/store.ts';
import type { ItemRecord } from '../record.ts';
import type { Operation } from '../registers/operation.ts';
import type { Task } from '../task.ts';
import type { Settled } from './settled.ts';

/** What rounds tell and ask of the part that puts entries in their places and changes in the log (`propagation.ts`). */
export interface Settler {
  /** Up to where a key is known here to be settled. */
  settledOf(key: StoreKey): Settled;
  /** A replica has told up to where a key is settled. */
  noteSettled(key: StoreKey, settled: Settled): void;
  /** A record was chosen: what it owes is settled in the background. */
  chosen(operation: Operation, record: ItemRecord): void;
  /** Settles what a chosen record owes now. @returns whether it is settled by the deadline of the operation */
  settle(operation: Operation, record: ItemRecord): Task<boolean>;
}
