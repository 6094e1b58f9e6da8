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
import { crc32 } from 'node:zlib';
import { type DirectoryLock, isHeld, lockDirectory } from './directory-lock.ts';
import { migrateFromFormat2 } from './format-2.ts';
import { isDamage } from './lmdb-environment.ts';
import { lockName, type NameLock } from './name-lock.ts';

/** A node and the contents of its disk, which have a name of their own in its ballots and votes. */
interface NodeRecord {
  readonly node: string;
  readonly diskId: number;
}

/**
 * The one durable record of a cluster (docs/protocol.md section 8.1): what it was made with, who shall hold the ring,
 * and who was decided to vote on each partition.
 */
export interface ClusterRecord {
  /** Tells its nodes' data from those of other clusters. */
  readonly clusterId: string;
  /** Q */
  readonly partitions: number;
  /** N */
  readonly replication: number;
  /** How many nodes it was made with. */
  readonly firstNodes: number;
  /** The number of the last node that was made: those of removed nodes are not used again. */
  readonly lastNode: number;
  /** How often it was started with all its disks. Undefined: it was not counted yet. */
  readonly starts?: number;
  /** The number of the last attempt to change a config that was begun. */
  readonly lastAttempt: number;
  /** Who shall hold the ring; the configs follow, partition by partition. */
  readonly nodes: readonly NodeRecord[];
  /** By partition. */
  readonly configs: readonly {
    readonly partition: number;
    readonly epoch: number;
    readonly members: readonly NodeRecord[];
    readonly attempt: number;
  }[];
}

/** Where the nodes of one cluster keep their data. */
export interface DataDirectory {
  readonly path: string;
  /** The record of the cluster that bootstrapped here, as it was at the opening; undefined if none did. */
  readonly cluster: ClusterRecord | undefined;
  /** Where a node's LMDB environment is or shall be. `nodeId` is a file name. */
  nodePath(nodeId: string): string;
  /** The nodes of which there is anything, or was. */
  nodeIds(): string[];
  /** Whether there is nothing at all of a node: it is new, or its disk was lost or is not mounted. */
  isBlank(nodeId: string): boolean;
  /**
   * Replaces the record, durably and at once. The first time once all nodes have bootstrapped and flushed: from then on
   * this is the directory of that cluster. Throws `DataDirectoryError`.
   */
  saveCluster(cluster: ClusterRecord): void;
  /** Gives the directory up, and removes it if it is temporary. The stores in it have to be closed before. */
  close(): Promise<void>;
}

/** Why a data directory cannot be used: `message` is one line for the user. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
  /** A `Refusal` (config/config-error.ts), which this room does not know. */
  readonly kind = 'refusal';
}

/** Raised with each change that an older version would misread. */
const FORMAT_VERSION = 3;

/** The only earlier one that can be read: it is rewritten at its opening. */
const MIGRATED_VERSION = 2;

/**
 * Holds `formatVersion`, the `ClusterRecord`, and a CRC-32 of the record's JSON: a digit that has changed would be another epoch
 * or disk. First written when the cluster has bootstrapped.
 */
const CLUSTER_FILE = 'dynaring.json';

/** There while a cluster bootstraps: nothing in `NODES` was acknowledged to anybody yet. */
const BOOTSTRAP_FILE = 'dynaring-bootstrap';

/** What is made here is for its owner alone; what is there already stays as it is. */
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

