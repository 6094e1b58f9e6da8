import type { PartitionConfig } from '../messages.ts';
import { runTask, type Task } from '../task.ts';
import type { ConfigRegister } from './config-register.ts';
import { beginAttempt, type ConfigRoundParts, confirmConfig, decideConfig } from './config-round.ts';

/**
 * The configs of a cluster of several processes: that of epoch e + 1 of a partition is decided by a majority of the
 * members of its epoch e, in a register of their own (docs/protocol.md section 8.6). One for each node, which leads the
 * rounds that it is asked for.
 */
export class MemberRegister implements ConfigRegister {
  readonly #parts: ConfigRoundParts;

  constructor(parts: ConfigRoundParts) {
    this.#parts = parts;
  }

  /** Gives the newest config that this node knows, within the call. */
  read(partition: number, done: Parameters<ConfigRegister['read']>[1]): void {
    done(this.#newest(partition));
  }

  /** As `read`, but asks the members: the newest that was decided before the call. An error if too few answer. */
  confirm(partition: number, done: Parameters<ConfigRegister['read']>[1]): void {
    this.#run(confirmConfig(this.#parts, partition), done);
  }

  begin(base: PartitionConfig, done: Parameters<ConfigRegister['begin']>[1]): void {
    const newest = this.#newest(base.partition);
    if (newest.epoch > base.epoch) return done({ kind: 'decided', config: newest });
    this.#run(beginAttempt(this.#parts, base), done);
  }

  decide(next: PartitionConfig, done: Parameters<ConfigRegister['decide']>[1]): void {
    const newest = this.#newest(next.partition);
    if (newest.epoch !== next.epoch - 1) return done(newest);
    this.#run(decideConfig(this.#parts, newest, next), done);
  }

  #newest(partition: number): PartitionConfig {
    return this.#parts.coordinator.view.newestConfig(partition);
  }

  #run<T>(task: Task<T | undefined>, done: (result: T | undefined, error?: Error) => void): void {
    runTask(task, (result) => {
      if (result === undefined) done(undefined, new Error('too few members of the epoch have answered'));
      else done(result);
    });
  }
}
