import { textOf } from './answer.ts';
import { LIMITS } from './transfer-limits.ts';
import type { BadInput, Write } from './write.ts';
import { isOfTheItem, type WriteResult } from './write-sender.ts';

/** A part of the input, in order. Parts with `done` need no request; they carry a place from which to resume. */
export interface Entry<Place> {
  readonly place: Place;
  /** Roughly how much memory it takes. */
  readonly bytes: number;
  readonly work: Write | BadInput | { readonly kind: 'done' };
}

/** The outcome of an entry. */
export type Outcome = { readonly kind: 'done' } | BadInput;

interface Pending<Place> {
  readonly entry: Entry<Place>;
  outcome?: Outcome;
}

/** Writes of different items that are sent in one request. */
interface Batch<Place> {
  readonly writes: { readonly pending: Pending<Place>; readonly write: Write }[];
  bytes: number;
  /** Resolves when no write of the batch is in progress. */
  readonly done: Promise<void>;
  readonly markDone: () => void;
}

export interface QueueParts<Place> {
  readonly sender: {
    /** How many writes are worth sending together; it may change. */
    readonly batchSize: number;
    /** Stops at the first write that ends the import. @throws errors that concern no single write */
    send(writes: readonly Write[]): Promise<readonly WriteResult[]>;
  };
  /** If it throws, the queue ends as after a failed request. */
  readonly report: (entry: Entry<Place>, outcome: Outcome) => void;
  /** Concurrent requests. */
  readonly concurrency: number;
  /** Waits for as long as a write waits for others to be batched with it. */
  readonly linger: () => Promise<void>;
  /** Called at a failure, while other requests are in progress. */
  readonly onFailure?: () => void;
}

/**
 * Sends writes in batches and several batches at a time, but reports their outcomes in the order of the input. So all
 * input up to the last report is dealt with. Writes of one item are sent one after another, so that the last one wins.
 */
export class WriteQueue<Place> {
  readonly #parts: QueueParts<Place>;
  /** In the order of the input. Entries before `#first` are reported and released. */
  #pending: (Pending<Place> | undefined)[] = [];
  #first = 0;
  #pendingBytes = 0;
  /** Requests in progress, and writes that wait for an earlier write of the same item. */
  #underWay = 0;
  /** The batch of the next request, not sent yet. */
  #open: Batch<Place> | undefined;
  readonly #lastOfKey = new Map<string, Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  /** After a report has thrown, no later entry is reported. */
  #hasReportFailed = false;
  #wake: (() => void) | undefined;

  constructor(parts: QueueParts<Place>) {
    this.#parts = parts;
  }

