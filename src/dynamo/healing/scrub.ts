import type { Clock, Timer } from '../../env/clock.ts';
import type { Log } from '../../env/log.ts';
import { DAMAGED, STORE_NAMES, type Store, type StoreKey, type StoreName } from '../../env/store.ts';
import { partitionOf } from '../keyspace.ts';
import type { Acceptor } from '../registers/acceptor.ts';
import type { NodeId } from '../ring.ts';
import { pause, runTask, type Task, wait } from '../task.ts';
import type { HintedHandoff } from './hinted-handoff.ts';
import type { KeyRestore } from './key-restore.ts';

/** Values read in one go: mostly a tenth of a millisecond, some milliseconds if each is an item of 400 KB. */
const BATCH = 32;
/**
 * A scrub in the background pauses after each batch: this many times as long as the batch took, and at least the
 * second.
 */
const PAUSES_PER_BATCH = 20;
const SHORTEST_PAUSE_MS = 1;

/** What a scrub did. */
export interface ScrubReport {
  /** Values that were read: records, hints, and rows of the nodes' own state. */
  readonly records: number;
  /** Those of the values whose bytes were not what was written. */
  readonly damaged: number;
  /** Keys of damaged values that were restored since. */
  readonly restored: number;
  readonly ms: number;
}

/**
 * Reads all that a node has stored, in small steps, and has damaged records restored. A read finds damage too, but a
 * record that is seldom read could be damaged on all replicas by then.
 */
export class Scrub {
  readonly #parts: ScrubParts;
  #timer: Timer | undefined;
  #isStopped = false;
  #running: ((report: ScrubReport) => void)[] | undefined;
  /** Whether a caller waits for the scrub under way: it makes no pauses then. */
  #isUrgent = false;
  #records = 0;
  #scrubs = 0;

  constructor(parts: ScrubParts) {
    this.#parts = parts;
  }

  /** Since the start of the node: values read, and scrubs that have come to their end. */
  get figures(): { readonly records: number; readonly scrubs: number } {
    return { records: this.#records, scrubs: this.#scrubs };
  }

  /** From now on a scrub begins when `intervalMs` have passed since the end of the last one. */
  start(): void {
    const { clock, intervalMs } = this.#parts;
    if (intervalMs <= 0 || this.#isStopped) return;
    this.#timer = clock.after(intervalMs, () => this.#begin(() => this.start()));
  }

  stop(): void {
    this.#isStopped = true;
    this.#parts.clock.cancel(this.#timer);
    this.#timer = undefined;
  }

  /** Reads everything now, without long pauses; joins a scrub that is under way. `done` is not called after `stop`. */
  scrubNow(done: (report: ScrubReport) => void): void {
    this.#isUrgent = true;
    this.#begin(done);
  }

  #begin(done: (report: ScrubReport) => void): void {
    if (this.#running !== undefined) {
      this.#running.push(done);
      return;
    }
    const waiting = [done];
    this.#running = waiting;
    const reported = (report: ScrubReport) => {
      if (this.#isStopped) return;
      this.#scrubs++;
      if (report.damaged > 0) this.#parts.log.warn('a scrub has found damage', { node: this.#parts.self, ...report });
      for (const each of waiting) each(report);
    };
    runTask(this.#scrub(), reported, () => {
      this.#running = undefined;
      this.#isUrgent = false;
    });
  }

  *#scrub(): Task<ScrubReport> {
    const { clock, acceptor, restore } = this.#parts;
    const startMs = clock.elapsedMs();
    const keys = new Set<StoreKey>();
    /** Damaged rows that are made again, and the partitions of those of local indexes. */
    let rows = 0;
    const partitions = new Set<number>();
    let records = 0;
    let damaged = 0;
    for (const name of STORE_NAMES) {
      for (let after: StoreKey = ''; !this.#isStopped; ) {
        const beganMs = clock.elapsedMs();
        const page = this.#parts.store.range(name, { after, to: END, limit: BATCH });
        for (const { key, value } of page) {
          if (value !== DAMAGED) continue;
          damaged++;
          if (name === 'lsi') {
            rows++;
            partitions.add(partitionOf(key));
          } else if (name !== 'outbox') this.#note(name, key, keys);
          // Like a row of a local index, it is made of what is committed here.
          else if (acceptor.rows.remakeOutboxRow(key)) rows++;
        }
        records += page.length;
        this.#records += page.length;
        if (page.length < BATCH) break;
        after = page.at(-1)!.key;
        const pauseMs = this.#isUrgent ? 0 : (clock.elapsedMs() - beganMs) * PAUSES_PER_BATCH;
        yield* pause(clock, Math.max(SHORTEST_PAUSE_MS, pauseMs));
      }
    }
    if (keys.size > 0 && !this.#isStopped) {
      // In an event of its own: `tryAll` also calls back when the node stops, and then the report is not wanted.
      yield* wait<void>(clock, (resume) => restore.tryAll(() => clock.after(0, resume)));
    }
    for (const partition of partitions) {
      if (this.#isStopped) break;
      yield* wait<void>(clock, (resume) => acceptor.rows.local.check(partition, resume));
    }
    let restored = rows;
    for (const key of keys) if (!acceptor.isDamaged(key)) restored++;
    return { records, damaged, restored, ms: clock.elapsedMs() - startMs };
  }

  #note(name: Exclude<StoreName, 'lsi' | 'outbox'>, key: StoreKey, keys: Set<StoreKey>): void {
    const { self, log, acceptor, hints } = this.#parts;
    switch (name) {
      case 'items':
      case 'paxos':
        keys.add(key);
        return acceptor.noteDamaged(key);
      case 'hints':
        return hints.check(key);
      case 'meta':
        // No other node has a copy. This one goes on with its state in memory: a quorum may need it.
        log.error("a record of the node's own state is damaged: at its next start it has lost its disk", {
          node: self,
        });
    }
  }
}

/** Above every key of every store. */
const END: StoreKey = '\xff\xff';

interface ScrubParts {
  readonly self: NodeId;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Between the end of one scrub and the next. 0: only on demand. */
  readonly intervalMs: number;
  readonly acceptor: Acceptor;
  readonly hints: HintedHandoff;
  readonly restore: KeyRestore;
}
