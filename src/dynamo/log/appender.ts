import type { ItemImage } from '../../api/item.ts';
import type { MutationOutcome } from '../../api/mutation.ts';
import type { Failure } from '../client.ts';
import type { HandedBack } from '../registers/handed-back.ts';
import { writeRegister } from '../registers/register-write.ts';
import { runTask, type Task } from '../task.ts';
import type { LogAccess } from './log-access.ts';
import { bytesInCell, type CellChange, decodeCell, encodeBatch, encodeEnd } from './log-cell.ts';
import { LogHead, nameOf, readHead } from './log-head.ts';
import { cellKey } from './log-keys.ts';

/** A cell has so many bytes at most, or one item's changes. */
const CELL_BYTES = 1024 * 1024;

/** What is to be in the log. */
interface Job {
  /** `end`: the last cell. `mark`: nothing; it is done when everything before it is. */
  readonly kind: 'append' | 'end' | 'mark';
  /** Of one item, in the order in which they were made. */
  readonly changes: readonly CellChange[];
  /** In the time of `Clock.elapsedMs`. */
  readonly deadlineMs: number;
  /** Gets whether they are in a cell that is decided, or will never have to be. */
  readonly done: (isLogged: boolean) => void;
}

/** A cell as it was last to be written. */
interface Written {
  readonly missing: readonly CellChange[];
  readonly retentionHlc: number;
  readonly image: ItemImage;
}

/** How an attempt to write to the log ended. `lost`: nobody knows whether it was written. */
type Appended = 'done' | 'lost' | 'unavailable';

/**
 * Writes changes to the log of one shard (docs/protocol.md section 18.3); a node has one for each shard it has changes of. The
 * cells are registers: each is written once, and the next one only when that is decided. So all nodes that write to one log
 * make one sequence. Whatever is queued goes into the next cell, without those that the log has.
 */
export class Appender {
  readonly #log: LogAccess;
  #queue: Job[] = [];
  #head: LogHead | undefined;
  #headSinceMs = 0;
  #isRunning = false;
  #isStopped = false;

  constructor(log: LogAccess) {
    this.#log = log;
  }

  get isIdle(): boolean {
    return !this.#isRunning;
  }

  /** Changes of one item that its chosen record carries, all that are not known to be in the log. */
  append(changes: readonly CellChange[], deadlineMs: number, done: Job['done']): void {
    this.#add({ kind: 'append', changes, deadlineMs, done });
  }

  /** Writes the last cell, behind all that was queued before. */
  end(deadlineMs: number, done: Job['done']): void {
    this.#add({ kind: 'end', changes: [], deadlineMs, done });
  }

  /** Calls `done` when all that is queued now is in the log, or was given up. */
  whenDrained(done: () => void): void {
    if (this.isIdle) return done();
    this.#add({ kind: 'mark', changes: [], deadlineMs: Number.POSITIVE_INFINITY, done });
  }

  /** From now on nothing is begun, and nobody is called. */
  stop(): void {
    this.#isStopped = true;
    this.#queue = [];
  }

