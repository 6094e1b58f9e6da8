import type { PartitionConfig } from '../dynamo/messages.ts';
import { assignPartitions } from '../dynamo/ring.ts';
import type { FoundedCluster, FoundingRight, PeerRecord } from '../env/peer-record.ts';
import { peerNodeId } from './node-name.ts';

/*
 * How several processes become one cluster: by all founders, or not at all. Pure: what a disk says, what it becomes by
 * what it hears, and what the founder that leads does next. Whoever drives this makes each new record durable before
 * anybody hears of it. docs/protocol.md section 16.2 has the rules and why each of them is needed.
 */

/** The version of how keys and Merkle trees are laid out that this release has. */
export const LAYOUT = 1;

/** Rules of the founding that simulations can switch off, to see that their loss is noticed. */
export interface FoundingRules {
  /** A cluster is founded by all founders that are named on the disks, or not at all. */
  readonly allFound: boolean;
  /** A disk that is bound is let go by the very disk that has bound it, and not by another one under its name. */
  readonly bindingIsOfDisk: boolean;
}

export const SOUND_FOUNDING: FoundingRules = { allFound: true, bindingIsOfDisk: true };

/** What a disk says of itself to others that found, or ask whether there is a cluster. */
export interface FoundingAnswer {
  readonly name: string;
  readonly diskId: number;
  readonly state: PeerRecord['state'];
  readonly layout: number;
  readonly right: FoundingRight | undefined;
  readonly cluster: FoundedCluster | undefined;
  /** The cluster that was asked about, if this disk does not hold to it: it has given it up, or never knew it. */
  readonly givenUp: string | undefined;
}

/** @param about the id of a cluster to which the asker is bound, and of which it wants to know whether it still counts */
export function answerOf(disk: PeerRecord, about?: string): FoundingAnswer {
  const { name, diskId, state, right, cluster } = disk;
  const holds = state !== 'new' && cluster?.clusterId === about;
  return { name, diskId, state, layout: LAYOUT, right, cluster, givenUp: holds ? undefined : about };
}

/** The founder that leads: the first name. */
export function leaderOf(right: FoundingRight): string {
  return right.founders[0]!;
}

/** What a disk becomes when the leader wants it in `cluster`. The same object if it does not agree. */
export function bound(disk: PeerRecord, cluster: FoundedCluster, rules = SOUND_FOUNDING): PeerRecord {
  const { state, right, name, diskId } = disk;
  // A cluster that exists is joined, never rivalled.
  if (state !== 'new' || disk.cluster !== undefined || right === undefined) return disk;
  const isMine = cluster.members.some((member) => member.name === name && member.diskId === diskId);
  const isMeant = (!rules.allFound || isSameRight(right, rightOf(cluster))) && cluster.layout === LAYOUT;
  return isMine && isMeant ? { ...disk, state: 'bound', cluster } : disk;
}

/** What a disk becomes when it hears from another one. The same object if that changes nothing. */
export function heard(disk: PeerRecord, answer: FoundingAnswer, rules = SOUND_FOUNDING): PeerRecord {
  // Whoever is new and knows of a cluster has heard that it is formed, as a front has: it may answer before any member.
  const isFormed = answer.state === 'formed' || (answer.state === 'new' && answer.cluster !== undefined);
  if (isFormed) return joined(disk, answer.cluster!);
  if (disk.state !== 'bound' || answer.givenUp !== disk.cluster!.clusterId) return disk;
  // Only the very disk that has bound it may let it go: another one under the same name knows of nothing.
  const [leader] = disk.cluster!.members;
  const isByLeader = answer.name === leader!.name && (!rules.bindingIsOfDisk || answer.diskId === leader!.diskId);
  return isByLeader ? withoutCluster(disk) : disk;
}

