import type { ByteString } from '../../api/primary-key.ts';
import type { StoreKey } from '../../env/store.ts';
import type { Change } from '../derived/changes.ts';
import { logPrefix, partitionOf, partitionOfLog, tableOf } from '../keyspace.ts';
import type { Coordinator } from '../registers/coordinator.ts';
import { type Task, wait } from '../task.ts';
import { Appender } from './appender.ts';

/** Shards whose appender is kept; beyond it, those that have nothing to do go, and read the end of their log again later. */
const APPENDERS_KEPT = 256;

/** The logs that a node has something to write to. */
export class StreamLogs {
  readonly #coordinator: Coordinator;
  /** By the prefix of their log. */
  readonly #appenders = new Map<StoreKey, Appender>();
  #isStopped = false;

  constructor(coordinator: Coordinator) {
    this.#coordinator = coordinator;
  }

  /**
   * Puts changes of an item into the log, which a chosen record of it carries.
   * @param key of the item
   * @returns whether they are there, or never need be, since the stream has ended
   */
  *append(key: StoreKey, changes: readonly Change[], deadlineMs: number): Task<boolean> {
    for (const ofOne of byStream(changes)) {
      const [{ stream, shards }] = ofOne as [Change];
      const { partitions } = this.#coordinator.view;
      const prefix = logPrefix(stream, partitionOfLog(partitionOf(key), shards, partitions), partitions);
      const isLogged = yield* wait<boolean>(this.#coordinator.clock, (resume) =>
        this.appenderOf(prefix).append(ofOne, deadlineMs, resume),
      );
      if (!isLogged) return false;
    }
    return true;
  }

  /** Calls `done` when all that is queued here for a log is in it, or was given up. */
  whenDrained(prefix: StoreKey, done: () => void): void {
    const appender = this.#appenders.get(prefix);
    if (appender === undefined) done();
    else appender.whenDrained(done);
  }

  appenderOf(prefix: StoreKey): Appender {
    let appender = this.#appenders.get(prefix);
    if (appender === undefined) {
      if (this.#appenders.size >= APPENDERS_KEPT) this.#dropIdle();
      appender = new Appender({ coordinator: this.#coordinator, prefix });
      if (this.#isStopped) appender.stop();
      this.#appenders.set(prefix, appender);
    }
    return appender;
  }

  /** A stream is gone for good; its id is one of a table for whoever has no need to know more. */
  forgetTable(stream: ByteString): void {
    for (const [prefix, appender] of this.#appenders) {
      if (tableOf(prefix) !== stream) continue;
      appender.abandon();
      this.#appenders.delete(prefix);
    }
  }

  stop(): void {
    this.#isStopped = true;
    for (const appender of this.#appenders.values()) appender.stop();
  }

  #dropIdle(): void {
    for (const [prefix, appender] of this.#appenders) if (appender.isIdle) this.#appenders.delete(prefix);
  }
}

/** Usually all are of one stream; those of a stream that was enabled anew come last. */
function byStream(changes: readonly Change[]): Change[][] {
  const groups: Change[][] = [];
  for (const change of changes) {
    const last = groups.at(-1);
    if (last !== undefined && last[0]!.stream === change.stream) last.push(change);
    else groups.push([change]);
  }
  return groups;
}
