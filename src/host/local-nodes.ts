import type { NodeId } from '../dynamo/ring.ts';
import { RingError } from '../dynamo/ring-error.ts';
import type { LmdbStore } from '../env/lmdb-store.ts';
import type { Peer } from '../peer/peer.ts';
import type { NodeDescription } from '../peer/ring-description.ts';

/** A node of this process, whether it runs or not. */
export interface LocalNode {
  readonly id: NodeId;
  /** The disk it has, or had when it ran last; `NO_DISK` if that is lost. */
  diskId: number;
  /** Undefined while it is stopped. */
  running: { readonly peer: Peer; readonly store: LmdbStore } | undefined;
  /** Settles when everything that was asked to be done to the node so far is done. */
  turn: Promise<unknown>;
}

/** The id of no disk. */
export const NO_DISK = -1;

/** The nodes of this process. */
export class LocalNodes {
  readonly #nodes = new Map<NodeId, LocalNode>();

  add(id: NodeId, diskId: number): LocalNode {
    const node: LocalNode = { id, diskId, running: undefined, turn: Promise.resolve() };
    this.#nodes.set(id, node);
    return node;
  }

  remove(id: NodeId): void {
    this.#nodes.delete(id);
  }

  find(id: NodeId): LocalNode | undefined {
    return this.#nodes.get(id);
  }

  /** @throws RingError if there is none of that id */
  get(id: NodeId): LocalNode {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new RingError(`there is no ${id} in the ring`);
    return node;
  }

  /** The peer of a node, if the node is there and runs. */
  peerOf(id: NodeId): Peer | undefined {
    return this.#nodes.get(id)?.running?.peer;
  }

  get all(): readonly LocalNode[] {
    return [...this.#nodes.values()];
  }

  /** The nodes that run, paused ones too. */
  get peers(): readonly Peer[] {
    return this.all.flatMap(({ running }) => (running === undefined ? [] : [running.peer]));
  }

  /** The nodes that run and are not paused. */
  get activePeers(): readonly Peer[] {
    return this.peers.filter((peer) => !peer.isPaused);
  }

  describe(): readonly NodeDescription[] {
    return this.all.map(({ id, running }) => running?.peer.describe() ?? { id, state: 'stopped', status: undefined });
  }
}