/** What a disk becomes when it hears of a cluster that is founded. */
function joined(disk: PeerRecord, cluster: FoundedCluster): PeerRecord {
  const isMine = cluster.members.some(({ name, diskId }) => name === disk.name && diskId === disk.diskId);
  if (disk.state === 'bound' && disk.cluster!.clusterId === cluster.clusterId) return { ...disk, state: 'formed' };
  if (disk.state !== 'new' || disk.cluster !== undefined) return disk;
  // It was bound before the cluster was formed, durably: it must be an old copy of itself.
  if (isMine) return disk;
  // Now that it has seen a cluster, it never founds another one.
  const { right: _right, ...rest } = disk;
  return { ...rest, cluster };
}

/** What the leader does next. */
export type FoundingStep =
  /** Nothing, until others are there or have answered. @property reason one line for people */
  | { readonly kind: 'wait'; readonly reason: string }
  /** Becomes this, durably, and goes on. */
  | { readonly kind: 'become'; readonly disk: PeerRecord }
  /** Asks these nodes to be bound, as long as they have not said that they are. @property reason one line for people */
  | { readonly kind: 'bind'; readonly to: readonly string[]; readonly reason: string }
  /** Nothing any more: an operator has to act. @property reason one line for people */
  | { readonly kind: 'stop'; readonly reason: string };

/**
 * What a disk that leads does next.
 *
 * @param answers what the founders that are there have said since this disk has its present state, by node id
 * @param newClusterId a fresh random id, used if a cluster is begun
 */
export function leaderStep(
  disk: PeerRecord,
  answers: readonly FoundingAnswer[],
  newClusterId: () => string,
  rules = SOUND_FOUNDING,
): FoundingStep {
  if (disk.state === 'bound') return boundStep(disk, disk.cluster!, answers);
  const right = disk.right!;
  const all: FoundingAnswer[] = [answerOf(disk)];
  for (const name of right.founders.slice(1)) {
    const answer = answers.find((each) => each.name === name);
    if (answer === undefined) continue;
    const obstacle = obstacleIn(disk, right, answer);
    if (obstacle !== undefined) return obstacle;
    all.push(answer);
  }
  const missing = right.founders.filter((name) => !all.some((each) => each.name === name));
  if (missing.length > 0 && rules.allFound) return { kind: 'wait', reason: `waits for ${missing.join(', ')}` };
  const { partitions, replication } = right;
  const members = all.map(({ name, diskId }) => ({ name, diskId }));
  const cluster: FoundedCluster = { clusterId: newClusterId(), partitions, replication, layout: LAYOUT, members };
  return { kind: 'become', disk: { ...disk, state: 'bound', cluster } };
}

/** Why a founder that is there cannot be founded with; undefined if it can. */
function obstacleIn(disk: PeerRecord, right: FoundingRight, answer: FoundingAnswer): FoundingStep | undefined {
  const { name, state } = answer;
  if (state === 'formed') {
    const reason = `${disk.name} is named by cluster ${answer.cluster!.clusterId}, of which it knows nothing`;
    return { kind: 'stop', reason: `${reason}: its data directory is an old copy of itself` };
  }
  if (state === 'bound') {
    const [leader] = answer.cluster!.members;
    // It asks this disk soon whether that still counts, and hears that it does not.
    if (leader!.name === disk.name && leader!.diskId === disk.diskId)
      return { kind: 'wait', reason: `waits for ${name}` };
    return {
      kind: 'stop',
      reason:
        `${name} has agreed to a cluster that another disk of ${leader!.name} has begun and that does not exist yet: ` +
        `put that disk back, or empty the data directories of all founders and run dynaring init on each again`,
    };
  }
  if (state === 'new' && answer.right === undefined) {
    return { kind: 'wait', reason: `waits for ${name}, on whose data directory dynaring init was not run` };
  }
  if (state === 'new' && !isSameRight(right, answer.right!)) {
    return { kind: 'wait', reason: `${disk.name} founds with ${textOf(right)}, ${name} with ${textOf(answer.right!)}` };
  }
  if (answer.layout !== LAYOUT) {
    return { kind: 'wait', reason: `${name} has layout ${answer.layout}, ${disk.name} has ${LAYOUT}: another version` };
  }
  return undefined;
}

