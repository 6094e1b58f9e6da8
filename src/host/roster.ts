import { type Rebalancer, withNode, withoutNode } from '../dynamo/epochs/rebalancer.ts';
import type { StorageNode } from '../dynamo/node.ts';
import type { NodeId } from '../dynamo/ring.ts';
import { RingError } from '../dynamo/ring-error.ts';
import type { Clock } from '../env/clock.ts';
import type { DataDirectory } from '../env/data-directory.ts';
import { newDiskId } from '../env/disk-id.ts';
import type { Log } from '../env/log.ts';
import type { FileConfigRegister } from './file-config-register.ts';
import { nodeId } from './found-cluster.ts';
import { type LocalNode, type LocalNodes, NO_DISK } from './local-nodes.ts';
import type { NodeSupervisor } from './node-supervisor.ts';
import type { RingLifetime } from './ring-lifetime.ts';

/** How long a node that leaves may take to hand off what only it has, which is seldom anything. */
const HAND_OFF_MS = 10_000;
const HAND_OFF_POLL_MS = 5;

interface RosterParts {
  readonly directory: DataDirectory;
  readonly register: FileConfigRegister;
  readonly nodes: LocalNodes;
  readonly supervisor: NodeSupervisor;
  readonly rebalancer: Rebalancer;
  readonly lifetime: RingLifetime;
  readonly clock: Clock;
  readonly log: Log;
}

/** Which nodes hold the ring: adds them and removes them, and has their partitions moved. */
export class Roster {
  readonly #parts: RosterParts;

  constructor(parts: RosterParts) {
    this.#parts = parts;
  }

  /** Adds a node with an empty disk. If it cannot start, there is no such node. @returns its id */
  async add(): Promise<NodeId> {
    const { directory, register, nodes, supervisor, lifetime } = this.#parts;
    lifetime.checkOpen();
    const lastNode = register.record.lastNode + 1;
    const id = nodeId(lastNode);
    if (!directory.isBlank(id)) {
      throw new RingError(`${directory.nodePath(id)} is in the way of a new node: it was not made by this ring`);
    }
    const roster = withNode(register.record.nodes, { node: id, diskId: newDiskId() });
    register.save({ ...register.record, lastNode, nodes: roster });
    nodes.add(id, NO_DISK);
    try {
      await supervisor.start(id);
    } catch (error) {
      register.saveRoster(register.record.nodes.filter(({ node }) => node !== id));
      nodes.remove(id);
      throw error;
    } finally {
      this.settleInBackground();
    }
    return id;
  }

  /**
   * Moves a node's partitions to the others, then ends it.
   *
   * @throws RingError if there is no such node, or too few would be left
   */
  async remove(id: NodeId): Promise<void> {
    const { register, lifetime } = this.#parts;
    lifetime.checkOpen();
    register.saveRoster(withoutNode(register.record.nodes, id, register.record.replication));
    await this.settled();
  }

  /** Resolves when every partition has the members that it should have, and nodes that were removed have ended. */
  async settled(): Promise<void> {
    const { register, nodes, supervisor, rebalancer, lifetime } = this.#parts;
    await lifetime.untilClosed<void>((resolve) => rebalancer.rebalance(resolve));
    const { nodes: roster, configs } = register.record;
    const holders = new Set([...roster, ...configs.flatMap(({ members }) => members)].map(({ node }) => node));
    for (const { id } of nodes.all.filter((node) => !holders.has(node.id))) {
      await supervisor.dismiss(id, (node) => this.#handedOff(node));
    }
  }

  settleInBackground(): void {
    this.settled().catch((error: unknown) => {
      if (this.#parts.lifetime.isClosed) return;
      this.#parts.log.error('a node that was removed could not be ended', { error });
    });
  }

  /** Waits until a node has handed off what it held. In `dynamo` mode a hint may be all that there is of a write. */
  async #handedOff(node: LocalNode): Promise<void> {
    const { register, clock } = this.#parts;
    const { running } = node;
    if (running === undefined) return;
    const giveUpMs = clock.elapsedMs() + HAND_OFF_MS;
    const isEmpty = (storage: StorageNode) =>
      storage.status().hints === 0 && register.record.configs.every(({ partition }) => !storage.holdsAnyOf(partition));
    while (node.running === running && !isEmpty(running.peer.node) && clock.elapsedMs() < giveUpMs) {
      await new Promise<void>((resolve) => clock.after(HAND_OFF_POLL_MS, resolve));
    }
  }
}
