import type { Reply, Request } from './dynamo/messages.ts';
import type { StorageNode } from './dynamo/node.ts';
import type { NodeId } from './dynamo/ring.ts';
import { DataDirectoryError } from './env/data-directory.ts';
import { LmdbStore, type LmdbStoreOptions } from './env/lmdb-store.ts';
import type { StoppableClock } from './env/stoppable-clock.ts';
import type { Transport } from './env/transport.ts';
import type { PausedNode } from './paused-node.ts';

/** A node of this process. */
export interface Host {
  readonly id: NodeId;
  diskId: number;
  /** Undefined while it is stopped. */
  running: Running | undefined;
  /** Defined while it is paused. */
  door: PausedNode | undefined;
  /** The last of what was asked to happen to it. */
  turn: Promise<unknown>;
}

export interface Running {
  readonly node: StorageNode;
  readonly store: LmdbStore;
  /** Ends with it: a node that has stopped does nothing more, as if its process were gone. */
  readonly clock: StoppableClock;
  /** Tells those who wait for something that it does. */
  readonly onStop: Set<() => void>;
}

export function newHost(id: NodeId, diskId: number): Host {
  return { id, diskId, running: undefined, door: undefined, turn: Promise.resolve() };
}

/** @throws DataDirectoryError */
export function openStore(path: string, options: LmdbStoreOptions): LmdbStore {
  try {
    return new LmdbStore(path, options);
  } catch (error) {
    throw new DataDirectoryError(`cannot open the data in ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

/** What a node that has stopped sends goes nowhere, and it hears no answers, late ones of a slow link either. */
export function untilStopped(transport: Transport<Request, Reply>, clock: StoppableClock): Transport<Request, Reply> {
  return {
    send: (to, request, onReply) => {
      if (clock.isStopped) return;
      transport.send(to, request, (reply) => {
        if (!clock.isStopped) onReply(reply);
      });
    },
  };
}

/** Has a node do something, whose outcome is `ifStopped` if it stops before the end. */
export function whileRunning<T>(
  { onStop }: Running,
  done: (outcome: T) => void,
  ifStopped: T,
  begin: (done: (outcome: T) => void) => void,
): void {
  const finish = (outcome: T) => {
    if (onStop.delete(stopped)) done(outcome);
  };
  const stopped = () => finish(ifStopped);
  onStop.add(stopped);
  begin(finish);
}
