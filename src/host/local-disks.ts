import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checkNodeState } from '../dynamo/node-state.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { Clock } from '../env/clock.ts';
import { DataDirectoryError } from '../env/cluster-file.ts';
import type { DataDirectory } from '../env/data-directory.ts';
import { newDiskId } from '../env/disk-id.ts';
import { LmdbStore } from '../env/lmdb-store.ts';
import type { LmdbStoreOptions } from '../env/lmdb-store-options.ts';
import type { Log } from '../env/log.ts';
import type { Store } from '../env/store.ts';
import { StoreDamagedError } from '../env/store-damage.ts';
import {
  type DiskIdentity,
  readIdentity,
  readLastStart,
  writeIdentity,
  writeLastStart,
} from '../peer/disk-identity.ts';
import { DiskWatch } from './disk-watch.ts';
import type { FileConfigRegister } from './file-config-register.ts';
import { type LocalNode, NO_DISK } from './local-nodes.ts';

/** A file that the user puts in a node's folder to accept what a damaged journal has left of its data. */
const ACCEPT_LOSS = 'accept-loss';

/** What the folder of a damaged disk is called once it is set aside: the node's id, then this. */
const DAMAGED = '.damaged';

interface NodeDisksParts {
  readonly directory: DataDirectory;
  readonly register: FileConfigRegister;
  readonly log: Log;
  readonly clock: Clock;
  readonly options: Pick<LmdbStoreOptions, 'durability' | 'lazyFlushMs'>;
}

/**
 * The disks of the nodes. It recognises each disk, and finds those that may have lost writes which they had
 * acknowledged. A node must not vote with a damaged disk: the disk is set aside, and the node begins on an empty one.
 * That has another id, and so no vote until the other nodes have brought it up to date.
 */
export class NodeDisks {
  readonly #parts: NodeDisksParts;
  /** Stores that are open and that no node has taken yet. */
  readonly #opened = new Map<NodeId, LmdbStore>();
  /** Why disks count as lost. */
  readonly #losses = new Map<NodeId, StoreDamagedError>();
  readonly #watch: DiskWatch;
  /** Counts the starts of the cluster, this one included. */
  readonly #start: number;
  /** Nodes whose losses the user has accepted. */
  readonly #accepted = new Set<NodeId>();

  constructor(parts: NodeDisksParts) {
    this.#parts = parts;
    this.#watch = new DiskWatch(parts.clock, parts.log);
    this.#start = (parts.register.record.starts ?? 0) + 1;
  }

  /**
   * Opens the disks of a cluster that was here before, and sets the damaged ones aside. If too few would be left, it
   * changes nothing.
   *
   * @throws DataDirectoryError if a disk holds another node's data, or too many have lost theirs
   */
  async openAll(nodes: readonly LocalNode[]): Promise<void> {
    for (const node of nodes) {
      if (node.diskId === NO_DISK) this.#losses.set(node.id, new StoreDamagedError('is missing or empty'));
      else await this.#openKnown(node);
    }
    this.checkVoters(nodes);
    for (const [id, { message }] of this.#losses) if (!this.#parts.directory.isBlank(id)) this.setAside(id, message);
    this.#losses.clear();
  }

  /** A store that `openAll` has opened, or a new one. @throws DataDirectoryError, StoreDamagedError */
  async take(id: NodeId): Promise<LmdbStore> {
    const store = this.#opened.get(id) ?? (await this.#open(id));
    this.#opened.delete(id);
    const path = this.#parts.directory.nodePath(id);
    store.onWritten = (refusal) => {
      if (refusal === undefined) this.#watch.taken(id);
      else this.#watch.refused(id, path, refusal);
    };
    return store;
  }

  /** A node has ended: nobody watches its disk until it is taken again. */
  release(id: NodeId): void {
    this.#watch.forget(id);
  }

  /** Closes the stores that no node has taken. */
  async close(): Promise<void> {
    this.#watch.stop();
    const stores = [...this.#opened.values()];
    this.#opened.clear();
    for (const store of stores) await store.close();
  }

  /** Why a node does not start on a damaged disk, and what the user can do. */
  refusalOf(id: NodeId, { message }: StoreDamagedError): string {
    const path = this.#parts.directory.nodePath(id);
    const remedy = `put its data back, or remove ${path} for the others to bring it back`;
    return `cannot start ${id}: its disk is damaged (${message}); ${remedy}`;
  }

  /** Why a node does not start on a disk that refuses writes. */
  unwritable(id: NodeId, { message }: Error): DataDirectoryError {
    return new DataDirectoryError(`cannot write in ${this.#parts.directory.nodePath(id)}: ${message}`);
  }

  /** Renames the folder of a damaged disk; an earlier one of that name is erased. The store has to be closed before. */
  setAside(id: NodeId, reason: string): void {
    const path = this.#parts.directory.nodePath(id);
    const isKept = moveAside(path, path + DAMAGED);
    this.#parts.log.error('a node has lost its disk, and begins on an empty one: the others bring it back', {
      node: id,
      path,
      reason,
      setAside: isKept ? path + DAMAGED : undefined,
    });
  }

