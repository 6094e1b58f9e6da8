import { planMoves } from '../dynamo/epochs/rebalancer.ts';
import type { Member } from '../dynamo/messages.ts';
import { RingError } from '../dynamo/ring-error.ts';
import { type FoundedCluster, type Founder, isDiskId, isNodeName } from '../env/peer-record.ts';
import { configsOf } from './founding.ts';
import { nameOf } from './node-name.ts';

/**
 * Who shall hold what: one strict item of the system table. Whoever changes it writes the next version on the condition
 * that this one is still there. What it wants is brought about by moves, partition by partition.
 */
export interface Goal {
  /** Counts the changes, from 1. */
  readonly version: number;
  /** The nodes that shall hold the ring, each with the disk that it has now. */
  readonly roster: readonly Founder[];
  /** Disks that have left: none of them is ever taken in again. */
  readonly past: readonly number[];
  /** By partition, the names of its members; the first one coordinates by preference. */
  readonly wanted: readonly (readonly string[])[];
  /** What all nodes can read and write: raised when all have a release that can do more. */
  readonly level: number;
  /** Settings that change answers: the same for all routers. */
  readonly settings: GoalSettings;
}

export type GoalSettings = Readonly<Record<string, string | number | boolean>>;

/** What is wanted when nobody has wanted anything else: the founders hold what epoch 0 gives them. */
export function firstGoal(cluster: FoundedCluster, settings: GoalSettings = {}): Goal {
  const wanted = configsOf(cluster).map(({ members }) => members.map(({ node }) => nameOf(node)));
  return { version: 1, roster: cluster.members, past: [], wanted, level: 1, settings };
}

/** @throws RingError if there is such a node, or the disk was in the ring before */
export function withAdded(goal: Goal, { name, diskId }: Founder): Goal {
  if (goal.roster.some((node) => node.name === name)) throw new RingError(`there is a node ${name} already`);
  refuseUsed(goal, diskId);
  return planned(goal, [...goal.roster, { name, diskId }], goal.past);
}

/**
 * @param replication N
 * @throws RingError if there is no such node, or fewer than N would be left
 */
export function withRemoved(goal: Goal, names: readonly string[], replication: number): Goal {
  const leaving = names.map((name) => nodeOf(goal, name));
  const rest = goal.roster.filter((node) => !leaving.includes(node));
  if (rest.length < replication) {
    const many = rest.length === 1 ? '1 node' : `${rest.length} nodes`;
    throw new RingError(`${names.join(', ')} cannot be removed: ${many} would be left for ${replication} copies`);
  }
  return planned(goal, rest, [...goal.past, ...leaving.map(({ diskId }) => diskId)]);
}

/**
 * Gives a node another disk. The old one is named, so that a request that is made twice does not take out the new one.
 *
 * @throws RingError if the node has not the old disk now, or the new one was in the ring before
 */
export function withReplaced(goal: Goal, name: string, oldDisk: number, newDisk: number): Goal {
  const node = nodeOf(goal, name);
  if (node.diskId !== oldDisk) throw new RingError(`${name} has another disk by now`);
  refuseUsed(goal, newDisk);
  const roster = goal.roster.map((each) => (each === node ? { name, diskId: newDisk } : each));
  return { ...goal, version: goal.version + 1, roster, past: [...goal.past, oldDisk] };
}

/**
 * Has a partition held by these nodes, the first of which coordinates by preference. Nodes that come or go later may move
 * it again.
 *
 * @returns the same goal if that is what is wanted already, in whatever order
 * @throws RingError unless they are as many different nodes as there are copies
 */
export function withMoved(goal: Goal, partition: number, names: readonly string[]): Goal {
  const present = goal.wanted[partition];
  if (present === undefined) {
    throw new RingError(`there is no partition ${partition}: they are 0 to ${goal.wanted.length - 1}`);
  }
  for (const name of names) nodeOf(goal, name);
  if (new Set(names).size !== names.length) throw new RingError('a node holds a partition once');
  if (names.length !== present.length) {
    throw new RingError(`a partition is held by ${present.length} nodes, and not by ${names.length}`);
  }
  if (present.every((name) => names.includes(name))) return goal;
  const wanted = goal.wanted.map((each, at) => (at === partition ? names : each));
  return { ...goal, version: goal.version + 1, wanted };
}

/** Takes settings that the goal lacks. @returns the same goal if it has all of them */
export function withAdopted(goal: Goal, settings: GoalSettings): Goal {
  const isKnown = (name: string) => Object.hasOwn(goal.settings, name);
  if (Object.keys(settings).every(isKnown)) return goal;
  return { ...goal, version: goal.version + 1, settings: { ...settings, ...goal.settings } };
}

/** Changes settings. @returns the same goal if it says so already */
export function withSettings(goal: Goal, settings: GoalSettings): Goal {
  if (Object.entries(settings).every(([name, value]) => goal.settings[name] === value)) return goal;
  return { ...goal, version: goal.version + 1, settings: { ...goal.settings, ...settings } };
}

/** The members that a goal wants for a partition, as a config names them. @param nodeIdOf the id of a node */
export function wantedMembers(
  goal: Goal,
  partition: number,
  nodeIdOf: (name: string, diskId: number) => string,
): Member[] {
  return goal.wanted[partition]!.map((name) => {
    const { diskId } = nodeOf(goal, name);
    return { node: nodeIdOf(name, diskId), diskId };
  });
}

function planned(goal: Goal, roster: readonly Founder[], past: readonly number[]): Goal {
  const asMember = ({ name, diskId }: Founder): Member => ({ node: name, diskId });
  const members = new Map(goal.roster.map((node) => [node.name, asMember(node)]));
  const configs = goal.wanted.map((names, partition) => ({
    partition,
    epoch: 0,
    attempt: 0,
    members: names.map((name) => members.get(name)!),
  }));
  const wanted = [...goal.wanted];
  for (const move of planMoves(configs, roster.map(asMember), goal.wanted[0]!.length)) {
    wanted[move.partition] = move.members.map(({ node }) => node);
  }
  return { ...goal, version: goal.version + 1, roster, past, wanted };
}

function nodeOf(goal: Goal, name: string): Founder {
  const node = goal.roster.find((each) => each.name === name);
  if (node === undefined) throw new RingError(`there is no node ${name}`);
  return node;
}

function refuseUsed(goal: Goal, diskId: number): void {
  if (goal.past.includes(diskId)) throw new RingError('that disk has left the ring before: begin with an empty one');
  if (goal.roster.some((node) => node.diskId === diskId)) throw new RingError('that disk is in the ring already');
}

/** Reads a goal that was stored. @returns undefined for anything else, as a later release may write */
export function goalIn(value: unknown): Goal | undefined {
  const { version, roster, past, wanted, level, settings } = Object(value) as Partial<Record<keyof Goal, unknown>>;
  const isSound =
    Number.isSafeInteger(version) &&
    Number.isSafeInteger(level) &&
    isListOf(roster, (node) => isNodeName(Object(node).name) && isDiskId(Object(node).diskId)) &&
    isListOf(past, isDiskId) &&
    isListOf(wanted, (names) => isListOf(names, isNodeName)) &&
    typeof settings === 'object' &&
    settings !== null;
  return isSound ? ({ version, roster, past, wanted, level, settings } as Goal) : undefined;
}

function isListOf(value: unknown, isOne: (each: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isOne);
}
