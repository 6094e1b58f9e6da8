import type { DynamoClient } from '../dynamo/client.ts';
import type { MoveProgress } from '../dynamo/epochs/rebalancer.ts';
import type { Clock } from '../env/clock.ts';
import type { Log } from '../env/log.ts';
import type { FoundedCluster } from '../env/peer-record.ts';
import type { Random } from '../env/random.ts';
import { type Goal, wantedMembers } from '../peer/goal.ts';
import { GoalRegister } from '../peer/goal-register.ts';
import { DEFAULT_LEAVING_LIMITS, Leaving } from '../peer/leaving.ts';
import { DEFAULT_MOVER_LIMITS, Mover, type WantedMembers } from '../peer/mover.ts';
import { diskOf, peerNodeId } from '../peer/node-name.ts';
import type { Peer } from '../peer/peer.ts';

interface GoalFollowerParts {
  readonly client: DynamoClient;
  readonly cluster: FoundedCluster;
  /** The node of this process; undefined: it moves nothing. */
  readonly peer: Peer | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The goal names this node no more, and nobody needs it: the process may end, and its disk be emptied. */
  readonly onLeft: () => void;
}

/** What one process does about the goal: it moves partitions towards it, or leaves if the goal has no place for its disk. */
export class GoalFollower {
  readonly register: GoalRegister;
  readonly #parts: GoalFollowerParts;
  readonly #mover: Mover | undefined;
  #leaving: Leaving | undefined;

  constructor(parts: GoalFollowerParts) {
    const { client, cluster, peer, clock, random, log } = parts;
    this.#parts = parts;
    this.register = new GoalRegister(client, cluster);
    if (peer === undefined) return;
    this.#mover = new Mover({
      node: peer.node,
      clock,
      random,
      log,
      limits: DEFAULT_MOVER_LIMITS,
      goal: () => wantedOf(this.register.newest),
      readGoal: (done) => {
        this.#read().then(
          (goal) => done(goal && wantedOf(goal)),
          (error: unknown) => {
            log.warn('the goal of the cluster cannot be read', { error });
            done(undefined);
          },
        );
      },
    });
  }

  /** How far the moves have come of which this process knows. */
  get progress(): MoveProgress {
    return this.#mover?.progress ?? { moved: 0, left: 0, longestPauseMs: 0, lastFailure: undefined };
  }

  start(): void {
    this.#mover?.start();
  }

  stop(): void {
    this.#mover?.stop();
    this.#leaving?.stop();
  }

  async #read(): Promise<Goal | undefined> {
    const goal = await this.register.read();
    const { peer, clock, log, onLeft } = this.#parts;
    if (
      goal !== undefined &&
      peer !== undefined &&
      goal.past.includes(diskOf(peer.id)) &&
      this.#leaving === undefined
    ) {
      this.#leaving = new Leaving({ node: peer.node, clock, log, limits: DEFAULT_LEAVING_LIMITS, done: onLeft });
      this.#leaving.start();
    }
    return goal;
  }
}

function wantedOf(goal: Goal): WantedMembers {
  return { version: goal.version, membersOf: (partition) => wantedMembers(goal, partition, peerNodeId) };
}
