import type { PeerHello } from '../dynamo/peer-hello.ts';
import type { NodeId } from '../dynamo/ring.ts';
import { RingError } from '../dynamo/ring-error.ts';
import type { Refusal } from '../env/peer-channel.ts';
import type { Goal } from './goal.ts';
import { nameOf, peerNodeId } from './node-name.ts';

/*
 * The level of a cluster is the lowest version of its protocol that a process may be limited to: what changes the meaning
 * of a message, or bytes on a disk, is used from the level on that has it. An operator raises it, once no older release is
 * to come back (docs/protocol.md section 16.7).
 */

/** What a process says that it runs. */
export type Release = Pick<PeerHello, 'build' | 'protocolMin' | 'protocolMax'>;

/** The level, and the highest that it can be raised to now. */
export interface LevelReport {
  readonly level: number;
  readonly possible: number;
  /** What keeps it from being raised further, a line. */
  readonly because: string;
}

/**
 * @param others processes that store nothing
 * @param releaseOf what a process runs; undefined: it is not there now
 */
export function levelReport(
  { level, roster }: Pick<Goal, 'level' | 'roster'>,
  others: readonly NodeId[],
  releaseOf: (node: NodeId) => Release | undefined,
): LevelReport {
  const nodes = roster.map(({ name, diskId }) => peerNodeId(name, diskId));
  const unknown = nodes.filter((node) => releaseOf(node) === undefined);
  if (unknown.length > 0) {
    const because = `it is not known what ${namesOf(unknown)} can: all nodes have to be up`;
    return { level, possible: level, because };
  }
  const able = [...new Set([...nodes, ...others])].flatMap((node) => {
    const release = releaseOf(node);
    return release === undefined ? [] : [{ node, protocolMax: release.protocolMax }];
  });
  const highest = Math.min(...able.map(({ protocolMax }) => protocolMax));
  const lowest = able.filter(({ protocolMax }) => protocolMax === highest).map(({ node }) => node);
  const isOne = lowest.length === 1;
  const who =
    lowest.length === able.length
      ? 'all processes have releases that go'
      : `${namesOf(lowest)} ${isOne ? 'runs a release that goes' : 'run releases that go'}`;
  return { level, possible: Math.max(level, highest), because: `${who} up to ${highest}` };
}

/** @throws RingError if some node is not there, so that it is not known what it can */
export function withHighestLevel(
  goal: Goal,
  others: readonly NodeId[],
  releaseOf: (node: NodeId) => Release | undefined,
): Goal {
  for (const { name, diskId } of goal.roster) {
    if (releaseOf(peerNodeId(name, diskId)) === undefined) {
      throw new RingError(`it is not known what ${name} can: all nodes have to be up`);
    }
  }
  const { possible } = levelReport(goal, others, releaseOf);
  return possible === goal.level ? goal : { ...goal, version: goal.version + 1, level: possible };
}

/** Whether a release can be in a cluster of this level. @returns why not */
export function levelRefusal(
  { name, build, protocolMin, protocolMax }: Release & { readonly name: string },
  level: number,
): Refusal | undefined {
  if (protocolMax < level) {
    const line = `the cluster is at level ${level}, and the release ${build} of ${name} goes up to ${protocolMax}: install a newer one`;
    return { code: 'level', line };
  }
  if (protocolMin > level) {
    const line = `the cluster is at level ${level}, and the release ${build} of ${name} begins at ${protocolMin}: run one in between everywhere, and dynaring admin finalize`;
    return { code: 'level', line };
  }
  return undefined;
}

/** Names that one line has. */
const NAMED = 8;

function namesOf(nodes: readonly NodeId[]): string {
  const rest = nodes.length - NAMED;
  return `${nodes.slice(0, NAMED).map(nameOf).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
