import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  CLUSTER_FILE,
  type ClusterRecord,
  DataDirectoryError,
  FORMAT_VERSION,
  MIGRATED_VERSION,
  NODE_ID,
  readCluster,
  reasonOf,
  sync,
  UNDERIVED_VERSION,
  writeCluster,
  writeDurably,
} from './cluster-file.ts';
import { type DirectoryLock, isHeld, lockDirectory } from './directory-lock.ts';
import { migrateFromFormat2 } from './format-2.ts';
import { isDamage } from './lmdb-environment.ts';
import { lockName, type NameLock } from './name-lock.ts';
import { PEER_FILE } from './peer-file.ts';

/** Where the nodes of one cluster keep their data. */
export interface DataDirectory {
  readonly path: string;
  /**
   * The record of the cluster that bootstrapped here, as it was when the directory was opened; undefined if none did.
   */
  readonly cluster: ClusterRecord | undefined;
  /** The folder of a node's LMDB environment, which may not exist yet. `nodeId` is a file name. */
  nodePath(nodeId: string): string;
  /** The nodes that have a folder here, even an empty one. */
  nodeIds(): string[];
  /** Whether a node's folder is missing or empty: the node is new, or its disk was lost or is not mounted. */
  isBlank(nodeId: string): boolean;
  /**
   * Replaces the record, atomically and durably. The first call comes when all nodes have bootstrapped and flushed:
   * from then on this is the directory of that cluster. Throws `DataDirectoryError`.
   */
  saveCluster(cluster: ClusterRecord): void;
  /** Releases the directory, and removes it if it is temporary. The stores in it must be closed before. */
  close(): Promise<void>;
}

/** Exists while a cluster bootstraps: nothing in `NODES` has been acknowledged to anybody yet. */
const BOOTSTRAP_FILE = 'dynaring-bootstrap';

/** New folders are for their owner alone; existing ones keep their permissions. */
const DIRECTORY_MODE = 0o700;

/** The folder that holds a folder for each node. */
const NODES = 'nodes';

/**
 * Opens the user's directory, or makes it, and keeps other processes out of it until `close`.
 *
 * @throws `DataDirectoryError`: the directory cannot be used, or was made by a cluster of another shape than `expected`
 */
export async function openDataDirectory(
  userPath: string,
  expected: { readonly partitions: number; readonly replication: number; readonly nodes: number },
): Promise<DataDirectory> {
  const path = resolve(userPath);
  createDirectory(path);
  refusePeerDirectory(path);
  const lock = await takeLock(path);
  let name: Promise<NameLock | undefined> = Promise.resolve(undefined);
  try {
    const stored = readCluster(path);
    const { cluster } = stored;
    if (cluster !== undefined) name = Promise.resolve(await takeName(path, cluster));
    if (cluster === undefined) beginBootstrap(path);
    else checkShape(path, cluster, expected);
    if (stored.cluster !== undefined) await renew(path, stored.cluster, stored.formatVersion);
    return {
      path,
      cluster,
      nodePath: (nodeId) => join(path, NODES, nodeId),
      nodeIds: () =>
        (existsSync(join(path, NODES)) ? readdirSync(join(path, NODES)) : []).filter((each) => NODE_ID.test(each)),
      isBlank: (nodeId) => isBlank(join(path, NODES, nodeId)),
      saveCluster: (saved) => {
        // The file claims that the nodes exist, so they must all be on disk before it is, whatever the durability.
        const isFirst = existsSync(join(path, BOOTSTRAP_FILE));
        if (isFirst && existsSync(join(path, NODES))) syncFolder(join(path, NODES));
        writeCluster(path, saved);
        if (!isFirst) return;
        rmSync(join(path, BOOTSTRAP_FILE), { force: true });
        name = takeName(path, saved).catch(() => undefined);
      },
      close: async () => {
        await (await name)?.release();
        await lock.release();
      },
    };
  } catch (error) {
    await (await name)?.release();
    await lock.release();
    throw error;
  }
}

/** @throws DataDirectoryError if the directory is that of one node of a cluster of several processes */
function refusePeerDirectory(path: string): void {
  if (!existsSync(join(path, PEER_FILE))) return;
  throw new DataDirectoryError(
    `the data directory ${path} is that of one node of several: it is started with dynaring serve --data-dir`,
  );
}

/** Describes a data directory to a reader that does not take it. */
export interface DataDirectoryView {
  readonly path: string;
  readonly formatVersion: number;
  readonly cluster: ClusterRecord;
  /** Whether a process holds the directory. */
  readonly isInUse: boolean;
  /** The nodes whose folder is not empty, by number. */
  readonly nodes: readonly { readonly id: string; readonly folder: string }[];
}

/**
 * Looks into a data directory without taking or changing it. A server may be running on it.
 *
 * @throws DataDirectoryError if it is no data directory, or one that this version can read only after a rewrite
 */
