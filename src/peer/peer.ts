import type { CoordinatingNode } from '../dynamo/coordinating-node.ts';
import type { Reply, Request } from '../dynamo/messages.ts';
import { StorageNode } from '../dynamo/node.ts';
import type { NodeLimits, NodeSettings } from '../dynamo/node-settings.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { Clock } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import { StoppableClock } from '../env/stoppable-clock.ts';
import { leaveIfDamaged, unlessDamaged } from '../env/store-damage.ts';
import type { Receive, Transport } from '../env/transport.ts';
import { Entrance } from './entrance.ts';
import { PausedNode } from './paused-node.ts';
import type { NodeDescription } from './ring-description.ts';

export interface PeerParts {
  readonly settings: NodeSettings;
  /** Its store stays the owner's: the owner closes it, once the peer has stopped. */
  readonly env: Env;
  /** Carries the node's messages to other nodes. */
  readonly transport: Transport<Request, Reply>;
}

/** Something that a node does, which may take long. */
export interface PeerWork<Outcome> {
  /** Starts it; `done` is called once, at its end. */
  readonly begin: (node: StorageNode, done: (outcome: Outcome) => void) => void;
  /** The outcome if the node stops first. */
  readonly ifStopped: Outcome;
}

/**
 * One running node of a cluster, from its start on a store to its stop. Once stopped it does nothing more, as if its
 * process were gone: no timer fires, no message is sent or received, no store is touched. So a peer that starts again
 * is a new object.
 *
 * It has no promises and takes the world from its `Env`: a simulation can run it.
 */
export class Peer {
  readonly node: StorageNode;
  /** Takes messages from other nodes. */
  readonly receive: Receive<Request, Reply>;
  readonly #entrance: Entrance;
  /** Stops with the node. */
  readonly #clock: StoppableClock;
  /** Goes on: clients that wait for this node outlive it. */
  readonly #ownersClock: Clock;
  readonly #limits: NodeLimits;
  readonly #onStop = new Set<() => void>();
  /** Defined while it is paused. */
  #paused: PausedNode | undefined;

  private constructor(node: StorageNode, clock: StoppableClock, { settings, env }: PeerParts) {
    this.node = node;
    this.receive = receiverOf(node, clock);
    this.#entrance = new Entrance(node);
    this.#clock = clock;
    this.#ownersClock = env.clock;
    this.#limits = settings.limits;
  }

  /**
   * Starts a node on its store. `opened` gets the peer once the node's new boot number is durable: only then may it
   * receive messages and requests. An error means that the store could not be written. May call `opened` within the
   * call.
   *
   * @throws StoreDamagedError if the store's state cannot be read
   */
  static open(parts: PeerParts, opened: (peer: Peer | undefined, error?: Error) => void): void {
    const { settings, env, transport } = parts;
    const clock = new StoppableClock(env.clock, unlessDamaged);
    StorageNode.open(settings, { ...env, clock }, untilStopped(transport, clock), (node, error) => {
      if (node === undefined) opened(undefined, error);
      else opened(new Peer(node, clock, parts));
    });
  }

  get id(): NodeId {
    return this.node.id;
  }

  get isPaused(): boolean {
    return this.#paused !== undefined;
  }

  /** What clients ask: the node itself, or while it is paused the queue of what it will be asked. */
  get door(): CoordinatingNode {
    return this.#paused ?? this.#entrance;
  }

  describe(): NodeDescription {
    return { id: this.id, state: this.isPaused ? 'paused' : 'up', status: this.node.status() };
  }

  /** From now on requests wait. The owner holds back its messages. */
  pause(): void {
    this.#paused ??= new PausedNode(this.#entrance, this.#ownersClock, this.#limits.suspectAfterMs);
  }

  /**
   * Ends a pause.
   *
   * @returns hands the node what has waited: to be called once clients and other nodes can reach it again
   */
  resume(): () => void {
    const paused = this.#paused;
    this.#paused = undefined;
    return () => paused?.release();
  }

  /** Does some work of the node; `done` gets its outcome, or `ifStopped` if the node stops before its end. */
  perform<Outcome>({ begin, ifStopped }: PeerWork<Outcome>, done: (outcome: Outcome) => void): void {
    if (this.#clock.isStopped) return done(ifStopped);
    const finish = (outcome: Outcome) => {
      if (this.#onStop.delete(stopped)) done(outcome);
    };
    const stopped = () => finish(ifStopped);
    this.#onStop.add(stopped);
    unlessDamaged(() => begin(this.node, finish));
  }

  /**
   * Waits until clients have the answers that this node owes them, but no longer than an operation lives. The owner
   * lets no new requests in.
   *
   * @param whenIdle calls back once the node owes its clients nothing, perhaps within the call
   * @param done called once, within the call if the node is idle: it begins nothing more before it is stopped
   */
  drain(whenIdle: (idle: () => void) => void, done: () => void): void {
    let isOver = false;
    const end = () => {
      if (isOver) return;
      isOver = true;
      this.#ownersClock.cancel(timer);
      done();
    };
    const timer = this.#ownersClock.after(this.#limits.opLifeMs, end);
    whenIdle(end);
  }

  /** Ends it at once. Operations under way get no answer; `drain` waits for those. */
  stop(): void {
    this.#paused = undefined;
    this.node.stop();
    this.#clock.stop();
    for (const stopped of [...this.#onStop]) stopped();
  }
}

/** Messages of a node that has stopped go nowhere, and it gets no replies: late ones of a slow link neither. */
function untilStopped(transport: Transport<Request, Reply>, clock: StoppableClock): Transport<Request, Reply> {
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

/** A node whose store is damaged does not reply, and throws nothing at the network. Neither does one that has stopped. */
function receiverOf(node: StorageNode, clock: StoppableClock): Receive<Request, Reply> {
  return (from, request, reply) => {
    if (clock.isStopped) return;
    try {
      node.receive(from, request, reply);
    } catch (error) {
      leaveIfDamaged(error);
    }
  };
}
