import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type DirectoryLock, lockDirectory } from './directory-lock.ts';

/** What cannot change in the life of a data directory. */
export interface ClusterShape {
  /** Q */
  readonly partitions: number;
  /** N */
  readonly replication: number;
  /** `diskId` names a disk's contents in its node's ballots and votes. That a node lost its data is told by its store. */
  readonly nodes: readonly { readonly id: string; readonly diskId: string }[];
}

/** Where the nodes of one cluster keep their data. */
export interface DataDirectory {
  readonly path: string;
  /** The cluster that bootstrapped here; undefined if none did. */
  readonly cluster: ClusterShape | undefined;
  /** Where a node's LMDB environment is or shall be. `nodeId` is a file name. */
  nodePath(nodeId: string): string;
  /** To be called once all nodes have bootstrapped and flushed: from then on this is the directory of that cluster. */
  saveCluster(cluster: ClusterShape): void;
  /** Gives the directory up, and removes it if it is temporary. The stores in it have to be closed before. */
  close(): Promise<void>;
}

/** Why a data directory cannot be used: `message` is one line for the user. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
}

/** Raised with each change that an older version would misread. */
const FORMAT_VERSION = 1;

/** Holds `formatVersion` and the `ClusterShape`. Written when the cluster has bootstrapped, never changed. */
const CLUSTER_FILE = 'dynaring.json';

/** There while a cluster bootstraps: nothing in `NODES` was acknowledged to anybody yet. */
const BOOTSTRAP_FILE = 'dynaring-bootstrap';

/** The folder of the nodes. */
const NODES = 'nodes';

/**
 * Opens the user's directory, or makes it, and keeps other processes out of it until `close`.
 *
 * @throws `DataDirectoryError`: it cannot be used, or was made by a cluster of another shape than `expected`
 */
export async function openDataDirectory(
  userPath: string,
  expected: { readonly partitions: number; readonly replication: number; readonly nodes: number },
): Promise<DataDirectory> {
  const path = resolve(userPath);
  createDirectory(path);
  const lock = await takeLock(path);
  try {
    const cluster = readCluster(path);
    if (cluster === undefined) beginBootstrap(path);
    else checkShape(path, cluster, expected);
    return {
      path,
      cluster,
      nodePath: (nodeId) => join(path, NODES, nodeId),
      saveCluster: (saved) => {
        // The file says that the nodes are there: so all of them must be on disk before it is, at any durability.
        if (existsSync(join(path, NODES))) syncFolder(join(path, NODES));
        writeDurably(
          path,
          CLUSTER_FILE,
          `${JSON.stringify({ formatVersion: FORMAT_VERSION, ...saved }, undefined, 2)}\n`,
        );
        rmSync(join(path, BOOTSTRAP_FILE), { force: true });
      },
      close: () => lock.release(),
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function createDirectory(path: string): void {
  try {
    makeDirectories(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || code === 'ENOTDIR') throw new DataDirectoryError(`${path} is not a directory`);
    throw new DataDirectoryError(`cannot create the data directory ${path}: ${reasonOf(error)}`);
  }
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new DataDirectoryError(`cannot write in the data directory ${path}: ${reasonOf(error)}`);
  }
}

/** Node's own `recursive` never returns where a directory exists and yet cannot have children, as /proc. */
function makeDirectories(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectories(parent);
  mkdirSync(path);
}

async function takeLock(path: string): Promise<DirectoryLock> {
  let lock: DirectoryLock | undefined;
  try {
    lock = await lockDirectory(path);
  } catch (error) {
    throw new DataDirectoryError(`cannot lock the data directory ${path}: ${reasonOf(error)}`);
  }
  if (lock === undefined) throw new DataDirectoryError(`the data directory ${path} is in use by another process`);
  return lock;
}

function readCluster(path: string): ClusterShape | undefined {
  const file = join(path, CLUSTER_FILE);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new DataDirectoryError(`cannot read ${file}: ${reasonOf(error)}`);
  }
  const { formatVersion, ...cluster } = Object(parse(text)) as Partial<ClusterShape> & { formatVersion?: unknown };
  if (typeof formatVersion === 'number' && formatVersion > FORMAT_VERSION) {
    throw new DataDirectoryError(
      `the data directory ${path} has format ${formatVersion}, of a newer version; this version knows ${FORMAT_VERSION}`,
    );
  }
  if (formatVersion === FORMAT_VERSION && isShape(cluster)) return cluster;
  throw new DataDirectoryError(`${file} is damaged: it does not describe a cluster`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isShape(cluster: Partial<ClusterShape>): cluster is ClusterShape {
  const { partitions, replication, nodes } = cluster;
  return (
    Number.isInteger(partitions) &&
    Number.isInteger(replication) &&
    Array.isArray(nodes) &&
    nodes.every((node) => typeof node?.id === 'string' && typeof node?.diskId === 'string')
  );
}

function checkShape(
  path: string,
  cluster: ClusterShape,
  expected: { readonly partitions: number; readonly replication: number; readonly nodes: number },
): void {
  const mismatches = [
    { flag: '--partitions', has: cluster.partitions, asked: expected.partitions },
    { flag: '--replication', has: cluster.replication, asked: expected.replication },
    { flag: '--nodes', has: cluster.nodes.length, asked: expected.nodes },
  ].filter(({ has, asked }) => has !== asked);
  if (mismatches.length === 0) return;
  const has = mismatches.map((each) => `${each.flag} ${each.has}`).join(' ');
  const asked = mismatches.map((each) => `${each.flag} ${each.asked}`).join(' ');
  throw new DataDirectoryError(`the data directory ${path} was made with ${has}: it cannot be opened with ${asked}`);
}

/** Clears a bootstrap away that did not end; refuses nodes of which nothing says that they may be cleared away. */
function beginBootstrap(path: string): void {
  const nodes = join(path, NODES);
  const isUnfinished = existsSync(join(path, BOOTSTRAP_FILE));
  if (!isUnfinished && existsSync(nodes)) {
    throw new DataDirectoryError(`the data directory ${path} has ${NODES} but no ${CLUSTER_FILE}: it is incomplete`);
  }
  if (isUnfinished) rmSync(nodes, { recursive: true, force: true });
  else writeDurably(path, BOOTSTRAP_FILE, '');
}

/** After a crash the file has its old content or the new one, never part of it. */
function writeDurably(folder: string, name: string, text: string): void {
  const path = join(folder, name);
  const draft = `${path}.draft`;
  try {
    writeFileSync(draft, text);
    sync(draft);
    renameSync(draft, path);
    // A new name is on disk when its directory is.
    sync(folder);
  } catch (error) {
    throw new DataDirectoryError(`cannot write in the data directory ${folder}: ${reasonOf(error)}`);
  }
}

/** Puts a folder with all that is in it on disk. */
function syncFolder(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) syncFolder(inner);
    else if (entry.isFile()) sync(inner);
  }
  sync(path);
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** `EACCES: permission denied`: without the call and the path, which the sentence around it names. */
function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/, \w+( '.*)?$/, '') : String(error);
}