export async function viewDataDirectory(userPath: string): Promise<DataDirectoryView> {
  const path = resolve(userPath);
  if (!existsSync(path)) throw new DataDirectoryError(`there is no data directory ${path}`);
  const stored = readCluster(path);
  if (stored.cluster === undefined) {
    throw new DataDirectoryError(`${path} is no data directory: it has no ${CLUSTER_FILE}`);
  }
  const { cluster, formatVersion } = stored;
  if (formatVersion === MIGRATED_VERSION) {
    throw new DataDirectoryError(
      `the data directory ${path} has format ${formatVersion}: start a server on it once, which rewrites it`,
    );
  }
  const folders = existsSync(join(path, NODES)) ? readdirSync(join(path, NODES)) : [];
  const nodes = folders
    .filter((id) => NODE_ID.test(id) && !isBlank(join(path, NODES, id)))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .map((id) => ({ id, folder: join(path, NODES, id) }));
  return { path, formatVersion, cluster, isInUse: await isHeld(path, { leavesDead: true }), nodes };
}

/** Whether a folder is missing or empty. */
export function isBlank(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw new DataDirectoryError(`cannot read ${path}: ${reasonOf(error)}`);
  }
}

/** Makes a directory, unless it is there. @throws DataDirectoryError if nothing can be written in it */
export function createDirectory(path: string): void {
  try {
    makeDirectories(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || code === 'ENOTDIR')
      throw new DataDirectoryError(`the data directory ${path} is not a directory`);
    throw new DataDirectoryError(`cannot create the data directory ${path}: ${reasonOf(error)}`);
  }
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new DataDirectoryError(`cannot write in the data directory ${path}: ${reasonOf(error)}`);
  }
}

/** Node's own `recursive` never returns where a directory exists but cannot have children, as in /proc. */
function makeDirectories(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectories(parent);
  mkdirSync(path, DIRECTORY_MODE);
}

/** @throws DataDirectoryError if another process has the directory */
export async function takeLock(path: string): Promise<DirectoryLock> {
  let lock: DirectoryLock | undefined;
  try {
    lock = await lockDirectory(path);
  } catch (error) {
    throw new DataDirectoryError(`cannot lock the data directory ${path}: ${reasonOf(error)}`);
  }
  if (lock === undefined) throw new DataDirectoryError(`the data directory ${path} is in use by another process`);
  return lock;
}

/**
 * Locks a name that only readers of the directory know, since it is made of the cluster's id. Only for a known cluster.
 */
async function takeName(path: string, { clusterId }: ClusterRecord): Promise<NameLock> {
  const { dev, ino } = statSync(path);
  const name = await lockName(`${clusterId} ${dev}:${ino}`);
  if (name === undefined) throw new DataDirectoryError(`the data directory ${path} is in use by another process`);
  return name;
}

function checkShape(
  path: string,
  { partitions, replication, firstNodes, nodes }: ClusterRecord,
  expected: { readonly partitions: number; readonly replication: number; readonly nodes: number },
): void {
  // Nodes come and go while a cluster runs, so both the first and the present number are right.
  const has = expected.nodes === nodes.length ? nodes.length : firstNodes;
  const mismatches = [
    { flag: '--partitions', has: partitions, asked: expected.partitions },
    { flag: '--replication', has: replication, asked: expected.replication },
    { flag: '--nodes', has, asked: expected.nodes },
  ].filter((each) => each.has !== each.asked);
  if (mismatches.length === 0) return;
  const made = mismatches.map((each) => `${each.flag} ${each.has}`).join(' ');
  const asked = mismatches.map((each) => `${each.flag} ${each.asked}`).join(' ');
  throw new DataDirectoryError(`the data directory ${path} was made with ${made}: it cannot be opened with ${asked}`);
}

/** Brings a directory of an earlier format to the present one, before anything is written that the earlier one would misread. */
async function renew(path: string, cluster: ClusterRecord, formatVersion: number): Promise<void> {
  if (formatVersion === MIGRATED_VERSION) await migrate(path, cluster);
  else if (formatVersion === UNDERIVED_VERSION) writeCluster(path, cluster);
}

/** The record gets the new format when all nodes have it. After a crash before that, the next opening begins again. */
async function migrate(path: string, cluster: ClusterRecord): Promise<void> {
  const names = existsSync(join(path, NODES)) ? readdirSync(join(path, NODES)) : [];
  for (const name of names) {
    const node = join(path, NODES, name);
    if (!NODE_ID.test(name) || isBlank(node)) continue;
    try {
      await migrateFromFormat2(node);
    } catch (error) {
      const remedy = isDamage(error) ? '; put it back, or remove that folder for the others to bring it back' : '';
      throw new DataDirectoryError(
        `cannot rewrite the data in ${node} in format ${FORMAT_VERSION}: ${reasonOf(error)}${remedy}`,
      );
    }
  }
  writeCluster(path, cluster);
}

/**
 * Removes what an unfinished bootstrap has left. Refuses a directory with nodes that no unfinished bootstrap explains.
 */
function beginBootstrap(path: string): void {
  const nodes = join(path, NODES);
  const isUnfinished = existsSync(join(path, BOOTSTRAP_FILE));
  if (!isUnfinished && existsSync(nodes)) {
    throw new DataDirectoryError(`the data directory ${path} has ${NODES} but no ${CLUSTER_FILE}: it is incomplete`);
  }
  if (isUnfinished) rmSync(nodes, { recursive: true, force: true });
  else writeDurably(path, BOOTSTRAP_FILE, '');
}

/** Syncs a folder and everything in it. */
function syncFolder(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) syncFolder(inner);
    else if (entry.isFile()) sync(inner);
  }
  sync(path);
}
