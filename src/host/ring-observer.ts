import type { Reply, Request } from '../dynamo/messages.ts';
import type { KeptHint } from '../dynamo/node-settings.ts';
import type { RequestObserver } from '../dynamo/request-observer.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { NetworkObserver } from '../env/faulty-network.ts';

/** Sees what goes on in a ring: the requests that clients make, the messages between nodes, the hints that are kept. */
export interface RingObserver extends RequestObserver, NetworkObserver<Request, Reply> {
  /** The coordinator `by` keeps a record for a home replica that did not take it. */
  hintKept(by: NodeId, hint: KeptHint): void;
}
