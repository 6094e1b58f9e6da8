import type { Clock, Timer } from '../env/clock.ts';
import { DAMAGED, type Store, type StoreKey } from '../env/store.ts';
import type { Transport } from '../env/transport.ts';
import { TICKS_PER_MS } from './ballot.ts';
import { partitionOf, partitionRange } from './keyspace.ts';
import type { PartitionConfig, Reply, Request } from './messages.ts';
import { ballotIn, decodeRecord, type ItemRecord, isTombstone } from './record.ts';
import type { NodeId } from './ring.ts';
import type { RingView } from './ring-view.ts';
import type { NodeLimits } from './settings.ts';
import { runTask, type Task, wait } from './task.ts';

/** What a pass over the tombstones of a node's partitions came to. */
export interface PurgeReport {
  readonly purged: number;
  /** Old enough, but not confirmed by every member: tried again in the next pass. */
  readonly waiting: number;
}

/** So many passes later than the first member, the others purge what is still there. */
const LATER_PASSES = 3;

/**
 * Removes tombstones that are older than the grace (REPLICATION section 9): first every member of the present epoch
 * confirms, durably, that it has the tombstone and nothing else of the key; then every member drops it. A member that is
 * down blocks the purge, so it can never bring the item back. Purged on some only is harmless: none and a tombstone read
 * alike.
 */
export class TombstonePurge {
  readonly #parts: TombstonePurgeParts;
  #timer: Timer | undefined;
  #isStopped = false;
  #running: ((report: PurgeReport) => void)[] | undefined;
  #purged = 0;

  constructor(parts: TombstonePurgeParts) {
    this.#parts = parts;
  }

  /** Tombstones that it has had purged since the start. */
  get purged(): number {
    return this.#purged;
  }

  start(): void {
    const { clock, limits } = this.#parts;
    this.#timer = clock.after(limits.purgeIntervalMs, () =>
      this.purgeNow(() => {
        if (!this.#isStopped) this.start();
      }),
    );
  }

  stop(): void {
    this.#isStopped = true;
    this.#parts.clock.cancel(this.#timer);
    this.#timer = undefined;
  }

  /** One pass over the partitions that this node answers for; a pass that is under way is joined. */
  purgeNow(done: (report: PurgeReport) => void): void {
    if (this.#running !== undefined) {
      this.#running.push(done);
      return;
    }
    this.#running = [done];
    runTask(this.#pass(), (report) => {
      const waiting = this.#running!;
      this.#running = undefined;
      for (const each of waiting) each(report);
    });
  }

  *#pass(): Task<PurgeReport> {
    const { view } = this.#parts;
    let purged = 0;
    let waiting = 0;
    for (let partition = 0; partition < view.partitions && !this.#isStopped; partition++) {
      const ageMs = this.#ageToPurge(view.configOf(partition));
      const { from, to } = partitionRange(partition);
      let next: StoreKey | undefined = ageMs === undefined ? undefined : from;
      while (next !== undefined && !this.#isStopped) {
        const { tombstones, last } = this.#oldTombstones(next, to, ageMs!);
        for (const { key, record } of tombstones) {
          const isPurged: boolean = yield* this.#purge(key, record);
          if (isPurged) {
            purged++;
            this.#purged++;
          } else waiting++;
        }
        next = last && `${last}\x00`;
        if (next !== undefined) yield* this.#pause();
      }
    }
    return { purged, waiting };
  }

  /**
   * How old a tombstone has to be for this node to purge it; undefined if it is no member. The first member that is up does
   * the work, so that not all do it. The others come later, for what it does not have: a late message can bring back a
   * tombstone to one of them after all have dropped it, and no comparison shows one that old.
   */
  #ageToPurge({ members }: PartitionConfig): number | undefined {
    const { self, isUp, limits } = this.#parts;
    if (!members.some(({ node }) => node === self)) return undefined;
    const isFirst = members.find(({ node }) => isUp(node))?.node === self;
    return limits.tombstoneGraceMs + (isFirst ? 0 : LATER_PASSES * limits.purgeIntervalMs);
  }

  /** The next records of a range that are tombstones older than that, and where to go on. */
  #oldTombstones(from: StoreKey, to: StoreKey, ageMs: number) {
    const { store, clock, limits } = this.#parts;
    const page = store.range('items', from, to, limits.repairBatch);
    const newestHlc = (clock.now() - ageMs) * TICKS_PER_MS;
    const tombstones = page
      .filter(({ value }) => value !== DAMAGED && isTombstone(value) && ballotIn(value).hlc < newestHlc)
      .map(({ key, value }) => ({ key, record: decodeRecord(value) }));
    return { tombstones, last: page.length === limits.repairBatch ? page.at(-1)!.key : undefined };
  }

  *#purge(key: StoreKey, record: ItemRecord): Task<boolean> {
    const config = this.#parts.view.configOf(partitionOf(key));
    const { epoch, members } = config;
    // It would be waited for with each of them, and those of other partitions wait behind.
    if (!members.every(({ node }) => this.#parts.isUp(node))) return false;
    const isConfirmed = yield* this.#askAll(config, { kind: 'confirm-tombstone', key, record, epoch }, 'confirmed');
    if (!isConfirmed) return false;
    return yield* this.#askAll(config, { kind: 'purge', key, ballot: record.ballot, epoch }, 'purged');
  }

  /** Whether all members answered `kind`. */
  *#askAll({ members }: PartitionConfig, request: Request, kind: Reply['kind']): Task<boolean> {
    const { clock, limits, transport } = this.#parts;
    return yield* wait<boolean>((resume) => {
      const missing = new Set(members.map(({ node }) => node));
      let isOver = false;
      const finish = (isAgreed: boolean) => {
        if (isOver) return;
        isOver = true;
        clock.cancel(timer);
        resume(isAgreed);
      };
      const timer = clock.after(limits.phaseTimeoutMs, () => finish(false));
      for (const { node } of members) {
        transport.send(node, request, (reply) => {
          if (reply.kind !== kind) return finish(false);
          missing.delete(node);
          if (missing.size === 0) finish(true);
        });
      }
    });
  }

  *#pause(): Task<void> {
    const { clock, limits } = this.#parts;
    yield* wait<void>((resume) => clock.after(limits.repairPauseMs, () => resume()));
  }
}

interface TombstonePurgeParts {
  readonly self: NodeId;
  readonly store: Store;
  readonly clock: Clock;
  readonly limits: NodeLimits;
  readonly view: RingView;
  readonly isUp: (node: NodeId) => boolean;
  readonly transport: Transport<Request, Reply>;
}
