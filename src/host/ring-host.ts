import type { CoordinatingNode } from '../dynamo/coordinating-node.ts';
import type { AnswerTo, CoordinationRequest } from '../dynamo/coordination-messages.ts';
import type { Reply, Request } from '../dynamo/messages.ts';
import type { StorageNode } from '../dynamo/node.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { LmdbStore } from '../env/lmdb-store.ts';
import type { StoppableClock } from '../env/stoppable-clock.ts';
import { leaveIfDamaged, unlessDamaged } from '../env/store-damage.ts';
import type { Receive, Transport } from '../env/transport.ts';
import type { PausedNode } from '../peer/paused-node.ts';

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

/** The id of no disk. */
export const NO_DISK = -1;

export interface Running {
  readonly node: StorageNode;
  /** What may be asked of it by those who do not know what its store may throw. */
  readonly entrance: CoordinatingNode;
  readonly store: LmdbStore;
  /** Ends with it: a node that has stopped does nothing more, as if its process were gone. */
  readonly clock: StoppableClock;
  /** Tells those who wait for something that it does. */
  readonly onStop: Set<() => void>;
}

export function newHost(id: NodeId, diskId: number): Host {
  return { id, diskId, running: undefined, door: undefined, turn: Promise.resolve() };
}

/** What a node that has stopped sends goes nowhere, and it hears no answers, late ones of a slow link either. */
export function untilStopped(transport: Transport<Request, Reply>, clock: StoppableClock): Transport<Request, Reply> {
  return {
    send: (to, request, onReply) => {
      if (clock.isStopped) return;
      transport.send(to, request, (reply) => {
        if (clock.isStopped) return;
        try {
          onReply(reply);
        } catch (error) {
          leaveIfDamaged(error);
        }
      });
    },
  };
}

/** The door for other nodes. A node whose store is damaged does not answer. */
export function receiverOf(node: StorageNode): Receive<Request, Reply> {
  return (from, request, reply) => {
    try {
      node.receive(from, request, reply);
    } catch (error) {
      leaveIfDamaged(error);
    }
  };
}

/** The door for clients of the ring, who ask another node where this one does not answer. */
export class Entrance implements CoordinatingNode {
  readonly #node: StorageNode;

  constructor(node: StorageNode) {
    this.#node = node;
  }

  coordinate<R extends CoordinationRequest>(request: R, reply: (answer: AnswerTo<R>) => void): void {
    try {
      this.#node.coordinate(request, reply);
    } catch (error) {
      leaveIfDamaged(error);
    }
  }
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
  unlessDamaged(() => begin(finish));
}

/** The sums of two reports. */
export function addUp<Report extends { readonly [Name in keyof Report]: number }>(one: Report, other: Report): Report {
  const names = Object.keys(one) as (keyof Report)[];
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as Report;
}