/** The leader is bound to its own cluster: it forms when all others are, and gives it up if one never can be. */
function boundStep(disk: PeerRecord, cluster: FoundedCluster, answers: readonly FoundingAnswer[]): FoundingStep {
  const others = cluster.members.filter(({ name }) => name !== disk.name);
  const of = (member: { readonly name: string; readonly diskId: number }) =>
    answers.find(({ name, diskId }) => name === member.name && diskId === member.diskId);
  const isBound = (answer: FoundingAnswer | undefined) =>
    answer?.state === 'bound' && answer.cluster!.clusterId === cluster.clusterId;
  if (others.every((member) => isBound(of(member)))) return { kind: 'become', disk: { ...disk, state: 'formed' } };
  // That founder has lost its disk and has another one: what it was to agree to it cannot agree to any more.
  const isReplaced = ({ name, diskId }: { readonly name: string; readonly diskId: number }) =>
    of({ name, diskId }) === undefined && answers.some((each) => each.name === name && each.right !== undefined);
  const isElsewhere = (answer: FoundingAnswer | undefined) =>
    answer !== undefined && answer.state !== 'new' && answer.cluster?.clusterId !== cluster.clusterId;
  if (others.some((member) => isReplaced(member) || isElsewhere(of(member)))) {
    return { kind: 'become', disk: withoutCluster(disk) };
  }
  const left = others.filter((member) => !isBound(of(member)));
  const reason = `waits for ${left.map(({ name }) => name).join(', ')}`;
  return { kind: 'bind', to: left.map(({ name, diskId }) => peerNodeId(name, diskId)), reason };
}

/** Why a disk that does not lead waits, for people. */
export function waitingReason(disk: PeerRecord, answers: readonly FoundingAnswer[]): string {
  if (disk.cluster !== undefined && disk.state === 'new') {
    return `${disk.name} has an empty disk in cluster ${disk.cluster.clusterId}`;
  }
  if (disk.right === undefined) return 'waits for a node of a cluster: dynaring init was not run here';
  const leader = leaderOf(disk.right);
  const answer = answers.find(({ name }) => name === leader);
  if (answer === undefined) return `waits for ${leader}`;
  const other = answers.find(({ right, state }) => state === 'new' && right && !isSameRight(right, disk.right!));
  if (other === undefined) return `waits until ${leader} has heard from ${disk.right.founders.join(', ')}`;
  return `${disk.name} founds with ${textOf(disk.right)}, ${other.name} with ${textOf(other.right!)}`;
}

function withoutCluster({ cluster: _cluster, ...disk }: PeerRecord): PeerRecord {
  return { ...disk, state: 'new' };
}

function rightOf({ members, partitions, replication }: FoundedCluster): FoundingRight {
  return { founders: members.map(({ name }) => name), partitions, replication };
}

function isSameRight(one: FoundingRight, other: FoundingRight): boolean {
  return textOf(one) === textOf(other);
}

function textOf({ founders, partitions, replication }: FoundingRight): string {
  return `${founders.join(', ')} (Q=${partitions}, N=${replication})`;
}

/** The configs of epoch 0, one for each partition. They follow from the founding, so nobody stores them. */
export function configsOf({ members, partitions, replication }: FoundedCluster): PartitionConfig[] {
  const byNode = new Map(members.map(({ name, diskId }) => [peerNodeId(name, diskId), diskId]));
  return assignPartitions(partitions, [...byNode.keys()], replication).map((list, partition) => ({
    partition,
    epoch: 0,
    attempt: 0,
    members: list.map((node) => ({ node, diskId: byNode.get(node)! })),
  }));
}
