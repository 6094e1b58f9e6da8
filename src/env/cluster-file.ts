import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

/** A node and its disk. Ballots and votes name the disk by `diskId`: a wiped disk is another one. */
interface NodeRecord {
  readonly node: string;
  readonly diskId: number;
}

/**
 * The one durable record of a cluster (docs/protocol.md section 8.1): what it was made with, who shall hold the ring,
 * and who was decided to vote on each partition.
 */
export interface ClusterRecord {
  /** Identifies the cluster: nodes' data of other clusters carry another id. */
  readonly clusterId: string;
  /** Q */
  readonly partitions: number;
  /** N */
  readonly replication: number;
  /** How many nodes the cluster was made with. */
  readonly firstNodes: number;
  /** The highest node number given out so far: the numbers of removed nodes are not used again. */
  readonly lastNode: number;
  /** How often the cluster was started with all its disks. Undefined: not counted yet. */
  readonly starts?: number;
  /** The number of the last attempt to change a config that was begun. */
  readonly lastAttempt: number;
  /** The nodes that shall hold the ring. The configs follow this roster partition by partition. */
  readonly nodes: readonly NodeRecord[];
  /** By partition. */
  readonly configs: readonly {
    readonly partition: number;
    readonly epoch: number;
    readonly members: readonly NodeRecord[];
    readonly attempt: number;
  }[];
}

/** Why a data directory cannot be used: `message` is one line for the user. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
  /** A `Refusal` (config/config-error.ts), which this room does not know. */
  readonly kind = 'refusal';
}

/** Raised with each change that an older version would misread. */
export const FORMAT_VERSION = 4;

/** The earliest format that can be read: its rows are rewritten when the directory is opened. */
export const MIGRATED_VERSION = 2;

/**
 * Has the same rows as format 4, but for records of tables with indexes, which have no derived part yet. So the directory
 * is only marked when it is opened; the router has such tables derived anew.
 */
export const UNDERIVED_VERSION = 3;

/**
 * Holds `formatVersion`, the `ClusterRecord`, and a CRC-32 of the record's JSON, because a digit that has changed would
 * name another epoch or disk. First written when the cluster has bootstrapped.
 */
export const CLUSTER_FILE = 'dynaring.json';

/** New files are for their owner alone; existing ones keep their permissions. */
const FILE_MODE = 0o600;

/** The names that nodes may have: those of their folders. */
export const NODE_ID = /^node-[1-9]\d*$/;

type Found = { readonly cluster: undefined } | { readonly cluster: ClusterRecord; readonly formatVersion: number };

/**
 * The record of a directory.
 *
 * @throws DataDirectoryError if it is damaged, or of a format that this version does not know
 */
export function readCluster(path: string): Found {
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
  const isKnown = ([MIGRATED_VERSION, UNDERIVED_VERSION, FORMAT_VERSION] as unknown[]).includes(formatVersion);
  if (typeof formatVersion === 'number' && !isKnown) {
    const age = formatVersion > FORMAT_VERSION ? 'a newer' : 'an earlier';
    throw new DataDirectoryError(
      `the data directory ${path} has format ${formatVersion}, of ${age} version; this version knows ${FORMAT_VERSION}`,
    );
  }
  const isSound = formatVersion === MIGRATED_VERSION || checksum === checksumOf(cluster);
  if (isKnown && isSound && isRecord(cluster)) return { cluster, formatVersion: formatVersion as number };
  throw new DataDirectoryError(`${file} is damaged: it does not describe a cluster`);
}

/**
 * Parsing and printing keep the JSON: it preserves the order of names, and all numbers of a record are safe integers.
 */
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
  // A node's name is that of its folder, which is deleted when the node is removed.
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

/** Replaces the record, atomically and durably. @throws DataDirectoryError */
export function writeCluster(path: string, cluster: ClusterRecord): void {
  const whole = { formatVersion: FORMAT_VERSION, checksum: checksumOf(cluster), ...cluster };
  writeDurably(path, CLUSTER_FILE, `${JSON.stringify(whole)}\n`);
}

/** After a crash the file has its old content or the new one, never a mixture. */
export function writeDurably(folder: string, name: string, text: string): void {
  const path = join(folder, name);
  const draft = `${path}.draft`;
  try {
    writeFileSync(draft, text, { mode: FILE_MODE });
    sync(draft);
    renameSync(draft, path);
    // A new name is on disk only when its directory is.
    sync(folder);
  } catch (error) {
    throw new DataDirectoryError(`cannot write in the data directory ${folder}: ${reasonOf(error)}`);
  }
}

/**
 * As `writeDurably`, without holding the event loop for as long as the disk takes. The caller writes one after the other.
 *
 * @throws DataDirectoryError
 */
export async function writeDurablyInBackground(folder: string, name: string, text: string): Promise<void> {
  const path = join(folder, name);
  const draft = `${path}.draft`;
  try {
    await writeAndSync(draft, 'w', text);
    await rename(draft, path);
    await writeAndSync(folder, 'r');
  } catch (error) {
    throw new DataDirectoryError(`cannot write in the data directory ${folder}: ${reasonOf(error)}`);
  }
}

async function writeAndSync(path: string, flags: 'w' | 'r', text?: string): Promise<void> {
  const file = await open(path, flags, FILE_MODE);
  try {
    if (text !== undefined) await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

export function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** `EACCES: permission denied`, without the call and the path: the sentence around it names the path. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/, \w+( '.*)?$/, '') : String(error);
}
