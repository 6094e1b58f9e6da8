import type { ConfigRegister } from '../dynamo/epochs/config-register.ts';
import type { Member, PartitionConfig } from '../dynamo/messages.ts';
import type { RingView } from '../dynamo/ring-view.ts';
import type { ClusterRecord } from '../env/cluster-file.ts';
import type { DataDirectory } from '../env/data-directory.ts';

/**
 * The cluster's record in its data directory, as the register that decides the configs (docs/decisions/0007). The file
 * is replaced atomically and flushed before anything in it counts. All calls answer within the call.
 */
export class FileConfigRegister implements ConfigRegister {
  readonly #directory: DataDirectory;
  readonly #view: RingView;
  /** The last attempt that was begun for each partition. Attempts of an earlier process can decide nothing. */
  readonly #attempts = new Map<number, number>();
  #record: ClusterRecord;

  /**
   * @param record what the directory has, or what a new cluster begins with, which nobody has saved yet
   * @param view is given each config that is decided
   */
  constructor(directory: DataDirectory, record: ClusterRecord, view: RingView) {
    this.#directory = directory;
    this.#record = record;
    this.#view = view;
  }

  get record(): ClusterRecord {
    return this.#record;
  }

  /** Replaces the record, durably. @throws DataDirectoryError if the disk refuses it: the record stays as it was */
  save(record: ClusterRecord): void {
    this.#directory.saveCluster(record);
    this.#record = record;
  }

  /** Sets who shall hold the ring, durably. @throws DataDirectoryError */
  saveRoster(nodes: readonly Member[]): void {
    this.save({ ...this.#record, nodes });
  }

  read(partition: number, done: Parameters<ConfigRegister['read']>[1]): void {
    done(this.#record.configs[partition]);
  }

  begin({ partition, epoch }: PartitionConfig, done: Parameters<ConfigRegister['begin']>[1]): void {
    const decided = this.#record.configs[partition]!;
    if (decided.epoch > epoch) return done({ kind: 'decided', config: decided });
    const attempt = this.#record.lastAttempt + 1;
    try {
      this.save({ ...this.#record, lastAttempt: attempt });
    } catch (error) {
      return done(undefined, error as Error);
    }
    this.#attempts.set(partition, attempt);
    done({ kind: 'attempt', attempt });
  }

  decide(next: PartitionConfig, done: Parameters<ConfigRegister['decide']>[1]): void {
    const decided = this.#record.configs[next.partition]!;
    const isLast = this.#attempts.get(next.partition) === next.attempt;
    if (decided.epoch !== next.epoch - 1 || !isLast) return done(decided);
    const configs = this.#record.configs.map((config) => (config === decided ? next : config));
    try {
      this.save({ ...this.#record, configs });
    } catch (error) {
      // The file may have been replaced all the same. Whoever asks again gets what this process knows.
      return done(undefined, error as Error);
    }
    this.#view.learnConfig(next);
    done(next);
  }
}