  /** Whether a further entry has to wait. */
  get isFull(): boolean {
    const count = this.#pending.length - this.#first;
    return (
      this.#underWay >= this.#parts.concurrency ||
      count >= LIMITS.maxEntriesPending ||
      (count > 0 && this.#pendingBytes >= LIMITS.maxBytesPending)
    );
  }

  /** Whether the queue has failed; it accepts nothing more then. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Adds the next entry of the input. The caller waits for `room` first. */
  add(entry: Entry<Place>): void {
    const pending: Pending<Place> = { entry };
    this.#pending.push(pending);
    this.#pendingBytes += entry.bytes;
    if (entry.work.kind === 'write') return this.#take(pending, entry.work);
    pending.outcome = entry.work;
    this.#reportCompleted();
  }

  /** Resolves when there is room for an entry, or the queue has failed. */
  async room(): Promise<void> {
    while (this.isFull && !this.hasFailed) {
      // The unsent batch may be what fills the queue.
      if (this.#underWay < this.#parts.concurrency) this.#sendOpen();
      await this.#change();
    }
  }

  /** Resolves when nothing is in progress. @throws whatever a request or a report has thrown */
  async drained(): Promise<void> {
    await this.settled();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Resolves when nothing is in progress, whether it failed or not. */
  async settled(): Promise<void> {
    this.#sendOpen();
    while (this.#underWay > 0) await this.#change();
  }

  #take(pending: Pending<Place>, write: Write): void {
    const before = this.#lastOfKey.get(write.key);
    if (before !== undefined) return this.#follow(before, pending, write);
    const bytes = Buffer.byteLength(write.json);
    if (this.#open !== undefined && this.#open.bytes + bytes > LIMITS.maxBatchBytes) this.#sendOpen();
    const open = this.#open ?? this.#openBatch();
    open.writes.push({ pending, write });
    open.bytes += bytes;
    this.#lastOfKey.set(write.key, open.done);
    if (open.writes.length >= this.#parts.sender.batchSize) this.#sendOpen();
  }

  #openBatch(): Batch<Place> {
    const batch = newBatch<Place>();
    this.#open = batch;
    void this.#parts.linger().then(() => {
      if (this.#open === batch) this.#sendOpen();
    });
    return batch;
  }

  /** Sends a write by itself after an unfinished write of the same item. */
  #follow(before: Promise<void>, pending: Pending<Place>, write: Write): void {
    const batch = newBatch<Place>();
    batch.writes.push({ pending, write });
    this.#lastOfKey.set(write.key, batch.done);
    this.#underWay++;
    if (this.#open?.done === before) this.#sendOpen();
    void before.then(() => this.#finish(batch));
  }

  #sendOpen(): void {
    const batch = this.#open;
    if (batch === undefined) return;
    this.#open = undefined;
    this.#underWay++;
    void this.#finish(batch);
  }

  async #finish(batch: Batch<Place>): Promise<void> {
    await this.#send(batch).catch((error: unknown) => {
      this.#failure ??= { error };
      this.#parts.onFailure?.();
    });
    for (const { write } of batch.writes) {
      if (this.#lastOfKey.get(write.key) === batch.done) this.#lastOfKey.delete(write.key);
    }
    this.#underWay--;
    batch.markDone();
    this.#reportCompleted();
    this.#wake?.();
  }

  async #send({ writes }: Batch<Place>): Promise<void> {
    // After a failure nothing more is sent: the user's next run reads again whatever was not reported.
    if (this.hasFailed) return;
    const results = await this.#parts.sender.send(writes.map(({ write }) => write));
    for (const [at, result] of results.entries()) {
      const { pending } = writes[at]!;
      if (result.kind === 'written') pending.outcome = { kind: 'done' };
      else if (result.kind === 'given-up') throw new FailedWrite(pending.entry.place, result.problem);
      else if (isOfTheItem(result)) pending.outcome = { kind: 'bad', problem: textOf(result.name, result.message) };
      else throw new FailedWrite(pending.entry.place, textOf(result.name, result.message));
    }
  }

  #reportCompleted(): void {
    while (!this.#hasReportFailed && this.#first < this.#pending.length) {
      const { entry, outcome } = this.#pending[this.#first]!;
      if (outcome === undefined) break;
      try {
        this.#parts.report(entry, outcome);
      } catch (error) {
        this.#hasReportFailed = true;
        this.#failure = { error };
        this.#parts.onFailure?.();
        break;
      }
      this.#pending[this.#first++] = undefined;
      this.#pendingBytes -= entry.bytes;
    }
    if (this.#first < LIMITS.maxEntriesPending) return;
    this.#pending = this.#pending.slice(this.#first);
    this.#first = 0;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

function newBatch<Place>(): Batch<Place> {
  let markDone = () => {};
  const done = new Promise<void>((resolve) => {
    markDone = resolve;
  });
  return { writes: [], bytes: 0, done, markDone };
}

/** A write that failed for a reason that also holds for all following ones: no such table, no permission, no answer. */
export class FailedWrite<Place> extends Error {
  override readonly name = 'FailedWrite';
  readonly place: Place;

  constructor(place: Place, message: string) {
    super(message);
    this.place = place;
  }
}
