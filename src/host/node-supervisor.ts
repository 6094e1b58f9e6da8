import { rm } from 'node:fs/promises';
import type { Member } from '../dynamo/messages.ts';
import type { NodeId } from '../dynamo/ring.ts';
import { RingError } from '../dynamo/ring-error.ts';
import type { Clock } from '../env/clock.ts';
import { DataDirectoryError } from '../env/cluster-file.ts';
import type { DataDirectory } from '../env/data-directory.ts';
import type { LmdbStore } from '../env/lmdb-store.ts';
import type { Log } from '../env/log.ts';
import type { Random } from '../env/random.ts';
import { StoreDamagedError } from '../env/store-damage.ts';
import { openPeer } from '../peer/open-peer.ts';
import type { FileConfigRegister } from './file-config-register.ts';
import { numberOf } from './found-cluster.ts';
import type { Links } from './links.ts';
import type { NodeDisks } from './local-disks.ts';
import { type LocalNode, type LocalNodes, NO_DISK } from './local-nodes.ts';
import type { LocalRingSettings } from './local-ring-settings.ts';
import type { MoveLeader } from './move-leader.ts';
import type { RingHealer } from './ring-healer.ts';
import type { RingLifetime } from './ring-lifetime.ts';
import type { RingObserver } from './ring-observer.ts';

interface NodeSupervisorParts {
  readonly settings: LocalRingSettings;
  readonly directory: DataDirectory;
  readonly register: FileConfigRegister;
  readonly disks: NodeDisks;
  readonly nodes: LocalNodes;
  readonly links: Links;
  readonly leader: MoveLeader;
  readonly healer: RingHealer;
  readonly lifetime: RingLifetime;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly observer: RingObserver | undefined;
  /** A node has lost its disk by itself, and runs on an empty one or has stopped: partitions have to move. */
  readonly onDiskLost: () => void;
}

/** Starts and stops the nodes of this process on their disks, and replaces disks that are lost. */
export class NodeSupervisor {
  readonly #parts: NodeSupervisorParts;

  constructor(parts: NodeSupervisorParts) {
    this.#parts = parts;
  }

  /**
   * Starts all nodes of the record on their disks.
   *
   * @throws DataDirectoryError if a disk holds another node's data, or too many have lost theirs
   */
  async openAll(): Promise<void> {
    const { directory, disks, nodes, register } = this.#parts;
    const isBootstrap = directory.cluster === undefined;
    const { nodes: roster, configs, lastNode } = register.record;
    // A node that is being removed still holds partitions.
    for (const { node, diskId } of [...roster, ...configs.flatMap(({ members }) => members)]) {
      if (nodes.find(node) !== undefined) continue;
      const isLost = !isBootstrap && directory.isBlank(node);
      nodes.add(node, isLost ? NO_DISK : diskId);
    }
    // A node that was removed may have ended before it had handed off what only it had.
    for (const node of isBootstrap ? [] : directory.nodeIds()) {
      const isRemoved = nodes.find(node) === undefined && numberOf(node) <= lastNode;
      if (isRemoved && !directory.isBlank(node)) nodes.add(node, NO_DISK);
    }
    // Before any disk gets a new id: until then, what is missing can be put back.
    if (!isBootstrap) await disks.openAll(nodes.all);
    for (const node of nodes.all) await this.#start(node, { isBootstrap });
    // Only when every node durably has its votes may a later start take their absence for a lost disk.
    disks.noteStarted();
    disks.checkVoters(nodes.all);
  }

