import type { ClusterView } from '../api/admin.ts';
import type { Settings } from '../config.ts';
import { isPeerNodeId, nameOf } from '../peer/node-name.ts';
import type { NodeReport, RingExamination } from '../peer/ring-examination.ts';

/** Problems that are told of. */
const MOST_PROBLEMS = 20;
/** Partitions that one of them names. */
const NAMED_PARTITIONS = 8;

export type Quorums = Pick<Settings, 'replication' | 'writeQuorum' | 'readQuorum'>;
type PartitionView = ClusterView['partitions'][number];

/** Judges by what all nodes have said whether a ring is well. */
export function describeCluster(examination: RingExamination, settings: Quorums): ClusterView {
  const { nodes, moves, level } = examination;
  const { replication, writeQuorum, readQuorum } = settings;
  const partitions = partitionsOf(examination);
  const withoutMajority = partitions.filter(hasNoMajority).map(({ partition }) => partition);
  const areAllUp = nodes.every(({ state }) => state === 'up');
  const doAllVote = partitions.every(({ notVoting }) => notVoting.length === 0);
  return {
    healthy: areAllUp && doAllVote && moves.length === 0 && examination.unknownGoal === undefined,
    problems: problemsOf(examination, partitions, withoutMajority),
    nodes: nodes.map(({ id, state, hints, suspects, release }) => ({
      id,
      name: nameOfNode(id),
      state,
      partitions: partitions.filter(({ homes }) => homes.includes(id)).length,
      leads: partitions.filter(({ homes: [first] }) => first === id).length,
      hints,
      suspects,
      ...(release && { version: release.build, knowsLevel: release.protocolMax }),
    })),
    partitions,
    replication,
    writeQuorum,
    readQuorum,
    movesLeft: moves.length,
    withoutMajority,
    ...(level && { level: { now: level.level, possible: level.possible, because: level.because } }),
  };
}

/** What people call a node. */
export function nameOfNode(id: string): string {
  return isPeerNodeId(id) ? nameOf(id) : id;
}

function partitionsOf({ nodes, partitions, moves }: RingExamination): PartitionView[] {
  const reports = new Map(nodes.map((report) => [report.id, report]));
  const moveOf = new Map(moves.map((move) => [move.partition, move]));
  return partitions.map(({ partition, epoch, members }) => {
    const homes = members.map(({ node }) => node);
    const move = moveOf.get(partition);
    return {
      partition,
      epoch,
      homes,
      notVoting: homes.filter((id) => !doesVote(reports.get(id), partition, epoch)),
      ...(move && { moveTo: move.to }),
      ...(move?.by !== undefined && { movedBy: move.by }),
    };
  });
}

function doesVote(report: NodeReport | undefined, partition: number, epoch: number): boolean {
  if (report?.state !== 'up') return false;
  // An older release does not tell: that it is up is all that there is to go by.
  return report.votes === undefined || report.votes[partition] === epoch;
}

function hasNoMajority({ homes, notVoting }: PartitionView): boolean {
  return homes.length - notVoting.length < Math.floor(homes.length / 2) + 1;
}

function problemsOf(
  { nodes, moves, unknownGoal, notes }: RingExamination,
  partitions: readonly PartitionView[],
  withoutMajority: readonly number[],
): string[] {
  const problems: string[] = [];
  if (withoutMajority.length > 0)
    problems.push(`${partitionsText(withoutMajority)}: no majority votes, nothing is served strictly`);
  if (unknownGoal !== undefined) problems.push(unknownGoal);
  const up = new Set(nodes.filter(({ state }) => state === 'up').map(({ id }) => id));
  // Of a node that is not up nothing else is to be expected.
  const late = partitions
    .filter(({ notVoting }) => notVoting.some((id) => up.has(id)))
    .map(({ partition }) => partition);
  if (late.length > 0) problems.push(`${partitionsText(late)}: not all of its nodes that are up vote yet`);
  const stuck = new Map<string, number[]>();
  for (const { partition, problem } of moves) {
    if (problem === undefined) continue;
    stuck.set(problem, [...(stuck.get(problem) ?? []), partition]);
  }
  for (const [problem, those] of stuck) problems.push(`${partitionsText(those)}: cannot be moved yet: ${problem}`);
  return [...problems, ...notes].slice(0, MOST_PROBLEMS);
}

/** `partitions 3, 7 and 12 more` */
function partitionsText(partitions: readonly number[]): string {
  const named = partitions.slice(0, NAMED_PARTITIONS).join(', ');
  const rest = partitions.length - NAMED_PARTITIONS;
  const noun = partitions.length === 1 ? 'partition' : 'partitions';
  return `${noun} ${named}${rest > 0 ? ` and ${rest} more` : ''}`;
}