  /**
   * Makes sure that a disk is the node's own. An empty disk gets a new identity: it is not the disk that voted before.
   *
   * @returns its disk id
   * @throws DataDirectoryError, StoreDamagedError
   */
  identify(id: NodeId, store: Store, { isBootstrap }: { readonly isBootstrap: boolean }): number {
    const { log, register } = this.#parts;
    const known = this.#known(id, store);
    writeLastStart(store, this.#start);
    if (known !== undefined) return known.diskId;
    const { clusterId, nodes } = register.record;
    const diskId = isBootstrap ? nodes.find(({ node }) => node === id)!.diskId : newDiskId();
    if (!isBootstrap) {
      log.warn('a node begins with an empty disk', { node: id });
      // The record first: a disk with another id than the record's would be refused at the next start.
      const renamed = nodes.map((member) => (member.node === id ? { node: id, diskId } : member));
      register.saveRoster(renamed);
    }
    writeIdentity(store, { clusterId, node: id, diskId });
    return diskId;
  }

  /** All disks durably have the number of this start. From now on a disk with an earlier number is an old copy. */
  noteStarted(): void {
    const { register } = this.#parts;
    register.save({ ...register.record, starts: this.#start });
  }

  /** @throws DataDirectoryError if so many disks were lost that some partition has no majority left */
  checkVoters(nodes: readonly LocalNode[]): void {
    const { directory, register } = this.#parts;
    const { configs } = register.record;
    const lost = nodes.filter(({ id, diskId }) =>
      configs.some(({ members }) => members.some((each) => each.node === id && each.diskId !== diskId)),
    );
    for (const config of configs) {
      const left = config.members.filter(({ node }) => !lost.some(({ id }) => id === node)).length;
      if (left > config.members.length / 2) continue;
      const names = lost.map(({ id }) => `${id} (${this.#losses.get(id)?.message ?? 'was replaced'})`).join(', ');
      const isRestLeft = lost.every(({ id }) => this.#losses.get(id)?.leavesRest === true);
      const remedy = isRestLeft
        ? `put it back, or make an empty file ${ACCEPT_LOSS} in the folder of each to go on with what is left`
        : 'put it back or begin a new data directory';
      throw new DataDirectoryError(
        `too few copies are left in ${directory.path}: data was lost by ${names}; ${remedy}`,
      );
    }
  }

  async #openKnown(node: LocalNode): Promise<void> {
    const { id } = node;
    let store: LmdbStore | undefined;
    try {
      store = await this.#open(id);
      this.#opened.set(id, store);
      if (this.#known(id, store) !== undefined) return;
      this.#losses.set(id, new StoreDamagedError('data.mdb has lost its contents'));
    } catch (error) {
      if (!(error instanceof StoreDamagedError)) throw error;
      this.#losses.set(id, error);
    }
    node.diskId = NO_DISK;
    this.#opened.delete(id);
    await store?.close();
  }

  async #open(id: NodeId): Promise<LmdbStore> {
    const { directory, log, options, register } = this.#parts;
    const path = directory.nodePath(id);
    const permission = join(path, ACCEPT_LOSS);
    const acceptsLoss = existsSync(permission);
    const owner = `${id} of cluster ${register.record.clusterId}`;
    let store: LmdbStore;
    try {
      store = new LmdbStore(path, { ...options, owner, acceptsLoss });
    } catch (error) {
      if (error instanceof StoreDamagedError) throw error;
      throw new DataDirectoryError(
        `cannot open the data in ${path}: ${error instanceof Error ? error.message : error}`,
      );
    }
    try {
      checkNodeState(store);
    } catch (error) {
      await store.close();
      throw error;
    }
    if (store.loss !== undefined) {
      const why = acceptsLoss
        ? `${ACCEPT_LOSS} was in its folder`
        : 'the machine was restarted, or is not known not to be';
      log.warn('a node may have lost writes that were acknowledged', { node: id, path, found: store.loss, why });
    }
    if (acceptsLoss) {
      this.#accepted.add(id);
      rmSync(permission);
    }
    return store;
  }

  /**
   * Reads the identity of a disk; undefined if it has none.
   *
   * @throws DataDirectoryError if it is the disk of something else, StoreDamagedError if it is an old copy
   */
  #known(id: NodeId, store: Store): DiskIdentity | undefined {
    const found = readIdentity(store);
    if (found === undefined) return undefined;
    const where = this.#parts.directory.nodePath(id);
    const { clusterId, nodes, starts = 0 } = this.#parts.register.record;
    const expected = nodes.find(({ node }) => node === id)?.diskId;
    if (found.clusterId !== clusterId) throw new DataDirectoryError(`${where} holds the data of another cluster`);
    if (found.node !== id) throw new DataDirectoryError(`${where} holds the data of ${found.node}, not of ${id}`);
    if (expected !== undefined && found.diskId !== expected) {
      throw new DataDirectoryError(`${where} holds data of ${id} from before its disk was replaced`);
    }
    const start = readLastStart(store);
    if (start >= starts) return found;
    const age = `it was last used with start ${start} of ${starts}`;
    if (!this.#accepted.has(id)) throw new StoreDamagedError(`is an old copy of itself: ${age}`, { leavesRest: true });
    this.#parts.log.warn('a node may have lost writes that were acknowledged', { node: id, path: where, found: age });
    return found;
  }
}

/** @returns false if the content was erased instead: a folder that is a mount point cannot be renamed */
function moveAside(path: string, aside: string): boolean {
  rmSync(aside, { recursive: true, force: true });
  try {
    renameSync(path, aside);
    return true;
  } catch (error) {
    if (!['EBUSY', 'EXDEV'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true, force: true });
    return false;
  }
}