/** The folder of the nodes. */
const NODES = 'nodes';
const NODE_ID = /^node-[1-9]\d*$/;

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
  let name: Promise<NameLock | undefined> = Promise.resolve(undefined);
  try {
    const { cluster, formatVersion } = readCluster(path);
    if (cluster !== undefined) name = Promise.resolve(await takeName(path, cluster));
    if (cluster === undefined) beginBootstrap(path);
    else checkShape(path, cluster, expected);
    if (cluster !== undefined && formatVersion === MIGRATED_VERSION) await migrate(path, cluster);
    return {
      path,
      cluster,
      nodePath: (nodeId) => join(path, NODES, nodeId),
      nodeIds: () =>
        (existsSync(join(path, NODES)) ? readdirSync(join(path, NODES)) : []).filter((each) => NODE_ID.test(each)),
      isBlank: (nodeId) => isBlank(join(path, NODES, nodeId)),
      saveCluster: (saved) => {
        // The file says that the nodes are there: so all of them must be on disk before it is, at any durability.
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

/** What a data directory is, for somebody who only looks. */
export interface DataDirectoryView {
  readonly path: string;
  readonly formatVersion: number;
  readonly cluster: ClusterRecord;
  /** Whether a process has it. */
  readonly isInUse: boolean;
  /** Of the nodes of which there is anything. */
  readonly nodes: readonly { readonly id: string; readonly folder: string }[];
}

/**
 * Looks into a data directory without taking or changing it; a server may run on it.
 *
 * @throws DataDirectoryError if it is none, or one that this version cannot read as it is
 */
export async function viewDataDirectory(userPath: string): Promise<DataDirectoryView> {
  const path = resolve(userPath);
  if (!existsSync(path)) throw new DataDirectoryError(`there is no data directory ${path}`);
  const { cluster, formatVersion } = readCluster(path);
  if (cluster === undefined) throw new DataDirectoryError(`${path} is no data directory: it has no ${CLUSTER_FILE}`);
  if (formatVersion !== FORMAT_VERSION) {
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

/** Whether a folder is not there or has nothing in it. */
export function isBlank(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw new DataDirectoryError(`cannot read ${path}: ${reasonOf(error)}`);
  }
}

function createDirectory(path: string): void {
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

/** Node's own `recursive` never returns where a directory exists and yet cannot have children, as /proc. */
function makeDirectories(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectories(parent);
  mkdirSync(path, DIRECTORY_MODE);
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

/** Of a cluster that is known: its id is told to nobody who cannot read the directory. */
async function takeName(path: string, { clusterId }: ClusterRecord): Promise<NameLock> {
  const { dev, ino } = statSync(path);
  const name = await lockName(`${clusterId} ${dev}:${ino}`);
  if (name === undefined) throw new DataDirectoryError(`the data directory ${path} is in use by another process`);
  return name;
}

interface Found {
  readonly cluster: ClusterRecord | undefined;
  readonly formatVersion?: number;
}

function readCluster(path: string): Found {
  const file = join(path, CLUSTER_FILE);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { cluster: undefined };
    throw new DataDirectoryError(`cannot read ${file}: ${reasonOf(error)}`);
  }
  const { formatVersion, checksum, ...cluster } = Object(parse(text)) as Partial<ClusterRecord> & {
    formatVersion?: unknown;
    checksum?: unknown;
  };
  const isKnown = formatVersion === FORMAT_VERSION || formatVersion === MIGRATED_VERSION;
  if (typeof formatVersion === 'number' && !isKnown) {
    const age = formatVersion > FORMAT_VERSION ? 'a newer' : 'an earlier';
    throw new DataDirectoryError(
      `the data directory ${path} has format ${formatVersion}, of ${age} version; this version knows ${FORMAT_VERSION}`,
    );
  }
  const isSound = formatVersion === MIGRATED_VERSION || checksum === checksumOf(cluster);
  if (isKnown && isSound && isRecord(cluster)) return { cluster, formatVersion };
  throw new DataDirectoryError(`${file} is damaged: it does not describe a cluster`);
}

/** JSON keeps the order of names, and every number of the record is a safe integer: it prints as it was. */
function checksumOf(cluster: object): number {
  return crc32(JSON.stringify(cluster));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(cluster: Partial<ClusterRecord>): cluster is ClusterRecord {
  const { clusterId, partitions, replication, firstNodes, lastNode, lastAttempt, starts = 0, nodes, configs } = cluster;
  // Their names are those of folders, which are removed with them.
  const areNodes = (list: readonly NodeRecord[]) =>
    Array.isArray(list) &&
    list.every((each) => NODE_ID.test(each?.node) && Number.isSafeInteger(each.diskId)) &&
    new Set(list.map(({ node }) => node)).size === list.length &&
    list.length >= replication!;
  return (
    typeof clusterId === 'string' &&
    [partitions, replication, firstNodes, lastNode, lastAttempt, starts].every(Number.isInteger) &&
    areNodes(nodes!) &&
    Array.isArray(configs) &&
    configs.length === partitions &&
    configs.every((config, i) => config?.partition === i && Number.isInteger(config.epoch) && areNodes(config.members))
  );
}

function checkShape(
  path: string,
  { partitions, replication, firstNodes, nodes }: ClusterRecord,
  expected: { readonly partitions: number; readonly replication: number; readonly nodes: number },
): void {
  // Nodes come and go while it runs; both numbers are right then.
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

/** The record says the new format when all nodes have it: until then the next opening begins again. */
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

function writeCluster(path: string, cluster: ClusterRecord): void {
  const whole = { formatVersion: FORMAT_VERSION, checksum: checksumOf(cluster), ...cluster };
  writeDurably(path, CLUSTER_FILE, `${JSON.stringify(whole)}\n`);
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
    writeFileSync(draft, text, { mode: FILE_MODE });
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
