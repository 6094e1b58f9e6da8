import type { StoreKey } from '../../env/store.ts';
import type { Ballot } from '../ballot.ts';
import type { ItemRecord } from '../record.ts';
import type { Operation } from '../registers/operation.ts';
import type { Task } from '../task.ts';

/** What rounds tell and ask of the part that puts entries in their places (`propagation.ts`). */
export interface Settler {
  /** Up to where a key is known here to be settled. */
  settledOf(key: StoreKey): Ballot;
  /** A replica has told that a key is settled up to this ballot. */
  noteSettled(key: StoreKey, settled: Ballot): void;
  /** A record was chosen: what is due of it is settled in the background. */
  chosen(operation: Operation, record: ItemRecord): void;
  /** Settles what is due of a chosen record now. @returns whether it is settled by the deadline of the operation */
  settle(operation: Operation, record: ItemRecord): Task<boolean>;
}
