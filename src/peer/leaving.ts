import type { Begun } from '../dynamo/epochs/config-register.ts';
import type { PartitionConfig } from '../dynamo/messages.ts';
import type { StorageNode } from '../dynamo/node.ts';
import { DEFAULT_NODE_LIMITS } from '../dynamo/node-settings.ts';
import { runTask, type Task, wait } from '../dynamo/task.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Log } from '../env/log.ts';

export interface LeavingLimits {
  /** How often it looks whether nobody needs this node any more. */
  readonly lookMs: number;
  /** How long it may take to hand off what only this node has, which is seldom anything. */
  readonly handOffMs: number;
  /** As `handOffMs`, of hints, each of which may be all that there is of a write: until they are too old to be told at the latest. */
  readonly hintsMs: number;
}

export const DEFAULT_LEAVING_LIMITS: LeavingLimits = {
  lookMs: 500,
  handOffMs: 10_000,
  hintsMs: DEFAULT_NODE_LIMITS.hintLifeMs,
};

export interface LeavingParts {
  readonly node: Pick<
    StorageNode,
    | 'id'
    | 'view'
    | 'refuseNewPartitions'
    | 'votingConfig'
    | 'isNamedIn'
    | 'stagedAttempt'
    | 'dropStaged'
    | 'configRegister'
    | 'holdsAnyOf'
    | 'status'
  >;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: LeavingLimits;
  /** Called once, when the process may end and its disk be emptied. */
  readonly done: () => void;
}

/**
 * How a node that the goal names no more leaves the cluster (docs/protocol.md section 8.7), without taking anything with
 * it that somebody counts on:
 *
 * 1. It becomes a member of nothing new. Where it is a member it stays one, for as long as no move has replaced it.
 * 2. No newest config names it, and it votes nowhere.
 * 3. Attempts that it has staged for are ended: one that is decided later would count on its disk.
 * 4. A majority votes in each newest config. Until then the epoch before, of which it may have been a member, is needed.
 * 5. It hands off what only it has.
 *
 * Nothing of it is remembered: after a restart it begins again.
 */
export class Leaving {
  readonly #parts: LeavingParts;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: LeavingParts) {
    this.#parts = parts;
  }

  start(): void {
    const { node, log } = this.#parts;
    node.refuseNewPartitions();
    log.info('leaves the cluster', { node: node.id });
    this.#lookLater();
  }

  stop(): void {
    this.#isStopped = true;
    this.#parts.clock.cancel(this.#timer);
  }

  #lookLater(): void {
    if (this.#isStopped) return;
    this.#timer = this.#parts.clock.after(this.#parts.limits.lookMs, () => {
      runTask(this.#isReleased(), (isReleased) => {
        if (isReleased) this.#handOff(this.#parts.clock.elapsedMs());
        else this.#lookLater();
      });
    });
  }

  /** Steps 2 to 4. */
  *#isReleased(): Task<boolean> {
    const { node } = this.#parts;
    for (const config of node.view.configs) if (!this.#isOutOf(config)) return false;
    for (const { partition } of node.view.configs) {
      const isFree = yield* this.#isFreeOf(partition);
      if (!isFree) return false;
    }
    // Newer configs may have been learned meanwhile, which name it because of an attempt that it had staged for.
    return node.view.configs.every((config) => this.#isOutOf(config));
  }

  #isOutOf(config: PartitionConfig): boolean {
    const { node } = this.#parts;
    return !node.isNamedIn(config) && node.votingConfig(config.partition) === undefined;
  }

  /** A majority of the newest members has answered in either case: they vote, and they know of no attempt of before. */
  *#isFreeOf(partition: number): Task<boolean> {
    const { node, clock } = this.#parts;
    const register = node.configRegister();
    const staged = node.stagedAttempt(partition);
    if (staged === undefined) {
      const confirmed = yield* wait<PartitionConfig | undefined>(clock, (resume) =>
        register.confirm(partition, resume),
      );
      return confirmed !== undefined;
    }
    const base = node.view.newestConfig(partition);
    const begun = yield* wait<Begun | undefined>(clock, (resume) => register.begin(base, resume));
    // What was decided instead is known here by now; the next look finds out whether it names this node.
    if (begun?.kind !== 'attempt') return false;
    node.dropStaged(partition, begun.attempt);
    return true;
  }

  /** Step 5. In `dynamo` mode a hint may be all that there is of a write. */
  #handOff(sinceMs: number): void {
    const { node, clock, limits, log, done } = this.#parts;
    if (this.#isStopped) return;
    const { hints } = node.status();
    const held = node.view.configs.filter(({ partition }) => node.holdsAnyOf(partition)).length;
    const waitsForMs = hints > 0 ? limits.hintsMs : held > 0 ? limits.handOffMs : 0;
    if (clock.elapsedMs() - sinceMs < waitsForMs) {
      this.#timer = clock.after(limits.lookMs, () => this.#handOff(sinceMs));
      return;
    }
    this.#isStopped = true;
    if (hints > 0 || held > 0)
      log.warn('leaves with what it could not hand off', { node: node.id, hints, partitions: held });
    log.info('has left the cluster', { node: node.id });
    done();
  }
}
