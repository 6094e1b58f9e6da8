/** A founder of a cluster: its name, and the disk that it had then. */
export interface Founder {
  readonly name: string;
  /** 48 bits. */
  readonly diskId: number;
}

/** What is decided when a cluster of several processes is founded, once and for ever. */
export interface FoundedCluster {
  /** Random. */
  readonly clusterId: string;
  /** Q */
  readonly partitions: number;
  /** N */
  readonly replication: number;
  /** The version of how keys and Merkle trees are laid out: all nodes have the same. */
  readonly layout: number;
  /** All founders, by name. The first one has led the founding. */
  readonly members: readonly Founder[];
}

/** What `dynaring init` has written: this disk may found a cluster with these others, and with no others. */
export interface FoundingRight {
  /** The names of all founders, this one included, in ascending order. */
  readonly founders: readonly string[];
  /** Q */
  readonly partitions: number;
  /** N */
  readonly replication: number;
}

/**
 * What a disk is to a cluster of several processes, durably.
 *
 * - `new`: it may found, if it has the right; or it waits to be taken into `cluster`, which exists without it.
 * - `bound`: it has agreed to `cluster`, for ever, unless the disk that asked for that gives `cluster` up.
 * - `formed`: `cluster` exists, and this disk is one of its nodes.
 */
export interface PeerRecord {
  /** 48 random bits: the identity of this disk. */
  readonly diskId: number;
  readonly name: string;
  /** How often a process has started on this disk. */
  readonly boot: number;
  readonly right?: FoundingRight;
  readonly state: 'new' | 'bound' | 'formed';
  /** Undefined only in the state `new`. */
  readonly cluster?: FoundedCluster;
  /** The last start that the node's store has noted. Undefined: it has none yet. A store that knows less is an old copy. */
  readonly storeBoot?: number;
  /** The settings that change answers, as the cluster had them last. Undefined: no start has known them. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /**
   * Why other nodes have refused this disk, if they have: it is an old copy of itself, or two processes have copies. It is
   * never used again: with each further start it would look newer, and in the end as if nothing were missing.
   */
  readonly refused?: string;
}

/** What an operator may call a node: a word that is safe in a file's name, a certificate and a log. */
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/;
const CLUSTER_ID = /^[0-9a-f-]{36}$/;
const MAX_DISK_ID = 2 ** 48 - 1;
/** As many as a founding may have. */
export const MAX_FOUNDERS = 64;
const MAX_PARTITIONS = 1_024;

/** Whether a text may be the name of a node: 1 to 63 letters, digits, `-` and `_`, with neither of these at an end. */
export function isNodeName(text: unknown): text is string {
  return typeof text === 'string' && NAME.test(text);
}

/** Whether a value, which a stranger may have sent, is the number of a disk. */
export function isDiskId(value: unknown): value is number {
  return isWithin(value, 0, MAX_DISK_ID);
}

/** What a value, which a stranger may have sent, says of a cluster. @returns undefined if that makes no sense */
export function foundedClusterIn(value: unknown): FoundedCluster | undefined {
  const { clusterId, partitions, replication, layout, members } = Object(value) as Partial<FoundedCluster>;
  if (typeof clusterId !== 'string' || !CLUSTER_ID.test(clusterId) || !isWithin(layout, 1, 65_535)) return undefined;
  if (!Array.isArray(members) || !members.every((each) => isNodeName(each?.name) && isDiskId(each.diskId)))
    return undefined;
  const right = foundingRightIn({ founders: members.map(({ name }) => name), partitions, replication });
  if (right === undefined) return undefined;
  return {
    clusterId,
    partitions: right.partitions,
    replication: right.replication,
    layout,
    members: members.map(({ name, diskId }) => ({ name, diskId })),
  };
}

/** What a value says of who may found what. @returns undefined if that makes no sense */
export function foundingRightIn(value: unknown): FoundingRight | undefined {
  const { founders, partitions, replication } = Object(value) as Partial<FoundingRight>;
  if (!isWithin(partitions, 1, MAX_PARTITIONS) || !Array.isArray(founders)) return undefined;
  const isAscending = founders.every((name, at) => isNodeName(name) && (at === 0 || founders[at - 1] < name));
  if (!isAscending || founders.length === 0 || founders.length > MAX_FOUNDERS) return undefined;
  if (!isWithin(replication, 1, founders.length)) return undefined;
  return { founders: [...founders], partitions, replication };
}

export function isWithin(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}
