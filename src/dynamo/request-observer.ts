import type { StoreKey } from '../env/store.ts';
import type { ReadOutcome, WriteOutcome } from './client.ts';
import type { HandedBack } from './registers/handed-back.ts';
import type { NodeId } from './ring.ts';

/** Told of the way of each request that names itself. */
export interface RequestObserver {
  /** A node is about to coordinate the request. It may be the second one, if the first did not answer. */
  asked(requestId: string, key: StoreKey, coordinator: NodeId, isWrite: boolean): void;
  answered(requestId: string, coordinator: NodeId, outcome: (WriteOutcome | ReadOutcome | HandedBack)['kind']): void;
}