  /** @throws RingError if it runs */
  async start(id: NodeId): Promise<void> {
    const node = this.#nodeOf(id);
    await this.#inTurn(node, async () => {
      this.#nodeOf(id);
      if (node.running !== undefined) throw new RingError(`${id} is running`);
      await this.#start(node);
    });
  }

  /** Ends a node in order; what it has stays on its disk. @throws RingError if it does not run */
  async stop(id: NodeId): Promise<void> {
    const node = this.#nodeOf(id);
    await this.#inTurn(node, async () => {
      if (node.running === undefined) throw new RingError(`${id} has stopped already`);
      await this.#drain(node);
      await this.#shutDown(node);
    });
  }

  /** Erases a node's disk and starts it on an empty one. @throws RingError if the others could not bring it back */
  async wipe(id: NodeId): Promise<void> {
    const node = this.#nodeOf(id);
    await this.#inTurn(node, async () => {
      this.#nodeOf(id);
      if (!this.#canLose(id)) {
        throw new RingError(`${id} cannot lose its disk: too few copies would be left to bring it back`);
      }
      await this.#shutDown(node);
      await this.#erase(id);
      await this.#start(node);
    });
  }

  /**
   * Ends a node that has left the ring, and erases its disk.
   *
   * @param handedOff resolves when what only this node had is elsewhere, or is given up
   */
  async dismiss(id: NodeId, handedOff: (node: LocalNode) => Promise<void>): Promise<void> {
    const { nodes, lifetime } = this.#parts;
    const node = nodes.find(id);
    if (node === undefined) return;
    await this.#inTurn(node, async () => {
      await handedOff(node);
      // Another call has dismissed it; or the ring is closed, and it can hand off more at the next start.
      if (nodes.find(id) !== node || lifetime.isClosed) return;
      await this.#drain(node);
      await this.#shutDown(node);
      nodes.remove(id);
      await this.#erase(id);
    });
  }

  /** Stops all nodes and closes their stores. @returns what was thrown meanwhile */
  async closeAll(): Promise<readonly unknown[]> {
    const failures: unknown[] = [];
    for (const node of this.#parts.nodes.all) {
      await this.#inTurn(node, () => this.#shutDown(node)).catch((error: unknown) => failures.push(error));
    }
    return failures;
  }

  async #start(node: LocalNode, { isBootstrap } = { isBootstrap: false }): Promise<void> {
    const { settings, register, disks, links, healer, clock, random, log, observer } = this.#parts;
    const { id } = node;
    const store = await this.#takeDisk(id);
    try {
      node.diskId = disks.identify(id, store, { isBootstrap });
      const peer = await openPeer({
        id,
        diskId: node.diskId,
        ring: register.record.configs,
        isBootstrap,
        onHint: observer?.hintKept.bind(observer, id),
        settings,
        store,
        env: { clock, random, log },
        transport: links.transport(id),
        unwritable: (error) => disks.unwritable(id, error),
      });
      // Its boot number and its votes must not come back as they were, even if flushes promise nothing.
      if (settings.dataDir !== undefined) await store.settle();
      peer.node.setLags(healer.lagsInForce);
      node.running = { peer, store };
      store.onDamaged = (damage) => this.#replaceDisk(node, store, damage);
      links.connect(peer);
      peer.node.startBackground();
    } catch (error) {
      await store.close();
      if (!(error instanceof StoreDamagedError)) throw error;
      throw new DataDirectoryError(disks.refusalOf(id, error));
    }
  }

  /** The disk of a node that starts: an empty one if its own is damaged and the others can bring it back. */
  async #takeDisk(id: NodeId): Promise<LmdbStore> {
    const { disks } = this.#parts;
    try {
      return await disks.take(id);
    } catch (error) {
      if (!(error instanceof StoreDamagedError)) throw error;
      if (!this.#canLose(id)) throw new RingError(disks.refusalOf(id, error));
      disks.setAside(id, error.message);
      return disks.take(id);
    }
  }

  /**
   * The disk of a running node is damaged. The node goes on with an empty one, or ends if the others could not bring it
   * back.
   */
  #replaceDisk(node: LocalNode, store: LmdbStore, { message }: StoreDamagedError): void {
    const { directory, disks, lifetime, log, onDiskLost } = this.#parts;
    const { id } = node;
    const replace = async () => {
      if (node.running?.store !== store) return;
      await this.#shutDown(node).catch((error: unknown) =>
        log.warn('could not close a damaged store', { node: id, error }),
      );
      if (lifetime.isClosed) return;
      if (this.#canLose(id)) {
        disks.setAside(id, message);
        await this.#start(node);
        return;
      }
      const path = directory.nodePath(id);
      const what = 'a node has stopped: its disk is damaged, and too few copies are left to replace it';
      log.error(what, { node: id, path, reason: message });
    };
    this.#inTurn(node, replace).then(onDiskLost, (error: unknown) =>
      log.error('a node has stopped: its disk is damaged and could not be replaced', { node: id, error }),
    );
  }

  /** Whether every partition would keep a majority of members that vote, without this node. */
  #canLose(id: NodeId): boolean {
    const { nodes, register } = this.#parts;
    const hasVote = ({ node }: Member, partition: number) =>
      node !== id && nodes.peerOf(node)?.node.votingConfig(partition) !== undefined;
    return register.record.configs.every(
      ({ members, partition }) => members.filter((member) => hasVote(member, partition)).length > members.length / 2,
    );
  }

  /** Lets a node answer what it was asked. */
  async #drain({ id, running }: LocalNode): Promise<void> {
    const { links } = this.#parts;
    links.withdraw(id);
    if (running === undefined) return;
    await new Promise<void>((resolve) => running.peer.drain((idle) => links.client.whenIdle(id, idle), resolve));
  }

  async #shutDown(node: LocalNode): Promise<void> {
    const { disks, links, leader } = this.#parts;
    const { running, id } = node;
    if (running === undefined) return;
    node.running = undefined;
    disks.release(id);
    links.disconnect(id);
    running.peer.stop();
    leader.giveUp(id);
    await running.store.close();
  }

  async #erase(id: NodeId): Promise<void> {
    await rm(this.#parts.directory.nodePath(id), { recursive: true, force: true });
  }

  /** @throws RingError if the ring is closed, or there is no such node */
  #nodeOf(id: NodeId): LocalNode {
    this.#parts.lifetime.checkOpen();
    return this.#parts.nodes.get(id);
  }

  /** Does something to a node once everything that was asked before is done. */
  #inTurn(node: LocalNode, work: () => Promise<void>): Promise<void> {
    const turn = node.turn.then(work, work);
    node.turn = turn;
    return turn;
  }
}
