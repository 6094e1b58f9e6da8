import type { Clock, Timer } from '../../env/clock.ts';
import { DAMAGED, keyAfter, type Store, type StoreKey } from '../../env/store.ts';
import type { Transport } from '../../env/transport.ts';
import { type Ballot, TICKS_PER_MS } from '../ballot.ts';
import { partitionRange } from '../keyspace.ts';
import type { PartitionConfig, Reply, Request } from '../messages.ts';
import type { NodeLimits } from '../node-settings.ts';
import { ballotIn, decodeRecord, type ItemRecord, isPurgeable } from '../record.ts';
import type { NodeId } from '../ring.ts';
import type { RingView } from '../ring-view.ts';
import { pause, runTask, type Task, waitAtMost } from '../task.ts';

/** The result of a pass over the tombstones of a node's partitions. */
export interface PurgeReport {
  readonly purged: number;
  /** Old enough, but not confirmed by every member: tried again in the next pass. */
  readonly waiting: number;
}

/** How many passes later than the first member the other members purge what is still there. */
const LATER_PASSES = 3;

/** Confirmed tombstones that wait together to be purged; each is a key of up to 1 KB in memory. */
const CONFIRMED_AT_A_TIME = 20_000;

/** A tombstone that every member of the epoch has, and nothing else of the key. */
interface Confirmed {
  readonly key: StoreKey;
  readonly ballot: Ballot;
  readonly config: PartitionConfig;
}

/**
 * Removes tombstones that are older than the grace (docs/protocol.md section 9.1): first every member of the present
 * epoch confirms, durably, that it has the tombstone and nothing else of the key; then every member drops it. A member
 * that is down blocks the purge, so it can never bring the item back. Purged on some only is harmless: none and a
 * tombstone read alike.
 *
 * Between the two steps it waits for as long as a message may live. A stale member may have sent the old item, as a
 * repair, just before it confirmed; a member that has dropped the tombstone by then would take that item for new.
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

  /** Tombstones purged since the start. */
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
    const waiting = [done];
    this.#running = waiting;
    const reported = (report: PurgeReport) => {
      for (const each of waiting) each(report);
    };
    runTask(this.#pass(), reported, () => {
      this.#running = undefined;
    });
  }

  *#pass(): Task<PurgeReport> {
    const { view, clock, limits } = this.#parts;
    let found = 0;
    let purged = 0;
    let confirmed: Confirmed[] = [];
    for (let partition = 0; partition < view.partitions && !this.#isStopped; partition++) {
      const ageMs = this.#ageToPurge(view.newestConfig(partition));
      const { from, to } = partitionRange(partition);
      let next: StoreKey | undefined = ageMs === undefined ? undefined : from;
      while (next !== undefined && !this.#isStopped) {
        const { tombstones, last } = this.#oldTombstones(next, to, ageMs!);
        found += tombstones.length;
        for (const { key, record } of tombstones) {
          const config = view.newestConfig(partition);
          const isConfirmed: boolean = yield* this.#confirm(config, key, record);
          if (isConfirmed) confirmed.push({ key, ballot: record.ballot, config });
        }
        if (confirmed.length >= CONFIRMED_AT_A_TIME) {
          purged += yield* this.#purgeAll(confirmed);
          confirmed = [];
        }
        next = last && keyAfter(last);
        if (next !== undefined) yield* pause(clock, limits.repairPauseMs);
      }
    }
    purged += yield* this.#purgeAll(confirmed);
    return { purged, waiting: found - purged };
  }

  /**
   * How old a tombstone has to be for this node to purge it; undefined if this node is no member. The first member that
   * is up does the work, so that not all do it. The others purge later, for tombstones that the first does not have: a
   * late message can bring a tombstone back to one member after all have dropped it, and no comparison shows a
   * tombstone that old.
   */
  #ageToPurge({ members }: PartitionConfig): number | undefined {
    const { self, isUp, limits } = this.#parts;
    if (!members.some(({ node }) => node === self)) return undefined;
    const isFirst = members.find(({ node }) => isUp(node))?.node === self;
    return limits.tombstoneGraceMs + (isFirst ? 0 : LATER_PASSES * limits.purgeIntervalMs);
  }

  /**
   * The tombstones older than `ageMs` in the next page of a range; `last` is where the page ended, if there are more.
   */
  #oldTombstones(from: StoreKey, to: StoreKey, ageMs: number) {
    const { store, clock, limits, isYoung } = this.#parts;
    const page = store.range('items', { from, to, limit: limits.repairBatch });
    const newestHlc = (clock.now() - ageMs) * TICKS_PER_MS;
    const tombstones = page
      .filter(
        ({ key, value }) => value !== DAMAGED && isPurgeable(value) && ballotIn(value).hlc < newestHlc && !isYoung(key),
      )
      .map(({ key, value }) => ({ key, record: decodeRecord(value) }));
    return { tombstones, last: page.length === limits.repairBatch ? page.at(-1)!.key : undefined };
  }

  *#confirm(config: PartitionConfig, key: StoreKey, record: ItemRecord): Task<boolean> {
    const { epoch } = config;
    return yield* this.#askAll(config, { kind: 'confirm-tombstone', key, record, epoch }, 'confirmed');
  }

  /** @returns how many all members have dropped */
  *#purgeAll(confirmed: readonly Confirmed[]): Task<number> {
    if (confirmed.length === 0) return 0;
    yield* pause(this.#parts.clock, this.#parts.limits.messageLifeMs);
    let purged = 0;
    for (const { key, ballot, config } of confirmed) {
      if (this.#isStopped) break;
      const { epoch } = config;
      const isPurged = yield* this.#askAll(config, { kind: 'purge', key, ballot, epoch }, 'purged');
      if (isPurged) purged++;
    }
    this.#purged += purged;
    return purged;
  }

  /** Whether all members answered `kind`. */
  *#askAll({ members }: PartitionConfig, request: Request, kind: Reply['kind']): Task<boolean> {
    const { clock, limits, transport, isUp } = this.#parts;
    // Else each tombstone would wait for a member that is down, and those of other partitions behind it.
    if (!members.every(({ node }) => isUp(node))) return false;
    const isAgreed = yield* waitAtMost<boolean>(clock, limits.phaseTimeoutMs, (timed) => {
      const missing = new Set(members.map(({ node }) => node));
      for (const { node } of members) {
        transport.send(node, request, (reply) => {
          if (reply.kind !== kind) return timed.finish(false);
          missing.delete(node);
          if (missing.size === 0) timed.finish(true);
        });
      }
    });
    return isAgreed === true;
  }
}

interface TombstonePurgeParts {
  readonly self: NodeId;
  readonly store: Store;
  readonly clock: Clock;
  readonly limits: NodeLimits;
  readonly view: RingView;
  readonly isUp: (node: NodeId) => boolean;
  /** Whether this node has had its tombstone of a key for less than the grace. */
  readonly isYoung: (key: StoreKey) => boolean;
  readonly transport: Transport<Request, Reply>;
}
