import type { Ballot } from '../dynamo/ballot.ts';
import type { Reply, Request } from '../dynamo/messages.ts';
import type { RequestObserver } from '../dynamo/request-observer.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { NetworkObserver } from '../env/faulty-network.ts';
import type { StoreKey } from '../env/store.ts';

/** Sees what goes on in a ring: the requests that clients make, the messages between nodes, the hints that are kept. */
export interface RingObserver extends RequestObserver, NetworkObserver<Request, Reply> {
  /** The coordinator `by` keeps a record for the replica `home`, which did not take it. */
  hintKept(by: NodeId, home: NodeId, key: StoreKey, ballot: Ballot): void;
}