  /** Nobody will read this log any more: what is queued need not be there. */
  abandon(): void {
    for (const job of this.#queue.splice(0)) job.done(true);
  }

  #add(job: Job): void {
    if (this.#isStopped) return job.done(false);
    this.#queue.push(job);
    if (this.#isRunning) return;
    this.#isRunning = true;
    runTask(this.#run(), () => {
      this.#isRunning = false;
    });
  }

  *#run(): Task<void> {
    while (this.#queue.length > 0) {
      const jobs = this.#take();
      const [first] = jobs;
      const changes = jobs.flatMap((job) => job.changes);
      const appended = yield* this.#append(first!.kind === 'end' ? 'end' : changes);
      if (this.#isStopped) return;
      const isOver = ({ deadlineMs }: Job) => this.#log.coordinator.isPast(deadlineMs);
      // Without a majority it is the same for all of them.
      if (appended === 'unavailable') jobs.push(...this.#queue.splice(0));
      else if (appended === 'lost') {
        yield* this.#log.coordinator.pause();
        this.#queue.unshift(...jobs.filter((job) => !isOver(job)));
      }
      const left = new Set(this.#queue);
      for (const job of jobs) if (!left.has(job)) job.done(appended === 'done');
    }
  }

  /** The jobs whose changes go into the next cell, at least one. */
  #take(): Job[] {
    const { cellChanges } = this.#log.coordinator.settings.limits;
    let count = 0;
    let bytes = 0;
    let at = 0;
    for (; at < this.#queue.length && count < cellChanges && bytes < CELL_BYTES; at++) {
      const { kind, changes } = this.#queue[at]!;
      if (kind === 'end' && at > 0) break;
      count += changes.length;
      for (const change of changes) bytes += bytesInCell(change);
      if (at > 0 && (count > cellChanges || bytes > CELL_BYTES)) break;
      if (kind === 'end') return this.#queue.splice(0, 1);
    }
    return this.#queue.splice(0, at);
  }

  *#append(what: readonly CellChange[] | 'end'): Task<Appended> {
    const { coordinator } = this.#log;
    const { rules } = coordinator.settings;
    const changes = what === 'end' ? [] : what;
    if (what !== 'end' && changes.length === 0) return 'done';
    const deadlineMs = coordinator.deadline();
    let written: Written | undefined;
    do {
      const head = yield* this.#headFor(changes);
      if (!(head instanceof LogHead)) return head.kind === 'unavailable' ? 'unavailable' : 'lost';
      // The stream was disabled: nobody will ever read it.
      if (head.isEnded) return 'done';
      const missing = this.#missingOf(changes, head);
      if (what !== 'end' && missing.length === 0) return 'done';
      if (
        written === undefined ||
        written.missing.length !== missing.length ||
        written.retentionHlc !== head.retentionHlc
      ) {
        const { retentionHlc } = head;
        written = { missing, retentionHlc, image: what === 'end' ? encodeEnd() : encodeBatch(missing, retentionHlc) };
      }
      for (const { ballot } of missing) coordinator.ballots.strict.goAbove(ballot.hlc);
      const outcome = yield* writeCell(this.#log, head.next, written.image, deadlineMs);
      if (outcome.kind === 'applied') {
        head.take(
          what === 'end' ? { kind: 'end' } : { kind: 'batch', retentionHlc: head.retentionHlc, changes: missing },
          rules,
        );
        return 'done';
      }
      // Somebody has written this cell before.
      if (outcome.kind === 'condition-failed') head.take(outcome.current && decodeCell(outcome.current), rules);
      else {
        // The next cell must not be written before this one is decided.
        if (!rules.lostCellIsTriedAgain) head.next++;
        return outcome.kind === 'unavailable' ? 'unavailable' : 'lost';
      }
    } while (!coordinator.isPast(deadlineMs));
    return 'lost';
  }

  /** Those that are to be written, each once. */
  #missingOf(changes: readonly CellChange[], head: LogHead): CellChange[] {
    const { rules } = this.#log.coordinator.settings;
    const missing = new Map<string, CellChange>();
    for (const change of changes) {
      if (rules.loggedOnce && head.has(change)) continue;
      if (rules.agedAreLeftOut && head.isAged(change)) continue;
      missing.set(nameOf(change.ballot), change);
    }
    return [...missing.values()];
  }

  /** What is known of the log's end, or is read now. */
  *#headFor(changes: readonly CellChange[]): Task<LogHead | Failure> {
    const { coordinator } = this.#log;
    const nowMs = coordinator.clock.elapsedMs();
    const { limits, rules } = coordinator.settings;
    const isFresh = nowMs - this.#headSinceMs < limits.logHeadMs || !rules.logHeadIsFresh;
    const known = this.#head;
    if (known !== undefined && isFresh && !known.isFull && known.isAbout(changes)) return known;
    const head = yield* readHead(this.#log, changes);
    if (!(head instanceof LogHead)) return head;
    this.#head = head;
    this.#headSinceMs = nowMs;
    return head;
  }
}

/** Writes a cell that was never written, also not to be trimmed since. */
export function writeCell(
  { coordinator, prefix, requestId }: LogAccess,
  cell: number,
  image: ItemImage,
  deadlineMs: number,
): Task<MutationOutcome | Failure | HandedBack> {
  const { rules } = coordinator.settings;
  return writeRegister(coordinator, {
    requestId,
    key: cellKey(prefix, cell),
    deadlineMs,
    partitionKey: '',
    change: (current, record) =>
      record === undefined || !rules.cellsAreWrittenOnce
        ? { kind: 'applied', next: image, old: undefined }
        : { kind: 'condition-failed', current },
    mode: 'strict',
    carried: undefined,
  });
}
